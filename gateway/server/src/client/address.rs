//! Where a `clientConfig` points: a URL, or a service, which is looked up anew for each call. Opens no connection.
//! Follows `ResolveCluster` in `k8s.io/apiserver/pkg/util/proxy`.

use std::borrow::Cow;
use std::time::Duration;

use model::field::quote;
use model::selector::label::Selector;
use model::{Status, Value};

use crate::gate::Gate;
use crate::options::list::ListOptions;
use crate::row::Row;
use crate::select::Selection;

/// Where to connect, and what to say there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Host and port as they stand in the address: `hooks.default.svc:443`.
    pub authority: String,
    /// Name that the certificate must have.
    pub server_name: String,
    /// Where to connect: names are looked up once, and only what was found is connected to.
    pub host: String,
    /// Port to connect to.
    pub port: u16,
}

/// A place, read once.
pub(super) struct Address {
    target: Target,
    path: String,
    /// Namespace and name of a service; its address is looked up when it is called.
    service: Option<(String, String)>,
}

impl Address {
    /// Reads a `clientConfig`. Fails with the reason.
    pub(super) fn of(config: &Value) -> Result<Self, String> {
        match config.get("service").filter(|service| service.is_object()) {
            Some(service) => Ok(Self::of_service(service)),
            None => Self::of_url(text(config, "url")),
        }
    }

    /// Reads a reference to a service.
    pub(super) fn of_service(service: &Value) -> Self {
        let (namespace, name) = (text(service, "namespace"), text(service, "name"));
        let port = service.get("port").and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok()).unwrap_or(443);
        let server_name = format!("{name}.{namespace}.svc");
        let path = clean(text(service, "path"));
        let target = Target { authority: format!("{server_name}:{port}"), server_name, host: String::new(), port };
        Self { target, path, service: Some((namespace.to_owned(), name.to_owned())) }
    }

    fn of_url(url: &str) -> Result<Self, String> {
        if url.is_empty() {
            return Err("webhook configuration must have either service or URL".to_owned());
        }
        let rest = url.strip_prefix("https://").ok_or_else(|| format!("invalid webhook address {}", quote(url)))?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = match authority.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit())) {
            Some((host, port)) => (host, port.parse().map_err(|_| format!("invalid port {}", quote(port)))?),
            None => (authority, 443),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let target = Target { authority: authority.to_owned(), server_name: host.clone(), host, port };
        Ok(Self { target, path: clean(path), service: None })
    }

    /// The same, whose certificate must have another name.
    pub(super) fn named(mut self, name: &str) -> Self {
        self.target.server_name = name.to_owned();
        self
    }

    /// Host and port as they stand in the address.
    pub(super) fn authority(&self) -> &str {
        &self.target.authority
    }

    /// The name that its certificate must have.
    pub(super) fn server_name(&self) -> &str {
        &self.target.server_name
    }

    pub(super) fn port(&self) -> u16 {
        self.target.port
    }

    /// The path, with how long the answer is waited for.
    pub(super) fn path_within(&self, limit: Duration) -> String {
        let seconds = limit.as_secs() + u64::from(limit.subsec_nanos() > 0);
        let (path, joint) = (&self.path, if self.path.contains('?') { "&" } else { "?" });
        format!("{path}{joint}timeout={seconds}s")
    }

    /// Where to connect now. Fails in upstream's words about a service.
    pub(super) fn resolve(&self, gate: &Gate) -> Result<Cow<'_, Target>, String> {
        let Some((namespace, name)) = &self.service else { return Ok(Cow::Borrowed(&self.target)) };
        let service = service(gate, namespace, name)?;
        let port = self.target.port;
        let (host, port) = match gate.client.routing {
            Routing::ClusterIp => (address_of(&service, port)?, port),
            Routing::Endpoints => endpoint(gate, &service, port)?,
        };
        Ok(Cow::Owned(Target { host, port, ..self.target.clone() }))
    }
}

/// A path as upstream's client joins it: one slash between segments and none at the end.
fn clean(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    format!("/{}", segments.join("/"))
}

