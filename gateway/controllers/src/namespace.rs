//! A namespace that was deleted is emptied, pods first, and let go once nothing is left in it.
//! Follows `pkg/controller/namespace`. That nothing new is made in it is admission's part.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;
use model::json::json;
use model::world::{DeleteOptions, Propagation, ResourceFacts};
use model::{GroupVersionResource, Value, World, meta};

use crate::feed::{Change, What};
use crate::runtime::{Context, Controller, Error, Next, Watch, step};

mod conditions;

/// The controller.
pub const CONTROLLER: Controller =
    Controller { name: "namespace-controller", watches: &[Watch::new("", "v1", "namespaces", deleted)], workers: 4, reconcile };

const FINALIZER: &str = "kubernetes";
/// The group of what a namespace's own policies are.
const POLICIES: &str = "policy.gatehouse.dev";
/// Requests that were admitted before the namespace was deleted may still be writing.
const GRACE_MS: i64 = 1000;
/// Upstream's wait: other API servers hear of the deletion late.
const GRACE_SHARED_MS: i64 = 5000;
/// What a finalizer is expected to take, where nothing better is known.
const FINALIZER_ESTIMATE_S: i64 = 15;
/// While the deletion is young, what holds things up usually ends within a moment.
const YOUNG_S: i64 = 30;

fn deleted(change: &Change<'_>) -> Vec<String> {
    let ending = change.what != What::Deleted && meta::deletion_timestamp(change.object).is_some();
    if ending { vec![meta::name(change.object).to_owned()] } else { Vec::new() }
}

/// What is left in a namespace after everything in it was deleted once.
#[derive(Debug, Default, PartialEq)]
struct Left {
    /// Objects by resource.
    objects: BTreeMap<String, usize>,
    /// Objects by finalizer.
    finalizers: BTreeMap<String, usize>,
    /// What could not be deleted, in words.
    errors: Vec<String>,
    /// Versions of groups of which nobody could tell what is in them.
    unknown: Vec<String>,
    /// Seconds until it should be gone; 0 is unknown.
    estimate_s: i64,
}

/// What to do next with a namespace.
#[derive(Debug, PartialEq)]
enum Action {
    /// Nothing: it is not being deleted, or others hold it.
    Leave,
    /// Too early to look.
    Grace(Duration),
    /// Empty it.
    Empty,
}

fn decide(namespace: &Value, now: Timestamp, grace_ms: i64) -> Action {
    let Some(deleted) = meta::deletion_timestamp(namespace).and_then(|at| at.parse::<Timestamp>().ok()) else {
        return Action::Leave;
    };
    let finalizers = namespace.pointer("/spec/finalizers").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if !finalizers.iter().any(|finalizer| finalizer == FINALIZER) {
        return Action::Leave;
    }
    match grace_ms - (now.as_millisecond() - deleted.as_millisecond()) {
        wait_ms if wait_ms > 0 => Action::Grace(Duration::from_millis(wait_ms.unsigned_abs())),
        _ => Action::Empty,
    }
}

/// How long to wait before looking again at what is left.
fn wait(left: &Left, age_s: i64) -> Duration {
    let upstream_s = left.estimate_s / 2 + 1;
    Duration::from_secs(if age_s < YOUNG_S { 1 } else { upstream_s.unsigned_abs() })
}

fn reconcile<'a>(context: &'a Context, name: &'a str) -> BoxFuture<'a, Result<Next, Error>> {
    Box::pin(async move {
        let (world, resource) = (&*context.world, GroupVersionResource::new("", "v1", "namespaces"));
        let mut namespace = match world.get(&resource, "", name).await {
            Ok(namespace) => namespace,
            Err(status) if status.code == 404 => return Ok(Next::Wait),
            Err(status) => return Err(step("read namespace")(status)),
        };
        let now = context.clock.now();
        let grace_ms = if context.shares_storage { GRACE_SHARED_MS } else { GRACE_MS };
        match decide(&namespace, now, grace_ms) {
            Action::Leave => return Ok(Next::Wait),
            Action::Grace(wait) => return Ok(Next::After(wait)),
            Action::Empty => {}
        }
        if namespace.pointer("/status/phase").and_then(Value::as_str) != Some("Terminating") {
            namespace["status"]["phase"] = json!("Terminating");
            namespace = world.update(&resource, "status", namespace).await.map_err(step("mark namespace"))?;
        }
        let age_s = meta::deletion_timestamp(&namespace)
            .and_then(|at| at.parse::<Timestamp>().ok())
            .map_or(0, |at| now.as_second() - at.as_second());
        let left = empty(world, name, age_s).await;
        if let Some(conditions) = conditions::decide(&namespace, &left, now) {
            namespace["status"]["conditions"] = conditions;
            namespace = world.update(&resource, "status", namespace).await.map_err(step("update conditions"))?;
        }
        if left.estimate_s > 0 {
            return Ok(Next::After(wait(&left, age_s)));
        }
        let holds_up: Vec<String> = conditions::undiscovered(&left).into_iter().chain(left.errors).collect();
        if !holds_up.is_empty() {
            return Err(Error::Other(holds_up.join(", ")));
        }
        finalize(world, &resource, namespace).await
    })
}

