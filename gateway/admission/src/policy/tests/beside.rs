//! What is judged beside what is in force; mutators that meet; failures that become Events.

use super::*;

const ROLLOUT: &str = "stage";

async fn shadow(world: &Arc<Fake>, policies: &Arc<Policies>) -> Value {
    policies.tell().await;
    world.peek(BINDINGS, "", "team").unwrap()["status"]["shadow"].clone()
}

fn strict() -> Guest<'static> {
    Guest { violations: &[("owner-required", "say who owns it", "metadata.labels[owner]")], ..Guest::default() }
}

#[tokio::test]
async fn a_candidate_is_judged_beside_and_its_differences_are_told() {
    let candidate = json!({"candidate": {"module": "next", "namespaceSelector": {"matchLabels": {ROLLOUT: "yes"}}}});
    let modules = vec![module("labels", &Guest::default()), module("next", &strict())];
    let (world, policies) = of(modules, vec![binding("team", "labels", candidate)]).await;
    world.seed("v1/namespaces", json!({"metadata": {"name": "default"}}));
    for _ in 0..12 {
        judge(&policies).await.0.unwrap();
    }
    let told = shadow(&world, &policies).await;
    assert_eq!((&told["judged"], &told["differed"]), (&json!(12), &json!(12)));
    assert_eq!(told["differences"].as_array().unwrap().len(), 10, "the latest");
    let first = &told["differences"][0];
    assert_eq!(
        (&first["current"], &first["candidate"], &first["resource"], &first["name"]),
        (&json!("allowed"), &json!("refused: owner-required at metadata.labels[owner]"), &json!("pods"), &json!("web"))
    );
    assert_ne!(told["revision"], world.peek(BINDINGS, "", "team").unwrap()["status"]["revision"]);

    world.seed("v1/namespaces", json!({"metadata": {"name": "default", "labels": {ROLLOUT: "yes"}}}));
    let status = judge(&policies).await.0.unwrap_err();
    assert!(status.message.contains("say who owns it"), "where the selector matches the candidate decides: {status}");
    assert_eq!(shadow(&world, &policies).await["judged"], 12);
}

#[tokio::test]
async fn what_several_servers_count_adds_up_until_the_binding_changes() {
    let candidate = json!({"candidate": {"module": "next"}});
    let modules = vec![module("labels", &Guest::default()), module("next", &strict())];
    let (world, one) = of(modules, vec![binding("team", "labels", candidate)]).await;
    let other = loaded(&world).await;
    for policies in [&one, &other, &one, &other, &other] {
        judge(policies).await.0.unwrap();
        policies.tell().await;
    }
    let told = shadow(&world, &one).await;
    assert_eq!((&told["judged"], &told["differed"]), (&json!(5), &json!(5)));
    assert_eq!(told["differences"].as_array().unwrap().len(), 5);

    // Other settings: what was counted is of another candidate.
    let mut changed = world.peek(BINDINGS, "", "team").unwrap();
    changed["spec"]["candidate"]["settings"] = json!({"a": 1});
    meta::set(&mut changed, "generation", 2);
    world.seed(BINDINGS, changed);
    let again = loaded(&world).await;
    assert_eq!(shadow(&world, &again).await["judged"].as_u64().unwrap_or(0), 0);
    judge(&again).await.0.unwrap();
    assert_eq!(shadow(&world, &again).await["judged"], 1);
    // What one counted before it saw the change is of nobody's interest any more.
    judge(&one).await.0.unwrap();
    assert_eq!(shadow(&world, &one).await["judged"], 1);
}

#[tokio::test]
async fn a_candidate_that_cannot_be_asked_changes_nothing() {
    let mutator = mutating(&["metadata.labels"], &[], "[]");
    let modules = vec![module("labels", &refusing()), module("label", &mutator)];
    for (candidate, words) in [("nobody", "it does not exist"), ("label", "it is a mutator")] {
        let object = binding("team", "labels", json!({"candidate": {"module": candidate}}));
        let (world, policies) = of(modules.clone(), vec![object]).await;
        assert!(judge(&policies).await.0.is_err());
        let message = shadow(&world, &policies).await["message"].as_str().unwrap().to_owned();
        assert!(message.contains(words), "{message}");

        // Another candidate in its place: nothing is told of this one, and the other way round.
        let told = |policies, generation: i64, module: &'static str| {
            let mut changed = world.peek(BINDINGS, "", "team").unwrap();
            changed["spec"]["candidate"]["module"] = module.into();
            meta::set(&mut changed, "generation", generation);
            world.seed(BINDINGS, changed);
            let world = world.clone();
            async move {
                let again = loaded(&world).await;
                drop::<Arc<Policies>>(policies);
                judge(&again).await.0.unwrap_err();
                (shadow(&world, &again).await, again)
            }
        };
        let (shadow, policies) = told(policies, 2, "labels").await;
        assert_eq!((shadow["message"].as_str().unwrap_or(""), &shadow["judged"]), ("", &json!(1)), "{shadow}");
        let (shadow, _) = told(policies, 3, candidate).await;
        assert!(shadow["message"].as_str().unwrap().contains(words), "{shadow}");
        assert_eq!((shadow["judged"].as_u64(), shadow["revision"].as_str()), (Some(0), Some("")), "{shadow}");
    }
}

