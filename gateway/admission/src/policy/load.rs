//! Keeps the set of policies equal to the objects in the API and the directory given at start. Off the path of requests.
//! What fails leaves the last good revision in force, and says so in the object's status.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use futures::StreamExt;
use futures::stream::BoxStream;
use model::world::Event;
use model::{GroupVersionResource, Status, Value, meta};
use wasm::Module;

use super::binding;
use super::exception::Exception;
use super::registry::Registry;
use super::remembered::Remembered;
use super::set::{Entry, PolicySet};
use super::shadow::Counted;
use super::{GROUP, Policies, VERSION};

mod absent;
mod check;
mod directory;
mod prepare;
mod state;
mod status;

pub(super) use check::check;
pub(super) use directory::Fixed;
pub(super) use prepare::COMPILES_MAX;
pub(super) use state::Loaded;
use state::{Seen, Tried};

/// How long to wait before lists are asked for again after one failed.
const RETRY: Duration = Duration::from_secs(1);
/// How long a start waits until modules are loaded. A server must come up although a registry is away; what was in force
/// before and is not loaded yet fails until then.
const START_WAIT_MAX: Duration = Duration::from_secs(30);
/// Changes that are taken together at most: whoever applies many objects waits for one set, and none for too many.
const CHANGES_MAX: usize = 256;
/// How often what was counted on requests is told, in the status of bindings and as Events, and files of modules are looked at.
const TELL: Duration = Duration::from_secs(2);

/// Where policies come from.
#[derive(Clone, Default)]
pub struct Options {
    /// `--policy-dir`: modules and bindings that hold before the first request and cannot be changed over the API.
    pub policy_dir: Option<PathBuf>,
    /// `--policy-module-dir`: where `spec.source.file` of a PolicyModule is looked for.
    pub module_dir: Option<PathBuf>,
    /// Where compiled modules are kept; below the data directory.
    pub artifacts: Option<PathBuf>,
    /// Threads that run policies; one for each processor when 0.
    pub threads: usize,
    /// Compiles modules in a process of its own.
    pub compiler: Option<wasm::Compiler>,
    /// Runs policies in processes of their own.
    pub guests: Option<wasm::Program>,
    /// Reads what `spec.source.oci` names; nobody does without it.
    pub registry: Option<Arc<dyn Registry>>,
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
    /// The store of reports.
    #[error("start the store of reports")]
    Reports(#[source] std::io::Error),
}

/// Live modules by name.
pub(super) type Modules = HashMap<String, Arc<Module>>;

impl Policies {
    /// Starts the runtime and loads `--policy-dir`. Blocks for as long as compiling takes; a module compiled before takes
    /// a millisecond. Fails when anything in that directory cannot be enforced.
    pub fn start(options: Options) -> Result<Arc<Self>, StartError> {
        let runtime = wasm::Runtime::start(&wasm::Options {
            artifacts: options.artifacts.clone(),
            threads: options.threads,
            compiler: options.compiler.clone(),
            guests: options.guests.clone(),
            count_fuel: false,
        })?;
        let fixed = match &options.policy_dir {
            Some(path) => directory::read(&runtime, path).map_err(StartError::Directory)?,
            None => Fixed::default(),
        };
        let policies = Self {
            runtime,
            set: ArcSwap::default(),
            metrics: super::metrics::Metrics::default(),
            shadows: super::shadow::Shadows::default(),
            failures: super::failures::Failures::default(),
            options,
            loaded: tokio::sync::Mutex::default(),
            unread: ArcSwapOption::empty(),
            modules: ArcSwap::default(),
            fixed,
            cluster: std::sync::OnceLock::new(),
            clock: std::sync::OnceLock::new(),
            reports: super::report::Reports::start().map_err(StartError::Reports)?,
            verdicts: Remembered::default(),
            mutations: Remembered::default(),
            changes: tokio::sync::watch::Sender::default(),
            compiles: tokio::sync::Semaphore::new(COMPILES_MAX),
        };
        policies.publish(&Loaded::default());
        Ok(Arc::new(policies))
    }

