//! Gives back cluster IPs and node ports that nobody holds, and takes those that are held and were not taken: what a
//! request left behind that was cut off between allocating and writing.
//! Follows `pkg/registry/core/service/{ipallocator,portallocator}/controller`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use catalog::hooks::allocation;
use jiff::Timestamp;
use model::world::DeleteOptions;
use model::{GroupVersionResource, Value, World, meta};

use super::Settings;
use crate::runtime::{Error, Next, step};

/// How often allocation is compared with the Services.
const EVERY: Duration = Duration::from_secs(600);
/// An address younger than this may belong to a Service that is just being written.
const ADDRESS_GRACE: Duration = Duration::from_secs(60);
/// How often a port must be found without a holder before it is given back.
const SEEN_MIN: u32 = 3;

/// Ports without a holder, and how often they were seen.
pub(super) type Suspects = BTreeMap<i64, u32>;

async fn services(world: &dyn World) -> Result<Vec<Value>, Error> {
    let resource = GroupVersionResource::new("", "v1", "services");
    world.list(&resource, "", "").await.map(|(services, _)| services).map_err(step("list services"))
}

/// Compares IPAddress objects with Services.
pub(super) async fn addresses(world: &dyn World, now: Timestamp) -> Result<Next, Error> {
    let resource = GroupVersionResource::new("networking.k8s.io", "v1", "ipaddresses");
    let (objects, _) = world.list(&resource, "", "").await.map_err(step("list addresses"))?;
    let Decision { lost, missing, doubtful } = decide(&objects, &services(world).await?, now);
    for address in lost {
        let options = DeleteOptions { uid: Some(meta::uid(address).to_owned()), ..DeleteOptions::default() };
        tracing::warn!(ip = meta::name(address), "cluster ip belongs to no service: given back");
        match world.delete(&resource, "", meta::name(address), options).await {
            Err(status) if status.code != 404 => return Err(step("release address")(status)),
            _ => {}
        }
    }
    for object in missing {
        tracing::warn!(ip = meta::name(&object), "cluster ip of a service was not allocated: taken");
        match world.create(&resource, "", object).await {
            Err(status) if status.reason != "AlreadyExists" => return Err(step("take address")(status)),
            _ => {}
        }
    }
    Ok(Next::After(if doubtful { ADDRESS_GRACE } else { EVERY }))
}

/// What is to be done about addresses.
#[derive(Debug, Default, PartialEq)]
struct Decision<'a> {
    /// Those that no Service holds.
    lost: Vec<&'a Value>,
    /// Those to make for Services that hold them without.
    missing: Vec<Value>,
    /// Whether some are held by no Service yet.
    doubtful: bool,
}

fn decide<'a>(addresses: &'a [Value], services: &[Value], now: Timestamp) -> Decision<'a> {
    let mut held: BTreeMap<String, Value> = BTreeMap::new();
    for service in services {
        for ip in allocation::cluster_ips(service) {
            held.insert(ip.clone(), allocation::address(&ip, service));
        }
    }
    let old = |object: &Value| {
        let made = meta::text(object, "creationTimestamp").parse::<Timestamp>();
        made.is_ok_and(|made| now.as_second() - made.as_second() >= ADDRESS_GRACE.as_secs() as i64)
    };
    let ours = |object: &Value| meta::label(object, allocation::MANAGED_BY.0) == Some(allocation::MANAGED_BY.1);
    let is_held = |object: &Value| held.get(meta::name(object)).is_some_and(|wanted| same_parent(wanted, object));
    let (lost, young): (Vec<_>, Vec<_>) =
        addresses.iter().filter(|object| ours(object) && !is_held(object)).partition(|object| old(object));
    let present: BTreeSet<&str> = addresses.iter().map(meta::name).collect();
    let missing = held.iter().filter(|(ip, _)| !present.contains(ip.as_str())).map(|(_, object)| object.clone()).collect();
    Decision { lost, missing, doubtful: !young.is_empty() }
}

fn same_parent(a: &Value, b: &Value) -> bool {
    ["resource", "namespace", "name"].iter().all(|field| {
        let pointer = format!("/spec/parentRef/{field}");
        a.pointer(&pointer) == b.pointer(&pointer)
    })
}

