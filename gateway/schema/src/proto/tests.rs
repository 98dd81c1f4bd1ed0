//! Protobuf against what nobody should send. Upstream's round-trip data is in `tests/golden.rs`.

use std::path::PathBuf;
use std::sync::LazyLock;

use model::json::{Value, json};
use proptest::prelude::*;

use super::*;
use crate::types::TypeId;

static TYPES: LazyLock<Types> =
    LazyLock::new(|| Types::parse(&[include_str!("../../../catalog/data/types.txt")]).expect("the committed table is readable"));

fn of_kind(api_version: &str, kind: &str) -> TypeId {
    TYPES.of_kind(api_version, kind).expect("a kind of the table")
}

/// Where upstream's module keeps its round-trip data.
static DATA: LazyLock<PathBuf> = LazyLock::new(crate::upstream::round_trip_data);

/// A field with a length.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = bytes.len();
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend(bytes);
    out
}

#[test]
fn envelopes_are_opened_or_refused_in_upstreams_words() {
    let meta = [field(1, b"apps/v1"), field(2, b"Deployment")].concat();
    let body = [PREFIX.to_vec(), field(1, &meta), field(2, b"raw"), field(9, b"unknown")].concat();
    let envelope = open(&body).expect("opens");
    assert_eq!((&*envelope.api_version, &*envelope.kind, envelope.raw), ("apps/v1", "Deployment", &b"raw"[..]));
    for (body, why) in [
        (&b""[..], "empty data"),
        (b"k8s\0", "empty body"),
        (b"{}", "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]"),
        (b"k8s\0\x0a", "unexpected EOF"),
        (b"k8s\0\x08\x01", "proto: wrong wireType = 0 for field TypeMeta"),
        (b"k8s\0\x0c", "proto: Unknown: wiretype end group for non-group"),
        (b"k8s\0\x02\x01", "proto: Unknown: illegal tag 0 (wire type 2)"),
    ] {
        assert_eq!(open(body).expect_err("refused"), why);
    }
}

#[test]
fn malformed_messages_are_told_in_upstreams_words() {
    let pod = of_kind("v1", "Pod");
    for (raw, why) in [
        (&b"\x08\x01"[..], "proto: wrong wireType = 0 for field ObjectMeta"),
        (b"\x0a\x05ab", "unexpected EOF"),
        (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "proto: negative length found during unmarshaling"),
        (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "proto: integer overflow"),
        (b"\xff", "unexpected EOF"),
        (b"\x0f", "proto: wrong wireType = 7 for field ObjectMeta"),
        (b"\xa7\x01", "proto: illegal wireType 7"),
        (b"\xa1\x01abc", "unexpected EOF"),
        (b"\x0a\x02\x0d\x01", "proto: wrong wireType = 5 for field Name"),
    ] {
        assert_eq!(decode(&TYPES, pod, raw).expect_err("refused"), why, "{raw:?}");
    }
}

#[test]
fn unknown_fields_are_passed_over_and_pieces_are_merged() {
    let pod = of_kind("v1", "Pod");
    let named = field(1, &field(1, b"a"));
    let spaced = field(1, &field(3, b"b"));
    // Fields 20 of every layout, a group among them.
    let unknown = b"\xa0\x01\x05\xa1\x01ABCDEFGH\xa2\x01\x02ab\xa5\x01ABCD\xa3\x01\xa3\x01\x08\x01\xa4\x01\xa4\x01".to_vec();
    let read = decode(&TYPES, pod, &[named, unknown, spaced].concat()).expect("decodes");
    assert_eq!(read, json!({"metadata": {"name": "a", "namespace": "b"}}));
}

#[test]
fn packed_numbers_are_read() {
    let context = of_kind("v1", "Pod");
    // spec.securityContext.supplementalGroups
    let raw = field(2, &field(14, &[field(4, b"\x01\x80\x01"), vec![0x20, 3]].concat()));
    let read = decode(&TYPES, context, &raw).expect("decodes");
    assert_eq!(read.pointer("/spec/securityContext/supplementalGroups"), Some(&json!([1, 128, 3])));
}

