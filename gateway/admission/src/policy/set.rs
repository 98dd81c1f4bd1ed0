//! The policies in force at one moment: swapped as a whole, so that no request sees a mixture.
//! Does not load (`load`) and does not judge (`judge`).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use wasm::{Module, Policy, World};

use super::binding::Binding;
use super::exception::Exception;
use super::fields::Fields;
use super::settings;
use model::Value;
use model::field::{Errors, Fault, Path, Spelling};
use model::selector::label::Selector;

/// The set that one request meets, from its first mutator to its last validator. Notes that differ in it alone say the same.
#[derive(Clone, Default)]
pub struct Met(Option<Arc<PolicySet>>);

impl Met {
    /// It, or the present one where it has met none.
    pub(super) fn or(&mut self, present: impl FnOnce() -> Arc<PolicySet>) -> Arc<PolicySet> {
        self.0.get_or_insert_with(present).clone()
    }
}

impl std::fmt::Debug for Met {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Met").field(&self.0.as_ref().map(|set| set.len())).finish()
    }
}

impl PartialEq for Met {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Met {}

/// One binding in force.
pub struct Entry {
    /// Its own among all that the process has bound.
    pub(super) number: u64,
    /// As it was written.
    pub binding: Binding,
    /// The module, ready to be called; or why a binding that was in force before cannot be run now.
    pub policy: Result<Policy, String>,
    /// What it reads.
    pub reads: Fields,
    /// What it is handed: what it reads, and what it may change, so that it changes a map that is there instead of putting
    /// another in its place.
    handed: Fields,
    /// What it may change.
    pub writes: Fields,
    /// What is to come after it.
    pub candidate: Option<Candidate>,
    /// Why its candidate cannot be asked.
    pub candidate_wrong: Option<String>,
}

/// A candidate that can be asked.
#[derive(Clone)]
pub struct Candidate {
    /// The binding as it would be.
    pub entry: Arc<Entry>,
    /// Namespaces in which it is in force already.
    pub namespaces: Option<Selector>,
}

/// Why a module does not go with a binding.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// Something in `spec.settings` or `spec.grants`.
    #[error("{}", .0.0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    Spec(Errors),
    /// The module itself.
    #[error("{0}")]
    Module(String),
}

impl Entry {
    /// Binds a module. Runs the guest: never on a request's path.
    pub fn bind(binding: Binding, module: &Arc<Module>) -> Result<Self, Unfit> {
        let spec = Path::new("spec");
        let at = spec.child("settings");
        let mut errors = Errors::new();
        if !module.metadata.settings_schema.is_empty()
            && let Ok(schema) = serde_json::from_str(&module.metadata.settings_schema)
        {
            settings::check(&schema, &binding.settings, &at, &mut errors);
        }
        if !errors.is_empty() {
            return Err(Unfit::Spec(errors));
        }
        let policy = module.bind(binding.to_wasm()).map_err(|error| unfit(error, &at))?;
        let metadata = &module.metadata;
        let reads = Fields::handed(&metadata.reads).map_err(Unfit::Module)?;
        let writes = Fields::parse(&metadata.writes).map_err(Unfit::Module)?;
        let mut handed = reads.clone();
        handed.join(&writes);
        let number = number();
        Ok(Self { number, binding, policy: Ok(policy), reads, handed, writes, candidate: None, candidate_wrong: None })
    }

    /// Binds a binding and its candidate; `find` gives modules by name. A candidate that cannot be asked leaves the binding
    /// as it is, and says why.
    pub fn with_candidate(mut binding: Binding, find: &dyn Fn(&str) -> Result<Arc<Module>, String>) -> Result<Self, Unfit> {
        let candidate = binding.candidate.take();
        let module = find(&binding.module).map_err(Unfit::Module)?;
        let mut entry = Self::bind(binding.clone(), &module)?;
        let Some(candidate) = candidate else { return Ok(entry) };
        let bound = find(&candidate.module).map_err(Unfit::Module).and_then(|other| {
            if other.world != module.world {
                return Err(Unfit::Module(format!("it is a {}, and the binding's module is none", other.world.as_str())));
            }
            let settings = candidate.settings.unwrap_or_else(|| binding.settings.clone());
            Self::bind(Binding { module: candidate.module.clone(), settings, ..binding }, &other)
        });
        match bound {
            Ok(bound) => entry.candidate = Some(Candidate { entry: Arc::new(bound), namespaces: candidate.namespaces }),
            Err(unfit) => entry.candidate_wrong = Some(format!("candidate {:?}: {unfit}", candidate.module)),
        }
        Ok(entry)
    }

