//! The event that tells of an owner in another namespace, which is no owner. Makes it and sends it nowhere.

use jiff::Timestamp;
use model::json::json;
use model::{Value, meta};

/// The event about an object that names such an owner, as client-go's recorder would make it.
pub(super) fn misplaced(object: &Value, reference: &Value, now: Timestamp) -> Value {
    let said = |field: &str| reference.get(field).and_then(Value::as_str).unwrap_or("");
    let (namespace, name, uid) = (meta::namespace(object), meta::name(object), meta::uid(object));
    let owner = format!(
        "[{}/{}, namespace: {namespace}, name: {}, uid: {}]",
        said("apiVersion"),
        said("kind"),
        said("name"),
        said("uid")
    );
    let mut involved = json!({"kind": object["kind"], "name": name, "uid": uid, "apiVersion": object["apiVersion"]});
    if !namespace.is_empty() {
        involved["namespace"] = namespace.into();
    }
    let at = model::clock::rfc3339(now);
    json!({
        "metadata": {
            "name": format!("{name}.{:x}", now.as_nanosecond()),
            "namespace": if namespace.is_empty() { "default" } else { namespace },
        },
        "involvedObject": involved,
        "reason": "OwnerRefInvalidNamespace",
        "message": format!("ownerRef {owner} does not exist in namespace {}", model::field::quote(namespace)),
        "source": {"component": super::NAME},
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
        "type": "Warning",
        "reportingComponent": super::NAME,
        "reportingInstance": "",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_upstreams_says() {
        let now: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
        let reference = json!({"apiVersion": "v1", "kind": "Pod", "name": "podname2", "uid": "poduid2"});
        let in_namespace = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "ns1", "name": "p", "uid": "u"}});
        let event = misplaced(&in_namespace, &reference, now);
        let said = "ownerRef [v1/Pod, namespace: ns1, name: podname2, uid: poduid2] does not exist in namespace \"ns1\"";
        assert_eq!((&event["message"], &event["metadata"]["namespace"]), (&json!(said), &json!("ns1")));
        assert_eq!(event["metadata"]["name"], "p.1a46e83335d50000");
        let everywhere = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n", "uid": "u"}});
        let event = misplaced(&everywhere, &reference, now);
        let said = "ownerRef [v1/Pod, namespace: , name: podname2, uid: poduid2] does not exist in namespace \"\"";
        assert_eq!((&event["message"], &event["metadata"]["namespace"]), (&json!(said), &json!("default")));
        assert_eq!(event["involvedObject"], json!({"kind": "Node", "name": "n", "uid": "u", "apiVersion": "v1"}));
    }
}
