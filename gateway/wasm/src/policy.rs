//! A module with its settings and grants, ready to be called; each call on an instance of its own.
//! Does not decide what an answer means.

use std::hash::Hasher;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::component::{Instance, InstancePre};
use wasmtime::{PoolConcurrencyLimitError, Store, Trap};

use crate::apart;
use crate::bindings::mutator::exports::gatehouse::policy::mutation;
use crate::bindings::validator::exports::gatehouse::policy::validation;
use crate::bindings::validator::gatehouse::policy::types::{Metadata, Mutation, Request, Verdict, Violation};
use crate::engine::Runtime;
use crate::error::{BindError, Failure};
use crate::guest::{Expired, Guest, LogLine, Time};
use crate::imports::Grant;
use crate::limits::WALL_FACTOR;
use crate::module::{Module, World};
use crate::pace::Pace;
use crate::reach::{self, Reach};
use crate::{cut, guest, imports, wasi};

/// What a binding gives to a module.
#[derive(Clone, Debug)]
pub struct Binding {
    /// JSON settings.
    pub settings: Vec<u8>,
    /// Abilities.
    pub grants: Vec<Grant>,
    /// The guest's own running time for each call.
    pub deadline: Duration,
}

/// A module bound to settings.
pub struct Policy {
    /// The module.
    pub module: Arc<Module>,
    run: Run,
}

/// Where its guests run.
enum Run {
    /// In this process.
    Here(Here),
    /// In another.
    Apart(apart::Bound),
}

/// What running here takes.
struct Here {
    settings: Vec<u8>,
    deadline: Duration,
    pre: InstancePre<Guest>,
    exports: Exports,
    pace: Pace,
}

/// Where a component's functions are.
pub(crate) enum Exports {
    Validation(validation::GuestIndices),
    Mutation(mutation::GuestIndices),
}

impl Exports {
    pub(crate) fn of(pre: &InstancePre<Guest>, world: World) -> wasmtime::Result<Self> {
        Ok(match world {
            World::Validator => Self::Validation(validation::GuestIndices::new(pre)?),
            World::Mutator => Self::Mutation(mutation::GuestIndices::new(pre)?),
        })
    }

    /// Whether the functions have the types of the contract.
    pub(crate) fn fit(&self, store: &mut Store<Guest>, instance: &Instance) -> wasmtime::Result<()> {
        match self {
            Self::Validation(indices) => indices.load(store, instance).map(drop),
            Self::Mutation(indices) => indices.load(store, instance).map(drop),
        }
    }

    pub(crate) fn describe(&self, store: &mut Store<Guest>, instance: &Instance) -> wasmtime::Result<Metadata> {
        match self {
            Self::Validation(indices) => indices.load(&mut *store, instance)?.call_describe(store),
            Self::Mutation(indices) => indices.load(&mut *store, instance)?.call_describe(store),
        }
    }

    fn configure(&self, store: &mut Store<Guest>, instance: &Instance, settings: &Vec<u8>) -> wasmtime::Result<Configured> {
        match self {
            Self::Validation(indices) => indices.load(&mut *store, instance)?.call_configure(store, settings),
            Self::Mutation(indices) => indices.load(&mut *store, instance)?.call_configure(store, settings),
        }
    }
}

/// What `configure` said.
type Configured = Result<(), Vec<Violation>>;

/// One call: what is judged, and whom the guest may ask meanwhile.
#[derive(Clone)]
pub struct Call<'a> {
    /// The request.
    pub request: &'a Request,
    /// The object, as far as the module reads it.
    pub object: Option<&'a Vec<u8>>,
    /// The object that is stored, likewise.
    pub old: Option<&'a Vec<u8>>,
    /// The object of the binding's parameters.
    pub params: Option<&'a Vec<u8>>,
    /// Answers the guest's questions.
    pub reach: Arc<dyn Reach>,
    /// It is made on a thread that others wait for: whoever takes longer than a moment fails with [`Failure::NotBrief`].
    pub briefly: bool,
}

