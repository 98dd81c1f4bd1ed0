//! Which writes a policy, a binding or a webhook is about: rules over resources, and selectors over labels.
//! Follows `k8s.io/apiserver/pkg/admission/plugin/policy/matching` and `plugin/webhook/predicates`. Does not evaluate
//! `matchConditions` (`cel`).

use model::selector::label::Selector;
use model::{GroupVersionKind, GroupVersionResource, Status, Value};

use crate::cluster::{Cluster, equivalents, kind_of};
use crate::{Operation, Review};

/// `MatchResources`, or what a webhook spells beside its rules.
#[derive(Clone, Debug)]
pub struct Constraints {
    rules: Vec<Rule>,
    excluded: Vec<Rule>,
    namespaces: Selector,
    objects: Selector,
    policy: MatchPolicy,
    /// No rules at all match everything; a webhook without rules matches nothing.
    unruled: bool,
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

/// Whether a request matches rules about another version of its resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchPolicy {
    /// Only as it was made.
    Exact,
    /// Also where another version of the same objects matches; they are judged in that version.
    Equivalent,
}

/// As what a request matched: itself, or another version of its resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matched {
    /// The resource that the rule names.
    pub resource: GroupVersionResource,
    /// The kind in which objects are to be judged.
    pub kind: GroupVersionKind,
}

impl Matched {
    fn itself(review: &Review<'_>) -> Self {
        Self { resource: review.resource.clone(), kind: review.kind.clone() }
    }
}

impl Constraints {
    /// From `MatchResources` (`spec.matchConstraints`, `spec.matchResources`). Fails with a selector's fault; everything else
    /// was checked when it was written. Nothing given matches everything, exactly.
    pub fn from_object(constraints: &Value) -> Result<Self, String> {
        let own = Self::with_rules(constraints, "resourceRules")?;
        Ok(Self { unruled: own.rules.is_empty(), ..own })
    }

    /// From one webhook of a configuration, which calls its rules `rules`.
    pub fn from_webhook(webhook: &Value) -> Result<Self, String> {
        Self::with_rules(webhook, "rules")
    }

    fn with_rules(constraints: &Value, rules: &str) -> Result<Self, String> {
        let list =
            |field: &str| constraints.get(field).and_then(Value::as_array).into_iter().flatten().map(Rule::from_object).collect();
        let selector = |field: &str| match constraints.get(field) {
            None | Some(Value::Null) => Ok(Selector::default()),
            Some(selector) => {
                Selector::from_object(selector).map(Option::unwrap_or_default).map_err(|why| format!("{field}: {why}"))
            }
        };
        let equivalent = constraints.get("matchPolicy").and_then(Value::as_str) == Some("Equivalent");
        Ok(Self {
            rules: list(rules),
            excluded: list("excludeResourceRules"),
            namespaces: selector("namespaceSelector")?,
            objects: selector("objectSelector")?,
            policy: if equivalent { MatchPolicy::Equivalent } else { MatchPolicy::Exact },
            unruled: false,
        })
    }

    /// As what a request matches, if it does: selectors first, as upstream; no rules at all match every request.
    ///
    /// # Errors
    /// The namespace cannot be read, and everything else matches.
    pub async fn matches(
        &self,
        review: &Review<'_>,
        object: Option<&Value>,
        cluster: &Cluster,
    ) -> Result<Option<Matched>, Status> {
        if !self.matches_objects(review, object) {
            return Ok(None);
        }
        // Upstream asks for the namespace first and forgets its error when a rule does not match; reading it last is the same.
        let Some(matched) = self.matches_rules(review, cluster)? else { return Ok(None) };
        Ok(self.matches_namespaces(review, object, cluster).await?.then_some(matched))
    }

    /// As what a request matches the rules, if it does.
    fn matches_rules(&self, review: &Review<'_>, cluster: &Cluster) -> Result<Option<Matched>, Status> {
        if self.find(&self.excluded, review, cluster)?.is_some() {
            return Ok(None);
        }
        if self.unruled {
            return Ok(Some(Matched::itself(review)));
        }
        self.find(&self.rules, review, cluster)
    }

    /// The request itself where a rule names its resource, else the first other version of it that one names.
    fn find(&self, rules: &[Rule], review: &Review<'_>, cluster: &Cluster) -> Result<Option<Matched>, Status> {
        if rules.iter().any(|rule| rule.matches(review, review.resource)) {
            return Ok(Some(Matched::itself(review)));
        }
        if self.policy == MatchPolicy::Exact || rules.is_empty() {
            return Ok(None);
        }
        let catalog = cluster.kinds.catalog()?;
        let others: Vec<_> = equivalents(&catalog, review.resource, review.subresource).collect();
        let found = rules.iter().find_map(|rule| others.iter().find(|other| rule.matches(review, &other.gvr)));
        Ok(found.and_then(|other| Some(Matched { resource: other.gvr.clone(), kind: kind_of(other, review.subresource)? })))
    }

