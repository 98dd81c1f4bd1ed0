//! The cluster as the server's own parts see it: controllers, allocation and admission plugins are clients of this
//! trait, so that they work over any store and on a fake world in tests. Implemented by `server` on the write path.

use std::sync::Arc;

use futures::stream::{BoxStream, StreamExt};

use crate::{GroupVersionResource, Revision, Status, Value};

/// What a watch reports; the object is in the version asked for, with `apiVersion` and `kind`.
#[derive(Clone, Debug)]
pub enum Event {
    /// The object appeared or began to match.
    Added(Value),
    /// The object changed.
    Modified(Value),
    /// The object went away; its last state.
    Deleted(Value),
}

/// How dependants of a deleted object are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// The resource's own default.
    Default,
    /// Leave dependants behind.
    Orphan,
    /// Delete dependants later.
    Background,
    /// Delete dependants first.
    Foreground,
}

/// What must hold for a delete, and how it spreads.
#[derive(Clone, Debug)]
pub struct DeleteOptions {
    /// Only if the object has this uid.
    pub uid: Option<String>,
    /// Only if the object has this resourceVersion.
    pub resource_version: Option<String>,
    /// Seconds of grace, the kind's default when absent.
    pub grace_period_seconds: Option<i64>,
    /// What happens to dependants.
    pub propagation: Propagation,
    /// Whether admission has no say: what is deleted goes with something else, of whose deletion it was asked.
    pub unasked: bool,
}

impl Default for DeleteOptions {
    fn default() -> Self {
        Self { uid: None, resource_version: None, grace_period_seconds: None, propagation: Propagation::Default, unasked: false }
    }
}

/// A client of the API inside the process. Cluster-scoped objects have the empty namespace.
/// Every write runs the whole write path (defaulting, admission, validation) under the identity the world was made for.
/// Errors are the `Status` that a remote client would get: 404, 409, 422 and so on.
#[async_trait::async_trait]
pub trait World: Send + Sync {
    /// Reads one object.
    async fn get(&self, resource: &GroupVersionResource, namespace: &str, name: &str) -> Result<Value, Status>;
    /// Lists objects of a namespace, or of all when it is empty; `labels` is a label selector in text form or empty.
    async fn list(
        &self,
        resource: &GroupVersionResource,
        namespace: &str,
        labels: &str,
    ) -> Result<(Vec<Value>, Revision), Status>;
    /// Reads one object for a caller that only looks at it, as admission does at the same small objects in every write: what was
    /// read is shared.
    async fn look(&self, resource: &GroupVersionResource, namespace: &str, name: &str) -> Result<Arc<Value>, Status> {
        self.get(resource, namespace, name).await.map(Arc::new)
    }
    /// Lists objects of a namespace, or of all when it is empty, likewise.
    async fn look_all(&self, resource: &GroupVersionResource, namespace: &str) -> Result<Vec<Arc<Value>>, Status> {
        self.list(resource, namespace, "").await.map(|(objects, _)| objects.into_iter().map(Arc::new).collect())
    }
    /// Follows changes after `from`; ends when the revision is too old (list again) or the server stops.
    async fn watch(
        &self,
        resource: &GroupVersionResource,
        namespace: &str,
        from: Revision,
    ) -> Result<BoxStream<'static, Event>, Status>;
    /// Lists all objects for a caller that takes one after another, each read when it comes, and reads no other fields than these
    /// (`metadata`, `spec.volumes`) and `apiVersion` and `kind`: others may be left out, which makes large objects cheap. No
    /// fields mean all.
    async fn list_fields(
        &self,
        resource: &GroupVersionResource,
        _fields: &[&str],
    ) -> Result<(BoxStream<'static, Value>, Revision), Status> {
        let (objects, revision) = self.list(resource, "", "").await?;
        Ok((futures::stream::iter(objects).boxed(), revision))
    }
    /// Like [`World::watch`], for a caller that reads no other fields.
    async fn watch_fields(
        &self,
        resource: &GroupVersionResource,
        _fields: &[&str],
        from: Revision,
    ) -> Result<BoxStream<'static, Event>, Status> {
        self.watch(resource, "", from).await
    }
    /// Creates an object and returns it as stored.
    async fn create(&self, resource: &GroupVersionResource, namespace: &str, object: Value) -> Result<Value, Status>;
    /// Replaces an object; its resourceVersion, when set, must be current. `subresource` is empty, `status`, `finalize`…
    async fn update(&self, resource: &GroupVersionResource, subresource: &str, object: Value) -> Result<Value, Status>;
    /// Applies a JSON merge patch.
    async fn merge_patch(
        &self,
        resource: &GroupVersionResource,
        subresource: &str,
        namespace: &str,
        name: &str,
        patch: Value,
    ) -> Result<Value, Status>;
    /// Deletes an object.
    async fn delete(
        &self,
        resource: &GroupVersionResource,
        namespace: &str,
        name: &str,
        options: DeleteOptions,
    ) -> Result<(), Status>;
    /// Reads a record that no resource serves, such as the map of allocated node ports at `/registry/ranges/servicenodeports`;
    /// `None` when it was never written.
    async fn record(&self, key: &str) -> Result<Option<(Value, Revision)>, Status>;
    /// Writes such a record if its revision still is `expected` (0: never written); 409 otherwise.
    async fn put_record(&self, key: &str, expected: Revision, record: Value) -> Result<Revision, Status>;
    /// Every record whose key begins so, as it is now for every server on the same storage. None where nobody keeps records.
    async fn records(&self, _under: &str) -> Result<Vec<Value>, Status> {
        Ok(Vec::new())
    }
    /// Writes a record whatever it held; it goes away by itself after so many seconds unless it is written again.
    async fn put_passing_record(&self, _key: &str, _record: Value, _ttl_s: u32) -> Result<(), Status> {
        Ok(())
    }
    /// Removes a record; says whether there was one.
    async fn remove_record(&self, _key: &str) -> Result<bool, Status> {
        Ok(false)
    }
    /// Every resource that is stored here and can be listed and watched, custom ones too, in its preferred version.
    fn resources(&self) -> Vec<ResourceFacts>;
    /// What extension servers serve, as far as they told. Their objects are read, patched, deleted and followed like others;
    /// what fails on the way to them is a 503.
    fn extensions(&self) -> Extensions {
        Extensions::default()
    }
}

/// What is served by others under this server's name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    /// Their resources, each in its preferred version.
    pub resources: Vec<ResourceFacts>,
    /// Versions of groups (`metrics.k8s.io/v1beta1`) whose servers could not be asked lately.
    pub unknown: Vec<String>,
}

/// What a generic controller (garbage collector, namespace deletion) must know of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceFacts {
    /// Its name in the preferred version.
    pub resource: GroupVersionResource,
    /// Its kind.
    pub kind: String,
    /// Whether it lives in namespaces.
    pub namespaced: bool,
    /// Verbs it serves.
    pub verbs: Vec<String>,
}
