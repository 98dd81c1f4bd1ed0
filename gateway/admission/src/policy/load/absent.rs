//! Tells whoever writes a policy kind, as a warning, what it names and nobody finds: a binding its module, resources and
//! parameters, an exception its bindings and their rules. None of it is refused: objects are applied in any order, and what is named may come later.

use std::collections::BTreeSet;

use model::{Value, World};

use super::Kind;
use crate::policy::binding::Binding;
use crate::policy::exception::Exception;
use crate::policy::set::Entry;
use crate::policy::{Policies, reach, unserved};
use crate::{Cluster, Notes};

/// What a read of something that does not exist is answered.
const NOT_FOUND: u16 = 404;

/// Warns of the modules that a binding names.
pub(super) async fn modules(world: &dyn World, binding: &Binding, notes: &mut Notes) {
    let candidate = binding.candidate.as_ref().map(|candidate| ("spec.candidate.module", &candidate.module, "the candidate"));
    for (field, name, who) in [Some(("spec.module", &binding.module, "the binding")), candidate].into_iter().flatten() {
        match world.look(&Kind::Module.resource(), "", name).await {
            Err(status) if status.code == NOT_FOUND => {
                notes.warn(format!(
                    "{field}: there is no PolicyModule {name:?}; {who} cannot come into force before there is one"
                ));
            }
            Ok(module) => {
                if let Some(why) = unready(&module) {
                    notes.warn(format!("{field}: the PolicyModule {name:?} is not ready: {why}"));
                }
            }
            // Whoever cannot be asked now says so in the binding's status.
            Err(_) => {}
        }
    }
}

/// Warns whoever deletes a module of the bindings that name it.
pub(super) fn bound(policies: &Policies, module: &str, notes: &mut Notes) {
    let set = policies.set();
    let names = |entry: &Entry| {
        let candidate = entry.candidate.as_ref().map(|candidate| &candidate.entry.binding.module);
        entry.binding.module == module || candidate.is_some_and(|candidate| candidate == module)
    };
    let fixed = |entry: &Entry| policies.fixed.entries.iter().any(|fixed| fixed.binding.name == entry.binding.name);
    for entry in set.validators.iter().chain(&set.mutators).filter(|entry| names(entry) && !fixed(entry)) {
        notes.warn(format!(
            "binding {:?} names this module: what is in force stays until the server starts anew, and cannot judge from then on",
            entry.binding.name
        ));
    }
}

/// Warns of resources that nobody serves, about which a binding would never be asked, and of parameters that it would not get.
pub(super) async fn around(cluster: &Cluster, binding: &Binding, object: &Value, notes: &mut Notes) {
    let Ok(catalog) = cluster.kinds.catalog() else { return };
    unserved::of_binding(&catalog, object, |_| true).into_iter().for_each(|why| notes.warn(why));
    let Some(reference) = &binding.params else { return };
    // Those of a request's own namespace are looked for when there is one.
    let is_anywhere = binding.namespace().is_none() && reference.namespace.is_empty();
    if is_anywhere && catalog.all().any(|resource| resource.gvk == reference.kind && resource.namespaced) {
        return;
    }
    if let Err(why) = reach::params(cluster, binding, "").await {
        notes.warn(format!("spec.paramRef: {why}; as long as that is so the policy cannot judge, which is the failurePolicy"));
    }
}

/// What is wrong with a module, once that is known: one that was made a moment ago is not loaded yet.
fn unready(module: &Value) -> Option<&str> {
    let status = module.get("status")?;
    let is_known = status["observedGeneration"] == module["metadata"]["generation"] && status["ready"] != true;
    status["message"].as_str().filter(|message| is_known && !message.is_empty())
}

/// Warns of the bindings and resources that an exception names, and of rules that none of the bindings has.
pub(super) async fn excepted(policies: &Policies, cluster: &Cluster, exception: &Exception, notes: &mut Notes) {
    if let Ok(catalog) = cluster.kinds.catalog() {
        unserved::of_exception(&catalog, exception).into_iter().for_each(|why| notes.warn(why));
    }
    let (set, world) = (policies.set(), &*cluster.world);
    let mut known = Vec::new();
    for (n, name) in exception.bindings().enumerate() {
        match set.validators.iter().chain(&set.mutators).find(|entry| entry.binding.name == *name) {
            Some(entry) => known.push(entry),
            None if is_absent(world, name).await => notes.warn(format!("spec.bindings[{n}]: {}", nowhere(name))),
            None => {}
        }
    }
    // A binding that is not in force yet may have any rule.
    if known.len() < exception.bindings().count() {
        return;
    }
    let all: BTreeSet<&str> = known.iter().flat_map(|entry| rules(entry)).collect();
    for (n, rule) in exception.rules().enumerate().filter(|(_, rule)| !all.is_empty() && !all.contains(rule.as_str())) {
        let all = all.iter().copied().collect::<Vec<_>>().join(", ");
        notes.warn(format!("spec.rules[{n}]: none of the bindings has a rule {rule:?}; the rules are {all}"));
    }
}

/// The rules that a binding's module tells of.
fn rules(entry: &Entry) -> impl Iterator<Item = &str> {
    let module = entry.policy.as_ref().ok().map(|policy| &policy.module);
    module.into_iter().flat_map(|module| &module.metadata.rules).map(|rule| rule.name.as_str())
}

async fn is_absent(world: &dyn World, binding: &str) -> bool {
    let read = match binding.split_once('/') {
        Some((namespace, name)) => world.look(&Kind::Binding.resource(), namespace, name).await,
        None => world.look(&Kind::ClusterBinding.resource(), "", binding).await,
    };
    read.is_err_and(|status| status.code == NOT_FOUND)
}

fn nowhere(binding: &str) -> String {
    match binding.split_once('/') {
        Some((namespace, name)) => {
            format!("there is no PolicyBinding {name:?} in the namespace {namespace:?}, from which it could except anything")
        }
        None => format!("there is no ClusterPolicyBinding {binding:?}, from which it could except anything"),
    }
}
