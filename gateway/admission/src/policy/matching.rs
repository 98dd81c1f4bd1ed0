//! Which writes a binding is about, spelled as in ValidatingAdmissionPolicy's `matchConstraints`.
//! Follows `k8s.io/apiserver/pkg/admission/plugin/policy/matching` and `webhook/predicates/rules`.
//! `matchPolicy` is always `Exact`: a request is matched as it was made.

use model::Value;
use model::selector::label::Selector;

use crate::Review;

/// A binding's constraints.
#[derive(Clone, Debug)]
pub struct Constraints {
    rules: Vec<Rule>,
    excluded: Vec<Rule>,
    namespaces: Selector,
    objects: Selector,
}

/// Operations on resources.
#[derive(Clone, Debug)]
struct Rule {
    operations: Vec<String>,
    groups: Vec<String>,
    versions: Vec<String>,
    resources: Vec<String>,
    names: Vec<String>,
    scope: Scope,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Any,
    Cluster,
    Namespaced,
}

impl Constraints {
    /// From `spec.matchConstraints`. Fails with a selector's fault; everything else was checked when it was written.
    pub fn from_object(constraints: &Value) -> Result<Self, String> {
        let rules =
            |field: &str| constraints.get(field).and_then(Value::as_array).into_iter().flatten().map(Rule::from_object).collect();
        let selector = |field: &str| match constraints.get(field) {
            None | Some(Value::Null) => Ok(Selector::default()),
            Some(selector) => Selector::from_object(selector)
                .map(Option::unwrap_or_default)
                .map_err(|why| format!("spec.matchConstraints.{field}: {why}")),
        };
        Ok(Self {
            rules: rules("resourceRules"),
            excluded: rules("excludeResourceRules"),
            namespaces: selector("namespaceSelector")?,
            objects: selector("objectSelector")?,
        })
    }

    /// Whether the rules and the object's labels match. The namespace is asked about only then ([`Self::needs_namespace`]).
    pub fn matches(&self, review: &Review<'_>, object: Option<&Value>) -> bool {
        if !self.rules.iter().any(|rule| rule.matches(review)) || self.excluded.iter().any(|rule| rule.matches(review)) {
            return false;
        }
        self.objects.is_empty() || [object, review.old].into_iter().flatten().any(|object| self.objects.matches_object(object))
    }

    /// Whether the labels of the request's namespace decide.
    pub fn needs_namespace(&self, review: &Review<'_>) -> bool {
        !self.namespaces.is_empty() && !review.namespace.is_empty()
    }

    /// Whether a Namespace object matches.
    pub fn matches_namespace(&self, namespace: &Value) -> bool {
        self.namespaces.matches_object(namespace)
    }
}

