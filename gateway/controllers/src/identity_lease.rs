//! The Lease that says which API servers there are: made anew at the start, renewed while the server runs, removed when it ends
//! in good order; and the collection of those whose servers did not. Part of the API server, so `--controllers` does not turn it
//! off. Follows the identity lease of `pkg/controlplane/apiserver`, `k8s.io/component-helpers/apimachinery/lease` and
//! `pkg/controlplane/controller/apiserverleasegc`.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use model::json::json;
use model::world::DeleteOptions;
use model::{GroupVersionResource, Status, Value, World, meta};
use sha2::{Digest, Sha256};

use crate::queue::Queue;
use crate::runtime::{Context, Error, Next, Runtime, step};

const NAMESPACE: &str = "kube-system";
/// Which leases these are, and of which component.
const LABEL: &str = "apiserver.kubernetes.io/identity";
const COMPONENT: &str = "kube-apiserver";
const HOSTNAME: &str = "kubernetes.io/hostname";
/// Where other API servers reach this one.
const ADDRESS: &str = "kubernetes.io/peer-advertise-address";

const DURATION_S: i64 = 3600;
const RENEW_EVERY: Duration = Duration::from_secs(10);
const COLLECT_EVERY: Duration = Duration::from_secs(3600);

/// Who this server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    name: String,
    holder: String,
    hostname: String,
    address: String,
}

impl Identity {
    /// Of a machine, reached at an address; `process` is unique to this start.
    pub fn new(hostname: &str, process: &str, address: IpAddr, port: u16) -> Self {
        let name = name(hostname);
        let (holder, address) = (format!("{name}_{process}"), SocketAddr::new(address, port).to_string());
        Self { name, holder, hostname: hostname.to_owned(), address }
    }

    fn lease(&self, before: Option<Value>, now: Timestamp) -> Value {
        let mut lease = before.unwrap_or_else(|| {
            json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": self.name, "namespace": NAMESPACE},
                "spec": {"holderIdentity": self.holder}})
        });
        lease["spec"]["leaseDurationSeconds"] = DURATION_S.into();
        lease["spec"]["renewTime"] = model::clock::rfc3339_micro(now).into();
        lease["metadata"]["labels"][LABEL] = COMPONENT.into();
        lease["metadata"]["labels"][HOSTNAME] = self.hostname.as_str().into();
        lease["metadata"]["annotations"][ADDRESS] = self.address.as_str().into();
        lease
    }
}

/// The same for every start on one machine, so that a server finds what was left of the one before it. Two strings with the
/// length of each before it are hashed, and half of the hash is told.
fn name(hostname: &str) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut hash = Sha256::new();
    for part in [hostname, COMPONENT] {
        // No name of a machine is longer than 255 bytes.
        hash.update((part.len() as u16).to_be_bytes());
        hash.update(part);
    }
    let bits: String = hash.finalize()[..16].iter().map(|byte| format!("{byte:08b}")).collect();
    let digit = |five: &[u8]| five.iter().fold(0, |number, bit| number * 2 + usize::from(*bit == b'1')) << (5 - five.len());
    let digits = bits.as_bytes().chunks(5).map(|five| char::from(ALPHABET[digit(five)]));
    "apiserver-".chars().chain(digits).collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Part {
    Renew,
    Collect,
}

/// Keeps the lease until the result is dropped. Must be called inside a tokio runtime.
pub async fn start(context: Context, identity: Identity) -> Runtime {
    // Others must not take what was left of an earlier start for this one.
    release(&*context.world, &identity).await;
    let mut runtime = Runtime::new(context);
    let queue: Arc<Queue<Part>> = Arc::default();
    queue.add(Part::Renew);
    queue.add(Part::Collect);
    let identity = Arc::new(identity);
    runtime.work("identity-lease", 1, queue, move |context, part| {
        let identity = identity.clone();
        Box::pin(async move {
            let (world, now) = (&*context.world, context.clock.now());
            match part {
                Part::Renew => renew(world, &identity, now).await.map(|()| Next::After(RENEW_EVERY)),
                Part::Collect => collect(world, now).await.map(|()| Next::After(COLLECT_EVERY)),
            }
        })
    });
    runtime
}

/// Removes the lease: this server is gone. That it cannot be removed is no reason not to go on.
pub async fn release(world: &dyn World, identity: &Identity) {
    match world.delete(&leases(), NAMESPACE, &identity.name, DeleteOptions::default()).await {
        Err(status) if status.code != 404 => tracing::warn!(%status, "the identity lease could not be removed"),
        _ => {}
    }
}

