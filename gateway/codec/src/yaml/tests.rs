//! Cases for YAML, and upstream's own test data read and printed.

use model::json::json;
use proptest::prelude::*;

use super::*;

fn value(text: &str) -> Result<Value, String> {
    parse(text.as_bytes()).map(|p| p.value).map_err(|e| e.to_string())
}

#[test]
fn scalars_are_those_of_yaml_1_1() {
    for (text, expected) in [
        ("a: on", json!({"a": true})),
        ("a: 'on'", json!({"a": "on"})),
        ("a: NO", json!({"a": false})),
        ("a: y", json!({"a": true})),
        ("a: ~", json!({"a": null})),
        ("a:", json!({"a": null})),
        ("a: 0777", json!({"a": 511})),
        ("a: 0o17", json!({"a": 15})),
        ("a: 0x1F", json!({"a": 31})),
        ("a: 0b101", json!({"a": 5})),
        ("a: 1_000", json!({"a": 1000})),
        ("a: 08", json!({"a": 8})),
        ("a: 1e3", json!({"a": 1000})),
        ("a: 1.5", json!({"a": 1.5})),
        ("a: 1.0", json!({"a": 1})),
        ("a: .5", json!({"a": 0.5})),
        ("a: -1", json!({"a": -1})),
        ("a: +1", json!({"a": 1})),
        ("a: 2020-01-01", json!({"a": "2020-01-01"})),
        ("a: 1:20", json!({"a": "1:20"})),
        ("a: 10m", json!({"a": "10m"})),
        ("a: !!str 5", json!({"a": "5"})),
        ("a: !!float 5", json!({"a": 5})),
        ("a: 18446744073709551615", json!({"a": 18446744073709551615u64})),
        ("1: a\ntrue: b\n1.5: c", json!({"1": "a", "1.5": "c", "true": "b"})),
    ] {
        assert_eq!(value(text), Ok(expected), "{text}");
    }
}

#[test]
fn anchors_and_merges() {
    let text = "base: &b {x: 1, z: 2}\nmore: &m {z: 3}\none:\n  <<: *b\n  x: 9\ntwo:\n  x: 9\n  <<: *b\nthree:\n  <<: [*b, *m]\nlist: [*b]\n";
    assert_eq!(
        value(text),
        Ok(
            json!({"base": {"x": 1, "z": 2}, "list": [{"x": 1, "z": 2}], "more": {"z": 3}, "one": {"x": 9, "z": 2}, "three": {"x": 1, "z": 2}, "two": {"x": 1, "z": 2}})
        )
    );
    assert_eq!(value("a: {<<: 5}"), Err("yaml: map merge requires map or sequence of maps as the value".to_owned()));
    assert_eq!(value("a: *gone"), Err("yaml: unknown anchor 'gone' referenced".to_owned()));
}

#[test]
fn bombs_are_refused() {
    let mut bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for (name, before) in "bcdefghi".chars().zip("abcdefgh".chars()) {
        bomb.push_str(&format!(
            "{name}: &{name} [*{before},*{before},*{before},*{before},*{before},*{before},*{before},*{before},*{before}]\n"
        ));
    }
    assert_eq!(value(&bomb), Err("yaml: document contains excessive aliasing".to_owned()));
    let long = format!("a: &a {}\nb: [{}]", "x".repeat(1 << 20), vec!["*a"; 50].join(","));
    assert_eq!(value(&long), Err("yaml: document contains excessive aliasing".to_owned()));
    assert_eq!(value(&"[".repeat(100_000)), Err(format!("yaml: exceeded max depth of {DEPTH_MAX}")));
    assert_eq!(value(&"- ".repeat(100_000)), Err(format!("yaml: exceeded max depth of {DEPTH_MAX}")));
    assert_eq!(value("a: &a [*a]"), Err("yaml: anchor 'a' value contains itself".to_owned()));
}

#[test]
fn duplicates_are_told_with_their_lines() {
    let parsed = parse(b"a: 1\nb:\n  c: 1\n  c: 2\na: 3\n1: x\n1: z\n").expect("YAML");
    assert_eq!(parsed.value, json!({"1": "z", "a": 3, "b": {"c": 2}}));
    assert_eq!(
        parsed.duplicates,
        [
            "yaml: unmarshal errors:\n  line 4: key \"c\" already set in map\n  line 5: key \"a\" already set in map\n  line 7: key 1 already set in map"
        ]
    );
}

