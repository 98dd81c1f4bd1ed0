//! Takes the paths of an extension server's version into our OpenAPI v2 document, with the definitions that they use.
//! Definitions of one name that say different things are kept apart by another name. Fetches nothing (`server::aggregation`).
//! Follows `k8s.io/kube-openapi/pkg/aggregator`.

use std::collections::{BTreeMap, BTreeSet};

use model::json::{Key, Map, Value, json};

/// Whom a definition describes; two that differ in nothing else are one.
const KINDS: &str = "x-kubernetes-group-version-kind";
/// What documents share under names, and how it is referred to.
const SHARED: [&str; 2] = ["definitions", "parameters"];

/// Adds what lies below `prefix` in another document and is not there yet.
pub(super) fn merge(whole: &mut Value, other: &Value, prefix: &str) {
    let known = |path: &str| whole.pointer("/paths").and_then(|paths| paths.get(path)).is_some();
    let kept = cloned(members(other, "paths").filter(|(path, _)| path.starts_with(prefix) && !known(path)));
    if kept.is_empty() {
        return;
    }
    let mut part = json!({ "paths": kept });
    let (before, after) = (used(other), closure(other, &part));
    for shared in SHARED {
        let is_kept = |name: &str| {
            let reference = format!("#/{shared}/{name}");
            after.contains(&reference) || !before.contains(&reference)
        };
        part[shared] = cloned(members(other, shared).filter(|(name, _)| is_kept(name))).into();
    }
    for shared in SHARED {
        let renamed = renames(whole, &part, shared);
        rename(&mut part, &renamed, shared);
    }
    for shared in ["definitions", "parameters", "paths"] {
        take(whole, &part, shared);
    }
}

fn members<'a>(document: &'a Value, field: &str) -> impl Iterator<Item = (&'a str, &'a Value)> + use<'a> {
    document.get(field).and_then(Value::as_object).into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

fn cloned<'a>(some: impl Iterator<Item = (&'a str, &'a Value)>) -> Map {
    some.map(|(name, value)| (Key::from(name), value.clone())).collect()
}

/// Everything that a document refers to.
fn used(document: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    references(document, &mut |reference| {
        found.insert(reference.clone());
    });
    found
}

/// Everything that a part of a document refers to, through what that refers to as well.
fn closure(document: &Value, part: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open: Vec<String> = used(part).into_iter().collect();
    while let Some(reference) = open.pop() {
        let target = reference.strip_prefix("#/").and_then(|path| path.split_once('/'));
        if let Some(target) = target.and_then(|(shared, name)| document.get(shared)?.get(name)) {
            open.extend(used(target).into_iter().filter(|next| !found.contains(next)));
        }
        found.insert(reference);
    }
    found
}

fn references(value: &Value, seen: &mut impl FnMut(&String)) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match field {
                    Value::String(reference) if name.as_str() == "$ref" => seen(&reference.to_string()),
                    field => references(field, seen),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, seen)),
        _ => {}
    }
}

/// Names under which what differs from ours is taken.
fn renames(whole: &Value, part: &Value, shared: &str) -> BTreeMap<String, String> {
    let ours = whole.get(shared).and_then(Value::as_object);
    let found = |name: &str| ours.and_then(|ours| ours.get(name));
    let mut taken: BTreeSet<String> = BTreeSet::new();
    let mut renamed = BTreeMap::new();
    for (name, theirs) in members(part, shared) {
        if found(name).is_none_or(|ours| is_same(ours, theirs)) {
            continue;
        }
        let free = (2..).map(|number| format!("{name}_v{number}")).find(|candidate| match found(candidate) {
            Some(ours) => is_same(ours, theirs),
            None => !taken.contains(candidate) && members(part, shared).all(|(other, _)| other != candidate),
        });
        if let Some(free) = free {
            taken.insert(free.clone());
            renamed.insert(name.to_owned(), free);
        }
    }
    renamed
}

/// Whether two definitions say the same of what they describe, whosever kind that is.
fn is_same(one: &Value, other: &Value) -> bool {
    let without = |value: &Value| {
        let mut value = value.clone();
        if let Some(fields) = value.as_object_mut() {
            fields.remove(KINDS);
        }
        value
    };
    without(one) == without(other)
}

fn rename(part: &mut Value, renamed: &BTreeMap<String, String>, shared: &str) {
    if renamed.is_empty() {
        return;
    }
    let references = renamed.iter().map(|(from, to)| (format!("#/{shared}/{from}"), format!("#/{shared}/{to}"))).collect();
    redirect(part, &references);
    if let Some(named) = part.get_mut(shared).and_then(Value::as_object_mut) {
        *named = std::mem::take(named)
            .into_iter()
            .map(|(name, value)| (renamed.get(name.as_str()).map_or(name, |new| new.as_str().into()), value))
            .collect();
    }
}

