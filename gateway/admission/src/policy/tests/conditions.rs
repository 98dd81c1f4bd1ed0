//! `matchConditions` of bindings: on writes, on what is stored, and outside of a server.

use super::*;
use crate::policy::binding::Binding;
use crate::policy::set::Entry;
use crate::policy::trial::{self, Given};

const PODS: &str = "v1/pods";

pub(super) fn conditions(expressions: &[&str]) -> Value {
    let named = expressions.iter().enumerate().map(|(i, text)| json!({"name": format!("c{i}"), "expression": text}));
    json!({"matchConditions": named.collect::<Vec<_>>()})
}

/// What is refused of a pod that alice makes.
async fn refused(more: Value) -> Option<String> {
    let (_, policies) = of(vec![module("labels", &refusing())], vec![binding("team", "labels", more)]).await;
    judge(&policies).await.0.err().map(|status| status.message)
}

#[tokio::test]
async fn a_policy_is_asked_when_all_conditions_hold() {
    let fits =
        ["object.spec.containers.exists(c, c.image == 'nginx')", "oldObject == null", "request.userInfo.username == 'alice'"];
    assert!(refused(conditions(&fits)).await.is_some());
    assert_eq!(refused(conditions(&[fits[0], "'admins' in request.userInfo.groups"])).await, None);
    let may = "authorizer.group('').resource('pods').namespace('default').check('delete').allowed()";
    assert_eq!(refused(conditions(&[may])).await, None);
    assert_eq!(refused(conditions(&["object.spec.missing == 1", "request.operation == 'DELETE'"])).await, None);
}

#[tokio::test]
async fn a_condition_that_fails_is_a_failure_of_the_binding() {
    let broken = conditions(&["object.spec.missing == 1"]);
    let told = refused(broken.clone()).await.unwrap();
    assert!(told.ends_with("expression 'object.spec.missing == 1' resulted in error: no such key: missing"), "{told}");
    let mut ignored = broken;
    ignored["failurePolicy"] = "Ignore".into();
    assert_eq!(refused(ignored).await, None);
}

#[tokio::test]
async fn conditions_read_parameters() {
    for (value, is_asked) in [("nginx", true), ("redis", false)] {
        let world = fake();
        world.seed("v1/configmaps", json!({"metadata": {"name": "p", "namespace": "default"}, "data": {"image": value}}));
        world.seed(MODULES, module("labels", &refusing()));
        let mut more = conditions(&["object.spec.containers[0].image == params.data.image"]);
        more["paramRef"] = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "p"});
        world.seed(BINDINGS, binding("team", "labels", more));
        assert_eq!(judge(&loaded(&world).await).await.0.is_err(), is_asked, "{value}");
    }
}

#[tokio::test]
async fn what_is_stored_is_judged_where_conditions_need_nobody() {
    let world = fake();
    world.seed(PODS, pod());
    world.seed(MODULES, module("labels", &refusing()));
    for (name, condition) in [
        ("holds", "object.metadata.name == 'web'"),
        ("not", "object.metadata.name == 'other'"),
        ("asks", "authorizer.requestResource.check('get').allowed()"),
        ("who", "request.userInfo.username != 'alice'"),
    ] {
        world.seed(BINDINGS, binding(name, "labels", conditions(&[condition])));
    }
    let policies = loaded(&world).await;
    let following = tokio::spawn(policies.clone().follow());
    let words = || {
        let report = policies.reports().shown("default", "pods-web").unwrap_or_default();
        let results = report["results"].as_array().cloned().unwrap_or_default();
        let told = |result: &Value| format!("{}: {}", result["policy"].as_str().unwrap(), result["result"].as_str().unwrap());
        results.iter().map(told).collect::<Vec<_>>()
    };
    until(|| words() == ["asks: skip", "holds: fail", "who: skip"]).await;
    following.abort();
}

#[test]
fn a_policy_is_tried_with_its_conditions() {
    let runtime = wasm::Runtime::start(&wasm::Options { threads: 1, ..wasm::Options::default() }).unwrap();
    let module = runtime.load(&refusing().build()).unwrap();
    let tried = |expression: &str| {
        let binding = Binding::from_object(&binding("team", "labels", conditions(&[expression]))).unwrap();
        let entry = Entry::bind(binding, &module).unwrap();
        let request = trial::request(&json!({"user": "alice", "groups": ["dev"]}), &pod()).unwrap();
        let outcome = trial::run_with(&entry, &request, Some(&pod()), None, Given::default()).outcome;
        outcome.map(|outcome| outcome.violations.len()).map_err(|failure| failure.to_string())
    };
    assert_eq!(tried("request.userInfo.username == 'alice' && 'dev' in request.userInfo.groups"), Ok(1));
    assert_eq!(tried("request.resource.resource == 'pods' && object.metadata.name == 'db'"), Ok(0));
    assert_eq!(tried("authorizer.requestResource.check('get').allowed()"), Ok(0), "nobody is there who could allow it");
    assert!(tried("object.spec.missing == 1").unwrap_err().contains("no such key: missing"));
}
