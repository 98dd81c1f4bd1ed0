//! Upstream's round-trip data: every file of every kind, read and written back to the same bytes in JSON, YAML and protobuf;
//! and what older versions wrote, read as upstream reads it today. Mirrors `TestCompatibility` of apimachinery's roundtrip.
//! The files are read from the Go modules, never copied; kinds that are not served have their types in `unserved.txt`.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must say where")]

#[path = "../../upstream.rs"]
mod upstream;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use model::json::Value;
use schema::normal::{self, Encode};
use schema::{TypeId, Types, proto};

static TYPES: LazyLock<Types> = LazyLock::new(|| {
    let served = include_str!("../../catalog/data/types.txt");
    let unserved = include_str!("../../catalog/data/unserved.txt");
    Types::parse(&[served, unserved]).unwrap()
});

/// The modules that keep such data, each with its folder. kube-aggregator keeps none.
const MODULES: [(&str, &str); 2] = [("k8s.io/api", "testdata"), ("k8s.io/apiextensions-apiserver", "pkg/apis/testdata")];

/// The three forms, by the extension of their files.
const FORMS: [&str; 3] = ["json", "yaml", "pb"];

#[test]
fn every_kind_comes_and_goes_byte_for_byte() {
    let mut kinds = BTreeSet::new();
    for folder in folders(|version| version == "HEAD") {
        kinds.extend(names(&folder));
        told(&folder, names(&folder).iter().flat_map(|kind| differences(&folder, kind)).collect());
    }
    assert_eq!(kinds.len(), 193 + 4, "kinds of the data");
}

#[test]
fn what_older_versions_wrote_is_read() {
    let head: BTreeSet<String> = folders(|version| version == "HEAD").iter().flat_map(|folder| names(folder)).collect();
    let older = folders(|version| version != "HEAD");
    assert!(older.len() >= 4, "only {older:?}");
    for folder in older {
        // Upstream too reads only kinds that it still knows.
        let kinds: Vec<String> = names(&folder).intersection(&head).cloned().collect();
        assert!(kinds.len() > 150, "{}: only {} kinds", folder.display(), kinds.len());
        told(&folder, kinds.iter().flat_map(|kind| differences(&folder, kind)).collect());
    }
}

fn told(folder: &Path, wrong: Vec<String>) {
    assert!(wrong.is_empty(), "{}: {} differ:\n{}", folder.display(), wrong.len(), wrong.join("\n"));
}

/// The folders of data whose version is wanted, of every module.
fn folders(wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let of = |(module, under): &(&str, &str)| fs::read_dir(upstream::module(module).join(under)).unwrap();
    let all = MODULES.iter().flat_map(of).map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    all.filter(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(&wanted)).collect()
}

/// Which kinds a folder has, such as `apps.v1.Deployment`.
fn names(folder: &Path) -> BTreeSet<String> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    files
        .filter_map(|file| file.strip_suffix(".json").filter(|name| !name.ends_with(".after_roundtrip")).map(str::to_owned))
        .collect()
}

/// What a file is expected to become: itself, unless upstream keeps another text for it.
fn expected(folder: &Path, kind: &str, form: &str) -> Vec<u8> {
    let after = folder.join(format!("{kind}.after_roundtrip.{form}"));
    fs::read(after).unwrap_or_else(|_| written(folder, kind, form))
}

fn written(folder: &Path, kind: &str, form: &str) -> Vec<u8> {
    fs::read(folder.join(format!("{kind}.{form}"))).unwrap()
}

/// A kind's type, and the words that its objects carry; a WatchEvent carries none.
struct Shape {
    ty: TypeId,
    api_version: String,
    kind: String,
}

impl Shape {
    fn of(name: &str, json: &[u8]) -> Self {
        let (group_version, kind) = name.rsplit_once('.').unwrap();
        let (group, version) = group_version.rsplit_once('.').unwrap();
        let api_version = if group == "core" { version.to_owned() } else { format!("{group}/{version}") };
        let ty = TYPES.of_kind(&api_version, kind).unwrap_or_else(|| panic!("the tables have no {api_version} {kind}"));
        let bare = codec::json::parse(json).unwrap().value.get("kind").is_none();
        let carried = |word: &str| if bare { String::new() } else { word.to_owned() };
        Self { ty, api_version: carried(&api_version), kind: carried(kind) }
    }

    fn normal(&self, mut parsed: Value) -> Result<Value, String> {
        let mut unknown = Vec::new();
        normal::decode(&TYPES, self.ty, &mut parsed, &mut unknown)?;
        Ok(parsed)
    }

    fn json(&self, value: &Value) -> Vec<u8> {
        let type_meta = (!self.kind.is_empty()).then_some((self.api_version.as_str(), self.kind.as_str()));
        let mut out = Vec::new();
        normal::encode(&TYPES, self.ty, value, Encode { type_meta, splice_revision: false }, &mut out);
        out
    }

    fn read(&self, form: &str, bytes: &[u8]) -> Result<Value, String> {
        match form {
            "json" => self.normal(codec::json::parse(bytes).map_err(|error| error.to_string())?.value),
            "yaml" => self.normal(codec::yaml::parse(bytes).map_err(|error| error.to_string())?.value),
            _ => {
                let envelope = proto::open(bytes)?;
                assert_eq!((&*envelope.api_version, &*envelope.kind), (&*self.api_version, &*self.kind));
                proto::decode(&TYPES, self.ty, envelope.raw)
            }
        }
    }

    fn write(&self, form: &str, value: &Value) -> Vec<u8> {
        match form {
            "json" => self.json(value),
            "yaml" => codec::yaml::from_json(&self.json(value)).unwrap().into_bytes(),
            _ => proto::encode(&TYPES, self.ty, &self.api_version, &self.kind, value),
        }
    }
}

/// Where the three files of a kind do not come back as they should.
fn differences(folder: &Path, kind: &str) -> Vec<String> {
    let shape = Shape::of(kind, &written(folder, kind, "json"));
    let mut wrong = Vec::new();
    for form in FORMS {
        let value = match shape.read(form, &written(folder, kind, form)) {
            Ok(value) => value,
            Err(why) => {
                wrong.push(format!("{kind}.{form}: reading: {why}"));
                continue;
            }
        };
        let expected = compact(form, expected(folder, kind, form));
        let again = shape.write(form, &value);
        if again != expected {
            wrong.push(format!("{kind}.{form}: {}", first_difference(&expected, &again)));
        }
    }
    wrong
}

/// JSON files are indented for people.
fn compact(form: &str, bytes: Vec<u8>) -> Vec<u8> {
    if form != "json" {
        return bytes;
    }
    let mut out = Vec::new();
    codec::go_json::write(&codec::json::parse(&bytes).unwrap().value, &mut out);
    out
}

fn first_difference(expected: &[u8], found: &[u8]) -> String {
    let at = expected.iter().zip(found).take_while(|(a, b)| a == b).count();
    let around = |bytes: &[u8]| {
        let text = &bytes[at.saturating_sub(60).min(bytes.len())..bytes.len().min(at + 60)];
        String::from_utf8_lossy(text).escape_debug().to_string()
    };
    format!("byte {at}\n  {}\n  {}", around(expected), around(found))
}