#[tokio::test]
async fn a_binding_in_shadow_is_counted_and_nothing_follows() {
    let object = binding("team", "labels", json!({"action": "Shadow"}));
    let (world, policies) = of(vec![module("labels", &refusing())], vec![object]).await;
    let (answer, notes) = judge(&policies).await;
    answer.unwrap();
    assert_eq!(notes, Notes::default());
    assert_eq!(shadow(&world, &policies).await["differed"], 1);
}

#[tokio::test]
async fn a_mutator_in_shadow_is_compared_by_what_it_would_change() {
    let by = |who: &str| format!(r#"[{{"op":"add","path":"/metadata/labels/by","value":"{who}"}}]"#);
    let (one, two) = (by("one"), by("two"));
    let modules = vec![
        module("one", &mutating(&["metadata.labels"], &[], &one)),
        module("two", &mutating(&["metadata.labels"], &[], &two)),
    ];
    let (world, policies) = of(modules, vec![binding("team", "one", json!({"candidate": {"module": "two"}}))]).await;
    let (object, _) = changed(&policies).await;
    assert_eq!(meta::label(&object.unwrap(), "by"), Some("one"));
    let told = shadow(&world, &policies).await;
    assert_eq!(
        (&told["differences"][0]["current"], &told["differences"][0]["candidate"]),
        (&json!(r#"changed: /metadata/labels/by="one""#), &json!(r#"changed: /metadata/labels/by="two""#))
    );
}

#[tokio::test]
async fn two_mutators_of_one_field_are_told_of() {
    let by = |who: &str| format!(r#"[{{"op":"add","path":"/metadata/labels/by","value":"{who}"}}]"#);
    let (one, two) = (by("one"), by("two"));
    // What they read is another field, so that nobody is asked twice.
    let modules = vec![
        module("one", &mutating(&["metadata.labels"], &["spec"], &one)),
        module("two", &mutating(&["metadata.labels"], &["spec"], &two)),
    ];
    let bindings = vec![binding("a", "one", json!({})), binding("b", "two", json!({}))];
    let (_, policies) = of(modules, bindings).await;
    let (object, notes) = changed(&policies).await;
    assert_eq!(meta::label(&object.unwrap(), "by"), Some("two"));
    assert_eq!(notes.warnings, [r#"policies "a" and "b" both change /metadata/labels/by; what "b" says stands"#]);
    let (_, told) = notes.annotations.iter().find(|(key, _)| key == "mutation.policy.gatehouse.dev/paths").unwrap();
    let told: Value = serde_json::from_str(told).unwrap();
    let who: Vec<&str> =
        told["/metadata/labels/by"].as_str().unwrap().split(", ").map(|one| one.split('@').next().unwrap()).collect();
    assert_eq!(who, ["a", "b"]);
}

#[tokio::test]
async fn failures_become_an_event_on_the_binding() {
    let trap = Guest { body: "unreachable", ..Guest::default() };
    let mut bound = binding("team", "trap", json!({}));
    bound["metadata"]["uid"] = "e81a8045-b08d-4f94-b350-f2f6d0acac92".into();
    let (world, policies) = of(vec![module("trap", &trap)], vec![bound]).await;
    for round in [2, 3] {
        for _ in 0..round {
            judge(&policies).await.0.unwrap_err();
        }
        policies.tell().await;
    }
    let stored = world.peek(BINDINGS, "", "team").unwrap();
    let uid = meta::uid(&stored);
    let event = world.peek("v1/events", "default", &format!("team.{}.trap", &uid[..8])).unwrap();
    assert_eq!((&event["count"], &event["type"], &event["reason"]), (&json!(5), &json!("Warning"), &json!("PolicyFailed")));
    assert_eq!((&event["involvedObject"]["name"], &event["involvedObject"]["uid"]), (&json!("team"), &json!(uid)));
    let message = event["message"].as_str().unwrap();
    assert!(
        message.starts_with(r#"policy "team" could not judge: it trapped"#) && message.ends_with("(CREATE of pods)"),
        "{message}"
    );
}
