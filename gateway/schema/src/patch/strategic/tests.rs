//! Cases for strategic merge patch.

use std::sync::LazyLock;

use model::json::json;
use proptest::prelude::*;

use super::*;

static TYPES: LazyLock<Types> = LazyLock::new(|| {
    Types::parse(&[include_str!("../../../../catalog/data/types.txt")]).expect("the committed table is readable")
});

fn patched(api_version: &str, kind: &str, target: Value, patch: &Value) -> Result<Value, Status> {
    let ty = TYPES.of_kind(api_version, kind).expect("known");
    let mut target = target;
    StrategicPatch::parse(patch.to_string().as_bytes())?.apply(&TYPES, ty, &mut target)?;
    Ok(target)
}

fn pod(spec: Value, patch: Value) -> Value {
    let patch = json!({"spec": patch});
    patched("v1", "Pod", json!({"spec": spec}), &patch).unwrap_or_else(|e| panic!("{patch}: {e:?}"))["spec"].clone()
}

fn refused(spec: Value, patch: Value) -> Status {
    patched("v1", "Pod", json!({"spec": spec}), &json!({"spec": patch})).expect_err("refused")
}

#[test]
fn lists_of_objects_merge_by_key() {
    let spec = json!({"containers": [{"name": "a", "image": "1", "args": ["x"]}, {"name": "b"}]});
    assert_eq!(
        pod(spec.clone(), json!({"containers": [{"name": "b", "image": "2"}, {"name": "c"}]})),
        json!({"containers": [{"name": "a", "image": "1", "args": ["x"]}, {"name": "b", "image": "2"}, {"name": "c"}]})
    );
    assert_eq!(
        pod(spec.clone(), json!({"containers": [{"name": "a", "args": ["y"], "image": null}]})),
        json!({"containers": [{"name": "a", "args": ["y"]}, {"name": "b"}]})
    );
    assert_eq!(
        pod(spec.clone(), json!({"containers": [{"$patch": "delete", "name": "a"}]})),
        json!({"containers": [{"name": "b"}]})
    );
    assert_eq!(
        pod(spec.clone(), json!({"containers": [{"$patch": "replace"}, {"name": "z"}]})),
        json!({"containers": [{"name": "z"}]})
    );
    assert_eq!(pod(spec, json!({"containers": null})), json!({}));
}

#[test]
fn the_patch_orders_lists() {
    let spec = json!({"containers": [{"name": "a"}, {"name": "b"}, {"name": "c"}]});
    assert_eq!(
        pod(spec.clone(), json!({"$setElementOrder/containers": [{"name": "c"}, {"name": "a"}]})),
        json!({"containers": [{"name": "b"}, {"name": "c"}, {"name": "a"}]})
    );
    assert_eq!(
        pod(spec.clone(), json!({"$setElementOrder/containers": [{"name": "d"}, {"name": "a"}], "containers": [{"name": "d"}]})),
        json!({"containers": [{"name": "d"}, {"name": "a"}, {"name": "b"}, {"name": "c"}]})
    );
    assert_eq!(
        pod(json!({}), json!({"$setElementOrder/containers": [{"name": "x"}], "containers": [{"name": "x", "image": "i"}]})),
        json!({"containers": [{"name": "x", "image": "i"}]})
    );
    let status = refused(spec, json!({"$setElementOrder/containers": [{"name": "a"}], "containers": [{"name": "z"}]}));
    assert!(
        status.code == 500
            && status.message.starts_with("The order in patch list:\n[map[name:z]]\n doesn't match $setElementOrder list:")
    );
}

