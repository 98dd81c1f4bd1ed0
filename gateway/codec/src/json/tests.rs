//! Cases for reading JSON.

use model::json::json;
use proptest::prelude::*;

use super::*;

fn error(text: &str) -> String {
    parse(text.as_bytes()).expect_err(text).to_string()
}

#[test]
fn syntax_errors_are_those_of_go() {
    for (text, expected) in [
        ("", "unexpected end of JSON input"),
        ("{", "unexpected end of JSON input"),
        ("[1", "unexpected end of JSON input"),
        ("\"a", "unexpected end of JSON input"),
        ("tru", "unexpected end of JSON input"),
        ("-", "unexpected end of JSON input"),
        ("abc", "invalid character 'a' looking for beginning of value"),
        ("{a", "invalid character 'a' looking for beginning of object key string"),
        ("{\"a\":1,}", "invalid character '}' looking for beginning of object key string"),
        ("{\"a\" 1}", "invalid character '1' after object key"),
        ("{\"a\":1 2}", "invalid character '2' after object key:value pair"),
        ("[1 2]", "invalid character '2' after array element"),
        ("[1,]", "invalid character ']' looking for beginning of value"),
        ("{} x", "invalid character 'x' after top-level value"),
        ("\"\n\"", "invalid character '\\n' in string literal"),
        ("\"\\x\"", "invalid character 'x' in string escape code"),
        ("\"\\u12g4\"", "invalid character 'g' in \\u hexadecimal character escape"),
        ("nul!", "invalid character '!' in literal null (expecting 'l')"),
        ("trap", "invalid character 'a' in literal true (expecting 'u')"),
        ("-x", "invalid character 'x' in numeric literal"),
        ("1.x", "invalid character 'x' after decimal point in numeric literal"),
        ("1ex", "invalid character 'x' in exponent of numeric literal"),
        ("01", "invalid character '1' after top-level value"),
        ("ä", "invalid character 'Ã' looking for beginning of value"),
        ("1e999", "json: cannot unmarshal number 1e999 into Go value of type float64"),
    ] {
        assert_eq!(error(text), expected, "{text}");
    }
}

