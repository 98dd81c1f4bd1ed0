//! Who is shown the same again is not called again.

use super::*;

const PODS: &str = "v1/pods";
/// Numbers of parts of a request in the contract.
const UID: u8 = 0;
const USER: u8 = 2;

async fn validated(policies: &Arc<Policies>, object: &Value, user: &str) -> Option<String> {
    let (resource, user) = (world::gvr(PODS), User::new(user, &[]));
    let review = Review { user: &user, uid: &format!("{}-{object}", user.name), ..review(&resource, "default") };
    let outcome = within(policies, &review, Step::Validate, &mut object.clone(), &mut Notes::default()).await;
    outcome.err().map(|status| status.message)
}

fn named(name: &str) -> Value {
    let mut pod = pod();
    pod["metadata"]["name"] = name.into();
    pod
}

#[tokio::test]
async fn what_is_shown_again_is_answered_again_and_by_its_own_binding_alone() {
    let labels = Guest { reads: &["metadata.labels"], reads_request: &[], ..refusing() };
    let bindings = vec![binding("deny", "labels", json!({})), binding("warn", "labels", json!({"action": "Warn"}))];
    let (_, policies) = of(vec![module("labels", &labels)], bindings).await;
    let first = validated(&policies, &named("web"), "alice").await.unwrap();
    assert_eq!(policies.remembered(), 0, "two bindings, two answers");
    assert_eq!(validated(&policies, &named("other"), "bob").await.unwrap(), first);
    assert_eq!(policies.remembered(), 2);
    let mut otherwise = named("web");
    otherwise["metadata"]["labels"]["app"] = "db".into();
    validated(&policies, &otherwise, "alice").await.unwrap();
    assert_eq!(policies.remembered(), 2, "other labels");
    let counted: u64 = policies.metrics().snapshot().iter().map(|(.., series)| series.count).sum();
    assert_eq!(counted, 6, "an answer that is given again counts");
}

#[tokio::test]
async fn who_reads_what_differs_is_asked_each_time() {
    for (reads_request, remembered) in [(&[USER][..], 1), (&[UID], 0), (&[0, 1, 2, 3, 4, 5, 6], 0)] {
        let labels = Guest { reads: &["metadata.labels"], reads_request, ..refusing() };
        let (_, policies) = of(vec![module("labels", &labels)], vec![binding("deny", "labels", json!({}))]).await;
        for (name, user) in [("web", "alice"), ("other", "bob"), ("third", "alice")] {
            assert!(validated(&policies, &named(name), user).await.is_some());
        }
        assert_eq!(policies.remembered(), remembered, "{reads_request:?}");
    }
}

#[tokio::test]
async fn what_failed_is_tried_again() {
    let trap = Guest { reads_request: &[], body: "unreachable", ..Guest::default() };
    let (_, policies) = of(vec![module("trap", &trap)], vec![binding("trap", "trap", json!({}))]).await;
    for _ in 0..2 {
        assert!(validated(&policies, &pod(), "alice").await.unwrap().contains("unreachable"));
    }
    assert_eq!(policies.remembered(), 0);
}

#[tokio::test]
async fn another_revision_is_asked_anew() {
    let guest = |body| Guest { reads_request: &[], body, ..refusing() };
    let (world, policies) =
        of(vec![module("labels", &guest("(i32.const 2048)"))], vec![binding("deny", "labels", json!({}))]).await;
    let before = policies.set().validators[0].revision().to_owned();
    let following = tokio::spawn(policies.clone().follow());
    assert!(validated(&policies, &pod(), "alice").await.is_some());
    // Memory that nobody has written to holds the answer that allows.
    let mut fine = module("labels", &guest("(i32.const 200000)"));
    fine["metadata"]["generation"] = 2.into();
    world.update(&world::gvr(MODULES), "", fine).await.unwrap();
    until(|| policies.set().validators[0].revision() != before).await;
    assert_eq!(validated(&policies, &pod(), "alice").await, None);
    following.abort();
}

#[tokio::test]
async fn what_was_judged_when_it_was_written_is_not_judged_again_for_the_report() {
    let labels = Guest { reads: &["metadata.labels"], reads_request: &[], ..refusing() };
    let warn = json!({"action": "Warn"});
    let (world, policies) = of(vec![module("labels", &labels)], vec![binding("warn", "labels", warn)]).await;
    let following = tokio::spawn(policies.clone().follow());
    assert_eq!(validated(&policies, &pod(), "alice").await, None);
    world.create(&world::gvr(PODS), "default", pod()).await.unwrap();
    until(|| policies.reports().shown("default", "pods-web").is_some()).await;
    assert_eq!(policies.remembered(), 1);
    following.abort();
}

#[tokio::test]
async fn a_change_is_proposed_again() {
    let patch = r#"[{"op":"add","path":"/metadata/labels/team","value":"a"}]"#;
    let mutator =
        Guest { world: "mutator", writes: &["metadata.labels"], reads_request: &[], patch: Some(patch), ..Guest::default() };
    let (_, policies) = of(vec![module("team", &mutator)], vec![binding("team", "team", json!({}))]).await;
    for remembered in 0..3 {
        let mut pod = pod();
        ask(&policies, PODS, Step::Mutate, &mut pod, &mut Notes::default()).await.unwrap();
        assert_eq!(pod["metadata"]["labels"]["team"], "a");
        assert_eq!(policies.remembered(), remembered);
    }
}