    /// Loads what the API holds and answers when it is in force, so that a server can wait for it before it listens. Where it
    /// cannot be read, every write that policies are asked about is refused until it can: the server must run for that to be
    /// mended. Call [`Policies::attach`] before.
    pub async fn load(self: &Arc<Self>) {
        if let Err(error) = self.relist().await {
            tracing::error!(%error, "policies cannot be read; what they are asked about is refused until they can");
            self.unread.store(Some(Arc::new(error)));
        }
    }

    /// Follows the API until the server stops. Call [`Policies::load`] before.
    pub async fn follow(self: Arc<Self>) {
        let telling = async {
            loop {
                tokio::time::sleep(TELL).await;
                self.tell().await;
                self.reread().await;
            }
        };
        let following = async {
            loop {
                match self.relist().await {
                    Ok(events) => self.events(events).await,
                    Err(error) => tracing::warn!(%error, "policies cannot be listed"),
                }
                tokio::time::sleep(RETRY).await;
            }
        };
        futures::future::join3(telling, following, super::scan::follow(&self)).await;
    }

    async fn relist(self: &Arc<Self>) -> Result<BoxStream<'static, (Kind, Event)>, Status> {
        let Some(cluster) = self.cluster.get() else { return Err(Status::unavailable("policies have no world to read from")) };
        let (mut objects, mut streams) = (Vec::new(), Vec::new());
        for kind in Kind::ALL {
            let (listed, at) = cluster.world.list(&kind.resource(), "", "").await?;
            streams.push(cluster.world.watch(&kind.resource(), "", at).await?.map(move |event| (kind, event)).boxed());
            objects.push((kind, listed));
        }
        let mut loaded = self.loaded.lock().await;
        for (kind, objects) in objects {
            loaded.retain(kind, &objects);
            for object in objects {
                self.take(&mut loaded, kind, object);
            }
        }
        let beginning = std::mem::take(&mut loaded.beginning);
        drop(loaded);
        if tokio::time::timeout(START_WAIT_MAX, futures::future::join_all(beginning)).await.is_err() {
            tracing::warn!("not every policy module is loaded; bindings that were in force fail until theirs is");
        }
        self.rebind(&mut *self.loaded.lock().await).await;
        self.unread.store(None);
        Ok(futures::stream::select_all(streams).boxed())
    }

    async fn events(self: &Arc<Self>, events: BoxStream<'static, (Kind, Event)>) {
        let mut changes = events.ready_chunks(CHANGES_MAX);
        while let Some(changes) = changes.next().await {
            let mut loaded = self.loaded.lock().await;
            for (kind, event) in changes {
                match event {
                    Event::Added(object) | Event::Modified(object) => self.take(&mut loaded, kind, object),
                    Event::Deleted(object) => self.forget(&mut loaded, kind, &object),
                }
            }
            loaded.beginning.clear();
            self.rebind(&mut loaded).await;
        }
    }

    fn take(self: &Arc<Self>, loaded: &mut Loaded, kind: Kind, object: Value) {
        match kind {
            Kind::Module => self.prepare(loaded, object),
            Kind::ClusterBinding | Kind::Binding => loaded.remember(kind, object),
            Kind::Exception => {
                loaded.is_other = true;
                match Exception::from_object(&object) {
                    Ok(exception) => drop(loaded.exceptions.insert(exception.name.clone(), Arc::new(exception))),
                    Err(why) => {
                        // Without a part that can be read it would except more, or less, than was meant: it excepts nothing.
                        tracing::warn!(exception = %meta::name(&object), %why, "policy exception cannot be read");
                        loaded.exceptions.remove(meta::name(&object));
                    }
                }
            }
        }
    }

    fn forget(&self, loaded: &mut Loaded, kind: Kind, object: &Value) {
        let key = binding::key(object);
        loaded.is_other = true;
        match kind {
            Kind::Module => {
                if let Some(state) = loaded.modules.get_mut(&key) {
                    state.gone = true;
                }
                loaded.touch(&key);
            }
            Kind::ClusterBinding | Kind::Binding => {
                loaded.bindings.remove(&key);
                self.metrics.forget(&key);
                self.shadows.forget(&key);
            }
            Kind::Exception => drop(loaded.exceptions.remove(&key)),
        }
    }

