//! Judges stored objects several at a time: handing one call to the threads for guests costs more than most calls.

use std::sync::Arc;

use model::{RequestInfo, User, Value, meta};

use super::Scan;
use super::target::{Target, is_meant};
use crate::policy::concern::{self, Role};
use crate::policy::exception::{self, Exception};
use crate::policy::judge::{self, Call};
use crate::policy::report::{Found, Judged};
use crate::policy::set::Entry;
use crate::{Notes, Operation, Review};

/// Calls that are made at once.
const CALLS_MAX: usize = 256;
/// Objects that wait for them; of many everything is known already.
const OBJECTS_MAX: usize = 256;

/// Objects of one resource that wait for answers.
pub(super) struct Batch<'a> {
    scan: &'a Scan<'a>,
    target: &'a Target,
    objects: Vec<Waiting>,
    calls: Vec<Call>,
}

/// An object of which something is known already.
struct Waiting {
    judged: Judged,
    /// Who is asked about it, in the order of the calls, and what excepts it from some of their rules.
    asked: Vec<(Arc<Entry>, Vec<Arc<Exception>>)>,
    /// What had been doubted before anybody was.
    begun: u64,
}

impl<'a> Batch<'a> {
    pub(super) fn of(scan: &'a Scan<'a>, target: &'a Target) -> Self {
        Self { scan, target, objects: Vec::new(), calls: Vec::new() }
    }

    /// Takes one more object; what the same bindings found about it as it is stays.
    pub(super) async fn add(&mut self, object: Value) {
        let (info, user, resource) = (RequestInfo::default(), User::default(), &self.target.resource);
        let review = Review {
            request: &info,
            user: &user,
            operation: Operation::Create,
            resource,
            kind: &self.target.kind,
            subresource: "",
            namespace: if &*resource.resource == "namespaces" { meta::name(&object) } else { meta::namespace(&object) },
            name: meta::name(&object),
            old: None,
            options: &Value::Null,
            dry_run: false,
            uid: meta::uid(&object),
            now: self.scan.clock.now(),
            deadline: None,
        };
        let waiting = self.ask(&review, &object).await;
        self.objects.push(waiting);
        if self.calls.len() >= CALLS_MAX || self.objects.len() >= OBJECTS_MAX {
            self.settle().await;
        }
    }

    async fn ask(&mut self, review: &Review<'_>, object: &Value) -> Waiting {
        let Scan { policies, cluster, set, .. } = self.scan;
        let begun = policies.reports.doubts();
        let mut judged = Judged::of(review, object);
        let mut asked = Vec::new();
        let earlier = policies.reports.found(review.resource, object);
        let request = Arc::new(wasm::Request { user: None, origin: wasm::Origin::Scan, ..judge::request(review) });
        for entry in set.validators.iter().filter(|entry| is_meant(entry, review.resource)) {
            let before = earlier.binary_search_by(|found| found.entry.binding.name.cmp(&entry.binding.name));
            if let Some(found) = before.ok().map(|at| &earlier[at]).filter(|found| is_of(entry, &found.entry)) {
                judged.add(found.clone());
                continue;
            }
            if let Some(exception) = concern::excepted(set, entry, review, Some(object)) {
                judged.add(Found::skipped(entry, &format!("excepted by {}", exception.name)));
                continue;
            }
            for concern in concern::of(policies, set, entry, review, Some(object), &mut Notes::default()).await {
                if concern.role == Role::Candidate {
                    continue;
                }
                if needs_user(&concern.entry) {
                    judged.add(Found::skipped(&concern.entry, "needs a user"));
                    continue;
                }
                self.calls.push(Call::of(&concern, &request, review, Some(object), Some(cluster)));
                let covering = exception::covering(&set.exceptions, &entry.binding.name, review, Some(object));
                asked.push((concern.entry.clone(), covering));
            }
        }
        Waiting { judged, asked, begun }
    }

    /// Judges those that wait.
    pub(super) async fn settle(&mut self) {
        let Scan { policies, catalog, .. } = self.scan;
        let calls = std::mem::take(&mut self.calls);
        let mut answers = match calls.is_empty() {
            true => Vec::new(),
            false => judge::aside(policies, calls).await,
        }
        .into_iter();
        let settled = self.objects.drain(..).map(|Waiting { mut judged, asked, begun }| {
            for ((entry, covering), mut answer) in asked.iter().zip(&mut answers) {
                let excused =
                    answer.outcome.as_mut().ok().and_then(|verdict| exception::excused(covering, &mut verdict.violations));
                judged.add(match excused {
                    Some(exception) => Found::skipped(entry, &format!("excepted by {exception}")),
                    None => Found::answered(entry, answer),
                });
            }
            (judged, begun)
        });
        policies.reports.put(&catalog.types, settled).await;
    }
}

/// Whether what one said still is what this binding says: it itself, or its candidate where that is in force.
fn is_of(binding: &Arc<Entry>, judge: &Arc<Entry>) -> bool {
    Arc::ptr_eq(binding, judge) || binding.candidate.as_ref().is_some_and(|candidate| Arc::ptr_eq(&candidate.entry, judge))
}

fn needs_user(entry: &Entry) -> bool {
    entry.binding.conditions.needs_user() || entry.policy.as_ref().is_ok_and(|policy| policy.module.metadata.needs_user)
}
