//! What policies say of objects that are stored, as `openreports.io` Reports: one for each object, made when somebody reads
//! it. That there is one, and that it changed, lies in a store of their own, in memory alone, so that reports are listed and
//! watched as everything is, and nothing is written to the cluster's. Does not judge (`scan`).

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;
use model::clock::SystemClock;
use model::json::json;
use model::{Clock, GroupVersionKind, GroupVersionResource, Revision, Value, meta};
use parking_lot::RwLock;
use schema::normal::Encode;
use schema::{Shape, Types};
use store::{Draft, Expect, Header, Key, Limits, Op, Store, TRANSACTION_OPS_MAX};
use wasm::{Answer, Verdict, Violation};

use super::binding::Action;
use super::set::Entry;
use crate::Review;

/// Who made a report.
const SOURCE: &str = "gatehouse";

const API_VERSION: &str = "openreports.io/v1alpha1";
/// Violations of one policy that a report lists. They are kept as long as the object is.
const VIOLATIONS_MAX: usize = 64;
/// Where reports lie in their store, as the catalog has it.
pub(super) const REPORTS: &str = "/registry/openreports.io/reports/";
/// Where those of objects in no namespace do.
pub(super) const CLUSTER_REPORTS: &str = "/registry/openreports.io/clusterreports/";
/// Changes of reports are remembered for fewer watchers than those of objects, who list again at no cost but theirs.
const LOG_BYTES_MAX: usize = 8 << 20;

/// Every object that was judged.
pub struct Reports {
    store: Store,
    known: RwLock<Known>,
}

/// What was found.
#[derive(Default)]
struct Known {
    /// By namespace and the name of the report.
    judged: BTreeMap<Place, Judged>,
    /// How often something was doubted.
    doubts: u64,
    /// When each binding was, last.
    doubted: BTreeMap<String, u64>,
}

/// Namespace and name of a report.
pub(super) type Place = (String, String);

/// One object and what was said of it.
pub(super) struct Judged {
    resource: GroupVersionResource,
    kind: GroupVersionKind,
    namespace: String,
    uid: String,
    revision: String,
    name: String,
    created: Value,
    results: Vec<Found>,
}

/// What one binding says. There is one for each object and binding, so it is kept small and shown when it is read.
#[derive(Clone)]
pub(super) struct Found {
    pub(super) entry: Arc<Entry>,
    said: Said,
    /// Something changed on which it depends.
    is_doubtful: bool,
}

/// How a binding judged.
#[derive(Clone)]
enum Said {
    Passed,
    /// It was not asked, or what it said is no verdict; and why.
    Skipped(Arc<str>),
    Failed(Arc<str>),
    Violated(Arc<[Violation]>),
}

impl Found {
    /// What an answer is in a report.
    pub(super) fn answered(entry: &Arc<Entry>, answer: Answer<Verdict>) -> Self {
        let said = match answer.outcome {
            // Whatever it made of the missing user is no verdict about the object.
            _ if answer.needs_user => return Self::skipped(entry, "needs a user"),
            Err(failure) => Said::Failed(failure.to_string().into()),
            Ok(verdict) if verdict.violations.is_empty() => Said::Passed,
            Ok(verdict) => Said::Violated(verdict.violations.into_iter().take(VIOLATIONS_MAX).collect()),
        };
        Self { entry: entry.clone(), said, is_doubtful: false }
    }

    /// The binding was not asked.
    pub(super) fn skipped(entry: &Arc<Entry>, why: &str) -> Self {
        Self { entry: entry.clone(), said: Said::Skipped(why.into()), is_doubtful: false }
    }

    fn shown(&self) -> Vec<Value> {
        let entry = &self.entry;
        match &self.said {
            Said::Passed => vec![result(entry, "pass", "", "", "")],
            Said::Skipped(why) => vec![result(entry, "skip", "", why, "")],
            Said::Failed(why) => vec![result(entry, "error", "", why, "")],
            Said::Violated(violations) => {
                let word = if entry.binding.action == Action::Deny { "fail" } else { "warn" };
                violations.iter().map(|one| result(entry, word, &one.rule, &one.message, &one.field)).collect()
            }
        }
    }
}

fn result(entry: &Entry, word: &str, rule: &str, message: &str, field: &str) -> Value {
    let mut result = json!({"source": SOURCE, "policy": entry.binding.name, "result": word, "scored": true});
    for (name, text) in [("rule", rule), ("message", message)] {
        if !text.is_empty() {
            result[name] = text.into();
        }
    }
    let mut properties = json!({"revision": entry.revision()});
    if !field.is_empty() {
        properties["field"] = field.into();
    }
    result["properties"] = properties;
    result
}

