//! Has a webhook convert custom objects between versions: asks in batches, checks what comes back, and keeps it with the
//! stored object until the definition changes.
//! Follows `apiextensions-apiserver/pkg/apiserver/conversion/webhook_converter.go`. Does not speak HTTP (`client`).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use catalog::Resource;
use catalog::custom::{Conversion, Definition};
use model::field::{Errors, Path, quote};
use model::json::json;
use model::{Status, Value, meta};
use schema::object_meta;
use store::Entry;

use crate::gate::Gate;
use crate::row::Row;

/// How long a call may take, from the connection to the last byte; upstream's converter waits as long.
const CALL_MAX: Duration = Duration::from_secs(30);
/// Objects in one review: enough that the cost of a call does not count, few enough that one is answered within the time
/// limit of a call.
const BATCH_OBJECTS: usize = 500;
/// Versions of reviews that are spoken, as upstream.
const REVIEW_VERSIONS: [&str; 2] = ["v1", "v1beta1"];

/// Converts one object.
pub async fn one(gate: &Gate, resource: &Resource, definition: &Definition, object: &Value, to: &str) -> Result<Value, Status> {
    if text(object, "apiVersion") == to {
        return Ok(object.clone());
    }
    let mut converted = batch(gate, resource, definition, std::slice::from_ref(object), to, Asked::One).await?;
    converted.pop().ok_or_else(|| Status::internal("conversion webhook returned no object"))
}

/// The same objects with bodies in the version of a row: what is shown of them.
pub async fn entries(gate: &Gate, row: &Row, entries: Vec<Arc<Entry>>) -> Result<Vec<Arc<Entry>>, Status> {
    let Some(custom) = row.custom() else { return Ok(computed(gate, row, entries)) };
    let form = row.rendered_form();
    let mut bodies: Vec<Option<Bytes>> = Vec::with_capacity(entries.len());
    let mut waiting: Vec<(usize, Value)> = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        if row.is_sent_as_stored(entry) {
            bodies.push(Some(entry.body.clone()));
            continue;
        }
        let kept = entry.rendered(form);
        if kept.is_none() {
            let mut value = row.as_it_lies(entry)?;
            row.read_stored(custom, &mut value);
            waiting.push((at, value));
        }
        bodies.push(kept);
    }
    let to = row.owner_kind().api_version();
    for chunk in waiting.chunks(BATCH_OBJECTS) {
        let foreign: Vec<Value> =
            chunk.iter().filter(|(_, value)| text(value, "apiVersion") != to).map(|(_, v)| v.clone()).collect();
        let converted = match &foreign[..] {
            [] => Vec::new(),
            objects => batch(gate, row.resource(), &custom.definition, objects, &to, Asked::Several).await?,
        };
        let mut converted = converted.into_iter();
        for (at, value) in chunk {
            let mut value =
                if text(value, "apiVersion") == to { Some(value.clone()) } else { converted.next() }.unwrap_or_default();
            row.coerce_to(custom, &row.owner_kind().version, &mut value);
            bodies[*at] = Some(entries[*at].rendering(form, |_| row.encode_body(&value)));
        }
    }
    let with_body = |(entry, body): (Arc<Entry>, Option<Bytes>)| Arc::new(entry.with_body(body.unwrap_or_default()));
    Ok(entries.into_iter().zip(bodies).map(with_body).collect())
}

/// What is computed is made when it is shown: as it is now, under the revision at which it last changed. Of what is gone
/// meanwhile there is no more than that it was.
fn computed(gate: &Gate, row: &Row, entries: Vec<Arc<Entry>>) -> Vec<Arc<Entry>> {
    let Some(policies) = gate.policies.as_ref().filter(|_| row.is_computed()) else { return entries };
    let made = |entry: Arc<Entry>| {
        let shown = policies.reports().shown(entry.key.namespace().unwrap_or_default(), entry.key.name());
        let Some(mut object) = shown else { return entry };
        meta::set(&mut object, "resourceVersion", entry.revision.to_string());
        Arc::new(entry.with_body(row.encode_body(&object)))
    };
    entries.into_iter().map(made).collect()
}

/// Whether one object was asked about, which changes the words of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    One,
    Several,
}

