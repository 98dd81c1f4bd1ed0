//! The world as the server's own parts see it: every write runs the same path as a remote client's, without the wire; what it
//! has of a request is `request`'s. Implements `model::World`. Reads come from the cache, are no requests, and nobody is asked
//! whether they may be.

use std::sync::{Arc, OnceLock, Weak};

use bytes::Bytes;
use codec::partial::Fields;
use futures::stream::{BoxStream, StreamExt};
use model::name::is_valid_path_segment_name;
use model::world::{DeleteOptions, Event, Extensions, ResourceFacts};
use model::{GroupVersionResource, Revision, Status, User, Value, Verb, World, meta};
use store::{Draft, Entry, Error, Expect, Header, Interest, Kind, Op, Watcher};

use crate::aggregation::Objects;
use crate::answer::Answer;
use crate::call::Call;
use crate::gate::Gate;
use crate::options::WriteOptions;
use crate::options::delete::DeleteOptions as Deletion;
use crate::options::list::ListOptions;
use crate::row::Row;
use crate::select::Selection;
use crate::verbs::delete::Admission;
use crate::verbs::{create, delete, patch, update};
use crate::write::{Stored, Written};
use crate::{conversion, customs, unread};

mod request;

use request::Sent;

/// A place for the gate, for parts that are made before it and belong to it (admission plugins).
#[derive(Clone, Default)]
pub struct Slot(Arc<OnceLock<Weak<Gate>>>);

impl Slot {
    /// Puts the gate in its place; only the first call counts.
    pub fn fill(&self, gate: &Arc<Gate>) {
        let _ = self.0.set(Arc::downgrade(gate));
    }

    /// The gate, once it is there and as long as it is.
    pub(crate) fn gate(&self) -> Result<Arc<Gate>, Status> {
        let gate = self.0.get().and_then(Weak::upgrade);
        gate.ok_or_else(|| Status::unavailable("the server is starting or ending"))
    }
}

/// A client inside the process.
#[derive(Clone)]
pub struct LocalWorld {
    slot: Slot,
    user: User,
    /// As a client that is a program would say it; what it begins with owns what is written.
    agent: http::HeaderValue,
    /// Who owns what is written, where that is somebody else.
    field_manager: &'static str,
}

/// The program that upstream's parts of kube-apiserver are parts of.
const OWN_PROGRAM: &str = "kube-apiserver";

impl LocalWorld {
    /// A client that acts as `user`.
    pub fn new(gate: &Arc<Gate>, user: User) -> Self {
        let slot = Slot::default();
        slot.fill(gate);
        Self::of_slot(slot, user)
    }

    /// A client of a gate that is still to come; until then every call answers 503.
    pub fn of_slot(slot: Slot, user: User) -> Self {
        Self { slot, user, agent: request::agent(OWN_PROGRAM, ""), field_manager: "" }
    }

    /// A client of the same server that acts as `user`, as a part of another program.
    #[must_use]
    pub fn acting_as(&self, user: User, program: &str, part: &str) -> Self {
        Self { slot: self.slot.clone(), user, agent: request::agent(program, part), field_manager: "" }
    }

    /// The same client, which says under which name it owns what it writes.
    #[must_use]
    pub fn owning_as(self, field_manager: &'static str) -> Self {
        Self { field_manager, ..self }
    }

    fn gate(&self) -> Result<Arc<Gate>, Status> {
        self.slot.gate()
    }

    fn call(&self, gate: &Gate, verb: Verb, resource: &GroupVersionResource, subresource: &str, place: (&str, &str)) -> Call {
        let info = request::info(verb, resource, subresource, place);
        let mut call = Call::local(self.user.clone(), info, gate.clock.now());
        call.headers.insert(http::header::USER_AGENT, self.agent.clone());
        call
    }

    fn options(&self) -> WriteOptions {
        let mut options = WriteOptions::quiet();
        options.field_manager = self.field_manager.to_owned();
        options
    }

