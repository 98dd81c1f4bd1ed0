//! What admission may ask of what is served: the catalog, and an object in another version of its resource.
//! Implements `admission::Kinds`. Reads no store.

use std::sync::Arc;

use admission::Kinds;
use catalog::Catalog;
use catalog::custom::{Conversion, Custom};
use model::authorizer::{Attributes, Authorizer, Decision};
use model::{GroupVersionResource, Status, Value};

use crate::conversion;
use crate::row::{Row, say_kind};
use crate::world::Slot;

/// The kinds that a gate serves, which is still to come when plugins are made.
pub struct Served(pub Slot);

#[async_trait::async_trait]
impl Kinds for Served {
    fn catalog(&self) -> Result<Arc<Catalog>, Status> {
        Ok(self.0.gate()?.served.catalog())
    }

    async fn convert(
        &self,
        object: &Value,
        from: &GroupVersionResource,
        to: &GroupVersionResource,
        subresource: &str,
    ) -> Result<Value, Status> {
        let gate = self.0.gate()?;
        let catalog = gate.served.catalog();
        let (source, target) = (find(&catalog, from, subresource)?, find(&catalog, to, subresource)?);
        let asked = target.custom().filter(|custom| matches!(custom.definition.conversion, Conversion::Webhook(_)));
        match (asked, catalog.resource(&to.group, &to.version, &to.resource)) {
            (Some(custom), Some(resource)) if source.kind() != target.kind() => {
                let version = target.owner_kind().api_version();
                let converted = conversion::one(&gate, resource, &custom.definition, object, &version).await?;
                Ok(said_anew(&target, custom, converted))
            }
            _ => convert(&catalog, object, from, to, subresource),
        }
    }
}

/// An object of one version in another, as far as nobody outside has to be asked: a webhook that converts is not.
pub fn convert(
    catalog: &Arc<Catalog>,
    object: &Value,
    from: &GroupVersionResource,
    to: &GroupVersionResource,
    subresource: &str,
) -> Result<Value, Status> {
    let (source, target) = (find(catalog, from, subresource)?, find(catalog, to, subresource)?);
    if source.kind() == target.kind() {
        return Ok(object.clone());
    }
    if let Some(custom) = target.custom() {
        return Ok(said_anew(&target, custom, object.clone()));
    }
    // A part that is another kind, such as Scale, has no stored form of its own.
    let mut converted = if source.is_whole() { target.shown(source.to_storage(object.clone())?)? } else { object.clone() };
    say_kind(&mut converted, target.kind());
    Ok(converted)
}

fn find(catalog: &Arc<Catalog>, gvr: &GroupVersionResource, subresource: &str) -> Result<Row, Status> {
    let resource = catalog.resource(&gvr.group, &gvr.version, &gvr.resource);
    resource.and_then(|resource| Row::new(catalog, resource, subresource)).ok_or_else(|| {
        Status::internal(format_args!("unable to convert to {}/{}, {}: unknown kind", gvr.group, gvr.version, gvr.resource))
    })
}

/// A custom resource's object as its schema in another version reads it.
fn said_anew(target: &Row, custom: &Custom, mut object: Value) -> Value {
    let to = target.owner_kind();
    say_kind(&mut object, to);
    target.coerce_to(custom, &to.version, &mut object);
    object
}

/// Who may do what, as a gate decides it.
pub struct Rules(pub Slot);

#[async_trait::async_trait]
impl Authorizer for Rules {
    async fn authorize(&self, attributes: &Attributes) -> Decision {
        match self.0.gate() {
            Ok(gate) => gate.authz.authorize(attributes).await,
            Err(status) => Decision::NoOpinion(status.to_string()),
        }
    }
}