    /// A binding that was in force and cannot be run now.
    pub fn broken(binding: Binding, why: String) -> Self {
        let (none, policy) = (Fields::default, Err(why));
        let (reads, handed, writes) = (none(), none(), none());
        Self { number: number(), binding, policy, reads, handed, writes, candidate: None, candidate_wrong: None }
    }

    /// An object as the module sees it.
    pub fn project(&self, object: &Value) -> Vec<u8> {
        self.handed.project(object)
    }

    /// Whether it changes objects.
    pub(super) fn is_mutator(&self) -> bool {
        self.policy.as_ref().is_ok_and(|policy| policy.module.world == World::Mutator)
    }

    /// Whether the module sees another object after an update than before.
    pub(super) fn is_shown_another(&self, old: &Value, object: &Value) -> bool {
        self.handed.touched(Some(old), Some(object))
    }

    /// Which revision of the module, in short; empty while it cannot be run.
    pub fn revision(&self) -> &str {
        self.policy.as_ref().map_or("", |policy| revision(&policy.module))
    }
}

/// One that nobody has.
fn number() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed)
}

/// The first digits of a module's digest.
pub fn revision(module: &Module) -> &str {
    module.digest.get(7..19).unwrap_or(&module.digest)
}

fn unfit(error: wasm::BindError, at: &Path<'_>) -> Unfit {
    let mut errors = Errors::new();
    match error {
        wasm::BindError::Settings(violations) => {
            for violation in violations {
                let field = if violation.field.is_empty() { at.to_string() } else { format!("{at}.{}", violation.field) };
                errors.0.push(model::field::Error {
                    fault: Fault::Invalid,
                    field,
                    value: None,
                    detail: violation.message,
                    spelling: Spelling::Go,
                });
            }
        }
        wasm::BindError::NotGranted { .. } => {
            let spec = Path::new("spec");
            errors.forbidden(&spec.child("grants"), error.to_string());
        }
        other => return Unfit::Module(other.to_string()),
    }
    Unfit::Spec(errors)
}

/// Every binding in force.
#[derive(Default)]
pub struct PolicySet {
    /// Those that judge, by name.
    pub validators: Vec<Arc<Entry>>,
    /// Those that change, in their order.
    pub mutators: Vec<Arc<Entry>>,
    /// What is excepted.
    pub exceptions: Vec<Arc<Exception>>,
}

impl PolicySet {
    /// A set of these. A binding that cannot be run is asked where it can refuse: among the validators.
    pub fn of(entries: impl Iterator<Item = Arc<Entry>>, exceptions: Vec<Arc<Exception>>) -> Self {
        let (mut mutators, mut validators): (Vec<_>, Vec<_>) = entries.partition(|entry: &Arc<Entry>| entry.is_mutator());
        mutators.sort_by(|a, b| (a.binding.order, &a.binding.name).cmp(&(b.binding.order, &b.binding.name)));
        validators.sort_by(|a, b| a.binding.name.cmp(&b.binding.name));
        Self { validators, mutators, exceptions }
    }

    /// Whether two sets hold the same, bound by the same attempts.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        fn same<T>(a: &[Arc<T>], b: &[Arc<T>]) -> bool {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| Arc::ptr_eq(a, b))
        }
        same(&self.validators, &other.validators)
            && same(&self.mutators, &other.mutators)
            && same(&self.exceptions, &other.exceptions)
    }

    /// How many bindings are in force.
    pub fn len(&self) -> usize {
        self.validators.len() + self.mutators.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
