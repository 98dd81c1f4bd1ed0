//! Defaults of a Service, and what its linked fields mean when only some of them are given. Allocates nothing.
//! Follows `SetDefaults_Service`, `normalizeClusterIPs`, `patchAllocatedValues` and `dropTypeDependentFields`.

use std::collections::{BTreeMap, BTreeSet};

use model::Value;
use model::json::json;

use super::super::rules::get;
use super::{cluster_ips, has_node_ports, is_externally_accessible, kind_of, needs_cluster_ip, needs_health_check, spec};

/// Upstream's `DefaultClientIPServiceAffinitySeconds`: three hours.
const AFFINITY_S: i64 = 10_800;

pub(super) fn default(service: &mut Value) {
    let Some(spec) = service.get_mut("spec") else { return };
    get::default(spec, "sessionAffinity", "None");
    match get::text(spec, "sessionAffinity") {
        "None" => get::remove(spec, "sessionAffinityConfig"),
        "ClientIP" if get::int(get::at(spec, "sessionAffinityConfig.clientIP"), "timeoutSeconds").is_none() => {
            get::set(spec, "sessionAffinityConfig", json!({"clientIP": {"timeoutSeconds": AFFINITY_S}}));
        }
        _ => {}
    }
    get::default(spec, "type", "ClusterIP");
    for port in get::list_mut(spec, "ports") {
        get::default(port, "protocol", "TCP");
        let number = get::number(port, "port");
        if matches!(port.get("targetPort"), None | Some(Value::Null))
            || port["targetPort"] == json!(0)
            || port["targetPort"] == json!("")
        {
            get::set(port, "targetPort", number);
        }
    }
    let accessible = is_externally_accessible(service);
    let Some(spec) = service.get_mut("spec") else { return };
    if accessible {
        get::default(spec, "externalTrafficPolicy", "Cluster");
    }
    if matches!(get::text(spec, "type"), "NodePort" | "LoadBalancer" | "ClusterIP") {
        get::default_pointer(spec, "internalTrafficPolicy", "Cluster");
    }
    if get::text(spec, "type") == "LoadBalancer" {
        get::default(spec, "allocateLoadBalancerNodePorts", true);
        default_ip_mode(service);
    }
}

/// A name elsewhere has no traffic inside. Upstream stores the policy of an earlier type on, if it is sound, and never
/// shows it.
pub(super) fn forget_internal_traffic(service: &mut Value) {
    if !needs_cluster_ip(service) && matches!(get::text(spec(service), "internalTrafficPolicy"), "Cluster" | "Local") {
        remove(service, "internalTrafficPolicy");
    }
}

fn default_ip_mode(service: &mut Value) {
    let Some(balancer) = service.get_mut("status").and_then(|status| status.get_mut("loadBalancer")) else { return };
    for ingress in get::list_mut(balancer, "ingress") {
        if !get::text(ingress, "ip").is_empty() {
            get::default_pointer(ingress, "ipMode", "VIP");
        }
    }
}

/// An old client that knows only `clusterIP` means both.
pub(super) fn create(service: &mut Value) {
    let ip = get::text(spec(service), "clusterIP").to_owned();
    if !ip.is_empty() && cluster_ips(service).is_empty() {
        set(service, "clusterIPs", json!([ip]));
    }
}

pub(super) fn update(new: &mut Value, old: &Value) {
    keep_allocated(new, old);
    link_cluster_ips(new, old);
    drop_by_type(new, old);
}

fn set(service: &mut Value, field: &str, value: Value) {
    if let Some(spec) = service.get_mut("spec") {
        get::set(spec, field, value);
    }
}

fn remove(service: &mut Value, field: &str) {
    if let Some(spec) = service.get_mut("spec") {
        get::remove(spec, field);
    }
}

