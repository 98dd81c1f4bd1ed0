//! Tells in the status of a ValidatingAdmissionPolicy what is wrong with the types of its expressions, and which generation was
//! looked at. Follows `pkg/controller/validatingadmissionpolicystatus`. What is wrong is found in `catalog::typecheck`.

use std::sync::Arc;

use catalog::Catalog;
use catalog::typecheck::{self, Warning};
use futures::future::BoxFuture;
use model::json::json;
use model::{GroupVersionResource, Value, meta};

use crate::feed::{Change, What};
use crate::runtime::{Context, Controller, Error, Next, Watch, step};

/// The controller.
pub const CONTROLLER: Controller = Controller {
    name: "validatingadmissionpolicy-status-controller",
    watches: &[Watch::new("admissionregistration.k8s.io", "v1", "validatingadmissionpolicies", changed)],
    workers: 5,
    reconcile,
};

fn changed(change: &Change<'_>) -> Vec<String> {
    let waits = change.what != What::Deleted && !is_observed(change.object);
    if waits { vec![meta::name(change.object).to_owned()] } else { Vec::new() }
}

/// Whether the policy was looked at as it is. Kinds that are served later are no reason to look again, as upstream.
fn is_observed(policy: &Value) -> bool {
    let observed = policy.pointer("/status/observedGeneration").and_then(Value::as_i64).unwrap_or(0);
    meta::generation(policy) <= observed
}

/// The policy with what is to be told of it.
fn told(policy: &Value, warnings: &[Warning]) -> Value {
    let mut policy = policy.clone();
    policy["status"]["observedGeneration"] = meta::generation(&policy).into();
    let warnings: Vec<Value> = warnings.iter().map(|one| json!({"fieldRef": one.field, "warning": one.text})).collect();
    policy["status"]["typeChecking"] = if warnings.is_empty() { json!({}) } else { json!({"expressionWarnings": warnings}) };
    policy
}

/// Reads schemas and compiles expressions, which is work for a thread that may block.
async fn check(catalog: Arc<Catalog>, policy: Value) -> Result<Value, Error> {
    let checked = tokio::task::spawn_blocking(move || told(&policy, &typecheck::warnings(&catalog, &policy))).await;
    checked.map_err(|error| Error::Other(format!("check types: {error}")))
}

fn reconcile<'a>(context: &'a Context, name: &'a str) -> BoxFuture<'a, Result<Next, Error>> {
    Box::pin(async move {
        let resource = GroupVersionResource::new("admissionregistration.k8s.io", "v1", "validatingadmissionpolicies");
        let policy = match context.world.get(&resource, "", name).await {
            Ok(policy) if !is_observed(&policy) => policy,
            Ok(_) => return Ok(Next::Wait),
            Err(status) if status.code == 404 => return Ok(Next::Wait),
            Err(status) => return Err(step("read policy")(status)),
        };
        let catalog = (context.served)().map_err(step("see what is served"))?;
        let policy = check(catalog, policy).await?;
        context.world.update(&resource, "status", policy).await.map_err(step("tell what is wrong"))?;
        Ok(Next::Wait)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::context;
    use crate::world::Fake;

    const POLICIES: &str = "admissionregistration.k8s.io/v1/validatingadmissionpolicies";

    fn policy(expression: &str) -> Value {
        let rule = json!({"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["pods"]});
        json!({
            "metadata": {"name": "p", "generation": 2},
            "spec": {"matchConstraints": {"resourceRules": [rule]}, "validations": [{"expression": expression}]},
            "status": {"observedGeneration": 1, "conditions": [{"type": "kept"}]},
        })
    }

    #[tokio::test]
    async fn a_policy_is_told_once_what_is_wrong_with_it() {
        let (context, world) = context(Fake::new(&[]));
        world.seed(POLICIES, policy("object.spec.replicas > 1"));
        reconcile(&context, "p").await.unwrap();
        let told = world.peek(POLICIES, "", "p").unwrap();
        assert_eq!(told["status"]["observedGeneration"], 2);
        assert_eq!(told["status"]["conditions"], json!([{"type": "kept"}]));
        let [warning] = &told["status"]["typeChecking"]["expressionWarnings"].as_array().unwrap()[..] else { panic!("{told}") };
        assert_eq!(warning["fieldRef"], "spec.validations[0].expression");
        assert!(
            warning["warning"].as_str().unwrap().starts_with("/v1, Kind=Pod: ERROR: <input>:1:12: undefined field 'replicas'")
        );
        world.take_log();
        reconcile(&context, "p").await.unwrap();
        reconcile(&context, "gone").await.unwrap();
        assert!(world.take_log().is_empty());
    }

    #[tokio::test]
    async fn nothing_wrong_is_told_too() {
        let (context, world) = context(Fake::new(&[]));
        world.seed(POLICIES, policy("object.spec.hostNetwork"));
        reconcile(&context, "p").await.unwrap();
        let told = world.peek(POLICIES, "", "p").unwrap();
        assert_eq!((&told["status"]["typeChecking"], &told["status"]["observedGeneration"]), (&json!({}), &json!(2)));
    }
}
