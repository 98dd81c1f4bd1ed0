//! The form of a case: which fields it has, and what may stand in each. A word that nobody reads, such as `alowed`, would make
//! a case pass that looks at nothing. Judges nothing (`cases`).

use model::json::Value;

/// What may stand in a field.
enum Form {
    /// Whatever the policy makes of it.
    Any,
    Text,
    Truth,
    /// A map of anything: an object of the cluster.
    Map,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A map with these fields and no other.
    Fields(&'static [Field]),
    /// A list of such.
    Each(&'static Self),
}

type Field = (&'static str, Form);

const CASE: &[Field] = &[
    ("name", Form::Text),
    ("settings", Form::Any),
    ("request", Form::Fields(REQUEST)),
    ("object", Form::Map),
    ("old", Form::Map),
    ("params", Form::Map),
    ("cluster", Form::Any),
    ("authorizer", Form::Each(&Form::Fields(RULE))),
    ("each", Form::Text),
    ("expect", Form::Fields(EXPECT)),
];

const REQUEST: &[Field] = &[
    ("operation", Form::OneOf(&["CREATE", "UPDATE", "DELETE", "CONNECT"])),
    ("user", Form::Text),
    ("groups", Form::Each(&Form::Text)),
    ("resource", Form::Text),
    ("subresource", Form::Text),
    ("namespace", Form::Text),
    ("name", Form::Text),
    ("dryRun", Form::Truth),
    ("origin", Form::OneOf(&["write", "scan"])),
];

const RULE: &[Field] = &[
    ("user", Form::Text),
    ("verb", Form::Text),
    ("group", Form::Text),
    ("resource", Form::Text),
    ("subresource", Form::Text),
    ("namespace", Form::Text),
    ("name", Form::Text),
];

const EXPECT: &[Field] = &[
    ("allowed", Form::Truth),
    ("violations", Form::Each(&Form::Fields(VIOLATION))),
    ("warnings", Form::Each(&Form::Text)),
    ("object", Form::Map),
    ("unchanged", Form::Truth),
    ("settings", Form::Text),
    ("error", Form::Text),
    ("asked", Form::Truth),
];

const VIOLATION: &[Field] = &[("rule", Form::Text), ("field", Form::Text), ("message", Form::Text), ("code", Form::Text)];

/// The first thing of a case that nobody would read, or that makes no sense.
pub(super) fn check(case: &Value) -> Result<(), String> {
    fits(case, &Form::Fields(CASE), "the case")?;
    let has = |field: &str| !case[field].is_null();
    match case["request"]["operation"].as_str() {
        Some("DELETE") if has("object") => Err("a DELETE has what is deleted in `old`, and no `object`".to_owned()),
        Some("CREATE") if has("old") => Err("a CREATE has no `old`".to_owned()),
        _ => Ok(()),
    }
}

/// The operation that fits what a case or a command gives, where nobody says which.
pub(super) fn operation(has_object: bool, has_old: bool) -> &'static str {
    match (has_object, has_old) {
        (true, true) => "UPDATE",
        (false, true) => "DELETE",
        (_, false) => "CREATE",
    }
}

fn fits(value: &Value, form: &Form, at: &str) -> Result<(), String> {
    let must = |what: &str| Err(format!("{at} must be {what}"));
    match (form, value) {
        (Form::Any, _) | (_, Value::Null) | (Form::Text, Value::String(_)) | (Form::Truth, Value::Bool(_)) => Ok(()),
        (Form::Map, Value::Object(_)) => Ok(()),
        (Form::OneOf(words), Value::String(word)) if words.contains(&word.as_str()) => Ok(()),
        (Form::Fields(known), Value::Object(map)) => map.iter().try_for_each(|(name, value)| {
            let (_, form) = known.iter().find(|(known, _)| *known == &**name).ok_or_else(|| unknown(name, known, at))?;
            fits(value, form, name)
        }),
        (Form::Each(form), Value::Array(items)) => {
            items.iter().enumerate().try_for_each(|(n, item)| fits(item, form, &format!("{at}[{n}]")))
        }
        (Form::Text, _) => must("a text"),
        (Form::Truth, _) => must("true or false"),
        (Form::Map | Form::Fields(_), _) => must("a map"),
        (Form::OneOf(words), _) => must(&format!("one of {}", words.join(", "))),
        (Form::Each(_), _) => must("a list"),
    }
}

fn unknown(name: &str, known: &[Field], at: &str) -> String {
    let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
    format!("{at} has no field {name:?}; there are {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    #[test]
    fn what_nobody_reads_is_told() {
        for (case, told) in [
            (json!({"name": "a", "settings": {"x": 1}, "object": {}, "expect": {"allowed": true}}), None),
            (json!({"expect": {"alowed": true}}), Some("expect has no field \"alowed\"; there are allowed, violations, ")),
            (json!({"setings": {}}), Some("the case has no field \"setings\"; there are name, settings, ")),
            (json!({"expect": {"violations": {"rule": "a"}}}), Some("violations must be a list")),
            (json!({"expect": {"violations": ["a"]}}), Some("violations[0] must be a map")),
            (json!({"expect": {"violations": [{"rules": "a"}]}}), Some("violations[0] has no field \"rules\"")),
            (json!({"expect": {"warnings": "a"}}), Some("warnings must be a list")),
            (json!({"expect": {"allowed": "no"}}), Some("allowed must be true or false")),
            (json!({"request": {"origin": "scans"}}), Some("origin must be one of write, scan")),
            (json!({"authorizer": [{"verbs": "get"}]}), Some("authorizer[0] has no field \"verbs\"")),
            (json!({"request": {"operation": "DELETE"}, "object": {}}), Some("a DELETE has what is deleted in `old`")),
            (json!({"request": {"operation": "CREATE"}, "object": {}, "old": {}}), Some("a CREATE has no `old`")),
            (json!("a"), Some("the case must be a map")),
        ] {
            match (check(&case), told) {
                (Ok(()), None) => {}
                (Err(why), Some(told)) => assert!(why.starts_with(told), "{why}"),
                (got, told) => panic!("{case}: {got:?}, not {told:?}"),
            }
        }
    }

    #[test]
    fn an_operation_is_that_of_what_is_there() {
        assert_eq!([(true, false), (true, true), (false, true)].map(|(a, b)| operation(a, b)), ["CREATE", "UPDATE", "DELETE"]);
    }
}
