//! Flow schemas and priority levels: the mandatory ones are always as they must be, the suggested ones as long as nobody
//! took them over. Follows `pkg/registry/flowcontrol/ensurer`.

use std::collections::BTreeSet;

use catalog::bootstrap;
use jiff::Timestamp;
use model::field::quote;
use model::json::json;
use model::{GroupVersionResource, Value, World, clock, meta};

use super::{all, find, made};
use crate::runtime::{Error, step};

const AUTOUPDATE: &str = "apf.kubernetes.io/autoupdate-spec";

/// Whether an object's spec is the server's in any case.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Standing {
    Mandatory,
    Suggested,
}

pub(super) async fn ensure(world: &dyn World, producer: &dyn World, now: Timestamp) -> Result<(), Error> {
    let sections = [
        ("prioritylevelconfigurations", "mandatoryPriorityLevelConfigurations", Standing::Mandatory),
        ("prioritylevelconfigurations", "suggestedPriorityLevelConfigurations", Standing::Suggested),
        ("flowschemas", "mandatoryFlowSchemas", Standing::Mandatory),
        ("flowschemas", "suggestedFlowSchemas", Standing::Suggested),
    ];
    for (plural, section, standing) in sections {
        let resource = resource(plural);
        let objects = bootstrap::objects(bootstrap::FLOWCONTROL, section);
        all(objects.into_iter().map(|wanted| ensure_one(producer, &resource, wanted, standing))).await?;
    }
    mark(world, now).await
}

fn resource(plural: &str) -> GroupVersionResource {
    GroupVersionResource::new("flowcontrol.apiserver.k8s.io", "v1", plural)
}

/// Says of every flow schema whether the priority level that it names exists.
async fn mark(world: &dyn World, now: Timestamp) -> Result<(), Error> {
    let (levels, _) = world.list(&resource("prioritylevelconfigurations"), "", "").await.map_err(step("list priority levels"))?;
    let levels: BTreeSet<&str> = levels.iter().map(meta::name).collect();
    let schemas = resource("flowschemas");
    let (objects, _) = world.list(&schemas, "", "").await.map_err(step("list flow schemas"))?;
    let marked: Vec<Value> = objects.iter().filter_map(|schema| dangling(schema, &levels, now)).collect();
    all(marked.into_iter().map(|schema| write_status(world, &schemas, schema))).await
}

async fn write_status(world: &dyn World, schemas: &GroupVersionResource, schema: Value) -> Result<(), Error> {
    world.update(schemas, "status", schema).await.map(drop).map_err(step("mark flow schema"))
}

/// The schema with its condition `Dangling` as it must become; `None` when it says so already.
fn dangling(schema: &Value, levels: &BTreeSet<&str>, now: Timestamp) -> Option<Value> {
    let level = schema.pointer("/spec/priorityLevelConfiguration/name").and_then(Value::as_str).unwrap_or("");
    let (status, reason, is) = if levels.contains(level) {
        ("False", "Found", "and it exists")
    } else {
        ("True", "NotFound", "but there is no such object")
    };
    let message = format!("This FlowSchema references the PriorityLevelConfiguration object named {} {is}", quote(level));
    let old = schema.pointer("/status/conditions/0");
    if old.is_some_and(|old| old["status"] == status && old["message"] == message.as_str()) {
        return None;
    }
    let condition = json!({"type": "Dangling", "status": status, "lastTransitionTime": clock::rfc3339(now), "reason": reason, "message": message});
    let mut schema = schema.clone();
    schema["status"] = json!({"conditions": [condition]});
    Some(schema)
}

async fn ensure_one(world: &dyn World, resource: &GroupVersionResource, wanted: Value, standing: Standing) -> Result<(), Error> {
    let Some(current) = find(world, resource, "", meta::name(&wanted)).await? else {
        return made(world.create(resource, "", wanted).await);
    };
    match decide(&wanted, &current, standing) {
        Some(revised) => world.update(resource, "", revised).await.map(drop).map_err(step("update flow configuration")),
        None => Ok(()),
    }
}

