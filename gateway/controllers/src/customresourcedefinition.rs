//! What apiextensions-apiserver itself does about CustomResourceDefinitions: names, establishment, the end of instances,
//! conditions about schema and approval. They run with the server, whatever `--controllers` says.
//! Follows `apiextensions-apiserver/pkg/controller`. Serving what a definition describes is `server`'s.

pub mod api_approval;
pub mod establishing;
pub mod finalizer;
pub mod naming;
pub mod nonstructural;

use jiff::Timestamp;
use model::clock::rfc3339;
use model::json::json;
use model::{GroupVersionResource, Value, World};

use crate::feed::{Change, What};
use crate::runtime::{Controller, Error, Next, Runtime, step};

const GROUP: &str = "apiextensions.k8s.io";
const PLURAL: &str = "customresourcedefinitions";

static ALL: &[&Controller] =
    &[&establishing::CONTROLLER, &finalizer::CONTROLLER, &nonstructural::CONTROLLER, &api_approval::CONTROLLER];

/// Adds all of them.
pub(crate) fn add(runtime: &mut Runtime) {
    naming::add(runtime);
    ALL.iter().for_each(|controller| runtime.add(controller));
}

fn resource() -> GroupVersionResource {
    GroupVersionResource::new(GROUP, "v1", PLURAL)
}

/// The name of a definition that is there.
fn present(change: &Change<'_>) -> Vec<String> {
    if change.what == What::Deleted { Vec::new() } else { vec![model::meta::name(change.object).to_owned()] }
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or("")
}

fn condition<'a>(definition: &'a Value, kind: &str) -> Option<&'a Value> {
    let conditions = definition.pointer("/status/conditions").and_then(Value::as_array)?;
    conditions.iter().find(|condition| text(condition, "type") == kind)
}

fn is_true(definition: &Value, kind: &str) -> bool {
    condition(definition, kind).is_some_and(|condition| text(condition, "status") == "True")
}

/// A condition as it should be, its time aside.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Condition {
    kind: &'static str,
    status: &'static str,
    reason: &'static str,
    message: String,
}

impl Condition {
    fn new(kind: &'static str, status: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self { kind, status, reason, message: message.into() }
    }

    /// Whether the definition says the same already.
    fn is_in(&self, definition: &Value) -> bool {
        condition(definition, self.kind).is_some_and(|known| {
            (text(known, "status"), text(known, "reason"), text(known, "message")) == (self.status, self.reason, &self.message)
        })
    }

    /// Puts it into the definition; its time moves with its status only. Upstream: `SetCRDCondition`.
    fn set(&self, definition: &mut Value, now: Timestamp) {
        let known = condition(definition, self.kind).filter(|known| text(known, "status") == self.status);
        let since = known.map(|known| text(known, "lastTransitionTime")).filter(|since| !since.is_empty());
        let since = since.map_or_else(|| rfc3339(now), str::to_owned);
        let new = json!({"type": self.kind, "status": self.status, "lastTransitionTime": since, "reason": self.reason, "message": self.message});
        if !definition.get("status").is_some_and(Value::is_object) {
            definition["status"] = json!({});
        }
        let conditions = &mut definition["status"]["conditions"];
        match conditions.as_array_mut() {
            None => *conditions = json!([new]),
            Some(all) => match all.iter_mut().find(|condition| text(condition, "type") == self.kind) {
                Some(place) => *place = new,
                None => all.push(new),
            },
        }
    }
}

/// The definition of that name, if there is one.
async fn read(world: &dyn World, name: &str) -> Result<Option<Value>, Error> {
    match world.get(&resource(), "", name).await {
        Ok(definition) => Ok(Some(definition)),
        Err(status) if status.code == 404 => Ok(None),
        Err(status) => Err(step("read definition")(status)),
    }
}

/// Writes the status. What was changed or deleted meanwhile comes again by itself: then there is nothing.
async fn write_status(world: &dyn World, definition: Value) -> Result<Option<Value>, Error> {
    match world.update(&resource(), "status", definition).await {
        Ok(written) => Ok(Some(written)),
        Err(status) if matches!(status.code, 404 | 409) => Ok(None),
        Err(status) => Err(step("update status of definition")(status)),
    }
}

/// What a controller that only sets a condition does.
async fn settle(world: &dyn World, mut definition: Value, wanted: &Condition, now: Timestamp) -> Result<Next, Error> {
    if !wanted.is_in(&definition) {
        wanted.set(&mut definition, now);
        write_status(world, definition).await?;
    }
    Ok(Next::Wait)
}

#[cfg(test)]
mod tests;