impl<'a> Call<'a> {
    /// A call whose guest has nobody to ask.
    pub fn of(request: &'a Request, object: Option<&'a Vec<u8>>) -> Self {
        Self { request, object, old: None, params: None, reach: reach::nothing(), briefly: false }
    }
}

/// What came of one call.
#[derive(Debug)]
pub struct Answer<T> {
    /// The answer, or why there is none.
    pub outcome: Result<T, Failure>,
    /// Wall time of the call.
    pub took: Duration,
    /// What the policy logged.
    pub log: Vec<LogLine>,
    /// Instructions of the guest, where the runtime counts them.
    pub fuel: u64,
    /// It asked what the requester may do, and there is none: its answer is not one about a request.
    pub needs_user: bool,
}

impl<T> Answer<T> {
    /// What people get to read of it.
    fn told(self, change: impl FnOnce(T) -> T) -> Self {
        Self { outcome: self.outcome.map(change).map_err(cut::failure), ..self }
    }
}

impl Module {
    /// Binds the module: refuses imports that are not granted and settings that the module does not accept.
    /// Runs the guest; never call it on a request's path.
    pub fn bind(self: &Arc<Self>, binding: Binding) -> Result<Policy, BindError> {
        imports::granted(&self.imports, &binding.grants)?;
        if let Some(held) = &self.held {
            return Ok(Policy { module: self.clone(), run: Run::Apart(held.bind(binding)?) });
        }
        let linker = imports::linker(&self.runtime, &self.component, &binding.grants).map_err(BindError::Link)?;
        let pre = linker.instantiate_pre(&self.component).map_err(BindError::Link)?;
        let exports = Exports::of(&pre, self.world).map_err(BindError::Link)?;
        let Binding { settings, deadline, .. } = binding;
        let here = Here { settings, deadline, pre, exports, pace: Pace::default() };
        here.check_settings(&self.runtime)?;
        Ok(Policy { module: self.clone(), run: Run::Here(here) })
    }
}

impl Policy {
    /// How long its calls took lately: nothing before the first, nor where its guests run in another process.
    pub fn pace(&self) -> Option<Duration> {
        match &self.run {
            Run::Apart(_) => None,
            Run::Here(here) => here.pace.mean(),
        }
    }

    /// Takes in everything by which this policy could tell a call from others of its own. False when the answer may be another
    /// one each time: calls that are told alike otherwise have the same answer, if they have any.
    pub fn tell(&self, call: &Call<'_>, state: &mut impl Hasher) -> bool {
        self.module.shown.tell(call, state)
    }

    /// Judges one write. Blocks for as long as the guest runs: it belongs on [`crate::Runtime::pool`], unless it is [brief](Call::briefly).
    pub fn validate(&self, call: &Call<'_>) -> Answer<Verdict> {
        let request = self.module.shown.request(call.request);
        let call = &Call { request: &request, ..call.clone() };
        let answer = match &self.run {
            Run::Apart(bound) => bound.validate(call),
            Run::Here(here) => here.call(&self.module.runtime, call, |store, instance| match &here.exports {
                Exports::Validation(indices) => {
                    let guest = indices.load(&mut *store, instance)?;
                    guest.call_validate(store, call.request, call.object, call.old, call.params)
                }
                Exports::Mutation(_) => Ok(Err("it is a mutator, not a validator".to_owned())),
            }),
        };
        answer.told(cut::verdict)
    }

    /// Proposes a change. Blocks for as long as the guest runs: it belongs on [`crate::Runtime::pool`], unless it is [brief](Call::briefly).
    pub fn mutate(&self, call: &Call<'_>) -> Answer<Mutation> {
        let (none, request) = (Vec::new(), self.module.shown.request(call.request));
        let call = &Call { request: &request, ..call.clone() };
        let answer = match &self.run {
            Run::Apart(bound) => bound.mutate(call),
            Run::Here(here) => here.call(&self.module.runtime, call, |store, instance| match &here.exports {
                Exports::Mutation(indices) => {
                    let guest = indices.load(&mut *store, instance)?;
                    guest.call_mutate(store, call.request, call.object.unwrap_or(&none), call.old, call.params)
                }
                Exports::Validation(_) => Ok(Err("it is a validator, not a mutator".to_owned())),
            }),
        };
        answer.told(cut::mutation)
    }

