//! A resource, or one of its subresources, as a request meets it: the catalog's row, the version of the request, and how
//! objects get from there to the stored version and back. Reads no store and knows no verb.

mod custom;
mod form;
mod managed;
mod manners;
mod table;
mod view;

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use catalog::convert::{self, Conversion};
use catalog::hooks::Hooks;
use catalog::{Catalog, Resource, Storage, Strategy, Subresource, declarative, facts};
use codec::negotiate::{Endpoint, Patch};
use codec::shape::{self, Order};
use model::field::Errors;
use model::json::json;
use model::name::Prefix;
use model::world::ResourceFacts;
use model::{GroupResource, GroupVersionKind, GroupVersionResource, RequestInfo, Status, Value, Verb, meta};
use schema::Shape;
use schema::equal::Empty;
use schema::normal::Encode;
use schema::object_meta::Scope;
use schema::proto;
use store::{Entry, Header, Key};

use crate::gate::Gate;
use crate::removal::Manner;
use crate::subresources::{self, Facet, Part};

pub use form::Form;
pub(crate) use form::say_kind;
pub(crate) use managed::manager;

/// Which of a kind's own rules a write is under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discipline {
    /// Those of the whole object.
    Whole,
    /// Those of its status.
    Status,
    /// Those of the part, or, where the kind has none for its change, those of an object as it stands.
    Part,
}

/// A resource or subresource in the version of a request. Cheap to clone.
#[derive(Clone)]
pub struct Row {
    resource: Arc<Resource>,
    sub: Option<usize>,
    form: Form,
    conversion: Option<&'static Conversion>,
    facet: Option<&'static Facet>,
    /// Objects come as they are shown: somebody converted them already.
    converted: bool,
}

impl Row {
    /// The row that a request is about.
    pub fn find(catalog: &Arc<Catalog>, info: &RequestInfo) -> Option<Self> {
        let resource = catalog.resource(&info.group, &info.version, &info.resource)?;
        Self::new(catalog, resource, &info.subresource)
    }

    /// The row of a resource by its name.
    pub fn named(gate: &Gate, group: &str, version: &str, plural: &str) -> Option<Self> {
        let catalog = gate.served.catalog();
        Self::new(&catalog, catalog.resource(group, version, plural)?, "")
    }

    /// The row of a resource of a group that comes with the program, by its name.
    pub fn builtin(gate: &Gate, resource: &GroupVersionResource) -> Option<Self> {
        let catalog = gate.served.catalog();
        let builtin = resource.group.is_empty() || catalog.is_builtin(&resource.group, &resource.version);
        let found = catalog.resource(&resource.group, &resource.version, &resource.resource).filter(|_| builtin)?;
        Self::new(&catalog, found, "")
    }

    /// A resource's own row, or that of a subresource when one is named.
    pub fn new(catalog: &Arc<Catalog>, resource: &Arc<Resource>, subresource: &str) -> Option<Self> {
        let sub = match subresource {
            "" => None,
            name => Some(resource.subresources.iter().position(|sub| &*sub.name == name)?),
        };
        let (kind, shape) = match sub.map(|at| &resource.subresources[at]) {
            None => (&resource.gvk, &resource.shape),
            Some(sub) => (&sub.gvk, &sub.shape),
        };
        let stored = resource.storage.as_ref().map(|storage| &storage.gvk);
        // A hook's defaults are those of the stored version; elsewhere they come with the conversion.
        let default = resource.hooks.default.filter(|_| stored.is_none_or(|stored| stored == kind));
        let conversion = if *kind == resource.gvk { convert::of(kind) } else { None };
        Some(Self {
            resource: resource.clone(),
            sub,
            form: Form::new(catalog.clone(), kind.clone(), shape.clone(), default),
            conversion,
            facet: subresources::facet(resource, subresource),
            converted: false,
        })
    }

