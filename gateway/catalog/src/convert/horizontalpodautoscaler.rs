//! `autoscaling/v1` HorizontalPodAutoscaler, which is stored as `v2`: what v1 cannot say stands in its annotations.
//! Follows `pkg/apis/autoscaling/v1/conversion.go`.

use model::json::json;
use model::{Map, Value, meta};

use super::{Conversion, put, rename, take};
use crate::hooks::internal;

pub(super) const CONVERSION: Conversion = Conversion { to_storage, from_storage, fields: &[] };

/// The annotations that hold what v1 cannot say.
pub(crate) const ANNOTATIONS: &[&str] = &[METRICS, CURRENT_METRICS, CONDITIONS, BEHAVIOR];

const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
const CURRENT_METRICS: &str = "autoscaling.alpha.kubernetes.io/current-metrics";
const CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";
const CPU_TARGET: &str = "targetCPUUtilizationPercentage";
const CPU_CURRENT: &str = "currentCPUUtilizationPercentage";

fn from_storage(object: &mut Value) {
    for annotation in ANNOTATIONS {
        drop_annotation(object, annotation);
    }
    let spec = object.get_mut("spec").unwrap_or(&mut Value::Null).take();
    let mut spec = spec;
    let metrics = list(take(&mut spec, "metrics"));
    let is_cpu = |metric: &Value| resource_name(metric) == "cpu" && !metric["resource"]["target"]["averageUtilization"].is_null();
    let (cpu, others): (Vec<Value>, Vec<Value>) = metrics.into_iter().partition(is_cpu);
    put(&mut spec, CPU_TARGET, cpu.last().map(|metric| metric["resource"]["target"]["averageUtilization"].clone()));
    annotate(object, METRICS, others.into_iter().map(older_metric).collect());
    if let Some(behavior) = take(&mut spec, "behavior") {
        meta::annotate(object, BEHAVIOR, internal::show(&behavior, internal::AUTOSCALER_BEHAVIOR).to_string());
    }
    put(object, "spec", Some(spec));
    let Some(mut status) = take(object, "status") else { return };
    let current = list(take(&mut status, "currentMetrics"));
    let cpu = current
        .iter()
        .rfind(|metric| resource_name(metric) == "cpu")
        .map(|metric| metric["resource"]["current"]["averageUtilization"].clone());
    put(&mut status, CPU_CURRENT, cpu.filter(|value| !value.is_null()));
    annotate(object, CURRENT_METRICS, current.into_iter().map(older_status).collect());
    annotate(object, CONDITIONS, list(take(&mut status, "conditions")));
    put(object, "status", Some(status));
}

fn to_storage(object: &mut Value) {
    let from = |object: &Value, key| -> Option<Value> { serde_json::from_str(meta::annotation(object, key)?).ok() };
    let (metrics, current) = (from(object, METRICS), from(object, CURRENT_METRICS));
    let (conditions, behavior) = (from(object, CONDITIONS), from(object, BEHAVIOR));
    for annotation in ANNOTATIONS {
        drop_annotation(object, annotation);
    }
    if let Some(spec) = object.get_mut("spec") {
        let mut all: Vec<Value> = list(metrics).into_iter().map(newer_metric).collect();
        if let Some(percent) = take(spec, CPU_TARGET) {
            all.push(json!({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": percent}}}));
        }
        put(spec, "metrics", (!all.is_empty()).then_some(Value::Array(all)));
        put(spec, "behavior", behavior.map(|behavior| with_lower_keys(&behavior)));
    }
    let Some(status) = object.get_mut("status") else { return };
    let cpu = take(status, CPU_CURRENT);
    let current = match current {
        Some(current) => list(Some(current)).into_iter().map(newer_status).collect(),
        None => cpu
            .map(|percent| json!({"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": percent}}}))
            .into_iter()
            .collect::<Vec<Value>>(),
    };
    put(status, "currentMetrics", (!current.is_empty()).then_some(Value::Array(current)));
    put(status, "conditions", conditions);
}

fn list(value: Option<Value>) -> Vec<Value> {
    match value {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    }
}

fn resource_name(metric: &Value) -> &str {
    if metric["type"] == "Resource" { metric["resource"]["name"].as_str().unwrap_or("") } else { "" }
}

fn annotate(object: &mut Value, key: &str, items: Vec<Value>) {
    if !items.is_empty() {
        meta::annotate(object, key, Value::Array(items).to_string());
    }
}

fn drop_annotation(object: &mut Value, key: &str) {
    let Some(metadata) = meta::metadata_mut(object) else { return };
    let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) else { return };
    annotations.shift_remove(key);
    if annotations.is_empty() {
        metadata.shift_remove("annotations");
    }
}