/// Has objects converted, none of which is of the wanted version.
async fn batch(
    gate: &Gate,
    resource: &Resource,
    definition: &Definition,
    objects: &[Value],
    to: &str,
    asked: Asked,
) -> Result<Vec<Value>, Status> {
    let Conversion::Webhook(webhook) = &definition.conversion else {
        return Err(Status::internal("a definition without a webhook asks for none"));
    };
    let first = objects.first().map_or("", |object| text(object, "apiVersion"));
    let subject = format!("{first}, Kind={}", resource.gvk.kind);
    // Upstream's own failures carry no reason.
    let failed = |why: String| Status::new(500, "", format!("conversion webhook for {subject} {why}"));
    // Boxed, for the call is rare and large, and every request would hold the room for it.
    let answer = Box::pin(call(gate, webhook, objects, to)).await.map_err(|why| match why {
        Refused::Setup(why) => Status::new(500, "", why),
        Refused::Call(why) => failed(format!("failed: {why}")),
    })?;
    if answer.len() != objects.len() {
        return Err(failed(format!("returned {} objects, expected {}", answer.len(), objects.len())));
    }
    let mut all = Vec::with_capacity(answer.len());
    for (index, (mut converted, original)) in answer.into_iter().zip(objects).enumerate() {
        check_kind(&converted, original, to).map_err(|why| {
            let what = if asked == Asked::One { "object" } else { "converted object" };
            failed(format!("returned invalid {what} at index {index}: {why}"))
        })?;
        let at = if asked == Asked::One { String::new() } else { format!(" in object at index {index}") };
        check_identity(&converted, original).map_err(|why| {
            let what = if asked == Asked::One { "object".to_owned() } else { format!("converted object at index {index}") };
            failed(format!("returned invalid {what}: {why}"))
        })?;
        restore_metadata(&mut converted, original).map_err(|why| failed(format!("returned invalid metadata{at}: {why}")))?;
        all.push(converted);
    }
    Ok(all)
}

/// Why nothing was converted.
enum Refused {
    /// Nobody can be asked.
    Setup(String),
    /// Who was asked failed.
    Call(String),
}

async fn call(gate: &Gate, webhook: &Value, objects: &[Value], to: &str) -> Result<Vec<Value>, Refused> {
    let spoken = webhook.get("conversionReviewVersions").and_then(Value::as_array).into_iter().flatten();
    let version = spoken
        .filter_map(Value::as_str)
        .find(|version| REVIEW_VERSIONS.contains(version))
        .ok_or_else(|| Refused::Setup("no supported conversion review versions".to_owned()))?;
    let config = webhook.get("clientConfig").unwrap_or(&Value::Null);
    let endpoint = gate.client.endpoint(config).map_err(Refused::Setup)?;
    let uid = uuid::Uuid::new_v4().to_string();
    let review = json!({
        "kind": "ConversionReview",
        "apiVersion": format!("apiextensions.k8s.io/{version}"),
        "request": {"uid": uid, "desiredAPIVersion": to, "objects": objects},
    });
    let answer = endpoint.post(gate, review.to_string().into(), CALL_MAX).await;
    let answer = answer.map_err(|failure| Refused::Call(failure.message))?;
    let answer: Value = serde_json::from_slice(&answer).map_err(|error| Refused::Call(error.to_string()))?;
    objects_of(answer, version, &uid).map_err(Refused::Call)
}

/// The objects of an answer. Fails with what is wrong with it.
fn objects_of(mut answer: Value, version: &str, uid: &str) -> Result<Vec<Value>, String> {
    if version == "v1" && (text(&answer, "apiVersion"), text(&answer, "kind")) != ("apiextensions.k8s.io/v1", "ConversionReview")
    {
        let (api_version, kind) = (text(&answer, "apiVersion"), text(&answer, "kind"));
        return Err(format!(
            "expected webhook response of apiextensions.k8s.io/v1, Kind=ConversionReview, got {api_version}, Kind={kind}"
        ));
    }
    let Some(response) = answer.get_mut("response").filter(|response| response.is_object()) else {
        return Err("no response provided".to_owned());
    };
    if version == "v1" && text(response, "uid") != uid {
        return Err(format!("expected response.uid={}, got {}", quote(uid), quote(text(response, "uid"))));
    }
    let result = response.get("result").unwrap_or(&Value::Null);
    match (text(result, "status"), text(result, "message")) {
        ("Success", _) => {}
        (status, "") => return Err(format!("response.result.status was '{status}', not 'Success'")),
        (_, message) => return Err(message.to_owned()),
    }
    match response.get_mut("convertedObjects").map(Value::take) {
        Some(Value::Array(objects)) => Ok(objects),
        _ => Ok(Vec::new()),
    }
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or("")
}

