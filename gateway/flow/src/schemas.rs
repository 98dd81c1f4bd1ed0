//! Which flow schema and priority level a request falls under, as `X-Kubernetes-PF-*` headers tell every client. Reads the
//! objects straight from the store's cache, anew only when one of them changed.
//! Follows `k8s.io/apiserver/pkg/util/flowcontrol/rule.go`. Seats nobody: seats go by user (`lib.rs`), and here stands only who
//! needs none.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use model::{Attributes, Value, meta};
use store::{ResourceCache, Store};

use crate::Priority;

/// Where a request belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// The uid of the flow schema.
    pub schema_uid: Arc<str>,
    /// The uid of its priority level.
    pub level_uid: Arc<str>,
    /// Whether the level lets it wait.
    pub priority: Priority,
}

/// The flow schemas in a store.
pub struct Schemas {
    schemas: Arc<ResourceCache>,
    levels: Arc<ResourceCache>,
    table: ArcSwap<Table>,
}

/// The schemas at one moment, in the order in which they are asked.
#[derive(Default)]
struct Table {
    /// The sum of the revisions it was made from; each only rises.
    version: u64,
    rows: Vec<Row>,
}

struct Row {
    precedence: i64,
    name: String,
    rules: Value,
    flow: Flow,
}

impl Schemas {
    /// Follows the objects under `/registry/flowschemas/` and `/registry/prioritylevelconfigurations/`.
    pub fn new(store: &Store) -> Self {
        let resource = |name: &str| store.resource(&format!("/registry/{name}/"));
        let (schemas, levels) = (resource("flowschemas"), resource("prioritylevelconfigurations"));
        Self { schemas, levels, table: ArcSwap::default() }
    }

    /// Where a request belongs; nowhere while the default schemas have not been made.
    pub fn classify(&self, request: &Attributes) -> Option<Flow> {
        let table = self.current();
        let row = table.rows.iter().find(|row| list(&row.rules).iter().any(|rule| is_under(request, rule)))?;
        Some(row.flow.clone())
    }

    fn current(&self) -> Arc<Table> {
        let version = self.schemas.version() + self.levels.version();
        let known = self.table.load();
        if known.version == version && version > 0 {
            return known.clone();
        }
        let made = Arc::new(Table { version, rows: self.rows() });
        self.table.store(made.clone());
        made
    }

    /// A schema without its priority level takes no request.
    fn rows(&self) -> Vec<Row> {
        let uid = |object: &Value| Arc::<str>::from(meta::uid(object));
        let level = |level: Value| (meta::name(&level).to_owned(), (uid(&level), priority(&level)));
        let levels: HashMap<String, (Arc<str>, Priority)> = objects(&self.levels).map(level).collect();
        let row = |mut schema: Value| {
            let (name, schema_uid) = (meta::name(&schema).to_owned(), uid(&schema));
            let spec = schema.get_mut("spec")?;
            let level = text(spec.get("priorityLevelConfiguration")?, "name").to_owned();
            let precedence = spec.get("matchingPrecedence").and_then(Value::as_i64).unwrap_or(0);
            let rules = spec.get_mut("rules").map(Value::take).unwrap_or_default();
            let (level_uid, priority) = levels.get(&level)?.clone();
            Some(Row { precedence, name, rules, flow: Flow { schema_uid, level_uid, priority } })
        };
        let mut rows: Vec<Row> = objects(&self.schemas).filter_map(row).collect();
        rows.sort_by(|a, b| (a.precedence, &a.name).cmp(&(b.precedence, &b.name)));
        rows
    }
}

fn priority(level: &Value) -> Priority {
    match level.get("spec").map(|spec| text(spec, "type")) {
        Some("Exempt") => Priority::Exempt,
        _ => Priority::Limited,
    }
}

/// The objects of a resource; one that cannot be read is none.
fn objects(resource: &ResourceCache) -> impl Iterator<Item = Value> {
    let bodies: Vec<_> = resource.snapshot().iter().map(|entry| entry.body.clone()).collect();
    bodies.into_iter().filter_map(|body| serde_json::from_slice(&body).ok())
}

fn is_under(request: &Attributes, rule: &Value) -> bool {
    let of = |field: &str| list(rule.get(field).unwrap_or(&Value::Null));
    of("subjects").iter().any(|subject| is_subject(request, subject))
        && match request.resource_request {
            true => of("resourceRules").iter().any(|rule| is_resource(request, rule)),
            false => of("nonResourceRules").iter().any(|rule| is_path(request, rule)),
        }
}