impl Judged {
    /// An object of which nothing is said yet.
    pub(super) fn of(review: &Review<'_>, object: &Value) -> Self {
        Self {
            resource: review.resource.clone(),
            kind: review.kind.clone(),
            namespace: meta::namespace(object).to_owned(),
            uid: meta::uid(object).to_owned(),
            revision: meta::resource_version(object).to_owned(),
            name: meta::name(object).to_owned(),
            created: object.pointer("/metadata/creationTimestamp").cloned().unwrap_or_default(),
            results: Vec::new(),
        }
    }

    /// Adds what a binding said.
    pub(super) fn add(&mut self, found: Found) {
        self.results.push(found);
    }

    fn shown(&self, (namespace, name): &Place) -> Value {
        let mut summary = json!({"pass": 0, "fail": 0, "warn": 0, "error": 0, "skip": 0});
        let results: Vec<Value> = self.results.iter().flat_map(Found::shown).collect();
        for word in results.iter().filter_map(|result| result["result"].as_str()) {
            summary[word] = (summary[word].as_i64().unwrap_or(0) + 1).into();
        }
        let mut scope = json!({
            "apiVersion": self.kind.api_version(), "kind": &*self.kind.kind, "name": self.name, "uid": self.uid,
        });
        if !namespace.is_empty() {
            scope["namespace"] = namespace.as_str().into();
        }
        let metadata = self.metadata(namespace, name);
        json!({"metadata": metadata, "source": SOURCE, "scope": scope, "summary": summary, "results": results})
    }

    fn metadata(&self, namespace: &str, name: &str) -> Value {
        let mut metadata = json!({"name": name, "uid": uid(&self.uid), "creationTimestamp": self.created});
        if !namespace.is_empty() {
            metadata["namespace"] = namespace.into();
        }
        metadata
    }

    /// A number that is another one when the report is.
    fn mark(&self) -> u64 {
        let mut mark = DefaultHasher::new();
        self.uid.hash(&mut mark);
        for found in &self.results {
            (&found.entry.binding.name, found.entry.revision(), found.entry.binding.action.as_str()).hash(&mut mark);
            match &found.said {
                Said::Passed => 0.hash(&mut mark),
                Said::Skipped(why) => (1, why).hash(&mut mark),
                Said::Failed(why) => (2, why).hash(&mut mark),
                Said::Violated(all) => all.iter().for_each(|one| (3, &one.rule, &one.message, &one.field).hash(&mut mark)),
            }
        }
        mark.finish()
    }
}

/// The uid of the report about an object: the same from whichever server, and after a restart.
fn uid(of: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, format!("{SOURCE} {of}").as_bytes());
    let bytes = digest.as_ref().first_chunk().copied().unwrap_or_default();
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

impl Reports {
    /// None yet. Revisions begin with the time in microseconds: those of another run, or of another server, are told apart, since
    /// none changes a million reports a second. Fails when no thread can be started.
    pub(super) fn start() -> std::io::Result<Self> {
        let floor = Revision::try_from(SystemClock.now().as_microsecond()).unwrap_or(store::FIRST_REVISION);
        let limits = Limits { log_bytes_max: LOG_BYTES_MAX, ..Limits::DEFAULT };
        Ok(Self { store: Store::memory_after(floor, Arc::new(SystemClock), limits)?, known: RwLock::default() })
    }

    /// Which reports there are. What they say is [`Reports::shown`].
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// A report as it is now.
    pub fn shown(&self, namespace: &str, name: &str) -> Option<Value> {
        let place = (namespace.to_owned(), name.to_owned());
        self.known.read().judged.get(&place).map(|judged| judged.shown(&place))
    }

    /// Doubts what these bindings found: something changed on which it depends.
    pub(super) fn doubt(&self, bindings: &BTreeSet<String>) {
        if bindings.is_empty() {
            return;
        }
        let Known { judged, doubts, doubted } = &mut *self.known.write();
        *doubts += 1;
        doubted.extend(bindings.iter().map(|binding| (binding.clone(), *doubts)));
        for found in judged.values_mut().flat_map(|judged| &mut judged.results) {
            found.is_doubtful |= bindings.contains(&found.entry.binding.name);
        }
    }

    /// How often something was doubted: what is found while that rises may be doubtful already.
    pub(super) fn doubts(&self) -> u64 {
        self.known.read().doubts
    }

    /// What was found about an object and is not doubted, if the object is the same still, by the bindings' names.
    pub(super) fn found(&self, resource: &GroupVersionResource, object: &Value) -> Vec<Found> {
        let known = self.known.read();
        let judged = known.judged.get(&place(resource, object));
        let same = judged.filter(|judged| judged.uid == meta::uid(object) && judged.revision == meta::resource_version(object));
        let sure = same.map(|judged| judged.results.iter().filter(|found| !found.is_doubtful).cloned().collect());
        sure.unwrap_or_default()
    }

