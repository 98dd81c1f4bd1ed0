//! What Services hold, for those who compare it with what was allocated (controller `bootstrap`). Allocates nothing.

use std::net::IpAddr;

use model::Value;
use model::json::json;

use super::port_map::PortMap;
use super::{addresses, ports};

pub use super::ports::RECORD as NODE_PORTS;

/// Label, key and value, of addresses that were allocated for Services.
pub const MANAGED_BY: (&str, &str) = ("ipaddress.kubernetes.io/managed-by", "ipallocator.k8s.io");

/// The cluster IPs that a Service holds, in canonical form.
pub fn cluster_ips(service: &Value) -> Vec<String> {
    let held = addresses::held(service).into_iter();
    held.filter_map(|ip| super::super::rules::ip::parse_sloppy(&ip)).map(|address| address.to_string()).collect()
}

/// The IPAddress that gives an address to a Service.
pub fn address(ip: &str, service: &Value) -> Value {
    let fallback = || json!({"metadata": {"name": ip}});
    ip.parse::<IpAddr>().map_or_else(|_| fallback(), |address| addresses::Holder::of(service).address(address))
}

/// The node ports that a Service holds, each once.
pub fn node_ports(service: &Value) -> Vec<i64> {
    ports::held(service)
}

/// The ports that a record of the map says are in use, in order.
pub fn ports_in_use(record: Option<&Value>) -> Vec<i64> {
    PortMap::parse(record).in_use()
}

/// A record of a range such as `30000-32767` with these ports in use; those outside are left out.
pub fn node_port_record(range: &str, in_use: impl IntoIterator<Item = i64>) -> Value {
    let mut map =
        PortMap::parse(Some(&json!({"kind": "RangeAllocation", "apiVersion": "v1", "metadata": {}, "range": range, "data": ""})));
    for port in in_use {
        // Taken twice or outside the range: either way there is nothing to mark.
        let _ = map.take(port);
    }
    map.to_record()
}
