//! What was made of the policy objects so far: modules that loaded, bindings that could be bound, exceptions.
//! Does not read the API and does not run anything (`load`).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use model::{Value, meta};
use wasm::Module;

use super::Kind;
use crate::policy::binding::{self, Binding};
use crate::policy::exception::Exception;
use crate::policy::module::Stamp;
use crate::policy::set::Entry;

/// What was made of the objects so far.
#[derive(Default)]
pub(in crate::policy) struct Loaded {
    pub(super) modules: BTreeMap<String, ModuleState>,
    pub(super) bindings: BTreeMap<String, BindingState>,
    pub(super) exceptions: BTreeMap<String, Arc<Exception>>,
    /// Bindings to look at: those that changed, and those whose module did.
    pub(super) touched: BTreeSet<String>,
    /// Something else changed that is in force: a module, an exception, a binding that is gone.
    pub(super) is_other: bool,
    /// Each ends when a module was loaded, or could not be, for the first time.
    pub(super) beginning: Vec<tokio::sync::oneshot::Receiver<()>>,
}

/// Which version of an object: its uid and generation.
pub(super) type Seen = (String, i64);

#[derive(Default)]
pub(super) struct ModuleState {
    pub(super) seen: Seen,
    /// The last revision that loaded.
    pub(super) good: Option<Arc<Module>>,
    /// What is wrong with the newest, if anything.
    pub(super) wrong: Option<String>,
    pub(super) gone: bool,
    /// Where it is in a file: the object, and what the file looked like before it was read.
    pub(super) file: Option<(Value, Stamp)>,
}

pub(super) struct BindingState {
    pub(super) kind: Kind,
    pub(super) object: Value,
    /// What it says; or why it cannot be read.
    pub(super) binding: Result<Binding, String>,
    /// The last revision that could be bound.
    pub(super) good: Option<Arc<Entry>>,
    /// What is wrong with the newest, if anything.
    pub(super) wrong: Option<String>,
    /// What the last attempt was made of, so that nothing is bound twice.
    pub(super) tried: Option<Tried>,
}

/// What there is to say of a binding.
pub(super) enum Said<'s> {
    /// All is well.
    Nothing,
    /// The newest revision cannot be bound.
    Wrong(&'s str),
    /// This module is deleted.
    Deleted(&'s str),
}

/// What an attempt to bind was made of: the binding, and the digests of the modules that it names, or what they lack.
#[derive(PartialEq, Eq)]
pub(super) struct Tried {
    seen: Seen,
    modules: Vec<Result<String, String>>,
    /// Modules that somebody has deleted since they were loaded: what is bound of them stays in force.
    deleted: Vec<String>,
}

impl Tried {
    pub(super) fn of(
        seen: Seen,
        named: &[String],
        found: &HashMap<String, Result<Arc<Module>, String>>,
        deleted: Vec<String>,
    ) -> Self {
        let digest = |name: &String| match found.get(name) {
            Some(Ok(module)) => Ok(module.digest.clone()),
            Some(Err(why)) => Err(why.clone()),
            None => Err(missing(name)),
        };
        Self { seen, modules: named.iter().map(digest).collect(), deleted }
    }
}

impl Loaded {
    pub(super) fn remember(&mut self, kind: Kind, object: Value) {
        let key = binding::key(&object);
        if let Some(state) = self.bindings.get_mut(&key).filter(|state| super::seen(&state.object) == super::seen(&object)) {
            // A status, or labels.
            state.object = object;
            return;
        }
        self.touched.insert(key.clone());
        let binding = Binding::from_object(&object);
        match self.bindings.get_mut(&key) {
            // Another object of the same name has nothing to do with what was good before.
            Some(state) if meta::uid(&state.object) == meta::uid(&object) => (state.object, state.binding) = (object, binding),
            _ => drop(self.bindings.insert(key, BindingState { kind, object, binding, good: None, wrong: None, tried: None })),
        }
    }

    /// A module is another, or can or cannot be had any more.
    pub(super) fn touch(&mut self, module: &str) {
        self.is_other = true;
        let names =
            |state: &BindingState| state.binding.as_ref().is_ok_and(|binding| named(binding).iter().any(|one| one == module));
        self.touched.extend(self.bindings.iter().filter(|(_, state)| names(state)).map(|(key, _)| key.clone()));
    }

    /// Forgets what is not among the objects that there are.
    pub(super) fn retain(&mut self, kind: Kind, objects: &[Value]) {
        self.is_other = true;
        let is_there = |key: &String| objects.iter().any(|object| binding::key(object) == *key);
        match kind {
            Kind::Module => {
                self.modules.iter_mut().for_each(|(name, state)| state.gone = !is_there(name));
                let gone: Vec<String> =
                    self.modules.iter().filter(|(_, state)| state.gone).map(|(name, _)| name.clone()).collect();
                gone.iter().for_each(|name| self.touch(name));
            }
            Kind::ClusterBinding | Kind::Binding => self.bindings.retain(|key, state| state.kind != kind || is_there(key)),
            Kind::Exception => self.exceptions.retain(|name, _| is_there(name)),
        }
    }
}

impl BindingState {
    /// What its status says besides what is in force.
    pub(super) fn said(&self) -> Said<'_> {
        match (&self.wrong, self.tried.as_ref().and_then(|tried| tried.deleted.first())) {
            (Some(why), _) => Said::Wrong(why),
            (None, Some(module)) => Said::Deleted(module),
            (None, None) => Said::Nothing,
        }
    }

    /// Takes the outcome of binding; says what is wrong. A binding that was in force when the server last ran stays in
    /// force as one that fails: what was guarded is not left open because a file is missing.
    pub(super) fn take(&mut self, outcome: Result<Entry, (Option<Binding>, String)>) -> Option<String> {
        match outcome {
            Ok(entry) => {
                self.good = Some(Arc::new(entry));
                None
            }
            Err((binding, why)) => {
                let was_ready = self.object.pointer("/status/ready") == Some(&Value::Bool(true));
                if let (None, true, Some(binding)) = (&self.good, was_ready, binding) {
                    self.good = Some(Arc::new(Entry::broken(binding, why.clone())));
                }
                Some(why)
            }
        }
    }
}

/// The modules that a binding names.
pub(super) fn named(binding: &Binding) -> Vec<String> {
    let candidate = binding.candidate.as_ref().map(|candidate| candidate.module.clone());
    std::iter::once(binding.module.clone()).chain(candidate).collect()
}

/// A module by its name, or why it cannot be had.
pub(super) fn find(modules: &BTreeMap<String, ModuleState>, name: &str) -> Result<Arc<Module>, String> {
    let Some(state) = modules.get(name) else { return Err(missing(name)) };
    let why = || format!("module {name:?}: {}", state.wrong.as_deref().unwrap_or("it is not loaded"));
    state.good.clone().ok_or_else(why)
}

/// What is said of a module that is not there.
pub(super) fn missing(name: &str) -> String {
    format!("module {name:?}: it does not exist")
}
