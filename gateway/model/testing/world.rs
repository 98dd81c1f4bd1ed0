//! A world in memory for unit tests of hooks, plugins and controllers, which include this file by its path.
//! It keeps what they rely on: revisions, uids, conflicts, preconditions, finalizers, watches. It defaults, validates and
//! admits nothing, and knows no kind except that a Namespace ends when its `spec.finalizers` are gone.

// Each including crate uses a part of it.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::sync::Mutex;

use futures::StreamExt;
use futures::channel::mpsc;
use futures::stream::BoxStream;
use model::json::json;
use model::world::{DeleteOptions, Event, Extensions, Propagation, ResourceFacts};
use model::{GroupResource, GroupVersionResource, Revision, Status, Value, World, meta, selector};

/// When every object of the fake world was made or deleted.
pub(crate) const THEN: &str = "2030-01-01T00:00:00Z";

type Key = (String, String, String);

#[derive(Default)]
struct State {
    revision: Revision,
    objects: BTreeMap<Key, Value>,
    records: BTreeMap<String, (Value, Revision)>,
    watchers: Vec<(String, String, mpsc::UnboundedSender<Event>)>,
    /// What was told so far, for who begins to watch a moment after a list.
    told: Vec<(Revision, String, Event)>,
    log: Vec<String>,
    failures: Vec<(String, Status)>,
}

/// Whether an event is of a namespace, or of any when that is empty.
fn concerns(event: &Event, namespace: &str) -> bool {
    let (Event::Added(object) | Event::Modified(object) | Event::Deleted(object)) = event;
    namespace.is_empty() || meta::namespace(object) == namespace
}

/// The world.
pub(crate) struct Fake {
    state: Mutex<State>,
    facts: Vec<ResourceFacts>,
    extensions: Mutex<Extensions>,
}

/// A resource's name from `v1/pods` or `apps/v1/deployments`.
pub(crate) fn gvr(path: &str) -> GroupVersionResource {
    let parts: Vec<&str> = path.split('/').collect();
    match parts[..] {
        [version, resource] => GroupVersionResource { group: "".into(), version: version.into(), resource: resource.into() },
        [group, version, resource] => {
            GroupVersionResource { group: group.into(), version: version.into(), resource: resource.into() }
        }
        _ => panic!("not a resource: {path}"),
    }
}

fn plural(resource: &GroupVersionResource) -> String {
    GroupResource::new(&resource.group, &resource.resource).to_string()
}

impl Fake {
    /// A world of these resources: path as in [`gvr`], kind, whether namespaced.
    pub(crate) fn new(resources: &[(&str, &str, bool)]) -> Self {
        let verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
        let facts = resources.iter().map(|(path, kind, namespaced)| ResourceFacts {
            resource: gvr(path),
            kind: (*kind).to_owned(),
            namespaced: *namespaced,
            verbs: verbs.iter().map(|v| (*v).to_owned()).collect(),
        });
        Self { facts: facts.collect(), state: Mutex::default(), extensions: Mutex::default() }
    }

    /// Says what extension servers serve from now on.
    pub(crate) fn extend(&self, extensions: Extensions) {
        *self.extensions.lock().unwrap() = extensions;
    }

    /// Puts an object as it is, with a uid made from its place when it has none.
    pub(crate) fn seed(&self, path: &str, mut object: Value) {
        let resource = gvr(path);
        if meta::uid(&object).is_empty() {
            let uid = format!("uid-{}-{}-{}", resource.resource, meta::namespace(&object), meta::name(&object));
            meta::set(&mut object, "uid", uid);
        }
        self.state.lock().unwrap().put(&plural(&resource), object);
    }

    /// The object now.
    pub(crate) fn peek(&self, path: &str, namespace: &str, name: &str) -> Option<Value> {
        self.state.lock().unwrap().objects.get(&(plural(&gvr(path)), namespace.into(), name.into())).cloned()
    }

    /// `namespace/name` of every object of a resource, in order.
    pub(crate) fn names(&self, path: &str) -> Vec<String> {
        let plural = plural(&gvr(path));
        let state = self.state.lock().unwrap();
        state.objects.keys().filter(|k| k.0 == plural).map(|k| format!("{}/{}", k.1, k.2)).collect()
    }

