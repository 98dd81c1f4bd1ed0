//! `gatehouse policy cases`: the cases as JSON, with what their files leave out, as the contract has it. The test runners of
//! the SDKs read them, so that none of them has to know how cases are written. Builds and judges nothing.

use std::path::PathBuf;

use admission::policy::trial;
use model::json::{Value, json};

use super::arguments::Arguments;
use super::cases::Case;
use super::{Outcome, cases};

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let folder = arguments.option("cases").map_or_else(|| arguments.folder().join("cases"), PathBuf::from);
    let all = cases::read(&folder)?.iter().map(told).collect::<Result<Vec<Value>, String>>()?;
    println!("{}", json!({ "cases": all }));
    Ok(())
}

fn told(case: &Case) -> Result<Value, String> {
    let body = &case.body;
    let about = if body["object"].is_null() { &body["old"] } else { &body["object"] };
    let request = trial::request(&body["request"], about).map_err(|why| format!("{}: {}: {why}", case.file, case.name))?;
    let settings = if body["settings"].is_null() { json!({}) } else { body["settings"].clone() };
    Ok(json!({
        "file": case.file,
        "name": case.name,
        "settings": settings,
        "request": contract(&request),
        "object": body["object"],
        "old": body["old"],
        "params": body["params"],
        "expect": body["expect"],
        "wasmAlone": wasm_alone(body),
    }))
}

/// Why a case cannot be judged outside of wasm; null when it can.
fn wasm_alone(body: &Value) -> Value {
    let (given, expected) = (|field: &str| !body[field].is_null(), &body["expect"]);
    let why = if given("cluster") || given("authorizer") {
        "who answers what a policy asks is there in wasm alone"
    } else if !expected["settings"].is_null() {
        "settings are compared with their schema by gatehouse policy test"
    } else if expected["asked"] == false {
        "whether a policy is asked says its binding"
    } else {
        return Value::Null;
    };
    why.into()
}

/// A request in the words of the contract (`wit/types.wit`).
fn contract(request: &wasm::Request) -> Value {
    let user =
        request.user.as_ref().map(|user| json!({"name": user.name, "uid": user.uid, "groups": user.groups, "extra": user.extra}));
    let (kind, resource) = (&request.kind, &request.resource);
    json!({
        "uid": request.uid,
        "time": {"seconds": request.time.seconds, "nanoseconds": request.time.nanoseconds},
        "user": user,
        "operation": operation(request.operation),
        "origin": if request.origin == wasm::Origin::Scan { "scan" } else { "write" },
        "kind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
        "resource": {"group": resource.group, "version": resource.version, "resource": resource.resource},
        "subresource": request.subresource,
        "namespace": request.namespace,
        "name": request.name,
        "dryRun": request.dry_run,
        "options": serde_json::from_slice::<Value>(&request.options).unwrap_or_default(),
    })
}

fn operation(operation: wasm::Operation) -> &'static str {
    match operation {
        wasm::Operation::Create => "create",
        wasm::Operation::Update => "update",
        wasm::Operation::Delete => "delete",
        wasm::Operation::Connect => "connect",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_told_with_what_its_file_leaves_out() {
        let folder = tempfile::tempdir().unwrap();
        let text = r#"{"cases": [
            {"name": "a", "object": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "shop"}}, "expect": {"allowed": true}},
            {"name": "b", "request": {"operation": "DELETE", "origin": "scan"}, "old": {"kind": "Pod"}, "cluster": [], "expect": {"allowed": true}},
            {"name": "c", "object": {}, "expect": {"settings": "x"}}]}"#;
        std::fs::write(folder.path().join("a.yaml"), text).unwrap();
        let told: Vec<Value> = cases::read(folder.path()).unwrap().iter().map(|case| told(case).unwrap()).collect();
        let request = &told[0]["request"];
        assert_eq!(
            (&request["operation"], &request["namespace"], &request["user"]["name"]),
            (&json!("create"), &json!("shop"), &json!("somebody"))
        );
        assert_eq!((&told[0]["settings"], &told[0]["wasmAlone"]), (&json!({}), &Value::Null));
        let request = &told[1]["request"];
        assert_eq!(
            (&request["operation"], &request["origin"], &request["user"]),
            (&json!("delete"), &json!("scan"), &Value::Null)
        );
        assert!(told[1]["wasmAlone"].as_str().unwrap().contains("asks") && told[2]["wasmAlone"].is_string());
    }
}
