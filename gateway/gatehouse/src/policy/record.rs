//! `gatehouse policy record`: requests written down, one a line, for `replay` and `diff`. From an audit log they are what
//! clients really asked, and what the server's policies said of them; from a cluster they are what it holds, as if somebody
//! made it now, and what its reports say.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use model::json::{Value, json};

use super::arguments::Arguments;
use super::corpus::{self, Origin, Recorded};
use super::verdicts::Seen;
use super::{Outcome, build, cel, manifest, verdicts};

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let out = arguments.needed("out", "the file to write")?;
    let recorded = match arguments.option("audit") {
        Some(file) => {
            let text = fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
            audited(&text)
        }
        None => stored(arguments)?,
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

/// What the cluster holds, with what its server's reports say of it, where it has some.
fn stored(arguments: &Arguments) -> Result<Vec<Recorded>, String> {
    let mut all = corpus::cluster(arguments, &rules(&arguments.folder())?, Origin::Write)?;
    let mut reports = Vec::new();
    for words in [&["reports.openreports.io", "--all-namespaces"][..], &["clusterreports.openreports.io"]] {
        let words = [&["get"], words, &["--output=json"]].concat();
        reports.extend(corpus::items(corpus::kubectl_if_served(arguments, &words)));
    }
    let reported = verdicts::reported(&reports);
    for recorded in &mut all {
        recorded.server = recorded.object.as_ref().map(|object| verdicts::found(&reported, object)).unwrap_or_default();
    }
    Ok(all)
}

/// What says which resources are meant: the binding in a policy's folder or beside its component, or a policy in CEL.
fn rules(place: &Path) -> Result<Value, String> {
    if !build::is_package(place)
        && let Some(found) = cel::read(place)?
    {
        return Ok(found.into_iter().next().map(|cel| cel.policy).unwrap_or_default());
    }
    manifest::binding(&if place.is_file() { place.with_file_name("") } else { place.to_owned() })
}

/// The code of what admission refuses. Who may not ask at all is answered so too, before the object is read.
const FORBIDDEN: u64 = 403;

/// The writes of an audit log that went through, each with the object as it was stored; and those that were refused, each as it
/// was sent.
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
    if event["stage"] != "ResponseComplete" {
        return None;
    }
    let about = event["objectRef"].as_object()?;
    let text = |field: &str| about.get(field).and_then(Value::as_str).unwrap_or_default();
    let answer = &event["responseObject"];
    let seen = if answer["kind"] == "Status" { Seen::Sent } else { Seen::Stored };
    let server = verdicts::audited(event, seen);
    let object = match seen {
        // A patch is not the object, which nobody has seen.
        Seen::Sent if event["verb"] == "patch" || !is_refused(event, &server) => return None,
        Seen::Sent => &event["requestObject"],
        Seen::Stored => answer,
    };
    if !object["metadata"].is_object() {
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
    Some(Recorded { request, object: Some(object.clone()), old: None, server })
}

/// Whether admission refused a request: one of the policies, or somebody else, and then nobody knows what they would have said.
fn is_refused(event: &Value, server: &Value) -> bool {
    let is_forbidden = event["responseStatus"]["code"].as_u64() == Some(FORBIDDEN);
    is_forbidden || server["policies"].as_object().is_some_and(|policies| !policies.is_empty())
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
        assert_eq!(recorded[0].server_said("labels").unwrap().told(), "allowed");
    }

    #[test]
    fn what_a_policy_refused_is_recorded_as_it_was_sent() {
        let log = r#"{"stage":"ResponseComplete","verb":"create","objectRef":{"resource":"pods","namespace":"shop"},"annotations":{"policy.gatehouse.dev/labels":"{\"verdict\":\"refused\",\"rules\":[\"label-required\"]}"},"requestObject":{"kind":"Pod","metadata":{"name":"a"}},"responseObject":{"kind":"Status","metadata":{}}}"#;
        let recorded = audited(log);
        assert_eq!((recorded.len(), recorded[0].called()), (1, "CREATE Pod a".to_owned()));
        assert_eq!(recorded[0].server_said("labels").unwrap().told(), "refused by label-required");
    }

    #[test]
    fn what_somebody_else_refused_is_recorded_without_a_verdict() {
        let line = |code: u16| {
            format!(
                r#"{{"stage":"ResponseComplete","verb":"create","objectRef":{{"resource":"pods"}},"requestObject":{{"kind":"Pod","metadata":{{"name":"a"}}}},"responseStatus":{{"code":{code}}},"responseObject":{{"kind":"Status","metadata":{{}}}}}}"#
            )
        };
        let recorded = audited(&line(403));
        assert_eq!((recorded.len(), recorded[0].server_said("labels")), (1, None));
        assert!(audited(&line(409)).is_empty(), "it was there already");
    }
}
