//! Calls many validators at once or aside, and one mutator: on the threads for guests, or where the request is when they are
//! known to be over in a moment; nobody is called who would say again what he said. Does not interpret what they answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use model::{GroupVersionKind, GroupVersionResource, User, Value};
use tokio::sync::{mpsc, oneshot};
use wasm::limits::BRIEF;
use wasm::{Answer, Failure, Grant, Mutation, Reach, Runtime, Verdict};

use super::Policies;
use super::concern::Concern;
use super::reach::Live;
use super::remembered::{Kept, Likeness, Remembered};
use super::set::Entry;
use crate::matching::Matched;
use crate::{Cluster, Operation, Review};

/// One call that is to be made.
pub(super) struct Call {
    entry: Arc<Entry>,
    request: Arc<wasm::Request>,
    /// The object as far as the module reads it.
    object: Option<Vec<u8>>,
    /// The stored object, likewise.
    old: Option<Vec<u8>>,
    params: Option<Vec<u8>>,
    reach: Arc<dyn Reach>,
    unfit: Option<String>,
}

impl Call {
    /// The call for one binding. `request` is the one as it was made.
    pub(super) fn of(
        concern: &Concern,
        request: &Arc<wasm::Request>,
        review: &Review<'_>,
        object: Option<&Value>,
        cluster: Option<&Cluster>,
    ) -> Self {
        let Concern { entry, matched, converted, params, unfit, .. } = concern;
        let (object, old) = match converted {
            Some(converted) => (converted.object.as_ref(), converted.old.as_ref()),
            None => (object, review.old),
        };
        let project = |value: &Value| entry.project(value);
        let request = if matched.resource == *review.resource { request.clone() } else { Arc::new(in_version(request, matched)) };
        let requester = request.user.is_some().then_some(review.user);
        Self {
            entry: entry.clone(),
            request,
            object: object.map(project),
            old: old.map(project),
            params: params.as_ref().map(|params| params.to_string().into_bytes()),
            reach: reach(cluster, entry, requester),
            unfit: unfit.clone(),
        }
    }

    fn to_wasm(&self, briefly: bool) -> wasm::Call<'_> {
        wasm::Call {
            request: &self.request,
            object: self.object.as_ref(),
            old: self.old.as_ref(),
            params: self.params.as_ref(),
            reach: self.reach.clone(),
            briefly,
        }
    }

    /// What it has in common with calls that have the same answer.
    fn likeness<T: Kept>(&self, remembered: &Remembered<T>) -> Option<Likeness> {
        self.unfit.is_none().then(|| remembered.likeness(&self.entry, &self.to_wasm(false)))?
    }

    /// What the call is expected to take, where that is known. A guest that may ask waits for answers on its thread.
    fn expected(&self) -> Option<Duration> {
        match (&self.entry.policy, &self.unfit) {
            (_, Some(_)) | (Err(_), _) => Some(Duration::ZERO),
            (Ok(_), None) if asks(&self.entry) => None,
            (Ok(policy), None) => policy.pace(),
        }
    }

    /// Makes the call on a thread that others wait for. Nothing when it took longer than a moment.
    fn make_briefly<T>(&self, run: Run<T>) -> Option<Answer<T>> {
        let answer = self.make(true, run);
        (answer.outcome.as_ref().err() != Some(&Failure::NotBrief)).then_some(answer)
    }

    /// Makes the call, unless it is known that it cannot be made.
    fn make<T>(&self, briefly: bool, run: Run<T>) -> Answer<T> {
        match (&self.entry.policy, &self.unfit) {
            (_, Some(why)) | (Err(why), _) => failed(Failure::refused(why.clone())),
            (Ok(policy), None) => run(policy, &self.to_wasm(briefly)),
        }
    }
}

