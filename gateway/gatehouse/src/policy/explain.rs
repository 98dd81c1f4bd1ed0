//! `gatehouse policy explain`: why a request was refused, or what policies say of an object that is live: which policy,
//! revision, rule and field, with which settings, in what time; and of the other bindings, which match field left them out.
//! Of policies in CEL it tells what upstream's record has (`explain/cel.rs`).

mod cel;

use std::fs;

use admission::policy::binding::Binding;
use admission::policy::trial;
use jiff::Timestamp;
use model::json::{Value, json};
use model::meta;

use super::Outcome;
use super::arguments::Arguments;
use super::corpus::{self, kubectl};
use super::verdicts::{self, ANNOTATION_PREFIX};

/// Refusals from which one is chosen.
const REFUSALS_MAX: usize = 20;
/// What a client that may not is answered.
const FORBIDDEN: u64 = 403;

/// What is told of a binding that was asked and said nothing.
const PASSED: &str = "asked, and had nothing against it";

/// A request as far as it is known.
struct Asked {
    /// When it was made; of what is stored, now.
    at: Option<Timestamp>,
    request: wasm::Request,
    object: Option<Value>,
    namespace: Option<Value>,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    match (arguments.option("audit"), arguments.option("live")) {
        (Some(file), None) => refused(arguments, file),
        (None, Some(words)) => live(arguments, words),
        _ => Err("say what: an audit id and its log by --audit FILE, or an object by --live \"pod web -n shop\"".to_owned()),
    }
}

fn refused(arguments: &Arguments, file: &str) -> Outcome {
    let text = fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let Some(id) = arguments.places.first() else { return choose(&text, file) };
    let event = event(&text, id).ok_or_else(|| format!("{file} has no answer to {id}; is it the log of another server?"))?;
    println!("{}", headline(&event));
    println!("answer {}: {}", event["responseStatus"]["code"], event["responseStatus"]["message"].as_str().unwrap_or("success"));
    let bindings = bindings(arguments)?;
    let told = told(&event);
    for (name, what) in &told {
        println!("\n{}", verdict(name, what));
        match bindings.iter().find(|binding| called(binding) == *name) {
            Some(binding) => println!("{}", settings(binding, &with_settings(what, name, &text))),
            None => println!("  the binding is gone"),
        }
    }
    for one in verdicts::in_cel(&event) {
        println!("\n{}", cel::told(&one, &cel::now(arguments, &one), event["requestReceivedTimestamp"].as_str()));
    }
    let asked = of_event(arguments, &event)?;
    println!();
    for binding in bindings.iter().filter(|binding| told.iter().all(|(name, _)| *name != called(binding))) {
        println!("policy {:?}: {}", called(binding), outside(binding, &asked));
    }
    Ok(())
}

/// Without an id: the requests that were refused, from which one is chosen. kubectl shows no ids.
fn choose(log: &str, file: &str) -> Outcome {
    let all = refusals(log);
    if all.is_empty() {
        return Err(format!("{file} has no request that was refused; of another one say the id (auditID in the log)"));
    }
    all[all.len().saturating_sub(REFUSALS_MAX)..].iter().for_each(|line| println!("{line}"));
    println!("\ngatehouse policy explain ID --audit {file} tells more of one of them");
    Ok(())
}

/// The refusals of a log, a line each, the newest last.
fn refusals(log: &str) -> Vec<String> {
    let events = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let refused = events.filter(|event| {
        let is_end = event["stage"] == "ResponseComplete";
        is_end
            && (event["responseStatus"]["code"] == FORBIDDEN
                || told(event).iter().any(|(_, what)| what["verdict"] == "refused" || what["failurePolicy"] == "Fail")
                // The reason of such a refusal is the policy's to choose, and with it the code.
                || verdicts::in_cel(event).iter().any(|one| one.is_refusal))
    });
    let line = |event: Value| {
        let message = event["responseStatus"]["message"].as_str().unwrap_or("answered all the same").to_owned();
        format!("{}  {}: {message}", event["auditID"].as_str().unwrap_or_default(), headline(&event))
    };
    refused.map(line).collect()
}