    async fn row(&self, gate: &Arc<Gate>, resource: &GroupVersionResource, subresource: &str) -> Result<Row, Status> {
        if subresource.is_empty()
            && let Some(row) = Row::builtin(gate, resource)
        {
            return Ok(row);
        }
        let info = request::info(Verb::Get, resource, subresource, ("", ""));
        let served = customs::snapshot(gate, &info).await;
        Row::find(&served.catalog, &info).ok_or_else(Status::page_not_found)
    }

    async fn entry(
        &self,
        resource: &GroupVersionResource,
        namespace: &str,
        name: &str,
    ) -> Result<(Arc<Gate>, Row, Arc<Entry>), Status> {
        let gate = self.gate()?;
        let row = self.row(&gate, resource, "").await?;
        let key = read_key(&row, namespace, name)?;
        let entry = gate.store.resource(row.prefix()).get(key.as_str());
        let entry = entry.ok_or_else(|| Status::not_found(&row.group_resource(), name))?;
        Ok((gate, row, entry))
    }

    async fn follow(
        &self,
        resource: &GroupVersionResource,
        namespace: &str,
        from: Revision,
        fields: Fields,
    ) -> Result<BoxStream<'static, Event>, Status> {
        let gate = self.gate()?;
        if let Some(remote) = Objects::of(&gate, resource, &self.user) {
            return remote.watch(namespace, from).await;
        }
        let row = self.row(&gate, resource, "").await?;
        let namespace = if row.is_namespaced() && !namespace.is_empty() { Some(namespace.into()) } else { None };
        let interest = Interest { namespace, ..Interest::default() };
        let resource = gate.store.resource(row.prefix());
        unread::refuse(&row.group_resource(), &resource.snapshot())?;
        let watcher = resource.watch(from, interest).map_err(|error| Status::expired(error.to_string()))?;
        Ok(follow(gate, row, watcher, fields))
    }

    async fn show(gate: &Gate, row: &Row, stored: Stored) -> Result<Value, Status> {
        match stored {
            Stored::Entry(entry) => row.shown(row.stored_value(gate, &entry).await?),
            Stored::Value(value) => row.shown(value),
        }
    }
}

/// What a client would be answered.
fn answered(row: &Row, written: &Written) -> Answer {
    create::answer(row, if written.created { 201 } else { 200 }, written.stored.clone())
}

/// The key of what is read. A client that names what fits no path hears so from itself, not from a server.
fn read_key(row: &Row, namespace: &str, name: &str) -> Result<store::Key, Status> {
    let faults = is_valid_path_segment_name(name);
    if !faults.is_empty() {
        let why = format!("invalid resource name {}: [{}]", model::field::quote(name), faults.join(" "));
        return Err(Status::new(500, "", why));
    }
    crate::verbs::key(row, if row.is_namespaced() { namespace } else { "" }, name)
}

#[async_trait::async_trait]
impl World for LocalWorld {
    async fn get(&self, resource: &GroupVersionResource, namespace: &str, name: &str) -> Result<Value, Status> {
        if let Some(remote) = Objects::of(&*self.gate()?, resource, &self.user) {
            return remote.get(namespace, name).await;
        }
        let (gate, row, entry) = self.entry(resource, namespace, name).await?;
        row.shown(row.stored_value(&gate, &entry).await?)
    }

    async fn look(&self, resource: &GroupVersionResource, namespace: &str, name: &str) -> Result<Arc<Value>, Status> {
        let (gate, row, entry) = self.entry(resource, namespace, name).await?;
        if row.asks_converter() {
            return row.shown(row.stored_value(&gate, &entry).await?).map(Arc::new);
        }
        gate.looked.at(&row, &entry)
    }

    async fn look_all(&self, resource: &GroupVersionResource, namespace: &str) -> Result<Vec<Arc<Value>>, Status> {
        let gate = self.gate()?;
        let row = self.row(&gate, resource, "").await?;
        if row.asks_converter() {
            return self.list(resource, namespace, "").await.map(|(objects, _)| objects.into_iter().map(Arc::new).collect());
        }
        let selection = Selection::new(&row, namespace, &mut ListOptions::default())?;
        let snapshot = gate.store.resource(row.prefix()).snapshot();
        unread::refuse(&row.group_resource(), &snapshot)?;
        // One bad object never fails a list.
        Ok(snapshot.range("", &selection.under).filter_map(|entry| gate.looked.at(&row, entry).ok()).collect())
    }

