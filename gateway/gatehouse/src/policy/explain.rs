//! `gatehouse policy explain`: why a request was refused, or what policies say of an object that is live: which policy,
//! revision, rule and field, with which settings, in what time; and of the other bindings, which match field left them out.

use std::fs;

use admission::policy::binding::Binding;
use admission::policy::trial;
use model::json::{Value, json};
use model::meta;

use super::Outcome;
use super::arguments::Arguments;
use super::corpus::{self, kubectl};
use super::verdicts::ANNOTATION_PREFIX;

/// A request as far as it is known.
struct Asked {
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
    let id = arguments.place(0, "the id of a request (the header Audit-Id of its answer, or auditID in the log)")?;
    let text = fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let event = event(&text, id).ok_or_else(|| format!("{file} has no answer to {id}; is it the log of another server?"))?;
    println!("{}", headline(&event));
    println!("answer {}: {}", event["responseStatus"]["code"], event["responseStatus"]["message"].as_str().unwrap_or("success"));
    let bindings = bindings(arguments)?;
    let told = told(&event);
    for (name, what) in &told {
        println!("\n{}", verdict(name, what));
        match bindings.iter().find(|binding| called(binding) == *name) {
            Some(binding) => println!("{}", settings(binding, what)),
            None => println!("  the binding is gone"),
        }
    }
    let asked = of_event(arguments, &event)?;
    println!();
    for binding in bindings.iter().filter(|binding| told.iter().all(|(name, _)| *name != called(binding))) {
        println!("policy {:?}: {}", called(binding), outside(binding, &asked));
    }
    Ok(())
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
    for (field, before) in [("reason", "could not judge: "), ("failurePolicy", "failurePolicy "), ("exception", "excepted by ")] {
        if let Some(word) = what[field].as_str() {
            lines.push(format!("  {before}{word}"));
        }
    }
    lines.join("\n")
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
    let Asked { request, object, namespace } = asked;
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
        Ok(true) => "asked, and had nothing against it".to_owned(),
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
    Ok(Asked { request: trial::request(&said, &kind)?, object, namespace: namespace(arguments, text("namespace")) })
}

fn namespace(arguments: &Arguments, name: &str) -> Option<Value> {
    if name.is_empty() {
        return None;
    }
    kubectl(arguments, &["get", "namespace", name, "--output=json", "--ignore-not-found"]).ok().filter(Value::is_object)
}

fn live(arguments: &Arguments, words: &str) -> Outcome {
    let words: Vec<&str> = ["get"].into_iter().chain(words.split_whitespace()).chain(["--output=json"]).collect();
    for object in corpus::items(kubectl(arguments, &words)?) {
        let request = trial::request(&json!({"origin": "scan"}), &object)?;
        let asked = Asked { namespace: namespace(arguments, meta::namespace(&object)), request, object: Some(object) };
        one(arguments, &asked)?;
    }
    Ok(())
}

fn one(arguments: &Arguments, asked: &Asked) -> Outcome {
    let Some(object) = &asked.object else { return Ok(()) };
    println!("{} {}", object["kind"].as_str().unwrap_or_default(), called(object));
    let results = report(arguments, asked, object)?;
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
            println!("policy {name:?}: {}", outside(&binding, asked));
        } else {
            println!("{}", settings(&binding, &Value::Null));
        }
    }
    Ok(())
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
    }
}
