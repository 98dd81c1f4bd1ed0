//! Keeps up what the status of a ResourceQuota says: its limits as they are in force, and what is used of them. Admission
//! charges what comes (plugin `ResourceQuota`); this counts anew when something went, or a quota is new or has changed.
//! Follows `pkg/controller/resourcequota`. What objects count is in `catalog::quota`.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use catalog::quota::{self, Amounts, Evaluator, Scope};
use jiff::Timestamp;
use model::{GroupVersionResource, Status, Value, World, meta};

use crate::everything::{self, Everything};
use crate::feed::{Change, Listener, Reads, What};
use crate::queue::Queue;
use crate::runtime::{Context, Error, Next, Runtime, step};

/// Name, as kube-controller-manager spells it.
pub const NAME: &str = "resourcequota-controller";
/// Quotas counted at the same time; upstream's `--concurrent-resource-quota-syncs`.
const WORKERS: usize = 5;
/// How often everything is counted anew; upstream's `--resource-quota-sync-period`.
const RESYNC: Duration = Duration::from_secs(5 * 60);

/// What tells that a pod counts less than before.
const POD: Reads = &[
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "metadata.deletionTimestamp",
    "metadata.deletionGracePeriodSeconds",
    "spec.activeDeadlineSeconds",
    "status",
];
/// The same of a Service.
const SERVICE: Reads = &["metadata.name", "metadata.namespace", "metadata.uid", "spec.type"];

/// What must be known to tell which quotas a change concerns.
#[derive(Default)]
struct Known {
    /// What each quota limits, by namespace and name.
    quotas: HashMap<String, BTreeMap<String, Vec<String>>>,
    /// How the pods and Services of namespaces that have quotas were last, by uid.
    last: HashMap<String, u64>,
}

#[derive(Default)]
struct Ledger {
    known: Mutex<Known>,
    queue: Arc<Queue<String>>,
}

/// Adds the controller to a runtime; it hears of every resource.
pub(crate) fn add(runtime: &mut Runtime, everything: &mut Everything) {
    let ledger: Arc<Ledger> = Arc::default();
    let hear = |hear: fn(&Ledger, &Change<'_>)| -> Listener {
        let ledger = ledger.clone();
        Arc::new(move |change| hear(&ledger, change))
    };
    runtime.listen(GroupVersionResource::new("", "v1", "resourcequotas"), hear(Ledger::hear_quota));
    everything.listen(hear(Ledger::hear_end));
    runtime.listen_to(GroupVersionResource::new("", "v1", "pods"), POD, hear(Ledger::hear_change));
    runtime.listen_to(GroupVersionResource::new("", "v1", "services"), SERVICE, hear(Ledger::hear_change));
    let claims = GroupVersionResource::new("", "v1", "persistentvolumeclaims");
    runtime.listen(
        claims,
        hear(|ledger, change| {
            if change.what == What::Modified {
                ledger.recount(change)
            }
        }),
    );
    runtime.work(NAME, WORKERS, ledger.queue.clone(), move |context, key: String| {
        Box::pin(async move { reconcile(&context, &key).await })
    });
    runtime.spawn(async move {
        loop {
            tokio::time::sleep(RESYNC).await;
            ledger.recount_all();
        }
    });
}

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, Known> {
        // No change is left half done by a panic that could strike there.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear_quota(&self, change: &Change<'_>) {
        let (namespace, name) = (meta::namespace(change.object), meta::name(change.object));
        let mut known = self.lock();
        let quotas = known.quotas.entry(namespace.to_owned()).or_default();
        if change.what == What::Deleted {
            quotas.remove(name);
            if quotas.is_empty() {
                known.quotas.remove(namespace);
            }
            return;
        }
        quotas.insert(name.to_owned(), limits(change.object, "/spec/hard").into_keys().collect());
        drop(known);
        // Every charge changes the status: it is no reason to count.
        if change.what == What::Added || is_uncounted(change.object) {
            self.queue.add(format!("{namespace}/{name}"));
        }
    }

    fn hear_end(&self, change: &Change<'_>) {
        if change.what == What::Deleted {
            self.lock().last.remove(meta::uid(change.object));
            self.recount(change);
        }
    }

    /// A pod or a Service: whether it counts otherwise than before.
    fn hear_change(&self, change: &Change<'_>) {
        let mut known = self.lock();
        if change.what == What::Deleted || !known.quotas.contains_key(meta::namespace(change.object)) {
            return;
        }
        let now = fingerprint(change.object);
        let counts_otherwise = match known.last.entry(meta::uid(change.object).to_owned()) {
            Entry::Occupied(mut last) => last.insert(now) != now,
            Entry::Vacant(last) => {
                last.insert(now);
                change.what == What::Modified
            }
        };
        drop(known);
        if counts_otherwise {
            self.recount(change);
        }
    }

    /// Counts anew what limits the number of such objects, or what they ask for.
    fn recount(&self, change: &Change<'_>) {
        let resource = model::GroupResource::new(&change.resource.group, &change.resource.resource);
        let known = self.lock();
        let (Some(evaluator), Some(quotas)) = (Evaluator::of(&resource), known.quotas.get(meta::namespace(change.object))) else {
            return;
        };
        for (name, hard) in quotas {
            if !evaluator.named(hard.iter().map(String::as_str)).is_empty() {
                self.queue.add(format!("{}/{name}", meta::namespace(change.object)));
            }
        }
    }

    fn recount_all(&self) {
        for (namespace, quotas) in &self.lock().quotas {
            quotas.keys().for_each(|name| self.queue.add(format!("{namespace}/{name}")));
        }
    }
}

