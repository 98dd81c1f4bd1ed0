//! Nobody grants more than they hold: what is written into a role or a binding is measured against the writer's own
//! rules. The second half of authorization, asked once the object of a write is known, after it was mutated and before
//! it is validated. Follows `pkg/registry/rbac/{escalation_check.go,*/policybased}`.

use model::user::MASTERS;
use model::{Attributes, GroupResource, Status, User, Value, meta};

use crate::chain::Chain;
use crate::index::{Kind, RoleRef};
use crate::rbac::{Naming, aggregate, missing};
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
        let aggregates = |role: &Value| role.get("aggregationRule").is_some_and(|rule| !rule.is_null());
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
        let Some(resource) = resource else { return Err(Status::internal(missing(&role, Naming::Registry))) };
        let rules = self.rbac().index().role(&role, draft.namespace).cloned();
        match rules {
            Some(rules) => self.confirm(draft, &rules),
            None => Err(Status::not_found(&GroupResource::new(GROUP, resource), &role.name)),
        }
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
        let held = self.rbac().rules_named(draft.user, draft.namespace, Naming::Registry);
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
    without(new) == without(old)
}
