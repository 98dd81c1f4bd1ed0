//! Runs a policy's cases natively, in `cargo test`. The same files run in wasm by `gatehouse policy test`, which also
//! checks what the server checks: the settings' schema, the fields read and written, idempotence.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::ability::was_asked;
use crate::bindings::validator::gatehouse::policy::types;
use crate::{Mutator, Operation, Origin, Patch, Policy, Request, Review, Timestamp, User, Validator, Verdict, guest};

/// Runs every case of a validator. Panics with what failed; no case at all is a failure.
pub fn validator<P: Validator>(directory: &str) {
    run(directory, |case| {
        let settings = match settings::<P>(case) {
            Ok(settings) => settings,
            Err(answer) => return answer,
        };
        let mut verdict = Verdict::default();
        P::validate(&settings, &review::<P>(case)?, &mut verdict);
        if let Some(answer) = unjudged(case, verdict.unjudged.as_deref()) {
            return answer;
        }
        let allowed = case["expect"]["allowed"].as_bool().ok_or("the case does not say `expect.allowed`")?;
        if allowed != verdict.is_allowed() {
            return Err(format!("expected allowed: {allowed}, but the violations are {:?}", verdict.violations));
        }
        each(case, "violations", |wanted| verdict.violations.iter().any(|violation| fits(wanted, violation)), &verdict)?;
        each(case, "warnings", |wanted| verdict.warnings.iter().any(|warning| contains(warning, wanted)), &verdict)
    });
}

/// Runs every case of a mutator. Panics with what failed; no case at all is a failure.
pub fn mutator<P: Mutator>(directory: &str) {
    run(directory, |case| {
        let settings = match settings::<P>(case) {
            Ok(settings) => settings,
            Err(answer) => return answer,
        };
        let mut patch = Patch::of(case["object"].clone());
        P::mutate(&settings, &review::<P>(case)?, &mut patch);
        if let Some(answer) = unjudged(case, patch.unjudged.as_deref()) {
            return answer;
        }
        let expected = if case["expect"]["unchanged"] == Value::Bool(true) { &case["object"] } else { &case["expect"]["object"] };
        if expected.is_null() {
            return Err("the case says neither `expect.object` nor `expect.unchanged`".to_owned());
        }
        if patch.object() != expected {
            return Err(format!("expected {expected}\n     but got {}", patch.object()));
        }
        let warned = case["expect"]["warnings"].as_array().into_iter().flatten();
        match warned.into_iter().find(|wanted| !patch.warnings.iter().any(|warning| contains(warning, wanted))) {
            Some(wanted) => Err(format!("expected the warning {wanted}, got {:?}", patch.warnings)),
            None => Ok(()),
        }
    });
}

fn run(directory: &str, judge: impl Fn(&Value) -> Result<(), String>) {
    let mut failed = Vec::new();
    let mut count = 0;
    for (file, case) in cases(Path::new(directory)) {
        count += 1;
        let name = case["name"].as_str().unwrap_or("a case without a name");
        let is_wasm_alone = ["cluster", "authorizer", "each"].iter().any(|field| !case[*field].is_null());
        let outcome = if is_wasm_alone || case["expect"]["asked"] == false { None } else { Some(judge(&case)) };
        match (outcome, was_asked()) {
            (Some(Ok(())), _) => {}
            (Some(Err(why)), false) => failed.push(format!("{file}: {name}: {why}")),
            // Natively nobody answers what a policy asks, and nobody knows its binding.
            (None, _) | (Some(Err(_)), true) => println!("{name}: skipped, it runs in wasm alone"),
        }
    }
    assert!(count > 0, "there is no case in {directory}");
    assert!(failed.is_empty(), "{} of {count} cases failed:\n{}", failed.len(), failed.join("\n"));
}

fn cases(directory: &Path) -> Vec<(String, Value)> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut files: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    let read = |path: &std::path::PathBuf| {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let file: Value = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let cases = file["cases"].as_array().cloned().unwrap_or_default();
        cases.into_iter().map(|case| (path.display().to_string(), case)).collect::<Vec<_>>()
    };
    files.iter().flat_map(read).collect()
}

/// The settings; or, where the case is about settings that are refused, whether they are.
#[allow(clippy::type_complexity, reason = "the inner result ends the case")]
fn settings<P: Policy>(case: &Value) -> Result<P::Settings, Result<(), String>> {
    let given = if case["settings"].is_null() { serde_json::json!({}) } else { case["settings"].clone() };
    let outcome = guest::settings::<P>(given.to_string().as_bytes());
    match (outcome, case["expect"]["settings"].as_str()) {
        (Ok(settings), None) => Ok(settings),
        (Ok(_), Some(_)) => Err(Err("expected that the settings are refused".to_owned())),
        (Err(_), Some(_)) => Err(Ok(())),
        (Err(problems), None) => Err(Err(format!("the settings are refused: {problems:?}"))),
    }
}

