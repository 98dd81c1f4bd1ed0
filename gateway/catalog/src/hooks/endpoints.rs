//! Endpoints. Upstream: `pkg/apis/core/validation` (`ValidateEndpoints`), `pkg/registry/core/endpoint/strategy.go`.

use model::field::{Errors, Path};
use model::{Value, meta, name};

use super::Hooks;
use super::rules::{get, ip, text};

/// The label by which the endpoints controller marks what it made itself.
const MANAGED_BY: &str = "endpoints.kubernetes.io/managed-by";
const CONTROLLER: &str = "endpoint-controller";

pub(super) const HOOKS: Hooks =
    Hooks { validate: Some(validate), validate_update: Some(validate_update), warnings: Some(warnings), ..Hooks::NONE };

fn validate(object: &Value, errors: &mut Errors) {
    let subsets = Path::new("subsets");
    for (i, subset) in get::list(object, "subsets").iter().enumerate() {
        validate_subset(subset, &subsets.index(i), errors);
    }
}

/// What older servers let in may stay as it is.
fn validate_update(new: &Value, old: &Value, errors: &mut Errors) {
    if get::list(new, "subsets") != get::list(old, "subsets") {
        validate(new, errors);
    }
}

fn validate_subset(subset: &Value, path: &Path, errors: &mut Errors) {
    let lists = ["addresses", "notReadyAddresses"];
    if lists.iter().all(|list| get::list(subset, list).is_empty()) {
        errors.required(path, "must specify `addresses` or `notReadyAddresses`");
    }
    for list in lists {
        let path = path.child(list);
        for (i, address) in get::list(subset, list).iter().enumerate() {
            validate_address(address, &path.index(i), errors);
        }
    }
    let (ports, path) = (get::list(subset, "ports"), path.child("ports"));
    for (i, port) in ports.iter().enumerate() {
        validate_port(port, ports.len() > 1, &path.index(i), errors);
    }
}

fn validate_address(address: &Value, path: &Path, errors: &mut Errors) {
    let (given, hostname) = (get::text(address, "ip"), get::text(address, "hostname"));
    ip::legacy(given, &[], &path.child("ip"), errors);
    if !hostname.is_empty() {
        text::dns_label(hostname, &path.child("hostname"), errors);
    }
    if let Some(node) = get::string(address, "nodeName") {
        text::dns_subdomain(node, &path.child("nodeName"), errors);
    }
    ip::endpoint(given, &path.child("ip"), errors);
}

fn validate_port(port: &Value, needs_name: bool, path: &Path, errors: &mut Errors) {
    let given = get::text(port, "name");
    if !given.is_empty() {
        text::dns_label(given, &path.child("name"), errors);
    } else if needs_name {
        errors.required(&path.child("name"), "");
    }
    text::port_num(get::number(port, "port"), &path.child("port"), errors);
    text::required_one_of(get::text(port, "protocol"), &["SCTP", "TCP", "UDP"], &path.child("protocol"), errors);
    if let Some(protocol) = get::string(port, "appProtocol") {
        text::invalid_each(protocol, name::is_qualified_name(protocol), &path.child("appProtocol"), errors);
    }
}

fn warnings(new: &Value, _old: Option<&Value>) -> Vec<String> {
    if meta::label(new, MANAGED_BY) == Some(CONTROLLER) {
        return Vec::new();
    }
    let mut warnings = Vec::new();
    let subsets = Path::new("subsets");
    for (i, subset) in get::list(new, "subsets").iter().enumerate() {
        let path = subsets.index(i);
        for list in ["addresses", "notReadyAddresses"] {
            let path = path.child(list);
            for (i, address) in get::list(subset, list).iter().enumerate() {
                warnings.extend(ip::warnings(get::text(address, "ip"), &path.index(i).child("ip")));
            }
        }
    }
    warnings
}