/// What of a pod or a Service changes what it counts: its end, its scope, what its containers were given, its type.
fn fingerprint(object: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    let text = |path| object.pointer(path).and_then(Value::as_str).unwrap_or_default();
    matches!(text("/status/phase"), "Failed" | "Succeeded").hash(&mut hasher);
    meta::deletion_timestamp(object).hash(&mut hasher);
    quota::is_terminating(object).hash(&mut hasher);
    text("/spec/type").hash(&mut hasher);
    for list in ["/status/containerStatuses", "/status/initContainerStatuses"] {
        for status in object.pointer(list).and_then(Value::as_array).into_iter().flatten() {
            let given = ["allocatedResources", "resources"].map(|field| status.get(field).map(Value::to_string));
            given.hash(&mut hasher);
        }
    }
    hasher.finish()
}

fn limits(quota: &Value, path: &str) -> Amounts {
    quota.pointer(path).map(quota::of_list).unwrap_or_default()
}

/// Whether the status lags behind the spec, or does not tell how much is used.
fn is_uncounted(quota: &Value) -> bool {
    let (hard, used) = (limits(quota, "/status/hard"), limits(quota, "/status/used"));
    limits(quota, "/spec/hard") != hard || hard.keys().any(|name| !used.contains_key(name))
}

/// The quota as it must become, seen with what is used; nothing if it says so already.
fn decide(quota: &Value, usage: &Amounts) -> Option<Value> {
    let hard = limits(quota, "/spec/hard");
    let mut used = limits(quota, "/status/used");
    used.extend(usage.clone());
    let used = quota::masked(&used, &hard);
    if hard == limits(quota, "/status/hard") && used == limits(quota, "/status/used") {
        return None;
    }
    let mut quota = quota.clone();
    quota["status"]["hard"] = quota::to_list(&hard);
    quota["status"]["used"] = quota::to_list(&used);
    Some(quota)
}

/// What the objects of a quota's namespace use of what it limits.
async fn count(world: &dyn World, quota: &Value, now: Timestamp) -> Result<Amounts, Status> {
    let (hard, scopes) = (limits(quota, "/spec/hard"), Scope::all(quota));
    let mut usage = Amounts::new();
    for facts in everything::resources(world).into_iter().filter(|facts| facts.namespaced) {
        let resource = model::GroupResource::new(&facts.resource.group, &facts.resource.resource);
        let Some(evaluator) = Evaluator::of(&resource) else { continue };
        let named = evaluator.named(hard.keys().map(String::as_str));
        if named.is_empty() {
            continue;
        }
        let mut counted: Amounts = named.iter().map(|name| ((*name).to_owned(), quota::nothing())).collect();
        let (objects, _) = world.list(&facts.resource, meta::namespace(quota), "").await?;
        for object in objects.iter().filter(|object| evaluator.is_in(&scopes, object)) {
            let all = evaluator.usage(object, now);
            quota::add(&mut counted, &quota::masked(&all, &hard));
        }
        quota::add(&mut usage, &counted);
    }
    Ok(usage)
}

async fn reconcile(context: &Context, key: &str) -> Result<Next, Error> {
    let (resource, world) = (GroupVersionResource::new("", "v1", "resourcequotas"), &*context.world);
    let (namespace, name) = key.split_once('/').unwrap_or_default();
    let quota = match world.get(&resource, namespace, name).await {
        Ok(quota) => quota,
        Err(status) if status.code == 404 => return Ok(Next::Wait),
        Err(status) => return Err(step("read quota")(status)),
    };
    let usage = count(world, &quota, context.clock.now()).await.map_err(step("count what is used"))?;
    if let Some(quota) = decide(&quota, &usage) {
        world.update(&resource, "status", quota).await.map_err(step("update status of quota"))?;
    }
    Ok(Next::Wait)
}

#[cfg(test)]
mod tests;
