//! PolicyExceptions as `scan` finds them: among the files that it is given, or in the cluster. What they cover is the
//! server's own evaluator's to say.

use std::sync::Arc;

use admission::policy::exception::Exception;
use catalog::Catalog;
use jiff::Timestamp;
use model::json::Value;
use model::meta;

use super::arguments::Arguments;
use super::subject::Bound;
use super::{cel, corpus};

const KIND: &str = "PolicyException";
const GROUP: &str = "policy.gatehouse.dev/";

/// Whether an object is one.
pub(super) fn is_one(object: &Value) -> bool {
    object["kind"] == KIND && object["apiVersion"].as_str().is_some_and(|version| version.starts_with(GROUP))
}

/// Those of the cluster; a cluster of another server has none.
pub(super) fn of_cluster(arguments: &Arguments, bound: &Bound) -> Vec<Value> {
    if matches!(bound, Bound::Cel(_)) {
        return Vec::new();
    }
    let listed = corpus::kubectl_if_served(arguments, &["get", "policyexceptions.policy.gatehouse.dev", "--output=json"]);
    if listed.is_null() {
        eprintln!("the cluster tells of no PolicyExceptions: it has no such kind, or you may not list them");
    }
    corpus::items(listed)
}

/// Reads them as a server does, and tells of those that have ended. Fails where a server would refuse one.
pub(super) fn read(objects: Vec<Value>, now: Timestamp) -> Result<Vec<Arc<Exception>>, String> {
    if objects.is_empty() {
        return Ok(Vec::new());
    }
    let catalog = Catalog::builtin().map_err(|error| error.to_string())?;
    let read = |object: Value| {
        let called = format!("{KIND} {:?}", meta::name(&object));
        let exception = Exception::from_object(&cel::applied(&catalog, object)?).map_err(|why| format!("{called}: {why}"))?;
        if exception.is_over(now) {
            eprintln!("{called} has ended and excepts nothing");
        }
        Ok(Arc::new(exception))
    };
    objects.into_iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    #[test]
    fn an_exception_is_read_as_a_server_reads_it() {
        let spec =
            json!({"bindings": ["a"], "reason": "until then", "expires": "2999-01-01T00:00:00Z", "scope": {"names": ["b"]}});
        let mut object =
            json!({"apiVersion": "policy.gatehouse.dev/v1alpha1", "kind": KIND, "metadata": {"name": "e"}, "spec": spec});
        assert!(is_one(&object) && !is_one(&json!({"apiVersion": "v1", "kind": KIND})));
        assert_eq!(read(vec![object.clone()], Timestamp::UNIX_EPOCH).unwrap()[0].name, "e");
        object["spec"]["reason"] = "".into();
        let why = read(vec![object], Timestamp::UNIX_EPOCH).unwrap_err();
        assert!(why.starts_with("PolicyException \"e\": spec.reason: Required value"), "{why}");
    }
}
