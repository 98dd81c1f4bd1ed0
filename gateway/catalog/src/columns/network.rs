//! The cells of networking: services, endpoints, ingresses, policies, addresses.

use std::collections::BTreeSet;

use jiff::Timestamp;
use model::{Value, meta};

use super::cell::{NONE, age, at, first_three, int, labels, list, name, scalar, selector, text, text_or};

pub(super) const ALL: super::Rows = &[
    ("", "Endpoints", endpoints),
    ("", "Service", service),
    ("discovery.k8s.io", "EndpointSlice", endpoint_slice),
    ("networking.k8s.io", "IPAddress", ip_address),
    ("networking.k8s.io", "Ingress", ingress),
    ("networking.k8s.io", "IngressClass", ingress_class),
    ("networking.k8s.io", "NetworkPolicy", network_policy),
    ("networking.k8s.io", "ServiceCIDR", service_cidr),
];

fn service(object: &Value, now: Timestamp) -> Vec<Value> {
    let cluster_ip = list(object, &["spec", "clusterIPs"]).first().and_then(Value::as_str).unwrap_or(NONE);
    let ports: Vec<String> = list(object, &["spec", "ports"]).iter().map(service_port).collect();
    vec![
        name(object),
        text(object, &["spec", "type"]).into(),
        cluster_ip.into(),
        external_ip(object).into(),
        if ports.is_empty() { NONE.to_owned() } else { ports.join(",") }.into(),
        age(object, now),
        labels(at(object, &["spec", "selector"])).into(),
    ]
}

fn service_port(port: &Value) -> String {
    let (number, protocol) = (int(port, &["port"]), text(port, &["protocol"]));
    match int(port, &["nodePort"]) {
        node_port if node_port > 0 => format!("{number}:{node_port}/{protocol}"),
        _ => format!("{number}/{protocol}"),
    }
}

fn external_ip(object: &Value) -> String {
    let given: Vec<&str> = list(object, &["spec", "externalIPs"]).iter().filter_map(Value::as_str).collect();
    match text(object, &["spec", "type"]) {
        "ClusterIP" | "NodePort" if given.is_empty() => NONE.to_owned(),
        "ClusterIP" | "NodePort" => given.join(","),
        "LoadBalancer" => {
            let balancer = load_balancer(object);
            match (balancer.is_empty(), given.is_empty()) {
                (true, true) => "<pending>".to_owned(),
                (false, true) => balancer,
                (true, false) => given.join(","),
                (false, false) => format!("{balancer},{}", given.join(",")),
            }
        }
        "ExternalName" => text(object, &["spec", "externalName"]).to_owned(),
        _ => super::cell::UNKNOWN.to_owned(),
    }
}

/// Addresses and host names of the load balancer, sorted.
fn load_balancer(object: &Value) -> String {
    let points = list(object, &["status", "loadBalancer", "ingress"]);
    let all: BTreeSet<&str> =
        points.iter().map(|p| text_or(p, &["ip"], text(p, &["hostname"]))).filter(|p| !p.is_empty()).collect();
    all.into_iter().collect::<Vec<_>>().join(",")
}

fn endpoints(object: &Value, now: Timestamp) -> Vec<Value> {
    const SHOWN: usize = 3;
    let mut all = Vec::new();
    for subset in list(object, &["subsets"]) {
        let addresses: Vec<&str> = list(subset, &["addresses"]).iter().map(|a| text(a, &["ip"])).collect();
        let ports = list(subset, &["ports"]);
        if ports.is_empty() {
            all.extend(addresses.iter().map(|ip| (*ip).to_owned()));
        }
        for port in ports {
            all.extend(addresses.iter().map(|ip| host_port(ip, int(port, &["port"]))));
        }
    }
    let shown = match all.len() {
        _ if list(object, &["subsets"]).is_empty() => NONE.to_owned(),
        // Upstream leaves the cell empty when subsets hold no ready address.
        more if more <= SHOWN => all.join(","),
        more => format!("{} + {} more...", all[..SHOWN].join(","), more - SHOWN),
    };
    vec![name(object), shown.into(), age(object, now)]
}