    /// What generic controllers must know of every resource that can be listed, in its preferred version.
    pub fn facts(gate: &Gate) -> Vec<ResourceFacts> {
        let catalog = gate.served.catalog();
        let preferred = |resource: &&Arc<Resource>| {
            let first = catalog.preferred(&resource.gvr.group, &resource.gvr.resource);
            first.is_some_and(|first| Arc::ptr_eq(first, resource))
        };
        let facts = |resource: &Arc<Resource>| ResourceFacts {
            resource: resource.gvr.clone(),
            kind: resource.gvk.kind.to_string(),
            namespaced: resource.namespaced,
            verbs: resource.verbs.iter().map(ToString::to_string).collect(),
        };
        catalog.all().filter(|r| r.storage.is_some() && r.serves("list")).filter(preferred).map(facts).collect()
    }

    fn sub(&self) -> Option<&Subresource> {
        self.sub.map(|at| &self.resource.subresources[at])
    }

    fn storage(&self) -> Option<&Storage> {
        self.resource.storage.as_ref()
    }

    fn strategy(&self) -> &Strategy {
        &self.resource.strategy
    }

    /// The kind and type of bodies and answers.
    pub fn form(&self) -> &Form {
        &self.form
    }

    /// The resource in the version of the request.
    pub fn gvr(&self) -> &GroupVersionResource {
        &self.resource.gvr
    }

    /// The kind of bodies and answers.
    pub fn kind(&self) -> &GroupVersionKind {
        self.form.kind()
    }

    /// The kind of the object that is stored, whatever part of it is written.
    pub fn owner_kind(&self) -> &GroupVersionKind {
        &self.resource.gvk
    }

    /// The kind as it is stored, which faults speak of, whatever version was asked for.
    pub fn stored_kind(&self) -> &GroupVersionKind {
        self.storage().map_or(&self.resource.gvk, |storage| &storage.gvk)
    }

    /// The resource, for messages.
    pub fn group_resource(&self) -> GroupResource {
        self.resource.gvr.group_resource()
    }

    /// Subresource or empty.
    pub fn subresource(&self) -> &str {
        self.sub().map_or("", |sub| &sub.name)
    }

    /// Plural name of the resource.
    pub fn plural(&self) -> &str {
        &self.resource.gvr.resource
    }

    /// Whether objects live in namespaces.
    pub fn is_namespaced(&self) -> bool {
        self.resource.namespaced
    }

    /// The same, for metadata rules.
    pub fn scope(&self) -> Scope {
        if self.is_namespaced() { Scope::Namespaced } else { Scope::Cluster }
    }

    /// What answers can be turned into.
    pub fn endpoint(&self) -> Endpoint {
        // Upstream's storages of these have no columns, not even a name.
        let columnless = match self.sub.map(|at| &self.resource.subresources[at]) {
            None => !self.resource.serves("get"),
            Some(sub) if &*sub.name == "status" => {
                matches!(&*self.resource.gvr.group, "apiextensions.k8s.io" | "apiregistration.k8s.io")
            }
            Some(sub) => sub.connect.is_empty() && !matches!(&*sub.name, "scale" | "log"),
        };
        match (self.is_custom(), columnless) {
            (true, _) => Endpoint::Custom,
            (false, true) => Endpoint::NoColumns,
            (false, false) => Endpoint::Resource,
        }
    }

    /// Whether bodies are custom resources, whose fields Go keeps in maps.
    pub fn is_custom(&self) -> bool {
        self.form.shape().structural().is_some()
    }

    /// Whether a patch of this kind can change objects.
    pub fn takes(&self, patch: Patch) -> bool {
        patch != Patch::Strategic || self.resource.merges_strategically()
    }

    /// What every answer warns of.
    pub fn warnings(&self) -> impl Iterator<Item = String> {
        self.custom().into_iter().flat_map(|custom| &custom.warnings).map(ToString::to_string)
    }

    /// The resource itself.
    pub(crate) fn resource(&self) -> &Resource {
        &self.resource
    }