    async fn list(
        &self,
        resource: &GroupVersionResource,
        namespace: &str,
        labels: &str,
    ) -> Result<(Vec<Value>, Revision), Status> {
        let gate = self.gate()?;
        if let Some(remote) = Objects::of(&gate, resource, &self.user) {
            return remote.list(namespace, labels).await;
        }
        let row = self.row(&gate, resource, "").await?;
        let labels = model::selector::label::Selector::parse(labels).map_err(Status::bad_request)?;
        let selection = Selection::new(&row, namespace, &mut ListOptions { labels, ..ListOptions::default() })?;
        let snapshot = gate.store.resource(row.prefix()).snapshot();
        unread::refuse(&row.group_resource(), &snapshot)?;
        let selected = snapshot.range("", &selection.under).filter(|entry| selection.matches(entry)).cloned().collect();
        let (row, entries) = converted(&gate, row, selected).await?;
        // One bad object never fails a list.
        let objects = entries.iter().filter_map(|entry| row.request_value(entry).ok()).collect();
        Ok((objects, snapshot.revision()))
    }

    async fn list_fields(
        &self,
        resource: &GroupVersionResource,
        fields: &[&str],
    ) -> Result<(BoxStream<'static, Value>, Revision), Status> {
        let gate = self.gate()?;
        if let Some(remote) = Objects::of(&gate, resource, &self.user) {
            let (objects, revision) = remote.list("", "").await?;
            return Ok((futures::stream::iter(objects).boxed(), revision));
        }
        let row = self.row(&gate, resource, "").await?;
        let snapshot = gate.store.resource(row.prefix()).snapshot();
        unread::refuse(&row.group_resource(), &snapshot)?;
        let revision = snapshot.revision();
        let (row, entries) = converted(&gate, row, snapshot.iter().cloned().collect()).await?;
        let fields = Fields::new(fields);
        let read = move |entry: Arc<Entry>| {
            if row.shows_fields() { row.read_fields(&entry, &fields) } else { row.request_value(&entry) }
        };
        // One bad object never fails a list.
        let objects = entries.into_iter().filter_map(move |entry| read(entry).ok());
        Ok((futures::stream::iter(objects).boxed(), revision))
    }

