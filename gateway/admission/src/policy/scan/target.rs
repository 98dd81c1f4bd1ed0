//! Which resources are judged where they are stored, in which version, and how much of their objects is read for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use catalog::Catalog;
use model::{GroupVersionKind, GroupVersionResource};

use crate::Operation;
use crate::policy::GROUP;
use crate::policy::fields::Fields;
use crate::policy::set::{Entry, PolicySet};

/// What changes all the time: judged and followed for those alone that call it by its name.
const RESTLESS: &[(&str, &str)] = &[("", "events"), ("events.k8s.io", "events"), ("coordination.k8s.io", "leases")];

/// Whether objects of a resource change all the time.
pub(super) fn is_restless(resource: &GroupVersionResource) -> bool {
    RESTLESS.contains(&(&*resource.group, &*resource.resource))
}

/// By what objects are told apart and selected.
const IDENTITY: [&str; 6] = ["name", "namespace", "uid", "resourceVersion", "creationTimestamp", "labels"];

/// A resource that validators can be about, in one version.
pub(super) struct Target {
    pub(super) resource: GroupVersionResource,
    pub(super) kind: GroupVersionKind,
    /// What must be read of an object, see [`Fields::trunks`].
    reads: Option<Vec<String>>,
}

impl Target {
    /// The same as [`model::World::list_fields`] takes it.
    pub(super) fn reads(&self) -> Vec<&str> {
        self.reads.iter().flatten().map(String::as_str).collect()
    }
}

/// All of them.
pub(super) fn all(set: &PolicySet, catalog: &Catalog) -> Vec<Target> {
    let mut targets = BTreeMap::<&str, Target>::new();
    for resource in catalog.all() {
        let Some(storage) = &resource.storage else { continue };
        if &*resource.gvr.group == GROUP || !resource.verbs.iter().any(|verb| &**verb == "watch") {
            continue;
        }
        let about: Vec<_> = set.validators.iter().filter(|entry| may_judge(entry, &resource.gvr)).collect();
        match targets.get_mut(&*storage.prefix) {
            None if about.is_empty() => {}
            None => {
                let target = Target { resource: resource.gvr.clone(), kind: resource.gvk.clone(), reads: reads(&about) };
                targets.insert(&storage.prefix, target);
            }
            // Who means only another version is shown the object converted, which takes all of it.
            Some(first) if about.iter().any(|entry| !may_judge(entry, &first.resource)) => first.reads = None,
            Some(_) => {}
        }
    }
    targets.into_values().collect()
}

/// Whether a policy wants to judge what is stored of a resource that it matches.
pub(super) fn is_meant(entry: &Entry, resource: &GroupVersionResource) -> bool {
    !is_restless(resource) || entry.binding.constraints.names(&resource.resource)
}

/// Whether a policy may be about objects of a resource.
pub(super) fn may_judge(entry: &Entry, resource: &GroupVersionResource) -> bool {
    entry.binding.constraints.may_match(resource, Operation::Create) && is_meant(entry, resource)
}

/// What must be read for these: what the modules read, and by what objects are told apart and selected.
fn reads(entries: &[&Arc<Entry>]) -> Option<Vec<String>> {
    let mut all = IDENTITY.iter().fold(Fields::default(), |all, name| all.with(&["metadata", name]));
    for entry in entries {
        if !entry.binding.conditions.is_empty() {
            return None;
        }
        all.join(&entry.reads);
        if let Some(candidate) = &entry.candidate {
            all.join(&candidate.entry.reads);
        }
    }
    all.trunks()
}
