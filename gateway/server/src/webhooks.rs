//! Reaches admission webhooks, and tells `admission` which are configured: what is stored when the server starts, then every
//! change. Does not choose which of them a write concerns.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use admission::webhook::{Caller, Endpoint, Unanswered, Webhooks};
use model::Value;

use crate::client::Credentials;
use crate::gate::Gate;
use crate::world::Slot;
use crate::{client, following};

const GROUP: &str = "admissionregistration.k8s.io";
const VERSION: &str = "v1";

/// Calls webhooks for a gate, which is still to come when plugins are made.
pub struct Reach {
    slot: Slot,
    credentials: Arc<Credentials>,
}

impl Reach {
    /// With what they are shown of who calls.
    pub fn new(slot: Slot, credentials: Credentials) -> Self {
        Self { slot, credentials: Arc::new(credentials) }
    }

    /// The one side that the cluster of a kubeconfig is. Fails with the reason.
    pub fn one(slot: &Slot, kubeconfig: &Path) -> Result<Arc<dyn Endpoint>, String> {
        let endpoint = Arc::new(client::Endpoint::of_kubeconfig(kubeconfig)?);
        Ok(Arc::new(Side { slot: slot.clone(), endpoint }))
    }
}

struct Side {
    slot: Slot,
    endpoint: Arc<client::Endpoint>,
}

impl Caller for Reach {
    fn endpoint(&self, config: &Value) -> Result<Arc<dyn Endpoint>, String> {
        let gate = self.slot.gate().map_err(|status| status.message)?;
        let endpoint = gate.client.endpoint_shown(config, &self.credentials)?;
        Ok(Arc::new(Side { slot: self.slot.clone(), endpoint }))
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
pub fn start(gate: &Arc<Gate>, webhooks: &Webhooks) -> impl Future<Output = ()> + Send + use<> {
    let mutating = following::start(gate, (GROUP, VERSION, "mutatingwebhookconfigurations"), webhooks.mutating.clone());
    let validating = following::start(gate, (GROUP, VERSION, "validatingwebhookconfigurations"), webhooks.validating.clone());
    async move {
        tokio::join!(mutating, validating);
    }
}
