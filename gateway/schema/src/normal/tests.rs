//! Cases for normal form. Every object of upstream's own round-trip data is in `tests/golden.rs`.

use std::sync::LazyLock;

use model::json::json;
use proptest::prelude::*;

use super::*;
use crate::types::TypeId;

pub(super) static TYPES: LazyLock<Types> =
    LazyLock::new(|| Types::parse(&[include_str!("../../../catalog/data/types.txt")]).expect("the committed table is readable"));

pub(super) fn of_kind(api_version: &str, kind: &str) -> TypeId {
    TYPES.of_kind(api_version, kind).expect("a kind of the table")
}

fn decoded(kind: &str, text: &str) -> Result<(Value, Vec<String>), String> {
    let mut value = codec::json::parse(text.as_bytes()).expect("valid JSON").value;
    let mut unknown = Vec::new();
    let api_version = if kind == "Deployment" { "apps/v1" } else { "v1" };
    decode(&TYPES, of_kind(api_version, kind), &mut value, &mut unknown)?;
    Ok((value, unknown))
}

fn encoded(api_version: &str, kind: &str, value: &Value) -> String {
    let mut out = Vec::new();
    encode(
        &TYPES,
        of_kind(api_version, kind),
        value,
        Encode { type_meta: Some((api_version, kind)), splice_revision: false },
        &mut out,
    );
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn type_errors_are_those_of_go() {
    for (text, error) in [
        (
            r#"{"spec":{"containers":"a"}}"#,
            "json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type []v1.Container",
        ),
        (
            r#"{"spec":{"containers":[1]}}"#,
            "json: cannot unmarshal number into Go struct field PodSpec.spec.containers of type v1.Container",
        ),
        (
            r#"{"spec":{"containers":[{"image":1}]}}"#,
            "json: cannot unmarshal number into Go struct field Container.spec.containers.image of type string",
        ),
        (
            r#"{"spec":{"volumes":[{"hostPath":{"path":1}}]}}"#,
            "json: cannot unmarshal number into Go struct field HostPathVolumeSource.spec.volumes.VolumeSource.hostPath.path of type string",
        ),
        (
            r#"{"spec":{"priority":1.5}}"#,
            "json: cannot unmarshal number 1.5 into Go struct field PodSpec.spec.priority of type int32",
        ),
        (
            r#"{"spec":{"priority":3000000000}}"#,
            "json: cannot unmarshal number 3000000000 into Go struct field PodSpec.spec.priority of type int32",
        ),
        (
            r#"{"spec":{"restartPolicy":true}}"#,
            "json: cannot unmarshal bool into Go struct field PodSpec.spec.restartPolicy of type v1.RestartPolicy",
        ),
        (
            r#"{"metadata":{"labels":{"a":1}}}"#,
            "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string",
        ),
        (
            r#"{"metadata":{"labels":[]}}"#,
            "json: cannot unmarshal array into Go struct field ObjectMeta.metadata.labels of type map[string]string",
        ),
        (r#"{"metadata":[]}"#, "json: cannot unmarshal array into Go struct field Pod.metadata of type v1.ObjectMeta"),
        (
            r#"{"metadata":{"creationTimestamp":"x"}}"#,
            r#"parsing time "x" as "2006-01-02T15:04:05Z07:00": cannot parse "x" as "2006""#,
        ),
        (
            r#"{"metadata":{"creationTimestamp":5}}"#,
            "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.creationTimestamp of type string",
        ),
        (
            r#"{"spec":{"containers":[{"resources":{"limits":{"cpu":"1x"}}}]}}"#,
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
        (
            r#"{"spec":{"containers":[{"livenessProbe":{"httpGet":{"port":true}}}]}}"#,
            "json: cannot unmarshal bool into Go struct field HTTPGetAction.spec.containers.livenessProbe.ProbeHandler.httpGet.port of type int32",
        ),
        // The first type fault is told, unless a value's own fault ends the decoding.
        (
            r#"{"spec":{"hostname":1,"nodeName":2}}"#,
            "json: cannot unmarshal number into Go struct field PodSpec.spec.hostname of type string",
        ),
        (r#"[]"#, "json: cannot unmarshal array into Go value of type v1.Pod"),
    ] {
        assert_eq!(decoded("Pod", text).expect_err(text), error);
    }
    assert_eq!(decoded("Secret", r#"{"data":{"a":"abc"}}"#).expect_err("bad base64"), "illegal base64 data at input byte 0");
}

#[test]
fn unknown_fields_are_told_with_their_paths() {
    let text = r#"{"x":1,"spec":{"Containers":[],"containers":[{"name":"a"},{"foo":{"bar":1},"ports":[{"y":1}]}]},"metadata":{"labels":{"z":"1"}}}"#;
    let (value, unknown) = decoded("Pod", text).expect("decodes");
    let paths = ["x", "spec.Containers", "spec.containers[1].foo", "spec.containers[1].ports[0].y"];
    assert_eq!(unknown, paths.map(|p| format!("unknown field {p:?}")));
    assert_eq!(value, json!({"spec": {"containers": [{"name": "a"}, {"ports": [{}]}]}, "metadata": {"labels": {"z": "1"}}}));
}

#[test]
fn strict_errors_name_duplicates_and_unknown_fields() {
    let told = |messages: &[&str]| messages.iter().map(|m| (*m).to_owned()).collect::<Vec<_>>();
    assert_eq!(strict_error(&[], &[]), None);
    assert_eq!(
        strict_error(
            &told(&[r#"duplicate field "a""#, r#"duplicate field "b.c""#, r#"duplicate field "bc""#]),
            &told(&[r#"unknown field "b""#])
        ),
        Some(r#"strict decoding error: duplicate field "a", duplicate field "bc", unknown field "b""#.to_owned())
    );
}

#[test]
fn values_become_canonical() {
    let text = r#"{"metadata":{"creationTimestamp":"2020-01-01T02:00:00.5+02:00","labels":{"b":"","a":null},"annotations":{}},
        "spec":{"restartPolicy":"","hostNetwork":false,"priority":0,"nodeName":null,"containers":[{"name":"","resources":{"limits":{"memory":"1024Mi","cpu":0.5}}}]}}"#;
    let (value, _) = decoded("Pod", text).expect("decodes");
    assert_eq!(
        value,
        json!({"metadata": {"creationTimestamp": "2020-01-01T00:00:00Z", "labels": {"a": "", "b": ""}},
            "spec": {"priority": 0, "containers": [{"name": "", "resources": {"limits": {"cpu": "500m", "memory": "1Gi"}}}]}})
    );
    let (value, _) = decoded("Secret", "{\"data\":{\"a\":\"YWJ\\nj\",\"b\":null}}").expect("decodes");
    assert_eq!(value, json!({"data": {"a": "YWJj", "b": ""}}));
    let (value, _) = decoded("Secret", r#"{"data":{"a":[97,98,null],"b":[]}}"#).expect("decodes");
    assert_eq!(value, json!({"data": {"a": "YWIA", "b": ""}}));
    let refused = decoded("Secret", r#"{"data":{"a":[256]}}"#).expect_err("no byte");
    assert_eq!(refused, "json: cannot unmarshal number 256 into Go struct field Secret.data of type uint8");
}

#[test]
fn a_pointer_to_the_zero_time_is_a_null_that_is_written() {
    let text = r#"{"metadata":{"creationTimestamp":"0001-01-01T00:00:00Z","deletionTimestamp":"0001-01-01T00:00:00Z"},"status":{"startTime":null}}"#;
    let (value, _) = decoded("Pod", text).expect("times");
    assert_eq!(value, json!({"metadata": {"deletionTimestamp": "0001-01-01T00:00:00Z"}, "status": {}}));
    let written = encoded("v1", "Pod", &value);
    assert!(written.contains(r#""metadata":{"deletionTimestamp":null}"#) && !written.contains("startTime"), "{written}");
}

#[test]
fn zero_values_are_written_where_go_writes_them() {
    assert_eq!(
        encoded("v1", "Pod", &json!({})),
        r#"{"kind":"Pod","apiVersion":"v1","metadata":{},"spec":{"containers":null},"status":{}}"#
    );
    assert_eq!(
        encoded("apps/v1", "Deployment", &json!({"metadata": {"name": "<a>"}})),
        r#"{"kind":"Deployment","apiVersion":"apps/v1","metadata":{"name":"\u003ca\u003e"},"spec":{"selector":null,"template":{"metadata":{},"spec":{"containers":null}},"strategy":{}},"status":{}}"#
    );
    assert_eq!(
        encoded("v1", "Event", &json!({})),
        r#"{"kind":"Event","apiVersion":"v1","metadata":{},"involvedObject":{},"source":{},"firstTimestamp":null,"lastTimestamp":null,"eventTime":null,"reportingComponent":"","reportingInstance":""}"#
    );
    assert_eq!(
        encoded("v1", "Service", &json!({"spec": {"ports": [{"port": 80}], "selector": {}}, "status": {"loadBalancer": {}}})),
        r#"{"kind":"Service","apiVersion":"v1","metadata":{},"spec":{"ports":[{"port":80,"targetPort":0}]},"status":{"loadBalancer":{}}}"#
    );
}

#[test]
fn the_revision_is_spliced_where_told() {
    let splice = Encode { type_meta: None, splice_revision: true };
    let value = json!({"metadata": {"name": "a", "uid": "u", "resourceVersion": "7", "labels": {"x": "y"}}, "data": {"b": "1", "a": "2"}});
    let mut out = b"[".to_vec();
    let at = encode(&TYPES, of_kind("v1", "ConfigMap"), &value, splice, &mut out).expect("an offset");
    assert_eq!(
        String::from_utf8_lossy(&out),
        r#"[{"metadata":{"name":"a","uid":"u","resourceVersion":"","labels":{"x":"y"}},"data":{"a":"2","b":"1"}}"#
    );
    assert_eq!(&out[at - 1..=at], b"\"\"");

    let custom = json!({"kind": "A", "spec": {"z": 1, "b": 2}, "apiVersion": "g/v1", "metadata": {"uid": "u", "name": "a"}});
    let mut out = Vec::new();
    let at = encode_sorted(&custom, splice, &mut out).expect("an offset");
    assert_eq!(
        String::from_utf8_lossy(&out),
        r#"{"apiVersion":"g/v1","kind":"A","metadata":{"name":"a","resourceVersion":"","uid":"u"},"spec":{"b":2,"z":1}}"#
    );
    assert_eq!(&out[at - 1..=at], b"\"\"");
    let mut out = Vec::new();
    assert_eq!(encode_sorted(&custom, Encode { type_meta: Some(("g/v2", "A")), splice_revision: false }, &mut out), None);
    assert_eq!(
        String::from_utf8_lossy(&out),
        r#"{"apiVersion":"g/v2","kind":"A","metadata":{"name":"a","uid":"u"},"spec":{"b":2,"z":1}}"#
    );
}

#[test]
fn faults_name_numbers_as_the_text_spells_them() {
    for (kind, text, told) in [
        (
            "Deployment",
            r#"{"spec":{"replicas":1e2}}"#,
            "number 1e2 into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            "Pod",
            r#"{"spec":{"containers":[{"ports":[{"containerPort":80},{"containerPort":8.50}]}]}}"#,
            "number 8.50 into Go struct field ContainerPort.spec.containers.ports.containerPort of type int32",
        ),
        ("ConfigMap", r#"{"binaryData":{"a":[1,2.0]}}"#, "number 2.0 into Go struct field ConfigMap.binaryData of type uint8"),
    ] {
        let mut value = codec::json::parse(text.as_bytes()).expect("valid JSON").value;
        let spelling = |path: &str| codec::json::Spellings::of(text.as_bytes()).at(path);
        let ty = of_kind(if kind == "Deployment" { "apps/v1" } else { "v1" }, kind);
        let why = decode_spelt(&TYPES, ty, &mut value, (&mut Vec::new(), &spelling));
        assert_eq!(why, Err(format!("json: cannot unmarshal {told}")));
    }
}

#[test]
fn the_deepest_body_fits_the_stack() {
    let levels = codec::json::DEPTH_MAX - 6;
    let text = format!(
        r#"{{"spec":{{"versions":[{{"schema":{{"openAPIV3Schema":{}{}}}}}]}}}}"#,
        r#"{"not":"#.repeat(levels) + "{}",
        "}".repeat(levels)
    );
    // Half of what a worker thread has: other frames stand below and above.
    let deep = std::thread::Builder::new().stack_size(1 << 20).spawn(move || {
        let mut value = codec::json::parse(text.as_bytes()).expect("not too deep").value;
        let ty = of_kind("apiextensions.k8s.io/v1", "CustomResourceDefinition");
        decode(&TYPES, ty, &mut value, &mut Vec::new()).expect("decodes");
        assert!(crate::equal::semantic(&TYPES, ty, &value, &value.clone()));
        let patch = crate::patch::StrategicPatch::parse(text.as_bytes()).expect("a patch");
        patch.apply(&TYPES, ty, &mut value).expect("applies");
        encoded("apiextensions.k8s.io/v1", "CustomResourceDefinition", &value).matches("not").count()
    });
    assert_eq!(deep.expect("a thread").join().expect("no overflow"), levels);
}

/// Removes the `n`th member of any map, counted level by level; gives what is left to count.
fn without_nth(value: &mut Value, n: usize) -> usize {
    match value {
        Value::Object(map) => {
            if let Some(key) = map.keys().nth(n).cloned() {
                map.shift_remove(&key);
            }
            let n = n.checked_sub(map.len()).unwrap_or(usize::MAX);
            map.values_mut().fold(n, |n, member| without_nth(member, n))
        }
        Value::Array(items) => items.iter_mut().fold(n, |n, item| without_nth(item, n)),
        _ => n,
    }
}

proptest! {
    /// Whatever is missing from an object, what was written once is written the same again.
    #[test]
    fn normal_form_is_stable(kind in "Pod|Service|PersistentVolume|Node|Event", removed in proptest::collection::vec(0..400usize, 0..12)) {
        let text = std::fs::read(crate::upstream::round_trip_data().join(format!("core.v1.{kind}.json"))).expect("a file");
        let mut value = codec::json::parse(&text).expect("valid JSON").value;
        for n in removed {
            without_nth(&mut value, n);
        }
        let ty = of_kind("v1", &kind);
        decode(&TYPES, ty, &mut value, &mut Vec::new()).expect("decodes");
        let once = encoded("v1", &kind, &value);
        let mut again = codec::json::parse(once.as_bytes()).expect("valid JSON").value;
        decode(&TYPES, ty, &mut again, &mut Vec::new()).expect("decodes");
        prop_assert_eq!(encoded("v1", &kind, &again), once);
    }

    #[test]
    fn wrong_types_are_told_and_never_panic(removed in 0..300usize, junk in proptest::sample::select(vec!["null", "true", "1.5", "\"x\"", "[]", "{}"])) {
        let text = std::fs::read(crate::upstream::round_trip_data().join("core.v1.Pod.json")).expect("a file");
        let mut value = codec::json::parse(&text).expect("valid JSON").value;
        replace_nth(&mut value, removed, &codec::json::parse(junk.as_bytes()).expect("junk").value);
        if let Err(why) = decode(&TYPES, of_kind("v1", "Pod"), &mut value, &mut Vec::new()) {
            prop_assert!(why.starts_with("json: cannot unmarshal") || why.starts_with("parsing time") || why.starts_with("quantities must") || why.starts_with("unable to parse"), "{why}");
        }
    }
}

/// Puts something else in the place of the `n`th leaf.
fn replace_nth(value: &mut Value, n: usize, with: &Value) -> usize {
    match value {
        Value::Object(map) => map.values_mut().fold(n, |n, member| replace_nth(member, n, with)),
        Value::Array(items) => items.iter_mut().fold(n, |n, item| replace_nth(item, n, with)),
        leaf => {
            if n == 0 {
                *leaf = with.clone();
            }
            n.wrapping_sub(1)
        }
    }
}

#[test]
fn what_stands_below_items_is_a_schema() {
    let of = |schema: model::json::Value| json!({"spec": {"versions": [{"schema": {"openAPIV3Schema": schema}}]}});
    let ty = of_kind("apiextensions.k8s.io/v1", "CustomResourceDefinition");
    let mut value = of(json!({
        "items": {"properties": {"b": {"type": "string"}, "a": {}}, "unheard": 1, "description": "", "type": "object"},
        "additionalProperties": {"required": [], "type": "string"},
        "additionalItems": true,
        "dependencies": {"x": ["y"], "w": {"title": "t", "id": "i"}}
    }));
    let mut unknown = Vec::new();
    decode(&TYPES, ty, &mut value, &mut unknown).expect("it fits");
    assert_eq!(unknown, [""; 0], "Go reads these by a method that is not strict");
    let text = encoded("apiextensions.k8s.io/v1", "CustomResourceDefinition", &value);
    let expected = r#""openAPIV3Schema":{"items":{"type":"object","properties":{"a":{},"b":{"type":"string"}}},"additionalProperties":{"type":"string"},"dependencies":{"w":{"id":"i","title":"t"},"x":["y"]},"additionalItems":true}"#;
    assert!(text.contains(expected), "{text}");
    let mut wrong = of(json!({"items": {"type": 1}}));
    assert_eq!(
        decode(&TYPES, ty, &mut wrong, &mut unknown),
        Err("json: cannot unmarshal number into Go struct field JSONSchemaProps.spec.versions.schema.openAPIV3Schema.items.type of type string".to_owned())
    );
}