    /// What was written since the last call, one line a write: `create services default/web`.
    pub(crate) fn take_log(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().log)
    }

    /// Lets the next write or read whose line (as in [`Fake::take_log`]) starts so fail.
    pub(crate) fn fail(&self, line: &str, status: Status) {
        self.state.lock().unwrap().failures.push((line.to_owned(), status));
    }

    fn begin(
        &self,
        verb: &str,
        resource: &GroupVersionResource,
        namespace: &str,
        name: &str,
    ) -> Result<std::sync::MutexGuard<'_, State>, Status> {
        let mut state = self.state.lock().unwrap();
        let line = format!("{verb} {} {namespace}/{name}", plural(resource));
        if let Some(at) = state.failures.iter().position(|(prefix, _)| line.starts_with(prefix.as_str())) {
            return Err(state.failures.remove(at).1);
        }
        if !["get", "list", "watch"].contains(&verb) {
            state.log.push(line);
        }
        Ok(state)
    }
}

impl State {
    fn put(&mut self, plural: &str, mut object: Value) -> Value {
        self.revision += 1;
        meta::set(&mut object, "resourceVersion", self.revision.to_string());
        let key = (plural.to_owned(), meta::namespace(&object).to_owned(), meta::name(&object).to_owned());
        let event = if self.objects.contains_key(&key) { Event::Modified(object.clone()) } else { Event::Added(object.clone()) };
        self.objects.insert(key, object.clone());
        self.tell(plural, event);
        object
    }

    fn drop(&mut self, plural: &str, namespace: &str, name: &str) {
        self.revision += 1;
        if let Some(object) = self.objects.remove(&(plural.to_owned(), namespace.to_owned(), name.to_owned())) {
            self.tell(plural, Event::Deleted(object));
        }
    }

    fn tell(&mut self, plural: &str, event: Event) {
        self.watchers.retain(|(p, ns, to)| p != plural || !concerns(&event, ns) || to.unbounded_send(event.clone()).is_ok());
        self.told.push((self.revision, plural.to_owned(), event));
    }

    fn current(&self, resource: &GroupVersionResource, namespace: &str, name: &str) -> Result<Value, Status> {
        let key = (plural(resource), namespace.to_owned(), name.to_owned());
        self.objects
            .get(&key)
            .cloned()
            .ok_or_else(|| Status::not_found(&GroupResource::new(&resource.group, &resource.resource), name))
    }

    /// Stores a changed object, or lets it end when nothing holds it any more.
    fn settle(&mut self, plural: &str, object: Value) -> Value {
        let held = !meta::finalizers(&object).is_empty()
            || object.pointer("/spec/finalizers").and_then(Value::as_array).is_some_and(|f| !f.is_empty());
        if meta::deletion_timestamp(&object).is_some() && !held {
            let (namespace, name) = (meta::namespace(&object).to_owned(), meta::name(&object).to_owned());
            self.drop(plural, &namespace, &name);
            return object;
        }
        self.put(plural, object)
    }
}

fn matches(object: &Value, selector: &str) -> bool {
    selector::label::Selector::parse(selector).expect("a label selector").matches_object(object)
}

fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, value) in patch {
        if value.is_null() {
            target.as_object_mut().unwrap().shift_remove(key);
        } else {
            merge(&mut target[key.as_str()], value);
        }
    }
}

#[async_trait::async_trait]
impl World for Fake {
    async fn get(&self, resource: &GroupVersionResource, namespace: &str, name: &str) -> Result<Value, Status> {
        self.begin("get", resource, namespace, name)?.current(resource, namespace, name)
    }

    async fn list(
        &self,
        resource: &GroupVersionResource,
        namespace: &str,
        labels: &str,
    ) -> Result<(Vec<Value>, Revision), Status> {
        let state = self.begin("list", resource, namespace, "")?;
        let plural = plural(resource);
        let of_resource = state
            .objects
            .iter()
            .filter(|(k, o)| k.0 == plural && (namespace.is_empty() || k.1 == namespace) && matches(o, labels));
        Ok((of_resource.map(|(_, o)| o.clone()).collect(), state.revision))
    }