    /// Whether this is the resource whose names are namespaces.
    pub fn is_namespace(&self) -> bool {
        self.resource.gvr.group.is_empty() && self.plural() == "namespaces"
    }

    /// Whether a path with such parts leads here.
    pub fn is_in_place(&self, info: &RequestInfo) -> bool {
        let parts = 2 + usize::from(self.sub.is_some());
        if info.parts.len() > parts && !self.sub().is_some_and(|sub| sub.takes_path) {
            return false;
        }
        let named = !info.name.is_empty();
        if matches!(info.verb, Verb::Update | Verb::Patch) && !named || info.verb == Verb::Create && named && self.sub.is_none() {
            return false;
        }
        match (self.is_namespaced(), info.namespace.is_empty()) {
            // `/watch/pods/x` names an object without its namespace; a field selector may.
            (true, true) => matches!(info.verb, Verb::List | Verb::Watch) && info.parts.len() < 2,
            (false, false) => self.is_namespace(),
            _ => true,
        }
    }

    /// Whether a verb is served here.
    pub fn serves(&self, verb: Verb) -> bool {
        let verbs = self.sub().map_or(&self.resource.verbs, |sub| &sub.verbs);
        verbs.iter().any(|served| **served == *verb.as_str())
    }

    /// Whether writes are of the whole object.
    pub fn is_whole(&self) -> bool {
        self.discipline() == Discipline::Whole
    }

    /// Which of the kind's own rules a write is under.
    pub fn discipline(&self) -> Discipline {
        match (self.sub(), self.facet) {
            (None, _) => Discipline::Whole,
            (Some(_), Some(facet)) => facet.discipline,
            (Some(sub), None) if &*sub.name == "status" => Discipline::Status,
            (Some(_), None) => Discipline::Part,
        }
    }

