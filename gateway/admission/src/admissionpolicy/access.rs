//! Whether the author of a policy or binding may read the parameters it refers to: else a policy would read for them what
//! they may not.
//! Follows `authz.go` of `pkg/registry/admissionregistration/*`, which strategies ask last; here it is the first plugin that
//! validates.

use model::authorizer::Attributes;
use model::field::{Errors, Path};
use model::gvk::split_api_version;
use model::{GroupKind, GroupVersionResource, Status, User, Value, user};

use super::GROUP;
use crate::{Cluster, Notes, Operation, Plugin, Review};

/// The plugin. Not one of those that flags name.
pub struct ParamsAccess(pub Cluster);

#[async_trait::async_trait]
impl Plugin for ParamsAccess {
    fn name(&self) -> &'static str {
        "ParamsAccess"
    }

    fn handles(&self, operation: Operation, resource: &GroupVersionResource, subresource: &str) -> bool {
        matches!(operation, Operation::Create | Operation::Update)
            && &*resource.group == GROUP
            && subresource.is_empty()
            && super::EXEMPT.contains(&&*resource.resource)
    }

    async fn validate(&self, review: &Review<'_>, object: Option<&Value>, _: &mut Notes) -> Result<(), Status> {
        let Some(object) = object.filter(|_| !review.user.in_group(user::MASTERS)) else { return Ok(()) };
        let binds = review.resource.resource.ends_with("bindings");
        let refused = if binds { self.binding(review, object).await } else { self.policy(review, object).await };
        let Err(why) = refused else { return Ok(()) };
        let (spec, mut errors) = (Path::new("spec"), Errors::new());
        errors.forbidden(&spec.child(if binds { "paramRef" } else { "paramKind" }), why);
        let kind = GroupKind { group: review.kind.group.clone(), kind: review.kind.kind.clone() };
        Err(Status::invalid(&kind, review.name, &errors))
    }
}

fn at<'v>(object: &'v Value, pointer: &str) -> Option<&'v Value> {
    object.pointer(pointer).filter(|value| !value.is_null())
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value.get(field).and_then(Value::as_str).unwrap_or("")
}

impl ParamsAccess {
    async fn policy(&self, review: &Review<'_>, object: &Value) -> Result<(), String> {
        let Some(kind) = at(object, "/spec/paramKind") else { return Ok(()) };
        if review.old.and_then(|old| at(old, "/spec/paramKind")) == Some(kind) {
            return Ok(());
        }
        let (asked, _) = self.about(review.user, kind);
        let asked = Attributes { verb: "get".to_owned(), name: "*".to_owned(), namespace: "*".to_owned(), ..asked };
        if self.0.authorizer.authorize(&asked).await.is_allowed() {
            return Ok(());
        }
        Err(format!(
            "user {} must have \"get\" permission on all objects of the referenced paramKind (kind={}, apiVersion={})",
            shown(review.user),
            text(kind, "kind"),
            text(kind, "apiVersion")
        ))
    }

    async fn binding(&self, review: &Review<'_>, object: &Value) -> Result<(), String> {
        let Some(reference) = at(object, "/spec/paramRef") else { return Ok(()) };
        let named = |object: &Value| at(object, "/spec/policyName").cloned();
        if review.old.is_some_and(|old| at(old, "/spec/paramRef") == Some(reference) && named(old) == named(object)) {
            return Ok(());
        }
        let policy = named(object).and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default();
        let resource = GroupVersionResource::new(GROUP, "v1", review.resource.resource.trim_end_matches("bindings"));
        let resource = GroupVersionResource::new(GROUP, "v1", &resource.resource.replace("policy", "policies"));
        let stored = self.0.world.get(&resource, "", &policy).await;
        let kind = stored.as_ref().ok().and_then(|policy| at(policy, "/spec/paramKind"));
        let (asked, known) = match kind {
            Some(kind) => self.about(review.user, kind),
            None => (everything(review.user), true),
        };
        let verb = if text(reference, "name").is_empty() { "list" } else { "get" };
        let asked = Attributes {
            verb: verb.to_owned(),
            name: text(reference, "name").to_owned(),
            namespace: text(reference, "namespace").to_owned(),
            ..asked
        };
        if self.0.authorizer.authorize(&asked).await.is_allowed() {
            return Ok(());
        }
        let user = shown(review.user);
        if stored.is_err() {
            return Err(format!(
                "unable to get policy {policy} to determine minimum required permissions and user {user} does not have \"{verb}\" permission for all groups, versions and resources"
            ));
        }
        if !known {
            let kind = kind.map(|kind| format!("&{{{} {}}}", text(kind, "apiVersion"), text(kind, "kind")));
            return Err(format!(
                "unable to resolve paramKind {} to determine minimum required permissions and user {user} does not have \"{verb}\" permission for all groups, versions and resources",
                kind.unwrap_or_default()
            ));
        }
        Err(format!("user {user} does not have \"{verb}\" permission on the object referenced by paramRef"))
    }

    /// The question about a kind of parameters, and whether the kind is known: else all resources are asked about.
    fn about(&self, user: &User, kind: &Value) -> (Attributes, bool) {
        let (group, version) = split_api_version(text(kind, "apiVersion"));
        let catalog = self.0.kinds.catalog().ok();
        let found = catalog.as_ref().and_then(|catalog| catalog.by_kind(group, version, text(kind, "kind")));
        let resource = found.map_or("*", |found| &found.gvr.resource);
        let asked = Attributes {
            group: group.to_owned(),
            version: version.to_owned(),
            resource: resource.to_owned(),
            ..everything(user)
        };
        (asked, found.is_some())
    }
}

fn everything(user: &User) -> Attributes {
    let any = || "*".to_owned();
    Attributes {
        user: user.clone(),
        group: any(),
        version: any(),
        resource: any(),
        resource_request: true,
        ..Attributes::default()
    }
}

/// A user as Go prints the struct that holds them.
fn shown(user: &User) -> String {
    let extra: Vec<String> = user.extra.iter().map(|(key, values)| format!("{key}:[{}]", values.join(" "))).collect();
    format!("&{{{} {} [{}] map[{}]}}", user.name, user.uid, user.groups.join(" "), extra.join(" "))
}
