//! Bindings of a namespace, their authors, and exceptions.

use super::*;

fn namespaced(name: &str, module: &str, more: Value) -> Value {
    let mut object = binding(name, module, more);
    object["kind"] = "PolicyBinding".into();
    object["metadata"]["namespace"] = "default".into();
    object
}

pub(super) fn exception(spec: Value) -> Value {
    let mut object = json!({"metadata": {"name": "legacy", "generation": 1}, "spec": {
        "bindings": ["team"], "reason": "until it is migrated", "expires": "2030-01-01T00:00:00Z", "scope": {"namespaces": ["default"]}}});
    for (field, value) in spec.as_object().unwrap() {
        object["spec"][field] = value.clone();
    }
    object
}

#[tokio::test]
async fn a_namespaced_binding_holds_in_its_namespace() {
    let world = fake();
    world.seed(MODULES, module("labels", &refusing()));
    world.seed(NAMESPACED, namespaced("team", "labels", json!({"author": {"username": "bob"}})));
    let policies = loaded(&world).await;
    let pods = world::gvr("v1/pods");
    for (namespace, refused) in [("default", true), ("other", false)] {
        let mut notes = Notes::default();
        let answer = within(&policies, &review(&pods, namespace), Step::Validate, &mut pod(), &mut notes).await;
        assert_eq!(answer.is_err(), refused, "{namespace}");
        if let Err(status) = answer {
            assert!(status.message.contains(r#"policy "default/team""#), "{status}");
            assert_eq!(annotation(&notes, "default_team")["verdict"], "refused");
        }
    }
    assert_eq!(world.peek(NAMESPACED, "default", "team").unwrap()["status"]["ready"], json!(true));
}

#[tokio::test]
async fn a_namespaced_binding_is_shown_what_its_author_may_read_and_changes_what_they_may_write() {
    let renaming = Guest {
        world: "mutator",
        writes: &["metadata.labels"],
        patch: Some(r#"[{"op":"add","path":"/metadata/labels/team","value":"a"}]"#),
        ..Guest::default()
    };
    let may_not =
        |who: &str, verb: &str| format!(r#"the binding's author "{who}" may not {verb} pods in the namespace "default""#);
    // Not even the conditions are told what the object holds.
    let telling = conditions::conditions(&["object.missing == 1"]);
    for (author, step, guest, refused) in [
        ("bob", Step::Validate, &refusing(), Some(r#"the label "team" is required"#.to_owned())),
        ("dora", Step::Validate, &refusing(), Some(may_not("dora", "get"))),
        ("bob", Step::Mutate, &renaming, Some(may_not("bob", "create"))),
        ("carol", Step::Mutate, &renaming, None),
    ] {
        let world = fake();
        world.seed(MODULES, module("labels", guest));
        let mut spec = if author == "dora" { telling.clone() } else { json!({}) };
        spec["author"] = json!({"username": author});
        world.seed(NAMESPACED, namespaced("team", "labels", spec));
        let policies = loaded(&world).await;
        let pods = world::gvr("v1/pods");
        let answer = within(&policies, &review(&pods, "default"), step, &mut pod(), &mut Notes::default()).await;
        match (answer, refused) {
            (Ok(()), None) => {}
            (Err(status), Some(words)) => {
                assert!(status.message.contains(&words) && !status.message.contains("no such key"), "{status}")
            }
            (answer, refused) => panic!("{author}: {answer:?}, {refused:?}"),
        }
    }
}

#[tokio::test]
async fn who_gives_rights_is_not_changed_by_a_namespace() {
    let world = fake();
    let adding = Guest { world: "mutator", writes: &["metadata.labels"], body: "unreachable", ..Guest::default() };
    world.seed(MODULES, module("labels", &adding));
    let everything = json!({"author": {"username": "carol"}, "matchConstraints": {"resourceRules": [
        {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}]}});
    world.seed(NAMESPACED, namespaced("team", "labels", everything));
    let policies = loaded(&world).await;
    let mutate = async |resource: &str| {
        let resource = world::gvr(resource);
        within(&policies, &review(&resource, "default"), Step::Mutate, &mut pod(), &mut Notes::default()).await
    };
    assert!(mutate("v1/pods").await.is_err());
    mutate("rbac.authorization.k8s.io/v1/rolebindings").await.unwrap();
}

#[tokio::test]
async fn a_namespaced_binding_says_who_wrote_it() {
    let (_, policies) = of(vec![], vec![]).await;
    let bindings = world::gvr(NAMESPACED);
    let mut object = namespaced("team", "labels", json!({"author": {"username": "admin", "groups": ["system:masters"]}}));
    let create = review(&bindings, "default");
    within(&policies, &create, Step::Mutate, &mut object, &mut Notes::default()).await.unwrap();
    assert_eq!(object["spec"]["author"], json!({"username": "alice", "groups": ["dev"]}));

    let (old, bob) = (object.clone(), User::new("bob", &[]));
    let update = Review { operation: Operation::Update, user: &bob, old: Some(&old), ..create };
    object["metadata"]["labels"] = json!({"a": "b"});
    object["spec"]["author"] = json!({"username": "admin"});
    within(&policies, &update, Step::Mutate, &mut object, &mut Notes::default()).await.unwrap();
    assert_eq!(object["spec"]["author"]["username"], "alice", "who labels a binding is not its author");
    object["spec"]["order"] = 3.into();
    within(&policies, &update, Step::Mutate, &mut object, &mut Notes::default()).await.unwrap();
    assert_eq!(object["spec"]["author"], json!({"username": "bob"}));
}

#[tokio::test]
async fn an_exception_takes_away_what_it_names_until_it_ends() {
    let two = Guest { violations: &[("first", "a", "x"), ("second", "b", "y")], ..Guest::default() };
    for (spec, broken) in [
        (json!({}), 0),
        (json!({"rules": ["first"]}), 1),
        (json!({"rules": ["first", "second"]}), 0),
        (json!({"expires": "1969-01-01T00:00:00Z"}), 2),
        (json!({"scope": {"namespaces": ["other"]}}), 2),
        (json!({"scope": {"objectSelector": {"matchLabels": {"app": "web"}}}}), 0),
        (json!({"scope": {"resources": ["deployments.apps"]}}), 2),
        (json!({"scope": {"resources": ["pods"], "names": ["web"]}}), 0),
        (json!({"bindings": ["another"]}), 2),
    ] {
        let world = fake();
        world.seed(MODULES, module("two", &two));
        world.seed(BINDINGS, binding("team", "two", json!({})));
        world.seed(EXCEPTIONS, exception(spec.clone()));
        let (answer, notes) = judge(&loaded(&world).await).await;
        assert_eq!(answer.err().map_or(0, |status| status.details.unwrap().causes.len()), broken, "{spec}");
        if spec == json!({}) {
            let noted = annotation(&notes, "team");
            assert_eq!((&noted["verdict"], &noted["exception"]), (&json!("excepted"), &json!("legacy")));
        }
    }
}

#[tokio::test]
async fn an_exception_that_has_ended_is_refused_when_it_is_written() {
    let (_, policies) = of(vec![], vec![]).await;
    let mut object = exception(json!({"expires": "1969-01-01T00:00:00Z"}));
    let status = ask(&policies, EXCEPTIONS, Step::Validate, &mut object, &mut Notes::default()).await.unwrap_err();
    assert_eq!(
        status.message,
        r#"PolicyException.policy.gatehouse.dev "legacy" is invalid: spec.expires: Invalid value: "1969-01-01T00:00:00Z": must be in the future"#
    );
    let mut object = exception(json!({}));
    ask(&policies, EXCEPTIONS, Step::Validate, &mut object, &mut Notes::default()).await.unwrap();
}
