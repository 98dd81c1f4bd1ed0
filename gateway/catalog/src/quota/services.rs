//! What a Service counts: itself, its node ports, its load balancer. Follows `pkg/quota/v1/evaluator/core/services.go`.

use model::Value;

use super::{Amounts, number};
use crate::hooks::rules::get;

const COUNT: &str = "count/services";
const SERVICES: &str = "services";
const LOAD_BALANCERS: &str = "services.loadbalancers";
const NODE_PORTS: &str = "services.nodeports";

pub(super) fn counts(name: &str) -> bool {
    [COUNT, SERVICES, LOAD_BALANCERS, NODE_PORTS].contains(&name)
}

pub(super) fn usage(service: &Value) -> Amounts {
    let spec = get::at(service, "spec");
    let ports = get::list(spec, "ports");
    // Of node ports that are still to be allocated only the intent is known.
    let (node_ports, balancers) = match get::text(spec, "type") {
        "NodePort" => (ports.len(), 0),
        "LoadBalancer" if get::flag(spec, "allocateLoadBalancerNodePorts") == Some(false) => {
            (ports.iter().filter(|port| get::number(port, "nodePort") != 0).count(), 1)
        }
        "LoadBalancer" => (ports.len(), 1),
        _ => (0, 0),
    };
    let node_ports = i64::try_from(node_ports).unwrap_or(i64::MAX);
    let counted = [(COUNT, 1), (SERVICES, 1), (LOAD_BALANCERS, balancers), (NODE_PORTS, node_ports)];
    counted.map(|(name, count)| (name.to_owned(), number(count))).into()
}