/// By which of its addresses a service is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Routing {
    /// Its own.
    #[default]
    ClusterIp,
    /// One of those behind it, each in turn: `--enable-aggregator-routing`.
    Endpoints,
}

fn service(gate: &Gate, namespace: &str, name: &str) -> Result<Value, String> {
    let row = Row::named(gate, "", "v1", "services").ok_or("services are not served")?;
    let missing = || format!("service {} not found", quote(name));
    let key = crate::verbs::key(&row, namespace, name).map_err(|status| status.message)?;
    let entry = gate.store.resource(row.prefix()).get(key.as_str()).ok_or_else(missing)?;
    row.parse(&entry).map_err(|status| status.message)
}

/// An endpoint of a service that is ready. Follows `ResolveEndpoint`.
fn endpoint(gate: &Gate, service: &Value, port: u16) -> Result<(String, u16), String> {
    let spec = service.get("spec").unwrap_or(&Value::Null);
    let kind = text(spec, "type");
    if !matches!(kind, "ClusterIP" | "LoadBalancer" | "NodePort") {
        return Err(format!("unsupported service type {}", quote(kind)));
    }
    let (of, name) = (port_of(service, port)?, model::meta::name(service));
    let slices = slices(gate, model::meta::namespace(service), name).map_err(|status| status.message)?;
    let family = list(spec, "ipFamilies").first().and_then(Value::as_str).unwrap_or("");
    let chosen = choose(&slices, text(of, "name"), family, gate.client.turn());
    chosen.ok_or_else(|| format!("no endpoints available for service {}", quote(name)))
}

/// The EndpointSlices of a service.
fn slices(gate: &Gate, namespace: &str, name: &str) -> Result<Vec<Value>, Status> {
    let row = Row::named(gate, "discovery.k8s.io", "v1", "endpointslices");
    let row = row.ok_or_else(|| Status::internal("endpointslices are not served"))?;
    let labels = Selector::parse(&format!("kubernetes.io/service-name={name}")).map_err(Status::bad_request)?;
    let selection = Selection::new(&row, namespace, &mut ListOptions { labels, ..ListOptions::default() })?;
    let snapshot = gate.store.resource(row.prefix()).snapshot();
    let selected = snapshot.range("", &selection.under).filter(|entry| selection.matches(entry));
    Ok(selected.filter_map(|entry| row.parse(entry).ok()).collect())
}

/// The address and port of an endpoint that is ready, of the family if there is one; another each turn.
fn choose(slices: &[Value], port_name: &str, family: &str, turn: usize) -> Option<(String, u16)> {
    let port_of = |slice: &Value| -> Option<u16> {
        let port = list(slice, "ports").iter().find(|port| text(port, "name") == port_name && port.get("port").is_some())?;
        port.get("port").and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok())
    };
    let is_ready = |one: &&Value| one.pointer("/conditions/ready").and_then(Value::as_bool) != Some(false);
    let address = |one: &Value| list(one, "addresses").first().and_then(Value::as_str).map(str::to_owned);
    let of_slice = |slice: &&Value| -> Vec<(String, u16)> {
        let Some(port) = port_of(slice) else { return Vec::new() };
        list(slice, "endpoints").iter().filter(is_ready).filter_map(address).map(|address| (address, port)).collect()
    };
    let (preferred, others): (Vec<&Value>, Vec<&Value>) = slices.iter().partition(|slice| text(slice, "addressType") == family);
    let mut found: Vec<(String, u16)> = preferred.iter().flat_map(of_slice).collect();
    if found.is_empty() {
        found = others.iter().flat_map(of_slice).collect();
    }
    (!found.is_empty()).then(|| found.swap_remove(turn % found.len()))
}

/// The address of a service, as upstream's resolver finds it.
fn address_of(service: &Value, port: u16) -> Result<String, String> {
    let spec = service.get("spec").unwrap_or(&Value::Null);
    match (text(spec, "type"), text(spec, "clusterIP")) {
        ("ExternalName", _) => return Ok(text(spec, "externalName").to_owned()),
        (_, "None") => return Err("cannot route to service with ClusterIP \"None\"".to_owned()),
        _ => {}
    }
    port_of(service, port)?;
    Ok(text(spec, "clusterIP").to_owned())
}

