//! Damaged input for whatever reads what a client sends: JSON, YAML, protobuf, `fieldsV1`, patches, applied documents, selectors. Nothing may
//! panic or hang, and what is read once must survive being written. The same damage is done on each run.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must say where")]

mod apply;
#[path = "../../../mutate.rs"]
mod mutate;
mod seeds;

use std::sync::LazyLock;

use model::json::{Value, json};
use model::selector::{field, label};
use schema::apply::Managers;
use schema::normal::{self, Encode};
use schema::patch::{JsonPatch, MergePatch, StrategicPatch};
use schema::{TypeId, Types, proto};

use crate::mutate::each;

static TYPES: LazyLock<Types> =
    LazyLock::new(|| Types::parse(&[include_str!("../../../catalog/data/types.txt")]).expect("the committed table is readable"));

/// Rounds for what costs little, and for whole objects.
const ROUNDS: usize = 30_000;
const ROUNDS_OBJECT: usize = 5_000;

fn pod() -> TypeId {
    TYPES.of_kind("v1", "Pod").unwrap()
}

fn go_json(value: &Value) -> Vec<u8> {
    let mut text = Vec::new();
    codec::go_json::write(value, &mut text);
    text
}

fn encoded(ty: TypeId, value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    normal::encode(&TYPES, ty, value, Encode { type_meta: None, splice_revision: false }, &mut out);
    out
}

#[test]
fn json_that_is_read_can_be_written_and_read() {
    each(seeds::JSON, ROUNDS, |input| {
        let Ok(parsed) = codec::json::parse(input) else { return };
        // Once written, a number of any size is spelt as Go spells it, and stays so.
        let once = go_json(&parsed.value);
        assert_eq!(go_json(&codec::json::parse(&once).unwrap().value), once);
        let indented = codec::go_json::indent(&once);
        assert_eq!(go_json(&codec::json::parse(&indented).unwrap().value), once);
    });
}

#[test]
fn yaml_that_is_read_can_be_printed_and_read() {
    each(seeds::YAML, ROUNDS, |input| {
        let Ok(parsed) = codec::yaml::parse(input) else { return };
        let printed = codec::yaml::print(&parsed.value);
        let again = codec::yaml::parse(printed.as_bytes());
        assert_eq!(again.map(|again| again.value).as_ref(), Ok(&parsed.value), "{printed}");
    });
}

#[test]
fn objects_have_one_normal_form() {
    each(seeds::PODS, ROUNDS_OBJECT, |input| {
        let Ok(parsed) = codec::json::parse(input) else { return };
        let mut value = parsed.value;
        if normal::decode(&TYPES, pod(), &mut value, &mut Vec::new()).is_err() {
            return;
        }
        let once = encoded(pod(), &value);
        let mut again = codec::json::parse(&once).unwrap().value;
        normal::decode(&TYPES, pod(), &mut again, &mut Vec::new()).unwrap();
        assert_eq!(String::from_utf8_lossy(&encoded(pod(), &again)), String::from_utf8_lossy(&once));
        let message = proto::encode(&TYPES, pod(), "v1", "Pod", &again);
        let read = proto::decode(&TYPES, pod(), proto::open(&message).unwrap().raw).unwrap();
        assert_eq!(proto::encode(&TYPES, pod(), "v1", "Pod", &read), message);
    });
}

#[test]
fn messages_that_are_read_can_be_written_and_read() {
    let seeds: Vec<Vec<u8>> = seeds::PODS
        .iter()
        .map(|text| proto::encode(&TYPES, pod(), "v1", "Pod", &codec::json::parse(text).unwrap().value))
        .collect();
    let seeds: Vec<&[u8]> = seeds.iter().map(Vec::as_slice).collect();
    let message = |value: &Value| proto::encode(&TYPES, pod(), "v1", "Pod", value);
    each(&seeds, ROUNDS_OBJECT, |input| {
        let Ok(value) = proto::open(input).and_then(|envelope| proto::decode(&TYPES, pod(), envelope.raw)) else { return };
        // A field of a message that was absent is there once it was written, with nothing in it.
        let again = proto::decode(&TYPES, pod(), proto::open(&message(&value)).unwrap().raw).unwrap();
        assert_eq!(message(&again), message(&value));
        assert_eq!(encoded(pod(), &again), encoded(pod(), &value));
    });
}

#[test]
fn owners_that_are_read_can_be_written_and_read() {
    each(seeds::FIELDS, ROUNDS, |input| {
        let Ok(fields) = codec::json::parse(input) else { return };
        let managed = json!([{"manager": "m", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": fields.value}]);
        let Ok(read) = Managers::read(Some(&managed)) else { return };
        let written = read.write();
        let again = Managers::read(written.as_ref()).unwrap().write();
        assert_eq!(again, written);
    });
}

#[test]
fn json_patches_end() {
    let object = codec::json::parse(seeds::PODS[0]).unwrap().value;
    each(seeds::JSON_PATCHES, ROUNDS_OBJECT * 2, |input| {
        if let Ok(patch) = JsonPatch::parse(input) {
            let _ = patch.apply(&mut object.clone());
        }
    });
}

#[test]
fn a_merge_patch_changes_nothing_the_second_time() {
    let object = codec::json::parse(seeds::PODS[0]).unwrap().value;
    each(seeds::PATCHES, ROUNDS_OBJECT * 2, |input| {
        let Ok(patch) = MergePatch::parse(input) else { return };
        let mut once = object.clone();
        patch.apply(&mut once);
        let mut twice = once.clone();
        patch.apply(&mut twice);
        assert_eq!(twice, once);
    });
}

#[test]
fn strategic_patches_end() {
    let object = codec::json::parse(seeds::PODS[0]).unwrap().value;
    each(seeds::PATCHES, ROUNDS_OBJECT * 2, |input| {
        let Ok(patch) = StrategicPatch::parse(input) else { return };
        let mut patched = object.clone();
        if patch.apply(&TYPES, pod(), &mut patched).is_ok() {
            let _ = normal::decode(&TYPES, pod(), &mut patched, &mut Vec::new());
        }
        let _ = patch.describe();
    });
}

#[test]
fn selectors_are_read_or_refused() {
    each(seeds::LABEL_SELECTORS, ROUNDS, |input| {
        let text = String::from_utf8_lossy(input);
        if let Ok(selector) = label::Selector::parse(&text) {
            selector.matches(|key| (key.len() % 2 == 0).then_some("a"));
        }
    });
    each(seeds::FIELD_SELECTORS, ROUNDS, |input| {
        let text = String::from_utf8_lossy(input);
        if let Ok(selector) = field::Selector::parse(&text) {
            selector.matches(|_| "a");
        }
    });
}

#[test]
fn quantities_are_read_or_refused() {
    each(seeds::QUANTITIES, ROUNDS, |input| {
        let text = String::from_utf8_lossy(input);
        let Ok(quantity) = text.parse::<model::quantity::Quantity>() else { return };
        let canonical = quantity.to_string();
        assert_eq!(canonical.parse::<model::quantity::Quantity>().unwrap().to_string(), canonical);
    });
}