    async fn watch(
        &self,
        resource: &GroupVersionResource,
        namespace: &str,
        from: Revision,
    ) -> Result<BoxStream<'static, Event>, Status> {
        self.follow(resource, namespace, from, Fields::default()).await
    }

    async fn watch_fields(
        &self,
        resource: &GroupVersionResource,
        fields: &[&str],
        from: Revision,
    ) -> Result<BoxStream<'static, Event>, Status> {
        self.follow(resource, "", from, Fields::new(fields)).await
    }

    async fn create(&self, resource: &GroupVersionResource, namespace: &str, mut object: Value) -> Result<Value, Status> {
        let gate = self.gate()?;
        let row = self.row(&gate, resource, "").await?;
        row.form().normalize(&mut object)?;
        create::place(&row, namespace, &mut object)?;
        let mut call = self.call(&gate, Verb::Create, resource, "", (namespace, ""));
        let written = match request::begin(&gate, &mut call, &Sent::Object(&object), self.field_manager) {
            Ok(()) => create::object_into(&gate, &mut call, &row, object, &self.options()).await,
            Err(refused) => Err(refused),
        };
        request::end(&gate, call, &written, |written| answered(&row, written)).await;
        Self::show(&gate, &row, written?.stored).await
    }

    async fn update(&self, resource: &GroupVersionResource, subresource: &str, mut object: Value) -> Result<Value, Status> {
        let gate = self.gate()?;
        let row = self.row(&gate, resource, subresource).await?;
        row.form().normalize(&mut object)?;
        let mut call = self.call(&gate, Verb::Update, resource, subresource, (meta::namespace(&object), meta::name(&object)));
        let written = match request::begin(&gate, &mut call, &Sent::Object(&object), self.field_manager) {
            Ok(()) => update::object_into(&gate, &mut call, &row, object, &self.options()).await,
            Err(refused) => Err(refused),
        };
        request::end(&gate, call, &written, |written| answered(&row, written)).await;
        Self::show(&gate, &row, written?.stored).await
    }

    async fn merge_patch(
        &self,
        resource: &GroupVersionResource,
        subresource: &str,
        namespace: &str,
        name: &str,
        patch: Value,
    ) -> Result<Value, Status> {
        let gate = self.gate()?;
        let mut call = self.call(&gate, Verb::Patch, resource, subresource, (namespace, name));
        if let Some(remote) = Objects::of(&gate, resource, &self.user) {
            let patched = match request::begin(&gate, &mut call, &Sent::Elsewhere, "") {
                Ok(()) => remote.merge_patch(subresource, (namespace, name), &patch).await,
                Err(refused) => Err(refused),
            };
            request::end(&gate, call, &patched, |_| request::elsewhere()).await;
            return patched;
        }
        let row = self.row(&gate, resource, subresource).await?;
        let written = match request::begin(&gate, &mut call, &Sent::Patch(&patch), self.field_manager) {
            Ok(()) => patch::merge(&gate, &mut call, &row, &patch, &self.options()).await,
            Err(refused) => Err(refused),
        };
        request::end(&gate, call, &written, |written| answered(&row, written)).await;
        Self::show(&gate, &row, written?.stored).await
    }

    async fn delete(
        &self,
        resource: &GroupVersionResource,
        namespace: &str,
        name: &str,
        options: DeleteOptions,
    ) -> Result<(), Status> {
        let gate = self.gate()?;
        let mut call = self.call(&gate, Verb::Delete, resource, "", (namespace, name));
        if let Some(remote) = Objects::of(&gate, resource, &self.user) {
            let deleted = match request::begin(&gate, &mut call, &Sent::Elsewhere, "") {
                Ok(()) => remote.delete(namespace, name, &options).await,
                Err(refused) => Err(refused),
            };
            request::end(&gate, call, &deleted, |()| request::elsewhere()).await;
            return deleted;
        }
        let row = self.row(&gate, resource, "").await?;
        let deletion = Deletion::from_world(&options);
        if options.unasked {
            // A part of another request, not one of its own.
            return delete::object(&gate, &mut call, &row, (namespace, name), &deletion, Admission::Passed).await.map(drop);
        }
        let deleted = match request::begin(&gate, &mut call, &Sent::Options(&deletion), "") {
            Ok(()) => delete::object(&gate, &mut call, &row, (namespace, name), &deletion, Admission::Asked).await,
            Err(refused) => Err(refused),
        };
        request::end(&gate, call, &deleted, |deleted| delete::answer(&row, deleted.clone(), &deletion)).await;
        deleted.map(drop)
    }

    async fn record(&self, key: &str) -> Result<Option<(Value, Revision)>, Status> {
        let gate = self.gate()?;
        let key = record_key(key)?;
        let Some(entry) = gate.store.resource(key.prefix()).get(key.as_str()) else { return Ok(None) };
        let value = serde_json::from_slice(&entry.body).map_err(|error| Status::internal(format_args!("read {key}: {error}")))?;
        Ok(Some((value, entry.revision)))
    }

    async fn put_record(&self, key: &str, expected: Revision, record: Value) -> Result<Revision, Status> {
        let (key, draft) = (record_key(key)?, record_draft(record, None));
        let expect = if expected == 0 { Expect::Absent } else { Expect::Revision(expected) };
        write_record(&*self.gate()?, Op::Put { key, expect, draft }).await
    }

    async fn records(&self, under: &str) -> Result<Vec<Value>, Status> {
        let gate = self.gate()?;
        let failed = |error| gate.store_failed(&model::GroupResource::new("", under), "list", &error);
        gate.store.fresh(under).await.map_err(failed)?;
        let unread = |error| Status::internal(format_args!("read {under}: {error}"));
        let snapshot = gate.store.resource(under).snapshot();
        snapshot.iter().map(|entry| serde_json::from_slice(&entry.body).map_err(unread)).collect()
    }

    async fn put_passing_record(&self, key: &str, record: Value, ttl_s: u32) -> Result<(), Status> {
        let (key, draft) = (record_key(key)?, record_draft(record, Some(ttl_s)));
        write_record(&*self.gate()?, Op::Put { key, expect: Expect::Any, draft }).await.map(drop)
    }

    async fn remove_record(&self, key: &str) -> Result<bool, Status> {
        let op = Op::Delete { key: record_key(key)?, expect: Expect::Any };
        match write_record(&*self.gate()?, op).await {
            Ok(_) => Ok(true),
            Err(status) if status.code == 409 => Ok(false),
            Err(status) => Err(status),
        }
    }

    fn resources(&self) -> Vec<ResourceFacts> {
        let Ok(gate) = self.gate() else { return Vec::new() };
        let mut facts = Row::facts(&gate);
        facts.retain(|of| gate.aggregation.route_of(&of.resource.group, &of.resource.version).is_none());
        facts
    }

    fn extensions(&self) -> Extensions {
        self.gate().map(|gate| gate.aggregation.extensions()).unwrap_or_default()
    }
}

