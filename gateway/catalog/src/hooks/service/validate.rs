//! What a Service may look like, once it has what it was allocated. Follows `validateService`, `ValidateServiceUpdate` and
//! `ValidateLoadBalancerStatus`.

use std::collections::BTreeSet;

use model::field::{Errors, Path};
use model::{Value, meta};

use super::super::rules::{cidr, get, internal, ip, labels, number, text};
use super::{
    NONE, cluster_ips, family_of, ip_families, is_externally_accessible, is_headless, kind_of, needs_cluster_ip,
    needs_health_check, spec,
};

const TOPOLOGY_HINTS: &str = "service.kubernetes.io/topology-aware-hints";
const TOPOLOGY_MODE: &str = "service.kubernetes.io/topology-mode";
const SOURCE_RANGES: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";
const ONCE_SET: &str = "may not change once set";
const ONLY_BALANCER: &str = "may only be used when `type` is 'LoadBalancer'";
/// `MaxClientIPServiceAffinitySeconds`: a day.
const AFFINITY_S_MAX: i64 = 86_400;

pub(super) fn create(service: &Value, errors: &mut Errors) {
    whole(service, None, errors);
}

pub(super) fn update(new: &Value, old: &Value, errors: &mut Errors) {
    if needs_cluster_ip(new) && needs_cluster_ip(old) {
        cluster_ips_change(new, old, errors);
        ip_families_change(new, old, errors);
    }
    let (path, field) = (Path::new("spec"), "loadBalancerClass");
    let class = |service| get::string(spec(service), field);
    if kind_of(new) == "LoadBalancer" && kind_of(old) == "LoadBalancer" && class(new) != class(old) {
        errors.invalid_named(&path.child(field), get::raw(spec(new), field), ONCE_SET);
    }
    // Upstream checks the class here and with the rest of the object.
    balancer_class(new, errors);
    let health_port = |service| get::number(spec(service), "healthCheckNodePort");
    if needs_health_check(new) && needs_health_check(old) && health_port(new) != health_port(old) {
        errors.forbidden(&path.child("healthCheckNodePort"), number::IMMUTABLE);
    }
    whole(new, Some(old), errors);
}

fn whole(service: &Value, old: Option<&Value>, errors: &mut Errors) {
    let hints = meta::annotation(service, TOPOLOGY_HINTS);
    if let (Some(mode), Some(hints)) = (meta::annotation(service, TOPOLOGY_MODE), hints)
        && mode != hints
    {
        let annotations = Path::new("metadata.annotations");
        errors.invalid(
            &annotations.key(TOPOLOGY_MODE),
            mode,
            format!("must match annotations[{TOPOLOGY_HINTS}] when both are specified"),
        );
    }
    by_type(service, errors);
    ports(service, errors);
    let path = Path::new("spec");
    labels::labels(spec(service), "selector", &path, errors);
    affinity(service, errors);
    cluster_ips_and_families(service, old, errors);
    external_ips(service, old, errors);
    text::required_one_of(
        kind_of(service),
        &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"],
        &path.child("type"),
        errors,
    );
    node_ports(service, errors);
    duplicate_ports(service, errors);
    source_ranges(service, old, errors);
    balancer_ports(service, errors);
    balancer_class(service, errors);
    external_policy(service, errors);
    internal_policy(service, errors);
    let field = path.child("trafficDistribution");
    if let Some(distribution) = get::string(spec(service), "trafficDistribution") {
        text::plain_one_of(distribution, &["PreferClose", "PreferSameZone", "PreferSameNode"], &field, errors);
    }
}