    async fn watch(
        &self,
        resource: &GroupVersionResource,
        namespace: &str,
        from: Revision,
    ) -> Result<BoxStream<'static, Event>, Status> {
        let (to, events) = mpsc::unbounded();
        let mut state = self.begin("watch", resource, namespace, "")?;
        let plural = plural(resource);
        let missed = state.told.iter().filter(|(at, of, event)| *at > from && *of == plural && concerns(event, namespace));
        for (_, _, event) in missed {
            to.unbounded_send(event.clone()).expect("the watch has just begun");
        }
        state.watchers.push((plural, namespace.to_owned(), to));
        Ok(events.boxed())
    }

    async fn create(&self, resource: &GroupVersionResource, namespace: &str, mut object: Value) -> Result<Value, Status> {
        if meta::name(&object).is_empty() {
            let name = format!("{}x{}", meta::text(&object, "generateName"), self.state.lock().unwrap().revision);
            meta::set(&mut object, "name", name);
        }
        let name = meta::name(&object).to_owned();
        let mut state = self.begin("create", resource, namespace, &name)?;
        if state.current(resource, namespace, &name).is_ok() {
            return Err(Status::already_exists(&GroupResource::new(&resource.group, &resource.resource), &name));
        }
        if !namespace.is_empty() {
            meta::set(&mut object, "namespace", namespace);
        }
        let uid = format!("uid-{}", state.revision + 1);
        meta::set(&mut object, "uid", uid);
        meta::set(&mut object, "creationTimestamp", THEN);
        Ok(state.put(&plural(resource), object))
    }

    async fn update(&self, resource: &GroupVersionResource, subresource: &str, object: Value) -> Result<Value, Status> {
        let (namespace, name) = (meta::namespace(&object).to_owned(), meta::name(&object).to_owned());
        let verb = if subresource.is_empty() { "update".to_owned() } else { format!("update/{subresource}") };
        let mut state = self.begin(&verb, resource, &namespace, &name)?;
        let current = state.current(resource, &namespace, &name)?;
        let wanted = meta::resource_version(&object);
        if !wanted.is_empty() && wanted != meta::resource_version(&current) {
            return Err(Status::modified(&GroupResource::new(&resource.group, &resource.resource), &name));
        }
        let mut new = if subresource == "status" { current.clone() } else { object.clone() };
        if subresource == "status" {
            new["status"] = object["status"].clone();
        }
        Ok(state.settle(&plural(resource), new))
    }

    async fn merge_patch(
        &self,
        resource: &GroupVersionResource,
        subresource: &str,
        namespace: &str,
        name: &str,
        patch: Value,
    ) -> Result<Value, Status> {
        let verb = if subresource.is_empty() { "patch".to_owned() } else { format!("patch/{subresource}") };
        let mut state = self.begin(&verb, resource, namespace, name)?;
        let mut object = state.current(resource, namespace, name)?;
        let group_resource = GroupResource::new(&resource.group, &resource.resource);
        for (field, now) in [("uid", meta::uid(&object)), ("resourceVersion", meta::resource_version(&object))] {
            let wanted = patch.pointer(&format!("/metadata/{field}")).and_then(Value::as_str);
            if wanted.is_some_and(|wanted| wanted != now) {
                return Err(Status::conflict(&group_resource, name, format!("{field} differs")));
            }
        }
        merge(&mut object, &patch);
        Ok(state.settle(&plural(resource), object))
    }

    async fn delete(
        &self,
        resource: &GroupVersionResource,
        namespace: &str,
        name: &str,
        options: DeleteOptions,
    ) -> Result<(), Status> {
        let mut state = self.begin("delete", resource, namespace, name)?;
        let mut object = state.current(resource, namespace, name)?;
        let group_resource = GroupResource::new(&resource.group, &resource.resource);
        for (wanted, now) in [(&options.uid, meta::uid(&object)), (&options.resource_version, meta::resource_version(&object))] {
            if wanted.as_deref().is_some_and(|wanted| wanted != now) {
                return Err(Status::conflict(&group_resource, name, "Precondition failed"));
            }
        }
        let mut finalizers: Vec<String> = meta::finalizers(&object).into_iter().map(str::to_owned).collect();
        match options.propagation {
            Propagation::Orphan => finalizers.push("orphan".to_owned()),
            Propagation::Foreground => finalizers.push("foregroundDeletion".to_owned()),
            Propagation::Default | Propagation::Background => {}
        }
        finalizers.dedup();
        if !finalizers.is_empty() {
            meta::set(&mut object, "finalizers", json!(finalizers));
        }
        if meta::deletion_timestamp(&object).is_none() {
            meta::set(&mut object, "deletionTimestamp", THEN);
        }
        state.settle(&plural(resource), object);
        Ok(())
    }

    async fn record(&self, key: &str) -> Result<Option<(Value, Revision)>, Status> {
        Ok(self.state.lock().unwrap().records.get(key).cloned())
    }

    async fn put_record(&self, key: &str, expected: Revision, record: Value) -> Result<Revision, Status> {
        let mut state = self.state.lock().unwrap();
        if state.records.get(key).map_or(0, |(_, revision)| *revision) != expected {
            return Err(Status::modified(&GroupResource::new("", "records"), key));
        }
        state.revision += 1;
        let revision = state.revision;
        state.records.insert(key.to_owned(), (record, revision));
        Ok(revision)
    }

    fn resources(&self) -> Vec<ResourceFacts> {
        self.facts.clone()
    }

    fn extensions(&self) -> Extensions {
        self.extensions.lock().unwrap().clone()
    }
}
