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
