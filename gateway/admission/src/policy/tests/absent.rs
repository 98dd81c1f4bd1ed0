//! Whoever names what is not there is told so, and not refused.

use super::*;

async fn warnings(policies: &Arc<Policies>, resource: &str, mut object: Value) -> Vec<String> {
    let mut notes = Notes::default();
    ask(policies, resource, Step::Validate, &mut object, &mut notes).await.unwrap();
    notes.warnings
}

#[tokio::test]
async fn a_binding_is_told_which_module_is_missing() {
    let world = fake();
    world.seed(MODULES, module("labels", &refusing()));
    let mut broken = module_of("broken", b"no component");
    broken["status"] = json!({"observedGeneration": 1, "ready": false, "message": "it is no component"});
    world.seed(MODULES, broken);
    let policies = loaded(&world).await;
    let none = Vec::<String>::new();
    assert_eq!(warnings(&policies, BINDINGS, binding("team", "labels", json!({}))).await, none);
    for kind in [BINDINGS, NAMESPACED] {
        assert_eq!(
            warnings(&policies, kind, binding("team", "labls", json!({}))).await,
            [r#"spec.module: there is no PolicyModule "labls"; the binding cannot come into force before there is one"#]
        );
    }
    let candidate = json!({"candidate": {"module": "next"}});
    assert_eq!(
        warnings(&policies, BINDINGS, binding("team", "labels", candidate)).await,
        [r#"spec.candidate.module: there is no PolicyModule "next"; the candidate cannot come into force before there is one"#]
    );
    let told = warnings(&policies, BINDINGS, binding("team", "broken", json!({}))).await;
    assert!(told.len() == 1 && told[0].starts_with(r#"spec.module: the PolicyModule "broken" is not ready: "#), "{told:?}");
}

#[tokio::test]
async fn an_exception_is_told_which_binding_is_missing() {
    let (_, policies) = of(vec![module("labels", &refusing())], vec![binding("team", "labels", json!({}))]).await;
    let named = |bindings: Value| scope::exception(json!({ "bindings": bindings }));
    assert_eq!(warnings(&policies, EXCEPTIONS, named(json!(["team"]))).await, Vec::<String>::new());
    let scope = json!({"bindings": ["team"], "scope": {"resources": ["pods", "deployments.apps", "pod"]}});
    assert_eq!(
        warnings(&policies, EXCEPTIONS, scope::exception(scope)).await,
        [r#"spec.scope.resources[2]: there is no "pod"; nothing is excepted by it"#]
    );
    assert_eq!(
        warnings(&policies, EXCEPTIONS, named(json!(["team", "teams", "shop/team"]))).await,
        [
            r#"spec.bindings[1]: there is no ClusterPolicyBinding "teams", from which it could except anything"#,
            r#"spec.bindings[2]: there is no PolicyBinding "team" in the namespace "shop", from which it could except anything"#,
        ]
    );
}

#[tokio::test]
async fn a_binding_is_told_what_it_will_not_find() {
    let (_, policies) = of(vec![module("labels", &refusing())], vec![]).await;
    let rules = json!({"matchConstraints": {"resourceRules": [
        {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods", "podz", "pods/exec", "*"]},
        {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*/scale"]}]},
        "grants": ["cluster"], "clusterReads": [{"apiGroups": ["", "apps"], "resources": ["configmaps", "deployment"]}]});
    assert_eq!(
        warnings(&policies, BINDINGS, binding("team", "labels", rules)).await,
        [
            r#"spec.matchConstraints.resourceRules[0].resources[1]: there is no "podz" in the API groups [""]; the policy is asked about none"#,
            r#"spec.clusterReads[0].resources[1]: there is no "deployment" in the API groups ["", "apps"]; the policy finds none"#
        ]
    );
    let of = |reference: Value| warnings(&policies, BINDINGS, binding("team", "labels", json!({ "paramRef": reference })));
    let told = of(json!({"apiVersion": "v1", "kind": "Nothing", "name": "a"})).await;
    assert!(
        told.len() == 1 && told[0].starts_with(r#"spec.paramRef: the parameters Nothing "a": there is no such kind; "#),
        "{told:?}"
    );
    let mut reference = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "limits"});
    assert_eq!(of(reference.clone()).await, Vec::<String>::new(), "those of the request's namespace");
    reference["namespace"] = "default".into();
    let told = of(reference.clone()).await;
    assert!(told.len() == 1 && told[0].starts_with(r#"spec.paramRef: the parameters ConfigMap "limits": "#), "{told:?}");
    reference["parameterNotFoundAction"] = "Allow".into();
    assert_eq!(of(reference).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_is_in_force_without_its_module_says_so() {
    let (world, policies) = of(vec![module("labels", &refusing())], vec![binding("team", "labels", json!({}))]).await;
    let resource = world::gvr(MODULES);
    let review = Review { operation: Operation::Delete, name: "labels", ..review(&resource, "") };
    let mut notes = Notes::default();
    Chain::new(vec![policies.plugin()]).validate(&review, None, &mut notes).await.unwrap();
    assert!(notes.warnings.len() == 1 && notes.warnings[0].starts_with(r#"binding "team" names this module: "#), "{notes:?}");
    let following = tokio::spawn(policies.clone().follow());
    world.delete(&resource, "", "labels", Default::default()).await.unwrap();
    let message = || world.peek(BINDINGS, "", "team").unwrap()["status"]["message"].as_str().unwrap_or_default().to_owned();
    until(|| message().starts_with(r#"module "labels" is deleted; what is in force stays"#)).await;
    assert_eq!(world.peek(BINDINGS, "", "team").unwrap()["status"]["ready"], json!(true));
    judge(&policies).await.0.unwrap_err();
    following.abort();
}

#[tokio::test]
async fn a_key_that_verifies_nothing_is_refused() {
    let (_, policies) = of(vec![], vec![]).await;
    let mut object = module("labels", &refusing());
    object["spec"]["signature"] = json!({"publicKeys": ["abc"]});
    let refused = ask(&policies, MODULES, Step::Validate, &mut object, &mut Notes::default()).await.unwrap_err();
    let words =
        r#"spec.signature.publicKeys[0]: Invalid value: "abc": this is no public key in PEM; gatehouse policy keygen makes keys"#;
    assert!(refused.message.contains(words), "{refused}");
}

#[tokio::test]
async fn a_module_of_another_state_of_the_contract_says_so_in_its_status() {
    let was = ("reads-request: list<request-part>,", "");
    let (world, _) = of(vec![module("labels", &Guest { was, ..Guest::default() })], vec![]).await;
    let status = world.peek(MODULES, "", "labels").unwrap()["status"].clone();
    let message = status["message"].as_str().unwrap_or_default();
    assert!(status["ready"] == false && message.contains("build it again with the SDK of this release"), "{status}");
}