/// One of a policy's functions.
type Run<T> = fn(&wasm::Policy, &wasm::Call<'_>) -> Answer<T>;

/// Whether a binding's guest may ask anybody.
fn asks(entry: &Entry) -> bool {
    entry.binding.grants.iter().any(|grant| matches!(grant, Grant::Cluster | Grant::Authorizer))
}

/// Whom a binding's guest may ask.
pub(super) fn reach(cluster: Option<&Cluster>, entry: &Arc<Entry>, requester: Option<&User>) -> Arc<dyn Reach> {
    match cluster {
        Some(cluster) if asks(entry) => Live::of(cluster, entry, requester),
        _ => wasm::reach::nothing(),
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
        kind: kind_of(kind),
        resource: resource_of(resource),
        subresource: review.subresource.to_owned(),
        namespace: review.namespace.to_owned(),
        name: review.name.to_owned(),
        dry_run: review.dry_run,
        options: review.options.to_string().into_bytes(),
    }
}

fn kind_of(kind: &GroupVersionKind) -> wasm::GroupVersionKind {
    let GroupVersionKind { group, version, kind } = kind;
    wasm::GroupVersionKind { group: group.to_string(), version: version.to_string(), kind: kind.to_string() }
}

fn resource_of(resource: &GroupVersionResource) -> wasm::GroupVersionResource {
    let GroupVersionResource { group, version, resource } = resource;
    wasm::GroupVersionResource { group: group.to_string(), version: version.to_string(), resource: resource.to_string() }
}

/// The request as if it had been made for another version of its resource.
fn in_version(request: &wasm::Request, matched: &Matched) -> wasm::Request {
    let Matched { resource, kind } = matched;
    wasm::Request { kind: kind_of(kind), resource: resource_of(resource), ..request.clone() }
}

/// Calls all validators; answers come in the order of the calls.
pub(super) async fn validate(policies: &Policies, calls: Vec<Call>) -> Vec<Answer<Verdict>> {
    remembering(&policies.verdicts, calls, async |calls: Vec<Call>| {
        let mut answers = if are_brief(&calls) { briefly(&calls) } else { Vec::new() };
        if answers.len() < calls.len() {
            answers.extend(together(&policies.runtime, calls, answers.len()).await);
        }
        answers
    })
    .await
}

/// Makes those of the calls to which nobody knows the answer yet; answers come in the order of the calls.
async fn remembering<T: Kept>(
    remembered: &Remembered<T>,
    calls: Vec<Call>,
    make: impl AsyncFnOnce(Vec<Call>) -> Vec<Answer<T>>,
) -> Vec<Answer<T>> {
    let mut answers = Vec::with_capacity(calls.len());
    let (mut unknown, mut places) = (Vec::new(), Vec::new());
    for call in calls {
        let started = Instant::now();
        let likeness = call.likeness(remembered);
        let known = likeness.and_then(|likeness| remembered.get(likeness));
        if known.is_none() {
            places.push((answers.len(), likeness));
            unknown.push(call);
        }
        answers.push(known.map(|outcome| Answer { took: started.elapsed(), ..answer(Ok(outcome)) }));
    }
    if unknown.is_empty() {
        return answers.into_iter().flatten().collect();
    }
    for ((place, likeness), answer) in places.into_iter().zip(make(unknown).await) {
        if let (Some(likeness), Ok(outcome)) = (likeness, &answer.outcome) {
            remembered.put(likeness, outcome);
        }
        answers[place] = Some(answer);
    }
    // One is missing only where the server ends meanwhile.
    answers.into_iter().map(|answer| answer.unwrap_or_else(|| failed(Failure::Busy))).collect()
}

/// Whether all calls are expected to be over in a moment, so that the way to a thread for guests and back, which costs as much
/// as several of them, is for nothing.
fn are_brief(calls: &[Call]) -> bool {
    let expected: Option<Duration> = calls.iter().map(Call::expected).sum();
    expected.is_some_and(|expected| expected <= BRIEF)
}

/// The answers of the first calls: of all, or of those before the first that takes longer than it did.
fn briefly(calls: &[Call]) -> Vec<Answer<Verdict>> {
    calls.iter().map_while(|call| call.make_briefly(wasm::Policy::validate)).collect()
}

/// Makes the calls from one on, on the threads for guests.
async fn together(runtime: &Arc<Runtime>, calls: Vec<Call>, from: usize) -> Vec<Answer<Verdict>> {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let jobs = (calls.len() - from).min(runtime.pool().threads());
    let mut answers: Vec<Option<Answer<Verdict>>> = calls.iter().map(|_| None).collect();
    let (calls, next) = (Arc::new(calls), Arc::new(AtomicUsize::new(from)));
    // As many jobs as can run at once share the calls: a job for each call would cost more than most calls.
    for _ in 0..jobs {
        let turn = Turn { runtime: runtime.clone(), calls: calls.clone(), next: next.clone(), sender: sender.clone() };
        if runtime.pool().spawn(move || turn.take()).is_err() {
            break;
        }
    }
    drop(sender);
    while let Some(done) = receiver.recv().await {
        for (n, answer) in done {
            answers[n] = Some(answer);
        }
    }
    answers.into_iter().skip(from).map(|answer| answer.unwrap_or_else(|| failed(Failure::Busy))).collect()
}

/// How long one request has a thread before the next that waits: longer than nearly all calls of a request together.
const TURN: Duration = Duration::from_millis(20);

/// A request's turn on one of the threads.
#[derive(Clone)]
struct Turn {
    runtime: Arc<Runtime>,
    calls: Arc<Vec<Call>>,
    next: Arc<AtomicUsize>,
    sender: mpsc::UnboundedSender<Vec<(usize, Answer<Verdict>)>>,
}

impl Turn {
    /// Makes calls until none is left, or goes behind those that wait when it has taken long. Nobody waits any longer when the
    /// request was cancelled.
    fn take(self) {
        let (begun, mut done) = (Instant::now(), Vec::new());
        while !self.sender.is_closed()
            && let Some((n, call)) = take(&self.calls, &self.next)
        {
            done.push((n, call.make(false, wasm::Policy::validate)));
            let is_over = begun.elapsed() >= TURN && self.runtime.pool().is_wanted();
            let again = is_over.then(|| self.clone());
            // Where no more may wait, it goes on.
            if again.is_some_and(|again| self.runtime.pool().spawn(move || again.take()).is_ok()) {
                break;
            }
        }
        let _ = self.sender.send(done);
    }
}

fn take<'a>(calls: &'a [Call], next: &AtomicUsize) -> Option<(usize, &'a Call)> {
    let n = next.fetch_add(1, Ordering::Relaxed);
    Some((n, calls.get(n)?))
}

