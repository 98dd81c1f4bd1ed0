//! Compares schemas and paths with the OpenAPI v3 documents that upstream publishes, prose aside. What differs is listed in
//! `conformance/gaps/openapi.txt`, and the list is compared both ways.

#[path = "../../upstream.rs"]
mod upstream;

use std::collections::BTreeSet;
use std::sync::Arc;

use catalog::Catalog;
use catalog::openapi::{Form, OpenApi};
use model::json::{Map, Value, json};

fn documents() -> (Arc<Catalog>, OpenApi) {
    let catalog = Arc::new(Catalog::builtin().expect("tables"));
    (catalog.clone(), OpenApi::new(catalog))
}

/// Takes descriptions out, and sorts keys by the way.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut pairs: Vec<_> = map.iter().filter(|(key, value)| *key != "description" || !value.is_string()).collect();
            pairs.sort_by_key(|(key, _)| *key);
            pairs.into_iter().map(|(key, value)| (key.clone(), plain(value))).collect::<model::json::Map>().into()
        }
        Value::Array(items) => items.iter().map(plain).collect(),
        other => other.clone(),
    }
}

fn compare(what: &str, got: &Value, want: &Value, differences: &mut BTreeSet<String>) {
    let mut differ = |name: &str, how: &str| {
        differences.insert(format!("{what} {name}: {how}"));
    };
    for (name, want) in want.as_object().into_iter().flatten() {
        match got.get(name).map(plain) {
            None => differ(name, "missing"),
            Some(got) if got != plain(want) => differ(name, &first(&got, &plain(want), "")),
            Some(_) => {}
        }
    }
    for (name, _) in got.as_object().into_iter().flatten().filter(|(name, _)| want.get(*name).is_none()) {
        differ(name, "not upstream's");
    }
}

/// Where two values differ first.
fn first(got: &Value, want: &Value, at: &str) -> String {
    if let (Value::Object(got), Value::Object(want)) = (got, want) {
        let keys: BTreeSet<&model::json::Key> = got.keys().chain(want.keys()).collect();
        for key in keys {
            match (got.get(key), want.get(key)) {
                (Some(got), Some(want)) if got != want => return first(got, want, &format!("{at}.{key}")),
                (None, Some(_)) => return format!("lacks {at}.{key}"),
                (Some(_), None) => return format!("has {at}.{key}"),
                _ => {}
            }
        }
    }
    format!("{} differs", if at.is_empty() { "it" } else { at })
}

/// Compares the descriptions that both have.
fn compare_prose(what: &str, got: &Value, want: &Value, differences: &mut BTreeSet<String>) {
    match (got, want) {
        (Value::Object(got), Value::Object(want)) => {
            for (key, got) in got {
                match (want.get(key), got.as_str().filter(|_| key == "description")) {
                    (Some(want), Some(text)) if want.as_str() != Some(text) => {
                        differences.insert(format!("{what}: {text:?} is described otherwise"));
                    }
                    (Some(want), _) => compare_prose(what, got, want, differences),
                    (None, _) => {}
                }
            }
        }
        (Value::Array(got), Value::Array(want)) => {
            got.iter().zip(want).for_each(|(got, want)| compare_prose(what, got, want, differences));
        }
        _ => {}
    }
}

#[test]
fn schemas_and_paths_are_upstreams_but_for_the_listed_gaps() {
    let (_, openapi) = documents();
    let mut differences = BTreeSet::new();
    let index: Value = serde_json::from_slice(&openapi.index().body).expect("JSON");
    let ours = |path: &&model::json::Key| {
        ["apis/openreports.io", "apis/policy.gatehouse.dev"].iter().any(|group| path.starts_with(group))
    };
    for path in index["paths"].as_object().expect("paths").keys().filter(|path| !ours(path)) {
        let want = upstream::read(&format!("api/openapi-spec/v3/{}_openapi.json", path.replace('/', "__")));
        let got: Value = serde_json::from_slice(&openapi.v3(path, Form::Json).expect(path).body).expect("JSON");
        compare("schema", &got["components"]["schemas"], &want["components"]["schemas"], &mut differences);
        let served = |path: &&model::json::Key| !path.contains("/watch/");
        let want_paths: model::json::Map = want["paths"]
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(path, _)| served(path))
            .map(|(p, v)| (p.clone(), v.clone()))
            .collect();
        let want_paths = want_paths.into();
        compare("path", &got["paths"], &want_paths, &mut differences);
        compare_prose(path, &got["paths"], &want_paths, &mut differences);
    }
    let listed: BTreeSet<String> = include_str!("../../../conformance/gaps/openapi.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(str::to_owned)
        .collect();
    let unlisted: Vec<_> = differences.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&differences).collect();
    assert!(
        unlisted.is_empty() && gone.is_empty(),
        "not in conformance/gaps/openapi.txt: {unlisted:#?}\nlisted there but equal now: {gone:#?}"
    );
}

