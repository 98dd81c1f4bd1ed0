//! Updates of which a binding is not asked, because they only let an object go: who takes a finalizer or an owner off, or
//! writes to what is being deleted, must not be held up by what the object was before the binding was there. Whatever the
//! policy could have another opinion of after the update than before is judged. Does not match requests (`concern`).

use model::{Value, meta};
use wasm::RequestPart;

use super::set::Entry;
use crate::Operation;

/// What an update that lets go may change; owners and finalizers are compared by themselves.
const LET_GO: [&str; 4] = ["finalizers", "ownerReferences", "managedFields", "resourceVersion"];

/// Whether a binding has nothing to say of an update: the object is being deleted, or is let go and nothing else, and what
/// the module is shown of it stays as it is. Who judges by the requester or by conditions may mean this very update.
pub(super) fn is_spared(entry: &Entry, operation: Operation, object: Option<&Value>, old: Option<&Value>) -> bool {
    let (Operation::Update, Some(object), Some(old)) = (operation, object, old) else { return false };
    let Ok(policy) = &entry.policy else { return false };
    let asks_who = |part: &RequestPart| matches!(part, RequestPart::User | RequestPart::Options);
    entry.binding.conditions.is_empty()
        && !policy.module.metadata.reads_request.iter().any(asks_who)
        && !entry.is_shown_another(old, object)
        && (meta::deletion_timestamp(old).is_some() || lets_go(old, object))
}

/// Whether an update takes finalizers or owners off, or lets an owner go before the object is gone, and does nothing else.
fn lets_go(old: &Value, object: &Value) -> bool {
    let (finalizers, kept_finalizers) = (meta::finalizers(old), meta::finalizers(object));
    let (owners, kept_owners) = (meta::owner_references(old), meta::owner_references(object));
    (finalizers != kept_finalizers || owners != kept_owners)
        && are_of(&kept_finalizers, &finalizers, |kept, was| kept == was)
        && are_of(kept_owners, owners, is_kept)
        && is_same_otherwise(old, object)
}

/// Whether all that is kept was there before, in that order: one walk, however long a list somebody sends.
fn are_of<T>(kept: &[T], before: &[T], is_same: impl Fn(&T, &T) -> bool) -> bool {
    let mut before = before.iter();
    kept.iter().all(|kept| before.by_ref().any(|was| is_same(kept, was)))
}

/// Whether an owner is the one that it was; that it waits for the object no longer is what a foreground deletion needs.
fn is_kept(kept: &Value, was: &Value) -> bool {
    let blocks = |owner: &Value| owner.get("blockOwnerDeletion").and_then(Value::as_bool).unwrap_or(false);
    let same = |one: &Value, other: &Value| differ_nowhere_but(one, other, &["blockOwnerDeletion"]);
    (blocks(was) || !blocks(kept)) && same(kept, was)
}

fn is_same_otherwise(old: &Value, object: &Value) -> bool {
    let metadata = |object: &Value| object.get("metadata").cloned().unwrap_or_default();
    differ_nowhere_but(old, object, &["metadata"]) && differ_nowhere_but(&metadata(old), &metadata(object), &LET_GO)
}

/// Whether two maps are the same but for some of their fields.
fn differ_nowhere_but(one: &Value, other: &Value, fields: &[&str]) -> bool {
    let (Some(map), Some(with)) = (one.as_object(), other.as_object()) else { return one == other };
    let counts = |name: &str| !fields.contains(&name);
    map.iter().all(|(name, value)| !counts(name) || with.get(name) == Some(value))
        && with.keys().all(|name| !counts(name) || map.contains_key(name))
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    #[test]
    fn who_takes_finalizers_or_owners_off_lets_go() {
        let owner = |uid: &str, blocks: bool| json!({"uid": uid, "kind": "Job", "blockOwnerDeletion": blocks});
        let old = json!({"metadata": {"name": "web", "uid": "1", "resourceVersion": "5", "finalizers": ["a", "b"],
            "ownerReferences": [owner("x", true), owner("y", true)], "managedFields": [1]}, "spec": {"image": "nginx"}});
        let changed = |changes: Value| {
            let mut object = old.clone();
            for (pointer, value) in changes.as_object().unwrap() {
                *object.pointer_mut(pointer).unwrap() = value.clone();
            }
            lets_go(&old, &object)
        };
        for (changes, lets) in [
            (json!({}), false),
            (json!({"/metadata/managedFields": []}), false),
            (json!({"/metadata/finalizers": ["b"]}), true),
            (json!({"/metadata/finalizers": [], "/metadata/managedFields": [], "/metadata/resourceVersion": ""}), true),
            (json!({"/metadata/ownerReferences": [owner("y", true)]}), true),
            (json!({"/metadata/ownerReferences": [owner("x", false), owner("y", true)]}), true),
            // Whoever adds or exchanges something does more than letting go.
            (json!({"/metadata/finalizers": ["a", "b", "c"]}), false),
            (json!({"/metadata/finalizers": ["c"]}), false),
            (json!({"/metadata/finalizers": ["b", "a"]}), false),
            (json!({"/metadata/finalizers": ["a"], "/metadata/ownerReferences": [owner("z", true)]}), false),
            (json!({"/metadata/finalizers": ["a"], "/spec/image": "evil"}), false),
            (json!({"/metadata/finalizers": ["a"], "/metadata/name": "db"}), false),
        ] {
            assert_eq!(changed(changes.clone()), lets, "{changes}");
        }
        let mut labelled = old.clone();
        labelled["metadata"]["finalizers"] = json!([]);
        labelled["metadata"]["labels"] = json!({"a": "b"});
        assert!(!lets_go(&old, &labelled) && !lets_go(&labelled, &old));
        let blocking = json!({"metadata": {"finalizers": [], "ownerReferences": [owner("x", true)]}});
        let free = json!({"metadata": {"finalizers": ["a"], "ownerReferences": [owner("x", false)]}});
        assert!(!lets_go(&free, &blocking), "who makes an owner wait does more than letting go");
    }
}
