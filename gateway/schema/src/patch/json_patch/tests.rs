//! Cases for JSON patch.

use model::json::json;
use proptest::prelude::*;

use super::*;

fn patched(mut target: Value, operations: &Value) -> Result<Value, String> {
    let patch = JsonPatch::parse(operations.to_string().as_bytes()).map_err(|status| status.message)?;
    patch.perform(&mut target)?;
    Ok(target)
}

#[test]
fn numbers_keep_their_spelling() {
    let body = br#"[{"op":"add","path":"/a/-","value":{"n":1e2}},{"op":"replace","path":"/m/x~1y.z","value":[1.50,1]},{"op":"add","path":"/n","value":1e3}]"#;
    let patch = JsonPatch::parse(body).expect("a patch");
    for (path, spelt) in
        [("a[3].n", Some("1e2")), ("m.x/y.z[0]", Some("1.50")), ("m.x/y.z[1]", None), ("n", Some("1e3")), ("nn", None)]
    {
        assert_eq!(patch.spelling(path).as_deref(), spelt, "{path}");
    }
}

#[test]
fn operations_change_the_object() {
    let base = json!({"a": {"b": [1, 2, 3]}, "c/d": 1, "e~f": 2});
    for (operations, result) in [
        (json!([{"op": "add", "path": "/a/x", "value": 1}]), json!({"a": {"b": [1, 2, 3], "x": 1}, "c/d": 1, "e~f": 2})),
        (json!([{"op": "add", "path": "/a/b/-", "value": 4}]), json!({"a": {"b": [1, 2, 3, 4]}, "c/d": 1, "e~f": 2})),
        (json!([{"op": "add", "path": "/a/b/0", "value": 0}]), json!({"a": {"b": [0, 1, 2, 3]}, "c/d": 1, "e~f": 2})),
        (json!([{"op": "add", "path": "/a/b/-1", "value": 4}]), json!({"a": {"b": [1, 2, 3, 4]}, "c/d": 1, "e~f": 2})),
        (json!([{"op": "remove", "path": "/a/b/-1"}]), json!({"a": {"b": [1, 2]}, "c/d": 1, "e~f": 2})),
        (json!([{"op": "remove", "path": "/c~1d"}, {"op": "remove", "path": "/e~0f"}]), json!({"a": {"b": [1, 2, 3]}})),
        (json!([{"op": "replace", "path": "/a/b", "value": []}]), json!({"a": {"b": []}, "c/d": 1, "e~f": 2})),
        (json!([{"op": "replace", "path": "/new", "value": 1}]), json!({"a": {"b": [1, 2, 3]}, "c/d": 1, "e~f": 2, "new": 1})),
        (json!([{"op": "replace", "path": "", "value": {"z": 1}}]), json!({"z": 1})),
        (json!([{"op": "move", "from": "/a/b/0", "path": "/m"}]), json!({"a": {"b": [2, 3]}, "c/d": 1, "e~f": 2, "m": 1})),
        (
            json!([{"op": "copy", "from": "/a/b", "path": "/k"}]),
            json!({"a": {"b": [1, 2, 3]}, "c/d": 1, "e~f": 2, "k": [1, 2, 3]}),
        ),
        (json!([{"op": "test", "path": "/a/b/1", "value": 2}, {"op": "test", "path": "/gone", "value": null}]), base.clone()),
    ] {
        assert_eq!(patched(base.clone(), &operations), Ok(result), "{operations}");
    }
}

