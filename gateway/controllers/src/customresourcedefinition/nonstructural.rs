//! Says of a definition that its schema is not structural. The API takes no such definition any more; older data may hold
//! some. Follows `pkg/controller/nonstructuralschema`.

use futures::future::BoxFuture;
use model::Value;

use super::{Condition, GROUP, PLURAL, condition, present, read, settle, text, write_status};
use crate::runtime::{Context, Controller, Error, Next, Watch};

/// The controller.
pub const CONTROLLER: Controller = Controller {
    name: "non_structural_schema_condition_controller",
    watches: &[Watch::new(GROUP, "v1", PLURAL, present)],
    workers: 2,
    reconcile,
};

const KIND: &str = "NonStructuralSchema";

/// The condition that the definition should have; nothing where all is well.
fn decide(definition: &Value) -> Option<Condition> {
    let versions = definition.pointer("/spec/versions").and_then(Value::as_array).into_iter().flatten();
    for version in versions {
        let Some(schema) = version.pointer("/schema/openAPIV3Schema") else { continue };
        if let Err(why) = catalog::custom::check(schema) {
            let message = format!("failed to check validation schema for version {}: {why}", text(version, "name"));
            return Some(Condition::new(KIND, "Unknown", "StructuralError", message));
        }
    }
    let keeps = definition.pointer("/spec/preserveUnknownFields") == Some(&Value::Bool(true));
    keeps.then(|| Condition::new(KIND, "True", "Violations", "spec.preserveUnknownFields: Invalid value: true: must be false"))
}

fn reconcile<'a>(context: &'a Context, name: &'a str) -> BoxFuture<'a, Result<Next, Error>> {
    Box::pin(async move {
        let Some(mut definition) = read(&*context.world, name).await? else { return Ok(Next::Wait) };
        match (decide(&definition), condition(&definition, KIND).is_some()) {
            (Some(wanted), _) => settle(&*context.world, definition, &wanted, context.clock.now()).await,
            (None, false) => Ok(Next::Wait),
            (None, true) => {
                if let Some(conditions) = definition.pointer_mut("/status/conditions").and_then(Value::as_array_mut) {
                    conditions.retain(|condition| text(condition, "type") != KIND);
                }
                write_status(&*context.world, definition).await?;
                Ok(Next::Wait)
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    #[test]
    fn only_what_is_not_structural_is_told() {
        let version = json!({"name": "v1", "schema": {"openAPIV3Schema": {"type": "object"}}});
        assert_eq!(decide(&json!({"spec": {"versions": [version]}})), None);
        let told = decide(&json!({"spec": {"versions": [version], "preserveUnknownFields": true}})).expect("a condition");
        assert_eq!((told.status, told.reason), ("True", "Violations"));
    }
}