    /// Whether the labels of the new or of the old object match.
    pub fn matches_objects(&self, review: &Review<'_>, object: Option<&Value>) -> bool {
        self.objects.is_empty() || [object, review.old].into_iter().flatten().any(|object| self.objects.matches_object(object))
    }

    /// Whether the labels of the request's namespace match. What is in no namespace always does, but for Namespaces.
    ///
    /// # Errors
    /// The namespace is not there, or cannot be read.
    pub async fn matches_namespaces(
        &self,
        review: &Review<'_>,
        object: Option<&Value>,
        cluster: &Cluster,
    ) -> Result<bool, Status> {
        if self.namespaces.is_empty() || review.namespace.is_empty() && &*review.resource.resource != "namespaces" {
            return Ok(true);
        }
        if let Some(itself) = namespace_itself(review, object) {
            return Ok(self.namespaces.matches_object(itself));
        }
        let namespace = cluster.namespace(review.namespace).await?;
        Ok(self.namespaces.matches_object(&namespace))
    }

    /// Whether rules and the object's labels match a request as it was made. The namespace is asked about only then
    /// ([`Self::needs_namespace`]).
    pub fn matches_exactly(&self, review: &Review<'_>, object: Option<&Value>) -> bool {
        self.unmatched(review, object).is_none()
    }