fn by_type(service: &Value, errors: &mut Errors) {
    let (path, kind) = (Path::new("spec"), kind_of(service));
    if get::list(spec(service), "ports").is_empty() && !is_headless(service) && kind != "ExternalName" {
        errors.required(&path.child("ports"), "");
    }
    match kind {
        "LoadBalancer" | "NodePort" if is_headless(service) => {
            errors.invalid(&path.child("clusterIPs").index(0), NONE, format!("may not be set to 'None' for {kind} services"));
        }
        "ExternalName" => {
            for field in ["clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
                let given = spec(service)
                    .get(field)
                    .is_some_and(|value| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()));
                if given {
                    errors.forbidden(&path.child(field), "may not be set for ExternalName services");
                }
            }
            let name = get::text(spec(service), "externalName");
            match name.strip_suffix('.').unwrap_or(name) {
                "" => errors.required(&path.child("externalName"), ""),
                name => text::dns_subdomain(name, &path.child("externalName"), errors),
            }
        }
        _ => {}
    }
}

fn ports(service: &Value, errors: &mut Errors) {
    let (path, list) = (Path::new("spec.ports"), get::list(spec(service), "ports"));
    let mut names = BTreeSet::new();
    for (i, port) in list.iter().enumerate() {
        let path = path.index(i);
        let name = get::text(port, "name");
        if !name.is_empty() {
            text::dns_label(name, &path.child("name"), errors);
            if !names.insert(name) {
                errors.duplicate(&path.child("name"), name);
            }
        } else if list.len() > 1 {
            errors.required(&path.child("name"), "");
        }
        text::port_num(get::number(port, "port"), &path.child("port"), errors);
        text::required_one_of(get::text(port, "protocol"), &["SCTP", "TCP", "UDP"], &path.child("protocol"), errors);
        text::port_num_or_name(&get::raw(port, "targetPort"), &path.child("targetPort"), errors);
        if let Some(protocol) = get::string(port, "appProtocol") {
            text::qualified_name(protocol, &path.child("appProtocol"), errors);
        }
    }
}

fn affinity(service: &Value, errors: &mut Errors) {
    let (path, affinity) = (Path::new("spec"), get::text(spec(service), "sessionAffinity"));
    text::required_one_of(affinity, &["ClientIP", "None"], &path.child("sessionAffinity"), errors);
    let path = path.child("sessionAffinityConfig");
    let config = get::object(spec(service), "sessionAffinityConfig");
    match (affinity, config) {
        ("None", Some(_)) => errors.forbidden(&path, "must not be set when session affinity is None"),
        ("ClientIP", None) => errors.required(&path, "when session affinity type is ClientIP"),
        ("ClientIP", Some(config)) => {
            let path = path.child("clientIP");
            match get::object(config, "clientIP").map(|client| get::int(client, "timeoutSeconds")) {
                None => errors.required(&path, "when session affinity type is ClientIP"),
                Some(None) => errors.required(&path.child("timeoutSeconds"), "when session affinity type is ClientIP"),
                Some(Some(seconds)) if seconds <= 0 || seconds > AFFINITY_S_MAX => {
                    errors.invalid(
                        &path.child("timeoutSeconds"),
                        seconds,
                        format!("must be greater than 0 and less than {AFFINITY_S_MAX}"),
                    );
                }
                Some(Some(_)) => {}
            }
        }
        _ => {}
    }
}

/// `ValidateServiceClusterIPsRelatedFields`.
pub(super) fn cluster_ips_and_families(service: &Value, old: Option<&Value>, errors: &mut Errors) {
    if !needs_cluster_ip(service) {
        return;
    }
    let (path, ips) = (Path::new("spec"), cluster_ips(service));
    let shown = || get::raw(spec(service), "clusterIPs");
    let field = path.child("clusterIPs");
    match (get::text(spec(service), "clusterIP"), ips.first()) {
        ("", Some(_)) => errors.invalid(&field, shown(), "must be empty when `clusterIP` is not specified"),
        ("", None) => {}
        (_, None) => errors.required(&field, ""),
        (ip, Some(first)) if ip != *first => errors.invalid(&field, shown(), "first value must match `clusterIP`"),
        _ => {}
    }
    families(service, errors);
    if addresses(&ips, old, shown, errors) {
        return;
    }
    if ips.len() > 1 && ips.iter().all(|ip| family_of(ip) == family_of(ips[0])) {
        errors.invalid(&field, shown(), "may specify no more than one IP for each IP family");
    }
    if is_headless(service) {
        return;
    }
    for (i, (ip, family)) in ips.iter().zip(ip_families(service)).enumerate() {
        if ["IPv4", "IPv6"].contains(&family) && family_of(ip) != family {
            errors.invalid(&field.index(i), *ip, format!("expected an {family} value as indicated by `ipFamilies[{i}]`"));
        }
    }
}