/// The end of a request in a log.
fn event(log: &str, id: &str) -> Option<Value> {
    let events = log.lines().rev().filter(|line| line.contains(id)).filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut ends = events.filter(|event| event["auditID"] == id && event["stage"] == "ResponseComplete");
    ends.next()
}

fn headline(event: &Value) -> String {
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let place: Vec<&str> = ["/objectRef/resource", "/objectRef/subresource", "/objectRef/namespace", "/objectRef/name"]
        .into_iter()
        .map(text)
        .collect();
    let place = place.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
    format!("{} {place} by {} at {}", text("/verb"), text("/user/username"), text("/requestReceivedTimestamp"))
}

/// What the log says of policies: binding and annotation.
fn told(event: &Value) -> Vec<(String, Value)> {
    let annotations = event["annotations"].as_object().into_iter().flatten();
    let ours = annotations.filter_map(|(key, value)| {
        // A namespace and a name, which have no underscore, are joined by one.
        let name = key.strip_prefix(ANNOTATION_PREFIX)?.replace('_', "/");
        Some((name, serde_json::from_str(value.as_str()?).ok()?))
    });
    ours.collect()
}

fn verdict(name: &str, what: &Value) -> String {
    let text = |field: &str| what[field].as_str().unwrap_or_default();
    let mut lines = vec![format!(
        "policy {name:?} {}: module {}, revision {}, action {}, {} µs",
        text("verdict"),
        text("module"),
        text("revision"),
        text("action"),
        what["microseconds"]
    )];
    let fields = what["fields"].as_array().cloned().unwrap_or_default();
    for (n, rule) in what["rules"].as_array().into_iter().flatten().enumerate() {
        let field = fields.get(n).and_then(Value::as_str).filter(|field| !field.is_empty());
        lines.push(format!(
            "  rule {}{}",
            rule.as_str().unwrap_or_default(),
            field.map(|f| format!(" at {f}")).unwrap_or_default()
        ));
    }
    // A record of an earlier release has one word for why.
    let why = if what["message"].is_string() { "message" } else { "reason" };
    for (field, before) in [(why, "could not judge: "), ("failurePolicy", "failurePolicy "), ("exception", "excepted by ")] {
        if let Some(word) = what[field].as_str() {
            lines.push(format!("  {before}{word}"));
        }
    }
    lines.join("\n")
}

/// What was told of a policy, with settings that were too long for it: those of the write that made the binding's generation,
/// where the log has it.
fn with_settings(what: &Value, name: &str, log: &str) -> Value {
    let mut what = what.clone();
    if what["settings"].is_null()
        && let Some(then) = what["generation"].as_i64()
    {
        let mut objects = log.lines().rev().filter(|line| line.contains("policybindings")).filter_map(|line| {
            let event = serde_json::from_str::<Value>(line).ok()?;
            Some(event["responseObject"].clone()).filter(|object| called(object) == name && meta::generation(object) == then)
        });
        what["settings"] = objects.next().map(|object| object["spec"]["settings"].clone()).unwrap_or_default();
    }
    what
}

/// The settings of a request, as its record has them, and those of now where they are others.
fn settings(binding: &Value, what: &Value) -> String {
    let now = match &binding["spec"]["settings"] {
        Value::Null => json!({}),
        settings => settings.clone(),
    };
    let (before, generation) = (what["generation"].as_i64(), meta::generation(binding));
    match (&what["settings"], before.filter(|before| *before != generation)) {
        (Value::Null, None) => format!("  settings {now}"),
        // Long ones are not in the record.
        (Value::Null, Some(before)) => {
            format!("  settings {now}; the binding has changed since (generation {before} then, {generation} now)")
        }
        (then, None) => format!("  settings {then}"),
        (then, Some(_)) if *then == now => {
            format!("  settings {then}; they are the same now, and something else of the binding is not")
        }
        (then, Some(_)) => format!("  settings {then}; now {now}"),
    }
}

