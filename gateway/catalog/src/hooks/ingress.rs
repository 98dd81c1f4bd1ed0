//! Ingress. Upstream: `pkg/apis/networking/validation`, `pkg/registry/networking/ingress/strategy.go`.

use model::field::{Errors, Path, quote};
use model::{Value, meta, name};

use super::Hooks;
use super::rules::{get, ip, text};

const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";
const NOT_AN_ADDRESS: &str = "must be a DNS name, not an IP address";

pub(super) const HOOKS: Hooks = Hooks {
    validate: Some(validate),
    validate_update: Some(validate_update),
    validate_status: Some(validate_status),
    warnings: Some(warnings),
    warnings_status: Some(ip::load_balancer_warnings),
    ..Hooks::NONE
};

/// What was stored before and may stay although it breaks a rule.
#[derive(Clone, Copy, Default)]
struct Kept {
    secret_name: bool,
    wildcard_rule: bool,
}

fn validate(object: &Value, errors: &mut Errors) {
    let spec = get::at(object, "spec");
    validate_spec(spec, Kept::default(), errors);
    if let (Some(annotated), Some(class)) = (meta::annotation(object, CLASS_ANNOTATION), get::string(spec, "ingressClassName"))
        && annotated != class
    {
        let path = Path::new("annotations");
        errors.invalid(&path.child(CLASS_ANNOTATION), annotated, "must match `ingressClassName` when both are specified");
    }
}

fn validate_update(new: &Value, old: &Value, errors: &mut Errors) {
    let old = get::at(old, "spec");
    let bad_secret = |tls: &Value| {
        let secret = get::text(tls, "secretName");
        !secret.is_empty() && !name::is_dns1123_subdomain(secret).is_empty()
    };
    let bad_wildcard = |rule: &Value| {
        let mut found = Errors::new();
        validate_http(rule, &Path::default(), &mut found);
        get::text(rule, "host").contains('*') && !found.is_empty()
    };
    let kept = Kept {
        secret_name: get::list(old, "tls").iter().any(bad_secret),
        wildcard_rule: get::list(old, "rules").iter().any(bad_wildcard),
    };
    validate_spec(get::at(new, "spec"), kept, errors);
}

fn validate_spec(spec: &Value, kept: Kept, errors: &mut Errors) {
    let path = Path::new("spec");
    let backend = get::object(spec, "defaultBackend");
    if get::list(spec, "rules").is_empty() && backend.is_none() {
        errors.invalid(&path, get::raw(spec, "rules"), "either `defaultBackend` or `rules` must be specified");
    }
    if let Some(backend) = backend {
        validate_backend(backend, &path.child("defaultBackend"), errors);
    }
    let rules = path.child("rules");
    for (i, rule) in get::list(spec, "rules").iter().enumerate() {
        validate_rule(rule, kept, &rules.index(i), errors);
    }
    let tls = path.child("tls");
    for (i, entry) in get::list(spec, "tls").iter().enumerate() {
        validate_tls(entry, kept, &tls.index(i), errors);
    }
    if let Some(class) = get::string(spec, "ingressClassName") {
        text::dns_subdomain(class, &path.child("ingressClassName"), errors);
    }
}

fn validate_host(host: &str, path: &Path, errors: &mut Errors) {
    let wrong = if host.contains('*') { name::is_wildcard_dns1123_subdomain(host) } else { name::is_dns1123_subdomain(host) };
    text::invalid_each(host, wrong, path, errors);
}

fn validate_tls(tls: &Value, kept: Kept, path: &Path, errors: &mut Errors) {
    let hosts = path.child("hosts");
    for (i, host) in get::strings(tls, "hosts").enumerate() {
        validate_host(host, &hosts.index(i), errors);
    }
    let secret = get::text(tls, "secretName");
    if !kept.secret_name && !secret.is_empty() {
        text::dns_subdomain(secret, &path.child("secretName"), errors);
    }
}

fn validate_rule(rule: &Value, kept: Kept, path: &Path, errors: &mut Errors) {
    let host = get::text(rule, "host");
    if !host.is_empty() {
        if ip::parse_sloppy(host).is_some() {
            errors.invalid(&path.child("host"), host, NOT_AN_ADDRESS);
        }
        validate_host(host, &path.child("host"), errors);
    }
    if !host.contains('*') || !kept.wildcard_rule {
        validate_http(rule, path, errors);
    }
}

fn validate_http(rule: &Value, path: &Path, errors: &mut Errors) {
    let Some(http) = get::object(rule, "http") else { return };
    let path = path.child("http.paths");
    if get::list(http, "paths").is_empty() {
        errors.required(&path, "");
    }
    for (i, entry) in get::list(http, "paths").iter().enumerate() {
        validate_path(entry, &path.index(i), errors);
    }
}

fn validate_path(entry: &Value, path: &Path, errors: &mut Errors) {
    let Some(kind) = get::string(entry, "pathType") else {
        return errors.required(&path.child("pathType"), "pathType must be specified");
    };
    let (url, field) = (get::text(entry, "path"), path.child("path"));
    let absolute = url.starts_with('/');
    match kind {
        "Exact" | "Prefix" => {
            if !absolute {
                errors.invalid(&field, url, "must be an absolute path");
            }
            for sequence in ["//", "/./", "/../", "%2f", "%2F"] {
                if url.contains(sequence) {
                    errors.invalid(&field, url, format!("must not contain '{sequence}'"));
                }
            }
            for suffix in ["/..", "/."] {
                if url.ends_with(suffix) {
                    errors.invalid(&field, url, format!("cannot end with '{suffix}'"));
                }
            }
        }
        "ImplementationSpecific" if !url.is_empty() && !absolute => errors.invalid(&field, url, "must be an absolute path"),
        "ImplementationSpecific" => {}
        _ => errors.not_supported(&path.child("pathType"), kind, &["Exact", "ImplementationSpecific", "Prefix"]),
    }
    validate_backend(get::at(entry, "backend"), &path.child("backend"), errors);
}