fn families(service: &Value, errors: &mut Errors) {
    let path = Path::new("spec.ipFamilies");
    let mut seen = BTreeSet::new();
    for (i, family) in ip_families(service).into_iter().enumerate() {
        text::one_of(family, &["IPv4", "IPv6"], &path.index(i), errors);
        if !seen.insert(family) {
            errors.duplicate_named(&path.index(i), family);
        }
    }
    if let Some(policy) = get::string(spec(service), "ipFamilyPolicy") {
        text::one_of(policy, &["PreferDualStack", "RequireDualStack", "SingleStack"], &Path::new("spec.ipFamilyPolicy"), errors);
    }
}

/// Whether an address is malformed: what else there is to say would then mislead.
fn addresses(ips: &[&str], old: Option<&Value>, shown: impl Fn() -> Value, errors: &mut Errors) -> bool {
    let (path, kept) = (Path::new("spec.clusterIPs"), old.map(cluster_ips).unwrap_or_default());
    let mut malformed = false;
    for (i, one) in ips.iter().enumerate() {
        if i == 0 && *one == NONE {
            if ips.len() > 1 {
                malformed = true;
                errors.invalid(&path, shown(), "'None' must be the first and only value");
            }
            continue;
        }
        let before = errors.0.len();
        ip::legacy(one, &kept, &path.index(i), errors);
        malformed |= errors.0.len() > before;
    }
    if ips.len() > 2 {
        errors.invalid(&path, shown(), "may only hold up to 2 values");
    }
    malformed
}

fn external_ips(service: &Value, old: Option<&Value>, errors: &mut Errors) {
    let path = Path::new("spec.externalIPs");
    let kept: Vec<&str> = old.map(|old| get::strings(spec(old), "externalIPs").collect()).unwrap_or_default();
    for (i, one) in get::strings(spec(service), "externalIPs").enumerate() {
        let before = errors.0.len();
        ip::legacy(one, &kept, &path.index(i), errors);
        if errors.0.len() == before {
            ip::endpoint(one, &path.index(i), errors);
        }
    }
}

fn node_ports(service: &Value, errors: &mut Errors) {
    let path = Path::new("spec.ports");
    let used = || get::list(spec(service), "ports").iter().enumerate().filter(|(_, port)| get::number(port, "nodePort") != 0);
    if kind_of(service) == "ClusterIP" {
        for (i, _) in used() {
            errors.forbidden(&path.index(i).child("nodePort"), "may not be used when `type` is 'ClusterIP'");
        }
    }
    let mut seen = BTreeSet::new();
    for (i, port) in used() {
        let number = get::number(port, "nodePort");
        if !seen.insert((get::text(port, "protocol"), number)) {
            errors.duplicate(&path.index(i).child("nodePort"), number);
        }
    }
}

fn duplicate_ports(service: &Value, errors: &mut Errors) {
    let path = Path::new("spec.ports");
    let mut seen = BTreeSet::new();
    for (i, port) in get::list(spec(service), "ports").iter().enumerate() {
        let (protocol, number) = (get::text(port, "protocol"), get::number(port, "port"));
        if !seen.insert((protocol, number)) {
            // Upstream shows a port of which only these two are filled in.
            let two = model::json::json!({"protocol": protocol, "port": number});
            errors.duplicate(&path.index(i), internal::show(&two, internal::SERVICE_PORT));
        }
    }
}

