//! The APIServices of what this server serves itself: one for each version of a group, built in or of custom resources. They
//! run with the server, whatever `--controllers` says. Whether the others answer is `available`'s.
//! Keeps little of each definition by group: with a thousand of them, reading all for each would take minutes.
//! Follows `k8s.io/kube-aggregator/pkg/controllers/{autoregister,status/local}` and
//! `pkg/controlplane/controller/crdregistration`.

mod available;
mod meter;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use catalog::services::{BUILTIN, CUSTOM, Priority};
use futures::{StreamExt, TryStreamExt};
use model::json::json;
use model::world::DeleteOptions;
use model::{GroupVersionResource, Value, World, meta};
use tokio::sync::watch;

use crate::feed::{Change, Reads, What};
use crate::queue::Queue;
use crate::runtime::{Error, Next, Runtime, step};

pub use available::Check;
pub(crate) use available::add as watch_over;

const GROUP: &str = "apiregistration.k8s.io";
const PLURAL: &str = "apiservices";
const DEFINITIONS: &str = "customresourcedefinitions";
/// Tells which APIServices are kept up here: made at start and left alone afterwards, or as long as a definition stands.
const LABEL: &str = "kube-aggregator.kubernetes.io/automanaged";
const ON_START: &str = "onstart";
const ALWAYS: &str = "true";
/// Objects written at the same time: enough for the store to commit them in groups.
const AT_ONCE: usize = 32;
/// Groups worked on at the same time.
const WORKERS: usize = 2;

const NAME: &str = "autoregister";
/// What counts of a definition.
const READS: Reads =
    &["metadata.name", "metadata.namespace", "metadata.uid", "spec.group", "spec.versions.name", "spec.versions.served"];

/// Objects by group and name.
type ByGroup = Mutex<HashMap<String, BTreeMap<String, Value>>>;

/// Keeps those of custom resources, a group at a time.
struct Keeper {
    definitions: ByGroup,
    known: ByGroup,
    queue: Arc<Queue<String>>,
    /// Before all definitions were listed, each APIService would seem to have outlived its own.
    synced: watch::Receiver<bool>,
}

/// Adds the controller.
pub(crate) fn add(runtime: &mut Runtime) {
    let (sender, synced) = watch::channel(false);
    let keeper = Arc::new(Keeper { definitions: ByGroup::default(), known: ByGroup::default(), queue: Arc::default(), synced });
    let heard = keeper.clone();
    let definitions = GroupVersionResource::new("apiextensions.k8s.io", "v1", DEFINITIONS);
    runtime.listen_to(definitions, READS, Arc::new(move |change| heard.hear(&heard.definitions, change)));
    let heard = keeper.clone();
    runtime.listen(resource(), Arc::new(move |change| heard.hear(&heard.known, change)));
    runtime.once_synced(move || {
        let _ = sender.send(true);
    });
    let queue = keeper.queue.clone();
    runtime.work(NAME, WORKERS, queue, move |context, group: String| {
        let keeper = keeper.clone();
        Box::pin(async move { keeper.reconcile(&*context.world, &group).await })
    });
}

impl Keeper {
    fn hear(&self, objects: &ByGroup, change: &Change<'_>) {
        let name = meta::name(change.object);
        let Some(group) = group_of(name) else { return };
        let mut all = objects.lock().unwrap_or_else(PoisonError::into_inner);
        let of_group = all.entry(group.to_owned()).or_default();
        match change.what {
            What::Added | What::Modified => drop(of_group.insert(name.to_owned(), change.object.clone())),
            What::Deleted => drop(of_group.remove(name)),
        }
        if of_group.is_empty() {
            all.remove(group);
        }
        drop(all);
        self.queue.add(group.to_owned());
    }

    async fn reconcile(&self, world: &dyn World, group: &str) -> Result<Next, Error> {
        let mut synced = self.synced.clone();
        if synced.wait_for(|synced| *synced).await.is_err() {
            return Ok(Next::Wait);
        }
        for action in decide(group, &of(&self.definitions, group), &of(&self.known, group)) {
            carry_out(world, action).await?;
        }
        Ok(Next::Wait)
    }
}

fn of(objects: &ByGroup, group: &str) -> Vec<Value> {
    // No change to the map is left half done by a panic that could strike there.
    let objects = objects.lock().unwrap_or_else(PoisonError::into_inner);
    objects.get(group).into_iter().flat_map(BTreeMap::values).cloned().collect()
}

/// What to do about one APIService.
#[derive(Debug, PartialEq)]
enum Action {
    Create(Value),
    Update(Value),
    Delete(String),
}

/// Makes those of what is built in, and gives those that are kept up their specification back. One that somebody changes or
/// deletes later comes again with the next start only.
pub(crate) async fn ensure(world: &dyn World) -> Result<(), Error> {
    let wanted = futures::stream::iter(BUILTIN.iter().map(|row| async move {
        let (group, version, priority) = *row;
        match world.get(&resource(), "", &name(group, version)).await {
            Ok(known) => match renewed(known, object(group, version, priority, ON_START)) {
                Some(renewed) => carry_out(world, Action::Update(renewed)).await,
                None => Ok(()),
            },
            Err(status) if status.code == 404 => {
                carry_out(world, Action::Create(object(group, version, priority, ON_START))).await
            }
            Err(status) => Err(step("read APIService")(status)),
        }
    }));
    wanted.buffer_unordered(AT_ONCE).try_collect().await
}

