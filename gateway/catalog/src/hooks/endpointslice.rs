//! EndpointSlice. Upstream: `pkg/apis/discovery/validation`, `pkg/registry/discovery/endpointslice/strategy.go`.

use model::field::{Errors, Path};
use model::{Value, meta, name};

use super::Hooks;
use super::rules::{get, ip, labels, number, text};

/// `maxTopologyLabels`, `maxAddresses`, `maxPorts`, `maxEndpoints`, and the hints for zones and nodes.
const TOPOLOGY_LABELS_MAX: usize = 16;
const ADDRESSES_MAX: usize = 100;
const PORTS_MAX: usize = 20_000;
const ENDPOINTS_MAX: usize = 1_000;
const HINTS_MAX: usize = 8;

const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
/// Controllers that put addresses right themselves.
const CONTROLLERS: [&str; 2] = ["endpointslice-controller.k8s.io", "endpointslicemirroring-controller.k8s.io"];
const HOSTNAME: &str = "kubernetes.io/hostname";

pub(super) const HOOKS: Hooks = Hooks {
    prepare_create: Some(|object| drop_topology(object, None)),
    prepare_update: Some(|new, old| drop_topology(new, Some(old))),
    validate: Some(|object, errors| validate(object, None, errors)),
    validate_update: Some(|new, old, errors| {
        validate(new, Some(old), errors);
        number::immutable_named(new, old, "addressType", &Path::default(), errors);
    }),
    warnings: Some(warnings),
    counts_unprepared: true,
    ..Hooks::NONE
};

/// The topology of v1beta1 cannot be written any more; the name of the node that it held moves to its own field.
fn drop_topology(new: &mut Value, old: Option<&Value>) {
    if old.is_some_and(|old| get::list(old, "endpoints") == get::list(new, "endpoints")) {
        return;
    }
    let node = |endpoint: &Value| get::string(get::at(endpoint, "deprecatedTopology"), HOSTNAME).map(str::to_owned);
    let known: Vec<String> = old.map(|old| get::list(old, "endpoints").iter().filter_map(node).collect()).unwrap_or_default();
    for endpoint in get::list_mut(new, "endpoints") {
        if let Some(named) = node(endpoint)
            && endpoint.get("nodeName").is_none()
            && known.contains(&named)
            && name::is_dns1123_subdomain(&named).is_empty()
        {
            get::set(endpoint, "nodeName", named);
        }
        get::remove(endpoint, "deprecatedTopology");
    }
}

fn validate(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let kind = get::text(object, "addressType");
    text::required_one_of(kind, &["FQDN", "IPv4", "IPv6"], &Path::new("addressType"), errors);
    validate_ports(get::list(object, "ports"), &Path::new("ports"), errors);
    let endpoints = get::list(object, "endpoints");
    // What older servers let in may stay as it is.
    if old.is_some_and(|old| get::list(old, "endpoints") == endpoints) {
        return;
    }
    let path = Path::new("endpoints");
    if endpoints.len() > ENDPOINTS_MAX {
        return errors.too_many(&path, endpoints.len(), ENDPOINTS_MAX);
    }
    for (i, endpoint) in endpoints.iter().enumerate() {
        validate_endpoint(endpoint, kind, &path.index(i), errors);
    }
}

fn validate_ports(ports: &[Value], path: &Path, errors: &mut Errors) {
    if ports.len() > PORTS_MAX {
        return errors.too_many(path, ports.len(), PORTS_MAX);
    }
    let mut names = std::collections::BTreeSet::new();
    for (i, port) in ports.iter().enumerate() {
        let path = path.index(i);
        let given = get::text(port, "name");
        if !given.is_empty() {
            text::dns_label(given, &path.child("name"), errors);
        }
        if !names.insert(given) {
            errors.duplicate_named(&path.child("name"), given);
        }
        match get::string(port, "protocol") {
            None => errors.required(&path.child("protocol"), ""),
            Some(protocol) => drop(text::one_of(protocol, &["SCTP", "TCP", "UDP"], &path.child("protocol"), errors)),
        }
        if let Some(protocol) = get::string(port, "appProtocol") {
            text::qualified_name(protocol, &path.child("appProtocol"), errors);
        }
    }
}

