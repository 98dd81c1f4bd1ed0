//! Policies over a world in memory: whom they concern, what they say, what they change.

use std::sync::Arc;

use model::json::json;
use model::{GroupVersionKind, GroupVersionResource, RequestInfo, Status, User, Value, meta};

use super::{Kind, Policies};
use crate::builtin::world::{Fake, gvr};
use crate::cluster::testing;
use crate::{Chain, Notes, Operation, Review};

/// A policy in force by a binding, over a world with a namespace and two sets of parameters.
struct Server {
    chain: Chain,
}

fn world() -> Arc<Fake> {
    let fake = Fake::new(&[]);
    fake.seed("v1/namespaces", json!({"metadata": {"name": "shop", "labels": {"tier": "gold"}, "managedFields": []}}));
    for (name, limit) in [("small", "1"), ("large", "9")] {
        let labels = json!({"use": "limits"});
        fake.seed(
            "v1/configmaps",
            json!({"metadata": {"namespace": "shop", "name": name, "labels": labels}, "data": {"limit": limit}}),
        );
    }
    Arc::new(fake)
}

fn policy(spec: Value) -> Value {
    let mut policy = json!({"metadata": {"name": "p"}, "spec": {
        "failurePolicy": "Fail",
        "matchConstraints": {"matchPolicy": "Equivalent", "namespaceSelector": {}, "objectSelector": {}, "resourceRules": [
            {"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"], "scope": "*"},
        ]},
    }});
    merge(&mut policy["spec"], spec);
    policy
}

fn binding(spec: Value) -> Value {
    let mut binding = json!({"metadata": {"name": "b"}, "spec": {"policyName": "p", "validationActions": ["Deny"]}});
    merge(&mut binding["spec"], spec);
    binding
}

fn merge(into: &mut Value, from: Value) {
    for (field, value) in from.as_object().cloned().unwrap_or_default() {
        into[field] = value;
    }
}

fn server(kind: Kind, policies: &[Value], bindings: &[Value]) -> Server {
    let cluster = testing::cluster(world(), &["ann create deployments/", "ann use policies/gold"]);
    let made = Policies::new(kind, cluster);
    let [(_, of_policies), (_, of_bindings)] = made.follows();
    of_policies.replace(policies);
    of_bindings.replace(bindings);
    Server { chain: Chain::new(vec![made.plugin()]) }
}

fn pod(labels: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "shop", "labels": labels},
        "spec": {"containers": [{"name": "a", "image": "nginx"}]}})
}

impl Server {
    async fn ask(&self, resource: &str, kind: &str, object: &mut Value, notes: &mut Notes) -> Result<(), Status> {
        let resource: GroupVersionResource = gvr(resource);
        let namespace = meta::namespace(object).to_owned();
        let options = json!({"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"});
        let review = Review {
            request: &RequestInfo::default(),
            user: &User::new("ann", &["dev"]),
            operation: Operation::Create,
            resource: &resource,
            kind: &GroupVersionKind::new(&resource.group, &resource.version, kind),
            subresource: "",
            namespace: &namespace,
            name: "web",
            old: None,
            options: &options,
            dry_run: false,
            uid: "",
            now: jiff::Timestamp::UNIX_EPOCH,
            deadline: None,
        };
        self.chain.mutate(&review, object, notes).await?;
        self.chain.validate(&review, Some(object), notes).await
    }

    /// Creates a pod with labels.
    async fn pod(&self, labels: Value) -> (Result<(), Status>, Value, Notes) {
        let (mut object, mut notes) = (pod(labels), Notes::default());
        let answer = self.ask("v1/pods", "Pod", &mut object, &mut notes).await;
        (answer, object, notes)
    }
}

async fn refusal(policies: &[Value], bindings: &[Value]) -> Option<String> {
    server(Kind::Validating, policies, bindings).pod(json!({"app": "web"})).await.0.err().map(|status| status.message)
}

fn denied(why: &str) -> Option<String> {
    Some(format!("pods \"web\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: {why}"))
}

