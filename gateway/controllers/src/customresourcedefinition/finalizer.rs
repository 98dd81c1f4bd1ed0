//! Deletes the instances of a definition that is going, then lets it go. Follows `pkg/controller/finalizer`.

use futures::future::BoxFuture;
use jiff::Timestamp;
use model::world::{DeleteOptions, Propagation};
use model::{GroupVersionResource, Status, Value, World, meta};
use std::time::Duration;

use super::{Condition, GROUP, PLURAL, is_true, read, text, write_status};
use crate::feed::{Change, What};
use crate::runtime::{Context, Controller, Error, Next, Watch};

/// The controller.
pub const CONTROLLER: Controller =
    Controller { name: "crd_finalizer", watches: &[Watch::new(GROUP, "v1", PLURAL, going)], workers: 5, reconcile };

/// What holds a definition until its instances are gone.
pub const FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";

/// Upstream looks every 5 s, each time through another server's cache; here the store is at hand.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// After this long upstream tells that instances remain.
const PATIENCE_S: i64 = 60;

fn is_ours(definition: &Value) -> bool {
    meta::deletion_timestamp(definition).is_some() && meta::finalizers(definition).contains(&FINALIZER)
}

fn going(change: &Change<'_>) -> Vec<String> {
    let ours = change.what != What::Deleted && is_ours(change.object);
    if ours { vec![meta::name(change.object).to_owned()] } else { Vec::new() }
}

fn terminating(status: &'static str, reason: &'static str, message: impl Into<String>) -> Condition {
    Condition::new("Terminating", status, reason, message)
}

/// What became of the instances.
enum Instances {
    Gone,
    Remain,
    Failed(String),
}

fn reconcile<'a>(context: &'a Context, name: &'a str) -> BoxFuture<'a, Result<Next, Error>> {
    Box::pin(async move {
        let (world, now) = (&*context.world, context.clock.now());
        let Some(mut definition) = read(world, name).await?.filter(is_ours) else { return Ok(Next::Wait) };
        let begun = terminating("True", "InstanceDeletionInProgress", "CustomResource deletion is in progress");
        if !is_waiting(&definition) && !begun.is_in(&definition) {
            begun.set(&mut definition, now);
            match write_status(world, definition).await? {
                Some(written) => definition = written,
                None => return Ok(Next::Wait),
            }
        }
        if !is_true(&definition, "Established") {
            return finish(world, definition, &terminating("False", "NeverEstablished", "resource was never established"), now)
                .await;
        }
        match delete_instances(world, &definition).await {
            Instances::Gone => {
                finish(world, definition, &terminating("False", "InstanceDeletionCompleted", "removed all instances"), now).await
            }
            Instances::Remain => remain(world, definition, now).await,
            Instances::Failed(why) => {
                let failed = terminating("True", "InstanceDeletionFailed", why.clone());
                if !failed.is_in(&definition) {
                    failed.set(&mut definition, now);
                    write_status(world, definition).await?;
                }
                Err(Error::Other(why))
            }
        }
    })
}

/// Whether it was told already that instances remain.
fn is_waiting(definition: &Value) -> bool {
    super::condition(definition, "Terminating").is_some_and(|known| text(known, "reason") == "InstanceDeletionCheck")
}

async fn remain(world: &dyn World, mut definition: Value, now: Timestamp) -> Result<Next, Error> {
    let deleted = meta::deletion_timestamp(&definition).and_then(|at| at.parse::<Timestamp>().ok()).unwrap_or(now);
    let why = "could not confirm zero CustomResources remaining: context deadline exceeded";
    let told = terminating("True", "InstanceDeletionCheck", why);
    if now.as_second() - deleted.as_second() > PATIENCE_S && !told.is_in(&definition) {
        told.set(&mut definition, now);
        write_status(world, definition).await?;
    }
    Ok(Next::After(LOOK_AGAIN))
}

async fn finish(world: &dyn World, mut definition: Value, last: &Condition, now: Timestamp) -> Result<Next, Error> {
    last.set(&mut definition, now);
    let kept: Vec<Value> =
        meta::finalizers(&definition).into_iter().filter(|finalizer| *finalizer != FINALIZER).map(Value::from).collect();
    if kept.is_empty() {
        meta::remove(&mut definition, "finalizers");
    } else {
        meta::set(&mut definition, "finalizers", kept);
    }
    write_status(world, definition).await?;
    Ok(Next::Wait)
}

/// The resource through which instances are reached: any version will do.
fn instances(definition: &Value) -> Option<GroupVersionResource> {
    let versions = definition.pointer("/spec/versions").and_then(Value::as_array)?;
    let served = versions.iter().filter(|version| version.get("served") == Some(&Value::Bool(true)));
    // The stored one needs no conversion, which may not work any more.
    let version = served.max_by_key(|version| version.get("storage") == Some(&Value::Bool(true)))?;
    let group = definition.pointer("/spec/group").and_then(Value::as_str)?;
    let plural = definition.pointer("/status/acceptedNames/plural").and_then(Value::as_str)?;
    Some(GroupVersionResource::new(group, text(version, "name"), plural))
}

async fn delete_instances(world: &dyn World, definition: &Value) -> Instances {
    let Some(resource) = instances(definition) else { return Instances::Gone };
    let could_not_list = |status: Status| Instances::Failed(format!("could not list instances: {}", status.message));
    let before = match world.list(&resource, "", "").await {
        Ok((before, _)) => before,
        Err(status) => return could_not_list(status),
    };
    let mut refused = Vec::new();
    for object in before.iter().filter(|object| meta::deletion_timestamp(object).is_none()) {
        let options = DeleteOptions { propagation: Propagation::Default, unasked: true, ..DeleteOptions::default() };
        match world.delete(&resource, meta::namespace(object), meta::name(object), options).await {
            Err(status) if status.code != 404 => refused.push(status.message),
            _ => {}
        }
    }
    if !refused.is_empty() {
        return Instances::Failed(format!("could not issue all deletes: {}", aggregate(refused)));
    }
    match world.list(&resource, "", "").await {
        Ok((after, _)) if after.is_empty() => Instances::Gone,
        Ok(_) => Instances::Remain,
        Err(status) => could_not_list(status),
    }
}

/// Several errors in one text, as Go's aggregates print.
fn aggregate(mut errors: Vec<String>) -> String {
    errors.dedup();
    if errors.len() == 1 { errors.remove(0) } else { format!("[{}]", errors.join(", ")) }
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    #[test]
    fn instances_are_reached_by_a_served_version() {
        let mut definition = json!({
            "spec": {"group": "example.com", "versions": [{"name": "v1", "served": true}, {"name": "v2", "served": true, "storage": true}]},
            "status": {"acceptedNames": {"plural": "things"}},
        });
        assert_eq!(instances(&definition), Some(GroupVersionResource::new("example.com", "v2", "things")));
        definition["spec"]["versions"][1]["served"] = json!(false);
        assert_eq!(instances(&definition).map(|r| r.version.to_string()), Some("v1".to_owned()));
    }
}
