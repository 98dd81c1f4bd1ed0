//! What policies say of objects that are stored, as `openreports.io` Reports: one for each object, made when somebody reads
//! it. Kept in memory alone. Does not judge (`scan`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::json::json;
use model::{GroupVersionKind, GroupVersionResource, Value, meta};
use parking_lot::RwLock;
use wasm::{Answer, Verdict, Violation};

use super::binding::Action;
use super::set::Entry;
use crate::Review;

/// Who made a report.
const SOURCE: &str = "gatehouse";

/// Every object that was judged, by namespace and the name of its report.
#[derive(Default)]
pub struct Reports(RwLock<BTreeMap<Place, Judged>>);

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
            Ok(verdict) => Said::Violated(verdict.violations.into()),
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

    fn shown(&self, namespace: &str, name: &str) -> Value {
        let mut summary = json!({"pass": 0, "fail": 0, "warn": 0, "error": 0, "skip": 0});
        let results: Vec<Value> = self.results.iter().flat_map(Found::shown).collect();
        for word in results.iter().filter_map(|result| result["result"].as_str()) {
            summary[word] = (summary[word].as_i64().unwrap_or(0) + 1).into();
        }
        let mut scope = json!({
            "apiVersion": self.kind.api_version(), "kind": &*self.kind.kind, "name": self.name, "uid": self.uid,
        });
        let mut metadata = json!({"name": name, "creationTimestamp": self.created});
        if !namespace.is_empty() {
            scope["namespace"] = namespace.into();
            metadata["namespace"] = namespace.into();
        }
        json!({
            "apiVersion": "openreports.io/v1alpha1",
            "kind": if namespace.is_empty() { "ClusterReport" } else { "Report" },
            "metadata": metadata,
            "source": SOURCE,
            "scope": scope,
            "summary": summary,
            "results": results,
        })
    }
}

impl Reports {
    /// The reports of a namespace, or of all; about what is in no namespace, or about what is.
    pub fn list(&self, namespaced: bool, namespace: &str) -> Vec<Value> {
        let all = self.0.read();
        let wanted = |(own, _): &Place| own.is_empty() != namespaced && (namespace.is_empty() || own == namespace);
        all.iter().filter(|(place, _)| wanted(place)).map(|((own, name), judged)| judged.shown(own, name)).collect()
    }

    /// One report.
    pub fn get(&self, namespace: &str, name: &str) -> Option<Value> {
        self.0.read().get(&(namespace.to_owned(), name.to_owned())).map(|judged| judged.shown(namespace, name))
    }

    /// Doubts what these bindings found: something changed on which it depends.
    pub(super) fn doubt(&self, bindings: &BTreeSet<String>) {
        if bindings.is_empty() {
            return;
        }
        let mut all = self.0.write();
        for found in all.values_mut().flat_map(|judged| &mut judged.results) {
            found.is_doubtful |= bindings.contains(&found.entry.binding.name);
        }
    }

    /// What was found about an object and is not doubted, if the object is the same still, by the bindings' names.
    pub(super) fn found(&self, resource: &GroupVersionResource, object: &Value) -> Vec<Found> {
        let all = self.0.read();
        let judged = all.get(&place(resource, object));
        let same = judged.filter(|judged| judged.uid == meta::uid(object) && judged.revision == meta::resource_version(object));
        let sure = same.map(|judged| judged.results.iter().filter(|found| !found.is_doubtful).cloned().collect());
        sure.unwrap_or_default()
    }

    /// Keeps what was found about an object; an object that concerns nobody has no report.
    pub(super) fn put(&self, mut judged: Judged) {
        let place = (judged.namespace.clone(), report_name(&judged.resource, &judged.name));
        judged.results.sort_by(|a, b| a.entry.binding.name.cmp(&b.entry.binding.name));
        judged.results.shrink_to_fit();
        let mut all = self.0.write();
        if judged.results.is_empty() {
            all.remove(&place);
        } else {
            all.insert(place, judged);
        }
    }

    /// Forgets an object that is gone.
    pub(super) fn remove(&self, resource: &GroupVersionResource, object: &Value) {
        self.0.write().remove(&place(resource, object));
    }

    /// Forgets every resource but these.
    pub(super) fn only(&self, resources: &BTreeSet<&GroupVersionResource>) {
        self.0.write().retain(|_, judged| resources.contains(&judged.resource));
    }

    /// Forgets every object of a resource but those at these places.
    pub(super) fn retain(&self, resource: &GroupVersionResource, kept: &BTreeSet<Place>) {
        self.0.write().retain(|place, judged| judged.resource != *resource || kept.contains(place));
    }
}

/// Where the report about an object is: beside it, called by resource and name.
pub(super) fn place(resource: &GroupVersionResource, object: &Value) -> Place {
    (meta::namespace(object).to_owned(), report_name(resource, meta::name(object)))
}

fn report_name(resource: &GroupVersionResource, name: &str) -> String {
    format!("{}-{name}", resource.group_resource())
}
