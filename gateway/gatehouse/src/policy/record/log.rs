//! What an audit log tells of writes: the object, what it was before, and what the server's policies said. An event has no
//! object as it was; what the log said of it before has.

use std::collections::BTreeMap;

use model::json::{Value, json};
use model::meta;

use crate::policy::corpus::Recorded;
use crate::policy::verdicts::{self, Seen};

/// The code of what admission refuses. Who may not ask at all is answered so too, before the object is read.
const FORBIDDEN: u64 = 403;
/// What is answered where something was made.
const CREATED: u64 = 201;
/// The version of answers that show only a part of an object, where the client asked for no more.
const PARTS: &str = "meta.k8s.io/";

/// The writes of an audit log that went through, each with the object as it was stored; and those that were refused, each as it
/// was sent.
pub(super) fn writes(text: &str) -> Vec<Recorded> {
    let events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let events: Vec<Value> = events.filter(|event| event["stage"] == "ResponseComplete").collect();
    let (made, mut stored, mut all) = (made(&events), BTreeMap::new(), Vec::new());
    for (n, event) in events.iter().enumerate() {
        let Some(mut recorded) = write(event, &mut stored) else { continue };
        let absent: Vec<&str> = made.iter().filter(|(_, made)| n < **made).map(|(name, _)| name.as_str()).collect();
        if !absent.is_empty() {
            recorded.server["absent"] = absent.into();
        }
        all.push(recorded);
    }
    all
}

/// The bindings that the log saw being made, each with the event that did it: nobody asked them before.
fn made(events: &[Value]) -> BTreeMap<String, usize> {
    let mut first = BTreeMap::new();
    for (n, event) in events.iter().enumerate() {
        let about = &event["objectRef"];
        let is_binding = about["apiGroup"] == "policy.gatehouse.dev"
            && about["resource"].as_str().is_some_and(|resource| resource.ends_with("policybindings"));
        let is_done = event["responseStatus"]["code"].as_u64().is_some_and(|code| code < 300);
        let name = about["name"].as_str().or(event["responseObject"]["metadata"]["name"].as_str());
        if let Some(name) = name.filter(|_| is_binding && is_done && about["subresource"].is_null()) {
            let name = about["namespace"].as_str().map_or(name.to_owned(), |namespace| format!("{namespace}/{name}"));
            let was_made = event["responseStatus"]["code"] == CREATED;
            first.entry(name).or_insert(was_made.then_some(n));
        }
    }
    first.into_iter().filter_map(|(name, made)| Some((name, made?))).collect()
}

/// Objects as the log told them last, by their place.
type Stored = BTreeMap<String, Value>;

fn write(event: &Value, stored: &mut Stored) -> Option<Recorded> {
    let operation = match event["verb"].as_str()? {
        "create" => "CREATE",
        "update" | "patch" => "UPDATE",
        "delete" => "DELETE",
        _ => return None,
    };
    let about = event["objectRef"].as_object()?;
    let text = |field: &str| about.get(field).and_then(Value::as_str).unwrap_or_default();
    let answer = Some(&event["responseObject"]).filter(|answer| answer["kind"] != "Status");
    let is_done = event["responseStatus"]["code"].as_u64().map_or(answer.is_some(), |code| code < 300);
    let seen = if is_done { Seen::Stored } else { Seen::Sent };
    let server = verdicts::audited(event, seen);
    if !is_done && !is_refused(event, &server) {
        return None;
    }
    let name = answer.and_then(|answer| answer["metadata"]["name"].as_str()).unwrap_or(text("name"));
    let whole = answer.filter(|answer| !answer["apiVersion"].as_str().is_some_and(|version| version.starts_with(PARTS)));
    let place = [text("apiGroup"), text("resource"), text("namespace"), name].join("/");
    // Other subresources have kinds of their own.
    let is_whole = ["", "status"].contains(&text("subresource"));
    let was = stored.get(&place).filter(|_| is_whole).cloned();
    let (object, old) = match (operation, seen) {
        ("DELETE", _) => (None, Some(was.or_else(|| whole.cloned())?)),
        // A patch is not the object, which nobody has seen.
        (_, Seen::Sent) if event["verb"] == "patch" => return None,
        (_, Seen::Sent) => (Some(event["requestObject"].clone()), was),
        (_, Seen::Stored) => match whole {
            Some(whole) => (Some(whole.clone()), was),
            None => {
                // It is another now, and the log does not say which.
                stored.remove(&place);
                return None;
            }
        },
    };
    let old = old.filter(|_| operation != "CREATE");
    if !object.as_ref().or(old.as_ref())?["metadata"].is_object() {
        return None;
    }
    let is_dry = event["requestURI"].as_str().is_some_and(|uri| uri.contains("dryRun="));
    let is_kept = is_whole && is_done && !is_dry;
    match (operation, whole) {
        _ if !is_kept => {}
        // Finalizers or its Pod's containers keep it for a while, and it says that it goes.
        ("DELETE", Some(going)) if meta::deletion_timestamp(going).is_some() => drop(stored.insert(place, going.clone())),
        ("DELETE", _) => drop(stored.remove(&place)),
        _ => stored.extend(object.clone().map(|object| (place, object))),
    }
    // Policies saw whom somebody spoke for.
    let user = match &event["impersonatedUser"] {
        Value::Null => &event["user"],
        spoken_for => spoken_for,
    };
    let mut request = json!({
        "operation": operation,
        "user": user["username"],
        "groups": user["groups"],
        "resource": text("resource"),
        "subresource": text("subresource"),
        "namespace": text("namespace"),
    });
    if is_dry {
        request["dryRun"] = true.into();
    }
    Some(Recorded { request, object, old, server })
}