    /// Makes an instance and configures it, and no more: what every call begins with. For measuring.
    pub fn configure(&self, call: &Call<'_>) -> Answer<()> {
        match &self.run {
            Run::Apart(bound) => bound.configure(call),
            Run::Here(here) => here.call(&self.module.runtime, call, |_, _| Ok(Ok(()))),
        }
    }
}

impl Here {
    fn check_settings(&self, runtime: &Runtime) -> Result<(), BindError> {
        let _running = runtime.ticker.running();
        let mut store = guest::store(runtime, Time::DESCRIBE, wasi::State::default(), reach::nothing());
        let answer = self.instantiate(&mut store).map(|(_, configured)| configured);
        match answer.map_err(|error| BindError::Failed(failure(error, store.data())))? {
            Ok(()) => Ok(()),
            Err(violations) => Err(BindError::Settings(cut::violations(violations))),
        }
    }

    fn call<T>(
        &self,
        runtime: &Runtime,
        call: &Call<'_>,
        run: impl FnOnce(&mut Store<Guest>, &Instance) -> wasmtime::Result<Result<T, String>>,
    ) -> Answer<T> {
        let started = Instant::now();
        let time = Time { deadline: self.deadline, brief: call.briefly };
        let _running = runtime.ticker.running();
        let mut store = guest::store(runtime, time, wasi::State::of(call.request), call.reach.clone());
        store.data_mut().has_user = call.request.user.is_some();
        let answer = self.instantiate(&mut store).and_then(|(instance, configured)| match configured {
            Ok(()) => run(&mut store, &instance),
            Err(_) => Ok(Err("it refuses the settings that it accepted before".to_owned())),
        });
        let outcome = match answer {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(words)) => Err(Failure::Refused(words)),
            Err(error) => Err(failure(error, store.data())),
        };
        let log = std::mem::take(&mut store.data_mut().log);
        let needs_user = store.data().asked.for_a_user;
        let fuel = if runtime.counts_fuel { store.get_fuel().map_or(0, |left| u64::MAX - left) } else { 0 };
        drop(store);
        let took = started.elapsed();
        self.pace.note(took);
        Answer { outcome, took, log, fuel, needs_user }
    }

    fn instantiate(&self, store: &mut Store<Guest>) -> wasmtime::Result<(Instance, Configured)> {
        let instance = self.pre.instantiate(&mut *store)?;
        let configured = self.exports.configure(store, &instance, &self.settings)?;
        Ok((instance, configured))
    }
}

/// Sorts what wasmtime reports into what people are told.
pub(crate) fn failure(error: wasmtime::Error, guest: &Guest) -> Failure {
    match error.downcast_ref::<Expired>() {
        Some(Expired::Running) => return Failure::Timeout { deadline: guest.deadline },
        Some(Expired::NotBrief) => return Failure::NotBrief,
        Some(Expired::Wall) => return Failure::WallTimeout { limit: guest.deadline * WALL_FACTOR },
        None => {}
    }
    if error.downcast_ref::<PoolConcurrencyLimitError>().is_some() {
        return Failure::Busy;
    }
    if guest.memory.refused {
        return Failure::OutOfMemory;
    }
    if let Some(trap) = error.downcast_ref::<Trap>() {
        return Failure::Trap(trap.to_string().trim_start_matches("wasm trap: ").to_owned());
    }
    // A guest that exits has ended itself as a trap does.
    if let Some(exit) = error.downcast_ref::<wasi::Exit>() {
        return Failure::Trap(exit.to_string());
    }
    Failure::BadAnswer(error.root_cause().to_string())
}
