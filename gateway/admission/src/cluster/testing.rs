//! A cluster for tests of plugins: a world in memory, the kinds that come with the program, and a list of what is allowed.

use std::sync::{Arc, LazyLock};

use catalog::Catalog;
use model::authorizer::{Attributes, Authorizer, Decision};
use model::{GroupVersionResource, Status, Value, World};

use super::{Cluster, Kinds, kind_of};

static BUILTIN: LazyLock<Arc<Catalog>> = LazyLock::new(|| Arc::new(Catalog::builtin().unwrap()));

/// The kinds that come with the program. A version differs from another in its `apiVersion` only.
struct Builtin;

#[async_trait::async_trait]
impl Kinds for Builtin {
    fn catalog(&self) -> Result<Arc<Catalog>, Status> {
        Ok(BUILTIN.clone())
    }

    async fn convert(
        &self,
        object: &Value,
        _: &GroupVersionResource,
        to: &GroupVersionResource,
        subresource: &str,
    ) -> Result<Value, Status> {
        let resource = BUILTIN.resource(&to.group, &to.version, &to.resource).ok_or_else(Status::page_not_found)?;
        let mut object = object.clone();
        if let Some(kind) = kind_of(resource, subresource) {
            object["apiVersion"] = kind.api_version().into();
        }
        Ok(object)
    }
}

/// Allows each `user verb resource/name` of a list.
pub(crate) struct Allow(pub(crate) &'static [&'static str]);

#[async_trait::async_trait]
impl Authorizer for Allow {
    async fn authorize(&self, asked: &Attributes) -> Decision {
        let asked = format!("{} {} {}/{}", asked.user.name, asked.verb, asked.resource, asked.name);
        match self.0.iter().find(|allowed| **allowed == asked) {
            Some(allowed) => Decision::Allow(format!("listed: {allowed}")),
            None => Decision::NoOpinion(String::new()),
        }
    }
}

/// A cluster over a world.
pub(crate) fn cluster(world: Arc<dyn World>, allowed: &'static [&'static str]) -> Cluster {
    Cluster { world, kinds: Arc::new(Builtin), authorizer: Arc::new(Allow(allowed)) }
}