/// Whether admission refused a request: one of the policies, or somebody else, and then nobody knows what they would have said.
fn is_refused(event: &Value, server: &Value) -> bool {
    let is_forbidden = event["responseStatus"]["code"].as_u64() == Some(FORBIDDEN);
    is_forbidden || server["policies"].as_object().is_some_and(|policies| !policies.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audit_log_gives_the_writes_that_went_through() {
        let log = r#"
{"stage":"ResponseComplete","verb":"get","objectRef":{"resource":"pods"},"responseObject":{"kind":"Pod","metadata":{}}}
{"stage":"RequestReceived","verb":"create","objectRef":{"resource":"pods"}}
{"stage":"ResponseComplete","verb":"create","objectRef":{"resource":"pods","namespace":"shop"},"user":{"username":"jane","groups":["dev"]},"responseObject":{"kind":"Pod","metadata":{"name":"a"}}}
{"stage":"ResponseComplete","verb":"create","objectRef":{"resource":"pods"},"user":{"username":"jane"},"responseObject":{"kind":"Status","metadata":{}}}
not a line of a log
"#;
        let recorded = writes(log);
        assert_eq!(recorded.len(), 1);
        assert_eq!((recorded[0].request["user"].as_str(), recorded[0].called()), (Some("jane"), "CREATE Pod shop/a".to_owned()));
        assert_eq!(recorded[0].server_said("labels").unwrap().told(), "allowed");
        assert_eq!(recorded[0].request["dryRun"], Value::Null);
        let spoken = r#""requestURI":"/api?dryRun=All","impersonatedUser":{"username":"ann"},"user":{"username":"admin"#;
        let recorded = writes(&log.replace(r#""user":{"username":"jane"#, spoken));
        assert_eq!((&recorded[0].request["user"], &recorded[0].request["groups"]), (&json!("ann"), &Value::Null));
        assert_eq!(recorded[0].request["dryRun"], true);
    }

    #[test]
    fn what_a_policy_refused_is_recorded_as_it_was_sent() {
        let log = r#"{"stage":"ResponseComplete","verb":"create","objectRef":{"resource":"pods","namespace":"shop"},"annotations":{"policy.gatehouse.dev/labels":"{\"verdict\":\"refused\",\"rules\":[\"label-required\"]}"},"requestObject":{"kind":"Pod","metadata":{"name":"a"}},"responseObject":{"kind":"Status","metadata":{}}}"#;
        let recorded = writes(log);
        assert_eq!((recorded.len(), recorded[0].called()), (1, "CREATE Pod shop/a".to_owned()));
        assert_eq!(recorded[0].server_said("labels").unwrap().told(), "refused by label-required");
    }

    #[test]
    fn what_somebody_else_refused_is_recorded_without_a_verdict() {
        let line = |code: u16| {
            format!(
                r#"{{"stage":"ResponseComplete","verb":"create","objectRef":{{"resource":"pods"}},"requestObject":{{"kind":"Pod","metadata":{{"name":"a"}}}},"responseStatus":{{"code":{code}}},"responseObject":{{"kind":"Status","metadata":{{}}}}}}"#
            )
        };
        let recorded = writes(&line(403));
        assert_eq!((recorded.len(), recorded[0].server_said("labels")), (1, None));
        assert!(writes(&line(409)).is_empty(), "it was there already");
    }

    #[test]
    fn what_was_stored_before_is_what_the_log_said_of_it() {
        let line = |verb: &str, code: u16, rest: &str| {
            let about = r#""objectRef":{"resource":"pods","namespace":"shop","name":"a"}"#;
            format!(r#"{{"stage":"ResponseComplete","verb":"{verb}",{about},"responseStatus":{{"code":{code}}},{rest}}}"#)
        };
        let pod = |image: &str| format!(r#""responseObject":{{"kind":"Pod","metadata":{{"name":"a"}},"image":"{image}"}}"#);
        let log = [
            line("create", 201, &pod("one")),
            line("update", 200, &format!(r#""requestURI":"/x?dryRun=All",{}"#, pod("tried"))),
            line("patch", 200, &pod("two")),
            line("delete", 200, r#""responseObject":{"kind":"Status"}"#),
        ];
        let recorded = writes(&log.join("\n"));
        let image = |value: &Option<Value>| value.as_ref().and_then(|value| value["image"].as_str()).unwrap_or("-").to_owned();
        let told: Vec<[String; 2]> = recorded.iter().map(|one| [image(&one.old), image(&one.object)]).collect();
        assert_eq!(told, [["-", "one"], ["one", "tried"], ["one", "two"], ["two", "-"]]);
        assert_eq!(recorded[3].called(), "DELETE Pod shop/a");
        assert!(writes(&log[3]).is_empty(), "nobody knows what was deleted");

        let going = r#""responseObject":{"kind":"Pod","metadata":{"name":"a","deletionTimestamp":"2026-01-01T00:00:00Z"}}"#;
        let log = [line("create", 201, &pod("one")), line("delete", 200, going), line("update", 200, going)];
        let recorded = writes(&log.join("\n"));
        assert_eq!(recorded[2].old.as_ref().and_then(meta::deletion_timestamp), Some("2026-01-01T00:00:00Z"));
    }

    #[test]
    fn who_asked_for_a_part_left_nothing_to_judge() {
        let line = |verb: &str, object: &str| {
            let about = r#""objectRef":{"resource":"pods","namespace":"shop","name":"a"}"#;
            format!(
                r#"{{"stage":"ResponseComplete","verb":"{verb}",{about},"responseStatus":{{"code":200}},"responseObject":{object}}}"#
            )
        };
        let pod = r#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a"}}"#;
        let part = r#"{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{"name":"a"}}"#;
        let recorded = writes(&[line("create", pod), line("patch", part), line("update", pod)].join("\n"));
        assert_eq!(recorded.len(), 2);
        assert!(recorded[1].old.is_none(), "what it was before the update nobody has seen");
    }

    #[test]
    fn who_was_not_there_yet_has_no_verdict() {
        let pod = r#"{"stage":"ResponseComplete","verb":"create","objectRef":{"resource":"pods"},"responseStatus":{"code":201},"responseObject":{"kind":"Pod","metadata":{"name":"a"}}}"#;
        let binding = r#"{"stage":"ResponseComplete","verb":"create","objectRef":{"resource":"clusterpolicybindings","apiGroup":"policy.gatehouse.dev","name":"labels"},"responseStatus":{"code":201}}"#;
        let recorded = writes(&[pod, binding, pod].join("\n"));
        let said: Vec<Option<String>> = recorded.iter().map(|one| Some(one.server_said("labels")?.told())).collect();
        assert_eq!(said, [None, Some("allowed".to_owned())]);
        assert_eq!(recorded[0].server_said("other").unwrap().told(), "allowed");
    }
}
