//! The webhooks of one kind that are configured now, in the order in which they are called: configurations by name, each
//! one's webhooks in their own order. Swapped as a whole; a request takes the list once.
//! Follows `k8s.io/apiserver/pkg/admission/configuration`.

use std::sync::Arc;

use arc_swap::ArcSwap;
use model::{Revision, Status, Value};

use super::{Caller, Hook, Kind, configuration};
use crate::Review;
use crate::followed::{Followed, Kept, Newest};

type List = Vec<Arc<Hook>>;

/// The webhooks of one kind.
pub struct Hooks {
    /// Which kind.
    pub kind: Kind,
    caller: Arc<dyn Caller>,
    configured: Kept<List>,
    now: ArcSwap<List>,
}

impl Hooks {
    pub(super) fn new(kind: Kind, caller: Arc<dyn Caller>) -> Arc<Self> {
        Arc::new(Self { kind, caller, configured: Kept::new(), now: ArcSwap::default() })
    }

    fn swap(&self) {
        self.now.store(Arc::new(self.configured.all().into_iter().flatten().collect()));
    }

    /// What is in force, once that is everything that is stored now: who was told that a configuration is stored can rely
    /// on it.
    pub(super) async fn current(&self, review: &Review<'_>) -> Result<Arc<List>, Status> {
        self.configured.settled(review).await?;
        Ok(self.now.load_full())
    }
}

impl Followed for Hooks {
    fn followed(&self, newest: Newest) {
        self.configured.followed(newest);
    }

    fn replace(&self, configurations: &[Value]) {
        self.configured.replace(configurations, |configuration| configuration::hooks(configuration, &*self.caller));
        self.swap();
    }

    fn put(&self, configuration: &Value) {
        self.configured.put(configuration, |configuration| configuration::hooks(configuration, &*self.caller));
        self.swap();
    }

    fn remove(&self, name: &str) {
        self.configured.remove(name);
        self.swap();
    }

    fn reach(&self, revision: Revision) {
        self.configured.reach(revision);
    }
}