#[test]
fn what_does_not_apply_is_422() {
    let base = json!({"a": {"b": [1]}});
    for (operation, why) in [
        (
            json!({"op": "add", "path": "/x/y", "value": 1}),
            "add operation does not apply: doc is missing path: \"/x/y\": missing value",
        ),
        (
            json!({"op": "add", "path": "/a/b/5", "value": 1}),
            "error in add for path: '/a/b/5': Unable to access invalid index: 5: invalid index referenced",
        ),
        (
            json!({"op": "add", "path": "/a/b/x", "value": 1}),
            "error in add for path: '/a/b/x': value was not a proper array index: 'x': strconv.Atoi: parsing \"x\": invalid syntax",
        ),
        (json!({"op": "add", "path": "", "value": {}}), "add operation does not apply: doc is missing path: \"\": missing value"),
        (
            json!({"op": "remove", "path": "/x"}),
            "error in remove for path: '/x': Unable to remove nonexistent key: x: missing value",
        ),
        (
            json!({"op": "replace", "path": "/a/b/3", "value": 1}),
            "replace operation does not apply: doc is missing key: /a/b/3: missing value",
        ),
        (json!({"op": "test", "path": "/a", "value": 1}), "testing value /a failed: test failed"),
        (json!({"op": "sing", "path": "/a"}), "Unexpected kind: sing"),
        (
            json!({"op": "move", "path": "/a"}),
            "move operation failed to decode from: operation, missing from field: missing value",
        ),
        (
            json!({"op": "copy", "from": "/z/z", "path": "/a"}),
            "copy operation does not apply: doc is missing from path: /z/z: missing value",
        ),
    ] {
        assert_eq!(patched(base.clone(), &json!([operation])), Err(why.to_owned()));
        let patch = JsonPatch::parse(json!([operation]).to_string().as_bytes()).expect("a patch");
        let refused = patch.apply(&mut base.clone()).expect_err(why);
        assert_eq!(
            (refused.code, refused.message.as_str()),
            (422, "the server rejected our request due to an error in our request")
        );
    }
}

#[test]
fn bodies_that_are_no_patch() {
    for (body, code, message) in [
        ("{}", 400, "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"),
        ("[1]", 400, "error decoding patch: json: cannot unmarshal number into Go value of type handlers.jsonPatchOp"),
        (
            r#"[{"op":1}]"#,
            400,
            "error decoding patch: json: cannot unmarshal number into Go struct field jsonPatchOp.op of type string",
        ),
        ("[", 400, "invalid JSON patch"),
    ] {
        let refused = JsonPatch::parse(body.as_bytes()).expect_err(body);
        assert_eq!((refused.code, refused.message.as_str()), (code, message));
    }
    let many = format!("[{}]", vec!["{}"; OPERATIONS_MAX + 1].join(","));
    let refused = JsonPatch::parse(many.as_bytes()).expect_err("too many");
    assert_eq!(
        (refused.code, refused.message.as_str()),
        (413, "Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001")
    );
}