    /// Binds what changed, and puts the whole in force. What did not change is not looked at: many bindings come one after
    /// the other, and each of them twice, once with the status that is written here.
    async fn rebind(&self, loaded: &mut Loaded) {
        let touched = std::mem::take(&mut loaded.touched);
        let Loaded { modules, bindings, .. } = loaded;
        let mut bound = Vec::new();
        for name in touched {
            let Some(state) = bindings.get_mut(&name) else { continue };
            let named = state.binding.as_ref().map(state::named).unwrap_or_default();
            let found: HashMap<String, Result<Arc<Module>, String>> =
                named.iter().map(|name| (name.clone(), state::find(modules, name))).collect();
            let deleted = named.iter().filter(|name| modules.get(*name).is_some_and(|module| module.gone)).cloned().collect();
            let tried = Tried::of(seen(&state.object), &named, &found, deleted);
            if state.tried.as_ref() == Some(&tried) {
                continue;
            }
            state.tried = Some(tried);
            let outcome = match state.binding.clone() {
                Err(why) => Err((None, why)),
                Ok(binding) => {
                    let kept = binding.clone();
                    let find = move |name: &str| found.get(name).cloned().unwrap_or_else(|| Err(state::missing(name)));
                    let entry = blocking(move || Entry::with_candidate(binding, &find)).await;
                    entry.map_err(|unfit| (Some(kept), unfit.to_string()))
                }
            };
            state.wrong = state.take(outcome);
            bound.push(name);
        }
        if bound.is_empty() && !std::mem::take(&mut loaded.is_other) {
            return;
        }
        // Who sees that a binding is ready relies on it: it is in force before its status says so.
        self.publish(loaded);
        for state in bound.iter().filter_map(|name| loaded.bindings.get(name)) {
            self.tell_binding(state, None).await;
        }
    }

    /// Whether its status says it then.
    async fn tell_binding(&self, state: &state::BindingState, counted: Option<&Counted>) -> bool {
        let Some(cluster) = self.cluster.get() else { return false };
        let said = state.said();
        let status = |object: &Value| status::of_binding(object, state.good.as_deref(), &said, counted);
        status::write(&*cluster.world, state.kind, &state.object, status).await
    }

    /// Writes what was counted on requests since the last time.
    pub async fn tell(&self) {
        let Some(cluster) = self.cluster.get() else { return };
        self.failures.tell(&*cluster.world).await;
        let news = self.shadows.take();
        let loaded = self.loaded.lock().await;
        for (name, counted) in news {
            if let Some(state) = loaded.bindings.get(&name)
                && !self.tell_binding(state, Some(&counted)).await
            {
                self.shadows.give_back(name, counted);
            }
        }
    }

    fn publish(&self, loaded: &Loaded) {
        let live = loaded.bindings.values().filter_map(|state| state.good.clone());
        let exceptions = loaded.exceptions.values().cloned().collect();
        let set = PolicySet::of(self.fixed.entries.iter().cloned().chain(live), exceptions);
        if !set.is_same(&self.set.load()) {
            self.set.store(Arc::new(set));
            self.changes.send_modify(|changes| *changes += 1);
        }
        let modules = loaded.modules.iter().filter(|(_, state)| !state.gone);
        let modules = modules.filter_map(|(name, state)| Some((name.clone(), state.good.clone()?)));
        self.modules.store(Arc::new(modules.collect()));
    }
}

/// Which of the kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Module,
    ClusterBinding,
    Binding,
    Exception,
}

impl Kind {
    /// Modules come first, because bindings are made of them.
    const ALL: [Kind; 4] = [Self::Module, Self::ClusterBinding, Self::Binding, Self::Exception];

    fn resource(self) -> GroupVersionResource {
        let resource = match self {
            Self::Module => "policymodules",
            Self::ClusterBinding => "clusterpolicybindings",
            Self::Binding => "policybindings",
            Self::Exception => "policyexceptions",
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