fn source_ranges(service: &Value, old: Option<&Value>, errors: &mut Errors) {
    let trimmed = |service| get::strings(spec(service), "loadBalancerSourceRanges").map(str::trim).collect::<Vec<_>>();
    let (is_balancer, ranges) = (kind_of(service) == "LoadBalancer", trimmed(service));
    if !ranges.is_empty() {
        // Upstream writes the field with a capital.
        let path = Path::new("spec.LoadBalancerSourceRanges");
        if !is_balancer {
            errors.forbidden(&path, ONLY_BALANCER);
        }
        let kept = old.map(trimmed).unwrap_or_default();
        for (i, range) in ranges.iter().enumerate() {
            cidr::legacy(range, &kept, &path.index(i), errors);
        }
        return;
    }
    let Some(ranges) = meta::annotation(service, SOURCE_RANGES) else { return };
    let annotations = Path::new("metadata.annotations");
    let path = annotations.key(SOURCE_RANGES);
    if !is_balancer {
        errors.forbidden(&path, ONLY_BALANCER);
    }
    if old.and_then(|old| meta::annotation(old, SOURCE_RANGES)) != Some(ranges) && !ranges.trim().is_empty() {
        for range in ranges.trim().split(',') {
            cidr::legacy(range.trim(), &[], &path, errors);
        }
    }
}

fn balancer_ports(service: &Value, errors: &mut Errors) {
    let given = get::flag(spec(service), "allocateLoadBalancerNodePorts").is_some();
    match (kind_of(service) == "LoadBalancer", given) {
        (false, true) => errors.forbidden(&Path::new("spec.allocateLoadBalancerNodePorts"), ONLY_BALANCER),
        // Upstream leaves out the first step of the path.
        (true, false) => errors.required(&Path::new("allocateLoadBalancerNodePorts"), ""),
        _ => {}
    }
}

fn balancer_class(service: &Value, errors: &mut Errors) {
    let path = Path::new("spec.loadBalancerClass");
    let Some(class) = get::string(spec(service), "loadBalancerClass") else { return };
    if kind_of(service) == "LoadBalancer" {
        text::qualified_name(class, &path, errors);
    } else {
        errors.forbidden(&path, ONLY_BALANCER);
    }
}

fn external_policy(service: &Value, errors: &mut Errors) {
    let (path, policy) = (Path::new("spec"), get::text(spec(service), "externalTrafficPolicy"));
    let field = path.child("externalTrafficPolicy");
    if is_externally_accessible(service) {
        text::required_one_of(policy, &["Cluster", "Local"], &field, errors);
    } else if !policy.is_empty() {
        errors.invalid_named(&field, policy, "may only be set for externally-accessible services");
    }
    let (field, port) = (path.child("healthCheckNodePort"), get::number(spec(service), "healthCheckNodePort"));
    match (needs_health_check(service), port) {
        (false, 0) => {}
        (false, _) => {
            errors.invalid(&field, port, "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'");
        }
        (true, 0) => errors.required(&field, ""),
        (true, _) => text::port_num(port, &field, errors),
    }
}

fn internal_policy(service: &Value, errors: &mut Errors) {
    let path = Path::new("spec.internalTrafficPolicy");
    match get::string(spec(service), "internalTrafficPolicy") {
        Some(policy) => {
            text::one_of(policy, &["Cluster", "Local"], &path, errors);
        }
        None if matches!(kind_of(service), "NodePort" | "LoadBalancer" | "ClusterIP") => errors.required(&path, ""),
        None => {}
    }
}

