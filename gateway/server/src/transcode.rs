//! How objects lie in etcd: built-in kinds as protobuf in upstream's storage version, the kinds of two groups that upstream
//! keeps as JSON so, custom resources as JSON with sorted keys. Implements `store::Transcoder`.
//! Does not encrypt and knows no etcd.

use std::collections::HashMap;
use std::sync::Arc;

use catalog::convert::{self, customresourcedefinition as definition};
use catalog::{Catalog, Resource, Storage};
use codec::shape::with_type_meta;
use model::json::json;
use model::{GroupVersionKind, Value, meta};
use schema::normal::{Encode, encode_sorted};
use schema::types::TypeId;
use schema::{Shape, proto};
use store::{Decoded, Header, Transcoder};

use crate::world::Slot;

/// Groups whose kinds upstream keeps as JSON, because their servers were once programs of their own; and ours, which have no
/// protobuf.
const AS_JSON: [&str; 3] = ["apiextensions.k8s.io", "apiregistration.k8s.io", "policy.gatehouse.dev"];
/// What lies where that no API serves: ranges of allocated numbers, and the addresses of the servers that run.
const RECORDS: [(&str, &str); 2] = [("/registry/ranges/", "RangeAllocation"), ("/registry/masterleases/", "Endpoints")];
const RECORDS_VERSION: &str = "v1";

/// How built-in kinds are written: `--storage-media-type`. Either is always read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// `application/vnd.kubernetes.protobuf`
    Protobuf,
    /// `application/json`
    Json,
}

/// Transcodes by the catalog.
pub struct Transcode {
    catalog: Arc<Catalog>,
    by_prefix: HashMap<String, Arc<Resource>>,
    media: Media,
    /// Where the definitions of custom resources are found, once they are served.
    slot: Slot,
}

impl Transcode {
    /// By the built-in resources of a catalog and, once the slot is filled, by the definitions that are served.
    pub fn new(catalog: Arc<Catalog>, media: Media, slot: Slot) -> Self {
        let stored = |resource: &Arc<Resource>| Some((resource.storage.as_ref()?.prefix.to_string(), resource.clone()));
        let mut by_prefix: HashMap<String, Arc<Resource>> = HashMap::new();
        for (prefix, resource) in catalog.all().filter_map(stored) {
            // Of one kind served in several versions, the one that is stored: it has the stored version's defaults.
            let is_stored = resource.storage.as_ref().is_some_and(|storage| storage.gvk == resource.gvk);
            if is_stored || !by_prefix.contains_key(&prefix) {
                by_prefix.insert(prefix, resource);
            }
        }
        Self { catalog, by_prefix, media, slot }
    }

    /// The prefix of a resource by its name, as `--etcd-servers-overrides` spells it.
    pub fn prefix_of(&self, group: &str, plural: &str) -> Option<String> {
        Some(self.catalog.preferred(group, plural)?.storage.as_ref()?.prefix.to_string())
    }

    /// The group and plural name of the resource under a prefix, built in or not.
    pub fn resource_of(&self, prefix: &str) -> Option<(String, String)> {
        if let Some(resource) = self.by_prefix.get(prefix) {
            return Some((resource.gvr.group.to_string(), resource.gvr.resource.to_string()));
        }
        let mut parts = prefix.trim_matches('/').split('/').skip(1);
        let (group, plural) = (parts.next()?, parts.next()?);
        group.contains('.').then(|| (group.to_owned(), plural.to_owned()))
    }

    fn record_type(&self, kind: &str) -> Result<TypeId, String> {
        self.catalog.types.of_kind(RECORDS_VERSION, kind).ok_or_else(|| format!("no type is known of {kind}"))
    }

    fn encode_builtin(&self, resource: &Resource, storage: &Storage, mut object: Value) -> Result<Vec<u8>, String> {
        let (types, kind) = (&self.catalog.types, &resource.gvk.kind);
        if self.media == Media::Protobuf && !AS_JSON.contains(&&*resource.gvk.group) {
            let ty = storage.shape.struct_type().ok_or("no type is known of it")?;
            return Ok(proto::encode(types, ty, &storage.upstream, kind, &object));
        }
        if is_definition(resource) {
            definition::to_stored(&mut object);
            clear_revision(&mut object);
            return Ok(sorted(&object, Some((definition::STORED, kind))));
        }
        let (mut body, mut out) = (Vec::new(), Vec::new());
        clear_revision(&mut object);
        storage.shape.encode(types, &object, Encode::default(), &mut body);
        with_type_meta(&storage.upstream, kind, &body, &mut out);
        out.push(b'\n');
        Ok(out)
    }