    /// The first of the fields that leaves such a request out, for people.
    pub fn unmatched(&self, review: &Review<'_>, object: Option<&Value>) -> Option<&'static str> {
        let any = |rules: &[Rule]| rules.iter().any(|rule| rule.matches(review, review.resource));
        match () {
            () if !self.unruled && !any(&self.rules) => Some("matchConstraints.resourceRules"),
            () if any(&self.excluded) => Some("matchConstraints.excludeResourceRules"),
            () if !self.matches_objects(review, object) => Some("matchConstraints.objectSelector"),
            () => None,
        }
    }

    /// Whether some write of an operation on a resource itself can match: what is worth looking at for a scan.
    pub fn may_match(&self, resource: &GroupVersionResource, operation: Operation) -> bool {
        self.rules.iter().any(|rule| rule.may_match(resource, operation))
    }

    /// Whether some rule calls a resource by its plural, and not by `*`.
    pub fn names(&self, plural: &str) -> bool {
        self.rules.iter().any(|rule| rule.resources.iter().any(|named| named == plural))
    }

    /// Whether the labels of namespaces decide at all.
    pub fn selects_namespaces(&self) -> bool {
        !self.namespaces.is_empty()
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

    /// Whether the request matches, were it made for `resource`.
    fn matches(&self, review: &Review<'_>, resource: &GroupVersionResource) -> bool {
        let one_of = |list: &[String], value: &str| list.iter().any(|item| item == "*" || item == value);
        one_of(&self.groups, &resource.group)
            && one_of(&self.versions, &resource.version)
            && one_of(&self.operations, review.operation.as_str())
            && self.resources.iter().any(|rule| matches_resource(rule, resource, review.subresource))
            && (self.names.is_empty() || self.names.iter().any(|name| name == review.name))
            && self.matches_scope(review)
    }

    fn may_match(&self, resource: &GroupVersionResource, operation: Operation) -> bool {
        let one_of = |list: &[String], value: &str| list.iter().any(|item| item == "*" || item == value);
        one_of(&self.groups, &resource.group)
            && one_of(&self.versions, &resource.version)
            && one_of(&self.operations, operation.as_str())
            && self.resources.iter().any(|rule| matches_resource(rule, resource, ""))
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

fn matches_resource(rule: &str, resource: &GroupVersionResource, subresource: &str) -> bool {
    let (named, part) = rule.split_once('/').unwrap_or((rule, ""));
    (named == "*" || named == &*resource.resource) && (part == "*" || part == subresource)
}

/// The object whose labels stand for the namespace of a request about a Namespace. One that goes stays as it is stored.
pub fn namespace_itself<'a>(review: &Review<'a>, object: Option<&'a Value>) -> Option<&'a Value> {
    let written = matches!(review.operation, Operation::Create | Operation::Update) && review.subresource.is_empty();
    let itself = if written { object } else { object.or(review.old) };
    itself.filter(|_| is_namespace(review))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Operation;
    use model::json::json;
    use model::{GroupVersionKind, GroupVersionResource, RequestInfo, User};

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
            deadline: None,
        };
        Constraints::from_object(constraints).unwrap().matches_exactly(&review, Some(object))
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

    /// As what a request for a resource (`group/version/plural`) matches constraints on an empty world but for a namespace.
    async fn matched(constraints: &Value, resource: &str, object: &Value) -> Result<Option<String>, u16> {
        let parts: Vec<&str> = resource.split('/').collect();
        let (resource, subresource) = (GroupVersionResource::new(parts[0], parts[1], parts[2]), parts.get(3).unwrap_or(&""));
        let world = std::sync::Arc::new(crate::builtin::world::Fake::new(&[]));
        world.seed("v1/namespaces", json!({"metadata": {"name": "shop", "labels": {"guarded": "yes"}}}));
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
        let review = Review {
            request: &RequestInfo::default(),
            user: &User::default(),
            operation: Operation::Create,
            resource: &resource,
            kind: &GroupVersionKind::new(parts[0], parts[1], "Any"),
            subresource,
            namespace,
            name: "web",
            old: None,
            options: &Value::Null,
            dry_run: false,
            uid: "",
            now: jiff::Timestamp::UNIX_EPOCH,
            deadline: None,
        };
        let constraints = Constraints::from_object(constraints).unwrap();
        let cluster = crate::cluster::testing::cluster(world, &[]);
        let found = constraints.matches(&review, Some(object), &cluster).await.map_err(|status| status.code)?;
        Ok(found.map(|found| format!("{}/{} {}", found.resource.group, found.resource.version, found.kind.kind)))
    }

    #[tokio::test]
    async fn another_version_of_the_same_objects_matches_where_that_is_wanted() {
        let rule = |group: &str, version: &str, resource: &str| json!([{"apiGroups": [group], "apiVersions": [version], "operations": ["*"], "resources": [resource]}]);
        let object = json!({"metadata": {"name": "web"}});
        let ask = |policy: &str, rules: Value, excluded: Value, resource: &'static str| {
            let constraints = json!({"matchPolicy": policy, "resourceRules": rules, "excludeResourceRules": excluded});
            let object = object.clone();
            async move { matched(&constraints, resource, &object).await.unwrap() }
        };
        let scalers = "horizontalpodautoscalers";
        let request = "autoscaling/v2/horizontalpodautoscalers";
        assert_eq!(ask("Exact", rule("autoscaling", "v1", scalers), json!([]), request).await, None);
        let found = ask("Equivalent", rule("autoscaling", "v1", scalers), json!([]), request).await;
        assert_eq!(found.as_deref(), Some("autoscaling/v1 HorizontalPodAutoscaler"));
        let found = ask("Equivalent", rule("autoscaling", "*", scalers), json!([]), request).await;
        assert_eq!(found.as_deref(), Some("autoscaling/v2 Any"), "the request's own version comes first");
        let found = ask("Equivalent", rule("", "v1", "events"), json!([]), "events.k8s.io/v1/events").await;
        assert_eq!(found.as_deref(), Some("/v1 Event"));
        let excluded = rule("autoscaling", "v1", scalers);
        assert_eq!(ask("Equivalent", rule("*", "*", "*"), excluded.clone(), request).await, None);
        assert_eq!(ask("Exact", rule("*", "*", "*"), excluded, request).await.as_deref(), Some("autoscaling/v2 Any"));
        assert_eq!(ask("Equivalent", json!([]), json!([]), request).await.as_deref(), Some("autoscaling/v2 Any"));
    }

    #[tokio::test]
    async fn the_namespace_is_asked_for_its_labels() {
        let constraints = json!({
            "namespaceSelector": {"matchLabels": {"guarded": "yes"}},
            "resourceRules": [{"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["pods", "nodes", "namespaces"]}],
        });
        let ask = |resource: &'static str, metadata: Value| {
            let constraints = constraints.clone();
            async move { matched(&constraints, resource, &json!({"metadata": metadata})).await.map(|found| found.is_some()) }
        };
        assert_eq!(ask("/v1/pods", json!({"namespace": "shop"})).await, Ok(true));
        assert_eq!(ask("/v1/nodes", json!({})).await, Ok(true), "what is in no namespace always matches");
        assert_eq!(ask("/v1/pods", json!({"namespace": "gone"})).await, Err(404));
        assert_eq!(ask("/v1/services", json!({"namespace": "gone"})).await, Ok(false), "no rule matches, so nobody asks");
        assert_eq!(ask("/v1/namespaces", json!({"labels": {"guarded": "yes"}})).await, Ok(true));
        assert_eq!(ask("/v1/namespaces", json!({"labels": {}})).await, Ok(false));
    }

    #[test]
    fn a_webhook_without_rules_matches_nothing() {
        assert!(!Constraints::from_webhook(&json!({})).unwrap().unruled);
        assert!(Constraints::from_object(&json!({})).unwrap().unruled);
    }
}