/// Calls validators for which no request waits, one after another, and steps back before each that does; answers come in the
/// order of the calls.
pub(super) async fn aside(policies: &Policies, calls: Vec<Call>) -> Vec<Answer<Verdict>> {
    remembering(&policies.verdicts, calls, async |calls: Vec<Call>| {
        let (sender, receiver) = oneshot::channel();
        let work = Aside { answers: Vec::with_capacity(calls.len()), calls: calls.into_iter(), sender };
        go_on(policies.runtime.clone(), work);
        // It is closed only with the server.
        receiver.await.unwrap_or_default()
    })
    .await
}

/// Calls that are made aside.
struct Aside {
    calls: std::vec::IntoIter<Call>,
    answers: Vec<Answer<Verdict>>,
    sender: oneshot::Sender<Vec<Answer<Verdict>>>,
}

fn go_on(runtime: Arc<Runtime>, mut work: Aside) {
    let of_job = runtime.clone();
    runtime.pool().spawn_aside(move || {
        while !work.sender.is_closed() {
            if of_job.pool().is_wanted() {
                return go_on(of_job, work);
            }
            let Some(call) = work.calls.next() else { break };
            work.answers.push(call.make(false, wasm::Policy::validate));
        }
        // Nobody waits any longer when other policies are in force.
        let _ = work.sender.send(work.answers);
    });
}

/// Calls one mutator.
pub(super) async fn mutate(policies: &Policies, call: Call) -> Answer<Mutation> {
    let make = async |calls: Vec<Call>| match calls.into_iter().next() {
        Some(call) => vec![mutated(&policies.runtime, call).await],
        None => Vec::new(),
    };
    let mut answers = remembering(&policies.mutations, vec![call], make).await;
    answers.pop().unwrap_or_else(|| failed(Failure::Busy))
}

async fn mutated(runtime: &Runtime, call: Call) -> Answer<Mutation> {
    if are_brief(std::slice::from_ref(&call))
        && let Some(answer) = call.make_briefly(wasm::Policy::mutate)
    {
        return answer;
    }
    let (sender, receiver) = oneshot::channel();
    let job = move || {
        let _ = sender.send(call.make(false, wasm::Policy::mutate));
    };
    match runtime.pool().spawn(job) {
        Ok(()) => receiver.await.unwrap_or_else(|_| failed(Failure::Busy)),
        Err(failure) => failed(failure),
    }
}

fn failed<T>(failure: Failure) -> Answer<T> {
    answer(Err(failure))
}

/// What no guest was called for.
fn answer<T>(outcome: Result<T, Failure>) -> Answer<T> {
    Answer { outcome, took: Duration::ZERO, log: Vec::new(), fuel: 0, needs_user: false }
}
