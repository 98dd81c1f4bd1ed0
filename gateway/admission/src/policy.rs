//! Policies in wasm as one admission plugin: which of them a write concerns, in what order they are asked, what follows.
//! Does not run wasm (`wasm`) and does not serve the policy kinds (`catalog`).

use std::sync::{Arc, OnceLock};

use arc_swap::{ArcSwap, ArcSwapOption};
use model::{Clock, GroupVersionResource, Status, Value};

use crate::{Cluster, Notes, Operation, Plugin, Review};

mod answer;
mod author;
pub mod binding;
mod concern;
pub mod exception;
mod failures;
pub mod fields;
mod judge;
mod letting_go;
mod load;
pub mod metrics;
pub mod module;
mod mutate;
mod provenance;
mod reach;
pub mod registry;
mod remembered;
pub mod report;
mod scan;
mod seen;
pub mod set;
pub mod settings;
mod shadow;
pub mod signature;
#[cfg(test)]
mod tests;
pub mod trial;
pub mod unserved;
mod validate;

pub use load::{Options, StartError};
use remembered::Remembered;
use set::PolicySet;

/// The group of the policy kinds.
pub const GROUP: &str = "policy.gatehouse.dev";
/// The version of the policy kinds.
pub const VERSION: &str = "v1alpha1";

/// Everything about policies in one server.
pub struct Policies {
    runtime: Arc<wasm::Runtime>,
    set: ArcSwap<PolicySet>,
    metrics: metrics::Metrics,
    shadows: shadow::Shadows,
    failures: failures::Failures,
    options: Options,
    loaded: tokio::sync::Mutex<load::Loaded>,
    /// Why what the API holds could not be read when the server started, as long as it could not since.
    unread: ArcSwapOption<Status>,
    /// What is live by name, for checking a binding when it is written.
    modules: ArcSwap<load::Modules>,
    fixed: load::Fixed,
    cluster: OnceLock<Cluster>,
    clock: OnceLock<Arc<dyn Clock>>,
    reports: report::Reports,
    verdicts: Remembered<wasm::Verdict>,
    mutations: Remembered<wasm::Mutation>,
    /// Counts the sets that were put in force.
    changes: tokio::sync::watch::Sender<u64>,
    /// Turns to compile.
    compiles: tokio::sync::Semaphore,
}

impl Policies {
    /// Says what the server around is; only the first call counts. Its world must act as the server itself.
    pub fn attach(&self, cluster: Cluster, clock: Arc<dyn Clock>) {
        let _ = self.cluster.set(cluster);
        let _ = self.clock.set(clock);
    }

    /// What policies say of what is stored.
    pub fn reports(&self) -> &report::Reports {
        &self.reports
    }

    /// The plugin for the chain.
    pub fn plugin(self: &Arc<Self>) -> Box<dyn Plugin> {
        Box::new(PolicyPlugin(self.clone()))
    }

    /// The policies in force now.
    pub fn set(&self) -> Arc<PolicySet> {
        self.set.load_full()
    }

    /// Refuses what policies are asked about while nobody knows which there are.
    fn known(&self, review: &Review<'_>) -> Result<(), Status> {
        match &*self.unread.load() {
            Some(why) => Err(Status::forbidden(
                &review.resource.group_resource(),
                review.name,
                format_args!("the policies in force cannot be read: {}", why.message),
            )),
            None => Ok(()),
        }
    }

    /// How many answers were given again, because the policy was shown what it had been shown before.
    pub fn remembered(&self) -> u64 {
        self.verdicts.given() + self.mutations.given()
    }

    /// What was counted so far.
    pub fn metrics(&self) -> &metrics::Metrics {
        &self.metrics
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
            author::sign(review, object);
            return Ok(());
        }
        self.0.known(review)?;
        mutate::run(&self.0, review, object, notes).await
    }

    async fn validate(&self, review: &Review<'_>, object: Option<&Value>, notes: &mut Notes) -> Result<(), Status> {
        if is_policy_kind(review.resource) {
            return load::check(&self.0, review, object, notes).await;
        }
        self.0.known(review)?;
        validate::run(&self.0, review, object, notes).await
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