    fn decode_builtin(&self, resource: &Resource, storage: &Storage, stored: &[u8]) -> Result<Decoded, String> {
        let types = &self.catalog.types;
        let (said, mut object) = if stored.starts_with(proto::PREFIX) {
            let envelope = proto::open(stored)?;
            let said = GroupVersionKind::from_api_version(&envelope.api_version, &envelope.kind);
            let ty = self.shape_of(&said, storage).struct_type().ok_or("no type is known of it")?;
            (said, proto::decode(types, ty, envelope.raw)?)
        } else {
            let mut object = json_object(stored)?;
            let text = |field: &str| object.get(field).and_then(Value::as_str).unwrap_or("").to_owned();
            let (api_version, kind) = (text("apiVersion"), text("kind"));
            if api_version == definition::STORED {
                definition::from_stored(&mut object);
            }
            let said = GroupVersionKind::from_api_version(&api_version, &kind);
            self.shape_of(&said, storage).decode(types, &mut object, &mut Vec::new())?;
            (said, object)
        };
        if said != storage.gvk
            && let Some(conversion) = convert::of(&said)
        {
            (conversion.to_storage)(&mut object);
            storage.shape.decode(types, &mut object, &mut Vec::new())?;
        }
        // Upstream fills in defaults whenever it reads: what an older version stored lacks those of newer fields.
        object["apiVersion"] = json!(storage.gvk.api_version());
        object["kind"] = json!(&*storage.gvk.kind);
        self.catalog.fill_in(&storage.shape, &mut object);
        if let Some(default) = resource.hooks.default {
            default(&mut object);
        }
        if let Some(shared) = &resource.hooks.shared {
            (shared.fill)(&mut object);
        }
        let fields = resource.hooks.selectable.iter().map(|field| (field.field, (field.value)(&object))).collect();
        let header = Header { labels: meta::labels(&object).collect(), fields };
        let mut body = Vec::with_capacity(stored.len() * 2);
        let how = Encode { type_meta: None, splice_revision: true };
        let at = storage.shape.encode(types, &object, how, &mut body);
        Ok(Decoded { header, body: body.into(), revision_at: at.ok_or("it has no metadata")? })
    }

    /// What an object that says to be of this kind is made of. A version that is not known any more had the same fields, as far
    /// as their numbers and names are still known.
    fn shape_of<'a>(&'a self, said: &GroupVersionKind, storage: &'a Storage) -> &'a Shape {
        if *said == storage.gvk || convert::of(said).is_none() {
            return &storage.shape;
        }
        self.catalog.by_kind(&said.group, &said.version, &said.kind).map_or(&storage.shape, |resource| &resource.shape)
    }

    fn decode_custom(&self, prefix: &str, stored: &[u8]) -> Result<Decoded, String> {
        let object = json_object(stored)?;
        let mut parts = prefix.trim_matches('/').split('/').skip(1);
        let (group, plural) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        let catalog = self.slot.gate().ok().map(|gate| gate.served.catalog());
        let resource = catalog.as_ref().and_then(|catalog| catalog.preferred(group, plural));
        let custom = resource.and_then(|resource| resource.custom.as_ref());
        let fields = custom.into_iter().flat_map(|custom| custom.fields(&object)).collect();
        decoded(&object, Header { labels: meta::labels(&object).collect(), fields })
    }
}

impl Transcoder for Transcode {
    fn prefix_len(&self, key: &str) -> Option<usize> {
        let slashes: Vec<usize> = key.match_indices('/').map(|(at, _)| at + 1).take(4).collect();
        let built_in = slashes.iter().copied().find(|end| {
            let prefix = &key[..*end];
            self.by_prefix.contains_key(prefix) || record_kind(prefix).is_some()
        });
        // A group of custom resources has a dot in its name, which no segment of the others has.
        let custom = || {
            let [_, group_at, plural_at, end] = slashes[..] else { return None };
            key[group_at..plural_at].contains('.').then_some(end)
        };
        built_in.or_else(custom).filter(|end| *end < key.len())
    }

    fn encode(&self, prefix: &str, body: &[u8]) -> Result<Vec<u8>, String> {
        let mut object = json_object(body)?;
        if let Some(kind) = record_kind(prefix) {
            return Ok(proto::encode(&self.catalog.types, self.record_type(kind)?, RECORDS_VERSION, kind, &object));
        }
        match self.by_prefix.get(prefix) {
            Some(resource) => match &resource.storage {
                Some(storage) => self.encode_builtin(resource, storage, object),
                None => Err("it is not stored".to_owned()),
            },
            None => {
                clear_revision(&mut object);
                Ok(sorted(&object, None))
            }
        }
    }

    fn decode(&self, prefix: &str, stored: &[u8]) -> Result<Decoded, String> {
        if let Some(kind) = record_kind(prefix) {
            let envelope = proto::open(stored)?;
            let object = proto::decode(&self.catalog.types, self.record_type(kind)?, envelope.raw)?;
            return decoded(&object, Header::default());
        }
        match self.by_prefix.get(prefix) {
            Some(resource) => match &resource.storage {
                Some(storage) => self.decode_builtin(resource, storage, stored),
                None => Err("it is not stored".to_owned()),
            },
            None => self.decode_custom(prefix, stored),
        }
    }
}

fn record_kind(prefix: &str) -> Option<&'static str> {
    RECORDS.iter().find(|(own, _)| *own == prefix).map(|(_, kind)| *kind)
}

fn is_definition(resource: &Resource) -> bool {
    &*resource.gvr.group == "apiextensions.k8s.io"
}

fn json_object(bytes: &[u8]) -> Result<Value, String> {
    let object: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if object.is_object() { Ok(object) } else { Err("it is no object".to_owned()) }
}

/// What lies in etcd has no revision of its own.
fn clear_revision(object: &mut Value) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.shift_remove("resourceVersion");
    }
}

fn sorted(object: &Value, type_meta: Option<(&str, &str)>) -> Vec<u8> {
    let mut out = Vec::new();
    encode_sorted(object, Encode { type_meta, splice_revision: false }, &mut out);
    out.push(b'\n');
    out
}

fn decoded(object: &Value, header: Header) -> Result<Decoded, String> {
    let mut body = Vec::new();
    let at = encode_sorted(object, Encode { type_meta: None, splice_revision: true }, &mut body);
    Ok(Decoded { header, body: body.into(), revision_at: at.ok_or("it has no metadata")? })
}

#[cfg(test)]
mod tests;
