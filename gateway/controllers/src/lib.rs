//! What keeps the cluster as it should be, from inside the process: one file a controller, each a client of the API
//! through [`model::World`]. Does not know how the API is served (`server`).

pub mod apiservice;
pub mod bootstrap;
pub mod client;
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

use client::Client;
pub use runtime::{Context, Controller, Error, Next, QueueMetrics, Runtime, Served, Sign};

/// Every controller but those that watch all resources, and as whom it acts.
static ALL: &[(&Controller, Client)] = &[
    (&clusterrole_aggregation::CONTROLLER, Client::Account("clusterrole-aggregation-controller")),
    (&namespace::CONTROLLER, Client::Account("namespace-controller")),
    (&persistentvolume_protection::CONTROLLER, Client::Account("pv-protection-controller")),
    (&persistentvolumeclaim_protection::CONTROLLER, Client::Account("pvc-protection-controller")),
    (&root_ca_publisher::CONTROLLER, Client::Account("root-ca-cert-publisher")),
    (&serviceaccount::CONTROLLER, Client::Account("service-account-controller")),
    (&serviceaccount_token::CONTROLLER, Client::Program("tokens-controller")),
    (&validatingadmissionpolicy_status::CONTROLLER, Client::Account("validatingadmissionpolicy-status-controller")),
    (&volumeattributesclass_protection::CONTROLLER, Client::Account("volumeattributesclass-protection-controller")),
];

type Add = fn(&mut Runtime, &mut everything::Everything);
type OfEverything = (&'static str, Client, Add);

/// Those that watch all resources.
static OF_EVERYTHING: &[OfEverything] = &[
    (garbage_collector::NAME, Client::Account("generic-garbage-collector"), garbage_collector::add),
    (resourcequota::NAME, Client::Account("resourcequota-controller"), resourcequota::add),
];

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
    for (controller, client) in ALL {
        if names::is_enabled(controller.name, names::Default::On, controllers) {
            acting_as(&mut runtime, *client, |runtime| runtime.add(controller));
        }
    }
    let mut everything = everything::Everything::default();
    for (name, client, add) in OF_EVERYTHING {
        if names::is_enabled(name, names::Default::On, controllers) {
            acting_as(&mut runtime, *client, |runtime| add(runtime, &mut everything));
        }
    }
    everything.follow(&mut runtime);
    runtime.follow();
    runtime
}

/// Lets what is added act as this client; what is watched for all of them is read by the program.
fn acting_as(runtime: &mut Runtime, client: Client, add: impl FnOnce(&mut Runtime)) {
    let world = (runtime.context().clients)(client);
    let before = runtime.act_in(world);
    add(runtime);
    runtime.act_in(before);
}

/// Whether any controller runs that kube-controller-manager would run.
pub fn runs_any(controllers: &[String]) -> bool {
    served().any(|name| names::is_enabled(name, names::Default::On, controllers))
}

/// The names of the controllers that are served here.
pub fn served() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|(controller, _)| controller.name).chain(OF_EVERYTHING.iter().map(|(name, ..)| *name))
}

#[cfg(test)]
#[path = "../../model/testing/world.rs"]
mod world;

#[cfg(test)]
mod tests;