#[test]
fn strict_errors_name_the_operation() {
    let patch =
        JsonPatch::parse(br#"[{"op":"test","path":"/a","foo":1},{"op":"add","op":"test","path":"/a"}]"#).expect("a patch");
    assert_eq!(patch.strict, [r#"json patch unknown field "[0].foo""#, r#"json patch duplicate field "[1].op""#]);
    let twice = JsonPatch::parse(br#"[{"op":"test","path":"/a","foo":1,"foo":2}]"#).expect("a patch");
    assert_eq!(twice.strict, [r#"json patch unknown field "[0].foo""#]);
}

#[test]
fn copies_cannot_grow_without_end() {
    let mut operations = Vec::new();
    for i in 0..200 {
        operations.push(json!({"op": "copy", "from": "", "path": format!("/x{i}")}));
        operations.push(json!({"op": "copy", "from": "/a", "path": format!("/a/x{i}")}));
    }
    let operations: Vec<Value> = operations.into_iter().filter(|o| o["from"] != "").collect();
    let refused = patched(json!({"a": {"b": "c"}}), &Value::Array(operations)).expect_err("a bomb");
    assert!(refused.starts_with("Unable to complete the copy"), "{refused}");
}

#[test]
fn values_cannot_be_put_into_each_other_without_end() {
    let nested = |levels: usize| (0..levels).fold(json!("leaf"), |inner, _| json!([inner]));
    for operation in ["add", "replace", "copy", "move"] {
        let applies = |levels: usize| {
            let patch = match operation {
                "add" | "replace" => json!([{"op": operation, "path": "/b/c/d", "value": nested(levels)}]),
                _ => json!([{"op": operation, "path": "/b/c/d", "from": "/a"}]),
            };
            patched(json!({"a": nested(levels), "b": {"c": {}}}), &patch)
        };
        assert!(applies(DEPTH_MAX - 3).is_ok(), "{operation}");
        let refused = applies(DEPTH_MAX - 2).expect_err("too deep");
        assert_eq!(refused, "the value at /b/c/d would nest deeper than 120 levels", "{operation}");
    }
    // Each round puts what is there into something that was deep already.
    let rounds = (0..2).flat_map(|_| {
        let way = "/0".repeat(80);
        [
            json!({"op": "add", "path": "/b", "value": nested(90)}),
            json!({"op": "move", "from": "/a", "path": format!("/b{way}")}),
            json!({"op": "move", "from": "/b", "path": "/a"}),
        ]
    });
    let refused = patched(json!({"a": {}}), &rounds.collect::<Vec<_>>().into()).expect_err("too deep");
    assert!(refused.ends_with("would nest deeper than 120 levels"), "{refused}");
}

proptest! {
    #[test]
    fn a_test_passes_after_an_add(key in "[a-z~/]{1,4}", value in 0..9i64) {
        let path = format!("/{}", key.replace('~', "~0").replace('/', "~1"));
        let operations = json!([{"op": "add", "path": path, "value": value}, {"op": "test", "path": path, "value": value}]);
        let outcome = patched(json!({}), &operations);
        prop_assert!(outcome.is_ok());
    }

    #[test]
    fn never_panics(path in "[/~a0-9-]{0,8}", from in "[/~a0-9-]{0,8}", op in "add|remove|replace|move|copy|test") {
        let operations = json!([{"op": op, "path": path, "from": from, "value": 1}]);
        let _ = patched(json!({"a": [[1], {"a": 1}], "0": []}), &operations);
    }
}

#[test]
fn a_webhooks_patch_is_read_as_upstreams_library_does() {
    let (patch, shown) = JsonPatch::decode(br#"[{"path":"/a","value":{"z":1,"b":2},"op":"add"}]"#).unwrap();
    assert_eq!(shown.to_string(), r#"[{"op":"add","path":"/a","value":{"z":1,"b":2}}]"#);
    let mut object = json!({});
    patch.perform(&mut object).unwrap();
    assert_eq!(object, json!({"a": {"z": 1, "b": 2}}));
    assert!(JsonPatch::decode(b"[]").unwrap().0.is_empty());
    let refused = |body: &[u8]| JsonPatch::decode(body).unwrap_err();
    assert_eq!(refused(b"{}"), "json: cannot unmarshal object into Go value of type jsonpatch.Patch");
    assert_eq!(refused(b"[1]"), "json: cannot unmarshal number into Go value of type jsonpatch.Operation");
    let (patch, _) = JsonPatch::decode(br#"[{"op":"test","path":"/a","value":1}]"#).unwrap();
    assert_eq!(patch.perform(&mut object).unwrap_err(), "testing value /a failed: test failed");
}

#[test]
fn the_way_of_an_operation_is_sorted_and_nothing_else() {
    let mut target: Value = serde_json::from_str(r#"{"z":[{"y":1,"x":{"b":1,"a":2}}],"m":{"q":1,"p":2}}"#).unwrap();
    let patch = JsonPatch::parse(br#"[{"op":"add","path":"/z/0/c","value":1}]"#).unwrap();
    patch.apply(&mut target).unwrap();
    patch.sort_touched(&mut target);
    assert_eq!(target.to_string(), r#"{"m":{"q":1,"p":2},"z":[{"c":1,"x":{"b":1,"a":2},"y":1}]}"#);
}