fn is_subject(request: &Attributes, subject: &Value) -> bool {
    let user = &request.user;
    let named = |field: &str| subject.get(field).map(|named| text(named, "name"));
    match text(subject, "kind") {
        "User" => named("user").is_some_and(|name| name == "*" || name == user.name),
        "Group" => named("group").is_some_and(|name| name == "*" || user.in_group(name)),
        "ServiceAccount" => user.service_account().zip(named("serviceAccount")).is_some_and(|((namespace, own), name)| {
            namespace == text(&subject["serviceAccount"], "namespace") && (name == "*" || name == own)
        }),
        _ => false,
    }
}

fn is_resource(request: &Attributes, rule: &Value) -> bool {
    let resource = match request.subresource.as_str() {
        "" => request.resource.clone(),
        subresource => format!("{}/{subresource}", request.resource),
    };
    holds(rule, "verbs", &request.verb)
        && holds(rule, "resources", &resource)
        && holds(rule, "apiGroups", &request.group)
        && match request.namespace.as_str() {
            "" => rule.get("clusterScope").and_then(Value::as_bool).unwrap_or(false),
            namespace => holds(rule, "namespaces", namespace),
        }
}

fn is_path(request: &Attributes, rule: &Value) -> bool {
    let under = |url: &str| {
        let prefix = url.strip_suffix('*').unwrap_or(url);
        let rest = request.path.strip_prefix(prefix);
        url == "*" || url == request.path || rest.is_some_and(|rest| prefix.ends_with('/') || rest.starts_with('/'))
    };
    holds(rule, "verbs", &request.verb)
        && list(rule.get("nonResourceURLs").unwrap_or(&Value::Null)).iter().filter_map(Value::as_str).any(under)
}

/// Whether a list names a value; `*` alone names every value.
fn holds(rule: &Value, field: &str, value: &str) -> bool {
    let names = list(rule.get(field).unwrap_or(&Value::Null));
    matches!(names, [only] if only == "*") || names.iter().any(|name| name == value)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use model::User;
    use model::json::json;

    use super::*;

    fn request(user: &str, groups: &[&str], namespace: &str) -> Attributes {
        Attributes {
            user: User::new(user, groups),
            verb: "get".to_owned(),
            resource: "pods".to_owned(),
            namespace: namespace.to_owned(),
            resource_request: true,
            ..Attributes::default()
        }
    }

    #[test]
    fn rules_match_by_subject_and_resource() {
        let rule = json!({
            "subjects": [{"kind": "Group", "group": {"name": "testers"}},
                {"kind": "ServiceAccount", "serviceAccount": {"namespace": "a", "name": "*"}}],
            "resourceRules": [{"verbs": ["*"], "apiGroups": [""], "resources": ["pods", "pods/status"], "namespaces": ["a"]}],
        });
        assert!(is_under(&request("u", &["testers"], "a"), &rule));
        assert!(is_under(&request("system:serviceaccount:a:b", &[], "a"), &rule));
        assert!(!is_under(&request("system:serviceaccount:ab:b", &[], "a"), &rule));
        assert!(!is_under(&request("u", &["others"], "a"), &rule));
        assert!(!is_under(&request("u", &["testers"], "b"), &rule));
        assert!(!is_under(&request("u", &["testers"], ""), &rule), "the cluster's own need clusterScope");
        let status = Attributes { subresource: "log".to_owned(), ..request("u", &["testers"], "a") };
        assert!(!is_under(&status, &rule));
    }

    #[test]
    fn levels_say_who_is_exempt() {
        assert_eq!(priority(&json!({"spec": {"type": "Exempt", "exempt": {}}})), Priority::Exempt);
        assert_eq!(priority(&json!({"spec": {"type": "Limited"}})), Priority::Limited);
        assert_eq!(priority(&json!({})), Priority::Limited);
    }

    #[test]
    fn paths_match_whole_segments() {
        let rule = |url: &str| json!({"verbs": ["get"], "nonResourceURLs": [url]});
        let path = |path: &str| Attributes { path: path.to_owned(), verb: "get".to_owned(), ..Attributes::default() };
        assert!(is_path(&path("/healthz"), &rule("/healthz")));
        assert!(is_path(&path("/healthz/etcd"), &rule("/healthz/*")));
        assert!(is_path(&path("/anything"), &rule("*")));
        assert!(!is_path(&path("/healthzz"), &rule("/healthz")));
    }
}