/// Why a binding has nothing to tell.
fn outside(binding: &Value, asked: &Asked) -> String {
    if binding["status"]["ready"] != true {
        return format!("not in force: {}", binding["status"]["message"].as_str().unwrap_or("it is not bound yet"));
    }
    let Asked { at, request, object, namespace } = asked;
    let made = binding["metadata"]["creationTimestamp"].as_str().and_then(|text| text.parse::<Timestamp>().ok());
    if made.is_some_and(|made| at.is_some_and(|at| at < made)) {
        return "not asked: the binding was made after the request".to_owned();
    }
    match Binding::from_object(binding) {
        Err(why) => why,
        Ok(read) => match trial::unmatched(&read, request, object.as_ref(), None, namespace.as_ref()) {
            Some(field) => format!("not asked: {field} leaves the request out"),
            None => conditions(&read, asked),
        },
    }
}

/// What the conditions say as far as the request is known; nobody is there to ask who may do what.
fn conditions(binding: &Binding, asked: &Asked) -> String {
    match trial::holds(binding, &asked.request, asked.object.as_ref(), None, None, &wasm::reach::nothing()) {
        Ok(true) => PASSED.to_owned(),
        Ok(false) => "not asked: matchConditions leaves the request out".to_owned(),
        Err(why) => format!("matchConditions cannot be told from here: {why}"),
    }
}

fn of_event(arguments: &Arguments, event: &Value) -> Result<Asked, String> {
    let about = &event["objectRef"];
    let text = |field: &str| about[field].as_str().unwrap_or_default();
    let operation = match event["verb"].as_str() {
        Some("create") => "CREATE",
        Some("delete" | "deletecollection") => "DELETE",
        Some("connect") => "CONNECT",
        _ => "UPDATE",
    };
    let said = json!({
        "operation": operation, "user": event["user"]["username"], "groups": event["user"]["groups"],
        "resource": text("resource"), "subresource": text("subresource"), "namespace": text("namespace"), "name": text("name"),
    });
    let group = if text("apiGroup").is_empty() { String::new() } else { format!("{}/", text("apiGroup")) };
    let kind = json!({"apiVersion": format!("{group}{}", text("apiVersion")), "kind": ""});
    let object = Some(&event["requestObject"]).filter(|object| object.is_object()).cloned();
    let at = event["requestReceivedTimestamp"].as_str().and_then(|text| text.parse().ok());
    Ok(Asked { at, request: trial::request(&said, &kind)?, object, namespace: namespace(arguments, text("namespace")) })
}

fn namespace(arguments: &Arguments, name: &str) -> Option<Value> {
    if name.is_empty() {
        return None;
    }
    kubectl(arguments, &["get", "namespace", name, "--output=json", "--ignore-not-found"]).ok().filter(Value::is_object)
}

fn live(arguments: &Arguments, words: &str) -> Outcome {
    let words: Vec<&str> = ["get"].into_iter().chain(words.split_whitespace()).chain(["--output=json"]).collect();
    let objects = corpus::items(kubectl(arguments, &words)?);
    if objects.is_empty() {
        return Err(format!("the cluster has none: kubectl {}", words.join(" ")));
    }
    for object in objects {
        let request = trial::request(&json!({"origin": "scan"}), &object)?;
        let namespace = namespace(arguments, meta::namespace(&object));
        let asked = Asked { at: None, namespace, request, object: Some(object) };
        one(arguments, &asked)?;
    }
    Ok(())
}

