//! `gatehouse policy record`: requests written down, one a line, for `replay` and `diff`. From an audit log they are what
//! clients really asked; from a cluster they are what it holds, as if somebody made it now.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use model::json::{Value, json};

use super::arguments::Arguments;
use super::corpus::{self, Origin, Recorded};
use super::{Outcome, manifest};

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let out = arguments.needed("out", "the file to write")?;
    let recorded = match arguments.option("audit") {
        Some(file) => {
            let text = fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
            audited(&text)
        }
        None => corpus::cluster(arguments, &manifest::binding(&folder(arguments))?, Origin::Write)?,
    };
    if recorded.is_empty() {
        return Err(match arguments.has("audit") {
            true => "the log has no write with its object; the audit policy must say level: RequestResponse".to_owned(),
            false => "the cluster holds none of it".to_owned(),
        });
    }
    let mut text = String::new();
    for one in &recorded {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{}", one.line());
    }
    fs::write(out, text).map_err(|error| format!("{out}: {error}"))?;
    println!("{out}: {} requests", recorded.len());
    Ok(())
}

/// Where the policy's binding lies: in its folder, or beside its component.
fn folder(arguments: &Arguments) -> PathBuf {
    let place = arguments.folder();
    if place.is_file() { place.with_file_name("") } else { place }
}

/// The writes of an audit log that went through, each with the object as it was stored.
fn audited(text: &str) -> Vec<Recorded> {
    let events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    events.filter_map(|event| write(&event)).collect()
}

fn write(event: &Value) -> Option<Recorded> {
    let operation = match event["verb"].as_str()? {
        "create" => "CREATE",
        "update" | "patch" => "UPDATE",
        _ => return None,
    };
    let about = event["objectRef"].as_object()?;
    let text = |field: &str| about.get(field).and_then(Value::as_str).unwrap_or_default();
    // Only an answer is the object: of a refused write it is a Status.
    let object = Some(&event["responseObject"]).filter(|object| object["kind"] != "Status" && object["metadata"].is_object())?;
    if event["stage"] != "ResponseComplete" {
        return None;
    }
    let request = json!({
        "operation": operation,
        "user": event["user"]["username"],
        "groups": event["user"]["groups"],
        "resource": text("resource"),
        "subresource": text("subresource"),
        "namespace": text("namespace"),
    });
    Some(Recorded { request, object: Some(object.clone()), old: None })
}

#[cfg(test)]
mod tests {
    use super::audited;

    #[test]
    fn an_audit_log_gives_the_writes_that_went_through() {
        let log = r#"
{"stage":"ResponseComplete","verb":"get","objectRef":{"resource":"pods"},"responseObject":{"kind":"Pod","metadata":{}}}
{"stage":"RequestReceived","verb":"create","objectRef":{"resource":"pods"}}
{"stage":"ResponseComplete","verb":"create","objectRef":{"resource":"pods","namespace":"shop"},"user":{"username":"jane","groups":["dev"]},"responseObject":{"kind":"Pod","metadata":{"name":"a"}}}
{"stage":"ResponseComplete","verb":"create","objectRef":{"resource":"pods"},"user":{"username":"jane"},"responseObject":{"kind":"Status","metadata":{}}}
not a line of a log
"#;
        let recorded = audited(log);
        assert_eq!(recorded.len(), 1);
        assert_eq!((recorded[0].request["user"].as_str(), recorded[0].called()), (Some("jane"), "CREATE Pod a".to_owned()));
    }
}