impl Rule {
    fn from_object(rule: &Value) -> Self {
        let texts = |field: &str| {
            let items = rule.get(field).and_then(Value::as_array).into_iter().flatten();
            items.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let scope = match rule.get("scope").and_then(Value::as_str) {
            Some("Cluster") => Scope::Cluster,
            Some("Namespaced") => Scope::Namespaced,
            _ => Scope::Any,
        };
        Self {
            operations: texts("operations"),
            groups: texts("apiGroups"),
            versions: texts("apiVersions"),
            resources: texts("resources"),
            names: texts("resourceNames"),
            scope,
        }
    }

    fn matches(&self, review: &Review<'_>) -> bool {
        let one_of = |list: &[String], value: &str| list.iter().any(|item| item == "*" || item == value);
        one_of(&self.groups, &review.resource.group)
            && one_of(&self.versions, &review.resource.version)
            && one_of(&self.operations, review.operation.as_str())
            && self.resources.iter().any(|resource| matches_resource(resource, review))
            && (self.names.is_empty() || self.names.iter().any(|name| name == review.name))
            && self.matches_scope(review)
    }

    /// A Namespace is cluster-scoped although its requests carry a namespace.
    fn matches_scope(&self, review: &Review<'_>) -> bool {
        let namespaced = !review.namespace.is_empty() && !is_namespace(review);
        match self.scope {
            Scope::Any => true,
            Scope::Cluster => !namespaced,
            Scope::Namespaced => namespaced,
        }
    }
}

/// Whether the request is about a Namespace itself.
pub fn is_namespace(review: &Review<'_>) -> bool {
    review.resource.group.is_empty() && &*review.resource.resource == "namespaces"
}

fn matches_resource(rule: &str, review: &Review<'_>) -> bool {
    let (resource, subresource) = rule.split_once('/').unwrap_or((rule, ""));
    (resource == "*" || resource == &*review.resource.resource) && (subresource == "*" || subresource == review.subresource)
}

/// The object whose labels stand for the namespace of a request about a Namespace: the new one, or the one that goes.
pub fn namespace_itself<'a>(review: &Review<'a>, object: Option<&'a Value>) -> Option<&'a Value> {
    object.or(review.old).filter(|_| is_namespace(review))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Operation;
    use model::{GroupVersionKind, GroupVersionResource, RequestInfo, User};
    use serde_json::json;

    fn matches(constraints: &Value, operation: Operation, resource: &str, subresource: &str, object: &Value) -> bool {
        let (group, rest) = resource.rsplit_once('/').unwrap_or(("", resource));
        let resource = GroupVersionResource::new(group, "v1", rest);
        let namespace = if rest == "nodes" { "" } else { "default" };
        let review = Review {
            request: &RequestInfo::default(),
            user: &User::default(),
            operation,
            resource: &resource,
            kind: &GroupVersionKind::new(group, "v1", "Any"),
            subresource,
            namespace,
            name: "web",
            old: None,
            options: &Value::Null,
            dry_run: false,
            uid: "",
            now: jiff::Timestamp::UNIX_EPOCH,
        };
        Constraints::from_object(constraints).unwrap().matches(&review, Some(object))
    }

    fn rules(resources: &[&str]) -> Value {
        json!({"resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": resources}]})
    }

    #[test]
    fn resources_match_as_upstream_spells_them() {
        let none = Value::Null;
        for (resources, resource, subresource, expected) in [
            ("pods", "pods", "", true),
            ("pods", "pods", "exec", false),
            ("pods/exec", "pods", "exec", true),
            ("pods/*", "pods", "exec", true),
            ("pods/*", "pods", "", true),
            ("*", "services", "", true),
            ("*", "pods", "status", false),
            ("*/status", "pods", "status", true),
            ("*/*", "pods", "status", true),
            ("pods", "apps/pods", "", false),
        ] {
            let got = matches(&rules(&[resources]), Operation::Create, resource, subresource, &none);
            assert_eq!(got, expected, "{resources} on {resource}/{subresource}");
        }
        assert!(!matches(&rules(&["pods"]), Operation::Update, "pods", "", &none));
    }

    #[test]
    fn exclusions_scopes_names_and_labels_narrow() {
        let pod = json!({"metadata": {"labels": {"app": "web"}}});
        let with = |field: &str, value: Value| {
            let mut constraints = rules(&["*"]);
            if field == "scope" || field == "resourceNames" {
                constraints["resourceRules"][0][field] = value;
            } else {
                constraints[field] = value;
            }
            constraints
        };
        let create = |constraints: &Value, resource: &str| matches(constraints, Operation::Create, resource, "", &pod);
        let excluded = rules(&["pods"])["resourceRules"].clone();
        assert!(!create(&with("excludeResourceRules", excluded.clone()), "pods"));
        assert!(create(&with("excludeResourceRules", excluded), "services"));
        assert!(!create(&with("scope", "Cluster".into()), "pods") && create(&with("scope", "Cluster".into()), "nodes"));
        assert!(create(&with("scope", "Namespaced".into()), "pods") && !create(&with("scope", "Namespaced".into()), "nodes"));
        assert!(create(&with("resourceNames", json!(["web"])), "pods") && !create(&with("resourceNames", json!(["db"])), "pods"));
        assert!(create(&with("objectSelector", json!({"matchLabels": {"app": "web"}})), "pods"));
        assert!(!create(&with("objectSelector", json!({"matchLabels": {"app": "db"}})), "pods"));
    }
}
