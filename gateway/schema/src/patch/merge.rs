//! JSON merge patch, RFC 7386: maps merge, null removes, everything else replaces.

use codec::json::Spellings;
use model::Status;
use model::json::{Map, Value};

use super::object;

/// A merge patch, read.
#[derive(Clone, Debug, PartialEq)]
pub struct MergePatch {
    patch: Map,
    /// Upstream's library merges texts, not what they mean.
    spelt: Spellings<'static>,
    /// Duplicate fields of the patch itself, for strict decoding.
    pub duplicates: Vec<String>,
}

impl MergePatch {
    /// Reads a body. Fails with 400 when it is no JSON object.
    pub fn parse(body: &[u8]) -> Result<Self, Status> {
        if body.trim_ascii() == b"null" {
            return Err(Status::bad_request("Invalid JSON Patch"));
        }
        let (patch, duplicates) = object(body, "error decoding patch: ")?;
        Ok(Self { patch, spelt: Spellings::of(body.to_vec()), duplicates })
    }

    /// Changes an object.
    pub fn apply(&self, target: &mut Value) {
        merge(target, &self.patch);
    }

    /// How a number of a changed object is spelt, where the patch brought it and spells it otherwise than it is printed.
    pub fn spelling(&self, path: &str) -> Option<String> {
        self.spelt.at(path)
    }

    /// Sorts the maps of a changed object as upstream's library writes them: those that the patch went through, and all that
    /// it brought. What it passed by stays as it was read.
    pub fn sort_touched(&self, target: &mut Value, before: &Value) {
        sort_touched(target, &self.patch, before);
    }
}

fn sort_touched(target: &mut Value, patch: &Map, before: &Value) {
    let Value::Object(map) = target else { return };
    map.sort_keys();
    for (key, value) in patch {
        match (map.get_mut(key), value, before.get(key)) {
            (Some(changed), Value::Object(inner), Some(before @ Value::Object(_))) => sort_touched(changed, inner, before),
            (Some(changed), _, _) => changed.sort_all_objects(),
            (None, _, _) => {}
        }
    }
}

/// Merges into an object; what is none becomes one.
fn merge(target: &mut Value, patch: &Map) {
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(map) = target else { return };
    for (key, value) in patch {
        match (map.get_mut(key), value) {
            (_, Value::Null) => {
                map.shift_remove(key);
            }
            (Some(current @ Value::Object(_)), Value::Object(inner)) => merge(current, inner),
            (Some(current @ Value::Object(_)), value) => *current = value.clone(),
            (_, value) => {
                map.insert(key.clone(), without_nulls(value));
            }
        }
    }
}

/// A value that meets nothing to merge with: members that are null vanish, those of objects in lists too, which goes
/// beyond the RFC. Elements that are null stay.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            map.iter().filter(|(_, value)| !value.is_null()).map(|(key, value)| (key.clone(), without_nulls(value))).collect()
        }
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use model::json::json;
    use proptest::prelude::*;

    use super::*;

    fn merged(mut target: Value, patch: &Value) -> Value {
        MergePatch::parse(patch.to_string().as_bytes()).expect("an object").apply(&mut target);
        target
    }

    #[test]
    fn what_a_patch_touched_is_sorted_and_nothing_else() {
        let before: Value = serde_json::from_str(r#"{"z":{"y":1,"x":{"b":1,"a":2}},"m":{"q":1,"p":2}}"#).expect("JSON");
        let patch = MergePatch::parse(br#"{"z":{"c":{"f":1,"e":2}}}"#).expect("an object");
        let mut after = before.clone();
        patch.apply(&mut after);
        patch.sort_touched(&mut after, &before);
        assert_eq!(after.to_string(), r#"{"m":{"q":1,"p":2},"z":{"c":{"e":2,"f":1},"x":{"b":1,"a":2},"y":1}}"#);
    }

    /// The examples of RFC 7386, appendix A, that patch with an object.
    #[test]
    fn examples_of_the_rfc() {
        for (target, patch, result) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (json!({}), json!({"a": [null, {"b": null}]}), json!({"a": [null, {}]})),
            (json!({"a": {}}), json!({"a": [null, {"b": null}]}), json!({"a": [null, {"b": null}]})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            assert_eq!(merged(target, &patch), result, "{patch}");
        }
    }

    #[test]
    fn numbers_keep_their_spelling() {
        let patch = MergePatch::parse(br#"{"a":{"b":[1e2,1]}}"#).expect("an object");
        assert_eq!(patch.spelling("a.b[0]").as_deref(), Some("1e2"));
        assert_eq!(patch.spelling("a.b[1]"), None);
    }

    #[test]
    fn what_is_no_patch() {
        let refused = |body: &str| MergePatch::parse(body.as_bytes()).expect_err(body);
        assert_eq!((refused("{").code, refused("{").message.as_str()), (400, "invalid JSON patch"));
        assert_eq!(refused("null").message, "Invalid JSON Patch");
        assert_eq!(
            refused("[]").message,
            "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}"
        );
    }

    proptest! {
        #[test]
        fn applying_twice_is_applying_once(a in "[a-c]", b in "[a-c]", x in 0..3i64) {
            let patch = json!({a.clone(): {b.clone(): x}, b: null});
            let once = merged(json!({a: {"z": 1}}), &patch);
            prop_assert_eq!(merged(once.clone(), &patch), once);
        }
    }
}