fn check_kind(converted: &Value, original: &Value, to: &str) -> Result<(), String> {
    if text(converted, "kind").is_empty() {
        return Err(format!("Object 'Kind' is missing in '{converted}'"));
    }
    for (what, expected, received) in
        [("groupVersion", to, text(converted, "apiVersion")), ("kind", text(original, "kind"), text(converted, "kind"))]
    {
        if expected != received {
            return Err(format!("invalid {what} (expected {expected}, received {received})"));
        }
    }
    Ok(())
}

/// `validateConvertedObject`
fn check_identity(converted: &Value, original: &Value) -> Result<(), String> {
    for (what, wanted, got) in [
        ("name", meta::name(original), meta::name(converted)),
        ("namespace", meta::namespace(original), meta::namespace(converted)),
        ("UID", meta::uid(original), meta::uid(converted)),
    ] {
        if wanted != got {
            return Err(format!("must have the same {what}: {wanted} != {got}"));
        }
    }
    Ok(())
}

/// Of metadata a converter changes labels and annotations only. Upstream: `restoreObjectMeta`.
fn restore_metadata(converted: &mut Value, original: &Value) -> Result<(), String> {
    let Some(said) = converted.get("metadata").cloned() else {
        return Err("missing metadata in converted object".to_owned());
    };
    let mut metadata = original.get("metadata").cloned().unwrap_or_else(|| json!({}));
    let Some(map) = metadata.as_object_mut() else { return Err("invalid metadata in input object".to_owned()) };
    for field in ["labels", "annotations"] {
        match said.get(field).filter(|value| !value.is_null()) {
            None => drop(map.shift_remove(field)),
            Some(value) => {
                check_pairs(field, value)?;
                map.insert(field.to_owned(), value.clone());
            }
        }
    }
    converted["metadata"] = metadata;
    Ok(())
}

fn check_pairs(field: &str, value: &Value) -> Result<(), String> {
    let Some(pairs) = value.as_object() else {
        return Err(format!("invalid metadata.{field} in converted object"));
    };
    if let Some((key, _)) = pairs.iter().find(|(_, value)| !value.is_string()) {
        return Err(format!("metadata.{field}[{key}] must be a string in converted object"));
    }
    let (mut errors, metadata) = (Errors::new(), Path::new("metadata"));
    match field {
        "labels" => object_meta::validate_labels(Some(pairs), &metadata.child("labels"), &mut errors),
        _ => object_meta::validate_annotations(Some(pairs), &metadata.child("annotation"), &mut errors),
    }
    let told: Vec<String> = errors.0.iter().map(ToString::to_string).collect();
    match &told[..] {
        [] => Ok(()),
        [one] => Err(one.clone()),
        several => Err(format!("[{}]", several.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(version: &str, labels: Value) -> Value {
        json!({"apiVersion": format!("example.com/{version}"), "kind": "Thing", "metadata": {"name": "a", "uid": "u", "generation": 3, "labels": labels}})
    }

    #[test]
    fn an_answer_is_checked() {
        let answer =
            |response: Value| json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview", "response": response});
        let told = |answer: Value| objects_of(answer, "v1", "1").expect_err("refused");
        assert_eq!(told(json!({})), "expected webhook response of apiextensions.k8s.io/v1, Kind=ConversionReview, got , Kind=");
        assert_eq!(told(answer(Value::Null)), "no response provided");
        assert_eq!(told(answer(json!({"uid": "2"}))), "expected response.uid=\"1\", got \"2\"");
        assert_eq!(
            told(answer(json!({"uid": "1", "result": {"status": "Failed"}}))),
            "response.result.status was 'Failed', not 'Success'"
        );
        assert_eq!(told(answer(json!({"uid": "1", "result": {"status": "Failed", "message": "no"}}))), "no");
        let good = answer(json!({"uid": "1", "result": {"status": "Success"}, "convertedObjects": [{}]}));
        assert_eq!(objects_of(good, "v1", "1").map(|objects| objects.len()), Ok(1));
    }

    #[test]
    fn metadata_but_labels_and_annotations_is_as_it_was() {
        let original = object("v1", json!({"a": "b"}));
        let mut converted = object("v2", json!({"c": "d"}));
        converted["metadata"]["generation"] = json!(9);
        assert_eq!(restore_metadata(&mut converted, &original), Ok(()));
        assert_eq!(converted["metadata"], json!({"name": "a", "uid": "u", "generation": 3, "labels": {"c": "d"}}));
        converted["metadata"]["name"] = json!("b");
        assert_eq!(check_identity(&converted, &original), Err("must have the same name: a != b".to_owned()));
        assert_eq!(
            check_kind(&converted, &original, "example.com/v3"),
            Err("invalid groupVersion (expected example.com/v3, received example.com/v2)".to_owned())
        );
    }
}
