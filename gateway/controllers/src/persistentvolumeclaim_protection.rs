//! A PersistentVolumeClaim that is to go stays while a pod on a node uses it, and a bound claim tells since when no pod does.
//! Follows `pkg/controller/volume/pvcprotection`, with the namespace as key: one list of its pods answers for all its claims.

use futures::future::BoxFuture;
use jiff::Timestamp;
use model::json::json;
use model::{GroupVersionResource, Value, meta};

use crate::feed::{Change, What};
use crate::protection::{self, Wanted};
use crate::runtime::{Context, Controller, Error, Next, Watch, step};

/// The controller.
pub const CONTROLLER: Controller = Controller {
    name: "persistentvolumeclaim-protection-controller",
    watches: &[
        Watch::new("", "v1", "persistentvolumeclaims", claims),
        Watch::new("", "v1", "pods", pods).reading(&["metadata.name", "metadata.namespace", "metadata.uid", "spec.volumes"]),
    ],
    workers: 2,
    reconcile,
};

const FINALIZER: &str = "kubernetes.io/pvc-protection";
const UNUSED: &str = "Unused";

fn claims(change: &Change<'_>) -> Vec<String> {
    let waits = concern(change.object) != Concern::None && change.what != What::Deleted;
    if waits { vec![meta::namespace(change.object).to_owned()] } else { Vec::new() }
}

/// A pod counts when it has a claim; of one whose end the watch missed, nobody knows.
fn pods(change: &Change<'_>) -> Vec<String> {
    let unknown = change.what == What::Deleted && change.object.get("spec").is_none();
    let has_claim = volumes(change.object).any(|volume| claim_name(change.object, volume).is_some());
    if unknown || has_claim { vec![meta::namespace(change.object).to_owned()] } else { Vec::new() }
}

/// What is to be settled about a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Concern {
    None,
    /// It lacks the finalizer; nobody's use matters.
    Finalizer,
    /// It is bound, and its condition must tell whether a pod uses it.
    Use,
    /// It is to go, once no pod uses it.
    Deletion,
}

fn concern(claim: &Value) -> Concern {
    match protection::wanted(claim, FINALIZER) {
        Wanted::RemoveUnlessUsed => Concern::Deletion,
        // The binder writes the status of a claim until it is bound.
        _ if is_bound(claim) && meta::deletion_timestamp(claim).is_none() => Concern::Use,
        Wanted::Add => Concern::Finalizer,
        Wanted::Nothing => Concern::None,
    }
}

fn is_bound(claim: &Value) -> bool {
    claim.pointer("/status/phase").and_then(Value::as_str) == Some("Bound")
}

fn volumes(pod: &Value) -> impl Iterator<Item = &Value> {
    pod.pointer("/spec/volumes").and_then(Value::as_array).into_iter().flatten()
}

/// The claim of a volume: one that the pod names, or one made for it alone, which then must have this pod as its controller.
fn claim_name(pod: &Value, volume: &Value) -> Option<(String, Kind)> {
    if let Some(name) = volume.pointer("/persistentVolumeClaim/claimName").and_then(Value::as_str) {
        return Some((name.to_owned(), Kind::Named));
    }
    volume.get("ephemeral").filter(|ephemeral| !ephemeral.is_null())?;
    let name = volume.get("name").and_then(Value::as_str).unwrap_or_default();
    Some((format!("{}-{name}", meta::name(pod)), Kind::Ephemeral))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Named,
    Ephemeral,
}

fn uses(pod: &Value, claim: &Value, counts: impl Fn(Kind) -> bool) -> bool {
    volumes(pod)
        .filter_map(|volume| claim_name(pod, volume))
        .any(|(name, kind)| name == meta::name(claim) && counts(kind) && (kind == Kind::Named || is_controlled_by(claim, pod)))
}

fn is_controlled_by(claim: &Value, pod: &Value) -> bool {
    let controller = |owner: &&Value| owner.get("controller").and_then(Value::as_bool) == Some(true);
    let owner = meta::owner_references(claim).iter().find(controller);
    owner.and_then(|owner| owner.get("uid")?.as_str()) == Some(meta::uid(pod))
}

/// Whether a pod holds up a claim's end: one without a node has no kubelet yet, which will refuse it a claim that goes.
fn holds(pod: &Value, claim: &Value) -> bool {
    let scheduled = pod.pointer("/spec/nodeName").and_then(Value::as_str).is_some_and(|node| !node.is_empty());
    let grace = || meta::metadata(pod)?.get("deletionGracePeriodSeconds")?.as_i64();
    // The kubelet is done with it, or it was forced: only finalizers keep it, and those may wait for the claim.
    let shut_down = meta::deletion_timestamp(pod).is_some() && grace() == Some(0);
    scheduled && uses(pod, claim, |kind| kind == Kind::Named || !shut_down)
}

fn is_ended(pod: &Value) -> bool {
    matches!(pod.pointer("/status/phase").and_then(Value::as_str), Some("Succeeded" | "Failed"))
}

/// A claim that must change, and where it is written.
#[derive(Debug, PartialEq)]
enum Action {
    Update(Value),
    UpdateStatus(Value),
}

/// What must become of a claim, seen with the pods of its namespace.
fn decide(claim: &Value, pods: &[Value], now: Timestamp) -> Option<Action> {
    if concern(claim) == Concern::Use {
        let in_use = pods.iter().any(|pod| !is_ended(pod) && uses(pod, claim, |_| true));
        if let Some(told) = tell_use(claim, in_use, now) {
            return Some(Action::UpdateStatus(told));
        }
    }
    protection::decide(claim, FINALIZER, || pods.iter().any(|pod| holds(pod, claim))).map(Action::Update)
}

