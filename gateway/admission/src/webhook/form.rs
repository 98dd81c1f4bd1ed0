//! How objects of a resource, or of one of its subresources, are written and read in one version. Converts nothing.

use std::sync::Arc;

use catalog::{Catalog, Resource};
use model::{GroupVersionKind, GroupVersionResource, Value};
use schema::Shape;
use schema::normal::Encode;

/// A kind in a version.
pub(super) struct Form {
    catalog: Arc<Catalog>,
    kind: GroupVersionKind,
    shape: Shape,
    default: Option<fn(&mut Value)>,
}

impl Form {
    /// The form of a resource's objects, or of the bodies of its subresource.
    pub(super) fn of(catalog: &Arc<Catalog>, resource: &GroupVersionResource, subresource: &str) -> Option<Self> {
        let found: &Arc<Resource> = catalog.resource(&resource.group, &resource.version, &resource.resource)?;
        let (kind, shape) = match subresource {
            "" => (&found.gvk, &found.shape),
            name => found.subresource(name).map(|sub| (&sub.gvk, &sub.shape))?,
        };
        // A hook's defaults are those of the stored version.
        let stored = found.storage.as_ref().map(|storage| &storage.gvk);
        let default = found.hooks.default.filter(|_| stored.is_none_or(|stored| stored == kind));
        Some(Self { catalog: catalog.clone(), kind: kind.clone(), shape: shape.clone(), default })
    }

    /// An object as Go writes it.
    pub(super) fn encode(&self, object: &Value) -> Vec<u8> {
        let mut out = Vec::with_capacity(1024);
        let api_version = self.kind.api_version();
        let type_meta = match self.shape {
            Shape::Struct(_) => Some((api_version.as_str(), &*self.kind.kind)),
            Shape::Structural(_) => None,
        };
        self.shape.encode(&self.catalog.types, object, Encode { type_meta, splice_revision: false }, &mut out);
        out
    }

    /// Normal form and defaults for an object that a patch has changed. Fails in Go's words for a wrong type.
    pub(super) fn read(&self, object: &mut Value) -> Result<(), String> {
        self.shape.decode(&self.catalog.types, object, &mut Vec::new())?;
        if let (Shape::Struct(_), Some(map)) = (&self.shape, object.as_object_mut()) {
            map.insert("apiVersion", self.kind.api_version().into());
            map.insert("kind", self.kind.kind.as_ref().into());
        }
        self.catalog.fill_in(&self.shape, object);
        if let Some(default) = self.default {
            default(object);
        }
        Ok(())
    }
}
