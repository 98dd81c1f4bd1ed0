//! ResourceQuota: nothing gets in that the quotas of its namespace have no room for; what gets in is charged to their status
//! first. What the configuration limits has to be covered by one. Follows `k8s.io/apiserver/pkg/admission/plugin/resourcequota`.
//! What is deleted, or charged and then not stored after all, is given back by `resourcequota-controller`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use catalog::quota::{self, Evaluator};
use model::{GroupVersionResource, Status, Value, World, meta};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::builtin::{group_resource, is, shown_name};
use crate::{Notes, Operation, Plugin, Review};
use charge::{Ask, Quota};

pub(super) use limited::{Limited, limits};

mod charge;
mod limited;

/// How often a quota is read and charged anew when somebody else wrote it meanwhile.
const RETRIES: u32 = 3;
/// Wait before the first of those, for what somebody else wrote through another server to arrive; it doubles.
const RETRY_WAIT: Duration = Duration::from_millis(5);

pub(super) struct ResourceQuota {
    counter: Arc<Counter>,
    /// One for each namespace in which somebody waits.
    desks: Arc<Mutex<HashMap<String, Arc<Desk>>>>,
}

/// Where writes of a namespace wait. Whoever comes to the front serves all who wait then, so that many creates at once take
/// few writes of the quota's status, one after the other.
#[derive(Default)]
struct Desk {
    line: Mutex<Vec<Waiting>>,
    front: Arc<tokio::sync::Mutex<()>>,
}

/// A place at a desk, which goes with the last who leaves it.
struct Seat {
    desks: Arc<Mutex<HashMap<String, Arc<Desk>>>>,
    namespace: String,
    desk: Arc<Desk>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut desks = self.desks.lock();
        // The map's and this one: desks are only taken from the map while it is locked.
        if Arc::strong_count(&self.desk) == 2 {
            desks.remove(&self.namespace);
        }
    }
}

type Waiting = (Ask, oneshot::Sender<Result<(), Status>>);

/// Reads and charges quotas.
struct Counter {
    world: Arc<dyn World>,
    quotas: GroupVersionResource,
    limits: Vec<Limited>,
}

impl ResourceQuota {
    pub(super) fn new(world: Arc<dyn World>, limits: Vec<Limited>) -> Self {
        let counter = Counter { world, quotas: GroupVersionResource::new("", "v1", "resourcequotas"), limits };
        Self { counter: Arc::new(counter), desks: Arc::default() }
    }

    async fn ask(&self, namespace: &str, ask: Ask) -> Result<(), Status> {
        let desk = self.desks.lock().entry(namespace.to_owned()).or_default().clone();
        let seat = Seat { desks: self.desks.clone(), namespace: namespace.to_owned(), desk };
        let (answer, mut answered) = oneshot::channel();
        seat.desk.line.lock().push((ask, answer));
        let front = seat.desk.front.clone().lock_owned().await;
        if let Ok(result) = answered.try_recv() {
            return result;
        }
        let waiting = std::mem::take(&mut *seat.desk.line.lock());
        let (counter, namespace) = (self.counter.clone(), namespace.to_owned());
        // Not within this request: if its client goes, the others still wait for their answers.
        tokio::spawn(async move {
            counter.serve(&namespace, waiting).await;
            drop(front);
        });
        answered.await.unwrap_or_else(|_| Err(Status::internal("resource quota evaluation failed")))
    }
}

impl Counter {
    async fn of(&self, namespace: &str) -> Result<Vec<Quota>, Status> {
        let (quotas, _) = self.world.list(&self.quotas, namespace, "").await?;
        Ok(quotas.into_iter().map(Quota::new).collect())
    }

    async fn serve(&self, namespace: &str, waiting: Vec<Waiting>) {
        let (asks, answers): (Vec<Ask>, Vec<_>) = waiting.into_iter().unzip();
        for (answer, result) in answers.into_iter().zip(self.decide(namespace, &asks).await) {
            // Whoever left needs no answer.
            let _ = answer.send(result);
        }
    }

