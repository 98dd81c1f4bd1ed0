//! Judges what is stored already: when an object changes, when a binding does, when something does on which its verdict
//! depends (`around`). Off the path of requests; asks validators alone, as if the object were made now and by nobody. Keeps
//! nothing itself (`report`).

mod around;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use model::world::Event;
use model::{Clock, GroupVersionKind, GroupVersionResource, RequestInfo, Status, User, Value, meta};

use self::around::Around;
use super::concern::{self, Role};
use super::judge::{self, Call};
use super::report::{Found, Judged};
use super::set::{Entry, PolicySet};
use super::{GROUP, Policies};
use crate::{Cluster, Notes, Operation, Review};

/// How long to wait before a list that failed is asked for again.
const RETRY: Duration = Duration::from_secs(5);
/// How long a set is looked at late: bindings come in numbers, and each makes another one.
const QUIET: Duration = Duration::from_millis(200);
/// What changes all the time and is nobody's to mend.
const RESTLESS: &[(&str, &str)] = &[("", "events"), ("events.k8s.io", "events"), ("coordination.k8s.io", "leases")];

/// Follows what is stored until the server stops.
pub(super) async fn follow(policies: &Policies) {
    let (Some(cluster), Some(clock)) = (policies.cluster.get(), policies.clock.get()) else { return };
    let mut changes = policies.changes.subscribe();
    let mut before = policies.set();
    loop {
        changes.mark_unchanged();
        let set = policies.set();
        policies.reports.doubt(&around::excepted_otherwise(&before, &set));
        before = set.clone();
        let mut around = Around::of(&set, cluster, &**clock).await;
        let scan = Scan { policies, cluster, clock: &**clock, set };
        tokio::select! {
            () = scan.run() => {}
            names = around.changed() => policies.reports.doubt(&names),
            changed = changes.changed() => if changed.is_err() { return },
        }
        tokio::time::sleep(QUIET).await;
    }
}

/// One set of policies over everything that is stored.
struct Scan<'a> {
    policies: &'a Policies,
    cluster: &'a Cluster,
    clock: &'a dyn Clock,
    set: Arc<PolicySet>,
}

impl Scan<'_> {
    /// Judges until it is given up.
    async fn run(&self) {
        let targets = self.targets();
        self.policies.reports.only(&targets);
        let mut all: FuturesUnordered<_> = targets.iter().map(|(resource, kind)| self.keep(resource, kind)).collect();
        while all.next().await.is_some() {}
        std::future::pending::<()>().await;
    }

    /// The resources that validators can be about, each in one version.
    fn targets(&self) -> BTreeMap<GroupVersionResource, GroupVersionKind> {
        let mut targets = BTreeMap::new();
        let Ok(catalog) = self.cluster.kinds.catalog() else { return targets };
        let mut seen = BTreeSet::new();
        for resource in catalog.all() {
            let (group, plural) = (&*resource.gvr.group, &*resource.gvr.resource);
            let Some(storage) = &resource.storage else { continue };
            if group == GROUP || RESTLESS.contains(&(group, plural)) || !resource.verbs.iter().any(|verb| &**verb == "watch") {
                continue;
            }
            let may = |entry: &Arc<Entry>| entry.binding.constraints.may_match(&resource.gvr, Operation::Create);
            if self.set.validators.iter().any(may) && seen.insert(storage.prefix.clone()) {
                targets.insert(resource.gvr.clone(), resource.gvk.clone());
            }
        }
        targets
    }

    /// Judges every object of a resource, and then each that changes, for ever.
    async fn keep(&self, resource: &GroupVersionResource, kind: &GroupVersionKind) {
        loop {
            if let Err(error) = self.follow(resource, kind).await {
                tracing::warn!(%error, resource = %resource.resource, "what is stored cannot be judged");
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn follow(&self, resource: &GroupVersionResource, kind: &GroupVersionKind) -> Result<(), Status> {
        let reports = &self.policies.reports;
        let (objects, at) = self.cluster.world.list(resource, "", "").await?;
        reports.retain(resource, &objects);
        let mut events = self.cluster.world.watch(resource, "", at).await?;
        for object in &objects {
            self.judge(resource, kind, object).await;
        }
        drop(objects);
        while let Some(event) = events.next().await {
            match event {
                Event::Added(object) | Event::Modified(object) => self.judge(resource, kind, &object).await,
                Event::Deleted(object) => reports.remove(resource, &object),
            }
        }
        Ok(())
    }

    /// Judges one object; what the same bindings found about it as it is stays.
    async fn judge(&self, resource: &GroupVersionResource, kind: &GroupVersionKind, object: &Value) {
        let (info, user) = (RequestInfo::default(), User::default());
        let review = Review {
            request: &info,
            user: &user,
            operation: Operation::Create,
            resource,
            kind,
            subresource: "",
            namespace: if &*resource.resource == "namespaces" { meta::name(object) } else { meta::namespace(object) },
            name: meta::name(object),
            old: None,
            options: &Value::Null,
            dry_run: false,
            uid: meta::uid(object),
            now: self.clock.now(),
            deadline: None,
        };
        let results = self.results(&review, object).await;
        self.policies.reports.put(resource, object, Judged::of(resource, kind, object, results));
    }

    async fn results(&self, review: &Review<'_>, object: &Value) -> Vec<Found> {
        let earlier = self.earlier(review, object);
        let (mut results, mut calls, mut asked) = (Vec::new(), Vec::new(), Vec::new());
        let request = Arc::new(wasm::Request { user: None, origin: wasm::Origin::Scan, ..judge::request(review) });
        for entry in &self.set.validators {
            if let Some(found) = earlier.get(&entry.binding.name).filter(|found| Arc::ptr_eq(&found.entry, entry)) {
                results.push(found.clone());
                continue;
            }
            let excepted = concern::excepted(&self.set, entry, review, Some(object));
            let concerns = concern::of(self.policies, &self.set, entry, review, Some(object), &mut Notes::default()).await;
            if let Some(exception) = excepted {
                results.push(Found::skipped(entry, &format!("excepted by {}", exception.name)));
            }
            for concern in concerns.iter().filter(|concern| concern.role != Role::Candidate) {
                if needs_user(&concern.entry) {
                    results.push(Found::skipped(entry, "needs a user"));
                    continue;
                }
                calls.push(Call::of(concern, &request, review, Some(object), Some(self.cluster)));
                asked.push(entry);
            }
        }
        let answers = judge::validate(&self.policies.runtime, calls).await;
        results.extend(asked.into_iter().zip(&answers).map(|(entry, answer)| Found::answered(entry, answer)));
        results.sort_by(|a, b| a.entry.binding.name.cmp(&b.entry.binding.name));
        results
    }

    /// What was found before, by binding, and holds still.
    fn earlier(&self, review: &Review<'_>, object: &Value) -> HashMap<String, Found> {
        let found = self.policies.reports.found(review.resource, object).into_iter();
        found.map(|found| (found.entry.binding.name.clone(), found)).collect()
    }
}

fn needs_user(entry: &Entry) -> bool {
    entry.binding.conditions.needs_user() || entry.policy.as_ref().is_ok_and(|policy| policy.module.metadata.needs_user)
}
