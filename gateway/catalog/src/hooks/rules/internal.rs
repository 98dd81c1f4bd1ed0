//! Structs as the messages of errors show them: upstream prints the JSON of its internal types, which has Go's field names
//! and every zero value. Reads `data/internal.txt`, which `cargo x import` derives; a line of it is one of
//! ```text
//! type <internal type>
//! <tab><name that is written> <field of the API's JSON, dotted> <shape> [omit]
//! ```
//! where a shape is a scalar's word, `null` for what is written as it is, or a type, behind `*` for a pointer, `[]` for a list
//! and `{}` for a map. A type of apimachinery has its JSON names here too, with `omit` where an empty value is left out.

use std::collections::HashMap;
use std::sync::LazyLock;

use model::json::json;
use model::{Map, Value};

use super::get;

/// The name of an internal type.
pub(crate) type Type = &'static str;

pub(crate) const DEPLOYMENT_STRATEGY: Type = "apps.DeploymentStrategy";
pub(crate) const ROLLING_PARTITION: Type = "apps.RollingUpdateStatefulSetStrategy";
pub(crate) const STATEFUL_SET_STRATEGY: Type = "apps.StatefulSetUpdateStrategy";
pub(crate) const AUTOSCALER_BEHAVIOR: Type = "autoscaling.HorizontalPodAutoscalerBehavior";
pub(crate) const POD_FAILURE_POLICY: Type = "batch.PodFailurePolicy";
pub(crate) const SUCCESS_POLICY: Type = "batch.SuccessPolicy";
pub(crate) const UNCOUNTED: Type = "batch.UncountedTerminatedPods";
pub(crate) const CERTIFICATE_CONDITION: Type = "certificates.CertificateSigningRequestCondition";
pub(crate) const POD_CERTIFICATE_REQUEST_SPEC: Type = "certificates.PodCertificateRequestSpec";
pub(crate) const TRUST_BUNDLE: Type = "core.ClusterTrustBundleProjection";
pub(crate) const EPHEMERAL_CONTAINER: Type = "core.EphemeralContainer";
pub(crate) const EVENT_SOURCE: Type = "core.EventSource";
pub(crate) const NODE_ADDRESS: Type = "core.NodeAddress";
pub(crate) const NODE_SELECTOR_TERM: Type = "core.NodeSelectorTerm";
pub(crate) const OBJECT_REFERENCE: Type = "core.ObjectReference";
pub(crate) const CLAIM: Type = "core.PersistentVolumeClaim";
pub(crate) const CLAIM_SPEC: Type = "core.PersistentVolumeClaimSpec";
pub(crate) const VOLUME_SOURCE: Type = "core.PersistentVolumeSource";
pub(crate) const POD_IP: Type = "core.PodIP";
pub(crate) const POD_RESOURCE_CLAIM: Type = "core.PodResourceClaim";
pub(crate) const POD_SPEC: Type = "core.PodSpec";
pub(crate) const POD_TEMPLATE: Type = "core.PodTemplateSpec";
/// `core.AppArmorProfile` has the same fields.
pub(crate) const PROFILE: Type = "core.SeccompProfile";
pub(crate) const SCOPE_SELECTOR: Type = "core.ScopeSelector";
pub(crate) const SECURITY_CONTEXT: Type = "core.SecurityContext";
pub(crate) const SERVICE_PORT: Type = "core.ServicePort";
pub(crate) const TAINT: Type = "core.Taint";
pub(crate) const TOLERATION: Type = "core.Toleration";
pub(crate) const VOLUME_NODE_AFFINITY: Type = "core.VolumeNodeAffinity";
pub(crate) const DISTINGUISHER: Type = "flowcontrol.FlowDistinguisherMethod";
pub(crate) const FLOW_SCHEMA: Type = "flowcontrol.FlowSchemaSpec";
pub(crate) const PRIORITY_LEVEL: Type = "flowcontrol.PriorityLevelConfigurationSpec";
pub(crate) const PARENT_REFERENCE: Type = "networking.ParentReference";
pub(crate) const ROLE_REF: Type = "rbac.RoleRef";
pub(crate) const CLAIM_TEMPLATE: Type = "resource.ResourceClaimTemplateSpec";
pub(crate) const CSI_NODE_DRIVER: Type = "storage.CSINodeDriver";
pub(crate) const MIGRATION: Type = "storagemigration.StorageVersionMigrationSpec";
pub(crate) const LABEL_SELECTOR: Type = "v1.LabelSelector";

/// What a field holds, and so what is shown of one that is absent.
#[derive(Debug, PartialEq)]
enum Shape {
    /// Written as it is, `null` when absent.
    Null,
    Text,
    Number,
    Bool,
    Quantity,
    Duration,
    Struct(Type),
    Pointer(Box<Shape>),
    List(Box<Shape>),
    Map(Box<Shape>),
}

struct Member {
    name: &'static str,
    path: &'static str,
    shape: Shape,
    omit: bool,
}

static TYPES: LazyLock<HashMap<Type, Vec<Member>>> = LazyLock::new(|| read(include_str!("../../../data/internal.txt")));

fn read(table: &'static str) -> HashMap<Type, Vec<Member>> {
    let mut types: HashMap<Type, Vec<Member>> = HashMap::new();
    let mut of = "";
    for line in table.lines() {
        let mut words = line.split_ascii_whitespace();
        match (line.strip_prefix("type "), words.next(), words.next(), words.next()) {
            (Some(name), ..) => {
                of = name;
                types.insert(of, Vec::new());
            }
            (None, Some(name), Some(path), Some(shape)) if line.starts_with('\t') => {
                let member = Member { name, path, shape: shape_of(shape), omit: words.next() == Some("omit") };
                types.entry(of).or_default().push(member);
            }
            _ => {}
        }
    }
    types
}

