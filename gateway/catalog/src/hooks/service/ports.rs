//! Node ports of a Service: which it needs, taken from the map under compare-and-put. Follows `initNodePorts`,
//! `updateNodePorts` and `allocHealthCheckNodePort`.

use std::collections::{BTreeMap, BTreeSet};

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
    get::list(spec(service), "ports").iter().filter_map(node_port).collect()
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
        let given = match old {
            None => first(new, map, take, &mut allocated)?,
            Some(old) => next(new, &node_ports(old), map, take, &mut allocated)?,
        };
        write(new, &given);
    }
    if needs_health_check(new) && !old.is_some_and(needs_health_check) {
        assign_health_port(new, map, take, &mut allocated)?;
    }
    let after = held(new);
    Ok(Allocation { allocated, obsolete: before.into_iter().filter(|port| !after.contains(port)).collect() })
}

/// The node ports of a new Service, 0 for none. Ports of the same number (TCP and UDP) share one, that which any of them
/// names first of all.
fn first(new: &Value, map: &mut PortMap, take: Take, allocated: &mut Vec<i64>) -> Result<Vec<i64>, Status> {
    let (ports, wants_any) = (get::list(spec(new), "ports"), wants_any(new));
    let named = |number: i64| ports.iter().filter(|port| get::number(port, "port") == number).find_map(node_port);
    let mut by_port: BTreeMap<i64, i64> = BTreeMap::new();
    let mut given = Vec::with_capacity(ports.len());
    for (i, port) in ports.iter().enumerate() {
        let (number, wanted) = (get::number(port, "port"), node_port(port));
        let shared = by_port.get(&number).copied();
        given.push(match (wanted, shared) {
            (None, _) if !wants_any => 0,
            (None, Some(shared)) => shared,
            (Some(wanted), Some(shared)) if wanted == shared => shared,
            (Some(wanted), Some(_)) => {
                take(map, wanted).map_err(|error| refused(new, i, wanted, &error))?;
                allocated.push(wanted);
                wanted
            }
            (_, None) => {
                let chosen = match named(number) {
                    Some(named) => take(map, named).map(|()| named).map_err(|error| refused(new, i, named, &error))?,
                    None => any(map)?,
                };
                allocated.push(chosen);
                by_port.insert(number, chosen);
                chosen
            }
        });
    }
    Ok(given)
}

/// The node ports of a Service that had others: what it had it keeps, and none is shared. Follows `updateNodePorts`.
fn next(new: &Value, before: &[i64], map: &mut PortMap, take: Take, allocated: &mut Vec<i64>) -> Result<Vec<i64>, Status> {
    let (ports, wants_any) = (get::list(spec(new), "ports"), wants_any(new));
    let (mut given, mut seen) = (Vec::with_capacity(ports.len()), BTreeSet::new());
    for (i, port) in ports.iter().enumerate() {
        let chosen = match node_port(port) {
            None if !wants_any => {
                given.push(0);
                continue;
            }
            Some(wanted) if before.contains(&wanted) || allocated.contains(&wanted) => wanted,
            Some(wanted) => {
                take(map, wanted).map_err(|error| refused(new, i, wanted, &error))?;
                allocated.push(wanted);
                wanted
            }
            None => {
                let chosen = any(map)?;
                allocated.push(chosen);
                chosen
            }
        };
        let protocol = get::text(port, "protocol");
        if !seen.insert((protocol, chosen)) {
            return Err(Status::new(500, "", format!("duplicate nodePort: {{{protocol} {chosen}}}")));
        }
        given.push(chosen);
    }
    Ok(given)
}

fn node_port(port: &Value) -> Option<i64> {
    Some(get::number(port, "nodePort")).filter(|port| *port != 0)
}

fn wants_any(service: &Value) -> bool {
    kind_of(service) == "NodePort" || get::flag(spec(service), "allocateLoadBalancerNodePorts") != Some(false)
}

fn any(map: &mut PortMap) -> Result<i64, Status> {
    map.take_any().map_err(|error| Status::internal(format!("failed to allocate a nodePort: {error}")))
}

fn write(service: &mut Value, given: &[i64]) {
    let Some(inner) = service.get_mut("spec") else { return };
    for (port, node_port) in get::list_mut(inner, "ports").iter_mut().zip(given).filter(|(_, node_port)| **node_port != 0) {
        get::set(port, "nodePort", *node_port);
    }
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
