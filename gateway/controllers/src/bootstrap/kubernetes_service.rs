//! The way to the API server from inside the cluster: the ServiceCIDR, the Service `kubernetes` on its first address, and
//! the Endpoints and EndpointSlice that lead to the API servers there are (`servers`).
//! Follows `pkg/controlplane/{controller/{kubernetesservice,defaultservicecidr},reconcilers}`.

use std::net::IpAddr;

use jiff::Timestamp;
use model::json::json;
use model::world::DeleteOptions;
use model::{GroupVersionResource, Value, World, clock, meta};

use super::servers::{self, Reconciler, Stay};
use super::{Settings, ensure_exists, find, made};
use crate::runtime::{Error, step};

const NAME: &str = "kubernetes";
const NAMESPACE: &str = "default";
/// How often an object is written that somebody else writes too: each of a handful of servers writes it once.
const ATTEMPTS_MAX: u32 = 10;

/// Makes the ServiceCIDR and says that it is ready. One with other ranges is left: it is the cluster's, not this flag's.
pub(super) async fn ensure_range(world: &dyn World, settings: &Settings, now: Timestamp) -> Result<(), Error> {
    let resource = GroupVersionResource::new("networking.k8s.io", "v1", "servicecidrs");
    let range = match find(world, &resource, "", NAME).await? {
        Some(range) => range,
        None => {
            let range = json!({
                "apiVersion": "networking.k8s.io/v1",
                "kind": "ServiceCIDR",
                "metadata": {"name": NAME},
                "spec": {"cidrs": settings.service_cidrs},
            });
            made(world.create(&resource, "", range).await)?;
            let Some(range) = find(world, &resource, "", NAME).await? else { return Ok(()) };
            range
        }
    };
    if range.pointer("/spec/cidrs") != Some(&json!(settings.service_cidrs)) {
        tracing::warn!(flag = ?settings.service_cidrs, cluster = %range["spec"]["cidrs"], "the cluster has other service ranges than the flag");
        return Ok(());
    }
    let conditions = range.pointer("/status/conditions").and_then(Value::as_array);
    if meta::deletion_timestamp(&range).is_some() || conditions.is_some_and(|all| all.iter().any(|c| c["type"] == "Ready")) {
        return Ok(());
    }
    let mut ready = range;
    ready["status"] = json!({"conditions": [{
        "type": "Ready",
        "status": "True",
        "lastTransitionTime": clock::rfc3339(now),
        "reason": "",
        "message": "Kubernetes default Service CIDR is ready",
    }]});
    world.update(&resource, "status", ready).await.map(drop).map_err(step("mark service range ready"))
}

/// Makes the Service, its Endpoints and its EndpointSlice, and points them to the servers there are.
pub(super) async fn ensure(world: &dyn World, settings: &Settings) -> Result<(), Error> {
    let services = GroupVersionResource::new("", "v1", "services");
    ensure_exists(world, &services, service(settings)?).await?;
    lead(world, settings, Stay::Running).await
}

/// Leads the Service to the servers there are, with this one or without.
pub(super) async fn lead(world: &dyn World, settings: &Settings, stay: Stay) -> Result<(), Error> {
    if settings.reconciler == Reconciler::None {
        return Ok(());
    }
    let endpoints = GroupVersionResource::new("", "v1", "endpoints");
    let subset = find(world, &endpoints, NAMESPACE, NAME).await?.as_ref().and_then(only_subset).cloned();
    let told = subset.as_ref().map(addresses).unwrap_or_default();
    let wanted = servers::wanted(world, settings, stay, &told).await?;
    let own = json!([{"name": "https", "port": settings.secure_port, "protocol": "TCP"}]);
    // All servers are to listen on one port; where they do not, the first one's stays.
    let alone = wanted == [settings.advertise_address.to_string()];
    let ports = subset.map(|subset| subset["ports"].clone()).filter(|ports| !alone && ports.is_array()).unwrap_or(own);
    point(world, &endpoints, endpoints_object(&wanted, &ports), &["subsets"]).await?;
    let slices = GroupVersionResource::new("discovery.k8s.io", "v1", "endpointslices");
    let slice = slice(&wanted, &ports);
    // No slice may become one of another family.
    let current = find(world, &slices, NAMESPACE, NAME).await?;
    if current.is_some_and(|current| current["addressType"] != slice["addressType"]) {
        let gone = world.delete(&slices, NAMESPACE, NAME, DeleteOptions::default()).await;
        gone.map_err(step("remove the slice of the other family"))?;
    }
    point(world, &slices, slice, &["endpoints", "ports"]).await
}

