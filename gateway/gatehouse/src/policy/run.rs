//! `gatehouse policy run`: objects of a file, of a rendered chart or of a cluster, judged once to see the answer.

use model::json::{Value, json};

use super::arguments::Arguments;
use super::corpus::{self, Recorded};
use super::{Outcome, cases, document, subject};

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let runtime = subject::runtime()?;
    let bound = subject::policy(&runtime, &arguments.folder())?.bind(arguments)?;
    let objects = match (arguments.option("object"), arguments.option("live")) {
        (Some(file), None) => document::objects(file)?,
        (None, Some(words)) => {
            let words: Vec<&str> = std::iter::once("get").chain(words.split(' ')).chain(["--output=json"]).collect();
            corpus::items(corpus::kubectl(arguments, &words)?)
        }
        _ => return Err("say what to judge: --object FILE, or --live WORDS".to_owned()),
    };
    let old = arguments.option("old").map(document::one).transpose()?;
    let params = arguments.option("params").map(document::one).transpose()?;
    let cluster = corpus::in_files(arguments)?;
    let mut refused = 0;
    for object in objects {
        let request = request(arguments, old.is_some());
        let recorded = Recorded { request, object: Some(object), old: old.clone(), server: Value::Null };
        refused += usize::from(!told(&recorded, &recorded.judge(&bound, &cluster, params.as_ref())?, bound.name())?);
    }
    match refused {
        0 => Ok(()),
        1 => Err(format!("{} refuses it", bound.name())),
        count => Err(format!("{} refuses {count} objects", bound.name())),
    }
}

fn request(arguments: &Arguments, has_old: bool) -> Value {
    let operation = arguments.option("operation").unwrap_or(if has_old { "UPDATE" } else { "CREATE" });
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
    let outcome = trial.outcome.as_ref().map_err(ToString::to_string)?;
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
