//! Keeps the set of policies equal to the objects in the API and the directory given at start. Off the path of requests.
//! What fails leaves the last good revision in force, and says so in the object's status.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures::StreamExt;
use futures::stream::BoxStream;
use model::world::Event;
use model::{GroupKind, GroupVersionResource, Status, Value, World, meta};
use wasm::Module;

use super::binding::Binding;
use super::set::{Entry, PolicySet, Unfit};
use super::{GROUP, Policies, VERSION};
use crate::{Operation, Review};

mod directory;
mod status;

pub(super) use directory::Fixed;

/// How long to wait before lists are asked for again after one failed.
const RETRY: Duration = Duration::from_secs(1);

/// Where policies come from.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `--policy-dir`: modules and bindings that hold before the first request and cannot be changed over the API.
    pub policy_dir: Option<PathBuf>,
    /// `--policy-module-dir`: where `spec.source.file` of a PolicyModule is looked for.
    pub module_dir: Option<PathBuf>,
    /// Where compiled modules are kept; below the data directory.
    pub artifacts: Option<PathBuf>,
    /// Threads that run policies; one for each processor when 0.
    pub threads: usize,
}

/// Policies could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The runtime.
    #[error(transparent)]
    Runtime(#[from] wasm::StartError),
    /// The directory of policies: a server that was told to enforce them must not run without.
    #[error("--policy-dir: {0}")]
    Directory(String),
}

/// Live modules by name.
pub(super) type Modules = HashMap<String, Arc<Module>>;

/// What was made of the objects so far.
#[derive(Default)]
pub(super) struct Loaded {
    modules: BTreeMap<String, ModuleState>,
    bindings: BTreeMap<String, BindingState>,
}

/// Which version of an object: its uid and generation.
type Seen = (String, i64);

#[derive(Default)]
struct ModuleState {
    seen: Seen,
    /// The last revision that loaded.
    good: Option<Arc<Module>>,
    /// What is wrong with the newest, if anything.
    wrong: Option<String>,
    gone: bool,
}

struct BindingState {
    object: Value,
    /// The last revision that could be bound.
    good: Option<Arc<Entry>>,
    /// What the last attempt was made of, so that nothing is bound twice.
    tried: Option<(Seen, String)>,
}

impl Policies {
    /// Starts the runtime and loads `--policy-dir`. Blocks for as long as compiling takes; a module compiled before takes
    /// a millisecond. Fails when anything in that directory cannot be enforced.
    pub fn start(options: Options) -> Result<Arc<Self>, StartError> {
        let runtime = wasm::Runtime::start(&wasm::Options { artifacts: options.artifacts.clone(), threads: options.threads })?;
        let fixed = match &options.policy_dir {
            Some(path) => directory::read(&runtime, path).map_err(StartError::Directory)?,
            None => Fixed::default(),
        };
        let policies = Self {
            runtime,
            set: ArcSwap::default(),
            metrics: super::metrics::Metrics::default(),
            options,
            loaded: tokio::sync::Mutex::default(),
            modules: ArcSwap::default(),
            fixed,
            world: std::sync::OnceLock::new(),
        };
        policies.publish(&Loaded::default());
        Ok(Arc::new(policies))
    }

    /// Loads what the API holds and answers when it is in force, so that a server can wait for it before it listens.
    /// `world` must be the server's own identity.
    pub async fn load(self: &Arc<Self>, world: Arc<dyn World>) -> Result<(), Status> {
        let _ = self.world.set(world);
        self.relist().await.map(|_| ())
    }

