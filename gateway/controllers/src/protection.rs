//! What the controllers of protected storage objects share: who wears the finalizer, and when it comes off.
//! Follows `pkg/controller/volume/protectionutil`. Does not know what uses an object.

use model::{Value, meta};

/// What the finalizer asks for, seen from the object alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The object stays and wears it, or is none of ours any more.
    Nothing,
    /// The object stays and lacks it: it is older than the admission plugin.
    Add,
    /// The object is to go: the finalizer comes off once nothing uses it.
    RemoveUnlessUsed,
}

/// What to do about an object.
pub(crate) fn wanted(object: &Value, finalizer: &str) -> Wanted {
    match (meta::deletion_timestamp(object).is_some(), meta::finalizers(object).contains(&finalizer)) {
        (false, false) => Wanted::Add,
        (true, true) => Wanted::RemoveUnlessUsed,
        _ => Wanted::Nothing,
    }
}

/// The object as it must become, if it must change. `is_used` is asked only where it counts.
pub(crate) fn decide(object: &Value, finalizer: &str, is_used: impl FnOnce() -> bool) -> Option<Value> {
    let mut finalizers = meta::finalizers(object);
    match wanted(object, finalizer) {
        Wanted::Add => finalizers.push(finalizer),
        Wanted::RemoveUnlessUsed if !is_used() => finalizers.retain(|other| *other != finalizer),
        _ => return None,
    }
    let finalizers: Value = finalizers.into();
    let mut object = object.clone();
    meta::set(&mut object, "finalizers", finalizers);
    Some(object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::json::json;

    #[test]
    fn it_is_put_on_what_stays_and_taken_off_what_goes_unused() {
        let object = |metadata: Value| json!({"metadata": metadata});
        let decided =
            |metadata: Value, used: bool| decide(&object(metadata), "f", || used).map(|o| o["metadata"]["finalizers"].clone());
        assert_eq!(decided(json!({}), true), Some(json!(["f"])));
        assert_eq!(decided(json!({"finalizers": ["f"]}), false), None);
        assert_eq!(decided(json!({"finalizers": ["g", "f"], "deletionTimestamp": "t"}), true), None);
        assert_eq!(decided(json!({"finalizers": ["g", "f"], "deletionTimestamp": "t"}), false), Some(json!(["g"])));
        assert_eq!(decided(json!({"finalizers": ["g"], "deletionTimestamp": "t"}), false), None);
    }
}
