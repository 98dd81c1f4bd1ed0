//! `gatehouse policy run`: objects of a file, of a rendered chart or of a cluster, judged once to see the answer.

use model::json::{Value, json};

use super::arguments::Arguments;
use super::corpus::{self, Recorded};
use super::{Outcome, cases, document, form, pods, subject};

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let runtime = subject::runtime()?;
    let bound = subject::policy(&runtime, &arguments.folder())?.bind(arguments)?;
    let objects = match (arguments.option("object"), arguments.option("live")) {
        (Some(file), None) => corpus::objects(file)?,
        (None, Some(words)) => {
            let words: Vec<&str> = std::iter::once("get").chain(words.split_whitespace()).chain(["--output=json"]).collect();
            let live = corpus::items(corpus::kubectl(arguments, &words)?);
            if live.is_empty() {
                return Err(format!("the cluster has none: kubectl {}", words.join(" ")));
            }
            live
        }
        _ => return Err("say what to judge: --object FILE, or --live WORDS".to_owned()),
    };
    let old = arguments.option("old").map(document::one).transpose()?;
    let params = arguments.option("params").map(document::one).transpose()?;
    let mut cluster = corpus::in_files(arguments)?;
    if arguments.has("live") {
        cluster.extend(corpus::namespaces(arguments, &bound)?);
    }
    let (mut asked, mut refused) = (0, 0);
    for object in objects {
        let given = recorded(arguments, object, old.clone());
        let pods = pods_of(&given).filter(|pods| pods.unmatched(&bound, &cluster).is_none());
        let given = match given.unmatched(&bound, &cluster) {
            Some(field) => {
                println!("{}: not asked: {field} leaves it out", given.called());
                None
            }
            None => Some(given),
        };
        for recorded in given.into_iter().chain(pods) {
            asked += 1;
            refused += usize::from(!told(&recorded, &recorded.judge(&bound, &cluster, params.as_ref())?, bound.name())?);
        }
    }
    match (asked, refused) {
        (0, _) => Err(corpus::NOTHING.to_owned()),
        (_, 0) => Ok(()),
        (_, 1) => Err(format!("{} refuses it", bound.name())),
        (_, count) => Err(format!("{} refuses {count} objects", bound.name())),
    }
}

/// The Pods that a workload will have when it is made.
fn pods_of(given: &Recorded) -> Option<Recorded> {
    let is_made = given.request["operation"] == "CREATE";
    given.object.as_ref().filter(|_| is_made).and_then(pods::of)
}

/// The request about an object; what is deleted is the object as it was.
fn recorded(arguments: &Arguments, object: Value, old: Option<Value>) -> Recorded {
    let operation = arguments.option("operation").unwrap_or(form::operation(true, old.is_some()));
    let (object, old) = if operation == "DELETE" { (None, Some(object)) } else { (Some(object), old) };
    Recorded { request: request(arguments, operation), object, old, server: Value::Null }
}

fn request(arguments: &Arguments, operation: &str) -> Value {
    let mut request = json!({"operation": operation, "groups": arguments.all("group")});
    if let Some(user) = arguments.option("user") {
        request["user"] = json!(user);
    }
    request
}

/// Tells what came of it; whether the object may be stored.
fn told(recorded: &Recorded, trial: &admission::policy::trial::Trial, policy: &str) -> Result<bool, String> {
    for line in &trial.log {
        eprintln!("{}: {}", line.level, line.message);
    }
    let outcome = trial.outcome.as_ref().map_err(|failure| format!("{}: {}", recorded.called(), subject::told(failure)))?;
    for warning in &outcome.warnings {
        println!("Warning: {warning}");
    }
    if let Some(changed) = &outcome.changed {
        print!("---\n{}", codec::yaml::print(changed));
        return Ok(true);
    }
    for violation in &outcome.violations {
        println!("{}: {}", recorded.called(), cases::tell(violation));
    }
    if outcome.violations.is_empty() {
        println!("{}: {policy} has nothing against it ({} µs)", recorded.called(), trial.took.as_micros());
    }
    Ok(outcome.violations.is_empty())
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    #[test]
    fn what_is_deleted_is_what_was() {
        let known = &[("operation", "WORD", "")];
        let said = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            Arguments::read(&words, 1, known).unwrap()
        };
        let of = |words: &[&str], old: Option<Value>| {
            let one = recorded(&said(words), json!({"kind": "Pod"}), old);
            (one.request["operation"].as_str().unwrap().to_owned(), one.object.is_some(), one.old.is_some())
        };
        assert_eq!(of(&["--operation", "DELETE"], None), ("DELETE".to_owned(), false, true));
        let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": {"spec": {}}}});
        let pods = |words: &[&str]| pods_of(&recorded(&said(words), deployment.clone(), None)).is_some();
        assert!(pods(&[]) && !pods(&["--operation", "DELETE"]));
        assert_eq!(of(&[], None), ("CREATE".to_owned(), true, false));
        assert_eq!(of(&[], Some(json!({}))), ("UPDATE".to_owned(), true, true));
    }
}