    /// Keeps what was found about objects, and tells of it where it is new. With each comes what [`Reports::doubts`] was before
    /// anybody was asked about it.
    pub(super) async fn put(&self, types: &Types, all: impl Iterator<Item = (Judged, u64)>) {
        let ops = all.filter_map(|(judged, begun)| self.learn(types, judged, begun)).collect();
        self.commit(ops).await;
    }

    /// What is to be told of one object; an object that concerns nobody has no report.
    fn learn(&self, types: &Types, mut judged: Judged, begun: u64) -> Option<Op> {
        let place = (judged.namespace.clone(), report_name(&judged.resource, &judged.name));
        if judged.results.is_empty() {
            return self.forgotten(&place);
        }
        judged.results.sort_by(|a, b| a.entry.binding.name.cmp(&b.entry.binding.name));
        judged.results.shrink_to_fit();
        let is_told = self.known.read().judged.get(&place).is_some_and(|before| before.mark() == judged.mark());
        let draft = if is_told { None } else { draft(types, &place, &judged) };
        let told = draft.map(|draft| Op::Put { key: key(&place), expect: Expect::Any, draft });
        let mut known = self.known.write();
        for found in &mut judged.results {
            found.is_doubtful |= known.doubted.get(&found.entry.binding.name).is_some_and(|at| *at > begun);
        }
        known.judged.insert(place, judged);
        told
    }

    /// Forgets an object that is gone.
    pub(super) async fn remove(&self, resource: &GroupVersionResource, object: &Value) {
        self.commit(self.forgotten(&place(resource, object)).into_iter().collect()).await;
    }

    fn forgotten(&self, place: &Place) -> Option<Op> {
        self.known.write().judged.remove(place)?;
        self.untold(place)
    }

    /// What takes a report away, where there is one.
    fn untold(&self, place: &Place) -> Option<Op> {
        let key = key(place);
        self.store.resource(key.prefix()).get(key.as_str())?;
        Some(Op::Delete { key, expect: Expect::Any })
    }

    /// Forgets every resource but these.
    pub(super) async fn only(&self, resources: &BTreeSet<&GroupVersionResource>) {
        self.keep(|_, judged| resources.contains(&judged.resource)).await;
    }

    /// Forgets every object of a resource but those at these places.
    pub(super) async fn retain(&self, resource: &GroupVersionResource, kept: &BTreeSet<Place>) {
        self.keep(|place, judged| judged.resource != *resource || kept.contains(place)).await;
    }

    async fn keep(&self, is_kept: impl Fn(&Place, &Judged) -> bool) {
        let mut gone = Vec::new();
        self.known.write().judged.retain(|place, judged| {
            let kept = is_kept(place, judged);
            if !kept {
                gone.push(place.clone());
            }
            kept
        });
        self.commit(gone.iter().filter_map(|place| self.untold(place)).collect()).await;
    }

    async fn commit(&self, ops: Vec<Op>) {
        for some in ops.chunks(TRANSACTION_OPS_MAX) {
            if let Err(error) = self.store.commit(some.to_vec()).await {
                tracing::warn!(%error, "reports cannot be kept");
            }
        }
    }
}

/// Where the report about an object is: beside it, called by resource and name.
pub(super) fn place(resource: &GroupVersionResource, object: &Value) -> Place {
    (meta::namespace(object).to_owned(), report_name(resource, meta::name(object)))
}

fn report_name(resource: &GroupVersionResource, name: &str) -> String {
    format!("{}-{name}", resource.group_resource())
}

fn key((namespace, name): &Place) -> Key {
    match namespace.as_str() {
        "" => Key::new(CLUSTER_REPORTS, name),
        namespace => Key::new(REPORTS, &format!("{namespace}/{name}")),
    }
}

/// What the store keeps of a report: which it is, and no word of what it says, of which there are as many as bindings. Its type
/// comes with the program, whatever definition somebody has installed.
fn draft(types: &Types, (namespace, name): &Place, judged: &Judged) -> Option<Draft> {
    let kind = if namespace.is_empty() { "ClusterReport" } else { "Report" };
    let shape = Shape::Struct(types.of_kind(API_VERSION, kind)?);
    let (report, mut body) = (json!({"metadata": judged.metadata(namespace, name)}), Vec::new());
    let revision_at = shape.encode(types, &report, Encode { type_meta: None, splice_revision: true }, &mut body)?;
    Some(Draft { header: Header::default(), body: Bytes::from(body), revision_at, ttl_s: None })
}