fn redirect(value: &mut Value, references: &BTreeMap<String, String>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                let to = field.as_str().filter(|_| name.as_str() == "$ref").and_then(|from| references.get(from));
                match to {
                    Some(to) => *field = to.as_str().into(),
                    None => redirect(field, references),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| redirect(item, references)),
        _ => {}
    }
}

/// Copies what is not there; of what is, the kinds are joined.
fn take(whole: &mut Value, part: &Value, field: &str) {
    if members(part, field).next().is_none() {
        return;
    }
    if whole.get(field).is_none_or(|known| !known.is_object()) {
        whole[field] = json!({});
    }
    let Some(ours) = whole.get_mut(field).and_then(Value::as_object_mut) else { return };
    for (name, theirs) in members(part, field) {
        match ours.get_mut(name) {
            None => drop(ours.insert(name, theirs.clone())),
            Some(known) if field == "definitions" => join_kinds(known, theirs),
            Some(_) => {}
        }
    }
    ours.sort_keys();
}

fn join_kinds(ours: &mut Value, theirs: &Value) {
    let Some(more) = theirs.get(KINDS).and_then(Value::as_array) else { return };
    let mut kinds = ours.get(KINDS).and_then(Value::as_array).cloned().unwrap_or_default();
    let known = kinds.len();
    for kind in more {
        if !kinds.contains(kind) {
            kinds.push(kind.clone());
        }
    }
    if kinds.len() > known {
        let text = |kind: &Value, field: &str| kind.get(field).and_then(Value::as_str).unwrap_or("").to_owned();
        kinds.sort_by_cached_key(|kind| format!("{}/{}.{}", text(kind, "group"), text(kind, "version"), text(kind, "kind")));
        ours[KINDS] = kinds.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refers(name: &str) -> Value {
        json!({"get": {"schema": {"$ref": format!("#/definitions/{name}")}}})
    }

    #[test]
    fn only_what_lies_below_the_version_comes_with_what_it_uses() {
        let mut whole = json!({"paths": {"/api/v1/pods": {}}, "definitions": {"Meta": {"type": "object"}}});
        let other = json!({
            "paths": {"/apis/g/v1/things": refers("Thing"), "/apis/h/v1/others": refers("Other")},
            "definitions": {
                "Thing": {"properties": {"metadata": {"$ref": "#/definitions/Meta"}}},
                "Meta": {"type": "object"}, "Other": {"type": "string"}, "Loose": {"type": "number"},
            },
        });
        merge(&mut whole, &other, "/apis/g/v1/");
        let names = |field: &str| members(&whole, field).map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
        assert_eq!(names("paths"), ["/api/v1/pods", "/apis/g/v1/things"]);
        assert_eq!(names("definitions"), ["Loose", "Meta", "Thing"], "what nobody ever used stays, as upstream keeps it");
    }

    #[test]
    fn what_differs_gets_another_name() {
        let own = json!({"type": "object", KINDS: [{"group": "g", "version": "v1", "kind": "Meta"}]});
        let mut whole = json!({"paths": {}, "definitions": {"Meta": own, "Same": {"type": "string"}, "Thing_v2": {}, "Thing": {"type": "string"}}});
        let other = json!({
            "paths": {"/apis/g/v1/things": refers("Thing"), "/apis/g/v1/metas": refers("Meta"), "/apis/g/v1/same": refers("Same")},
            "definitions": {
                "Thing": {"type": "object", "properties": {"inner": {"$ref": "#/definitions/Thing"}}},
                "Meta": {"type": "object", KINDS: [{"group": "a", "version": "v1", "kind": "Meta"}]},
                "Same": {"type": "string"},
            },
        });
        merge(&mut whole, &other, "/apis/g/v1/");
        assert_eq!(whole.pointer("/paths/~1apis~1g~1v1~1things"), Some(&refers("Thing_v3")));
        let renamed = json!({"type": "object", "properties": {"inner": {"$ref": "#/definitions/Thing_v3"}}});
        assert_eq!(whole["definitions"]["Thing_v3"], renamed);
        assert_eq!(whole["definitions"]["Thing"], json!({"type": "string"}), "ours stays as it is");
        assert_eq!(whole["definitions"]["Meta"][KINDS][0]["group"], "a", "kinds of one definition are joined in order");
        assert_eq!(whole["definitions"]["Meta"][KINDS].as_array().map(Vec::len), Some(2));
        let before = whole.clone();
        merge(&mut whole, &other, "/apis/g/v1/");
        assert_eq!(whole, before, "paths that are there stay as they are");
    }
}