async fn renew(world: &dyn World, identity: &Identity, now: Timestamp) -> Result<(), Error> {
    let written = match world.get(&leases(), NAMESPACE, &identity.name).await {
        Ok(before) => world.update(&leases(), "", identity.lease(Some(before), now)).await,
        Err(status) if status.code == 404 => world.create(&leases(), NAMESPACE, identity.lease(None, now)).await,
        Err(status) => Err(status),
    };
    written.map(drop).map_err(step("renew the identity lease"))
}

/// Removes the leases of servers that are gone.
async fn collect(world: &dyn World, now: Timestamp) -> Result<(), Error> {
    let (found, _) = world.list(&leases(), NAMESPACE, &format!("{LABEL}={COMPONENT}")).await.map_err(step("list leases"))?;
    for lease in found.iter().filter(|lease| is_expired(lease, now)) {
        // Unless it was renewed, or removed by another server, meanwhile.
        let options =
            DeleteOptions { resource_version: Some(meta::resource_version(lease).to_owned()), ..DeleteOptions::default() };
        let passing = |status: &Status| matches!(status.code, 404 | 409);
        match world.delete(&leases(), NAMESPACE, meta::name(lease), options).await {
            Err(status) if !passing(&status) => return Err(step("remove an expired lease")(status)),
            _ => {}
        }
    }
    Ok(())
}

/// One without a time or a duration is none that an API server made.
fn is_expired(lease: &Value, now: Timestamp) -> bool {
    let renewed = lease["spec"]["renewTime"].as_str().and_then(|text| text.parse::<Timestamp>().ok());
    let duration = lease["spec"]["leaseDurationSeconds"].as_i64().map(SignedDuration::from_secs);
    match (renewed, duration) {
        (Some(renewed), Some(duration)) => renewed.checked_add(duration).is_ok_and(|ends| ends < now),
        _ => true,
    }
}

fn leases() -> GroupVersionResource {
    GroupVersionResource::new("coordination.k8s.io", "v1", "leases")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::NOW;
    use crate::world::Fake;

    const LEASES: &str = "coordination.k8s.io/v1/leases";

    fn identity(process: &str) -> Identity {
        Identity::new("a-host", process, "192.0.2.1".parse().unwrap(), 6443)
    }

    fn now() -> Timestamp {
        NOW.parse().unwrap()
    }

    #[test]
    fn a_name_has_sixteen_bytes_in_base_32() {
        let name = name("a-host");
        assert_eq!(name.len(), "apiserver-".len() + 26);
        assert_eq!(name, super::name("a-host"));
        assert_ne!(name, super::name("another-host"));
    }

    #[tokio::test]
    async fn made_renewed_and_removed() {
        let (world, one) = (Fake::new(&[]), identity("one"));
        renew(&world, &one, now()).await.unwrap();
        let made = world.peek(LEASES, NAMESPACE, &one.name).unwrap();
        assert_eq!(made["metadata"]["labels"], json!({LABEL: "kube-apiserver", HOSTNAME: "a-host"}));
        assert_eq!(made["metadata"]["annotations"], json!({ADDRESS: "192.0.2.1:6443"}));
        assert_eq!(
            (&made["spec"]["holderIdentity"], &made["spec"]["leaseDurationSeconds"]),
            (&one.holder.as_str().into(), &3600.into())
        );
        let later = now() + SignedDuration::from_secs(10);
        renew(&world, &one, later).await.unwrap();
        let renewed = world.peek(LEASES, NAMESPACE, &one.name).unwrap();
        assert_eq!(renewed["spec"]["renewTime"], model::clock::rfc3339_micro(later));
        assert_eq!(renewed["spec"]["holderIdentity"], made["spec"]["holderIdentity"]);
        release(&world, &one).await;
        release(&world, &one).await;
        assert_eq!(world.peek(LEASES, NAMESPACE, &one.name), None);
    }

    #[tokio::test]
    async fn what_others_left_is_collected_when_it_expired() {
        let world = Fake::new(&[]);
        let left = identity("one").lease(None, now());
        let lease = |name: &str, labels: Value, spec: Value| {
            json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels}, "spec": spec})
        };
        let made = [left, lease("no-times", json!({LABEL: COMPONENT}), json!({})), lease("a-nodes", json!({}), json!({}))];
        for lease in made {
            world.create(&leases(), NAMESPACE, lease).await.unwrap();
        }
        collect(&world, now() + SignedDuration::from_secs(DURATION_S)).await.unwrap();
        assert_eq!(world.names(LEASES).len(), 2, "it lasts to its last second, and others' are not touched");
        collect(&world, now() + SignedDuration::from_secs(DURATION_S + 1)).await.unwrap();
        assert_eq!(world.names(LEASES), ["kube-system/a-nodes"]);
    }
}
