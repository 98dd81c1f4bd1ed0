//! Node ports of a Service: which it needs, taken from the map under compare-and-put. Follows `initNodePorts`,
//! `updateNodePorts` and `allocHealthCheckNodePort`.

use std::collections::BTreeMap;

use model::field::{Errors, Path};
use model::{Status, Value, World};

use super::super::rules::get;
use super::port_map::{self, PortMap};
use super::{has_node_ports, invalid, kind_of, needs_health_check, spec};

/// Where the map lies, as upstream keeps it.
pub const RECORD: &str = "/registry/ranges/servicenodeports";
/// Rounds of compare-and-put before giving up. In each of them another writer succeeded.
const ROUNDS_MAX: usize = 64;

/// What an allocation changed.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Allocation {
    /// Given for this write.
    pub(super) allocated: Vec<i64>,
    /// Held by the old object and not by the new.
    pub(super) obsolete: Vec<i64>,
}

/// The ports that a Service holds, each once.
pub(super) fn held(service: &Value) -> Vec<i64> {
    let mut ports = node_ports(service);
    let health_port = get::number(spec(service), "healthCheckNodePort");
    if needs_health_check(service) && health_port > 0 {
        ports.push(health_port);
    }
    ports.sort_unstable();
    ports.dedup();
    ports
}

fn node_ports(service: &Value) -> Vec<i64> {
    get::list(spec(service), "ports").iter().map(|port| get::number(port, "nodePort")).filter(|port| *port != 0).collect()
}

/// Gives the Service the node ports it needs. Fails with 422 when one that it names cannot be had, 500 when there is none
/// left, 409 when others keep being faster.
pub(super) async fn allocate(
    world: &dyn World,
    new: &mut Value,
    old: Option<&Value>,
    dry_run: bool,
) -> Result<Allocation, Status> {
    if !has_node_ports(new) && !old.is_some_and(has_node_ports) {
        return Ok(Allocation::default());
    }
    for _ in 0..ROUNDS_MAX {
        let record = world.record(RECORD).await?;
        let (mut map, mut attempt) = (PortMap::parse(record.as_ref().map(|(value, _)| value)), new.clone());
        let take = if dry_run { PortMap::pretend } else { PortMap::take };
        let allocation = assign(&mut attempt, old, &mut map, take)?;
        if dry_run || allocation.allocated.is_empty() {
            *new = attempt;
            return Ok(allocation);
        }
        match world.put_record(RECORD, record.map_or(0, |(_, revision)| revision), map.to_record()).await {
            Ok(_) => {
                *new = attempt;
                return Ok(allocation);
            }
            Err(status) if status.code == 409 => {}
            Err(status) => return Err(status),
        }
    }
    Err(Status::internal("failed to allocate a nodePort: the map of node ports keeps changing"))
}

/// Gives ports back; what fails here is found by the repair.
pub(super) async fn release(world: &dyn World, ports: &[i64]) {
    if ports.is_empty() {
        return;
    }
    for _ in 0..ROUNDS_MAX {
        let Ok(Some((record, revision))) = world.record(RECORD).await else { return };
        let mut map = PortMap::parse(Some(&record));
        ports.iter().for_each(|port| map.give_back(*port));
        match world.put_record(RECORD, revision, map.to_record()).await {
            Err(status) if status.code == 409 => {}
            Err(status) => return tracing::warn!(?ports, %status, "cannot release node ports; the repair will"),
            Ok(_) => return,
        }
    }
}

/// How a certain port is taken off the map.
type Take = fn(&mut PortMap, i64) -> Result<(), port_map::Error>;

/// Writes ports into the Service and takes them off the map. Pure.
fn assign(new: &mut Value, old: Option<&Value>, map: &mut PortMap, take: Take) -> Result<Allocation, Status> {
    let before = old.map(held).unwrap_or_default();
    let mut allocated = Vec::new();
    if has_node_ports(new) {
        assign_ports(new, &before, map, take, &mut allocated)?;
    }
    if needs_health_check(new) && !old.is_some_and(needs_health_check) {
        assign_health_port(new, map, take, &mut allocated)?;
    }
    let after = held(new);
    Ok(Allocation { allocated, obsolete: before.into_iter().filter(|port| !after.contains(port)).collect() })
}

fn assign_ports(new: &mut Value, before: &[i64], map: &mut PortMap, take: Take, allocated: &mut Vec<i64>) -> Result<(), Status> {
    let wants_any = kind_of(new) == "NodePort" || get::flag(spec(new), "allocateLoadBalancerNodePorts") != Some(false);
    let ports: Vec<Value> = get::list(spec(new), "ports").to_vec();
    // On create, ports with the same number (TCP and UDP) share a node port, one that any of them names first of all.
    let shares = before.is_empty();
    let mut by_port: BTreeMap<i64, i64> = BTreeMap::new();
    let mut given: Vec<i64> = Vec::with_capacity(ports.len());
    for (i, port) in ports.iter().enumerate() {
        let (number, wanted) = (get::number(port, "port"), get::number(port, "nodePort"));
        if wanted == 0 && !wants_any {
            given.push(0);
            continue;
        }
        let named =
            ports.iter().filter(|p| get::number(p, "port") == number).map(|p| get::number(p, "nodePort")).find(|p| *p != 0);
        let shared = by_port.get(&number).copied().or(named).filter(|_| shares);
        let choice = if wanted == 0 { shared.unwrap_or(0) } else { wanted };
        let taken = choice != 0 && (before.contains(&choice) || allocated.contains(&choice));
        let node_port = match (choice, taken) {
            (_, true) => choice,
            (0, false) => map.take_any().map_err(|error| Status::internal(format!("failed to allocate a nodePort: {error}")))?,
            (_, false) => {
                take(map, choice).map_err(|error| refused(new, i, choice, &error))?;
                choice
            }
        };
        if !taken {
            allocated.push(node_port);
        }
        by_port.entry(number).or_insert(node_port);
        given.push(node_port);
    }
    let Some(inner) = new.get_mut("spec") else { return Ok(()) };
    for (port, node_port) in get::list_mut(inner, "ports").iter_mut().zip(given).filter(|(_, node_port)| *node_port != 0) {
        get::set(port, "nodePort", node_port);
    }
    Ok(())
}

fn refused(service: &Value, at: usize, port: i64, error: &port_map::Error) -> Status {
    let mut errors = Errors::new();
    errors.invalid(&Path::new("spec.ports").index(at).child("nodePort"), port, error.to_string());
    invalid(service, &errors)
}

fn assign_health_port(new: &mut Value, map: &mut PortMap, take: Take, allocated: &mut Vec<i64>) -> Result<(), Status> {
    let wanted = get::number(spec(new), "healthCheckNodePort");
    let port = if wanted == 0 {
        map.take_any().map_err(|error| Status::internal(format!("failed to allocate a HealthCheck NodePort 0: {error}")))?
    } else {
        take(map, wanted)
            .map_err(|error| Status::internal(format!("failed to allocate requested HealthCheck NodePort {wanted}: {error}")))?;
        wanted
    };
    allocated.push(port);
    if let Some(inner) = new.get_mut("spec") {
        get::set(inner, "healthCheckNodePort", port);
    }
    Ok(())
}