async fn finalize(world: &dyn World, resource: &GroupVersionResource, mut namespace: Value) -> Result<Next, Error> {
    if let Some(finalizers) = namespace.pointer_mut("/spec/finalizers").and_then(Value::as_array_mut) {
        finalizers.retain(|finalizer| finalizer != FINALIZER);
    }
    match world.update(resource, "finalize", namespace).await {
        Err(status) if status.code != 404 => Err(step("finalize namespace")(status)),
        _ => Ok(Next::Wait),
    }
}

/// Deletes what is in a namespace: its policies first, which may refuse the rest to go, and nothing but pods as long as there
/// are pods.
async fn empty(world: &dyn World, namespace: &str, age_s: i64) -> Left {
    let (mut all, extensions) = (world.resources(), world.extensions());
    all.extend(extensions.resources);
    let deletable =
        |facts: &&ResourceFacts| facts.namespaced && ["delete", "list"].iter().all(|verb| facts.verbs.iter().any(|v| v == verb));
    let is_pods = |facts: &&ResourceFacts| &*facts.resource.resource == "pods" && facts.resource.group.is_empty();
    let is_policies =
        |facts: &&ResourceFacts| &*facts.resource.resource == "policybindings" && &*facts.resource.group == POLICIES;
    let mut left = Left { unknown: extensions.unknown, ..Left::default() };
    for policies in all.iter().filter(deletable).filter(is_policies) {
        clear(world, policies, namespace, age_s, &mut left).await;
    }
    let others = left.objects.len();
    for pods in all.iter().filter(deletable).filter(is_pods) {
        clear(world, pods, namespace, age_s, &mut left).await;
    }
    if left.objects.len() == others {
        for facts in all.iter().filter(deletable).filter(|facts| !is_pods(facts) && !is_policies(facts)) {
            clear(world, facts, namespace, age_s, &mut left).await;
        }
    }
    left
}

async fn clear(world: &dyn World, facts: &ResourceFacts, namespace: &str, age_s: i64, left: &mut Left) {
    let resource = &facts.resource;
    let before = match world.list(resource, namespace, "").await {
        Ok((objects, _)) => objects,
        // Not there, or not listable after all: nothing of it can be in the way.
        Err(status) if [404, 405].contains(&status.code) => return,
        Err(status) => return left.errors.push(status.message),
    };
    if before.is_empty() {
        return;
    }
    let mut failed = false;
    for object in &before {
        let options = DeleteOptions { propagation: Propagation::Background, ..DeleteOptions::default() };
        match world.delete(resource, namespace, meta::name(object), options).await {
            Err(status) if ![404, 405].contains(&status.code) => {
                failed = true;
                left.errors.push(status.message);
            }
            _ => {}
        }
    }
    match world.list(resource, namespace, "").await {
        Ok((after, _)) => remain(facts, namespace, &before, &after, age_s, failed, left),
        Err(status) => left.errors.push(status.message),
    }
}

fn remain(facts: &ResourceFacts, namespace: &str, before: &[Value], after: &[Value], age_s: i64, failed: bool, left: &mut Left) {
    if after.is_empty() {
        return;
    }
    let resource = &facts.resource;
    // Upstream writes the dot of the group even where there is no group.
    left.objects.insert(format!("{}.{}", resource.resource, resource.group), after.len());
    let mut finalized = false;
    for finalizer in after.iter().flat_map(|object| meta::finalizers(object)) {
        *left.finalizers.entry(finalizer.to_owned()).or_default() += 1;
        finalized = true;
    }
    let grace_s = if facts.kind == "Pod" { before.iter().map(grace_s).max().unwrap_or(0) } else { 0 };
    if grace_s > age_s {
        left.estimate_s = left.estimate_s.max(grace_s);
    } else if finalized {
        left.estimate_s = left.estimate_s.max(FINALIZER_ESTIMATE_S);
    } else if !failed {
        let name = format!("{}/{}, Resource={}", resource.group, resource.version, resource.resource);
        left.errors.push(format!("unexpected items still remain in namespace: {namespace} for gvr: {name}"));
    }
}

/// How long a pod may take to end; none at all once it has.
fn grace_s(pod: &Value) -> i64 {
    match pod.pointer("/status/phase").and_then(Value::as_str) {
        Some("Succeeded" | "Failed") => 0,
        _ => pod.pointer("/spec/terminationGracePeriodSeconds").and_then(Value::as_i64).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests;
