//! Defaults random objects of every kind, rows and hooks together, and compares with what upstream's functions made of them.
//! Fields that differ are listed in `conformance/gaps/defaults.txt`, and the list is compared both ways.

#[path = "../../upstream.rs"]
mod upstream;

use std::collections::{BTreeMap, BTreeSet};

use catalog::Catalog;
use model::json::Value;
use schema::Shape;

/// Brings an object into normal form and back, so that only what Go writes is compared.
fn normal(catalog: &Catalog, shape: &Shape, mut object: Value) -> Value {
    shape.decode(&catalog.types, &mut object, &mut Vec::new()).expect("upstream's own JSON");
    written(catalog, shape, &object)
}

fn written(catalog: &Catalog, shape: &Shape, object: &Value) -> Value {
    let mut out = Vec::new();
    shape.encode(&catalog.types, object, Default::default(), &mut out);
    serde_json::from_slice(&out).expect("normal form is JSON")
}

fn defaulted(catalog: &Catalog, resource: &catalog::Resource, mut object: Value) -> Value {
    resource.shape.decode(&catalog.types, &mut object, &mut Vec::new()).expect("upstream's own JSON");
    object["apiVersion"] = resource.api_version().into();
    object["kind"] = (*resource.gvk.kind).into();
    catalog.fill_in(&resource.shape, &mut object);
    if let Some(default) = resource.hooks.default {
        default(&mut object);
    }
    if let Some(shared) = &resource.hooks.shared {
        (shared.fill)(&mut object);
    }
    written(catalog, &resource.shape, &object)
}

/// Paths of the fields that differ, without indices.
fn differences(got: &Value, want: &Value, at: &str, found: &mut BTreeSet<String>) {
    // Nearly all of it is equal, of which no path is made.
    if got == want {
        return;
    }
    match (got, want) {
        (Value::Object(got), Value::Object(want)) => {
            for key in got.keys().chain(want.keys()).collect::<BTreeSet<_>>() {
                let [got, want] = [got, want].map(|map| map.get(key).unwrap_or(&Value::Null));
                differences(got, want, &format!("{at}.{key}"), found);
            }
        }
        (Value::Array(got), Value::Array(want)) if got.len() == want.len() => {
            got.iter().zip(want).for_each(|(got, want)| differences(got, want, &format!("{at}[]"), found));
        }
        _ => drop(found.insert(at.to_owned())),
    }
}

#[test]
fn defaults_are_upstreams_but_for_the_listed_gaps() {
    let catalog = Catalog::builtin().expect("tables");
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    let cases = upstream::run(&["run", "./import", "-defaulting-cases"]);
    for line in cases.lines() {
        let mut case: Value = serde_json::from_str(line).expect("a case is JSON");
        let (api_version, kind) =
            (case["apiVersion"].as_str().unwrap_or_default().to_owned(), case["kind"].as_str().unwrap_or_default().to_owned());
        let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
        let Some(resource) = catalog.by_kind(group, version, &kind).filter(|r| r.storage.as_ref().is_none_or(|s| s.gvk == r.gvk))
        else {
            continue; // the hooks know the stored version; others are converted
        };
        let before = case["before"].take();
        let want = normal(&catalog, &resource.shape, case["after"].take());
        let got = defaulted(&catalog, resource, before.clone());
        let mut paths = BTreeSet::new();
        differences(&got, &want, "", &mut paths);
        for path in paths {
            found
                .entry(format!("{api_version} {kind} {path}"))
                .or_insert_with(|| format!("before {before}\ngot    {got}\nwant   {want}"));
        }
    }
    assert!(cases.lines().count() > 1000, "upstream made {} cases", cases.lines().count());
    let list = include_str!("../../../conformance/gaps/defaults.txt");
    let listed: BTreeSet<&str> = list.lines().filter(|line| !line.starts_with('#')).collect();
    let unlisted: Vec<_> = found.iter().filter(|(path, _)| !listed.contains(path.as_str())).collect();
    let gone: Vec<_> = listed.iter().filter(|path| !found.contains_key(**path)).collect();
    let paths: Vec<_> = unlisted.iter().map(|(path, _)| path).collect();
    let example = unlisted.first().map(|(_, example)| example.as_str()).unwrap_or_default();
    assert!(
        paths.is_empty() && gone.is_empty(),
        "not in conformance/gaps/defaults.txt: {paths:#?}\n{example}\nlisted there but equal now: {gone:#?}"
    );
}
