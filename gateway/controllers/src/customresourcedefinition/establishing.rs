//! Establishes a definition once its names are accepted. Follows `pkg/controller/establish`.

use futures::future::BoxFuture;
use model::Value;

use super::{Condition, GROUP, PLURAL, is_true, present, read, settle};
use crate::runtime::{Context, Controller, Error, Next, Watch};

/// The controller.
pub const CONTROLLER: Controller =
    Controller { name: "crdEstablishing", watches: &[Watch::new(GROUP, "v1", PLURAL, present)], workers: 1, reconcile };

/// The condition that the definition should have; nothing where it stays as it is.
fn decide(definition: &Value) -> Option<Condition> {
    if !is_true(definition, "NamesAccepted") || is_true(definition, "Established") {
        return None;
    }
    let bundle = definition.pointer("/spec/conversion/webhook/clientConfig/caBundle").and_then(Value::as_str);
    Some(match bundle {
        Some(bundle) if !catalog::custom::is_ca_bundle(bundle) => {
            Condition::new("Established", "False", "InvalidCABundle", "The conversion webhook CABundle is invalid")
        }
        _ => Condition::new("Established", "True", "InitialNamesAccepted", "the initial names have been accepted"),
    })
}

fn reconcile<'a>(context: &'a Context, name: &'a str) -> BoxFuture<'a, Result<Next, Error>> {
    Box::pin(async move {
        let Some(definition) = read(&*context.world, name).await? else { return Ok(Next::Wait) };
        match decide(&definition) {
            Some(wanted) => settle(&*context.world, definition, &wanted, context.clock.now()).await,
            None => Ok(Next::Wait),
        }
    })
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    #[test]
    fn accepted_names_are_what_is_waited_for() {
        let waiting = json!({"status": {"conditions": [{"type": "NamesAccepted", "status": "False"}]}});
        assert_eq!(decide(&waiting), None);
        let accepted = json!({"status": {"conditions": [{"type": "NamesAccepted", "status": "True"}]}});
        assert_eq!(decide(&accepted).map(|c| (c.status, c.reason)), Some(("True", "InitialNamesAccepted")));
        let conditions = json!([{"type": "NamesAccepted", "status": "True"}, {"type": "Established", "status": "True"}]);
        let done = json!({"status": {"conditions": conditions}});
        assert_eq!(decide(&done), None);
        let mut broken = accepted;
        broken["spec"]["conversion"]["webhook"]["clientConfig"]["caBundle"] = json!("bm9uc2Vuc2U=");
        assert_eq!(decide(&broken).map(|c| (c.status, c.reason)), Some(("False", "InvalidCABundle")));
    }
}
