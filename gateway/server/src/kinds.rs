//! What admission may ask of what is served: the catalog, and an object in another version of its resource.
//! Implements `admission::Kinds`. Reads no store.

use std::sync::Arc;

use admission::Kinds;
use catalog::custom::Conversion;
use catalog::{Catalog, Resource};
use model::authorizer::{Attributes, Authorizer, Decision};
use model::{GroupVersionResource, Status, Value};

use crate::conversion;
use crate::gate::Gate;
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
        let find = |gvr: &GroupVersionResource| {
            let resource = catalog.resource(&gvr.group, &gvr.version, &gvr.resource)?;
            Some((resource.clone(), Row::new(&catalog, resource, subresource)?))
        };
        let unknown = |gvr: &GroupVersionResource| {
            Status::internal(format_args!("unable to convert to {}/{}, {}: unknown kind", gvr.group, gvr.version, gvr.resource))
        };
        let (_, source) = find(from).ok_or_else(|| unknown(from))?;
        let (resource, target) = find(to).ok_or_else(|| unknown(to))?;
        if source.kind() == target.kind() {
            return Ok(object.clone());
        }
        if target.is_custom() {
            return custom(&gate, &resource, &target, object).await;
        }
        // A part that is another kind, such as Scale, has no stored form of its own.
        let mut converted = if source.is_whole() { target.shown(source.to_storage(object.clone())?)? } else { object.clone() };
        say_kind(&mut converted, target.kind());
        Ok(converted)
    }
}

async fn custom(gate: &Gate, resource: &Resource, target: &Row, object: &Value) -> Result<Value, Status> {
    let Some(custom) = target.custom() else { return Ok(object.clone()) };
    let to = target.owner_kind();
    let mut converted = match &custom.definition.conversion {
        Conversion::None => object.clone(),
        Conversion::Webhook(_) => conversion::one(gate, resource, &custom.definition, object, &to.api_version()).await?,
    };
    say_kind(&mut converted, to);
    target.coerce_to(custom, &to.version, &mut converted);
    Ok(converted)
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