/// Entries that no converter must be asked about any more, and the row that reads them.
async fn converted(gate: &Gate, row: Row, entries: Vec<Arc<Entry>>) -> Result<(Row, Vec<Arc<Entry>>), Status> {
    if !row.asks_converter() {
        return Ok((row, entries));
    }
    let entries = conversion::entries(gate, &row, entries).await?;
    Ok((row.of_converted(), entries))
}

/// `/registry/ranges/servicenodeports`: the last segment is the name, what is before it the prefix.
fn record_key(key: &str) -> Result<store::Key, Status> {
    match key.rsplit_once('/') {
        Some((prefix, name)) if !name.is_empty() => Ok(store::Key::new(&format!("{prefix}/"), name)),
        _ => Err(Status::internal(format_args!("{key} is no key of a record"))),
    }
}

/// A record is an object with metadata, which may be empty.
fn record_draft(mut record: Value, ttl_s: Option<u32>) -> Draft {
    meta::set(&mut record, "resourceVersion", "");
    let mut body = Vec::new();
    let how = schema::normal::Encode { splice_revision: true, ..Default::default() };
    // The place is there: it was set just above.
    let revision_at = schema::normal::encode_sorted(&record, how, &mut body).unwrap_or(0);
    Draft { header: Header::default(), body: Bytes::from(body), revision_at, ttl_s }
}

async fn write_record(gate: &Gate, op: Op) -> Result<Revision, Status> {
    let key = op.key().clone();
    let resource = model::GroupResource::new("", key.prefix());
    match gate.store.commit(vec![op]).await {
        Ok(committed) => Ok(committed.revision),
        Err(Error::Conflict { .. }) => Err(Status::modified(&resource, key.name())),
        Err(error) => Err(gate.store_failed(&resource, "update", &error)),
    }
}

/// The events of a watcher, until it falls behind or the store closes.
fn follow(gate: Arc<Gate>, row: Row, watcher: Watcher, fields: Fields) -> BoxStream<'static, Event> {
    let batches = futures::stream::unfold((gate, row, watcher, fields), |(gate, row, mut watcher, fields)| async move {
        let batch = tokio::select! {
            batch = watcher.next_batch() => batch.ok()?,
            () = row.ended() => return None,
        };
        let mut events = Vec::with_capacity(batch.len());
        for event in &batch {
            events.extend(seen(&gate, &row, event, &fields).await);
        }
        Some((futures::stream::iter(events), (gate, row, watcher, fields)))
    });
    batches.flatten().boxed()
}

async fn seen(gate: &Gate, row: &Row, event: &store::Event, fields: &Fields) -> Option<Event> {
    let object = if row.shows_fields() {
        row.read_fields(&event.entry, fields).ok()?
    } else {
        row.shown(row.stored_value(gate, &event.entry).await.ok()?).ok()?
    };
    Some(match event.kind {
        Kind::Added => Event::Added(object),
        Kind::Modified => Event::Modified(object),
        Kind::Deleted => Event::Deleted(object),
    })
}
