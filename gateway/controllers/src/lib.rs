//! What keeps the cluster as it should be, from inside the process: one file a controller, each a client of the API
//! through [`model::World`]. Does not know how the API is served (`server`).

pub mod apiservice;
pub mod bootstrap;
pub mod clusterrole_aggregation;
pub mod customresourcedefinition;
mod everything;
pub mod feed;
pub mod garbage_collector;
pub mod identity_lease;
pub mod names;
pub mod namespace;
pub mod persistentvolume_protection;
pub mod persistentvolumeclaim_protection;
mod protection;
pub mod queue;
pub mod resourcequota;
pub mod root_ca_publisher;
pub mod runtime;
pub mod serviceaccount;
pub mod serviceaccount_token;
pub mod validatingadmissionpolicy_status;
pub mod volumeattributesclass_protection;

use std::sync::Arc;

use model::World;

pub use runtime::{Context, Controller, Error, Next, QueueMetrics, Runtime, Served, Sign};

/// Every controller but those that watch all resources.
static ALL: &[&Controller] = &[
    &clusterrole_aggregation::CONTROLLER,
    &namespace::CONTROLLER,
    &persistentvolume_protection::CONTROLLER,
    &persistentvolumeclaim_protection::CONTROLLER,
    &root_ca_publisher::CONTROLLER,
    &serviceaccount::CONTROLLER,
    &serviceaccount_token::CONTROLLER,
    &validatingadmissionpolicy_status::CONTROLLER,
    &volumeattributesclass_protection::CONTROLLER,
];

type Add = fn(&mut Runtime, &mut everything::Everything);

/// Those that watch all resources.
static OF_EVERYTHING: &[(&str, Add)] =
    &[(garbage_collector::NAME, garbage_collector::add), (resourcequota::NAME, resourcequota::add)];

/// What kube-apiserver itself keeps up.
pub struct Upkeep {
    /// What a cluster always holds.
    pub settings: bootstrap::Settings,
    /// The world under kube-apiserver's own name.
    pub world: Arc<dyn World>,
    /// The same under [`bootstrap::PRODUCER`].
    pub producer: Arc<dyn World>,
    /// Whether an extension server answers.
    pub check: apiservice::Check,
}

/// Starts the upkeep of what a cluster always holds, where it is asked for, and the controllers that `--controllers` asks
/// for; they run until the result is dropped. Must be called inside a tokio runtime.
pub fn start(context: Context, controllers: &[String], upkeep: Option<Upkeep>) -> Runtime {
    let mut runtime = Runtime::new(context);
    if let Some(Upkeep { settings, world, producer, check }) = upkeep {
        let others = runtime.act_in(world);
        bootstrap::add(&mut runtime, settings, producer);
        customresourcedefinition::add(&mut runtime);
        apiservice::add(&mut runtime);
        apiservice::watch_over(&mut runtime, check);
        runtime.act_in(others);
    }
    for controller in ALL {
        if names::is_enabled(controller.name, names::Default::On, controllers) {
            runtime.add(controller);
        }
    }
    let mut everything = everything::Everything::default();
    for (name, add) in OF_EVERYTHING {
        if names::is_enabled(name, names::Default::On, controllers) {
            add(&mut runtime, &mut everything);
        }
    }
    everything.follow(&mut runtime);
    runtime.follow();
    runtime
}

/// Whether any controller runs that kube-controller-manager would run.
pub fn runs_any(controllers: &[String]) -> bool {
    served().any(|name| names::is_enabled(name, names::Default::On, controllers))
}

/// The names of the controllers that are served here.
pub fn served() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|controller| controller.name).chain(OF_EVERYTHING.iter().map(|(name, _)| *name))
}

#[cfg(test)]
#[path = "../../model/testing/world.rs"]
mod world;

#[cfg(test)]
mod tests;
