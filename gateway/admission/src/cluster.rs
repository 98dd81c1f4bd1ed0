//! What admission asks of the server around it: objects, what kinds there are, their conversion, and who may do what.
//! Answers nothing itself; the server implements [`Kinds`].

use std::sync::Arc;

use catalog::{Catalog, Resource};
use model::authorizer::Authorizer;
use model::{GroupVersionKind, GroupVersionResource, Status, Value, World};

/// Which kinds are served now, and how an object gets from one version to another.
#[async_trait::async_trait]
pub trait Kinds: Send + Sync {
    /// Every resource that is served now, custom ones too.
    fn catalog(&self) -> Result<Arc<Catalog>, Status>;

    /// An object of one version of a resource in another; both may be the kind of a subresource.
    async fn convert(
        &self,
        object: &Value,
        from: &GroupVersionResource,
        to: &GroupVersionResource,
        subresource: &str,
    ) -> Result<Value, Status>;
}

/// The server, as plugins see it. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    /// Live reads, under the server's own identity.
    pub world: Arc<dyn World>,
    /// What kinds there are.
    pub kinds: Arc<dyn Kinds>,
    /// Who may do what.
    pub authorizer: Arc<dyn Authorizer>,
}

impl Cluster {
    /// A Namespace by its name.
    pub async fn namespace(&self, name: &str) -> Result<Value, Status> {
        self.world.get(&GroupVersionResource::new("", "v1", "namespaces"), "", name).await
    }
}

/// Other names under which the objects of a resource are served: what lies under the same keys of the store. In the order of
/// discovery. Upstream: `EquivalentResourceRegistry`, whose identity is the storage's prefix.
pub(crate) fn equivalents<'c>(
    catalog: &'c Catalog,
    resource: &GroupVersionResource,
    subresource: &str,
) -> impl Iterator<Item = &'c Arc<Resource>> {
    let prefix = |resource: &Resource| resource.storage.as_ref().map(|storage| storage.prefix.clone());
    let own = catalog.resource(&resource.group, &resource.version, &resource.resource).and_then(|own| prefix(own));
    let (resource, subresource) = (resource.clone(), subresource.to_owned());
    catalog.all().filter(move |other| {
        other.gvr != resource
            && own.is_some()
            && prefix(other) == own
            && (subresource.is_empty() || other.subresource(&subresource).is_some())
    })
}

/// The kind of a resource's objects, or of the bodies of its subresource.
pub(crate) fn kind_of(resource: &Resource, subresource: &str) -> Option<GroupVersionKind> {
    match subresource {
        "" => Some(resource.gvk.clone()),
        name => resource.subresource(name).map(|sub| sub.gvk.clone()),
    }
}

#[cfg(test)]
pub(crate) mod testing;