/// The source of a metric, by the name its type gives it.
fn source_mut(metric: &mut Value) -> Option<(&'static str, &mut Value)> {
    let field = match metric.get("type")?.as_str()? {
        "Object" => "object",
        "Pods" => "pods",
        "Resource" => "resource",
        "ContainerResource" => "containerResource",
        "External" => "external",
        _ => return None,
    };
    Some((field, metric.get_mut(field)?))
}

/// What v1 calls the fields of a source: value, average value, name of the selector.
fn older_names(field: &str) -> (&'static str, &'static str, &'static str) {
    match field {
        "object" => ("targetValue", "averageValue", "selector"),
        "external" => ("targetValue", "targetAverageValue", "metricSelector"),
        _ => ("targetValue", "targetAverageValue", "selector"),
    }
}

/// The fields of v1's types in Go's order, for each source: of a metric that is wished for, then of one that was seen. What
/// no pointer holds is always there, and marked.
const FIELDS: [(&str, &[&str], &[&str]); 5] = [
    (
        "object",
        &["target", "metricName", "*targetValue", "selector", "averageValue"],
        &["target", "metricName", "*currentValue", "selector", "averageValue"],
    ),
    ("pods", &["metricName", "*targetAverageValue", "selector"], &["metricName", "*currentAverageValue", "selector"]),
    (
        "resource",
        &["name", "targetAverageUtilization", "targetAverageValue"],
        &["name", "currentAverageUtilization", "*currentAverageValue"],
    ),
    (
        "containerResource",
        &["name", "targetAverageUtilization", "targetAverageValue", "container"],
        &["name", "currentAverageUtilization", "*currentAverageValue", "container"],
    ),
    (
        "external",
        &["metricName", "metricSelector", "targetValue", "targetAverageValue"],
        &["metricName", "metricSelector", "*currentValue", "currentAverageValue"],
    ),
];

/// A source as Go writes the type: annotations hold text.
fn in_order(source: &mut Value, fields: &[&str]) {
    let mut ordered = Map::new();
    for field in fields {
        let name = field.trim_start_matches('*');
        let zero = (name != *field).then(|| Value::from("0"));
        if let Some(value) = take(source, name).or(zero) {
            ordered.insert(name.to_owned(), value);
        }
    }
    *source = Value::Object(ordered);
}

fn fields_of(field: &str) -> (&'static [&'static str], &'static [&'static str]) {
    FIELDS.iter().find(|(name, ..)| *name == field).map_or((&[], &[]), |(_, wished, seen)| (wished, seen))
}

fn older_metric(mut metric: Value) -> Value {
    let Some((field, source)) = source_mut(&mut metric) else { return metric };
    let (value, average, selector) = older_names(field);
    if let Some(mut target) = take(source, "target") {
        put(source, value, take(&mut target, "value"));
        put(source, average, take(&mut target, "averageValue"));
        put(source, "targetAverageUtilization", take(&mut target, "averageUtilization"));
    }
    rename(source, "describedObject", "target");
    older_identifier(source, selector);
    in_order(source, fields_of(field).0);
    metric
}

fn older_identifier(source: &mut Value, selector: &str) {
    if let Some(mut identifier) = take(source, "metric") {
        put(source, "metricName", take(&mut identifier, "name"));
        put(source, selector, take(&mut identifier, "selector"));
    }
}

fn newer_metric(mut metric: Value) -> Value {
    let Some((field, source)) = source_mut(&mut metric) else { return metric };
    let (value, average, selector) = older_names(field);
    newer_identifier(source, field, selector);
    rename(source, "target", "describedObject");
    let (utilization, average, value) = (take(source, "targetAverageUtilization"), take(source, average), take(source, value));
    let kind = match (&utilization, &average, &value) {
        (Some(_), ..) => "Utilization",
        (None, Some(_), _) if field == "object" => "AverageValue",
        (None, _, Some(_)) => "Value",
        _ => "AverageValue",
    };
    // v1 cannot leave the value of an object's metric out and writes a zero beside an average.
    let value = value.filter(|value| !(field == "object" && average.is_some() && value == "0"));
    let mut target = json!({"type": kind});
    put(&mut target, "value", value);
    put(&mut target, "averageValue", average);
    put(&mut target, "averageUtilization", utilization);
    put(source, "target", Some(target));
    metric
}

