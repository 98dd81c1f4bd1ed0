//! Makes modules of what PolicyModules name: reads or pulls the bytes and compiles them. Each by itself, so that one that
//! takes long holds up no other, and nothing else that changes. Does not put anything in force (`load`).

use std::sync::Arc;
use std::time::Duration;

use model::{Value, meta};
use tokio::sync::oneshot;
use wasm::Module;

use super::{Kind, Loaded, Seen, blocking, seen, status};
use crate::policy::Policies;
use crate::policy::module::{self, Source, Stamp};
use crate::policy::registry::{Artifact, Failure};
use crate::policy::signature::Demand;

/// Modules that are compiled at once. Compiling takes whole processors for a while; the rest waits its turn.
pub(in crate::policy) const COMPILES_MAX: usize = 4;
/// Pauses between attempts to read from a registry: the first, and the longest that doubling leads to, which is how long
/// somebody waits who has just pushed or signed what was missing.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_LAST: Duration = Duration::from_secs(30);

impl Policies {
    /// Begins to load a module's newest revision, unless that was begun before. The first attempt's end is told to whoever
    /// waits in `loaded.beginning`.
    pub(super) fn prepare(self: &Arc<Self>, loaded: &mut Loaded, object: Value) {
        let state = loaded.modules.entry(meta::name(&object).to_owned()).or_default();
        state.gone = false;
        if state.seen == seen(&object) {
            return;
        }
        (state.seen, state.file) = (seen(&object), None);
        state.wrong = Some("it is being loaded".to_owned());
        let (attempted, beginning) = oneshot::channel();
        loaded.touch(meta::name(&object));
        loaded.beginning.push(beginning);
        tokio::spawn(self.clone().keep_trying(object, attempted));
    }

    /// Begins to load those modules anew whose file is another by now.
    pub(in crate::policy) async fn reread(self: &Arc<Self>) {
        let files: Vec<(Value, Stamp)> = {
            let loaded = self.loaded.lock().await;
            loaded.modules.values().filter(|state| !state.gone).filter_map(|state| state.file.clone()).collect()
        };
        for (object, before) in files {
            if self.stamp(&object).await == Some(before) {
                continue;
            }
            let mut loaded = self.loaded.lock().await;
            if let Some(state) = loaded.modules.get_mut(meta::name(&object)).filter(|state| state.seen == seen(&object)) {
                state.seen = Seen::default();
                self.prepare(&mut loaded, object);
            }
        }
    }

    /// What the file of a module looks like now; nothing for one that is not in a file.
    async fn stamp(&self, object: &Value) -> Option<Stamp> {
        let Ok(Source::File(file)) = module::source(object) else { return None };
        let directory = self.options.module_dir.clone();
        Some(blocking(move || module::stamp(&file, directory.as_deref())).await)
    }

    async fn keep_trying(self: Arc<Self>, object: Value, attempted: oneshot::Sender<()>) {
        // Before it is read: a change meanwhile is seen later.
        if let Some(stamp) = self.stamp(&object).await
            && let Some(state) = self.loaded.lock().await.modules.get_mut(meta::name(&object))
            && state.seen == seen(&object)
        {
            state.file = Some((object.clone(), stamp));
        }
        let (mut pause, mut attempted) = (RETRY_FIRST, Some(attempted));
        while self.is_newest(&object).await {
            let outcome = self.attempt(&object, attempted.is_some()).await;
            let is_final = outcome.as_ref().map_or_else(|failure| failure.is_final, |_| true);
            self.settle(&object, outcome.map_err(|failure| failure.message)).await;
            // Nobody waits any longer when a server ends.
            attempted.take().map(|attempted| attempted.send(()));
            if is_final {
                return;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RETRY_LAST);
        }
    }

    /// Whether nobody has changed the module since.
    async fn is_newest(&self, object: &Value) -> bool {
        let loaded = self.loaded.lock().await;
        loaded.modules.get(meta::name(object)).is_some_and(|state| !state.gone && state.seen == seen(object))
    }

    async fn attempt(&self, object: &Value, is_first: bool) -> Result<Arc<Module>, Failure> {
        let bytes = self.bytes(object, is_first).await?;
        let _turn = self.compiles.acquire().await.map_err(|closed| Failure::last(closed.to_string()))?;
        // Of many revisions in a row only the last is worth the work.
        if !self.is_newest(object).await {
            return Err(Failure::last("a newer revision has come"));
        }
        let runtime = self.runtime.clone();
        blocking(move || runtime.load(&bytes)).await.map_err(|error| Failure::last(error.to_string()))
    }

    async fn bytes(&self, object: &Value, is_first: bool) -> Result<Vec<u8>, Failure> {
        match module::source(object).map_err(Failure::last)? {
            Source::Registry(artifact) => self.pull(object, Artifact { is_fresh: !is_first, ..artifact }).await,
            _ => {
                let (object, directory) = (object.clone(), self.options.module_dir.clone());
                blocking(move || module::bytes(&object, directory.as_deref())).await.map_err(Failure::last)
            }
        }
    }

    async fn pull(&self, object: &Value, artifact: Artifact) -> Result<Vec<u8>, Failure> {
        let named = |failure: Failure| Failure { message: format!("spec.source.oci: {}", failure.message), ..failure };
        let Some(registry) = &self.options.registry else {
            return Err(named(Failure::last("this server reads from no registry; --policy-registries names those that it may")));
        };
        let pulled = registry.pull(&artifact).await.map_err(named)?;
        // It may be signed later.
        Demand::of(object).check_artifact(&pulled).map_err(Failure::later)?;
        tracing::info!(module = %meta::name(object), reference = %artifact.reference, bytes = pulled.component.len(), "policy module pulled");
        Ok(pulled.component)
    }

    /// Puts in force what came of an attempt, unless the module is another by now.
    async fn settle(&self, object: &Value, outcome: Result<Arc<Module>, String>) {
        let mut loaded = self.loaded.lock().await;
        let Some(state) = loaded.modules.get_mut(meta::name(object)).filter(|state| state.seen == seen(object)) else { return };
        match outcome {
            Ok(module) => {
                tracing::info!(module = %meta::name(object), digest = %module.digest, compile_ms = module.compile_ms, "policy module loaded");
                (state.good, state.wrong) = (Some(module), None);
            }
            Err(why) => {
                tracing::warn!(module = %meta::name(object), %why, "policy module cannot be used");
                state.wrong = Some(why);
            }
        }
        if let Some(cluster) = self.cluster.get() {
            let (good, wrong) = (state.good.as_deref(), state.wrong.as_deref());
            status::write(&*cluster.world, Kind::Module, object, |object| status::of_module(object, good, wrong)).await;
        }
        loaded.touch(meta::name(object));
        self.rebind(&mut loaded).await;
    }
}
