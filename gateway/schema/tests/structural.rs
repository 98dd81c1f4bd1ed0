//! What upstream makes of many hundred custom objects and says of them (`structural/*.jsonl`, answered by
//! `conformance/customresource`), and that ours is the same: what is pruned, what is filled in, and the errors, in their
//! order where upstream's does not change from time to time. Tests no HTTP.

use std::collections::HashMap;

use model::field::Errors;
use model::json::Value;
use schema::Structural;
use schema::structural::Part;

fn texts(value: &Value) -> Vec<String> {
    value.as_array().map_or(Vec::new(), |list| list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

/// The same with `1` for `1.0`, as Go writes it.
fn whole(value: &Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(fields.iter().map(|(name, value)| (name.clone(), whole(value))).collect()),
        Value::Array(items) => items.iter().map(whole).collect(),
        Value::Number(number) if number.as_f64().is_some_and(|n| number.is_f64() && n.fract() == 0.0 && n.abs() < 1e15) => {
            Value::from(number.as_f64().unwrap_or_default() as i64)
        }
        other => other.clone(),
    }
}

/// As a request's body is read.
fn prepared(schema: &Structural, object: &Value, unknown: &mut Vec<String>) -> Value {
    let mut object = object.clone();
    schema.prune(&mut object, unknown);
    schema.default(&mut object);
    object["apiVersion"] = "example.com/v1".into();
    object["kind"] = "Thing".into();
    object["metadata"]["name"] = "one".into();
    object["metadata"]["namespace"] = "default".into();
    object["metadata"]["resourceVersion"] = "1".into();
    object
}

/// Asks every line; how many there were, and where we differ.
fn ask(lines: &str) -> (usize, Vec<String>) {
    let named: Value = serde_json::from_str(include_str!("structural/schemas.json")).expect("schemas");
    let mut parsed: HashMap<String, Structural> = HashMap::new();
    let mut wrong = Vec::new();
    for line in lines.lines() {
        let case: Value = serde_json::from_str(line).expect("case");
        let schema = case["schema"].as_str().map_or(&case["schema"], |name| &named[name]);
        let schema =
            parsed.entry(case["schema"].to_string()).or_insert_with(|| Structural::parse(schema).expect("a structural schema"));
        let mut unknown = Vec::new();
        let new = prepared(schema, &case["new"], &mut unknown);
        let old = case.get("old").map(|old| prepared(schema, old, &mut Vec::new()));
        let part = if case["status"] == true { Part::Status } else { Part::Whole };
        let (mut errors, mut warnings) = (Errors::new(), Vec::new());
        schema.validate_values(part, &new, old.as_ref(), &mut errors);
        schema.validate_invariants(part, &new, old.as_ref(), &mut errors, &mut warnings);
        let mut said: Vec<String> = errors.0.iter().map(ToString::to_string).collect();
        if case["any"] == true {
            said.sort_unstable();
        }
        let shown = format!("{} {} {}", case["schema"], case["new"], case["old"]);
        for (what, ours, theirs) in [
            ("errors", said, texts(&case["errors"])),
            ("unknown", unknown, texts(&case["unknown"])),
            ("warnings", warnings, texts(&case["warnings"])),
        ] {
            if ours != theirs {
                wrong.push(format!("{shown}\n  {what} {ours:?}\n  upstream's {theirs:?}"));
            }
        }
        if whole(&new) != case["made"] {
            wrong.push(format!("{shown}\n  made {new}\n  upstream's {}", case["made"]));
        }
    }
    (lines.lines().count(), wrong)
}

#[test]
fn objects_are_judged_as_upstream_judges_them() {
    let (count, wrong) = ask(include_str!("structural/cases.jsonl"));
    assert!(count > 1_400, "only {count} cases");
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn rules_run_as_upstream_runs_them() {
    let (count, wrong) = ask(include_str!("structural/rules.jsonl"));
    assert!(count > 40, "only {count} cases");
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
}
