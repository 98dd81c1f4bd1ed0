//! The `AdmissionReview` that a webhook is sent. Field order is upstream's; objects are written once for all webhooks that
//! see them in the same version.
//! Follows `k8s.io/apiserver/pkg/admission/plugin/webhook/request`.

use model::json::json;
use model::{GroupVersionKind, GroupVersionResource, Map, Status, Value};

use super::configuration::Version;
use super::form::Form;
use crate::matching::Matched;
use crate::{Cluster, Review};

/// The objects of a request as one version shows them, written.
pub(super) struct Objects {
    pub(super) object: Vec<u8>,
    old: Vec<u8>,
}

const NULL: &[u8] = b"null";

impl Objects {
    /// Writes an object that is in the version of `seen` already, and the old one, which may still have to be converted.
    pub(super) async fn write(
        cluster: &Cluster,
        review: &Review<'_>,
        seen: &GroupVersionResource,
        object: Option<&Value>,
    ) -> Result<Self, Status> {
        let catalog = cluster.kinds.catalog()?;
        let form = Form::of(&catalog, seen, review.subresource);
        let written = |object: Option<&Value>| match (object, &form) {
            (Some(object), Some(form)) => form.encode(object),
            _ => NULL.to_vec(),
        };
        let converted = match review.old {
            Some(old) if seen != review.resource => {
                Some(cluster.kinds.convert(old, review.resource, seen, review.subresource).await?)
            }
            _ => None,
        };
        Ok(Self { object: written(object), old: written(converted.as_ref().or(review.old)) })
    }
}

/// The body of a call.
pub(super) fn body(version: Version, uid: &str, review: &Review<'_>, matched: &Matched, objects: &Objects) -> Vec<u8> {
    let mut body =
        format!("{{\"kind\":\"AdmissionReview\",\"apiVersion\":\"{}\",\"request\":", version.api_version()).into_bytes();
    let mut head = Vec::new();
    codec::go_json::write(&head_of(uid, review, matched), &mut head);
    // The objects stand within it.
    head.pop();
    body.extend(head);
    let mut options = Vec::new();
    codec::go_json::write(review.options, &mut options);
    let dry_run: &[u8] = if review.dry_run { b"true" } else { b"false" };
    for (field, value) in
        [("object", &objects.object[..]), ("oldObject", &objects.old), ("dryRun", dry_run), ("options", &options)]
    {
        body.extend(format!(",\"{field}\":").bytes());
        body.extend(value);
    }
    body.extend(b"}}\n");
    body
}

/// Everything of a request but the objects and what follows them.
fn head_of(uid: &str, review: &Review<'_>, matched: &Matched) -> Value {
    let mut head = Map::new();
    let mut put = |field: &str, value: Value| {
        if value != "" {
            head.insert(field.to_owned(), value);
        }
    };
    put("uid", uid.into());
    put("kind", kind(&matched.kind));
    put("resource", resource(&matched.resource));
    put("subResource", review.subresource.into());
    put("requestKind", kind(review.kind));
    put("requestResource", resource(review.resource));
    put("requestSubResource", review.subresource.into());
    put("name", review.name.into());
    put("namespace", review.namespace.into());
    put("operation", review.operation.as_str().into());
    put("userInfo", review.user.to_info());
    Value::Object(head)
}

fn kind(kind: &GroupVersionKind) -> Value {
    json!({"group": &*kind.group, "version": &*kind.version, "kind": &*kind.kind})
}

fn resource(resource: &GroupVersionResource) -> Value {
    json!({"group": &*resource.group, "version": &*resource.version, "resource": &*resource.resource})
}
