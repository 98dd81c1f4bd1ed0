//! Upstream's answers to some hundred expressions, recorded by `conformance/cel`, compared with ours to the letter: issues,
//! type, estimated cost, value or failure, actual cost.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use cel::{Bindings, CALL_COST_MAX, Decl, Env, Kind, ListKind, Stage, Value};
use model::json::Value as Json;

#[test]
fn answers_are_upstreams() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/answers");
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let data: BTreeMap<String, Json> = serde_json::from_str(&read("data.json")).expect("data.json is JSON");
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in read("answers.jsonl").lines() {
        let want: Json = serde_json::from_str(line).expect("a line is JSON");
        let got = ask(&data, &want);
        count += 1;
        if got != want {
            wrong.push(differences(&want, &got));
        }
    }
    assert!(count > 1000, "only {count} answers were compared");
    assert!(wrong.is_empty(), "{} of {count} answers differ:\n{}", wrong.len(), wrong.join("\n"));
}

fn differences(want: &Json, got: &Json) -> String {
    let mut text = format!("{} on {}", want["expr"], want["on"]);
    for key in ["issues", "type", "cost", "value", "failed", "actual"] {
        if want[key] != got[key] {
            text.push_str(&format!("\n   {key}: upstream {}\n   {key}: we       {}", want[key], got[key]));
        }
    }
    text
}

fn ask(data: &BTreeMap<String, Json>, asked: &Json) -> Json {
    let about = &data[asked["on"].as_str().expect("on")];
    let text = asked["expr"].as_str().expect("expr");
    let mut answer = model::json::json!({"on": asked["on"], "expr": text});
    let decl = declared(&about["schema"]);
    let program = match Env::new(Stage::Stored).rule(&decl, false).compile(text) {
        Ok(program) => program,
        Err(issues) => {
            match issues.detail().strip_prefix("compilation failed: ") {
                Some(issues) => answer["issues"] = issues.into(),
                None => answer["failed"] = issues.detail().into(),
            }
            return answer;
        }
    };
    answer["type"] = program.output().to_string().into();
    let cost = program.cost(&decl);
    answer["cost"] = model::json::json!([cost.min, cost.max]);
    let bindings = Bindings::default()
        .set("self", Value::declared(&about["self"], &decl))
        .set("oldSelf", Value::declared(&about["oldSelf"], &decl));
    let evaluation = program.eval(&bindings, CALL_COST_MAX);
    match evaluation.result {
        Ok(value) => answer["value"] = value.to_literal().into(),
        Err(error) => answer["failed"] = error.to_string().into(),
    }
    answer["actual"] = evaluation.cost.into();
    answer
}

/// The declaration of a schema, as far as the data here uses it.
fn declared(schema: &Json) -> Decl {
    let limit = |key: &str| schema[key].as_i64();
    let flag = |key: &str| schema[key].as_bool() == Some(true);
    let decl = match schema["type"].as_str() {
        _ if flag("x-kubernetes-int-or-string") => Decl::int_or_string(limit("maxLength")),
        Some("boolean") => Decl::bool(),
        Some("integer") => Decl::int(),
        Some("number") => Decl::double(),
        Some("string") => {
            let longest =
                schema["enum"].as_array().map(|all| all.iter().filter_map(Json::as_str).map(str::len).max().unwrap_or(0) as u64);
            Decl::string(schema["format"].as_str().unwrap_or_default(), limit("maxLength"), longest)
        }
        Some("array") => {
            let keys = schema["x-kubernetes-list-map-keys"].as_array().into_iter().flatten();
            let kind = match schema["x-kubernetes-list-type"].as_str() {
                Some("set") => ListKind::Set,
                Some("map") => ListKind::Map(keys.filter_map(Json::as_str).map(Into::into).collect()),
                _ => ListKind::Atomic,
            };
            Decl::list(declared(&schema["items"]), kind, limit("maxItems"))
        }
        Some("object") if schema["additionalProperties"].is_object() => {
            Decl::map(declared(&schema["additionalProperties"]), limit("maxProperties"))
        }
        Some("object") => {
            let required = |name: &str| schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
            let properties = schema["properties"].as_object().into_iter().flatten();
            Decl::object(properties.map(|(name, of)| (name.as_str(), declared(of), required(name) && of["default"].is_null())))
        }
        _ => Decl::unknown(),
    };
    assert!(!matches!(decl.kind(), Kind::Dyn), "the data declares everything");
    decl.nullable(flag("nullable"))
}