fn host_port(ip: &str, port: i64) -> String {
    if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") }
}

fn endpoint_slice(object: &Value, now: Timestamp) -> Vec<Value> {
    let port = |port: &Value| match (scalar(at(port, &["port"])), at(port, &["name"]).as_str()) {
        (Some(number), _) => number,
        (None, Some(name)) => name.to_owned(),
        (None, None) => "*".to_owned(),
    };
    let ports: Vec<String> = list(object, &["ports"]).iter().map(port).collect();
    let addresses: Vec<String> = list(object, &["endpoints"])
        .iter()
        .flat_map(|e| list(e, &["addresses"]))
        .filter_map(|a| a.as_str().map(str::to_owned))
        .collect();
    vec![
        name(object),
        text(object, &["addressType"]).into(),
        first_three(&ports).into(),
        first_three(&addresses).into(),
        age(object, now),
    ]
}

fn ingress(object: &Value, now: Timestamp) -> Vec<Value> {
    let ports = if list(object, &["spec", "tls"]).is_empty() { "80" } else { "80, 443" };
    vec![
        name(object),
        text_or(object, &["spec", "ingressClassName"], NONE).into(),
        ingress_hosts(object).into(),
        load_balancer(object).into(),
        ports.into(),
        age(object, now),
    ]
}

/// The hosts of the rules; counts rules, not hosts, once three hosts are shown, as upstream does.
fn ingress_hosts(object: &Value) -> String {
    const SHOWN: usize = 3;
    let rules = list(object, &["spec", "rules"]);
    let (mut hosts, mut more) = (Vec::new(), false);
    for rule in rules {
        more |= hosts.len() == SHOWN;
        let host = text(rule, &["host"]);
        if !more && !host.is_empty() {
            hosts.push(host);
        }
    }
    match hosts.join(",") {
        _ if hosts.is_empty() => "*".to_owned(),
        shown if more => format!("{shown} + {} more...", rules.len() - SHOWN),
        shown => shown,
    }
}

fn ingress_class(object: &Value, now: Timestamp) -> Vec<Value> {
    let default = meta::annotation(object, "ingressclass.kubernetes.io/is-default-class") == Some("true");
    let shown = format!("{}{}", meta::name(object), if default { " (default)" } else { "" });
    let parameters = at(object, &["spec", "parameters"]);
    let parameters = if parameters.is_object() {
        let group = at(parameters, &["apiGroup"]).as_str().map(|g| format!(".{g}")).unwrap_or_default();
        format!("{}{group}/{}", text(parameters, &["kind"]), text(parameters, &["name"]))
    } else {
        NONE.to_owned()
    };
    vec![shown.into(), text(object, &["spec", "controller"]).into(), parameters.into(), age(object, now)]
}

fn network_policy(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), selector(at(object, &["spec", "podSelector"])).into(), age(object, now)]
}

fn service_cidr(object: &Value, now: Timestamp) -> Vec<Value> {
    let cidrs: Vec<&str> = list(object, &["spec", "cidrs"]).iter().filter_map(Value::as_str).collect();
    vec![name(object), cidrs.join(",").into(), age(object, now)]
}

fn ip_address(object: &Value, now: Timestamp) -> Vec<Value> {
    let parent = at(object, &["spec", "parentRef"]);
    let shown = if parent.is_object() {
        let resource = model::GroupResource::new(text(parent, &["group"]), text(parent, &["resource"]));
        let namespace = match text(parent, &["namespace"]) {
            "" => String::new(),
            namespace => format!("/{namespace}"),
        };
        format!("{}{namespace}/{}", resource.to_string().to_lowercase(), text(parent, &["name"]))
    } else {
        NONE.to_owned()
    };
    vec![name(object), shown.into(), age(object, now)]
}