    /// Rules of its own, for a part that the kind knows how to change.
    pub fn part(&self) -> Option<&'static Part> {
        self.facet?.part.as_ref()
    }

    /// What the kind does beyond its row.
    pub fn hooks(&self) -> &'static Hooks {
        self.resource.hooks
    }

    /// Judges an object in the storage version by the rules that its type declares in the version of the request; what the
    /// kind's own rules found stands in `errors`.
    pub fn declared(&self, new: &Value, old: Option<&Value>, errors: &mut Errors) -> Result<(), Status> {
        if self.kind() != &self.resource.gvk {
            return Ok(()); // scale, eviction: a part that is another kind
        }
        let (types, resource, part) = (self.form.types(), &self.resource, self.subresource());
        if self.conversion.is_none() {
            declarative::validate(types, resource, part, new, old, errors);
        } else {
            let old = old.map(|old| self.view(old)).transpose()?;
            declarative::validate(types, resource, part, &*self.view(new)?, old.as_deref(), errors);
        }
        Ok(())
    }

    /// What is wrong with a name of an object, or with one to which something will be appended.
    pub fn name_faults(&self, object: &Value, name: &str, prefix: Prefix) -> Vec<String> {
        self.hooks().name.map_or_else(|| (self.strategy().name)(name, prefix), |own| own(object, name, prefix))
    }

    /// Whether an update judges names again.
    pub fn judges_names_again(&self) -> bool {
        self.sub().filter(|_| !self.is_whole()).map_or(self.strategy().names_again, |sub| sub.names_again)
    }

    /// What a create does to fields alike for many kinds.
    pub fn prepare_create(&self, object: &mut Value) {
        self.strategy().prepare_create(object);
    }

    /// What an update does to fields alike for many kinds; before the hooks.
    pub fn prepare_update(&self, new: &mut Value, old: &Value) {
        match self.sub().filter(|_| !self.is_whole()) {
            Some(sub) => sub.prepare_update(new, old),
            None => self.strategy().prepare_update(new, old),
        }
    }

    /// Counts generation; after the hooks.
    pub fn count_generation(&self, new: &mut Value, old: &Value) {
        if self.is_whole() {
            let empty = if self.hooks().counts_empty { Empty::Counts } else { Empty::IsAbsent };
            self.strategy().count(new, old, &|field, a, b| {
                let by_type = match self.stored_shape() {
                    Shape::Struct(ty) => schema::equal::member(self.form.types(), *ty, field, (a, b), empty),
                    Shape::Structural(_) => None,
                };
                by_type.unwrap_or_else(|| a == b)
            });
        }
    }

    /// Whether an update of an absent object creates it.
    pub fn creates_on_update(&self) -> bool {
        self.sub.is_none() && self.strategy().allow_create_on_update
    }

    /// Whether an update may leave `resourceVersion` out. A part that is another kind, a scale, leaves the whole's alone.
    pub fn allows_unconditional_update(&self) -> bool {
        self.strategy().allow_unconditional_update || self.kind() != &self.resource.gvk
    }

    /// Whether a delete answers with the object.
    pub fn returns_deleted(&self) -> bool {
        self.strategy().returns_deleted
    }

    /// How objects are deleted.
    pub fn manner(&self) -> Manner {
        let grace = self.hooks().grace.filter(|_| self.strategy().graceful);
        Manner { garbage: self.strategy().garbage, grace, deleting: self.hooks().deleting, closing: self.hooks().closing }
    }

    /// Seconds after which objects go away by themselves.
    pub fn ttl_s(&self, gate: &Gate) -> Option<u32> {
        facts::expires(&self.resource.gvr.group, self.plural()).then_some(gate.limits.event_ttl_s)
    }

    /// Prefix of every key, with its last slash; of nothing when there are no objects to read.
    pub fn prefix(&self) -> &str {
        match (self.storage(), &self.resource.computed) {
            (Some(storage), _) => &storage.prefix,
            (None, Some(prefix)) => prefix,
            (None, None) => "/",
        }
    }

    /// Whether objects are made here and kept in memory alone.
    pub fn is_computed(&self) -> bool {
        self.resource.computed.is_some()
    }

    /// Whether objects are stored at all; reviews are only answered.
    pub fn is_stored(&self) -> bool {
        self.storage().is_some()
    }

    /// Key of one object.
    pub fn key(&self, namespace: &str, name: &str) -> Key {
        // A request about a namespace names it twice: as the object and, for authorization, as where it lies.
        if self.is_namespaced() && !namespace.is_empty() {
            Key::new(self.prefix(), &format!("{namespace}/{name}"))
        } else {
            Key::new(self.prefix(), name)
        }
    }

    /// How the stored version spells a field of a selector. Fails with upstream's words for one that is not selectable.
    pub fn stored_field(&self, field: &str) -> Result<String, String> {
        if let Some(conversion) = self.conversion.filter(|conversion| !conversion.fields.is_empty()) {
            let found = conversion.fields.iter().find(|(served, _)| *served == field);
            return found.map(|(_, stored)| (*stored).to_owned()).ok_or_else(|| format!("field label not supported: {field}"));
        }
        if let Some(custom) = self.custom() {
            let known = |field: &str| custom.selectable.iter().any(|(name, _)| **name == *field);
            let scoped = field == "metadata.name" || field == "metadata.namespace" && self.is_namespaced();
            return if scoped || known(field) {
                Ok(field.to_owned())
            } else {
                Err(format!("field label not supported: {field}"))
            };
        }
        let own = self.hooks().selectable;
        let named = field == "metadata.name" || field == "metadata.namespace" && !self.hooks().selects_no_namespace;
        if named || own.iter().any(|selectable| selectable.field == field) {
            return Ok(field.to_owned());
        }
        if own.is_empty() {
            let field = model::field::quote(field);
            return Err(format!("{field} is not a known field selector: only \"metadata.name\", \"metadata.namespace\""));
        }
        Err(facts::unselectable(&self.resource.gvk.kind, field))
    }

    /// What is known of an object without parsing it, once it is stored.
    pub fn header(&self, object: &Value) -> Header {
        let own = self.hooks().selectable.iter().map(|selectable| (selectable.field, (selectable.value)(object)));
        let custom = self.custom().into_iter().flat_map(|custom| custom.fields(object));
        Header { labels: meta::labels(object).collect(), fields: own.chain(custom).collect() }
    }

    /// An object as it is stored, and where its revision goes. Fails when it cannot be had in the version that is stored.
    pub async fn encode(&self, gate: &Gate, object: &Value) -> Result<(Bytes, usize), Status> {
        match self.custom() {
            None => Ok(self.encode_stored(object)),
            Some(custom) => Ok(self.encode_stored(&self.to_stored_version(gate, custom, object).await?)),
        }
    }

    fn encode_stored(&self, object: &Value) -> (Bytes, usize) {
        let mut out = Vec::with_capacity(1024);
        let how = Encode { type_meta: None, splice_revision: true };
        let at = self.stored_shape().encode(self.form.types(), object, how, &mut out);
        // Every stored type has metadata, and encoding writes it.
        (out.into(), at.unwrap_or(0))
    }

    /// Makes of an object that is about to be stored what storage keeps of it.
    pub fn settle(&self, object: &mut Value) {
        self.stored_shape().settle(self.form.types(), object);
    }

    fn stored_shape(&self) -> &Shape {
        self.storage().map_or(&self.resource.shape, |storage| &storage.shape)
    }

    /// Whether two stored objects mean the same.
    pub(crate) fn is_same_stored(&self, a: &Value, b: &Value) -> bool {
        match self.stored_shape() {
            Shape::Struct(ty) => schema::equal::semantic(self.form.types(), *ty, a, b),
            Shape::Structural(_) => a == b,
        }
    }

    /// Whether an object is sent as it is stored.
    pub(crate) fn is_sent_as_stored(&self, entry: &Entry) -> bool {
        let current = self.custom().is_none_or(|custom| self.is_current(custom, entry));
        self.conversion.is_none() && self.facet.is_none() && current
    }

    /// The form of renderings in the version of the request.
    pub(crate) fn rendered_form(&self) -> store::Form {
        store::Form(self.number())
    }

    /// The object of an entry in the version of the request, encoded, without `apiVersion` and `kind`.
    pub fn body(&self, entry: &Entry) -> Bytes {
        if self.is_sent_as_stored(entry) {
            return entry.body.clone();
        }
        entry.rendering(self.rendered_form(), |entry| match self.request_value(entry) {
            Ok(value) => self.encode_body(&value),
            Err(_) => entry.body.clone(),
        })
    }

    /// The object of an entry in the version of the request, as a protobuf message.
    pub fn message(&self, entry: &Entry) -> Bytes {
        entry.rendering(self.protobuf_form(), |entry| {
            // A body that cannot be read shows an empty object; one bad object must not fail a list.
            self.encode_message(&self.request_value(entry).unwrap_or(Value::Null)).into()
        })
    }

    /// The metadata of an entry's object, as a message of `PartialObjectMetadata`: cut out of the whole object's, where somebody
    /// has asked for that.
    pub fn metadata_message(&self, entry: &Entry) -> Bytes {
        if self.custom().is_none()
            && self.hooks().field_annotations.is_empty()
            && let Some(message) = entry.rendered(self.protobuf_form())
        {
            return message.slice(..proto::metadata_end(&message));
        }
        let (types, body) = (self.form.types(), self.body(entry));
        let metadata =
            shape::metadata_of(&self.metadata_of(&body)).and_then(|metadata| serde_json::from_slice::<Value>(metadata).ok());
        let partial = types.of_kind("meta.k8s.io/v1", "PartialObjectMetadata");
        partial.map(|ty| proto::message(types, ty, &json!({"metadata": metadata})).into()).unwrap_or_default()
    }

    /// An object of the request as a protobuf message.
    pub fn encode_message(&self, object: &Value) -> Vec<u8> {
        self.form.encode_message(object)
    }

    /// An object's protobuf message with its kind around it.
    pub fn envelope(&self, message: &[u8]) -> Vec<u8> {
        proto::envelope(&self.kind().api_version(), &self.kind().kind, message)
    }

    /// An object of the request, encoded, of built-in kinds without `apiVersion` and `kind`.
    pub fn encode_body(&self, object: &Value) -> Bytes {
        let mut out = Vec::with_capacity(1024);
        let api_version = self.kind().api_version();
        let type_meta = self.is_custom().then_some((api_version.as_str(), &*self.kind().kind));
        self.form.shape().encode(self.form.types(), object, Encode { type_meta, splice_revision: false }, &mut out);
        out.into()
    }

    /// Appends an encoded body with `kind` and `apiVersion` in front.
    pub fn with_type_meta(&self, body: &[u8], out: &mut Vec<u8>) {
        if self.is_custom() {
            return out.extend_from_slice(body);
        }
        shape::with_type_meta(&self.kind().api_version(), &self.kind().kind, body, out);
    }

    /// The body of an entry as partial metadata is made of.
    pub fn metadata_of<'a>(&self, body: &'a [u8]) -> Cow<'a, [u8]> {
        if self.is_custom() {
            return Cow::Owned(self.metadata_body(body).to_vec());
        }
        match self.hooks().field_annotations {
            [] => Cow::Borrowed(body),
            hidden => self.without_annotations(body, hidden).map_or(Cow::Borrowed(body), |body| Cow::Owned(body.to_vec())),
        }
    }

    /// A body without some annotations; nothing when it cannot be read.
    fn without_annotations(&self, body: &[u8], hidden: &[&str]) -> Option<Bytes> {
        let mut object: Value = serde_json::from_slice(body).ok()?;
        let metadata = meta::metadata_mut(&mut object)?;
        let annotations = metadata.get_mut("annotations")?.as_object_mut()?;
        annotations.retain(|name, _| !hidden.contains(&name.as_str()));
        if annotations.is_empty() {
            metadata.shift_remove("annotations");
        }
        Some(self.encode_body(&object))
    }

    /// `"kind":"Pod","apiVersion":"v1",`; empty where bodies have their own.
    pub fn type_meta(&self) -> String {
        let kind = self.kind();
        match self.form.shape() {
            Shape::Struct(_) => format!("\"kind\":\"{}\",\"apiVersion\":\"{}\",", kind.kind, kind.api_version()),
            Shape::Structural(_) => String::new(),
        }
    }

    /// The form of an object's watch frames that all watchers of this version share; nothing where it is not sent as stored.
    pub fn frame_form(&self, entry: &Entry) -> Option<store::Form> {
        self.is_sent_as_stored(entry).then(|| self.rendered_form())
    }

    /// The form of this version's protobuf.
    pub fn protobuf_form(&self) -> store::Form {
        store::Form(!self.number())
    }

    /// A number for this rendering, told apart from other versions and subresources of the same objects.
    fn number(&self) -> u32 {
        let mut seed = format!("{} {} {}", self.kind().api_version(), self.kind().kind, self.subresource());
        if let Some(custom) = self.custom() {
            // What is made of a stored object changes with the definition.
            seed.push_str(&format!(" {} {}", custom.definition.uid, custom.definition.generation));
        }
        // FNV-1a: a handful of renderings of one resource do not meet.
        seed.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
    }

    /// Kind of a list.
    pub fn list_kind(&self) -> &str {
        &self.resource.list_kind
    }

    /// Order of a list's own fields.
    pub fn order(&self) -> Order {
        if self.is_custom() { Order::Sorted } else { Order::Struct }
    }
}

fn unreadable(entry: &Entry, error: &serde_json::Error) -> Status {
    if let Some(status) = crate::unread::of(entry) {
        return status;
    }
    tracing::error!(key = %entry.key, %error, "stored object cannot be read");
    Status::internal(format_args!("the object at {} cannot be read", entry.key.rest()))
}
