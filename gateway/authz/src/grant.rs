//! Nobody grants more than they hold: what is written into a role or a binding is measured against the writer's own
//! rules. The second half of authorization, asked once the object of a write is known, after it was mutated and before
//! it is validated. Follows `pkg/registry/rbac/{escalation_check.go,*/policybased}`.

use std::sync::Arc;

use model::json::Map;
use model::name::path_parameter;
use model::user::MASTERS;
use model::{Attributes, GroupResource, Status, User, Value, meta};

use crate::chain::Chain;
use crate::index::{Kind, RoleRef};
use crate::rbac::{NO_NAMESPACE, Naming, aggregate, missing};
use crate::rule::{PolicyRule, covers, describe_missing, quoted};

const GROUP: &str = "rbac.authorization.k8s.io";

/// An object about to be written, and by whom.
pub struct Draft<'a> {
    /// The writer.
    pub user: &'a User,
    /// The resource written to.
    pub resource: &'a GroupResource,
    /// Namespace of the request, empty for a cluster-wide object.
    pub namespace: &'a str,
    /// Name in the request's path, empty on create.
    pub name: &'a str,
    /// The object as it would be.
    pub new: &'a Value,
    /// The object as it is; `None` on create.
    pub old: Option<&'a Value>,
}

impl Chain {
    /// Lets a write pass that grants nothing beyond what the writer holds or may pass on; any other resource passes.
    /// Fails with 403 in upstream's words, or 404 when a binding names a role that does not exist.
    pub fn permit(&self, draft: &Draft<'_>) -> Result<(), Status> {
        if &*draft.resource.group != GROUP || draft.user.in_group(MASTERS) {
            return Ok(());
        }
        let Some(kind) = Kind::ALL.into_iter().find(|k| k.resource() == &*draft.resource.resource) else { return Ok(()) };
        if draft.old.is_some_and(|old| only_collector_fields_differ(draft.new, old)) {
            return Ok(());
        }
        match kind {
            Kind::Role | Kind::ClusterRole => self.permit_role(draft),
            Kind::RoleBinding | Kind::ClusterRoleBinding => self.permit_binding(draft),
        }
    }

    fn permit_role(&self, draft: &Draft<'_>) -> Result<(), Status> {
        if self.may(draft, "escalate", &draft.resource.resource, draft.name) {
            return Ok(());
        }
        self.confirm(draft, &PolicyRule::of_role(draft.new))?;
        if (aggregates(draft.new) || draft.old.is_some_and(aggregates)) && self.confirm(draft, &full_authority()).is_err() {
            return Err(refuse(draft, "must have cluster-admin privileges to use the aggregationRule"));
        }
        Ok(())
    }

    fn permit_binding(&self, draft: &Draft<'_>) -> Result<(), Status> {
        let role = RoleRef::of(draft.new);
        let resource = match role.kind.as_str() {
            "ClusterRole" => Some("clusterroles"),
            "Role" => Some("roles"),
            _ => None,
        };
        if resource.is_some_and(|resource| &*role.group == GROUP && self.may(draft, "bind", resource, &role.name)) {
            return Ok(());
        }
        let rules = self.referred(draft, &role)?;
        self.confirm(draft, &rules)
    }

    /// The rules of the role that a binding names. The failures are those of upstream's storage, which calls whatever is not
    /// there after the resource of the request.
    fn referred(&self, draft: &Draft<'_>, role: &RoleRef) -> Result<Arc<[PolicyRule]>, Status> {
        if let Some(rules) = self.rbac().index().role(role, draft.namespace) {
            return Ok(rules.clone());
        }
        match role.kind.as_str() {
            "Role" if draft.namespace.is_empty() => return Err(Status::bad_request(NO_NAMESPACE)),
            "Role" | "ClusterRole" => {}
            _ => return Err(Status::new(500, "", missing(role, draft.namespace, Naming::Registry(&draft.resource.resource)))),
        }
        if role.name.is_empty() {
            return Err(Status::bad_request("Name parameter required."));
        }
        path_parameter("Name", &role.name)?;
        Err(Status::not_found(draft.resource, &role.name))
    }

    fn may(&self, draft: &Draft<'_>, verb: &str, resource: &str, name: &str) -> bool {
        let asked = Attributes {
            user: draft.user.clone(),
            verb: verb.to_owned(),
            group: GROUP.to_owned(),
            version: "*".to_owned(),
            resource: resource.to_owned(),
            namespace: draft.namespace.to_owned(),
            name: name.to_owned(),
            resource_request: true,
            ..Attributes::default()
        };
        self.decide(&asked).is_allowed()
    }

    fn confirm(&self, draft: &Draft<'_>, wanted: &[PolicyRule]) -> Result<(), Status> {
        let held = self.rbac().rules_named(draft.user, draft.namespace, Naming::Registry(&draft.resource.resource));
        let Err(lacking) = covers(&held.rules, wanted) else { return Ok(()) };
        let mut why = format!(
            "user {} (groups={}) is attempting to grant RBAC permissions not currently held:\n{}",
            model::field::quote(&draft.user.name),
            quoted(&draft.user.groups),
            describe_missing(&lacking)
        );
        if !held.errors.is_empty() {
            why = format!("{why}; resolution errors: [{}]", aggregate(held.errors));
        }
        Err(refuse(draft, &why))
    }
}

fn refuse(draft: &Draft<'_>, why: &str) -> Status {
    Status::forbidden(draft.resource, meta::name(draft.new), why)
}

/// Whether a cluster role gathers the rules of others. A rule that selects nothing gathers nothing, and is invalid.
fn aggregates(role: &Value) -> bool {
    let selectors = role.pointer("/aggregationRule/clusterRoleSelectors").and_then(Value::as_array);
    selectors.is_some_and(|selectors| !selectors.is_empty())
}

fn full_authority() -> [PolicyRule; 2] {
    crate::chain::everything()
}

/// Whether only what the garbage collector writes differs: it may let go of a role that its writer could not grant.
fn only_collector_fields_differ(new: &Value, old: &Value) -> bool {
    let without = |object: &Value| {
        let mut object = object.clone();
        for field in ["ownerReferences", "finalizers", "selfLink", "managedFields"] {
            meta::remove(&mut object, field);
        }
        object
    };
    alike(&without(new), &without(old))
}

/// Whether two objects mean the same: what is empty is as good as absent. RBAC objects hold nothing but texts.
fn alike(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            let covers = |a: &Map, b: &Map| a.iter().all(|(name, value)| alike(value, b.get(name).unwrap_or(&Value::Null)));
            covers(a, b) && covers(b, a)
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b)),
        _ => a == b || (is_empty(a) && is_empty(b)),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.values().all(is_empty),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}