#[test]
fn the_deepest_message_fits_the_stack_and_no_deeper_one_is_read() {
    let read = |levels: usize| {
        let schema =
            (0..levels).fold(field(5, b"object"), |inner, _| [b"\xe2\x01".to_vec(), field(0, &inner)[1..].to_vec()].concat());
        let props = TYPES.by_name("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps").expect("known");
        decode(&TYPES, props, &schema).map(|value| encode(&TYPES, props, "", "", &value).len())
    };
    let deep = std::thread::Builder::new().stack_size(1 << 20).spawn(move || {
        assert!(read(codec::json::DEPTH_MAX - 1).is_ok());
        assert_eq!(read(codec::json::DEPTH_MAX), Err("exceeded max depth".to_owned()));
    });
    deep.expect("a thread").join().expect("no overflow");
}

#[test]
fn a_list_of_ready_messages_is_the_list_written_whole() {
    let pods: Vec<Value> = (0..3).map(|n| json!({"metadata": {"name": "p".repeat(n * 100)}})).collect();
    let meta = json!({"resourceVersion": "5", "continue": "token"});
    let list = json!({"metadata": meta, "items": pods});
    let ty = of_kind("v1", "Pod");
    let messages: Vec<Vec<u8>> = pods.iter().map(|pod| message(&TYPES, ty, pod)).collect();
    let list_meta = TYPES.by_name("io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta").expect("known");
    let bytes = messages.iter().map(|message| item_bytes(message.len())).sum();
    let mut out = list_head("v1", "PodList", &message(&TYPES, list_meta, &meta), bytes);
    messages.iter().for_each(|message| out.extend([item_head(message.len()), message.clone()].concat()));
    out.extend_from_slice(LIST_TAIL);
    assert_eq!(out, encode(&TYPES, of_kind("v1", "PodList"), "v1", "PodList", &list));
}

#[test]
fn an_objects_message_begins_with_its_metadatas() {
    let pod = json!({"metadata": {"name": "a", "labels": {"b": "c"}}, "spec": {"nodeName": "n"}});
    let whole = message(&TYPES, of_kind("v1", "Pod"), &pod);
    let partial = message(&TYPES, of_kind("meta.k8s.io/v1", "PartialObjectMetadata"), &json!({"metadata": pod["metadata"]}));
    assert_eq!(whole[..metadata_end(&whole)], partial);
    for other in [&b""[..], &[0xff], &field(2, b"spec"), &[1 << 3 | 2, 9]] {
        assert_eq!(metadata_end(other), 0);
    }
}

#[test]
fn a_frame_is_a_watch_event_behind_its_length() {
    let object = encode(&TYPES, of_kind("v1", "Pod"), "v1", "Pod", &json!({"metadata": {"name": "p".repeat(200)}}));
    let frame = watch_frame("ADDED", &object).expect("short enough");
    let (length, event) = frame.split_at(4);
    assert_eq!(u32::from_be_bytes([length[0], length[1], length[2], length[3]]) as usize, event.len());
    let raw = [field(1, &object)].concat();
    assert_eq!(event, [field(1, b"ADDED"), field(2, &raw)].concat());
}

proptest! {
    /// No byte that is changed, cut or added makes reading panic, and what is read can be written.
    #[test]
    fn damaged_bodies_never_panic(at in 0..4000usize, with: u8, cut in 0..4000usize) {
        let mut pb = std::fs::read(DATA.join("core.v1.Pod.pb")).expect("a file");
        let (at, cut) = (at % pb.len(), cut % pb.len());
        pb[at] = with;
        pb.truncate(pb.len() - cut / 8);
        let ty = of_kind("v1", "Pod");
        if let Ok(value) = open(&pb).and_then(|envelope| decode(&TYPES, ty, envelope.raw)) {
            let again = encode(&TYPES, ty, "v1", "Pod", &value);
            prop_assert_eq!(decode(&TYPES, ty, open(&again).expect("opens").raw).expect("decodes"), value);
        }
    }
}

#[test]
fn a_pointer_to_the_zero_time_is_an_empty_message() {
    let (ty, zero) = (of_kind("v1", "Pod"), json!({"metadata": {"deletionTimestamp": "0001-01-01T00:00:00Z"}}));
    let written = message(&TYPES, ty, &zero);
    assert_eq!(written, message(&TYPES, ty, &json!({"metadata": {"deletionTimestamp": null}})));
    let read = decode(&TYPES, ty, &written).expect("what was written");
    assert_eq!(read["metadata"]["deletionTimestamp"], zero["metadata"]["deletionTimestamp"]);
}
