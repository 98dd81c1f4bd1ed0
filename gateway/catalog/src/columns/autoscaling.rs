//! The cells of HorizontalPodAutoscaler, from its v2 form, and of Scale.

use jiff::Timestamp;
use model::Value;

use super::cell::{NONE, UNKNOWN, UNSET, age, at, int, list, name, scalar, text};

pub(super) const ALL: super::Rows = &[("autoscaling", "HorizontalPodAutoscaler", autoscaler), ("autoscaling", "Scale", scale)];

/// How many metrics the cell names before it counts the rest.
const METRICS_SHOWN: usize = 2;

fn autoscaler(object: &Value, now: Timestamp) -> Vec<Value> {
    let target = at(object, &["spec", "scaleTargetRef"]);
    vec![
        name(object),
        format!("{}/{}", text(target, &["kind"]), text(target, &["name"])).into(),
        metrics(object).into(),
        scalar(at(object, &["spec", "minReplicas"])).unwrap_or_else(|| UNSET.to_owned()).into(),
        int(object, &["spec", "maxReplicas"]).into(),
        int(object, &["status", "currentReplicas"]).into(),
        age(object, now),
    ]
}

fn scale(object: &Value, now: Timestamp) -> Vec<Value> {
    let replicas = |part| int(object, &[part, "replicas"]).into();
    vec![name(object), replicas("spec"), replicas("status"), age(object, now)]
}

fn metrics(object: &Value) -> String {
    let specs = list(object, &["spec", "metrics"]);
    if specs.is_empty() {
        return NONE.to_owned();
    }
    let statuses = list(object, &["status", "currentMetrics"]);
    let all: Vec<String> =
        specs.iter().enumerate().map(|(i, spec)| metric(spec, statuses.get(i).unwrap_or(&Value::Null))).collect();
    let shown = all[..all.len().min(METRICS_SHOWN)].join(", ");
    match all.len() {
        more if more > METRICS_SHOWN => format!("{shown} + {} more...", more - METRICS_SHOWN),
        _ => shown,
    }
}

fn metric(spec: &Value, status: &Value) -> String {
    let source = match text(spec, &["type"]) {
        "External" => "external",
        "Pods" => "pods",
        "Object" => "object",
        "Resource" => "resource",
        "ContainerResource" => "containerResource",
        _ => return "<unknown type>".to_owned(),
    };
    let (target, current) = (at(spec, &[source, "target"]), at(status, &[source, "current"]));
    let average = scalar(at(target, &["averageValue"]));
    let now = |field: &str| scalar(at(current, &[field])).unwrap_or_else(|| UNKNOWN.to_owned());
    match (source, average) {
        ("resource" | "containerResource", average) => {
            let resource = text(spec, &[source, "name"]);
            match average {
                Some(average) => format!("{resource}: {}/{average}", now("averageValue")),
                None => format!("{resource}: {}/{}", percent(current, UNKNOWN), percent(target, "<auto>")),
            }
        }
        ("pods", average) => format!("{}/{}", now("averageValue"), average.unwrap_or_else(|| "0".to_owned())),
        (_, Some(average)) => format!("{}/{average} (avg)", now("averageValue")),
        (_, None) => format!("{}/{}", now("value"), scalar(at(target, &["value"])).unwrap_or_else(|| "0".to_owned())),
    }
}

fn percent(value: &Value, absent: &str) -> String {
    at(value, &["averageUtilization"]).as_i64().map_or(absent.to_owned(), |percent| format!("{percent}%"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::json::json;

    #[test]
    fn metrics_show_current_and_target() {
        let object = json!({"spec": {"metrics": [
            {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}},
            {"type": "Pods", "pods": {"target": {"averageValue": "10"}}},
            {"type": "External", "external": {"target": {"value": "5"}}}]},
            "status": {"currentMetrics": [{"type": "Resource", "resource": {"current": {"averageUtilization": 20}}}]}});
        assert_eq!(metrics(&object), "cpu: 20%/80%, <unknown>/10 + 1 more...");
    }
}
