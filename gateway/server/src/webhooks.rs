//! Reaches admission webhooks, and tells `admission` which are configured: what is stored when the server starts, then every
//! change. Does not choose which of them a write concerns.

use std::sync::Arc;
use std::time::Duration;

use admission::webhook::{Caller, Endpoint, Hooks, Kind, Unanswered, Webhooks};
use model::{Revision, Value};
use store::{Entry, Event, Interest, Kind as Change, ResourceCache, WatchError, Watcher};

use crate::client;
use crate::gate::Gate;
use crate::row::Row;
use crate::world::Slot;

const GROUP: &str = "admissionregistration.k8s.io";
const VERSION: &str = "v1";

/// Calls webhooks for a gate, which is still to come when plugins are made.
pub struct Reach(pub Slot);

struct Side {
    slot: Slot,
    endpoint: Arc<client::Endpoint>,
}

impl Caller for Reach {
    fn endpoint(&self, config: &Value) -> Result<Arc<dyn Endpoint>, String> {
        let gate = self.0.gate().map_err(|status| status.message)?;
        Ok(Arc::new(Side { slot: self.0.clone(), endpoint: gate.client.endpoint(config)? }))
    }
}

#[async_trait::async_trait]
impl Endpoint for Side {
    async fn post(&self, body: Vec<u8>, limit: Duration) -> Result<Vec<u8>, Unanswered> {
        let gate = self.slot.gate().map_err(|status| Unanswered { code: status.code, message: status.message })?;
        match self.endpoint.post(&gate, body.into(), limit).await {
            Ok(answer) => Ok(answer.into()),
            Err(failure) => Err(Unanswered { code: failure.code, message: failure.message }),
        }
    }
}

/// Puts in force what is stored now, then follows it until dropped.
pub fn start(gate: &Arc<Gate>, webhooks: Arc<Webhooks>) -> impl Future<Output = ()> + Send + use<> {
    let mut mutating = Follower::new(gate, webhooks.clone(), Kind::Mutating);
    let mut validating = Follower::new(gate, webhooks, Kind::Validating);
    let from = (mutating.load(), validating.load());
    async move {
        tokio::join!(mutating.follow(from.0), validating.follow(from.1));
    }
}

/// Follows the configurations of one kind.
struct Follower {
    row: Option<Row>,
    store: Arc<ResourceCache>,
    webhooks: Arc<Webhooks>,
    kind: Kind,
}

impl Follower {
    fn new(gate: &Arc<Gate>, webhooks: Arc<Webhooks>, kind: Kind) -> Self {
        let plural = match kind {
            Kind::Mutating => "mutatingwebhookconfigurations",
            Kind::Validating => "validatingwebhookconfigurations",
        };
        let row = Row::named(gate, GROUP, VERSION, plural);
        let store = gate.store.resource(&row.as_ref().map_or_else(|| format!("/registry/{plural}/").into(), Row::prefix));
        let follower = Self { row, store, webhooks, kind };
        let newest = follower.store.clone();
        follower.hooks().followed(move || newest.changed());
        follower
    }

    fn hooks(&self) -> &Hooks {
        match self.kind {
            Kind::Mutating => &self.webhooks.mutating,
            Kind::Validating => &self.webhooks.validating,
        }
    }

    /// Reads all; gives the revision up to which that was.
    fn load(&mut self) -> Revision {
        let snapshot = self.store.snapshot();
        let all: Vec<Value> = snapshot.range("", self.store.prefix()).filter_map(|entry| self.read(entry)).collect();
        self.hooks().replace(&all);
        self.hooks().reach(snapshot.revision());
        snapshot.revision()
    }

    fn read(&self, entry: &Entry) -> Option<Value> {
        let read = self.row.as_ref()?.parse(entry);
        read.inspect_err(|error| tracing::error!(key = %entry.key, %error, "stored webhooks cannot be read")).ok()
    }

    async fn follow(&mut self, mut from: Revision) {
        loop {
            let ended = match self.store.watch(from, Interest::default()) {
                Ok(watcher) => self.apply(watcher).await,
                Err(error) => error,
            };
            if matches!(ended, WatchError::Closed) {
                return;
            }
            from = self.load();
        }
    }

    /// Follows until the watch ends.
    async fn apply(&mut self, mut watcher: Watcher) -> WatchError {
        loop {
            match watcher.next_batch().await {
                Ok(batch) => batch.iter().for_each(|event| self.event(event)),
                Err(error) => return error,
            }
        }
    }

    fn event(&self, event: &Event) {
        match event.kind {
            Change::Deleted => self.hooks().remove(event.entry.key.name()),
            Change::Added | Change::Modified => {
                if let Some(configuration) = self.read(&event.entry) {
                    self.hooks().put(&configuration);
                }
            }
        }
        self.hooks().reach(event.revision());
    }
}