/// `validateUpgradeDowngradeClusterIPs`.
fn cluster_ips_change(new: &Value, old: &Value, errors: &mut Errors) {
    if is_headless(new) && is_headless(old) {
        return;
    }
    let (before, after, path) = (cluster_ips(old), cluster_ips(new), Path::new("spec.clusterIPs"));
    let shown = || get::raw(spec(new), "clusterIPs");
    if before.len() == after.len() {
        for (i, _) in before.iter().zip(&after).enumerate().filter(|(_, (old, new))| old != new) {
            errors.invalid(&path.index(i), shown(), ONCE_SET);
        }
        return;
    }
    if after.is_empty() {
        errors.invalid(&path.index(0), shown(), "primary clusterIP can not be unset");
    } else if !before.is_empty() && before[0] != after[0] {
        errors.invalid(&path.index(0), shown(), ONCE_SET);
    }
    single_stack_to_release(new, before.len(), after.len(), "clusterIP", errors);
}

/// `validateUpgradeDowngradeIPFamilies`.
fn ip_families_change(new: &Value, old: &Value, errors: &mut Errors) {
    if is_headless(new) || is_headless(old) {
        return;
    }
    let (before, after, path) = (ip_families(old), ip_families(new), Path::new("spec.ipFamilies"));
    let (shown, shown_ips) = (|| get::raw(spec(new), "ipFamilies"), || get::raw(spec(new), "clusterIPs"));
    if before.len() == after.len() {
        for _ in before.iter().zip(&after).filter(|(old, new)| old != new) {
            errors.invalid(&path.index(0), shown(), ONCE_SET);
        }
        return;
    }
    if before.len() > after.len() && cluster_ips(new).is_empty() {
        errors.invalid(&path.index(0), shown(), "primary ipFamily can not be unset");
    }
    if let (Some(old), Some(new)) = (before.first(), after.first())
        && old != new
    {
        errors.invalid(&path.index(0), shown_ips(), ONCE_SET);
    }
    single_stack_to_release(new, before.len(), after.len(), "ipFamily", errors);
}

fn single_stack_to_release(new: &Value, before: usize, after: usize, what: &str, errors: &mut Errors) {
    if before > after && after == 1 && get::text(spec(new), "ipFamilyPolicy") != "SingleStack" {
        let message = format!("must be set to 'SingleStack' when releasing the secondary {what}");
        errors.invalid_named(&Path::new("spec.ipFamilyPolicy"), get::raw(spec(new), "ipFamilyPolicy"), message);
    }
}

/// `ValidateServiceStatusUpdate`.
pub(super) fn status(new: &Value, old: &Value, errors: &mut Errors) {
    let ingress = |service| get::list(get::at(service, "status.loadBalancer"), "ingress");
    let path = Path::new("status.loadBalancer.ingress");
    if kind_of(new) != "LoadBalancer" && !ingress(new).is_empty() {
        return errors.forbidden(&path, "may only be used when `spec.type` is 'LoadBalancer'");
    }
    let kept: Vec<&str> = ingress(old).iter().map(|one| get::text(one, "ip")).filter(|ip| !ip.is_empty()).collect();
    for (i, one) in ingress(new).iter().enumerate() {
        balancer_ingress(one, &kept, &path.index(i), errors);
    }
}

fn balancer_ingress(ingress: &Value, kept: &[&str], path: &Path<'_>, errors: &mut Errors) {
    let (address, mode, host) = (get::text(ingress, "ip"), get::string(ingress, "ipMode"), get::text(ingress, "hostname"));
    if !address.is_empty() {
        ip::legacy(address, kept, &path.child("ip"), errors);
    }
    match (mode, address) {
        (None, "") => {}
        (None, _) => errors.required(&path.child("ipMode"), "must be specified when `ip` is set"),
        (Some(_), "") => errors.forbidden(&path.child("ipMode"), "may not be specified when `ip` is not set"),
        (Some(mode), _) => {
            text::one_of(mode, &["Proxy", "VIP"], &path.child("ipMode"), errors);
        }
    }
    if !host.is_empty() {
        text::dns_subdomain(host, &path.child("hostname"), errors);
        if ip::parse_sloppy(host).is_some() {
            errors.invalid(&path.child("hostname"), host, "must be a DNS name, not an IP address");
        }
    }
}