#[tokio::test]
async fn a_violation_is_told_as_upstream_tells_it() {
    let spec = json!({"validations": [
        {"expression": "has(object.metadata.labels.team)", "message": "a team is needed", "reason": "Forbidden"},
        {"expression": "object.spec.containers.size() > 1"},
    ]});
    let server = server(Kind::Validating, &[policy(spec)], &[binding(json!({}))]);
    let status = server.pod(json!({"app": "web"})).await.0.unwrap_err();
    let message = "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: a team is needed";
    assert_eq!((status.code, &*status.reason), (403, "Forbidden"));
    assert_eq!(status.message, format!("pods \"web\" is forbidden: {message}"));
    let details = status.details.unwrap();
    assert_eq!((&*details.kind, &*details.name, details.causes.len()), ("pods", "web", 1));
    assert_eq!((&*details.causes[0].message, &*details.causes[0].reason), (message, ""));
    let status = server.pod(json!({"team": "x"})).await.0.unwrap_err();
    assert_eq!((status.code, &*status.reason), (422, "Invalid"));
    assert!(status.message.ends_with("denied request: failed expression: object.spec.containers.size() > 1"), "{status}");
}

#[tokio::test]
async fn what_expressions_see() {
    for (expression, holds) in [
        ("request.operation == 'CREATE' && request.name == 'web' && request.namespace == 'shop'", true),
        ("request.kind.kind == 'Pod' && request.resource.resource == 'pods' && !has(request.subResource)", true),
        ("request.userInfo.username == 'ann' && request.userInfo.groups == ['dev'] && !has(request.userInfo.extra)", true),
        ("request.options.kind == 'CreateOptions' && request.dryRun == false", true),
        ("namespaceObject.metadata.labels.tier == 'gold'", true),
        ("oldObject == null && object.kind == 'Pod'", true),
        ("authorizer.group('apps').resource('deployments').check('create').allowed()", true),
        ("authorizer.requestResource.check('delete').allowed()", false),
    ] {
        let refused = refusal(&[policy(json!({"validations": [{"expression": expression}]}))], &[binding(json!({}))]).await;
        assert_eq!(refused, if holds { None } else { denied(&format!("failed expression: {expression}")) }, "{expression}");
    }
}

#[tokio::test]
async fn messages_are_computed_written_or_the_expression() {
    let of = |extra: Value| {
        let mut validation = json!({"expression": " false "});
        merge(&mut validation, extra);
        async move { refusal(&[policy(json!({"validations": [validation]}))], &[binding(json!({}))]).await }
    };
    assert_eq!(of(json!({"messageExpression": "'no ' + object.kind", "message": "written"})).await, denied("no Pod"));
    assert_eq!(of(json!({"messageExpression": "object.absent", "message": " written "})).await, denied("written"));
    assert_eq!(of(json!({"messageExpression": "'a\\nb'"})).await, denied("failed expression: false"));
    assert_eq!(of(json!({"messageExpression": "' '", "message": "written"})).await, denied("written"));
}

#[tokio::test]
async fn an_error_is_the_failure_policy() {
    let broken = json!({"validations": [{"expression": "object.spec.absent > 1"}]});
    let why = "expression 'object.spec.absent > 1' resulted in error: no such key: absent";
    assert_eq!(refusal(&[policy(broken.clone())], &[binding(json!({}))]).await, denied(why));
    let mut lenient = policy(broken);
    lenient["spec"]["failurePolicy"] = "Ignore".into();
    assert_eq!(refusal(&[lenient], &[binding(json!({}))]).await, None);
    let spec = json!({"validations": [{"expression": "nonsense("}]});
    let found = refusal(&[policy(spec)], &[binding(json!({}))]).await.unwrap();
    assert!(
        found.contains("denied request: compilation error: compilation failed: ERROR: <input>:1:10: Syntax error:"),
        "{found}"
    );
}

#[tokio::test]
async fn conditions_and_variables_come_first() {
    let spec = |condition: &str| {
        policy(json!({
            "variables": [{"name": "images", "expression": "object.spec.containers.map(c, c.image)"}],
            "matchConditions": [{"name": "c", "expression": condition}],
            "validations": [{"expression": "variables.images == ['other']", "messageExpression": "'found ' + variables.images[0]"}],
        }))
    };
    assert_eq!(refusal(&[spec("'nginx' in variables.images")], &[binding(json!({}))]).await, denied("found nginx"));
    assert_eq!(refusal(&[spec("'busybox' in variables.images")], &[binding(json!({}))]).await, None);
    let found = refusal(&[spec("object.absent == 1")], &[binding(json!({}))]).await;
    assert_eq!(found, denied("expression 'object.absent == 1' resulted in error: no such key: absent"));
}

