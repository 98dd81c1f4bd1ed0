//! The webhooks of one kind that are configured now, in the order in which they are called: configurations by name, each
//! one's webhooks in their own order. Swapped as a whole; a request takes the list once.
//! Follows `k8s.io/apiserver/pkg/admission/configuration`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use model::{Revision, Value, meta};
use tokio::sync::watch;

use super::{Caller, Hook, Kind, configuration};

/// How long a request waits for a configuration that is stored and not in force yet. Reading one takes less than a
/// millisecond; who waits longer than this gets what is in force.
const BEHIND_MAX: Duration = Duration::from_secs(5);

type List = Vec<Arc<Hook>>;
type Newest = Box<dyn Fn() -> Revision + Send + Sync>;

/// The webhooks of one kind.
pub struct Hooks {
    /// Which kind.
    pub kind: Kind,
    caller: Arc<dyn Caller>,
    known: Mutex<BTreeMap<String, List>>,
    now: ArcSwap<List>,
    reached: watch::Sender<Revision>,
    newest: OnceLock<Newest>,
}

impl Hooks {
    pub(super) fn new(kind: Kind, caller: Arc<dyn Caller>) -> Self {
        let reached = watch::Sender::new(0);
        Self { kind, caller, known: Mutex::default(), now: ArcSwap::default(), reached, newest: OnceLock::new() }
    }

    /// Somebody follows the configurations from now on; `newest` tells up to where there is something to follow.
    pub fn followed(&self, newest: impl Fn() -> Revision + Send + Sync + 'static) {
        let _ = self.newest.set(Box::new(newest));
    }

    /// These are all configurations there are.
    pub fn replace(&self, configurations: &[Value]) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.clear();
        for configuration in configurations {
            known.insert(meta::name(configuration).to_owned(), configuration::hooks(configuration, &*self.caller));
        }
        self.swap(&known);
    }

    /// A configuration is new or changed.
    pub fn put(&self, configuration: &Value) {
        let hooks = configuration::hooks(configuration, &*self.caller);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(meta::name(configuration).to_owned(), hooks);
        self.swap(&known);
    }

    /// A configuration is gone.
    pub fn remove(&self, name: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(name);
        self.swap(&known);
    }

    fn swap(&self, known: &BTreeMap<String, List>) {
        self.now.store(Arc::new(known.values().flatten().cloned().collect()));
    }

    /// Everything up to this revision is in force.
    pub fn reach(&self, revision: Revision) {
        self.reached.send_replace(revision);
    }

    /// What is in force, once that is everything that is stored now: who was told that a configuration is stored can rely
    /// on it.
    pub(super) async fn current(&self) -> Arc<List> {
        let wanted = self.newest.get().map_or(0, |newest| newest());
        if *self.reached.borrow() < wanted {
            let mut reached = self.reached.subscribe();
            let _ = tokio::time::timeout(BEHIND_MAX, reached.wait_for(|at| *at >= wanted)).await;
        }
        self.now.load_full()
    }
}