#[test]
fn lists_of_scalars() {
    let meta = |finalizers: Value, patch: Value| {
        patched("v1", "Pod", json!({"metadata": {"finalizers": finalizers}}), &json!({"metadata": patch}))
            .map(|o| o["metadata"]["finalizers"].clone())
    };
    assert_eq!(meta(json!(["a", "b"]), json!({"finalizers": ["c", "a"]})), Ok(json!(["c", "a", "b"])));
    assert_eq!(meta(json!(["a", "b"]), json!({"$deleteFromPrimitiveList/finalizers": ["a", "z"]})), Ok(json!(["b"])));
    assert_eq!(
        meta(
            json!(["a", "b"]),
            json!({"$setElementOrder/finalizers": ["c", "b"], "$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["c"]})
        ),
        Ok(json!(["c", "b"]))
    );
    // A list of maps is merged by what was to be deleted from it.
    let secrets = |patch: Value| patched("v1", "ServiceAccount", json!({"secrets": [{"name": "a"}]}), &patch);
    let merged = secrets(json!({"$deleteFromPrimitiveList/secrets": [{"name": "b"}, {"name": "a"}]}));
    assert_eq!(merged, Ok(json!({"secrets": [{"name": "b"}, {"name": "a"}]})));
    // Without a strategy a list is replaced.
    assert_eq!(
        pod(json!({"containers": [{"name": "a", "args": ["x"]}]}), json!({"containers": [{"name": "a", "args": ["y"]}]})),
        json!({"containers": [{"name": "a", "args": ["y"]}]})
    );
}

#[test]
fn maps_merge_replace_and_retain() {
    let deployment = |strategy: Option<Value>, patch: Value| {
        let mut target = json!({"spec": {"replicas": 1}});
        if let Some(strategy) = strategy {
            target["spec"]["strategy"] = strategy;
        }
        patched("apps/v1", "Deployment", target, &json!({"spec": {"strategy": patch}})).map(|o| o["spec"]["strategy"].clone())
    };
    let rolling = json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}});
    assert_eq!(
        deployment(Some(rolling.clone()), json!({"$retainKeys": ["type"], "type": "Recreate"})),
        Ok(json!({"type": "Recreate"}))
    );
    assert_eq!(deployment(None, json!({"$retainKeys": ["type"], "type": "Recreate"})), Ok(json!({"type": "Recreate"})));
    assert_eq!(
        deployment(Some(rolling.clone()), json!({"$patch": "replace", "type": "Recreate"})),
        Ok(json!({"type": "Recreate"}))
    );
    assert_eq!(deployment(Some(rolling.clone()), json!({"$patch": "delete"})), Ok(json!({})));
    assert_eq!(
        deployment(Some(rolling.clone()), json!({"rollingUpdate": {"maxSurge": null}})),
        Ok(json!({"type": "RollingUpdate", "rollingUpdate": {}}))
    );
    let status =
        deployment(Some(rolling.clone()), json!({"$retainKeys": ["type"], "rollingUpdate": {}})).expect_err("retainKeys");
    assert_eq!((status.code, status.message.as_str()), (400, "invalid patch format of retainKeys"));
    let status = deployment(Some(rolling.clone()), json!({"$patch": 5})).expect_err("directive");
    assert_eq!(status.message, "unknown patch type: %!s(int64=5) in map: map[$patch:5]");
    let status = deployment(Some(rolling), json!({"$patch": "sing"})).expect_err("directive");
    assert_eq!((status.code, status.message.as_str()), (500, "unknown patch type: sing in map: map[$patch:sing]"));
}

#[test]
fn volumes_retain_keys_and_merge() {
    let spec = json!({"volumes": [{"name": "v", "emptyDir": {}}]});
    assert_eq!(
        pod(spec, json!({"volumes": [{"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/x"}}]})),
        json!({"volumes": [{"name": "v", "hostPath": {"path": "/x"}}]})
    );
}

#[test]
fn labels_merge_and_nulls_vanish() {
    let target = json!({"metadata": {"labels": {"a": "1", "b": "2"}}});
    let patch = json!({"metadata": {"labels": {"a": null, "c": "3", "z": null}, "annotations": {"x": null, "y": "1"}}});
    assert_eq!(
        patched("v1", "ConfigMap", target, &patch),
        Ok(json!({"metadata": {"labels": {"b": "2", "c": "3"}, "annotations": {"y": "1"}}}))
    );
}

#[test]
fn faults() {
    let containers = json!({"containers": [{"name": "a"}]});
    let status = refused(containers.clone(), json!({"containers": [{"image": "x"}]}));
    assert_eq!((status.code, status.message.as_str()), (500, "map: map[image:x] does not contain declared merge key: name"));
    let status = refused(containers.clone(), json!({"$setElementOrder/containers": "a"}));
    assert_eq!(status.message, "expected a []interface {}, but received a string");
    let status = refused(containers, json!({"$deleteFromPrimitiveList": ["a"]}));
    assert_eq!((status.code, status.message.as_str()), (400, "invalid patch format of primitive list"));
    let status = StrategicPatch::parse(b"[]").expect_err("no object");
    assert_eq!(
        (status.code, status.message.as_str()),
        (400, "json: cannot unmarshal array into Go value of type map[string]interface {}")
    );
}

