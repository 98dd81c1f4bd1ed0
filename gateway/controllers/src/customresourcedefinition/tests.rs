//! Conditions and names of definitions, one rule each.

use model::json::json;

use super::*;

#[test]
fn a_conditions_time_moves_with_its_status() {
    let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let later: Timestamp = "2026-01-02T00:00:00Z".parse().unwrap();
    let mut definition = json!({});
    Condition::new("Established", "False", "A", "a").set(&mut definition, now);
    let second = Condition::new("Established", "False", "B", "b");
    second.set(&mut definition, later);
    assert!(second.is_in(&definition));
    assert_eq!(condition(&definition, "Established").map(|c| text(c, "lastTransitionTime")), Some("2026-01-01T00:00:00Z"));
    Condition::new("Established", "True", "B", "b").set(&mut definition, later);
    assert_eq!(condition(&definition, "Established").map(|c| text(c, "lastTransitionTime")), Some("2026-01-02T00:00:00Z"));
    assert_eq!(definition["status"]["conditions"].as_array().map(Vec::len), Some(1));
}