    /// Follows the API until the server stops. Call [`Policies::load`] before.
    pub async fn follow(self: Arc<Self>) {
        loop {
            match self.relist().await {
                Ok(events) => self.events(events).await,
                Err(error) => tracing::warn!(%error, "policies cannot be listed"),
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn relist(&self) -> Result<BoxStream<'static, (Kind, Event)>, Status> {
        let Some(world) = self.world.get() else { return Err(Status::unavailable("policies have no world to read from")) };
        let (modules, modules_at) = world.list(&Kind::Module.resource(), "", "").await?;
        let (bindings, bindings_at) = world.list(&Kind::Binding.resource(), "", "").await?;
        let from_modules = world.watch(&Kind::Module.resource(), "", modules_at).await?;
        let from_bindings = world.watch(&Kind::Binding.resource(), "", bindings_at).await?;
        let mut loaded = self.loaded.lock().await;
        loaded.mark_gone(&modules, &bindings);
        for object in modules {
            self.module(&mut loaded, object).await;
        }
        for object in bindings {
            loaded.remember(object);
        }
        self.rebind(&mut loaded).await;
        Ok(futures::stream::select(
            from_modules.map(|event| (Kind::Module, event)),
            from_bindings.map(|event| (Kind::Binding, event)),
        )
        .boxed())
    }

    async fn events(&self, mut events: BoxStream<'static, (Kind, Event)>) {
        while let Some((kind, event)) = events.next().await {
            let mut loaded = self.loaded.lock().await;
            match (kind, event) {
                (Kind::Module, Event::Added(object) | Event::Modified(object)) => self.module(&mut loaded, object).await,
                (Kind::Module, Event::Deleted(object)) => {
                    if let Some(state) = loaded.modules.get_mut(meta::name(&object)) {
                        state.gone = true;
                    }
                }
                (Kind::Binding, Event::Added(object) | Event::Modified(object)) => loaded.remember(object),
                (Kind::Binding, Event::Deleted(object)) => {
                    loaded.bindings.remove(meta::name(&object));
                    self.metrics.forget(meta::name(&object));
                }
            }
            self.rebind(&mut loaded).await;
        }
    }

    /// Loads a module's newest revision, unless that was tried before.
    async fn module(&self, loaded: &mut Loaded, object: Value) {
        let name = meta::name(&object).to_owned();
        let seen = seen(&object);
        let state = loaded.modules.entry(name).or_default();
        state.gone = false;
        if state.seen == seen {
            return;
        }
        state.seen = seen;
        let (runtime, directory) = (self.runtime.clone(), self.options.module_dir.clone());
        let (object, outcome) = blocking(move || {
            let bytes = super::module::bytes(&object, directory.as_deref());
            let module = bytes.and_then(|bytes| runtime.load(&bytes).map_err(|error| error.to_string()));
            (object, module)
        })
        .await;
        match outcome {
            Ok(module) => {
                tracing::info!(module = %meta::name(&object), digest = %module.digest, compile_ms = module.compile_ms, "policy module loaded");
                (state.good, state.wrong) = (Some(module), None);
            }
            Err(why) => {
                tracing::warn!(module = %meta::name(&object), %why, "policy module cannot be used");
                state.wrong = Some(why);
            }
        }
        if let Some(world) = self.world.get() {
            let status = status::of_module(&object, state.good.as_deref(), state.wrong.as_deref());
            status::write(&**world, Kind::Module, &object, status).await;
        }
    }

    /// Binds what changed, and puts the whole in force.
    async fn rebind(&self, loaded: &mut Loaded) {
        let Loaded { modules, bindings } = loaded;
        for state in bindings.values_mut() {
            let binding = Binding::from_object(&state.object);
            let module = binding.as_ref().ok().and_then(|binding| modules.get(&binding.module));
            let good = module.and_then(|module| module.good.clone());
            let tried = (seen(&state.object), good.as_ref().map(|module| module.digest.clone()).unwrap_or_default());
            if state.tried.as_ref() == Some(&tried) {
                continue;
            }
            state.tried = Some(tried);
            let outcome = match (binding, good) {
                (Err(why), _) => Err((None, why)),
                (Ok(binding), Some(module)) => {
                    let named = binding.clone();
                    blocking(move || Entry::bind(binding, &module)).await.map_err(|unfit| (Some(named), unfit.to_string()))
                }
                (Ok(binding), None) => {
                    let why = match module {
                        Some(module) => module.wrong.clone().unwrap_or_else(|| "it is not loaded".to_owned()),
                        None => "it does not exist".to_owned(),
                    };
                    let why = format!("module {:?}: {why}", binding.module);
                    Err((Some(binding), why))
                }
            };
            let wrong = state.take(outcome);
            if let Some(world) = self.world.get() {
                let status = status::of_binding(&state.object, state.good.as_deref(), wrong.as_deref());
                status::write(&**world, Kind::Binding, &state.object, status).await;
            }
        }
        self.publish(loaded);
    }

    fn publish(&self, loaded: &Loaded) {
        let live = loaded.bindings.values().filter_map(|state| state.good.clone());
        self.set.store(Arc::new(PolicySet::of(self.fixed.entries.iter().cloned().chain(live))));
        let modules = loaded.modules.iter().filter(|(_, state)| !state.gone);
        let modules = modules.filter_map(|(name, state)| Some((name.clone(), state.good.clone()?)));
        self.modules.store(Arc::new(modules.collect()));
    }
}

impl Loaded {
    fn remember(&mut self, object: Value) {
        match self.bindings.get_mut(meta::name(&object)) {
            // Another object of the same name has nothing to do with what was good before.
            Some(state) if meta::uid(&state.object) == meta::uid(&object) => state.object = object,
            _ => {
                let state = BindingState { object, good: None, tried: None };
                self.bindings.insert(meta::name(&state.object).to_owned(), state);
            }
        }
    }

    fn mark_gone(&mut self, modules: &[Value], bindings: &[Value]) {
        for (name, state) in &mut self.modules {
            state.gone = !modules.iter().any(|object| meta::name(object) == name);
        }
        self.bindings.retain(|name, _| bindings.iter().any(|object| meta::name(object) == name));
    }
}

impl BindingState {
    /// Takes the outcome of binding; says what is wrong. A binding that was in force when the server last ran stays in
    /// force as one that fails: what was guarded is not left open because a file is missing.
    fn take(&mut self, outcome: Result<Entry, (Option<Binding>, String)>) -> Option<String> {
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

/// Which of the two kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Module,
    Binding,
}

impl Kind {
    fn resource(self) -> GroupVersionResource {
        let resource = match self {
            Self::Module => "policymodules",
            Self::Binding => "clusterpolicybindings",
        };
        GroupVersionResource::new(GROUP, VERSION, resource)
    }
}

fn seen(object: &Value) -> Seen {
    (meta::uid(object).to_owned(), meta::generation(object))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}

/// Judges a policy kind that is being written: settings are checked against the live module, and nothing that
/// `--policy-dir` gave can be made anew under its name.
pub(super) async fn check(policies: &Policies, review: &Review<'_>, object: Option<&Value>) -> Result<(), Status> {
    let is_write = matches!(review.operation, Operation::Create | Operation::Update) && review.subresource.is_empty();
    let (true, Some(object), "clusterpolicybindings") = (is_write, object, &*review.resource.resource) else { return Ok(()) };
    if policies.fixed.entries.iter().any(|entry| entry.binding.name == meta::name(object)) {
        let resource = review.resource.group_resource();
        return Err(Status::forbidden(
            &resource,
            review.name,
            "a binding of this name is given by --policy-dir and cannot be changed",
        ));
    }
    let Ok(binding) = Binding::from_object(object) else { return Ok(()) };
    let modules = policies.modules.load_full();
    let Some(module) = modules.get(&binding.module).cloned() else { return Ok(()) };
    match blocking(move || Entry::bind(binding, &module)).await {
        Ok(_) => Ok(()),
        Err(Unfit::Spec(errors)) => {
            let kind = GroupKind { group: GROUP.into(), kind: "ClusterPolicyBinding".into() };
            Err(Status::invalid(&kind, meta::name(object), &errors))
        }
        // The module's own fault; the binding's status will say so.
        Err(Unfit::Module(_)) => Ok(()),
    }
}