/// Compares the map of node ports with the Services and with the range that the flag says.
pub(super) async fn ports(world: &dyn World, settings: &Settings, suspects: &mut Suspects) -> Result<Next, Error> {
    let record = world.record(allocation::NODE_PORTS).await.map_err(step("read node ports"))?;
    // The Services after the map: a port that was taken in between is not in the map yet, and not in doubt.
    let held: BTreeSet<i64> = services(world).await?.iter().flat_map(allocation::node_ports).collect();
    let revision = record.as_ref().map_or(0, |(_, revision)| *revision);
    let current = record.map(|(value, _)| value);
    let unheld = allocation::ports_in_use(current.as_ref()).into_iter().filter(|port| !held.contains(port));
    *suspects = unheld.map(|port| (port, suspects.get(&port).map_or(1, |seen| seen + 1))).collect();
    let lost: BTreeSet<i64> = suspects.iter().filter(|(_, seen)| **seen >= SEEN_MIN).map(|(port, _)| *port).collect();
    let kept = allocation::ports_in_use(current.as_ref()).into_iter().chain(held).filter(|port| !lost.contains(port));
    let wanted = allocation::node_port_record(&settings.node_ports, kept);
    let same = |field: &str| current.as_ref().and_then(|c| c.get(field)) == wanted.get(field);
    if !(same("range") && same("data")) {
        if !lost.is_empty() {
            tracing::warn!(ports = ?lost, "node ports belong to no service: given back");
        }
        match world.put_record(allocation::NODE_PORTS, revision, wanted).await {
            // Somebody else wrote meanwhile: look again next time, with a fresh map.
            Err(status) if status.code == 409 => {}
            Err(status) => return Err(step("write node ports")(status)),
            Ok(_) => suspects.retain(|port, _| !lost.contains(port)),
        }
    }
    Ok(Next::After(EVERY))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::Fake;
    use model::json::json;

    fn service(name: &str, ip: &str, port: i64) -> Value {
        json!({"metadata": {"namespace": "a", "name": name}, "spec": {"type": "NodePort", "clusterIP": ip, "clusterIPs": [ip], "ports": [{"port": 80, "nodePort": port}]}})
    }

    fn address(ip: &str, name: &str, made: &str) -> Value {
        let mut object = allocation::address(ip, &service(name, ip, 0));
        meta::set(&mut object, "creationTimestamp", made);
        object
    }

    #[test]
    fn addresses_without_a_holder_go_after_a_while() {
        let now: Timestamp = "2030-01-01T01:00:00Z".parse().unwrap();
        let (old, young) = ("2030-01-01T00:00:00Z", "2030-01-01T00:59:30Z");
        let addresses =
            [address("10.0.0.1", "kept", old), address("10.0.0.2", "gone", old), address("10.0.0.3", "coming", young)];
        let services = [service("kept", "10.0.0.1", 0), service("bare", "10.0.0.9", 0)];
        let Decision { lost, missing, doubtful } = decide(&addresses, &services, now);
        assert_eq!(lost.iter().map(|o| meta::name(o)).collect::<Vec<_>>(), ["10.0.0.2"]);
        assert_eq!(missing.iter().map(meta::name).collect::<Vec<_>>(), ["10.0.0.9"]);
        assert!(doubtful, "10.0.0.3 is looked at again when it has had its time");
        assert!(!decide(&addresses[..2], &services, now).doubtful);
    }

    #[tokio::test]
    async fn ports_without_a_holder_go_after_three_looks() {
        let world = Fake::new(&[]);
        let settings = crate::bootstrap::tests::settings();
        world.seed("v1/services", service("kept", "10.0.0.1", 30001));
        world.put_record(allocation::NODE_PORTS, 0, allocation::node_port_record("30000-32767", [30001, 30002])).await.unwrap();
        let mut suspects = Suspects::default();
        for expected in [vec![30001, 30002], vec![30001, 30002], vec![30001]] {
            ports(&world, &settings, &mut suspects).await.unwrap();
            let (record, _) = world.record(allocation::NODE_PORTS).await.unwrap().unwrap();
            assert_eq!(allocation::ports_in_use(Some(&record)), expected);
        }
    }

    #[tokio::test]
    async fn the_map_follows_the_flag_and_the_services() {
        let world = Fake::new(&[]);
        world.seed("v1/services", service("kept", "10.0.0.1", 30001));
        let settings = Settings { node_ports: "30000-30099".into(), ..crate::bootstrap::tests::settings() };
        ports(&world, &settings, &mut Suspects::default()).await.unwrap();
        let (record, _) = world.record(allocation::NODE_PORTS).await.unwrap().unwrap();
        assert_eq!((&record["range"], allocation::ports_in_use(Some(&record))), (&json!("30000-30099"), vec![30001]));
    }
}