#[tokio::test]
async fn parameters_are_found_by_name_and_by_selector() {
    let spec = json!({
        "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
        "validations": [{"expression": "object.spec.containers.size() > int(params.data.limit)",
            "messageExpression": "params.metadata.name + ' allows ' + params.data.limit"}],
    });
    let of = |reference: Value| {
        let spec = spec.clone();
        async move { refusal(&[policy(spec)], &[binding(json!({"paramRef": reference}))]).await }
    };
    assert_eq!(of(json!({"name": "large", "parameterNotFoundAction": "Deny"})).await, denied("large allows 9"));
    let selector = json!({"matchLabels": {"use": "limits"}});
    assert_eq!(of(json!({"selector": selector, "parameterNotFoundAction": "Deny"})).await, denied("large allows 9"));
    assert_eq!(of(json!({"name": "absent", "parameterNotFoundAction": "Allow"})).await, None);
    let none = "failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction";
    assert_eq!(of(json!({"name": "absent", "parameterNotFoundAction": "Deny"})).await, denied(none));
    let unknown =
        policy(json!({"paramKind": {"apiVersion": "x.io/v1", "kind": "Nothing"}, "validations": [{"expression": "true"}]}));
    let found = refusal(&[unknown], &[binding(json!({}))]).await.unwrap();
    let why = "failed to configure policy: failed to find resource referenced by paramKind: 'x.io/v1, Kind=Nothing'";
    assert!(found.ends_with(&format!("ValidatingAdmissionPolicy 'p' denied request: {why}")), "{found}");
}

#[tokio::test]
async fn warnings_and_audit_annotations_let_the_write_go_on() {
    let spec = json!({
        "validations": [{"expression": "false", "message": "not <so>"}],
        "auditAnnotations": [{"key": "image", "valueExpression": "string(object.spec.containers[0].image)"}, {"key": "none", "valueExpression": "null"}],
    });
    let server = server(Kind::Validating, &[policy(spec)], &[binding(json!({"validationActions": ["Warn", "Audit"]}))]);
    let (answer, _, notes) = server.pod(json!({})).await;
    assert_eq!(answer, Ok(()));
    assert_eq!(notes.warnings, ["Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': not <so>"]);
    let failure = "[{\"message\":\"not \\u003cso\\u003e\",\"policy\":\"p\",\"binding\":\"b\",\"expressionIndex\":0,\"validationActions\":[\"Warn\",\"Audit\"]}]";
    let expected = [("p/image", "nginx"), ("validation.policy.admission.k8s.io/validation_failure", failure)];
    assert_eq!(notes.annotations, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
}

#[tokio::test]
async fn the_kinds_themselves_are_never_judged() {
    let everything = [policy(json!({"validations": [{"expression": "false"}]}))];
    let server = server(Kind::Validating, &everything, &[binding(json!({}))]);
    for (resource, judged) in [
        ("admissionregistration.k8s.io/v1/validatingadmissionpolicies", false),
        ("admissionregistration.k8s.io/v1/mutatingadmissionpolicybindings", false),
        ("authorization.k8s.io/v1/subjectaccessreviews", false),
        ("admissionregistration.k8s.io/v1/validatingwebhookconfigurations", true),
        ("v1/namespaces", true),
    ] {
        let mut object = json!({"metadata": {"name": "web"}});
        let answer = server.ask(resource, "Any", &mut object, &mut Notes::default()).await;
        assert_eq!(answer.is_err(), judged, "{resource}");
    }
}

#[tokio::test]
async fn another_version_is_judged_as_the_rule_names_it() {
    let mut spec = policy(
        json!({"validations": [{"expression": "request.kind.version == 'v2' && request.requestKind.version == 'v1' && object.apiVersion == 'autoscaling/v2'", "message": "seen"}]}),
    );
    spec["spec"]["matchConstraints"]["resourceRules"] = json!([{"operations": ["*"], "apiGroups": ["autoscaling"], "apiVersions": ["v2"], "resources": ["horizontalpodautoscalers"]}]);
    let server = server(Kind::Validating, &[spec], &[binding(json!({}))]);
    let mut object = json!({"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"}});
    let resource = "autoscaling/v1/horizontalpodautoscalers";
    assert_eq!(server.ask(resource, "HorizontalPodAutoscaler", &mut object, &mut Notes::default()).await, Ok(()));
}