/// Whoever sends a Service without what the server allocated means to keep it.
fn keep_allocated(new: &mut Value, old: &Value) {
    if needs_cluster_ip(old) && needs_cluster_ip(new) {
        if get::text(spec(new), "clusterIP").is_empty() && !get::text(spec(old), "clusterIP").is_empty() {
            set(new, "clusterIP", get::raw(spec(old), "clusterIP"));
        }
        if cluster_ips(new).is_empty() && !cluster_ips(old).is_empty() {
            set(new, "clusterIPs", get::raw(spec(old), "clusterIPs"));
        }
    }
    if allocates_node_ports(old) && allocates_node_ports(new) {
        keep_node_ports(new, old);
    }
    let health_port = get::number(spec(old), "healthCheckNodePort");
    if needs_health_check(old)
        && needs_health_check(new)
        && get::number(spec(new), "healthCheckNodePort") == 0
        && health_port != 0
    {
        set(new, "healthCheckNodePort", json!(health_port));
    }
}

fn allocates_node_ports(service: &Value) -> bool {
    kind_of(service) == "NodePort"
        || (kind_of(service) == "LoadBalancer" && get::flag(spec(service), "allocateLoadBalancerNodePorts") != Some(false))
}

fn node_ports(service: &Value) -> BTreeSet<i64> {
    get::list(spec(service), "ports").iter().map(|port| get::number(port, "nodePort")).filter(|port| *port != 0).collect()
}

fn keep_node_ports(new: &mut Value, old: &Value) {
    let used: BTreeSet<i64> = node_ports(old).intersection(&node_ports(new)).copied().collect();
    let by_name: BTreeMap<&str, i64> =
        get::list(spec(old), "ports").iter().map(|port| (get::text(port, "name"), get::number(port, "nodePort"))).collect();
    let Some(spec) = new.get_mut("spec") else { return };
    for port in get::list_mut(spec, "ports") {
        let known = by_name.get(get::text(port, "name")).copied().unwrap_or(0);
        if get::number(port, "nodePort") == 0 && known != 0 && !used.contains(&known) {
            get::set(port, "nodePort", known);
        }
    }
}

fn link_cluster_ips(new: &mut Value, old: &Value) {
    let (old_ip, new_ip) = (get::text(spec(old), "clusterIP").to_owned(), get::text(spec(new), "clusterIP").to_owned());
    if !cluster_ips(old).is_empty() && cluster_ips(new).is_empty() && old_ip == new_ip {
        set(new, "clusterIPs", get::raw(spec(old), "clusterIPs"));
    }
    if old_ip != new_ip && cluster_ips(old) == cluster_ips(new) {
        if !old_ip.is_empty() && new_ip.is_empty() {
            remove(new, "clusterIPs");
        } else {
            set(new, "clusterIPs", json!([new_ip]));
        }
    }
}

/// What the new type has no use for goes, unless its sender changed it too: then validation speaks.
fn drop_by_type(new: &mut Value, old: &Value) {
    let same = |new: &Value, field: &str| spec(new).get(field) == spec(old).get(field);
    if needs_cluster_ip(old) && !needs_cluster_ip(new) {
        if same(new, "clusterIP") && same(new, "clusterIPs") {
            remove(new, "clusterIP");
            remove(new, "clusterIPs");
        }
        for field in ["ipFamilies", "ipFamilyPolicy"] {
            if same(new, field) {
                remove(new, field);
            }
        }
    }
    if has_node_ports(old) && !has_node_ports(new) && node_ports(new).is_subset(&node_ports(old)) {
        let Some(spec) = new.get_mut("spec") else { return };
        for port in get::list_mut(spec, "ports") {
            get::remove(port, "nodePort");
        }
    }
    let was_balancer = kind_of(old) == "LoadBalancer" && kind_of(new) != "LoadBalancer";
    for (field, obsolete) in [
        ("healthCheckNodePort", needs_health_check(old) && !needs_health_check(new)),
        ("allocateLoadBalancerNodePorts", was_balancer),
        ("loadBalancerClass", was_balancer),
        ("externalTrafficPolicy", is_externally_accessible(old) && !is_externally_accessible(new)),
    ] {
        if obsolete && same(new, field) {
            remove(new, field);
        }
    }
    if kind_of(new) != "LoadBalancer"
        && let Some(status) = new.get_mut("status")
    {
        get::set(status, "loadBalancer", json!({}));
    }
}