#[test]
fn values() {
    for (text, value) in [
        (r#" {"a" : [1, -2.5, true, null, "x"]} "#, json!({"a": [1, -2.5, true, null, "x"]})),
        ("9223372036854775807", json!(9223372036854775807i64)),
        ("9223372036854775808", json!(9223372036854775808u64)),
        ("18446744073709551616", json!(18446744073709551616.0)),
        ("1e3", json!(1000.0)),
        (r#""\u00e4\ud83d\ude00\ud800x\n\/""#, json!("ä😀\u{fffd}x\n/")),
        (r#""\ud800\u0041""#, json!("\u{fffd}A")),
    ] {
        assert_eq!(parse(text.as_bytes()).map(|p| p.value), Ok(value), "{text}");
    }
    assert_eq!(parse(b"\"a\xff\xe4\x80b\"").map(|p| p.value), Ok(json!("a\u{fffd}\u{fffd}\u{fffd}b")));
}

#[test]
fn duplicates_are_found_once_each() {
    let text = r#"{"a":1,"b":{"c":[{"d":1,"d":2,"d":3}]},"a":2}"#;
    let parsed = parse(text.as_bytes()).expect("valid JSON");
    assert_eq!(parsed.duplicates, [r#"duplicate field "b.c[0].d""#, r#"duplicate field "a""#]);
    assert_eq!(parsed.value, json!({"a": 2, "b": {"c": [{"d": 3}]}}));
}

#[test]
fn a_nesting_bomb_is_refused() {
    let deep = |n: usize| "[".repeat(n) + &"]".repeat(n);
    assert!(parse(deep(DEPTH_MAX).as_bytes()).is_ok());
    assert_eq!(error(&deep(DEPTH_MAX + 1)), "exceeded max depth");
    assert_eq!(error(&"{\"a\":".repeat(1_000_000)), "exceeded max depth");
}

#[test]
fn numbers_beyond_floats_are_told_of_after_everything_else() {
    let (parsed, beyond) = parse_past_numbers(br#"{"kind":"A","a":[1e400,2e400],"a":1}"#).expect("JSON");
    assert_eq!(interpret(&parsed.value), Ok(("", "A")));
    assert_eq!(
        beyond.map(|why| why.to_string()).as_deref(),
        Some("json: cannot unmarshal number 1e400 into Go value of type float64")
    );
    assert_eq!(error(r#"{"a":1e400,}"#), "invalid character '}' looking for beginning of object key string");
}

#[test]
fn version_and_kind() {
    assert_eq!(interpret(&json!({"kind": "Pod", "apiVersion": "v1"})), Ok(("v1", "Pod")));
    assert_eq!(interpret(&json!({})), Ok(("", "")));
    // Of several spellings the last one holds, and a null says nothing.
    assert_eq!(interpret(&json!({"kind": "Pod", "KIND": "Node", "\u{212a}ind": null, "apiverſion": "v2"})), Ok(("v2", "Node")));
    assert!(
        interpret(&json!({"kind": "Pod", "Kind": 5}))
            .is_err_and(|e| e.ends_with("number into Go struct field .kind of type string"))
    );
    assert_eq!(
        interpret(&json!({"kind": 5})),
        Err("couldn't get version/kind; json parse error: json: cannot unmarshal number into Go struct field .kind of type string".to_owned())
    );
    assert!(interpret(&json!([])).is_err_and(|e| e.contains("cannot unmarshal array into Go value of type struct {")));
}

proptest! {
    #[test]
    fn agrees_with_serde_json(text in r#"[\[\]{}:,"a-c0-9 truefalsn\\.eE+-]{0,24}"#) {
        let ours = parse(text.as_bytes());
        let theirs = serde_json::from_str::<Value>(&text);
        prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{:?} {:?}", ours, theirs);
    }

    #[test]
    fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = parse(&bytes);
    }
}

#[test]
fn strict_errors_come_as_the_text_does() {
    let text = br#"{"m":{"nam":1,"l":{"x":1,"x":2}},"x":1,"a":{"b":1,"b":2},"a":{"c":1}}"#;
    let (x, nam, b, a) =
        (r#"duplicate field "m.l.x""#, r#"unknown field "m.nam""#, r#"duplicate field "a.b""#, r#"duplicate field "a""#);
    let faults = [x, b, a, nam, r#"unknown field "x""#, r#"unknown field "a.c""#];
    assert_eq!(in_document_order(text, &faults), [nam, x, r#"unknown field "x""#, b, a, r#"unknown field "a.c""#]);
    assert_eq!(parse(br#"{"a":{},"a":{"b":1,"b":2}}"#).unwrap().duplicates, [a, b], "a field before those within");
}

#[test]
fn what_comes_again_is_joined_with_what_it_held() {
    let told = std::cell::RefCell::new(Vec::new());
    let join = |steps: &[String], earlier: Value, later: Value| {
        told.borrow_mut().push(format!("{}: {earlier} {later}", steps.join("/")));
        json!([earlier, later])
    };
    let value = parse_joining(br#"{"a":{"x.y":1,"x.y":2},"l":[0,{"b":1,"b":2,"b":3}],"a":null}"#, &join).unwrap();
    assert_eq!(value, json!({"a": [{"x.y": [1, 2]}, null], "l": [0, {"b": [[1, 2], 3]}]}));
    assert_eq!(*told.borrow(), ["a/x.y: 1 2", "l/1/b: 1 2", "l/1/b: [1,2] 3", r#"a: {"x.y":[1,2]} null"#]);
}

#[test]
fn numbers_are_spelt_as_the_text_spells_them() {
    let spelt = Spellings::of(br#"{"a":[{"n":1e2},{"n":1.50}],"n":-0,"a.b":1e3,"a.b":1E3,"i":1,"b":18446744073709551616}"#);
    for (path, text) in [
        ("a[0].n", Some("1e2")),
        ("a[1].n", Some("1.50")),
        ("n", Some("-0")),
        ("a.b", Some("1E3")),
        ("b", Some("18446744073709551616")),
        ("i", None),
        ("a[0]", None),
    ] {
        assert_eq!(spelt.at(path).as_deref(), text, "{path}");
    }
    let long = format!(r#"{{"{}":[{}1e2]}}"#, "k".repeat(100 << 10), "1e2,".repeat(1_000));
    let spelt = Spelt::of(long.as_bytes());
    assert!(spelt.at.len() < 12, "{} numbers of 100 KiB each are kept", spelt.at.len());
}

#[test]
fn lists_of_structs_fail_in_gos_words() {
    let told = |text: &str| structs(text, "v1.Taint").map_or_else(|why| why, |list| list.len().to_string());
    for (text, want) in [
        ("[]", "0"),
        ("null", "0"),
        (r#"[{"key": "a"}, null]"#, "2"),
        ("{}", "json: cannot unmarshal object into Go value of type []v1.Taint"),
        ("[{}, 1]", "json: cannot unmarshal number into Go value of type v1.Taint"),
        ("nonsense", "invalid character 'o' in literal null (expecting 'u')"),
        ("[", "unexpected end of JSON input"),
    ] {
        assert_eq!(told(text), want, "{text}");
    }
}