fn one(arguments: &Arguments, asked: &Asked) -> Outcome {
    let Some(object) = &asked.object else { return Ok(()) };
    println!("{} {}", object["kind"].as_str().unwrap_or_default(), called(object));
    let results = report(arguments, asked, object)?;
    let modules = kubectl(arguments, &["get", "policymodules", "--output=json"]).map(corpus::items).unwrap_or_default();
    for binding in bindings(arguments)? {
        let name = called(&binding);
        let own: Vec<&Value> = results.iter().filter(|result| result["policy"] == name.as_str()).collect();
        for result in &own {
            let text = |pointer: &str| result.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            let rest =
                [("rule ", "/rule"), ("at ", "/properties/field"), ("revision ", "/properties/revision"), ("", "/message")];
            let rest: Vec<String> =
                rest.into_iter().filter(|(_, at)| !text(at).is_empty()).map(|(word, at)| format!("{word}{}", text(at))).collect();
            println!("policy {name:?}: {}, {}", text("/result"), rest.join(", "));
        }
        if own.is_empty() {
            println!("policy {name:?}: {}", of_stored(&binding, &modules, outside(&binding, asked)));
        } else {
            println!("{}", settings(&binding, &Value::Null));
        }
    }
    Ok(())
}

/// What a binding that no report names is told to have done with what is stored: nobody asks a mutator about that.
fn of_stored(binding: &Value, modules: &[Value], told: String) -> String {
    let module = modules.iter().find(|module| binding["spec"]["module"] == meta::name(module));
    match module.is_some_and(|module| module["status"]["world"] == wasm::World::Mutator.as_str()) && told == PASSED {
        true => "not asked: it changes what is written, and judges nothing that is stored".to_owned(),
        false => told,
    }
}

/// What the server's scan found of an object.
fn report(arguments: &Arguments, asked: &Asked, object: &Value) -> Result<Vec<Value>, String> {
    let wasm::GroupVersionResource { group, resource, .. } = &asked.request.resource;
    let dot = if group.is_empty() { "" } else { "." };
    let name = format!("{resource}{dot}{group}-{}", meta::name(object));
    let report = match meta::namespace(object) {
        "" => kubectl(arguments, &["get", "clusterreports.openreports.io", &name, "--output=json", "--ignore-not-found"])?,
        namespace => {
            let words = ["get", "reports.openreports.io", &name, "--namespace", namespace, "--output=json", "--ignore-not-found"];
            kubectl(arguments, &words)?
        }
    };
    Ok(report["results"].as_array().cloned().unwrap_or_default())
}

/// Every binding of the cluster.
fn bindings(arguments: &Arguments) -> Result<Vec<Value>, String> {
    let mut all = corpus::items(kubectl(arguments, &["get", "clusterpolicybindings", "--output=json"])?);
    all.extend(corpus::items(kubectl(arguments, &["get", "policybindings", "--all-namespaces", "--output=json"])?));
    Ok(all)
}