fn shape_of(word: &'static str) -> Shape {
    for (prefix, around) in [("*", Shape::Pointer as fn(Box<Shape>) -> Shape), ("[]", Shape::List), ("{}", Shape::Map)] {
        if let Some(inner) = word.strip_prefix(prefix) {
            return around(Box::new(shape_of(inner)));
        }
    }
    match word {
        "null" => Shape::Null,
        "string" => Shape::Text,
        "number" | "intorstring" => Shape::Number,
        "bool" => Shape::Bool,
        "quantity" => Shape::Quantity,
        "duration" => Shape::Duration,
        name => Shape::Struct(name),
    }
}

/// The struct as an error shows it.
pub(crate) fn show(value: &Value, of: Type) -> Value {
    let mut shown = Map::new();
    for member in TYPES.get(of).into_iter().flatten() {
        let given = get::at(value, member.path);
        if !(member.omit && is_empty(&member.shape, given)) {
            shown.insert(member.name.to_owned(), show_as(&member.shape, given));
        }
    }
    Value::Object(shown)
}

fn is_empty(shape: &Shape, value: &Value) -> bool {
    match (shape, value) {
        (Shape::List(_), Value::Array(items)) => items.is_empty(),
        (Shape::Map(_), Value::Object(map)) => map.is_empty(),
        (_, value) => value.is_null(),
    }
}

fn show_as(shape: &Shape, given: &Value) -> Value {
    match (shape, given) {
        (Shape::Struct(of), given) => show(given, of),
        (Shape::Text, Value::Null) => json!(""),
        (Shape::Number, Value::Null) => json!(0),
        (Shape::Bool, Value::Null) => json!(false),
        (Shape::Quantity, Value::Null) => json!("0"),
        (Shape::Duration, Value::Null) => json!("0s"),
        (_, Value::Null) => Value::Null,
        (Shape::Pointer(inner), given) => show_as(inner, given),
        (Shape::List(inner), Value::Array(items)) => items.iter().map(|item| show_as(inner, item)).collect(),
        (Shape::Map(inner), Value::Object(map)) => {
            let mut shown: Map = map.iter().map(|(key, value)| (key.clone(), show_as(inner, value))).collect();
            shown.sort_keys();
            Value::Object(shown)
        }
        (_, given) => given.clone(),
    }
}

/// A slice of structs as an error shows it.
pub(crate) fn show_each(list: &Value, of: Type) -> Value {
    match list.as_array() {
        Some(items) => items.iter().map(|item| show(item, of)).collect(),
        None => Value::Null,
    }
}

/// A map as Go prints it: by key, `null` when absent.
pub(crate) fn sorted(map: &Value) -> Value {
    let Some(entries) = map.as_object() else { return Value::Null };
    let mut entries: Vec<_> = entries.iter().collect();
    entries.sort_by_key(|(key, _)| key.as_str());
    Value::Object(entries.into_iter().map(|(key, value)| (key.clone(), value.clone())).collect())
}

/// A label selector, which is held by pointer.
pub(crate) fn label_selector(selector: &Value) -> Value {
    if selector.is_object() { show(selector, LABEL_SELECTOR) } else { Value::Null }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_prints_every_field() {
        assert_eq!(
            show(&json!({"name": "a", "resourceClaimName": "b"}), POD_RESOURCE_CLAIM).to_string(),
            r#"{"Name":"a","ResourceClaimName":"b","ResourceClaimTemplateName":null}"#
        );
        assert_eq!(
            show(&json!({"matchFields": [{"key": "k", "operator": "In", "values": ["v"]}]}), NODE_SELECTOR_TERM).to_string(),
            r#"{"MatchExpressions":null,"MatchFields":[{"Key":"k","Operator":"In","Values":["v"]}]}"#
        );
    }

    #[test]
    fn the_table_is_whole() {
        let known = |shape: &Shape| {
            let mut shape = shape;
            while let Shape::Pointer(inner) | Shape::List(inner) | Shape::Map(inner) = shape {
                shape = inner;
            }
            !matches!(shape, Shape::Struct(of) if !TYPES.contains_key(of))
        };
        for (name, members) in TYPES.iter() {
            assert!(!members.is_empty() && members.iter().all(|member| known(&member.shape)), "{name}");
        }
        for named in include_str!("internal.rs").lines().filter_map(|line| line.split_once(": Type = \"")) {
            let name = named.1.trim_end_matches("\";");
            assert!(TYPES.contains_key(name), "{name}");
        }
    }

    #[test]
    fn metadata_has_its_json_names() {
        let template = json!({"metadata": {"labels": {"b": "1", "a": "2"}}, "spec": {"containers": [{"name": "c"}]}});
        let shown = show(&template, POD_TEMPLATE).to_string();
        assert!(shown.starts_with(r#"{"labels":{"a":"2","b":"1"},"Spec":{"Volumes":null,"InitContainers":null,"#), "{shown}");
        assert!(shown.contains(r#""Containers":[{"Name":"c","Image":"","Command":null,"#), "{shown}");
        let selector = json!({"matchExpressions": [{"values": ["x"], "key": "k", "operator": "In"}]});
        let expected = r#"{"matchExpressions":[{"key":"k","operator":"In","values":["x"]}]}"#;
        assert_eq!(label_selector(&selector).to_string(), expected);
        let empty = json!({"matchLabels": {}, "matchExpressions": []});
        assert_eq!(label_selector(&empty).to_string(), "{}");
    }
}