/// What is kept up and says something else, with what it should say.
fn renewed(mut known: Value, wanted: Value) -> Option<Value> {
    let is_kept = meta::labels(&known).any(|(key, value)| key == LABEL && [ON_START, ALWAYS].contains(&value));
    if !is_kept || known.get("spec") == wanted.get("spec") {
        return None;
    }
    known["spec"] = wanted["spec"].clone();
    Some(known)
}

/// What is missing, differs or outlived its definition in one group.
fn decide(group: &str, definitions: &[Value], known: &[Value]) -> Vec<Action> {
    let of_group = definitions.iter().filter(|definition| text(definition, "/spec/group") == group);
    let served =
        of_group.flat_map(|definition| definition.pointer("/spec/versions").and_then(Value::as_array).into_iter().flatten());
    let served = served.filter(|version| version.get("served") == Some(&Value::Bool(true)));
    let mut wanted: Vec<&str> = served.map(|version| text(version, "/name")).collect();
    wanted.sort_unstable();
    wanted.dedup();
    wanted.retain(|version| !BUILTIN.iter().any(|row| (row.0, row.1) == (group, version)));
    let mut actions = Vec::new();
    for version in &wanted {
        let called = name(group, version);
        let object = object(group, version, CUSTOM, ALWAYS);
        match known.iter().find(|known| meta::name(known) == called) {
            None => actions.push(Action::Create(object)),
            Some(known) if is_kept(known) => actions.extend(renewed(known.clone(), object).map(Action::Update)),
            Some(_) => {}
        }
    }
    let left = known.iter().filter(|known| is_kept(known) && text(known, "/spec/group") == group);
    let left = left.filter(|known| !wanted.contains(&text(known, "/spec/version")));
    actions.extend(left.map(|known| Action::Delete(meta::name(known).to_owned())));
    actions
}

/// What was changed, made or deleted meanwhile comes again by itself.
async fn carry_out(world: &dyn World, action: Action) -> Result<(), Error> {
    let done = match action {
        Action::Create(object) => world.create(&resource(), "", object).await.map(drop),
        Action::Update(object) => world.update(&resource(), "", object).await.map(drop),
        Action::Delete(name) => world.delete(&resource(), "", &name, DeleteOptions::default()).await,
    };
    match done {
        Err(status) if !matches!(status.code, 404 | 409) => Err(step("keep APIService")(status)),
        _ => Ok(()),
    }
}

fn object(group: &str, version: &str, priority: Priority, kept: &str) -> Value {
    let mut spec = json!({"version": version, "groupPriorityMinimum": priority.group, "versionPriority": priority.version});
    if !group.is_empty() {
        spec["group"] = group.into();
    }
    json!({"metadata": {"name": name(group, version), "labels": {LABEL: kept}}, "spec": spec})
}

/// Whether it lives and goes with a definition.
fn is_kept(known: &Value) -> bool {
    meta::labels(known).any(|(key, value)| key == LABEL && value == ALWAYS)
}

fn name(group: &str, version: &str) -> String {
    format!("{version}.{group}")
}

fn resource() -> GroupVersionResource {
    GroupVersionResource::new(GROUP, "v1", PLURAL)
}

/// Names of both kinds end in the group, behind the first dot.
fn group_of(name: &str) -> Option<&str> {
    name.split_once('.').map(|(_, group)| group).filter(|group| !group.is_empty())
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(versions: &[(&str, bool)]) -> Value {
        let versions: Vec<Value> = versions.iter().map(|(name, served)| json!({"name": name, "served": served})).collect();
        json!({"metadata": {"name": "hosts.net.example.com"}, "spec": {"group": "net.example.com", "versions": versions}})
    }

    #[test]
    fn served_versions_have_one_each() {
        let made = object("net.example.com", "v1", CUSTOM, ALWAYS);
        let spec = json!({"group": "net.example.com", "version": "v1", "groupPriorityMinimum": 1000, "versionPriority": 100});
        assert_eq!(made["spec"], spec);
        let definitions = [definition(&[("v1", true), ("v2", false)]), definition(&[("v1", true)])];
        assert_eq!(decide("net.example.com", &definitions, &[]), [Action::Create(made.clone())]);
        assert_eq!(decide("net.example.com", &definitions, std::slice::from_ref(&made)), []);
        assert_eq!(
            decide("net.example.com", &[], std::slice::from_ref(&made)),
            [Action::Delete("v1.net.example.com".to_owned())]
        );
        let mut changed = made.clone();
        changed["spec"]["versionPriority"] = 7.into();
        assert_eq!(decide("net.example.com", &definitions, &[changed.clone()]), [Action::Update(made)]);
        changed["metadata"]["labels"] = json!({});
        assert_eq!(decide("net.example.com", &[], &[changed]), [], "one that somebody else keeps is left alone");
    }

    #[test]
    fn what_is_built_in_is_never_taken_away() {
        let own = object("apps", "v1", Priority { group: 17800, version: 15 }, ON_START);
        assert_eq!(decide("apps", &[], std::slice::from_ref(&own)), []);
        let mut changed = own.clone();
        changed["spec"]["groupPriorityMinimum"] = 7.into();
        assert_eq!(renewed(changed.clone(), own.clone()), Some(own.clone()));
        changed["metadata"]["labels"] = json!({});
        assert_eq!((renewed(changed, own.clone()), renewed(own.clone(), own)), (None, None));
    }
}
