//! What a fresh cluster holds, made at start and kept up: system namespaces, the `kubernetes` Service and where it leads,
//! the ServiceCIDR, priority classes, flow schemas, default roles and bindings, since when tokens are tracked. Part of the
//! API server, so `--controllers` does not turn it off. Follows `pkg/controlplane`.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use model::{GroupVersionResource, Status, Value, World, meta};

use crate::apiservice;
use crate::feed::{Change, IDENTITY, Listener, What};
use crate::queue::Queue;
use crate::runtime::{Error, Next, Runtime, step};

mod flow;
mod kubernetes_service;
mod namespaces;
mod priority;
mod rbac;
mod repair;
mod servers;
mod token_tracking;

pub use servers::Reconciler;

/// Under which name flow schemas and priority levels are made.
pub const PRODUCER: &str = "api-priority-and-fairness-config-producer-v1";

/// How often a server tells others that it is there, and looks who else is: upstream's interval.
const SERVERS_EVERY: Duration = Duration::from_secs(10);
/// Objects written at the same time: enough for the store to commit them in groups.
const AT_ONCE: usize = 32;

/// What the flags say about the cluster.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `--service-cluster-ip-range`: one range, or one of each IP family.
    pub service_cidrs: Vec<String>,
    /// `--advertise-address`: where the API server is reached.
    pub advertise_address: IpAddr,
    /// The port it listens on.
    pub secure_port: u16,
    /// `--endpoint-reconciler-type`, as far as the storage has a use for it.
    pub reconciler: Reconciler,
    /// `--service-node-port-range`, such as `30000-32767`.
    pub node_ports: String,
}

/// What is kept up together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Part {
    Namespaces,
    ServiceCidr,
    KubernetesService,
    Flow,
    Addresses,
    Ports,
    TokenTracking,
}

/// Makes what is missing. On a store that has it all, nothing is written. Fails with the first step that was refused, but for the
/// `kubernetes` Service: its address may be taken by a server that was cut off before it wrote the Service, or that is about to. The
/// upkeep tries again. `producer` is the world of [`PRODUCER`].
pub async fn run(world: &dyn World, producer: &dyn World, settings: &Settings, now: jiff::Timestamp) -> Result<(), Error> {
    namespaces::ensure(world).await?;
    let service = async {
        kubernetes_service::ensure_range(world, settings, now).await?;
        repair::ports(world, settings, &mut repair::Suspects::default()).await?;
        if let Err(error) = kubernetes_service::ensure(world, settings).await {
            tracing::warn!(%error, "the Service kubernetes is not there yet");
        }
        Ok(())
    };
    // What cannot be read, for want of the key that it is encrypted with, keeps no server from starting.
    let tracking = async {
        if let Err(error) = token_tracking::ensure(world, now).await {
            tracing::warn!(%error, "since when tokens are tracked is not told yet");
        }
    };
    let (rbac, flow, priority, apiservices, (), service) = futures::join!(
        rbac::ensure(world),
        flow::ensure(world, producer, now),
        priority::ensure(world),
        apiservice::ensure(world),
        tracking,
        service
    );
    rbac?;
    apiservices?;
    flow?;
    priority?;
    service
}

/// Leads the `kubernetes` Service away from a server that ends, where others remain on its storage.
pub async fn release(world: &dyn World, settings: &Settings) -> Result<(), Error> {
    match settings.reconciler {
        Reconciler::Alone => Ok(()),
        _ => kubernetes_service::lead(world, settings, servers::Stay::Leaving).await,
    }
}

