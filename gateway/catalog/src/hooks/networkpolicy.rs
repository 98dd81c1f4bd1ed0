//! NetworkPolicy. Upstream: `pkg/apis/networking/{v1/defaults.go,validation}`.

use model::field::{Errors, Path};
use model::json::json;
use model::{Value, name};

use super::Hooks;
use super::rules::cidr::{self, Cidr};
use super::rules::labels::{self, Values};
use super::rules::{get, text};

pub(super) const HOOKS: Hooks = Hooks {
    default: Some(default),
    validate: Some(|object, errors| validate_spec(get::at(object, "spec"), Values::Strict, &[], errors)),
    validate_update: Some(validate_update),
    counts_empty: true,
    ..Hooks::NONE
};

const DIRECTIONS: [(&str, &str); 2] = [("ingress", "from"), ("egress", "to")];
const PROTOCOLS: &[&str] = &["TCP", "UDP", "SCTP"];

/// A policy that names no type restricts ingress, and egress too if it has rules for it.
fn default(object: &mut Value) {
    let spec = get::at(object, "spec");
    if !get::list(spec, "policyTypes").is_empty() {
        return;
    }
    let types = if get::list(spec, "egress").is_empty() { json!(["Ingress"]) } else { json!(["Ingress", "Egress"]) };
    if let Some(spec) = get::object_mut(object, "spec") {
        spec.insert("policyTypes", types);
    }
}

fn validate_spec(spec: &Value, values: Values, kept: &[&str], errors: &mut Errors) {
    let path = Path::new("spec");
    labels::selector(spec, "podSelector", values, &path, errors);
    for (direction, peers) in DIRECTIONS {
        let path = path.child(direction);
        for (i, rule) in get::list(spec, direction).iter().enumerate() {
            let path = path.index(i);
            for (i, port) in get::list(rule, "ports").iter().enumerate() {
                validate_port(port, &path.child("ports").index(i), errors);
            }
            for (i, peer) in get::list(rule, peers).iter().enumerate() {
                validate_peer(peer, values, kept, &path.child(peers).index(i), errors);
            }
        }
    }
    validate_types(spec, &path.child("policyTypes"), errors);
}

fn validate_types(spec: &Value, path: &Path, errors: &mut Errors) {
    const TYPES: &[&str] = &["Ingress", "Egress"];
    if get::list(spec, "policyTypes").len() > TYPES.len() {
        return errors.invalid(path, get::raw(spec, "policyTypes"), "may not specify more than two policyTypes");
    }
    for (i, kind) in get::strings(spec, "policyTypes").enumerate() {
        text::one_of(kind, TYPES, &path.index(i), errors);
    }
}

fn validate_port(port: &Value, path: &Path, errors: &mut Errors) {
    if let Some(protocol) = get::string(port, "protocol") {
        text::one_of(protocol, PROTOCOLS, &path.child("protocol"), errors);
    }
    let (end, end_path) = (get::int(port, "endPort"), path.child("endPort"));
    match port.get("port") {
        Some(Value::Number(number)) => {
            let number = number.as_i64().unwrap_or(0);
            text::port_num(number, &path.child("port"), errors);
            let Some(end) = end else { return };
            if end < number {
                errors.invalid(&end_path, end, "must be greater than or equal to `port`");
            }
            text::port_num(end, &end_path, errors);
        }
        Some(named) => {
            if let Some(end) = end {
                errors.invalid(&end_path, end, "may not be specified when `port` is non-numeric");
            }
            let named = named.as_str().unwrap_or("");
            text::invalid_each(named, name::is_valid_port_name(named), &path.child("port"), errors);
        }
        None => {
            if let Some(end) = end {
                errors.invalid(&end_path, end, "may not be specified when `port` is not specified");
            }
        }
    }
}

fn validate_peer(peer: &Value, values: Values, kept: &[&str], path: &Path, errors: &mut Errors) {
    let given = |field| get::object(peer, field).is_some();
    labels::selector(peer, "podSelector", values, path, errors);
    labels::selector(peer, "namespaceSelector", values, path, errors);
    if let Some(block) = get::object(peer, "ipBlock") {
        validate_block(block, kept, &path.child("ipBlock"), errors);
    }
    let selected = given("podSelector") || given("namespaceSelector");
    match (selected, given("ipBlock")) {
        (false, false) => errors.required(path, "must specify a peer"),
        (true, true) => errors.forbidden(path, "may not specify both ipBlock and another peer"),
        _ => {}
    }
}

fn validate_block(block: &Value, kept: &[&str], path: &Path, errors: &mut Errors) {
    let range = get::text(block, "cidr");
    if range.is_empty() {
        return errors.required(&path.child("cidr"), "");
    }
    cidr::legacy(range, kept, &path.child("cidr"), errors);
    let Some(range) = Cidr::parse(range) else { return };
    let path = path.child("except");
    for (i, except) in get::strings(block, "except").enumerate() {
        let path = path.index(i);
        cidr::legacy(except, kept, &path, errors);
        if Cidr::parse(except).is_some_and(|except| !range.strictly_contains(&except)) {
            errors.invalid(&path, except, "must be a strict subset of `cidr`");
        }
    }
}

/// What was stored before may stay as it is: selector values that no label can have, and malformed ranges.
fn validate_update(new: &Value, old: &Value, errors: &mut Errors) {
    let old = get::at(old, "spec");
    let values = if labels::has_invalid_value(get::at(old, "podSelector")) { Values::Lenient } else { Values::Strict };
    let mut kept = Vec::new();
    for (direction, peers) in DIRECTIONS {
        for peer in get::list(old, direction).iter().flat_map(|rule| get::list(rule, peers)) {
            let block = get::at(peer, "ipBlock");
            kept.extend(get::string(block, "cidr"));
            kept.extend(get::strings(block, "except"));
        }
    }
    validate_spec(get::at(new, "spec"), values, &kept, errors);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(spec: &Value) -> Vec<String> {
        let mut errors = Errors::new();
        validate_spec(spec, Values::Strict, &[], &mut errors);
        errors.0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn types_follow_the_rules() {
        let mut object = json!({"spec": {"podSelector": {}, "egress": [{}]}});
        default(&mut object);
        assert_eq!(object["spec"]["policyTypes"], json!(["Ingress", "Egress"]));
    }

    #[test]
    fn ports_and_peers_are_checked() {
        assert_eq!(
            faults(&json!({"ingress": [{"ports": [{"port": 90, "endPort": 80}], "from": [{}]}]})),
            [
                "spec.ingress[0].ports[0].endPort: Invalid value: 80: must be greater than or equal to `port`",
                "spec.ingress[0].from[0]: Required value: must specify a peer"
            ]
        );
        assert_eq!(
            faults(&json!({"egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/16"]}}]}]})),
            ["spec.egress[0].to[0].ipBlock.except[0]: Invalid value: \"11.0.0.0/16\": must be a strict subset of `cidr`"]
        );
    }
}
