//! Pods keep to themselves: the node's network, processes, IPC and ports are not theirs.

use gatehouse_policy::prelude::*;
use workload::{Workload, nullable};

/// The policy.
pub struct HostNamespaces;

/// What a binding sets.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, crate = "gatehouse_policy::serde")]
#[schemars(crate = "gatehouse_policy::schemars")]
pub struct Settings {
    /// What Pods may share with the node all the same.
    #[serde(default)]
    allowed: Vec<Shared>,
    /// Ports of the node that Pods may take.
    #[serde(default)]
    allowed_ports: Vec<u16>,
}

/// What a Pod may share with its node.
#[derive(Clone, Copy, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(crate = "gatehouse_policy::serde")]
#[schemars(crate = "gatehouse_policy::schemars")]
pub enum Shared {
    /// Network.
    #[serde(rename = "hostNetwork")]
    Network,
    /// Processes.
    #[serde(rename = "hostPID")]
    Processes,
    /// Inter-process communication.
    #[serde(rename = "hostIPC")]
    Ipc,
}

/// The part of a Pod that the policy reads.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
pub struct Spec {
    #[serde(default, deserialize_with = "nullable")]
    init_containers: Vec<Container>,
    #[serde(default, deserialize_with = "nullable")]
    containers: Vec<Container>,
    host_network: Option<bool>,
    #[serde(rename = "hostPID")]
    host_pid: Option<bool>,
    #[serde(rename = "hostIPC")]
    host_ipc: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
struct Container {
    #[serde(default, deserialize_with = "nullable")]
    ports: Vec<Port>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
struct Port {
    #[serde(default)]
    host_port: u16,
}

impl Policy for HostNamespaces {
    const ABOUT: About = About {
        name: "host-namespaces",
        version: env!("CARGO_PKG_VERSION"),
        description: "Pods must not share the node's network, processes or IPC, and must not take its ports.",
        reads: workload::reads!(containers: ["ports"], pod: ["spec.hostNetwork", "spec.hostPID", "spec.hostIPC"]),
        writes: &[],
        rules: &[
            ("host-namespace", "The Pod must not share this with the node."),
            ("host-port", "The port of the node must be one that is allowed."),
        ],
    };
    const READS_REQUEST: &'static [RequestPart] = &[];
    type Settings = Settings;
    type Object = Workload<Spec>;
}

impl Validator for HostNamespaces {
    fn validate(settings: &Settings, review: &Review<Self::Object>, verdict: &mut Verdict) {
        let Some(workload) = &review.object else { return };
        let spec = &workload.spec;
        for (shared, name, wanted) in [
            (Shared::Network, "hostNetwork", spec.host_network),
            (Shared::Processes, "hostPID", spec.host_pid),
            (Shared::Ipc, "hostIPC", spec.host_ipc),
        ] {
            if wanted == Some(true) && !settings.allowed.contains(&shared) {
                let message = format!("{} must not share this with the node; leave it out", workload.called());
                verdict.violation("host-namespace", workload.at(format_args!("spec.{name}")), message);
            }
        }
        // On the node's network every port is one of the node's; that has been judged above.
        if spec.host_network == Some(true) {
            return;
        }
        for (place, container) in workload::each(&spec.init_containers, &spec.containers, &[]) {
            for (n, Port { host_port }) in container.ports.iter().enumerate() {
                if *host_port != 0 && !settings.allowed_ports.contains(host_port) {
                    let field = workload.at(format_args!("spec.{place}.ports[{n}].hostPort"));
                    verdict.violation(
                        "host-port",
                        field,
                        format!("the node's port {host_port} must not be taken; use a Service"),
                    );
                }
            }
        }
    }
}

gatehouse_policy::validator!(HostNamespaces);

#[cfg(test)]
mod tests {
    #[test]
    fn cases() {
        gatehouse_policy::cases::validator::<super::HostNamespaces>(concat!(env!("CARGO_MANIFEST_DIR"), "/cases"));
    }
}