/// Adds the upkeep to a runtime.
pub fn add(runtime: &mut Runtime, settings: Settings, producer: Arc<dyn World>) {
    let queue: Arc<Queue<Part>> = Arc::default();
    for (group, version, resource, part, wanted) in WATCHES {
        let queue = queue.clone();
        let listener: Listener = Arc::new(move |change| {
            if wanted(change) {
                queue.add(*part);
            }
        });
        runtime.listen_to(GroupVersionResource::new(group, version, resource), IDENTITY, listener);
    }
    queue.add(Part::Addresses);
    queue.add(Part::Ports);
    queue.add(Part::KubernetesService);
    queue.add(Part::TokenTracking);
    let (settings, suspects) = (Arc::new(settings), Arc::new(tokio::sync::Mutex::new(repair::Suspects::default())));
    runtime.work("bootstrap", 1, queue, move |context, part| {
        let (settings, suspects, producer) = (settings.clone(), suspects.clone(), producer.clone());
        Box::pin(async move {
            let world = &*context.world;
            match part {
                Part::Namespaces => namespaces::ensure(world).await?,
                Part::ServiceCidr => kubernetes_service::ensure_range(world, &settings, context.clock.now()).await?,
                Part::KubernetesService => {
                    kubernetes_service::ensure(world, &settings).await?;
                    return Ok(if settings.reconciler == Reconciler::Alone { Next::Wait } else { Next::After(SERVERS_EVERY) });
                }
                Part::Flow => flow::ensure(world, &*producer, context.clock.now()).await?,
                Part::TokenTracking => token_tracking::ensure(world, context.clock.now()).await?,
                Part::Addresses => return repair::addresses(world, context.clock.now()).await,
                Part::Ports => return repair::ports(world, &settings, &mut *suspects.lock().await).await,
            }
            Ok(Next::Wait)
        })
    });
}

type Wanted = fn(&Change<'_>) -> bool;

/// Which changes call for which part.
const WATCHES: &[(&str, &str, &str, Part, Wanted)] = &[
    ("", "v1", "namespaces", Part::Namespaces, |c| c.what == What::Deleted && namespaces::NAMES.contains(&meta::name(c.object))),
    ("", "v1", "services", Part::KubernetesService, is_kubernetes),
    ("", "v1", "endpoints", Part::KubernetesService, is_kubernetes),
    ("discovery.k8s.io", "v1", "endpointslices", Part::KubernetesService, is_kubernetes),
    ("", "v1", "configmaps", Part::TokenTracking, |c| c.what != What::Added && token_tracking::concerns(c)),
    ("networking.k8s.io", "v1", "servicecidrs", Part::ServiceCidr, |c| meta::name(c.object) == "kubernetes"),
    ("flowcontrol.apiserver.k8s.io", "v1", "flowschemas", Part::Flow, |_| true),
    ("flowcontrol.apiserver.k8s.io", "v1", "prioritylevelconfigurations", Part::Flow, |_| true),
];

fn is_kubernetes(change: &Change<'_>) -> bool {
    meta::namespace(change.object) == "default" && meta::name(change.object) == "kubernetes" && change.what != What::Added
}

/// The object, unless there is none.
async fn find(world: &dyn World, resource: &GroupVersionResource, namespace: &str, name: &str) -> Result<Option<Value>, Error> {
    match world.get(resource, namespace, name).await {
        Ok(object) => Ok(Some(object)),
        Err(status) if status.code == 404 => Ok(None),
        Err(status) => Err(step("read bootstrap object")(status)),
    }
}

/// That another process was faster is no failure.
fn made(result: Result<Value, Status>) -> Result<(), Error> {
    match result {
        Err(status) if status.reason != "AlreadyExists" => Err(step("create bootstrap object")(status)),
        _ => Ok(()),
    }
}

/// Makes an object that is missing; leaves one that is there.
async fn ensure_exists(world: &dyn World, resource: &GroupVersionResource, object: Value) -> Result<(), Error> {
    let (namespace, name) = (meta::namespace(&object).to_owned(), meta::name(&object).to_owned());
    if find(world, resource, &namespace, &name).await?.is_some() {
        return Ok(());
    }
    made(world.create(resource, &namespace, object).await)
}

/// Runs many steps, some at the same time; the first failure is told, the others run all the same.
async fn all(steps: impl IntoIterator<Item = impl Future<Output = Result<(), Error>>>) -> Result<(), Error> {
    let results: Vec<Result<(), Error>> = futures::stream::iter(steps).buffer_unordered(AT_ONCE).collect().await;
    results.into_iter().collect()
}

#[cfg(test)]
mod tests;