fn newer_identifier(source: &mut Value, field: &str, selector: &str) {
    if matches!(field, "resource" | "containerResource") {
        return;
    }
    let mut identifier = json!({});
    put(&mut identifier, "name", take(source, "metricName"));
    put(&mut identifier, "selector", take(source, selector));
    put(source, "metric", Some(identifier));
}

fn older_status(mut metric: Value) -> Value {
    let Some((field, source)) = source_mut(&mut metric) else { return metric };
    let selector = older_names(field).2;
    if let Some(mut current) = take(source, "current") {
        put(source, "currentValue", take(&mut current, "value"));
        let average = if field == "object" { "averageValue" } else { "currentAverageValue" };
        put(source, average, take(&mut current, "averageValue"));
        put(source, "currentAverageUtilization", take(&mut current, "averageUtilization"));
    }
    rename(source, "describedObject", "target");
    older_identifier(source, selector);
    in_order(source, fields_of(field).1);
    metric
}

fn newer_status(mut metric: Value) -> Value {
    let Some((field, source)) = source_mut(&mut metric) else { return metric };
    let selector = older_names(field).2;
    newer_identifier(source, field, selector);
    rename(source, "target", "describedObject");
    let mut current = json!({});
    put(&mut current, "value", take(source, "currentValue"));
    let average = if field == "object" { "averageValue" } else { "currentAverageValue" };
    put(&mut current, "averageValue", take(source, average));
    put(&mut current, "averageUtilization", take(source, "currentAverageUtilization"));
    put(source, "current", Some(current));
    metric
}

/// The behaviour with its keys spelt as in JSON: upstream writes its internal type, whose names begin with a capital.
fn with_lower_keys(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let given = map.iter().filter(|(_, value)| !value.is_null());
            Value::Object(given.map(|(key, value)| (lower(key), with_lower_keys(value))).collect::<Map>())
        }
        Value::Array(items) => items.iter().map(with_lower_keys).collect(),
        other => other.clone(),
    }
}

fn lower(key: &str) -> String {
    key.split_at_checked(1).map_or_else(String::new, |(first, rest)| first.to_ascii_lowercase() + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_is_a_field_and_the_rest_an_annotation() {
        let stored = json!({"metadata": {"name": "a"}, "spec": {"maxReplicas": 3, "metrics": [
            {"type": "Pods", "pods": {"metric": {"name": "p"}, "target": {"type": "AverageValue", "averageValue": "5"}}},
            {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}],
            "behavior": {"scaleUp": {"selectPolicy": "Max"}}}, "status": {"currentReplicas": 1}});
        let mut object = stored.clone();
        from_storage(&mut object);
        assert_eq!(object["spec"][CPU_TARGET], 80);
        assert_eq!(
            meta::annotation(&object, METRICS),
            Some(r#"[{"type":"Pods","pods":{"metricName":"p","targetAverageValue":"5"}}]"#)
        );
        assert_eq!(
            meta::annotation(&object, BEHAVIOR),
            Some(
                r#"{"ScaleUp":{"StabilizationWindowSeconds":null,"SelectPolicy":"Max","Policies":null,"Tolerance":null},"ScaleDown":null}"#
            )
        );
        to_storage(&mut object);
        assert_eq!(object, stored);
    }

    #[test]
    fn what_was_seen_of_cpu_is_an_annotation_too() {
        let seen = json!([{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 30}}}]);
        let mut object = json!({"metadata": {"name": "a"}, "spec": {"maxReplicas": 3}, "status": {"currentMetrics": seen}});
        from_storage(&mut object);
        assert_eq!(object["status"], json!({CPU_CURRENT: 30}));
        assert_eq!(
            meta::annotation(&object, CURRENT_METRICS),
            Some(r#"[{"type":"Resource","resource":{"name":"cpu","currentAverageUtilization":30,"currentAverageValue":"0"}}]"#)
        );
    }

    #[test]
    fn a_plain_v1_object() {
        let mut object = json!({"metadata": {"name": "a"}, "spec": {"maxReplicas": 3, "targetCPUUtilizationPercentage": 50}});
        to_storage(&mut object);
        let metric =
            json!({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}});
        assert_eq!(object, json!({"metadata": {"name": "a"}, "spec": {"maxReplicas": 3, "metrics": [metric]}}));
    }
}
