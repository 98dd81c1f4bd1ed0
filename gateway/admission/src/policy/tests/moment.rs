//! Calls that are made where the request is, and one that takes longer than it did.

use super::*;

/// Judges what is small at once, and does not come to an end with anything else.
const SMALL_ONLY: &str = "(if (i32.gt_u (i32.load (i32.add (local.get 0) (i32.const 160))) (i32.const 400)) (then (loop (br 0))))
    (i32.const 2048)";

async fn reason(policies: &Arc<Policies>, object: &mut Value) -> Value {
    let mut notes = Notes::default();
    let answer = ask(policies, "v1/pods", Step::Validate, object, &mut notes).await;
    if answer.is_ok() { Value::Null } else { annotation(&notes, "small")["reason"].clone() }
}

#[tokio::test]
async fn who_was_quick_and_is_not_has_its_deadline_elsewhere() {
    let guest = Guest { body: SMALL_ONLY, ..Guest::default() };
    let (_, policies) = of(vec![module("small", &guest)], vec![binding("small", "small", json!({}))]).await;
    let mut large = pod();
    large["metadata"]["annotations"] = json!({"long": "x".repeat(400)});
    for _ in 0..2 {
        // The last of these are made at once, the large one begins so too.
        for _ in 0..40 {
            assert_eq!(reason(&policies, &mut pod()).await, Value::Null);
        }
        assert_eq!(reason(&policies, &mut large).await, "timeout");
    }
}

#[tokio::test]
async fn one_request_with_many_calls_lets_others_have_their_turn() {
    let looping = Guest { body: "(loop (br 0)) (unreachable)", ..Guest::default() };
    let slow = |n: usize| {
        let more = json!({"failurePolicy": "Ignore", "deadlineMilliseconds": 10});
        binding(&format!("slow{n}"), "slow", more)
    };
    let mut other = binding("other", "labels", json!({}));
    other["spec"]["matchConstraints"]["resourceRules"][0]["resources"] = json!(["configmaps"]);
    let bindings = (0..40).map(slow).chain([other]).collect();
    let (_, policies) = of(vec![module("slow", &looping), module("labels", &refusing())], bindings).await;
    let order = std::cell::RefCell::new(Vec::new());
    let judged = async |resource: &'static str| {
        let answer = ask(&policies, resource, Step::Validate, &mut pod(), &mut Notes::default()).await;
        order.borrow_mut().push((resource, answer.is_ok()));
    };
    // The first holds every thread when the other comes.
    futures::join!(judged("v1/pods"), judged("v1/configmaps"));
    assert_eq!(*order.borrow(), [("v1/configmaps", false), ("v1/pods", true)]);
}