/// The object as it must become; `None` when it is well.
fn decide(wanted: &Value, current: &Value, standing: Standing) -> Option<Value> {
    let said = meta::annotation(current, AUTOUPDATE).and_then(parse_bool);
    // Without a word, a spec that nobody ever changed is the server's.
    let automatic = standing == Standing::Mandatory || said.unwrap_or(meta::generation(current) == 1);
    let changed = automatic && !contains(&current["spec"], &wanted["spec"]);
    if said == Some(automatic) && !changed {
        return None;
    }
    let mut revised = current.clone();
    if changed {
        revised["spec"] = wanted["spec"].clone();
    }
    meta::annotate(&mut revised, AUTOUPDATE, automatic.to_string());
    Some(revised)
}

/// The spellings of Go's `ParseBool`.
fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// Whether all that `wanted` says stands in `current`, which also has its defaults.
fn contains(current: &Value, wanted: &Value) -> bool {
    match (current, wanted) {
        (Value::Object(current), Value::Object(wanted)) => {
            wanted.iter().all(|(key, value)| current.get(key).is_some_and(|current| contains(current, value)))
        }
        (Value::Array(current), Value::Array(wanted)) => {
            current.len() == wanted.len() && current.iter().zip(wanted).all(|(current, wanted)| contains(current, wanted))
        }
        _ => current == wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_say_whether_their_level_exists() {
        let (now, levels) = (Timestamp::UNIX_EPOCH, BTreeSet::from(["exempt"]));
        let schema = |level: &str| json!({"metadata": {"name": "s"}, "spec": {"priorityLevelConfiguration": {"name": level}}});
        let found = dangling(&schema("exempt"), &levels, now).unwrap();
        assert_eq!(found["status"]["conditions"][0]["status"], "False");
        assert_eq!(dangling(&found, &levels, now), None);
        let lost = dangling(&schema("gone"), &levels, now).unwrap();
        let message =
            "This FlowSchema references the PriorityLevelConfiguration object named \"gone\" but there is no such object";
        assert_eq!(lost["status"]["conditions"][0]["message"], message);
    }

    fn level(shares: i64, autoupdate: Option<&str>, generation: i64) -> Value {
        let mut level = json!({"metadata": {"name": "l", "generation": generation}, "spec": {"type": "Limited", "limited": {"nominalConcurrencyShares": shares}}});
        if let Some(text) = autoupdate {
            meta::annotate(&mut level, AUTOUPDATE, text);
        }
        level
    }

    #[test]
    fn owners_may_take_over_what_is_suggested() {
        let wanted = level(5, Some("true"), 0);
        let mut defaulted = level(5, Some("true"), 1);
        defaulted["spec"]["limited"]["lendablePercent"] = json!(0);
        assert_eq!(decide(&wanted, &defaulted, Standing::Suggested), None);
        assert_eq!(decide(&wanted, &level(9, Some("false"), 2), Standing::Suggested), None);
        let restored = decide(&wanted, &level(9, Some("true"), 2), Standing::Suggested).unwrap();
        assert_eq!(restored["spec"], wanted["spec"]);
        let marked = decide(&wanted, &level(9, None, 2), Standing::Suggested).unwrap();
        assert_eq!(
            (meta::annotation(&marked, AUTOUPDATE), &marked["spec"]["limited"]["nominalConcurrencyShares"]),
            (Some("false"), &json!(9))
        );
    }

    #[test]
    fn what_is_mandatory_comes_back() {
        let restored = decide(&level(5, Some("true"), 0), &level(9, Some("false"), 3), Standing::Mandatory).unwrap();
        assert_eq!(
            (meta::annotation(&restored, AUTOUPDATE), &restored["spec"]["limited"]["nominalConcurrencyShares"]),
            (Some("true"), &json!(5))
        );
    }
}
