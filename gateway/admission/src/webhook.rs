//! Admission webhooks as two plugins: which of the configured webhooks a write concerns, in what order they are called, and
//! what their answers add up to.
//! Follows `k8s.io/apiserver/pkg/admission/plugin/webhook`. Does not speak HTTP ([`Caller`]) and does not watch the store
//! (`server::webhooks` does, and tells [`Hooks`] what is configured).

use std::sync::Arc;
use std::time::Duration;

use model::{GroupVersionResource, Status, Value};

use crate::{Cluster, Notes, Operation, Plugin, Review};

mod answer;
mod call;
pub mod configuration;
mod credentials;
mod form;
pub mod hooks;
pub mod metrics;
mod mutating;
mod request;
mod round;
#[cfg(test)]
mod tests;
mod validating;

pub use configuration::Hook;
pub(crate) use credentials::kubeconfig;
pub use hooks::Hooks;
pub use round::Round;

/// Reaches webhooks. The server implements it.
pub trait Caller: Send + Sync {
    /// Who is meant by a `clientConfig`. Fails with the reason.
    fn endpoint(&self, config: &Value) -> Result<Arc<dyn Endpoint>, String>;
}

/// One webhook's other side.
#[async_trait::async_trait]
pub trait Endpoint: Send + Sync {
    /// Posts a review and gives the answer's body.
    async fn post(&self, body: Vec<u8>, limit: Duration) -> Result<Vec<u8>, Unanswered>;
}

/// Who is asked where nobody is configured.
pub struct Nobody;

#[async_trait::async_trait]
impl Endpoint for Nobody {
    async fn post(&self, _body: Vec<u8>, _limit: Duration) -> Result<Vec<u8>, Unanswered> {
        Err(Unanswered { code: 503, message: "nobody is configured to be asked".to_owned() })
    }
}

/// Why no answer came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unanswered {
    /// The status code of an answer that was none; 503 without any.
    pub code: u16,
    /// What happened, in the words of Go's client.
    pub message: String,
}

/// Which of the two kinds of configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// MutatingWebhookConfiguration.
    Mutating,
    /// ValidatingWebhookConfiguration.
    Validating,
}

impl Kind {
    /// How metrics call it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Mutating => "admit",
            Self::Validating => "validating",
        }
    }
}

/// Everything about admission webhooks in one server.
pub struct Webhooks {
    /// The mutating ones that are configured.
    pub mutating: Arc<Hooks>,
    /// The validating ones that are configured.
    pub validating: Arc<Hooks>,
    cluster: Cluster,
    metrics: metrics::Metrics,
}

impl Webhooks {
    /// None configured yet; those that mutate are reached by the first, the others by the second.
    pub fn new([mutating, validating]: [Arc<dyn Caller>; 2], cluster: Cluster) -> Arc<Self> {
        Arc::new(Self {
            mutating: Hooks::new(Kind::Mutating, mutating),
            validating: Hooks::new(Kind::Validating, validating),
            cluster,
            metrics: metrics::Metrics::default(),
        })
    }

    /// The plugin `MutatingAdmissionWebhook`.
    pub fn mutating_plugin(self: &Arc<Self>) -> Box<dyn Plugin> {
        Box::new(MutatingAdmissionWebhook(self.clone()))
    }

    /// The plugin `ValidatingAdmissionWebhook`.
    pub fn validating_plugin(self: &Arc<Self>) -> Box<dyn Plugin> {
        Box::new(ValidatingAdmissionWebhook(self.clone()))
    }

    /// What was counted so far.
    pub fn metrics(&self) -> &metrics::Metrics {
        &self.metrics
    }
}

struct MutatingAdmissionWebhook(Arc<Webhooks>);

#[async_trait::async_trait]
impl Plugin for MutatingAdmissionWebhook {
    fn name(&self) -> &'static str {
        "MutatingAdmissionWebhook"
    }

    fn handles(&self, _operation: Operation, resource: &GroupVersionResource, _subresource: &str) -> bool {
        !is_exempt(resource)
    }

    async fn mutate(&self, review: &Review<'_>, object: &mut Value, notes: &mut Notes) -> Result<(), Status> {
        mutating::run(&self.0, review, Some(object), notes).await
    }

    async fn precede(&self, review: &Review<'_>, notes: &mut Notes) -> Result<(), Status> {
        mutating::run(&self.0, review, None, notes).await
    }
}

struct ValidatingAdmissionWebhook(Arc<Webhooks>);

#[async_trait::async_trait]
impl Plugin for ValidatingAdmissionWebhook {
    fn name(&self) -> &'static str {
        "ValidatingAdmissionWebhook"
    }

    fn handles(&self, _operation: Operation, resource: &GroupVersionResource, _subresource: &str) -> bool {
        !is_exempt(resource)
    }

    async fn validate(&self, review: &Review<'_>, object: Option<&Value>, notes: &mut Notes) -> Result<(), Status> {
        validating::run(&self.0, review, object, notes).await
    }
}

/// What no webhook is asked about: the configuration of admission itself, by which a webhook could keep everybody from
/// taking it away, and questions about who somebody is and what they may do.
fn is_exempt(resource: &GroupVersionResource) -> bool {
    match (&*resource.group, &*resource.resource) {
        ("admissionregistration.k8s.io", plural) => matches!(
            plural,
            "validatingwebhookconfigurations"
                | "mutatingwebhookconfigurations"
                | "validatingadmissionpolicies"
                | "validatingadmissionpolicybindings"
                | "mutatingadmissionpolicies"
                | "mutatingadmissionpolicybindings"
        ),
        ("authentication.k8s.io", plural) => matches!(plural, "tokenreviews" | "selfsubjectreviews"),
        ("authorization.k8s.io", _) => true,
        _ => false,
    }
}