#[test]
fn the_index_names_every_version_with_its_hash() {
    let (catalog, openapi) = documents();
    let index: Value = serde_json::from_slice(&openapi.index().body).expect("JSON");
    let versions: usize = catalog.groups().iter().map(|group| group.versions.len()).sum();
    let groups = catalog.groups().iter().filter(|group| !group.name.is_empty()).count();
    let plain = ["api", "apis", "version", "openid/v1/jwks", ".well-known/openid-configuration"];
    assert_eq!(index["paths"].as_object().map(model::json::Map::len), Some(versions + groups + plain.len()));
    for path in index["paths"].as_object().into_iter().flatten().map(|(path, _)| path) {
        assert!(openapi.v3(path, Form::Json).is_some(), "{path}");
    }
    let apps = index["paths"]["apis/apps/v1"]["serverRelativeURL"].as_str().expect("url");
    let hash = openapi.v3("apis/apps/v1", Form::Json).expect("apps").tag().to_owned();
    assert_eq!(apps, format!("/openapi/v3/apis/apps/v1?hash={hash}"));
    assert!(openapi.v3("apis/nothing/v1", Form::Json).is_none());
}

#[test]
fn descriptions_are_there_for_explain() {
    let (_, openapi) = documents();
    let core: Value = serde_json::from_slice(&openapi.v3("api/v1", Form::Json).expect("core").body).expect("JSON");
    let containers = &core["components"]["schemas"]["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"];
    assert!(containers["description"].as_str().is_some_and(|text| text.contains("containers belonging to the pod")));
    let list = &core["components"]["schemas"]["io.k8s.api.core.v1.ServiceList"]["properties"];
    assert_eq!(list["items"]["description"], "List of services");
    let (of_list, of_object) =
        (&list["kind"], &core["components"]["schemas"]["io.k8s.api.core.v1.Service"]["properties"]["kind"]);
    assert_eq!(of_list["description"], of_object["description"]);
}

/// Shared parameters put back where they are taken, marked as such.
fn resolved(document: &Value, value: &Value) -> Value {
    let parameter = value.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix("#/parameters/"));
    match (parameter, value) {
        (Some(name), _) => json!({"shared": document["parameters"][name]}),
        (None, Value::Object(map)) => {
            map.iter().map(|(key, value)| (key.clone(), resolved(document, value))).collect::<Map>().into()
        }
        (None, Value::Array(items)) => items.iter().map(|item| resolved(document, item)).collect(),
        (None, other) => other.clone(),
    }
}

/// Members of a document but for those of some names.
fn members(document: &Value, field: &str, left_out: impl Fn(&str) -> bool) -> Value {
    let all = document[field].as_object().into_iter().flatten().filter(|(name, _)| !left_out(name));
    all.map(|(name, value)| (name.clone(), resolved(document, value))).collect::<Map>().into()
}

#[test]
fn version_two_is_as_it_is_published() {
    let (catalog, openapi) = documents();
    let got: Value = serde_json::from_slice(&openapi.v2(Form::Json).body).expect("JSON");
    let want = upstream::read("api/openapi-spec/swagger.json");
    let ours = |name: &str| ["gatehouse", "openreports"].iter().any(|word| name.to_lowercase().contains(word));
    // Upstream publishes versions that are off by default, too: their paths, their definitions, and themselves in these lists.
    let of_all_groups = |name: &str| name.ends_with(".DeleteOptions") || name.ends_with(".WatchEvent");
    let left_out = |name: &str| ours(name) || of_all_groups(name) || got["definitions"].get(name).is_none();
    let is_off = |path: &str| match path.trim_matches('/').split('/').collect::<Vec<_>>()[..] {
        ["apis", group] => catalog.group(group).is_none(),
        ["apis", group, version, ..] => catalog.group(group).and_then(|group| group.version(version)).is_none(),
        _ => false,
    };
    let unserved = |path: &str| path.contains("/watch/") || path.starts_with("/logs/") || ours(path) || is_off(path);
    let mut differences = BTreeSet::new();
    let definitions = |document: &Value| members(document, "definitions", left_out);
    compare("definition", &definitions(&got), &definitions(&want), &mut differences);
    compare("path", &members(&got, "paths", unserved), &members(&want, "paths", unserved), &mut differences);
    assert!(differences.is_empty(), "{differences:#?}");
    // Names hang on every letter of the descriptions. Logs of the node are not served.
    let shared = |document: &Value| members(document, "parameters", |name| name.starts_with("logpath-"));
    assert_eq!(shared(&got), shared(&want));
}

#[test]
#[ignore = "prints what a start costs; run by hand, in release"]
fn cost_of_a_start() {
    let timed = |what: &str, from: std::time::Instant| println!("{what}: {:?}", from.elapsed());
    let from = std::time::Instant::now();
    let catalog = Arc::new(Catalog::builtin().expect("tables"));
    timed("catalog", from);
    let from = std::time::Instant::now();
    let discovery = catalog::discovery::Discovery::of(&catalog);
    timed("discovery", from);
    let from = std::time::Instant::now();
    let openapi = OpenApi::new(catalog.clone());
    timed("openapi", from);
    let from = std::time::Instant::now();
    let bytes: usize =
        ["api/v1", "apis/apps/v1"].iter().filter_map(|path| openapi.v3(path, Form::Json)).map(|d| d.body.len()).sum();
    timed("two documents", from);
    let from = std::time::Instant::now();
    let all = openapi.v2(Form::Json).body.len();
    timed("version two", from);
    println!("{} + {bytes} + {all} bytes", discovery.groups().body.len());
}
