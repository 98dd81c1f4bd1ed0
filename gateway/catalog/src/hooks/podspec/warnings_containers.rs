//! Warnings about containers: fractional amounts, variables that hide others, ports defined twice.

use std::collections::{HashMap, HashSet};

use model::Value;
use model::field::{Path, quote};

use super::super::rules::get;
use super::visit_containers;
use super::warnings::fractional;

/// Amounts of bytes that are no whole numbers.
pub(super) fn amounts(container: &Value, path: &Path, warnings: &mut Vec<String>) {
    let resources = path.child("resources");
    for name in ["memory", "ephemeral-storage"] {
        for list in ["limits", "requests"] {
            let value = get::at(get::at(container, "resources"), list).get(name);
            fractional(value, &resources.child(list).key(name), warnings);
        }
    }
}

/// A variable defined again without using the earlier one.
pub(super) fn variables(container: &Value, path: &Path, warnings: &mut Vec<String>) {
    let list = path.child("env");
    let mut seen = HashSet::new();
    for (i, variable) in get::list(container, "env").iter().enumerate() {
        let (name, value) = (get::text(variable, "name"), get::text(variable, "value"));
        if seen.insert(name) {
            continue;
        }
        let reference = format!("$({name})");
        if get::object(variable, "valueFrom").is_some() || value == reference || !value.contains(&reference) {
            warnings.push(format!(
                "{}: hides previous definition of {}, which may be dropped when using apply",
                list.index(i),
                quote(name)
            ));
        }
    }
}

/// A port as far as warnings care.
struct Port {
    path: String,
    host_ip: String,
    host_port: i64,
}

/// Ports of all containers against each other, by number and then by name.
pub(super) fn ports(spec: &Value, path: &Path, warnings: &mut Vec<String>) {
    let mut by_number: HashMap<(i64, String), Vec<Port>> = HashMap::new();
    let mut names: Vec<(String, String)> = Vec::new();
    visit_containers(spec, path, &mut |container, path| {
        let list = path.child("ports");
        for (i, port) in get::list(container, "ports").iter().enumerate() {
            let own = Port {
                path: list.index(i).to_string(),
                host_ip: get::text(port, "hostIP").to_owned(),
                host_port: get::number(port, "hostPort"),
            };
            let name = get::text(port, "name");
            if !name.is_empty() {
                names.push((name.to_owned(), own.path.clone()));
            }
            if !own.host_ip.is_empty() && own.host_port == 0 {
                warnings.push(format!("{}: hostIP set without hostPort: {}", own.path, shown(port)));
            }
            let key = (get::number(port, "containerPort"), get::text(port, "protocol").to_owned());
            let others = by_number.entry(key).or_default();
            warnings.extend(others.iter().filter_map(|other| clash(&own, other)));
            others.push(own);
        }
    });
    let mut first: HashMap<String, String> = HashMap::new();
    for (name, path) in names {
        match first.get(&name) {
            Some(other) => warnings.push(format!(
                "{path}: duplicate port name {} with {other}, services and probes that select ports by name will use {other}",
                quote(&name)
            )),
            None => {
                first.insert(name, path);
            }
        }
    }
}

fn clash(own: &Port, other: &Port) -> Option<String> {
    let what = if own.host_ip == other.host_ip && own.host_port == other.host_port {
        "duplicate"
    } else if own.host_port == 0 || other.host_port == 0 {
        "overlapping"
    } else if own.host_port == other.host_port && own.host_ip.is_empty() != other.host_ip.is_empty() {
        "dangerously ambiguous"
    } else {
        return None;
    };
    Some(format!("{}: {what} port definition with {}", own.path, other.path))
}

/// A port as Go's `%+v` prints it.
fn shown(port: &Value) -> String {
    format!(
        "{{Name:{} HostPort:{} ContainerPort:{} Protocol:{} HostIP:{}}}",
        get::text(port, "name"),
        get::number(port, "hostPort"),
        get::number(port, "containerPort"),
        get::text(port, "protocol"),
        get::text(port, "hostIP"),
    )
}
