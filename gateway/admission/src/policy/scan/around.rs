//! What a verdict about a stored object depends on besides the object and the binding: labels of namespaces, parameters, what
//! the policy may read of the cluster or ask of the authorizer, the end of an exception. Says when one of them changed, and for
//! which bindings; judges nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use catalog::{Catalog, Resource};
use futures::StreamExt;
use futures::stream::{self, BoxStream, SelectAll};
use model::world::Event;
use model::{Clock, GroupVersionResource, Status, Value, meta};
use tokio::time::{Instant, sleep_until};
use wasm::Grant;

use super::RETRY;
use super::target::is_restless;
use crate::Cluster;
use crate::policy::set::{Entry, PolicySet};

/// Names of bindings.
pub(super) type Names = BTreeSet<String>;

/// All that tells whom a change concerns.
const NAMES: &[&str] = &["metadata"];

/// What the answers of the authorizer are made of.
const RIGHTS: &str = "rbac.authorization.k8s.io";

/// Something changed.
pub(super) struct Change {
    /// For these bindings.
    pub(super) names: Names,
    /// What changes there after that is not followed.
    pub(super) is_last: bool,
}

impl Change {
    /// Takes another with it.
    pub(super) fn add(&mut self, other: Self) {
        self.names.extend(other.names);
        self.is_last |= other.is_last;
    }
}

type Changes = BoxStream<'static, Change>;

/// Everything that is followed for one set.
pub(super) struct Around {
    changes: SelectAll<Changes>,
    /// When the next exception ends, and whose it is.
    end: Option<(Instant, Names)>,
}

/// Parameters of one binding: its name, and the namespace (empty: any) and name of the object.
type Reference = (String, String, String);

impl Around {
    /// Follows it from now on: what is judged later has seen what there is now.
    pub(super) async fn of(set: &PolicySet, cluster: &Cluster, catalog: &Catalog, clock: &dyn Clock) -> Self {
        let mut changes = SelectAll::new();
        let namespaces: Names = named(set, |entry| {
            let candidate = entry.candidate.as_ref().and_then(|candidate| candidate.namespaces.as_ref());
            entry.binding.constraints.selects_namespaces() || candidate.is_some()
        });
        if !namespaces.is_empty() {
            changes.push(or_retried(self::namespaces(cluster, namespaces.clone()).await, namespaces));
        }
        for (resource, references) in references(set, catalog) {
            let names = references.iter().map(|(binding, ..)| binding.clone()).collect();
            changes.push(or_retried(params(cluster, &resource, references).await, names));
        }
        for (resource, readers) in readers(set, catalog) {
            let names = readers.iter().map(|(binding, _)| binding.clone()).collect();
            changes.push(or_retried(read(cluster, &resource, readers).await, names));
        }
        Self { changes, end: end(set, clock) }
    }

