//! Where a `clientConfig` points: a URL, or a service, which is looked up anew for each call. Opens no connection.
//! Follows `ResolveCluster` in `k8s.io/apiserver/pkg/util/proxy`.

use std::borrow::Cow;
use std::time::Duration;

use model::Value;
use model::field::quote;

use crate::gate::Gate;
use crate::row::Row;

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
        let host = cluster_ip(gate, namespace, name, self.target.port)?;
        Ok(Cow::Owned(Target { host, ..self.target.clone() }))
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

/// The address of a service, as upstream's resolver finds it.
fn cluster_ip(gate: &Gate, namespace: &str, name: &str, port: u16) -> Result<String, String> {
    let row = Row::named(gate, "", "v1", "services").ok_or("services are not served")?;
    let missing = || format!("service {} not found", quote(name));
    let key = crate::verbs::key(&row, namespace, name).map_err(|status| status.message)?;
    let entry = gate.store.resource(&row.prefix()).get(key.as_str()).ok_or_else(missing)?;
    let service = row.parse(&entry).map_err(|status| status.message)?;
    address_of(&service, port)
}

fn address_of(service: &Value, port: u16) -> Result<String, String> {
    let spec = service.get("spec").unwrap_or(&Value::Null);
    let name = quote(model::meta::name(service));
    match (text(spec, "type"), text(spec, "clusterIP")) {
        ("ExternalName", _) => return Ok(text(spec, "externalName").to_owned()),
        (_, "None") => return Err("cannot route to service with ClusterIP \"None\"".to_owned()),
        _ => {}
    }
    let mut ports = spec.get("ports").and_then(Value::as_array).into_iter().flatten();
    if !ports.any(|known| known.get("port").and_then(Value::as_u64) == Some(port.into())) {
        return Err(format!("no service port {port} found for service {name}"));
    }
    Ok(text(spec, "clusterIP").to_owned())
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
}
