//! Calls many validators at once, and one mutator, on the threads for guests. Does not interpret what they answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use model::Value;
use tokio::sync::mpsc;
use wasm::{Answer, Failure, Mutation, Runtime, Verdict};

use super::set::Entry;
use crate::{Operation, Review};

/// One call that is to be made.
pub(super) struct Call {
    /// Which binding.
    pub(super) entry: Arc<Entry>,
    /// The object as far as the module reads it.
    pub(super) object: Option<Vec<u8>>,
    /// The stored object, likewise.
    pub(super) old: Option<Vec<u8>>,
}

impl Call {
    /// The call for one binding.
    pub(super) fn of(entry: &Arc<Entry>, review: &Review<'_>, object: Option<&Value>) -> Self {
        let project = |value: &Value| entry.reads.project(value);
        Self { entry: entry.clone(), object: object.map(project), old: review.old.map(project) }
    }

    fn to_wasm<'a>(&'a self, request: &'a wasm::Request) -> wasm::Call<'a> {
        wasm::Call { old: self.old.as_ref(), ..wasm::Call::of(request, self.object.as_ref()) }
    }
}

/// The request as the contract has it.
pub(super) fn request(review: &Review<'_>) -> wasm::Request {
    let (kind, resource, user) = (review.kind, review.resource, review.user);
    wasm::Request {
        uid: review.uid.to_owned(),
        time: wasm::Timestamp {
            seconds: review.now.as_second(),
            nanoseconds: u32::try_from(review.now.subsec_nanosecond()).unwrap_or(0),
        },
        user: Some(wasm::User {
            name: user.name.clone(),
            uid: user.uid.clone(),
            groups: user.groups.clone(),
            extra: user.extra.iter().map(|(key, values)| (key.clone(), values.clone())).collect(),
        }),
        operation: match review.operation {
            Operation::Create => wasm::Operation::Create,
            Operation::Update => wasm::Operation::Update,
            Operation::Delete => wasm::Operation::Delete,
            Operation::Connect => wasm::Operation::Connect,
        },
        origin: wasm::Origin::Write,
        kind: wasm::GroupVersionKind {
            group: kind.group.to_string(),
            version: kind.version.to_string(),
            kind: kind.kind.to_string(),
        },
        resource: wasm::GroupVersionResource {
            group: resource.group.to_string(),
            version: resource.version.to_string(),
            resource: resource.resource.to_string(),
        },
        subresource: review.subresource.to_owned(),
        namespace: review.namespace.to_owned(),
        name: review.name.to_owned(),
        dry_run: review.dry_run,
        options: review.options.to_string().into_bytes(),
    }
}

/// Calls all validators; answers come in the order of the calls.
pub(super) async fn validate(
    runtime: &Runtime,
    request: Arc<wasm::Request>,
    calls: Vec<Call>,
) -> Vec<(Arc<Entry>, Answer<Verdict>)> {
    let calls = Arc::new(calls);
    let next = Arc::new(AtomicUsize::new(0));
    let (sender, mut receiver) = mpsc::unbounded_channel();
    // As many jobs as can run at once share the calls: a job for each call would cost more than most calls.
    for _ in 0..calls.len().min(runtime.pool().threads()) {
        let (calls, next, sender, request) = (calls.clone(), next.clone(), sender.clone(), request.clone());
        let job = move || {
            let mut done = Vec::new();
            while let Some((n, call)) = take(&calls, &next) {
                done.push((n, validate_one(call, &request)));
            }
            // Nobody waits any longer when the request was cancelled.
            let _ = sender.send(done);
        };
        if runtime.pool().spawn(job).is_err() {
            break;
        }
    }
    drop(sender);
    let mut answers: Vec<Option<Answer<Verdict>>> = calls.iter().map(|_| None).collect();
    while let Some(done) = receiver.recv().await {
        for (n, answer) in done {
            answers[n] = Some(answer);
        }
    }
    let entries = calls.iter().map(|call| call.entry.clone());
    entries.zip(answers.into_iter().map(|answer| answer.unwrap_or_else(|| failed(Failure::Busy)))).collect()
}

fn take<'a>(calls: &'a [Call], next: &AtomicUsize) -> Option<(usize, &'a Call)> {
    let n = next.fetch_add(1, Ordering::Relaxed);
    Some((n, calls.get(n)?))
}

fn validate_one(call: &Call, request: &wasm::Request) -> Answer<Verdict> {
    match &call.entry.policy {
        Ok(policy) => policy.validate(&call.to_wasm(request)),
        Err(why) => failed(Failure::Refused(why.clone())),
    }
}

/// Calls one mutator.
pub(super) async fn mutate(runtime: &Runtime, request: Arc<wasm::Request>, call: Call) -> Answer<Mutation> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let job = move || {
        let answer = match &call.entry.policy {
            Ok(policy) => policy.mutate(&call.to_wasm(&request)),
            Err(why) => failed(Failure::Refused(why.clone())),
        };
        let _ = sender.send(answer);
    };
    match runtime.pool().spawn(job) {
        Ok(()) => receiver.await.unwrap_or_else(|_| failed(Failure::Busy)),
        Err(failure) => failed(failure),
    }
}

fn failed<T>(failure: Failure) -> Answer<T> {
    Answer { outcome: Err(failure), took: Duration::ZERO, log: Vec::new(), needs_user: false }
}