#[test]
fn upstreams_own_answers() {
    let mut lines = include_str!("cases.txt").lines().filter(|line| !line.starts_with('#'));
    let ty = TYPES.of_kind("v1", "Pod").expect("known");
    let parse = |text: &str| codec::json::parse(text.as_bytes()).expect("valid JSON").value;
    let target = parse(lines.next().expect("the Pod"));
    let mut seen = 0;
    while let (Some(patch), Some(expected)) = (lines.next(), lines.next()) {
        let found = match patched("v1", "Pod", target.clone(), &parse(patch)) {
            Err(status) => format!("ERR {}", status.message),
            Ok(mut object) => {
                crate::normal::decode(&TYPES, ty, &mut object, &mut Vec::new()).expect("decodes");
                let mut out = Vec::new();
                crate::normal::encode(&TYPES, ty, &object, crate::normal::Encode::default(), &mut out);
                String::from_utf8(out).expect("UTF-8")
            }
        };
        assert_eq!(found, expected, "{patch}");
        seen += 1;
    }
    assert!(seen > 50, "only {seen} cases");
}

proptest! {
    #[test]
    fn merging_keeps_every_element_once(have in proptest::collection::btree_set("[a-f]", 0..5), want in proptest::collection::btree_set("[a-f]", 1..5)) {
        let list = |names: &std::collections::BTreeSet<String>| Value::Array(names.iter().map(|n| json!({"name": n})).collect());
        let result = pod(json!({"containers": list(&have)}), json!({"containers": list(&want)}));
        let mut names: Vec<String> = result["containers"].as_array().expect("a list").iter().filter_map(|c| c["name"].as_str().map(str::to_owned)).collect();
        names.sort();
        let union: Vec<String> = have.union(&want).cloned().collect();
        prop_assert_eq!(names, union);
    }
}

/// What one patch of upstream's tests makes here, or why it cannot be applied.
fn played(types: &Types, line: &Value) -> Result<Value, String> {
    let document = |field: &str| match line[field].as_str().expect("a text") {
        // No bytes at all are an empty object.
        "" => Ok(Map::new()),
        text => serde_json::from_str::<Map>(text).map_err(|_| BAD_DOCUMENT.to_owned()),
    };
    let ty = types.by_name(line["type"].as_str().expect("a text")).expect("a recorded type");
    match map(types, Shape::Struct(ty), document("live")?, document("patch")?) {
        Ok(merged) => Ok(Value::Object(merged)),
        Err(Fault::Malformed(why) | Fault::Unfit(why)) => Err(why.to_owned()),
        Err(Fault::Other(why)) => Err(why),
    }
}

/// How upstream calls what is no JSON object.
const BAD_DOCUMENT: &str = "invalid JSON document";

#[test]
fn upstream_s_own_tests() {
    let lines = crate::upstream::recorded("strategicpatch");
    let tables = lines.iter().filter_map(|line| line.get("types")?.as_str()).collect::<String>();
    let types = Types::parse(&[tables.leak()]).expect("recorded types");
    let mut calls: Vec<&Value> = lines.iter().filter(|line| line.get("call").is_some()).collect();
    // Upstream asks some of it in many orders.
    let mut asked = std::collections::HashSet::new();
    calls.retain(|line| asked.insert(format!("{} {} {}", line["type"], line["live"], line["patch"])));
    let mut wrong = Vec::new();
    for line in &calls {
        let wanted = match line["error"].as_str() {
            Some(why) => Err(why.to_owned()),
            None => Ok(serde_json::from_str(line["object"].as_str().expect("a text")).expect("an object")),
        };
        let found = played(&types, line);
        if found != wanted {
            wrong.push(format!("{line}\n  wanted {wanted:?}\n  found  {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), calls.len(), wrong.join("\n"));
    assert!(calls.len() > 200, "only {} patches were recorded", calls.len());
}