fn apply(expression: &str) -> Value {
    json!({"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}})
}

fn patch(expression: &str) -> Value {
    json!({"patchType": "JSONPatch", "jsonPatch": {"expression": expression}})
}

#[tokio::test]
async fn objects_are_changed_by_what_policies_say() {
    let spec = json!({"mutations": [
        apply("Object{metadata: Object.metadata{labels: Object.metadata.labels{team: 'x'}}, spec: Object.spec{containers: [Object.spec.containers{name: 'a', imagePullPolicy: 'Always'}]}}"),
        patch("[JSONPatch{op: 'add', path: '/metadata/annotations', value: {'seen': object.metadata.labels.team}}]"),
        patch("[JSONPatch{op: 'test', path: '/metadata/name', value: 'other'}, JSONPatch{op: 'remove', path: '/spec'}]"),
    ], "reinvocationPolicy": "Never"});
    let server = server(Kind::Mutating, &[policy(spec)], &[binding(json!({}))]);
    let (answer, object, _) = server.pod(json!({"app": "web"})).await;
    assert_eq!(answer, Ok(()));
    assert_eq!(object["metadata"]["labels"], json!({"app": "web", "team": "x"}));
    assert_eq!(object["metadata"]["annotations"], json!({"seen": "x"}));
    let container = &object["spec"]["containers"][0];
    assert_eq!((&container["image"], &container["imagePullPolicy"]), (&json!("nginx"), &json!("Always")));
}

#[tokio::test]
async fn what_a_mutation_cannot_do_refuses_the_request() {
    for (mutation, why) in [
        (
            apply("Object{spec: Object.wrong{}}"),
            "type mismatch: unexpected type name \"Object.wrong\", expected \"Object.spec\", which matches field name path from root Object type",
        ),
        (
            apply("Object{spec: Object.spec{absent: 1}}"),
            "error applying patch: failed to convert patch object to typed object: .spec.absent: field not declared in schema",
        ),
        (
            apply("Object{spec: Object.spec{containers: [Object.spec.containers{name: 'a', args: ['x']}]}}"),
            "error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: .spec.containers[0].args",
        ),
        (
            patch("[JSONPatch{op: 'remove', path: object.absent}]"),
            "expression '[JSONPatch{op: 'remove', path: object.absent}]' resulted in error: no such key: absent",
        ),
    ] {
        let spec = json!({"mutations": [mutation], "reinvocationPolicy": "Never"});
        let server = server(Kind::Mutating, &[policy(spec.clone())], &[binding(json!({}))]);
        let status = server.pod(json!({})).await.0.unwrap_err();
        let message = format!("policy 'p' with binding 'b' denied request: {why}");
        assert_eq!((status.code, &*status.reason, &*status.message), (403, "Invalid", &*message));
        let mut lenient = policy(spec);
        lenient["spec"]["failurePolicy"] = "Ignore".into();
        let server = self::server(Kind::Mutating, &[lenient], &[binding(json!({}))]);
        assert_eq!(server.pod(json!({})).await.0, Ok(()));
    }
}

#[tokio::test]
async fn a_policy_is_asked_again_when_a_later_one_changed_the_object() {
    let count = "Object{metadata: Object.metadata{annotations: {'seen': string(has(object.metadata.labels.late))}}}";
    let mut first = policy(json!({"mutations": [apply(count)], "reinvocationPolicy": "IfNeeded"}));
    first["metadata"]["name"] = "a".into();
    let mut second = policy(
        json!({"mutations": [apply("Object{metadata: Object.metadata{labels: {'late': 'yes'}}}")], "reinvocationPolicy": "Never"}),
    );
    second["metadata"]["name"] = "z".into();
    let bind = |policy: &str| {
        let mut binding = binding(json!({"policyName": policy}));
        binding["metadata"]["name"] = policy.into();
        binding
    };
    for (again, seen) in [("IfNeeded", "true"), ("Never", "false")] {
        first["spec"]["reinvocationPolicy"] = again.into();
        let server = server(Kind::Mutating, &[first.clone(), second.clone()], &[bind("a"), bind("z")]);
        let (answer, object, _) = server.pod(json!({"app": "web"})).await;
        assert_eq!(answer, Ok(()));
        assert_eq!(object["metadata"]["annotations"]["seen"], seen, "{again}");
    }
}