    /// Charges the quotas of a namespace for everything that they have room for. Of a quota that somebody else wrote
    /// meanwhile what it asks is asked again, and what the others said stands.
    async fn decide(&self, namespace: &str, asks: &[Ask]) -> Vec<Result<(), Status>> {
        let mut results: Vec<Option<Result<(), Status>>> = vec![None; asks.len()];
        let mut again: Option<Vec<String>> = None;
        let mut wait = RETRY_WAIT;
        for retries_left in (0..=RETRIES).rev() {
            let quotas = match self.of(namespace).await {
                Ok(quotas) => quotas,
                Err(error) => return settle(results, Err(error)),
            };
            let is_meant = |quota: &Quota| again.as_ref().is_none_or(|names| names.iter().any(|name| name == quota.name()));
            let mut running: Vec<Quota> = quotas.into_iter().filter(is_meant).collect();
            for (ask, result) in asks.iter().zip(&mut results).filter(|(_, result)| result.is_none()) {
                *result = charge::take(&mut running, ask, &self.limits);
            }
            let (failed, last) = self.write(running).await;
            if failed.is_empty() {
                return settle(results, Ok(()));
            }
            if retries_left == 0 {
                return settle(results, last);
            }
            again = Some(failed);
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
        settle(results, Ok(()))
    }

    /// Stores what was charged; tells which quotas could not be written, and why the last of them.
    async fn write(&self, quotas: Vec<Quota>) -> (Vec<String>, Result<(), Status>) {
        let (mut failed, mut last) = (Vec::new(), Ok(()));
        for quota in quotas.into_iter().filter(|quota| quota.charged) {
            let name = quota.name().to_owned();
            if let Err(error) = self.world.update(&self.quotas, "status", quota.into_object()).await {
                failed.push(name);
                last = Err(error);
            }
        }
        (failed, last)
    }
}

/// Answers all that have no answer yet alike.
fn settle(results: Vec<Option<Result<(), Status>>>, rest: Result<(), Status>) -> Vec<Result<(), Status>> {
    results.into_iter().map(|result| result.unwrap_or_else(|| rest.clone())).collect()
}

/// Whether a write can change what counts.
fn matters(evaluator: &Evaluator, review: &Review<'_>, object: &Value) -> bool {
    let (create, update) = (review.operation == Operation::Create, review.operation == Operation::Update);
    match (evaluator, review.subresource) {
        (Evaluator::Pods, "") => {
            create || review.old.is_some_and(|old| quota::is_terminating(old) != quota::is_terminating(object))
        }
        (Evaluator::Pods, "resize") | (Evaluator::PersistentVolumeClaims, "status") => update,
        (Evaluator::Objects(_), "") => create,
        (Evaluator::Services | Evaluator::PersistentVolumeClaims | Evaluator::ResourceClaims, "") => true,
        _ => false,
    }
}

#[async_trait::async_trait]
impl Plugin for ResourceQuota {
    fn name(&self) -> &'static str {
        "ResourceQuota"
    }

    fn handles(&self, operation: Operation, resource: &GroupVersionResource, subresource: &str) -> bool {
        let counts_more_than_itself = is(resource, "", "pods")
            || is(resource, "", "services")
            || is(resource, "", "persistentvolumeclaims")
            || is(resource, "resource.k8s.io", "resourceclaims");
        match operation {
            Operation::Create => subresource.is_empty(),
            Operation::Update => counts_more_than_itself && matches!(subresource, "" | "resize" | "status"),
            Operation::Delete | Operation::Connect => false,
        }
    }

    async fn validate(&self, review: &Review<'_>, object: Option<&Value>, _notes: &mut Notes) -> Result<(), Status> {
        let Some(object) = object.filter(|_| !review.namespace.is_empty() && !is(review.resource, "", "namespaces")) else {
            return Ok(());
        };
        let evaluator = Evaluator::of(&group_resource(review)).filter(|evaluator| matters(evaluator, review, object));
        let Some(evaluator) = evaluator else { return Ok(()) };
        // Most namespaces have no quota.
        if self.counter.limits.is_empty() && self.counter.of(review.namespace).await?.is_empty() {
            return Ok(());
        }
        let ask = Ask {
            evaluator,
            object: object.clone(),
            old: review.old.filter(|old| !meta::resource_version(old).is_empty()).cloned(),
            now: review.now,
            is_status: review.subresource == "status",
            dry_run: review.dry_run,
            resource: group_resource(review),
            name: shown_name(review, Some(object)).to_owned(),
        };
        self.ask(review.namespace, ask).await
    }
}

#[cfg(test)]
mod tests;