fn called(object: &Value) -> String {
    match meta::namespace(object) {
        "" => meta::name(object).to_owned(),
        namespace => format!("{namespace}/{}", meta::name(object)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_tells_what_policies_did() {
        let annotation = r#"{\"verdict\":\"refused\",\"rules\":[\"label-required\"],\"fields\":[\"metadata.labels[team]\"],\"module\":\"labels\",\"revision\":\"0a\",\"action\":\"Deny\",\"microseconds\":7,\"generation\":1}"#;
        let log = format!(
            "{}\n{}\n",
            r#"{"auditID":"a-1","stage":"RequestReceived"}"#,
            format_args!(
                r#"{{"auditID":"a-1","stage":"ResponseComplete","annotations":{{"other":"x","policy.gatehouse.dev/shop_team":"{annotation}"}}}}"#
            )
        );
        let found = told(&event(&log, "a-1").unwrap());
        assert_eq!(found.len(), 1);
        let expected = "policy \"shop/team\" refused: module labels, revision 0a, action Deny, 7 µs\n  rule label-required at metadata.labels[team]";
        assert_eq!(verdict(&found[0].0, &found[0].1), expected);
        let binding = json!({"metadata": {"generation": 3}, "spec": {"settings": {"a": 1}}});
        assert!(settings(&binding, &found[0].1).contains("generation 1 then, 3 now"));
        let told = |then: Value, generation: i64| settings(&binding, &json!({"settings": then, "generation": generation}));
        assert_eq!(told(json!({"a": 1}), 3), r#"  settings {"a":1}"#);
        assert_eq!(told(json!({"a": 2}), 2), r#"  settings {"a":2}; now {"a":1}"#);
        assert!(told(json!({"a": 1}), 2).ends_with("they are the same now, and something else of the binding is not"));
        assert!(event(&log, "a-2").is_none());
        let refusals = refusals(&log);
        assert!(refusals.len() == 1 && refusals[0].starts_with("a-1  "), "{refusals:?}");
        assert!(super::refusals(r#"{"auditID":"a","stage":"ResponseComplete","responseStatus":{"code":201}}"#).is_empty());
        let failed = r#"{"verdict":"failed","reason":"timeout","failurePolicy":"Fail"}"#;
        let failed = json!({"auditID": "b", "stage": "ResponseComplete", "responseStatus": {"code": 500},
            "annotations": {"policy.gatehouse.dev/team": failed}});
        assert_eq!(super::refusals(&failed.to_string()).len(), 1);
        let failed = |what: Value| verdict("team", &what);
        assert!(failed(json!({"reason": "timeout"})).ends_with("could not judge: timeout"));
        assert!(failed(json!({"reason": "timeout", "message": "it ran"})).ends_with("could not judge: it ran"));
        let said = "x is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no";
        let invalid = json!({"auditID": "c", "stage": "ResponseComplete", "responseStatus": {"code": 422, "message": said}});
        assert_eq!(super::refusals(&invalid.to_string()).len(), 1);
    }

    #[test]
    fn long_settings_are_those_of_the_write() {
        let write = |generation: i64, set: &str| {
            let object =
                json!({"metadata": {"name": "a", "namespace": "x", "generation": generation}, "spec": {"settings": {"s": set}}});
            json!({"objectRef": {"resource": "policybindings"}, "responseObject": object}).to_string()
        };
        let log = [write(1, "one"), write(2, "two")].join("\n");
        let of = |what: Value| with_settings(&what, "x/a", &log)["settings"].clone();
        assert_eq!(of(json!({"generation": 1})), json!({"s": "one"}));
        assert_eq!(of(json!({"generation": 3})), Value::Null);
        assert_eq!(of(json!({"generation": 1, "settings": {"s": "own"}})), json!({"s": "own"}));
    }

    #[test]
    fn a_mutator_has_no_say_about_what_is_stored() {
        let module = |world: &str| [json!({"metadata": {"name": "m"}, "status": {"world": world}})];
        let binding = json!({"spec": {"module": "m"}});
        let of = |world: &str, told: &str| of_stored(&binding, &module(world), told.to_owned());
        assert_eq!(of("validator", PASSED), PASSED);
        assert!(of("mutator", PASSED).starts_with("not asked: it changes"));
        assert_eq!(of("mutator", "not asked: x leaves the request out"), "not asked: x leaves the request out");
    }

    #[test]
    fn who_was_made_later_was_not_asked() {
        let request = trial::request(&Value::Null, &json!({"apiVersion": "v1", "kind": "Pod"})).unwrap();
        let at = |text: &str| Asked { at: text.parse().ok(), request: request.clone(), object: None, namespace: None };
        let made = json!({"name": "a", "creationTimestamp": "2026-01-01T00:00:05Z"});
        let rule = json!({"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]});
        let spec = json!({"module": "m", "matchConstraints": {"resourceRules": [rule]}});
        let binding = json!({"metadata": made, "spec": spec, "status": {"ready": true}});
        assert!(outside(&binding, &at("2026-01-01T00:00:04.9Z")).contains("made after the request"));
        assert_eq!(outside(&binding, &at("2026-01-01T00:00:05.1Z")), "asked, and had nothing against it");
    }
}