/// What a service says of one of its ports.
fn port_of(service: &Value, port: u16) -> Result<&Value, String> {
    let ports = service.pointer("/spec/ports").and_then(Value::as_array).into_iter().flatten();
    let mut of = ports.filter(|known| known.get("port").and_then(Value::as_u64) == Some(port.into()));
    of.next().ok_or_else(|| format!("no service port {port} found for service {}", quote(model::meta::name(service))))
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    #[test]
    fn a_url_is_called_as_it_is_written() {
        let read = |url: &str| Address::of(&json!({ "url": url }));
        let address = read("https://[::1]:9443/hook").unwrap_or_else(|why| panic!("{why}"));
        assert_eq!((address.target.host.as_str(), address.target.port, address.authority()), ("::1", 9443, "[::1]:9443"));
        assert_eq!(address.path_within(Duration::from_millis(1500)), "/hook?timeout=2s");
        let address = read("https://example.com").unwrap_or_else(|why| panic!("{why}"));
        assert_eq!((address.target.port, address.path_within(Duration::from_secs(30)).as_str()), (443, "/?timeout=30s"));
        assert_eq!([clean("//a/./b/../c/"), clean("/"), clean("..")], ["/a/c", "/", "/"]);
        assert_eq!(read("").err(), Some("webhook configuration must have either service or URL".to_owned()));
    }

    #[test]
    fn a_service_is_called_by_its_own_name() {
        let service = json!({"service": {"namespace": "n", "name": "s", "path": "hook", "port": 8443}});
        let address = Address::of(&service).unwrap_or_else(|why| panic!("{why}"));
        assert_eq!((address.authority(), address.target.server_name.as_str()), ("s.n.svc:8443", "s.n.svc"));
        assert_eq!(address.path_within(Duration::from_secs(10)), "/hook?timeout=10s");
    }

    #[test]
    fn a_service_that_leads_nowhere_is_told() {
        let service = |ip: &str| json!({"metadata": {"name": "s"}, "spec": {"type": "ClusterIP", "clusterIP": ip, "ports": [{"port": 443}]}});
        assert_eq!(address_of(&service("10.0.0.7"), 443), Ok("10.0.0.7".to_owned()));
        assert_eq!(address_of(&service("10.0.0.7"), 80), Err("no service port 80 found for service \"s\"".to_owned()));
        assert_eq!(address_of(&service("None"), 443), Err("cannot route to service with ClusterIP \"None\"".to_owned()));
    }

    #[test]
    fn endpoints_that_are_ready_take_turns() {
        let slice =
            |family: &str, ports: Value, endpoints: Value| json!({"addressType": family, "ports": ports, "endpoints": endpoints});
        let at = |address: &str, conditions: Value| json!({"addresses": [address], "conditions": conditions});
        let https = json!([{"name": "metrics", "port": 1}, {"name": "https", "port": 4443}]);
        let slices = [
            slice("IPv6", https.clone(), json!([at("::1", json!({}))])),
            slice(
                "IPv4",
                https,
                json!([
                    at("10.0.0.1", json!({"ready": true})),
                    at("10.0.0.2", json!({"ready": false})),
                    at("10.0.0.3", json!({}))
                ]),
            ),
            slice("IPv4", json!([{"name": "http", "port": 80}]), json!([at("10.0.0.4", json!({}))])),
        ];
        let chosen =
            |name: &str, family: &str, turn| choose(&slices, name, family, turn).map(|(host, port)| format!("{host} {port}"));
        let turns: Vec<_> = (0..3).filter_map(|turn| chosen("https", "IPv4", turn)).collect();
        assert_eq!(turns, ["10.0.0.1 4443", "10.0.0.3 4443", "10.0.0.1 4443"]);
        assert_eq!(chosen("https", "IPv6", 1).as_deref(), Some("::1 4443"));
        assert_eq!(chosen("http", "IPv6", 0).as_deref(), Some("10.0.0.4 80"), "of another family, where there is none of this");
        assert_eq!(chosen("", "IPv4", 0), None);
    }
}