/// The claim with its condition, unless that says so already.
fn tell_use(claim: &Value, in_use: bool, now: Timestamp) -> Option<Value> {
    let (status, reason, message) = match in_use {
        true => ("False", "PodUsingPVC", "A pod is currently referencing this PVC"),
        false => ("True", "NoPodsUsingPVC", "No pods are currently referencing this PVC"),
    };
    let mut conditions = claim.pointer("/status/conditions").and_then(Value::as_array).cloned().unwrap_or_default();
    let at = conditions.iter().position(|condition| condition.get("type").and_then(Value::as_str) == Some(UNUSED));
    let is_unused = at.and_then(|at| conditions[at].get("status")).map(|status| status.as_str() == Some("True"));
    if is_unused == Some(!in_use) {
        return None;
    }
    let time = model::clock::rfc3339(now);
    let condition = json!({"type": UNUSED, "status": status, "lastTransitionTime": time, "reason": reason, "message": message});
    match at {
        Some(at) => conditions[at] = condition,
        None => conditions.push(condition),
    }
    let mut claim = claim.clone();
    claim["status"]["conditions"] = conditions.into();
    Some(claim)
}

fn reconcile<'a>(context: &'a Context, namespace: &'a str) -> BoxFuture<'a, Result<Next, Error>> {
    Box::pin(async move {
        let (world, resource) = (&*context.world, GroupVersionResource::new("", "v1", "persistentvolumeclaims"));
        let (mut claims, _) = world.list(&resource, namespace, "").await.map_err(step("list claims"))?;
        claims.retain(|claim| concern(claim) != Concern::None);
        let mut pods = Vec::new();
        if claims.iter().any(|claim| concern(claim) != Concern::Finalizer) {
            let listed = world.list(&GroupVersionResource::new("", "v1", "pods"), namespace, "").await;
            pods = listed.map_err(step("list pods"))?.0;
        }
        for claim in &claims {
            match decide(claim, &pods, context.clock.now()) {
                Some(Action::Update(claim)) => world.update(&resource, "", claim).await.map_err(step("update claim"))?,
                Some(Action::UpdateStatus(claim)) => {
                    world.update(&resource, "status", claim).await.map_err(step("tell use of claim"))?
                }
                None => continue,
            };
        }
        Ok(Next::Wait)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{NOW, context};
    use crate::world::Fake;

    fn going(name: &str) -> Value {
        json!({"metadata": {"namespace": "a", "name": name, "uid": name, "finalizers": [FINALIZER], "deletionTimestamp": "2030-01-01T00:00:00Z"}})
    }

    fn pod(node: &str, volume: Value) -> Value {
        json!({"metadata": {"namespace": "a", "name": "p", "uid": "pod"}, "spec": {"nodeName": node, "volumes": [volume]}})
    }

    fn named(name: &str) -> Value {
        json!({"name": "v", "persistentVolumeClaim": {"claimName": name}})
    }

    fn stays(claim: &Value, pod: Value) -> bool {
        decide(claim, &[pod], NOW.parse().unwrap()).is_none()
    }

    #[test]
    fn a_pod_on_a_node_keeps_its_claim() {
        assert!(stays(&going("c"), pod("n", named("c"))));
        assert!(!stays(&going("c"), pod("", named("c"))), "no kubelet has seen it");
        assert!(!stays(&going("c"), pod("n", named("other"))));
        assert!(decide(&json!({"metadata": {"name": "c", "finalizers": [FINALIZER]}}), &[], NOW.parse().unwrap()).is_none());
    }

    #[test]
    fn a_claim_made_for_a_pod_is_kept_by_that_pod_alone() {
        let ephemeral = json!({"name": "v", "ephemeral": {}});
        let mut claim = going("p-v");
        assert!(!stays(&claim, pod("n", ephemeral.clone())), "somebody else's of the same name");
        meta::set(&mut claim, "ownerReferences", json!([{"uid": "pod", "controller": true}]));
        assert!(stays(&claim, pod("n", ephemeral.clone())));
        let mut over = pod("n", ephemeral);
        meta::set(&mut over, "deletionTimestamp", "2030-01-01T00:00:00Z");
        meta::set(&mut over, "deletionGracePeriodSeconds", 0);
        assert!(!stays(&claim, over.clone()), "it may wait for this very claim");
        over["spec"]["volumes"] = json!([named("c")]);
        assert!(stays(&going("c"), over));
    }

    #[tokio::test]
    async fn a_bound_claim_tells_whether_it_is_used() {
        let (context, world) = context(Fake::new(&[]));
        let bound = json!({"metadata": {"namespace": "a", "name": "c", "finalizers": [FINALIZER]}, "status": {"phase": "Bound"}});
        world.seed("v1/persistentvolumeclaims", bound);
        let told = || world.peek("v1/persistentvolumeclaims", "a", "c").unwrap()["status"]["conditions"].clone();
        reconcile(&context, "a").await.unwrap();
        let unused = json!([{"type": "Unused", "status": "True", "lastTransitionTime": NOW, "reason": "NoPodsUsingPVC", "message": "No pods are currently referencing this PVC"}]);
        assert_eq!(told(), unused);
        world.take_log();
        reconcile(&context, "a").await.unwrap();
        assert!(world.take_log().is_empty());
        world.seed("v1/pods", pod("", named("c")));
        reconcile(&context, "a").await.unwrap();
        assert_eq!((told()[0]["status"].clone(), told()[0]["reason"].clone()), (json!("False"), json!("PodUsingPVC")));
        assert_eq!(world.take_log(), ["update/status persistentvolumeclaims a/c"]);
    }
}