#[test]
fn what_is_no_yaml() {
    for text in ["a: b: c", "a: [", "a: 'x", "? [a]: b"] {
        let found = value(text).expect_err(text);
        assert!(found.starts_with("yaml: "), "{found}");
    }
    for (text, error) in [
        ("a: b: c", "mapping values are not allowed in this context"),
        ("x: 1\na: 'x", "line 2: found unexpected end of stream"),
        ("- a\nb: c", "line 1: did not find expected '-' indicator"),
        ("a: 1\nb", "line 3: could not find expected ':'"),
        ("a: [1\n", "line 1: did not find expected ',' or ']'"),
        ("a: {b: 1\nc", "line 2: did not find expected ',' or '}'"),
        ("a: [1,\n", "line 1: did not find expected node content"),
        ("a: @b", "found character that cannot start any token"),
    ] {
        assert_eq!(value(text), Err(format!("yaml: {error}")), "{text}");
    }
    assert_eq!(value("a: .nan"), Err("json: unsupported value: NaN".to_owned()));
    assert_eq!(value("~: 1"), Err("unsupported map key of type: %!s(<nil>), key: <nil>".to_owned()));
    assert_eq!(parse(b"\xff").map_err(|e| e.to_string()), Err("yaml: invalid leading UTF-8 octet".to_owned()));
    assert_eq!(value(""), Ok(Value::Null));
    assert_eq!(value("a: 1\n---\nb: 2\n"), Ok(json!({"a": 1})));
}

#[test]
fn printing() {
    for (value, printed) in [
        (json!({"b": [1, {"c": null, "d": []}], "a": {}}), "a: {}\nb:\n- 1\n- c: null\n  d: []\n"),
        (
            json!({"a": ["on", "1", "x: y", "", " x", "a#b", "- a", "it's", "2020-01-01", "1:20", "~"]}),
            "a:\n- \"on\"\n- \"1\"\n- 'x: y'\n- \"\"\n- ' x'\n- a#b\n- '- a'\n- it's\n- \"2020-01-01\"\n- \"1:20\"\n- \"~\"\n",
        ),
        (
            json!({"a": "x\ny\n", "b": "x\ny", "c": "x\n\n", "d": " x\ny\n"}),
            "a: |\n  x\n  y\nb: |-\n  x\n  y\nc: |+\n  x\n\nd: |2\n   x\n  y\n",
        ),
        (json!({"a": 1.5, "b": 1e30, "c": true, "d": "\t"}), "a: 1.5\nb: 1e+30\nc: true\nd: \"\\t\"\n"),
        (json!([[1, 2], []]), "- - 1\n  - 2\n- []\n"),
        (json!("x"), "x\n"),
    ] {
        assert_eq!(print(&value), printed, "{value}");
    }
    let long = "word ".repeat(30);
    assert_eq!(print(&json!({"a": long.trim()})).lines().map(str::len).max(), Some(82));
}

#[test]
fn nodes_are_printed_as_they_come() {
    for (value, printed) in [
        (json!([{"group": "", "kind": "Pod"}, {"group": "apps"}]), "- group: \"\"\n  kind: Pod\n- group: apps\n"),
        (
            json!([{"fields": {"b": {"c": 1}, "a": ["x"]}, "yes": "no"}]),
            "- fields:\n    b:\n        c: 1\n    a:\n        - x\n  yes: no\n",
        ),
        (json!({"rule": "a\nb", "t": "true"}), "rule: |-\n    a\n    b\nt: \"true\"\n"),
        (json!("word ".repeat(30).trim()), &format!("{}\n", "word ".repeat(30).trim())),
        (json!("list"), "list\n"),
    ] {
        assert_eq!(print_node(&value), printed, "{value}");
    }
}

#[test]
fn upstreams_yaml_is_read_and_printed_byte_for_byte() {
    let (mut seen, mut wrong) = (0, Vec::new());
    for entry in std::fs::read_dir(crate::upstream::round_trip_data()).expect("test data") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|e| e != "yaml") {
            continue;
        }
        seen += 1;
        let text = std::fs::read_to_string(&path).expect("a file");
        let json = std::fs::read(path.with_extension("json")).expect("its twin");
        let read = value(&text);
        let twin = crate::json::parse(&json).expect("JSON").value;
        if read.as_ref() != Ok(&twin) || print(&twin) != text {
            wrong.push(path.display().to_string());
        }
    }
    assert!(seen > 150, "only {seen} files");
    assert!(wrong.is_empty(), "{} of {seen}: {}", wrong.len(), wrong.join("\n"));
}

proptest! {
    #[test]
    fn what_is_printed_reads_the_same(text in "[ -~\n\t\u{e9}\u{2028}]{0,100}", key in "[a-z0-9:# ]{1,8}") {
        let original = json!({key: [text.clone(), {"nested": text}]});
        let printed = print(&original);
        prop_assert_eq!(value(&printed), Ok(original), "{}", printed);
    }

    #[test]
    fn never_panics(text in "[\\[\\]{}:,&*a<!|>'\"\n -]{0,40}") {
        let _ = parse(text.as_bytes());
    }
}
