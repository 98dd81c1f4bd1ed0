//! Who changed what while mutators ran: every path with the policies that changed it, and where two meet.
//! Does not make changes (`mutate`).

use std::collections::BTreeMap;

use model::{Map, Value};

use super::set::Entry;
use crate::Notes;

/// Under which key the audit record says who changed what.
const ANNOTATION: &str = "mutation.policy.gatehouse.dev/paths";
/// Paths that are told of one change; a policy that rewrites an object has made its point by then.
const PATHS_MAX: usize = 128;

/// The changes of one request so far.
#[derive(Default)]
pub(super) struct Provenance(BTreeMap<String, Vec<String>>);

impl Provenance {
    /// Takes a binding's change, and warns where another one changed the same before.
    pub(super) fn record(&mut self, entry: &Entry, paths: &[String], notes: &mut Notes) {
        let name = &entry.binding.name;
        let own = format!("{name}@{}", entry.revision());
        for path in paths {
            for (earlier, policies) in self.0.iter().filter(|(earlier, _)| meet(earlier, path)) {
                for other in policies.iter().filter(|other| **other != own) {
                    let other = other.split('@').next().unwrap_or(other);
                    let place = if earlier.len() > path.len() { earlier } else { path };
                    notes.warn(format!("policies {other:?} and {name:?} both change {place}; what {name:?} says stands"));
                }
            }
            let policies = self.0.entry(path.clone()).or_default();
            policies.retain(|other| *other != own);
            policies.push(own.clone());
        }
    }

    /// Writes who changed what to the audit record.
    pub(super) fn annotate(self, notes: &mut Notes) {
        if self.0.is_empty() {
            return;
        }
        let all: Map = self.0.into_iter().map(|(path, policies)| (path, policies.join(", ").into())).collect();
        notes.annotations.retain(|(key, _)| key != ANNOTATION);
        notes.annotate(ANNOTATION, Value::Object(all).to_string());
    }
}

/// Whether one path is the other or lies below it.
fn meet(a: &str, b: &str) -> bool {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    long.strip_prefix(short).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The fields in which two objects differ, as JSON pointers; lists of another length are one field.
pub(super) fn changed(before: &Value, after: &Value) -> Vec<String> {
    let mut paths = Vec::new();
    compare(Some(before), Some(after), &mut String::new(), &mut paths);
    paths
}

fn compare(before: Option<&Value>, after: Option<&Value>, path: &mut String, paths: &mut Vec<String>) {
    if before == after || paths.len() == PATHS_MAX {
        return;
    }
    let (length, none) = (path.len(), Map::new());
    match (before, after) {
        (Some(Value::Array(from)), Some(Value::Array(to))) if from.len() == to.len() => {
            for (n, (from, to)) in from.iter().zip(to).enumerate() {
                path.push_str(&format!("/{n}"));
                compare(Some(from), Some(to), path, paths);
                path.truncate(length);
            }
        }
        _ => match (fields(before, &none), fields(after, &none)) {
            (Some(from), Some(to)) if !from.is_empty() || !to.is_empty() => {
                let added = to.keys().filter(|name| !from.contains_key(*name));
                for name in from.keys().chain(added) {
                    path.push('/');
                    path.push_str(&name.replace('~', "~0").replace('/', "~1"));
                    compare(from.get(name), to.get(name), path, paths);
                    path.truncate(length);
                }
            }
            _ => paths.push(path.clone()),
        },
    }
}

/// What is compared field by field. Of a map that comes or goes each field does: who adds the first label meets nobody who adds
/// another.
fn fields<'a>(value: Option<&'a Value>, none: &'a Map) -> Option<&'a Map> {
    match value {
        None => Some(none),
        Some(Value::Object(map)) => Some(map),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::json::json;

    #[test]
    fn tells_the_fields_that_differ() {
        let before = json!({"metadata": {"labels": {"a": "1"}}, "spec": {"list": [{"x": 1, "y": 2}], "gone": 1}});
        let after = json!({"metadata": {"labels": {"a": "1", "b/c": "2"}}, "spec": {"list": [{"x": 1, "y": 3}]}});
        assert_eq!(changed(&before, &after), ["/metadata/labels/b~1c", "/spec/list/0/y", "/spec/gone"]);
        assert_eq!(changed(&before, &before), Vec::<String>::new());
        assert_eq!(changed(&json!({"l": [1]}), &json!({"l": [1, 2]})), ["/l"]);
        assert_eq!(changed(&json!({}), &json!({"labels": {"a": "1"}, "empty": {}})), ["/labels/a", "/empty"]);
        assert_eq!(changed(&json!({"labels": {"a": {"b": 1}}}), &json!({})), ["/labels/a/b"]);
        assert_eq!(changed(&json!({"a": {"b": 1}}), &json!({"a": "text"})), ["/a"]);
    }

    #[test]
    fn paths_meet_when_one_holds_the_other() {
        for (a, b, expected) in [("/a/b", "/a/b", true), ("/a", "/a/b", true), ("/a/b", "/a/bc", false), ("/a/b/c", "/a/b", true)]
        {
            assert_eq!(meet(a, b), expected, "{a} {b}");
        }
    }
}