    /// Waits for a change. Nothing is lost when nobody waits to its end.
    pub(super) async fn changed(&mut self) -> Change {
        let Self { changes, end } = self;
        let at = end.as_ref().map(|(at, _)| *at);
        let ended = async {
            match at {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some(change) = changes.next() => change,
            () = ended => Change { names: end.take().map(|(_, names)| names).unwrap_or_default(), is_last: true },
        }
    }
}

fn named(set: &PolicySet, depends: impl Fn(&Entry) -> bool) -> Names {
    set.validators.iter().filter(|entry| depends(entry)).map(|entry| entry.binding.name.clone()).collect()
}

/// What cannot be followed now is tried again.
fn or_retried(followed: Result<Changes, Status>, names: Names) -> Changes {
    followed.unwrap_or_else(|error| {
        tracing::warn!(%error, "what verdicts depend on cannot be followed");
        stream::once(async move {
            tokio::time::sleep(RETRY).await;
            Change { names, is_last: true }
        })
        .boxed()
    })
}

/// A watch that ends may have missed something.
fn and_at_its_end(changes: impl futures::Stream<Item = Names> + Send + 'static, all: Names) -> Changes {
    let changes = changes.map(|names| Change { names, is_last: false });
    changes.chain(stream::once(ready(Change { names: all, is_last: true }))).boxed()
}

async fn namespaces(cluster: &Cluster, names: Names) -> Result<Changes, Status> {
    let resource = GroupVersionResource::new("", "v1", "namespaces");
    let (listed, at) = cluster.world.list(&resource, "", "").await?;
    let events = cluster.world.watch(&resource, "", at).await?;
    let labels = |namespace: &Value| namespace.pointer("/metadata/labels").cloned().unwrap_or_default();
    let mut known: HashMap<String, Value> = listed.iter().map(|one| (meta::name(one).to_owned(), labels(one))).collect();
    let all = names.clone();
    let changes = events.filter_map(move |event| {
        let other = match &event {
            Event::Added(one) | Event::Modified(one) => {
                let before = known.insert(meta::name(one).to_owned(), labels(one));
                before.is_some_and(|before| before != labels(one))
            }
            Event::Deleted(one) => {
                known.remove(meta::name(one));
                false
            }
        };
        ready(other.then(|| names.clone()))
    });
    Ok(and_at_its_end(changes, all))
}

/// The parameters of all bindings, by their resource.
fn references(set: &PolicySet, catalog: &Catalog) -> BTreeMap<GroupVersionResource, Vec<Reference>> {
    let mut found = BTreeMap::<_, Vec<Reference>>::new();
    for entry in &set.validators {
        let Some(reference) = &entry.binding.params else { continue };
        let Some(resource) = catalog.all().find(|resource| resource.gvk == reference.kind) else { continue };
        let namespace = entry.binding.namespace().unwrap_or(&reference.namespace).to_owned();
        let namespace = if resource.namespaced { namespace } else { String::new() };
        let one = (entry.binding.name.clone(), namespace, reference.name.clone());
        found.entry(resource.gvr.clone()).or_default().push(one);
    }
    found
}

async fn params(cluster: &Cluster, resource: &GroupVersionResource, references: Vec<Reference>) -> Result<Changes, Status> {
    let (_, at) = cluster.world.list(resource, "", "").await?;
    let events = cluster.world.watch(resource, "", at).await?;
    let all = references.iter().map(|(binding, ..)| binding.clone()).collect();
    let changes = events.filter_map(move |event| {
        let (Event::Added(object) | Event::Modified(object) | Event::Deleted(object)) = &event;
        let is_meant = |(_, namespace, name): &&Reference| {
            name == meta::name(object) && (namespace.is_empty() || namespace == meta::namespace(object))
        };
        let names: Names = references.iter().filter(is_meant).map(|(binding, ..)| binding.clone()).collect();
        ready((!names.is_empty()).then_some(names))
    });
    Ok(and_at_its_end(changes, all))
}

/// Who reads objects of a resource: a binding, and the namespace to which it keeps (empty: none).
type Reader = (String, String);

/// The bindings that may read of the cluster, by what they may read. What changes all the time is followed for those alone that
/// name it: who may read everything would be judged again and again because of what it never reads.
fn readers(set: &PolicySet, catalog: &Catalog) -> BTreeMap<GroupVersionResource, Vec<Reader>> {
    let mut found = BTreeMap::<_, Vec<Reader>>::new();
    let mut seen = BTreeSet::new();
    for resource in catalog.all().filter(|resource| resource.serves("watch")) {
        let readers = set.validators.iter().filter(|entry| reads(entry, resource));
        let readers: Vec<Reader> =
            readers.map(|entry| (entry.binding.name.clone(), entry.binding.namespace().unwrap_or_default().to_owned())).collect();
        let is_new = resource.storage.as_ref().is_some_and(|storage| seen.insert(storage.prefix.clone()));
        if !readers.is_empty() && is_new {
            found.insert(resource.gvr.clone(), readers);
        }
    }
    found
}

/// Whether a policy's verdict may depend on the objects of a resource.
fn reads(entry: &Entry, resource: &Resource) -> bool {
    let (gvr, binding) = (&resource.gvr, &entry.binding);
    binding.grants.iter().any(|grant| match grant {
        Grant::Cluster => {
            let place = if resource.namespaced { binding.namespace().unwrap_or_default() } else { "" };
            let is_meant = !is_restless(gvr) || binding.names_read(&gvr.group, &gvr.resource);
            is_meant && binding.may_read(&gvr.group, &gvr.resource, place).is_ok()
        }
        Grant::Authorizer => &*gvr.group == RIGHTS,
        Grant::Log => false,
    })
}

async fn read(cluster: &Cluster, resource: &GroupVersionResource, readers: Vec<Reader>) -> Result<Changes, Status> {
    let (_, at) = cluster.world.list_fields(resource, NAMES).await?;
    let events = cluster.world.watch_fields(resource, NAMES, at).await?;
    let all = readers.iter().map(|(binding, _)| binding.clone()).collect();
    let changes = events.filter_map(move |event| {
        let (Event::Added(object) | Event::Modified(object) | Event::Deleted(object)) = &event;
        let is_meant = |(_, keeps_to): &&Reader| {
            let namespace = meta::namespace(object);
            keeps_to.is_empty() || namespace.is_empty() || keeps_to == namespace
        };
        let names: Names = readers.iter().filter(is_meant).map(|(binding, _)| binding.clone()).collect();
        ready((!names.is_empty()).then_some(names))
    });
    Ok(and_at_its_end(changes, all))
}

/// When the next exception ends.
fn end(set: &PolicySet, clock: &dyn Clock) -> Option<(Instant, Names)> {
    let now = clock.now();
    let next = set.exceptions.iter().filter(|exception| !exception.is_over(now)).min_by_key(|exception| exception.expires())?;
    let after = Duration::try_from(next.expires().duration_since(now)).unwrap_or_default();
    Some((Instant::now().checked_add(after)?, next.bindings().cloned().collect()))
}

/// The bindings whose exceptions are others in one set than in another.
pub(super) fn excepted_otherwise(before: &PolicySet, now: &PolicySet) -> Names {
    let in_one = |these: &PolicySet, others: &PolicySet| {
        let other = |exception: &&Arc<_>| !others.exceptions.iter().any(|one| Arc::ptr_eq(one, exception));
        these.exceptions.iter().filter(other).flat_map(|exception| exception.bindings().cloned()).collect::<Names>()
    };
    in_one(before, now).into_iter().chain(in_one(now, before)).collect()
}
