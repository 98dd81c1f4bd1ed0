//! What a verdict about a stored object depends on besides the object and the binding: labels of namespaces, parameters, the
//! end of an exception. Says when one of them changed, and for which bindings; judges nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::{self, BoxStream, SelectAll};
use model::world::Event;
use model::{Clock, GroupVersionResource, Status, Value, meta};

use super::RETRY;
use crate::Cluster;
use crate::policy::set::{Entry, PolicySet};

/// Names of bindings.
type Names = BTreeSet<String>;

/// Everything that is followed for one set.
pub(super) struct Around {
    changes: SelectAll<BoxStream<'static, Names>>,
    /// When the next exception ends, and whose it is.
    end: Option<(Duration, Names)>,
}

/// Parameters of one binding: its name, and the namespace (empty: any) and name of the object.
type Reference = (String, String, String);

impl Around {
    /// Follows it from now on: what is judged later has seen what there is now.
    pub(super) async fn of(set: &PolicySet, cluster: &Cluster, clock: &dyn Clock) -> Self {
        let mut changes = SelectAll::new();
        let namespaces: Names = named(set, |entry| {
            let candidate = entry.candidate.as_ref().and_then(|candidate| candidate.namespaces.as_ref());
            entry.binding.constraints.selects_namespaces() || candidate.is_some()
        });
        if !namespaces.is_empty() {
            changes.push(or_retried(self::namespaces(cluster, namespaces.clone()).await, namespaces));
        }
        for (resource, references) in references(set, cluster) {
            let names = references.iter().map(|(binding, ..)| binding.clone()).collect();
            changes.push(or_retried(params(cluster, &resource, references).await, names));
        }
        Self { changes, end: end(set, clock) }
    }

    /// Waits for a change; the names of the bindings that it concerns.
    pub(super) async fn changed(&mut self) -> Names {
        let Self { changes, end } = self;
        let ended = async {
            match end {
                Some((after, names)) => {
                    tokio::time::sleep(*after).await;
                    names.clone()
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some(names) = changes.next() => names,
            names = ended => names,
        }
    }
}

fn named(set: &PolicySet, depends: impl Fn(&Entry) -> bool) -> Names {
    set.validators.iter().filter(|entry| depends(entry)).map(|entry| entry.binding.name.clone()).collect()
}

/// What cannot be followed now is tried again.
fn or_retried(followed: Result<BoxStream<'static, Names>, Status>, names: Names) -> BoxStream<'static, Names> {
    followed.unwrap_or_else(|error| {
        tracing::warn!(%error, "what verdicts depend on cannot be followed");
        stream::once(async move {
            tokio::time::sleep(RETRY).await;
            names
        })
        .boxed()
    })
}

/// A watch that ends may have missed something.
fn and_at_its_end(changes: impl futures::Stream<Item = Names> + Send + 'static, all: Names) -> BoxStream<'static, Names> {
    changes.chain(stream::once(ready(all))).boxed()
}

async fn namespaces(cluster: &Cluster, names: Names) -> Result<BoxStream<'static, Names>, Status> {
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
fn references(set: &PolicySet, cluster: &Cluster) -> BTreeMap<GroupVersionResource, Vec<Reference>> {
    let mut found = BTreeMap::<_, Vec<Reference>>::new();
    let Ok(catalog) = cluster.kinds.catalog() else { return found };
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

async fn params(
    cluster: &Cluster,
    resource: &GroupVersionResource,
    references: Vec<Reference>,
) -> Result<BoxStream<'static, Names>, Status> {
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

/// When the next exception ends.
fn end(set: &PolicySet, clock: &dyn Clock) -> Option<(Duration, Names)> {
    let now = clock.now();
    let next = set.exceptions.iter().filter(|exception| !exception.is_over(now)).min_by_key(|exception| exception.expires())?;
    let after = Duration::try_from(next.expires().duration_since(now)).unwrap_or_default();
    Some((after, next.bindings().cloned().collect()))
}

/// The bindings whose exceptions are others in one set than in another.
pub(super) fn excepted_otherwise(before: &PolicySet, now: &PolicySet) -> Names {
    let in_one = |these: &PolicySet, others: &PolicySet| {
        let other = |exception: &&Arc<_>| !others.exceptions.iter().any(|one| Arc::ptr_eq(one, exception));
        these.exceptions.iter().filter(other).flat_map(|exception| exception.bindings().cloned()).collect::<Names>()
    };
    in_one(before, now).into_iter().chain(in_one(now, before)).collect()
}
