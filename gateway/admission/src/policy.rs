//! Policies in wasm as one admission plugin: which of them a write concerns, in what order they are asked, what follows.
//! Does not run wasm (`wasm`) and does not serve the kinds PolicyModule and ClusterPolicyBinding (`catalog`).

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use model::{GroupVersionResource, Status, Value, World};
use serde_json::json;

use crate::{Notes, Operation, Plugin, Review, matching};

mod answer;
pub mod binding;
pub mod fields;
mod judge;
mod load;
pub mod metrics;
pub mod module;
mod mutate;
pub mod set;
pub mod settings;
#[cfg(test)]
mod tests;
pub mod trial;

use answer::Refusals;
use judge::Call;
pub use load::{Options, StartError};
use set::{Entry, PolicySet};

/// The group of the policy kinds.
pub const GROUP: &str = "policy.gatehouse.dev";
/// The version of the policy kinds.
pub const VERSION: &str = "v1alpha1";

/// Everything about policies in one server.
pub struct Policies {
    runtime: Arc<wasm::Runtime>,
    set: ArcSwap<PolicySet>,
    metrics: metrics::Metrics,
    options: Options,
    loaded: tokio::sync::Mutex<load::Loaded>,
    /// What is live by name, for checking a binding when it is written.
    modules: ArcSwap<load::Modules>,
    fixed: load::Fixed,
    world: OnceLock<Arc<dyn World>>,
}

impl Policies {
    /// The plugin for the chain.
    pub fn plugin(self: &Arc<Self>) -> Box<dyn Plugin> {
        Box::new(PolicyPlugin(self.clone()))
    }

    /// The policies in force now.
    pub fn set(&self) -> Arc<PolicySet> {
        self.set.load_full()
    }

    /// What was counted so far.
    pub fn metrics(&self) -> &metrics::Metrics {
        &self.metrics
    }

    /// Whether a binding concerns a write.
    async fn concerns(&self, entry: &Entry, review: &Review<'_>, object: Option<&Value>) -> bool {
        let constraints = &entry.binding.constraints;
        if !constraints.matches_exactly(review, object) {
            return false;
        }
        if !constraints.needs_namespace(review) {
            return true;
        }
        if let Some(itself) = matching::namespace_itself(review, object) {
            return constraints.matches_namespace(itself);
        }
        let Some(world) = self.world.get() else { return true };
        match world.get(&GroupVersionResource::new("", "v1", "namespaces"), "", review.namespace).await {
            Ok(namespace) => constraints.matches_namespace(&namespace),
            // It is about to be made or gone: matched as one without labels would be missed by nobody's intention.
            Err(_) => constraints.matches_namespace(&json!({"metadata": {"name": review.namespace}})),
        }
    }

    async fn concerned(&self, entries: &[Arc<Entry>], review: &Review<'_>, object: Option<&Value>) -> Vec<Arc<Entry>> {
        let mut concerned = Vec::new();
        for entry in entries {
            if self.concerns(entry, review, object).await {
                concerned.push(entry.clone());
            }
        }
        concerned
    }
}

/// The plugin; a thin handle on [`Policies`].
struct PolicyPlugin(Arc<Policies>);

#[async_trait::async_trait]
impl Plugin for PolicyPlugin {
    fn name(&self) -> &'static str {
        "GatehousePolicy"
    }

    fn handles(&self, _operation: Operation, resource: &GroupVersionResource, _subresource: &str) -> bool {
        !is_question(resource)
    }

    /// The second round of policies is made among themselves.
    fn reinvocable(&self) -> bool {
        false
    }

    async fn mutate(&self, review: &Review<'_>, object: &mut Value, notes: &mut Notes) -> Result<(), Status> {
        if is_policy_kind(review.resource) {
            return Ok(());
        }
        mutate::run(&self.0, review, object, notes).await
    }

    async fn validate(&self, review: &Review<'_>, object: Option<&Value>, notes: &mut Notes) -> Result<(), Status> {
        if is_policy_kind(review.resource) {
            return load::check(&self.0, review, object).await;
        }
        let set = self.0.set.load_full();
        let concerned = self.0.concerned(&set.validators, review, object).await;
        if concerned.is_empty() {
            return Ok(());
        }
        let calls = concerned.iter().map(|entry| Call::of(entry, review, object)).collect();
        let answers = judge::validate(&self.0.runtime, Arc::new(judge::request(review)), calls).await;
        let mut refusals = Refusals::default();
        for (entry, answer) in &answers {
            log(entry, &answer.log);
            let outcome = match &answer.outcome {
                Ok(verdict) => {
                    for warning in &verdict.warnings {
                        notes.warn(format!("policy {:?}: {warning}", entry.binding.name));
                    }
                    if verdict.violations.is_empty() {
                        "allowed"
                    } else {
                        refusals.violations(entry, &verdict.violations, answer.took, notes);
                        "refused"
                    }
                }
                Err(failure) => {
                    refusals.failure(entry, failure, answer.took, notes);
                    failure.reason()
                }
            };
            self.0.metrics.observe(&entry.binding.name, outcome, answer.took);
        }
        refusals.into_status(review)
    }
}

/// What a policy wrote to its log.
fn log(entry: &Entry, lines: &[wasm::LogLine]) {
    for line in lines {
        let (policy, message) = (&entry.binding.name, &line.message);
        match line.level {
            "debug" => tracing::debug!(%policy, %message, "policy says"),
            "info" => tracing::info!(%policy, %message, "policy says"),
            "warn" => tracing::warn!(%policy, %message, "policy says"),
            _ => tracing::error!(%policy, %message, "policy says"),
        }
    }
}

/// Questions, which store nothing. Were they sent to policies, a bad one could keep everybody from asking who may mend it.
fn is_question(resource: &GroupVersionResource) -> bool {
    match &*resource.group {
        "authentication.k8s.io" => matches!(&*resource.resource, "tokenreviews" | "selfsubjectreviews"),
        "authorization.k8s.io" => true,
        _ => false,
    }
}

/// The policy kinds themselves are never sent to policies: nobody can lock everybody out.
fn is_policy_kind(resource: &GroupVersionResource) -> bool {
    &*resource.group == GROUP
}