fn validate_backend(backend: &Value, path: &Path, errors: &mut Errors) {
    match (get::object(backend, "resource"), get::object(backend, "service")) {
        (Some(_), Some(_)) => errors.invalid(path, "", "cannot set both resource and service backends"),
        (Some(resource), None) => validate_reference(resource, &path.child("resource"), errors),
        (None, Some(service)) => validate_service(service, path, errors),
        (None, None) => errors.invalid(path, "", "resource or service backend is required"),
    }
}

fn validate_service(service: &Value, path: &Path, errors: &mut Errors) {
    let service_name = get::text(service, "name");
    if service_name.is_empty() {
        errors.required(&path.child("service.name"), "");
    } else {
        text::dns_label(service_name, &path.child("service.name"), errors);
    }
    let port = get::at(service, "port");
    match (get::text(port, "name"), get::number(port, "number")) {
        ("", 0) => errors.required(path, "port name or number is required"),
        ("", number) => text::port_num(number, &path.child("service.port.number"), errors),
        (port, 0) => text::invalid_each(port, name::is_valid_port_name(port), &path.child("service.port.name"), errors),
        _ => errors.invalid(path, "", "cannot set both port name & port number"),
    }
}

/// A reference to an object of any kind in the same namespace.
pub(super) fn validate_reference(reference: &Value, path: &Path, errors: &mut Errors) {
    if let Some(group) = get::string(reference, "apiGroup") {
        text::dns_subdomain(group, &path.child("apiGroup"), errors);
    }
    for field in ["kind", "name"] {
        let (value, path) = (get::text(reference, field), path.child(field));
        if value.is_empty() {
            errors.required(&path, "");
        } else {
            text::invalid_each(value, name::is_valid_path_segment_name(value), &path, errors);
        }
    }
}

fn validate_status(new: &Value, old: &Value, errors: &mut Errors) {
    let points = |object| get::list(get::at(object, "status.loadBalancer"), "ingress");
    let kept: Vec<&str> = points(old).iter().filter_map(|point| get::string(point, "ip")).collect();
    let path = Path::new("status.loadBalancer.ingress");
    for (i, point) in points(new).iter().enumerate() {
        let path = path.index(i);
        if let Some(address) = get::string(point, "ip") {
            ip::legacy(address, &kept, &path.child("ip"), errors);
        }
        if let Some(host) = get::string(point, "hostname") {
            text::dns_subdomain(host, &path.child("hostname"), errors);
            if ip::parse_sloppy(host).is_some() {
                errors.invalid(&path.child("hostname"), host, NOT_AN_ADDRESS);
            }
        }
    }
}

fn warnings(new: &Value, old: Option<&Value>) -> Vec<String> {
    let annotated = meta::annotation(new, CLASS_ANNOTATION).is_some();
    if old.is_some() || !annotated || get::string(get::at(new, "spec"), "ingressClassName").is_some() {
        return Vec::new();
    }
    vec![format!("annotation {} is deprecated, please use 'spec.ingressClassName' instead", quote(CLASS_ANNOTATION))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::json::json;

    fn faults(spec: Value) -> Vec<String> {
        let mut errors = Errors::new();
        validate(&json!({"spec": spec}), &mut errors);
        errors.0.iter().map(ToString::to_string).collect()
    }

    fn rule(path: &str, kind: &str) -> Value {
        let backend = json!({"service": {"name": "s", "port": {"number": 80}}});
        json!({"rules": [{"host": "a.example.com", "http": {"paths": [{"path": path, "pathType": kind, "backend": backend}]}}]})
    }

    #[test]
    fn a_plain_rule_is_fine() {
        assert_eq!(faults(rule("/a", "Prefix")), Vec::<String>::new());
    }

    #[test]
    fn paths_are_absolute_and_clean() {
        assert_eq!(
            faults(rule("a", "Exact")),
            ["spec.rules[0].http.paths[0].path: Invalid value: \"a\": must be an absolute path"]
        );
        assert_eq!(
            faults(rule("/a/..", "Prefix")),
            ["spec.rules[0].http.paths[0].path: Invalid value: \"/a/..\": cannot end with '/..'"]
        );
        assert_eq!(
            faults(rule("/a", "Regex")),
            ["spec.rules[0].http.paths[0].pathType: Unsupported value: \"Regex\": \
              supported values: \"Exact\", \"ImplementationSpecific\", \"Prefix\""]
        );
    }

    #[test]
    fn something_must_be_served() {
        assert_eq!(faults(json!({})), ["spec: Invalid value: null: either `defaultBackend` or `rules` must be specified"]);
        assert_eq!(
            faults(json!({"defaultBackend": {"service": {"name": "s", "port": {}}}})),
            ["spec.defaultBackend: Required value: port name or number is required"]
        );
    }
}