fn review<P: Policy>(case: &Value) -> Result<Review<P::Object>, String> {
    let parse = |field: &str| {
        let value = &case[field];
        if value.is_null() {
            Ok(None)
        } else {
            serde_json::from_value(value.clone()).map(Some).map_err(|e| format!("{field}: {e}"))
        }
    };
    let params = Some(case["params"].clone()).filter(|params| !params.is_null());
    Ok(Review { request: request(case), object: parse("object")?, old: parse("old")?, params })
}

fn request(case: &Value) -> Request {
    let (said, object) = (&case["request"], if case["object"].is_null() { &case["old"] } else { &case["object"] });
    let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
    let api_version = text(&object["apiVersion"]);
    let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
    let (group, version) = (group.to_owned(), version.to_owned());
    let kind = text(&object["kind"]);
    let resource = said["resource"].as_str().map_or_else(|| plural(&kind), str::to_owned);
    Request {
        uid: "00000000-0000-0000-0000-000000000000".to_owned(),
        time: Timestamp { seconds: 1_767_225_600, nanoseconds: 0 },
        user: (said["origin"] != "scan").then(|| User {
            name: said["user"].as_str().unwrap_or("somebody").to_owned(),
            uid: String::new(),
            groups: said["groups"].as_array().into_iter().flatten().map(text).collect(),
            extra: Vec::new(),
        }),
        operation: match said["operation"].as_str() {
            Some("UPDATE") => Operation::Update,
            Some("DELETE") => Operation::Delete,
            Some("CONNECT") => Operation::Connect,
            Some(_) => Operation::Create,
            None => match (case["object"].is_null(), case["old"].is_null()) {
                (true, false) => Operation::Delete,
                (false, false) => Operation::Update,
                (_, true) => Operation::Create,
            },
        },
        origin: if said["origin"] == "scan" { Origin::Scan } else { Origin::Write },
        kind: types::GroupVersionKind { group: group.clone(), version: version.clone(), kind },
        resource: types::GroupVersionResource { group, version, resource },
        subresource: text(&said["subresource"]),
        namespace: said["namespace"].as_str().map_or_else(|| text(&object["metadata"]["namespace"]), str::to_owned),
        name: said["name"].as_str().map_or_else(|| text(&object["metadata"]["name"]), str::to_owned),
        dry_run: said["dryRun"] == Value::Bool(true),
        options: b"{}".to_vec(),
    }
}

/// The usual plural; a case whose kind has another says `request.resource`.
fn plural(kind: &str) -> String {
    let lower = kind.to_lowercase();
    match lower.as_bytes() {
        [.., b's' | b'x'] => format!("{lower}es"),
        [.., b'y'] => format!("{}ies", &lower[..lower.len() - 1]),
        _ => format!("{lower}s"),
    }
}

/// What comes of a case in which the policy cannot judge, or should not be able to.
fn unjudged(case: &Value, why: Option<&str>) -> Option<Result<(), String>> {
    match (why, case["expect"]["error"].as_str()) {
        (None, None) => None,
        (Some(why), Some(part)) if why.contains(part) => Some(Ok(())),
        (Some(why), _) => Some(Err(format!("it cannot judge: {why}"))),
        (None, Some(part)) => Some(Err(format!("it judges, but should fail with {part:?}"))),
    }
}

fn fits(wanted: &Value, violation: &types::Violation) -> bool {
    let same = |field: &str, text: &str| wanted[field].as_str().is_none_or(|wanted| wanted == text);
    same("rule", &violation.rule)
        && same("field", &violation.field)
        && wanted["message"].as_str().is_none_or(|part| violation.message.contains(part))
        && wanted["code"].as_str().is_none_or(|code| violation.code.as_deref() == Some(code))
}

fn contains(text: &str, wanted: &Value) -> bool {
    wanted.as_str().is_some_and(|wanted| text.contains(wanted))
}

fn each(case: &Value, field: &str, found: impl Fn(&Value) -> bool, verdict: &Verdict) -> Result<(), String> {
    match case["expect"][field].as_array().into_iter().flatten().find(|wanted| !found(wanted)) {
        Some(wanted) => Err(format!("expected {wanted} among {field}, but the answer is {verdict:?}")),
        None => Ok(()),
    }
}
