//! `gatehouse policy rollout`: another module or other settings for a binding, first judged beside what is in force, then in
//! force in some namespaces, then everywhere.

use model::json::{Map, Value, json};

use super::arguments::Arguments;
use super::live::Live;
use super::{Outcome, document};

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let live = Live::read(arguments)?;
    if arguments.has("promote") {
        return promote(&live);
    }
    if !["candidate", "settings", "namespaces"].iter().any(|option| arguments.has(option)) {
        return tell(&live);
    }
    let candidate = candidate(arguments, &live)?;
    let now = live.change(&[("candidate", candidate.clone())], live.previous().as_ref())?;
    if let Some(message) = wrong(&now["status"]["shadow"]) {
        return Err(format!("{}: {message}; gatehouse policy rollback {} takes it back", live.name(), live.name()));
    }
    match candidate["namespaceSelector"].is_object() {
        true => println!("{}: the candidate is in force where the selector says so, and in shadow elsewhere", live.name()),
        false => println!(
            "{}: the candidate is judged in shadow; gatehouse policy rollout {} tells how it differs",
            live.name(),
            live.name()
        ),
    }
    Ok(())
}

/// What is there already, with what is said now.
fn candidate(arguments: &Arguments, live: &Live<'_>) -> Result<Value, String> {
    let mut candidate = match live.spec("candidate") {
        // It would be what is in force.
        Value::Null if !arguments.has("candidate") && !arguments.has("settings") => return Err(none(live)),
        Value::Null => json!({"module": live.spec("module")}),
        candidate => candidate.clone(),
    };
    if let Some(module) = arguments.option("candidate") {
        candidate["module"] = module.into();
    }
    if let Some(file) = arguments.option("settings") {
        candidate["settings"] = document::one(file)?;
    }
    if let Some(selector) = arguments.option("namespaces") {
        candidate["namespaceSelector"] = json!({"matchLabels": labels(selector)?});
    }
    Ok(candidate)
}

fn none(live: &Live<'_>) -> String {
    format!("{} has no candidate; name one by --candidate MODULE or --settings FILE", live.name())
}

fn labels(selector: &str) -> Result<Map, String> {
    let pairs = selector.split(',').filter(|pair| !pair.is_empty()).map(|pair| {
        let (key, value) = pair.split_once('=').ok_or_else(|| format!("--namespaces: {pair:?} is not KEY=VALUE"))?;
        Ok((key.to_owned(), Value::from(value)))
    });
    pairs.collect()
}

fn promote(live: &Live<'_>) -> Outcome {
    let candidate = live.spec("candidate");
    if candidate.is_null() {
        return Err(none(live));
    }
    let before = json!({"module": live.spec("module"), "settings": live.spec("settings")});
    let settings = Some(&candidate["settings"]).filter(|settings| !settings.is_null()).unwrap_or(live.spec("settings"));
    let fields = [("module", candidate["module"].clone()), ("settings", settings.clone()), ("candidate", Value::Null)];
    let now = live.change(&fields, Some(&before))?;
    println!("{}: {}", live.name(), told(&now, "in force"));
    println!(
        "gatehouse policy rollback {} takes it back to {} with settings {}",
        live.name(),
        said(&before["module"]),
        before["settings"]
    );
    Ok(())
}

/// What was judged beside each other so far.
fn tell(live: &Live<'_>) -> Outcome {
    let status = &live.object["status"];
    println!("{}: {} revision {} is in force", live.name(), said(live.spec("module")), said(&status["revision"]));
    let (candidate, shadow) = (live.spec("candidate"), &status["shadow"]);
    if candidate.is_null() {
        println!("no candidate");
        return Ok(());
    }
    if let Some(message) = wrong(shadow) {
        println!("{message}");
        return Ok(());
    }
    println!("candidate {} revision {}", said(&candidate["module"]), said(&shadow["revision"]));
    if !candidate["settings"].is_null() {
        println!("with settings {} in place of {}", candidate["settings"], live.spec("settings"));
    }
    if candidate["namespaceSelector"].is_object() {
        println!("in force in namespaces with {}", candidate["namespaceSelector"]);
    }
    let count = |field: &str| shadow[field].as_u64().unwrap_or(0);
    println!("{} of {} verdicts in shadow differ", count("differed"), count("judged"));
    for one in shadow["differences"].as_array().into_iter().flatten() {
        println!("{} {} {}/{}", said(&one["operation"]), said(&one["resource"]), said(&one["namespace"]), said(&one["name"]));
        println!("  - {}\n  + {}", said(&one["current"]), said(&one["candidate"]));
    }
    Ok(())
}

/// Why a candidate cannot be asked.
fn wrong(shadow: &Value) -> Option<&str> {
    shadow["message"].as_str().filter(|message| !message.is_empty())
}

/// What of a binding is in force.
pub(super) fn told(binding: &Value, how: &str) -> String {
    let (spec, revision) = (&binding["spec"], said(&binding["status"]["revision"]));
    format!("{} is {how}, revision {revision}, with settings {}", said(&spec["module"]), spec["settings"])
}

fn said(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_candidate_is_another_module_or_other_settings() {
        let arguments = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            Arguments::read(&words, 1, &[("candidate", "MODULE", ""), ("namespaces", "KEY=VALUE", "")]).unwrap()
        };
        let of = |spec: Value, words: &[&str]| {
            let arguments = arguments(words);
            let live = Live::of(&arguments, json!({"metadata": {"name": "a"}, "spec": spec}));
            candidate(&arguments, &live)
        };
        let some = ["--namespaces", "stage=test"];
        assert!(of(json!({"module": "m"}), &some).unwrap_err().starts_with("a has no candidate; name one by --candidate"));
        let named = of(json!({"module": "m"}), &["--candidate", "n", "--namespaces", "stage=test"]).unwrap();
        assert_eq!(named, json!({"module": "n", "namespaceSelector": {"matchLabels": {"stage": "test"}}}));
        let there = of(json!({"module": "m", "candidate": {"module": "n"}}), &some).unwrap();
        assert_eq!(there, named);
    }

    #[test]
    fn namespaces_are_named_by_labels() {
        assert_eq!(Value::from(labels("stage=test,team=a").unwrap()), json!({"stage": "test", "team": "a"}));
        assert!(labels("stage").unwrap_err().contains("KEY=VALUE"));
    }
}