fn validate_endpoint(endpoint: &Value, kind: &str, path: &Path, errors: &mut Errors) {
    validate_addresses(endpoint, kind, &path.child("addresses"), errors);
    if let Some(node) = get::string(endpoint, "nodeName") {
        text::dns_subdomain(node, &path.child("nodeName"), errors);
    }
    let labels = get::entries(endpoint, "deprecatedTopology").count();
    if labels > TOPOLOGY_LABELS_MAX {
        errors.too_many(&path.child("deprecatedTopology"), labels, TOPOLOGY_LABELS_MAX);
    }
    labels::labels(endpoint, "deprecatedTopology", path, errors);
    if let Some(hostname) = get::string(endpoint, "hostname") {
        text::dns_label(hostname, &path.child("hostname"), errors);
    }
    if let Some(hints) = get::object(endpoint, "hints") {
        validate_hints(hints, &path.child("hints"), errors);
    }
}

fn validate_addresses(endpoint: &Value, kind: &str, path: &Path, errors: &mut Errors) {
    let count = get::list(endpoint, "addresses").len();
    if count == 0 {
        errors.required(path, "must contain at least 1 address");
    } else if count > ADDRESSES_MAX {
        errors.too_many(path, count, ADDRESSES_MAX);
    }
    for (i, address) in get::strings(endpoint, "addresses").enumerate() {
        let at = path.index(i);
        let before = errors.0.len();
        match kind {
            "IPv4" => ip::legacy(address, &[], &at, errors),
            "IPv6" => ip::strict(address, &at, errors),
            "FQDN" => fqdn(address, &at, errors),
            _ => {}
        }
        let family = match kind {
            "IPv4" => ("must be an IPv4 address", false),
            "IPv6" => ("must be an IPv6 address", true),
            _ => continue,
        };
        if errors.0.len() > before {
            continue;
        }
        if ip::parse_sloppy(address).is_some_and(|parsed| parsed.is_ipv6() != family.1) {
            // The list is named, not the address.
            errors.invalid(path, address, family.0);
        }
        ip::endpoint(address, &at, errors);
    }
}

/// `IsFullyQualifiedDomainName`.
fn fqdn(value: &str, path: &Path, errors: &mut Errors) {
    if value.is_empty() {
        return errors.required(path, "");
    }
    let value = value.strip_suffix('.').unwrap_or(value);
    let wrong = name::is_dns1123_subdomain(value);
    if !wrong.is_empty() {
        return errors.invalid(path, value, wrong.join(","));
    }
    if value.split('.').count() < 2 {
        return errors.invalid(path, value, "should be a domain with at least two segments separated by dots");
    }
    for label in value.split('.') {
        let wrong = name::is_dns1123_label(label);
        if !wrong.is_empty() {
            return errors.invalid(path, label, wrong.join(","));
        }
    }
}

fn validate_hints(hints: &Value, path: &Path, errors: &mut Errors) {
    type Rule = fn(&str) -> Vec<String>;
    let rules: [(&str, Rule); 2] = [("forZones", name::is_valid_label_value), ("forNodes", name::is_dns1123_subdomain)];
    for (field, rule) in rules {
        let (list, path) = (get::list(hints, field), path.child(field));
        if list.len() > HINTS_MAX {
            return errors.too_many(&path, list.len(), HINTS_MAX);
        }
        let mut names = Vec::new();
        for (i, hint) in list.iter().enumerate() {
            let (path, given) = (path.index(i), get::text(hint, "name"));
            if names.contains(&given) {
                errors.duplicate(&path.child("name"), given);
            }
            names.push(given);
            text::invalid_each(given, rule(given), &path.child("name"), errors);
        }
    }
}

fn warnings(new: &Value, old: Option<&Value>) -> Vec<String> {
    let mut warnings = Vec::new();
    if old.is_none() && get::text(new, "addressType") == "FQDN" {
        warnings.push("spec.addressType: FQDN endpoints are deprecated".to_owned());
    }
    if meta::label(new, MANAGED_BY).is_some_and(|by| CONTROLLERS.contains(&by)) {
        return warnings;
    }
    let path = Path::new("endpoints");
    for (i, endpoint) in get::list(new, "endpoints").iter().enumerate() {
        let path = path.index(i);
        let path = path.child("addresses");
        for (i, address) in get::strings(endpoint, "addresses").enumerate() {
            warnings.extend(ip::warnings(address, &path.index(i)));
        }
    }
    warnings
}
