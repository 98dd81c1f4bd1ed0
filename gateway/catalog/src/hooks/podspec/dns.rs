//! How the pod meets the network: DNS, host names, host ports. Follows `validatePodDNSConfig`, `ValidateHostAliases`,
//! `validatePodHostName`, `validatePodHostNetworkDeps`.

use model::Value;
use model::field::{Errors, Path};
use model::name;

use super::super::rules::{get, ip, text};
use super::Options;

/// What the resolver of libc takes: name servers, search paths, bytes of all search paths with the spaces between them.
const NAMESERVERS_MAX: usize = 3;
const SEARCHES_MAX: usize = 32;
const SEARCH_BYTES_MAX: usize = 2048;
/// Longest host name on Linux, in bytes.
const HOSTNAME_BYTES_MAX: usize = 64;

/// `validatePodDNSConfig`.
pub(super) fn config(spec: &Value, path: &Path, errors: &mut Errors) {
    let path = path.child("dnsConfig");
    let config = get::object(spec, "dnsConfig");
    if get::text(spec, "dnsPolicy") == "None" {
        match config {
            None => return errors.required(&path, "must provide `dnsConfig` when `dnsPolicy` is None"),
            Some(config) if get::list(config, "nameservers").is_empty() => {
                return errors
                    .required(&path.child("nameservers"), "must provide at least one DNS nameserver when `dnsPolicy` is None");
            }
            Some(_) => {}
        }
    }
    let Some(config) = config else { return };
    nameservers(config, &path.child("nameservers"), errors);
    searches(config, &path.child("searches"), errors);
    let options = path.child("options");
    for (i, option) in get::list(config, "options").iter().enumerate() {
        if get::text(option, "name").is_empty() {
            errors.required(&options.index(i), "must not be empty");
        }
    }
}

fn nameservers(config: &Value, path: &Path, errors: &mut Errors) {
    let servers = get::list(config, "nameservers");
    if servers.len() > NAMESERVERS_MAX {
        errors.invalid(path, servers.to_vec(), format!("must not have more than {NAMESERVERS_MAX} nameservers"));
    }
    for (i, server) in get::strings(config, "nameservers").enumerate() {
        ip::legacy(server, &[], &path.index(i), errors);
    }
}

fn searches(config: &Value, path: &Path, errors: &mut Errors) {
    let searches = get::list(config, "searches");
    if searches.len() > SEARCHES_MAX {
        errors.invalid(path, searches.to_vec(), format!("must not have more than {SEARCHES_MAX} search paths"));
    }
    let bytes = get::strings(config, "searches").map(str::len).sum::<usize>() + searches.len().saturating_sub(1);
    if bytes > SEARCH_BYTES_MAX {
        let detail = format!("must not have more than {SEARCH_BYTES_MAX} characters (including spaces) in the search list");
        errors.invalid(path, searches.to_vec(), detail);
    }
    for (i, search) in get::strings(config, "searches").enumerate().filter(|(_, search)| *search != ".") {
        let search = search.strip_suffix('.').unwrap_or(search);
        text::invalid_each(search, name::is_dns1123_subdomain_with_underscore(search), &path.index(i), errors);
    }
}

/// `ValidateHostAliases`.
pub(super) fn host_aliases(spec: &Value, path: &Path, errors: &mut Errors) {
    let list = path.child("hostAliases");
    for (i, alias) in get::list(spec, "hostAliases").iter().enumerate() {
        let path = list.index(i);
        ip::legacy(get::text(alias, "ip"), &[], &path.child("ip"), errors);
        let names = path.child("hostnames");
        for (j, host) in get::strings(alias, "hostnames").enumerate() {
            text::dns_subdomain(host, &names.index(j), errors);
        }
    }
}

/// `validatePodHostName`.
pub(super) fn hostname_override(spec: &Value, path: &Path, errors: &mut Errors) {
    let Some(name) = get::string(spec, "hostnameOverride") else { return };
    let path = path.child("hostnameOverride");
    for field in ["setHostnameAsFQDN", "hostNetwork"] {
        if get::is(spec, field) {
            errors.forbidden(&path, format!("may not be specified when {field} is true"));
        }
    }
    if name.len() > HOSTNAME_BYTES_MAX {
        errors.too_long(&path, HOSTNAME_BYTES_MAX);
    }
    text::dns_subdomain(name, &path, errors);
}

/// `validatePodHostNetworkDeps`: on the host's network a port is the host's own. In a template it may still be unset.
pub(super) fn host_network_ports(spec: &Value, options: &Options, path: &Path, errors: &mut Errors) {
    if !get::is(spec, "hostNetwork") {
        return;
    }
    let list = path.child("containers");
    for (i, container) in get::list(spec, "containers").iter().enumerate() {
        let path = list.index(i);
        let ports = path.child("ports");
        for (j, port) in get::list(container, "ports").iter().enumerate() {
            let (host, own) = (get::number(port, "hostPort"), get::number(port, "containerPort"));
            if (options.is_pod || host != 0) && host != own {
                errors.invalid(&ports.index(j).child("hostPort"), host, "must match `containerPort` when `hostNetwork` is true");
            }
        }
    }
}

/// Whether the list has one address of each family, and nothing else; entries are `{"ip": …}`.
pub(crate) fn is_dual_stack(list: &[Value]) -> bool {
    let parsed: Vec<_> = list.iter().filter_map(|entry| ip::parse_sloppy(get::text(entry, "ip"))).collect();
    list.len() == 2 && parsed.len() == 2 && parsed[0].is_ipv4() != parsed[1].is_ipv4()
}
