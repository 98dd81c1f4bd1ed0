//! OwnerReferencesPermissionEnforcement: who names an owner must be allowed to delete the object, and who keeps the owner from
//! going must be allowed to set its finalizers. Follows `plugin/pkg/admission/gc`.

use model::authorizer::{Attributes, Decision};
use model::gvk::split_api_version;
use model::{GroupVersionResource, Status, Value, meta};

use crate::builtin::{forbidden, is, items, text};
use crate::{Cluster, Notes, Operation, Plugin, Review};

pub(super) struct OwnerReferencesPermissionEnforcement(pub(super) Cluster);

fn owners(object: &Value) -> &[Value] {
    object.get("metadata").map_or(&[], |metadata| items(metadata, "ownerReferences"))
}

fn blocks(owner: &Value) -> bool {
    owner.get("blockOwnerDeletion") == Some(&Value::Bool(true))
}

/// Owners that are kept from going, and were not before.
fn newly_blocked<'a>(new: &'a Value, old: Option<&'a Value>) -> impl Iterator<Item = &'a Value> {
    let known = old.map_or(&[][..], owners);
    let blocked_before = move |owner: &Value| known.iter().any(|known| text(known, "uid") == text(owner, "uid") && blocks(known));
    owners(new).iter().filter(move |owner| blocks(owner) && !blocked_before(owner))
}

impl OwnerReferencesPermissionEnforcement {
    async fn ask(&self, review: &Review<'_>, asked: Attributes) -> Decision {
        self.0.authorizer.authorize(&Attributes { user: review.user.clone(), resource_request: true, ..asked }).await
    }

    /// Whether the user may set the finalizers of an owner.
    async fn finalizes(&self, review: &Review<'_>, object: &Value, owner: &Value) -> Result<(), Status> {
        let (api_version, kind) = (text(owner, "apiVersion"), text(owner, "kind"));
        let (group, version) = split_api_version(api_version);
        let catalog = self.0.kinds.catalog()?;
        let Some(found) = catalog.by_kind(group, version, kind) else {
            let none = format!("no matches for kind {kind:?} in version {api_version:?}");
            let why = format!(
                "cannot set blockOwnerDeletion in this case because cannot find RESTMapping for APIVersion {api_version} Kind {kind}: {none}"
            );
            return Err(forbidden(review, Some(object), why));
        };
        let asked = Attributes {
            namespace: if found.namespaced { review.namespace.to_owned() } else { String::new() },
            name: text(owner, "name").to_owned(),
            ..finalizing(&found.gvr.group, &found.gvr.version, &found.gvr.resource)
        };
        let decision = self.ask(review, asked).await;
        refused(
            review,
            object,
            &decision,
            "cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on",
        )
    }
}

fn finalizing(group: &str, version: &str, resource: &str) -> Attributes {
    Attributes {
        verb: "update".to_owned(),
        group: group.to_owned(),
        version: version.to_owned(),
        resource: resource.to_owned(),
        subresource: "finalizers".to_owned(),
        ..Attributes::default()
    }
}

fn refused(review: &Review<'_>, object: &Value, decision: &Decision, why: &str) -> Result<(), Status> {
    if decision.is_allowed() {
        return Ok(());
    }
    Err(forbidden(review, Some(object), format_args!("{why}: {}, <nil>", decision.reason())))
}

#[async_trait::async_trait]
impl Plugin for OwnerReferencesPermissionEnforcement {
    fn name(&self) -> &'static str {
        "OwnerReferencesPermissionEnforcement"
    }

    fn handles(&self, operation: Operation, resource: &GroupVersionResource, subresource: &str) -> bool {
        // A status cannot change owners; kubelets of old spoil them there.
        let exempt = is(resource, "", "pods") && subresource == "status";
        matches!(operation, Operation::Create | Operation::Update) && !exempt
    }

    async fn validate(&self, review: &Review<'_>, object: Option<&Value>, _notes: &mut Notes) -> Result<(), Status> {
        let Some(object) = object.filter(|object| meta::metadata(object).is_some()) else { return Ok(()) };
        if owners(object) == review.old.map_or(&[][..], owners) {
            return Ok(());
        }
        // Whoever makes an object could as well not have made it.
        if review.operation != Operation::Create {
            let delete = Attributes {
                verb: "delete".to_owned(),
                namespace: review.namespace.to_owned(),
                group: review.resource.group.to_string(),
                version: review.resource.version.to_string(),
                resource: review.resource.resource.to_string(),
                subresource: review.subresource.to_owned(),
                name: review.name.to_owned(),
                ..Attributes::default()
            };
            let decision = self.ask(review, delete).await;
            refused(review, object, &decision, "cannot set an ownerRef on a resource you can't delete")?;
        }
        let mut blocked = newly_blocked(object, review.old).peekable();
        if blocked.peek().is_none() {
            return Ok(());
        }
        let anything = Attributes { name: "*".to_owned(), ..finalizing("*", "*", "*") };
        if self.ask(review, anything).await.is_allowed() {
            return Ok(());
        }
        for owner in blocked {
            self.finalizes(review, object, owner).await?;
        }
        Ok(())
    }
}