/// The subset of Endpoints as API servers write them.
fn only_subset(endpoints: &Value) -> Option<&Value> {
    match endpoints["subsets"].as_array()?.as_slice() {
        [only] => Some(only),
        _ => None,
    }
}

fn addresses(subset: &Value) -> Vec<String> {
    let all = subset["addresses"].as_array().into_iter().flatten();
    all.filter_map(|address| address["ip"].as_str().map(str::to_owned)).collect()
}

/// Makes an object, or makes some of its fields what they should be. Other servers may be at it at the same moment.
async fn point(world: &dyn World, resource: &GroupVersionResource, wanted: Value, fields: &[&str]) -> Result<(), Error> {
    for attempt in 1.. {
        let Some(current) = find(world, resource, NAMESPACE, NAME).await? else {
            return made(world.create(resource, NAMESPACE, wanted).await);
        };
        let mut revised = current.clone();
        for field in fields {
            revised[*field] = wanted[*field].clone();
        }
        for (key, value) in meta::labels(&wanted) {
            revised["metadata"]["labels"][key] = value.into();
        }
        if revised == current {
            return Ok(());
        }
        match world.update(resource, "", revised).await {
            Err(status) if status.code == 409 && attempt < ATTEMPTS_MAX => {}
            updated => return updated.map(drop).map_err(step("point kubernetes service")),
        }
    }
    Ok(())
}

fn service(settings: &Settings) -> Result<Value, Error> {
    let first = settings.service_cidrs.first().and_then(|range| first_address(range));
    let ip = first.ok_or_else(|| Error::Other(format!("no address in the service range {:?}", settings.service_cidrs)))?;
    Ok(json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": {"provider": "kubernetes", "component": "apiserver"}},
        "spec": {
            "ports": [{"name": "https", "protocol": "TCP", "port": 443, "targetPort": settings.secure_port}],
            "clusterIP": ip.to_string(),
            "ipFamilyPolicy": "SingleStack",
            "sessionAffinity": "None",
            "type": "ClusterIP",
        },
    }))
}

/// The first address of a range that may be given: the one after the network's own.
pub(super) fn first_address(range: &str) -> Option<IpAddr> {
    let (network, bits) = range.split_once('/')?;
    match (network.parse().ok()?, bits.parse::<u32>().ok()?) {
        (IpAddr::V4(v4), bits @ 0..=30) => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            Some(IpAddr::V4(((u32::from(v4) & mask) + 1).into()))
        }
        (IpAddr::V6(v6), bits @ 0..=126) => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            Some(IpAddr::V6(((u128::from(v6) & mask) + 1).into()))
        }
        _ => None,
    }
}

fn endpoints_object(addresses: &[String], ports: &Value) -> Value {
    let listed: Vec<Value> = addresses.iter().map(|ip| json!({"ip": ip})).collect();
    // The last server that ends in good order leaves none.
    let subsets = if listed.is_empty() { json!([]) } else { json!([{"addresses": listed, "ports": ports}]) };
    json!({
        "apiVersion": "v1",
        "kind": "Endpoints",
        // The slice is made here too: nobody need mirror it.
        "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}},
        "subsets": subsets,
    })
}

fn slice(addresses: &[String], ports: &Value) -> Value {
    let is_v6 = |ip: &&String| ip.contains(':');
    let v6 = !addresses.is_empty() && addresses.iter().all(|ip| is_v6(&ip));
    let listed = addresses.iter().filter(|ip| is_v6(ip) == v6);
    let endpoints: Vec<Value> = listed.map(|ip| json!({"addresses": [ip], "conditions": {"ready": true}})).collect();
    json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": {"kubernetes.io/service-name": NAME}},
        "addressType": if v6 { "IPv6" } else { "IPv4" },
        "endpoints": endpoints,
        "ports": if addresses.is_empty() { json!([]) } else { ports.clone() },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_address_follows_the_network() {
        for (range, first) in [("10.0.0.0/24", "10.0.0.1"), ("10.96.5.7/12", "10.96.0.1"), ("fd00::/112", "fd00::1")] {
            assert_eq!(first_address(range), first.parse().ok(), "{range}");
        }
        assert_eq!(first_address("10.0.0.0/32"), None);
        assert_eq!(first_address("nonsense"), None);
    }
}
