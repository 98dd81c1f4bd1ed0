//! Probes and lifecycle handlers of a container. Follows `validateProbe`, `validateHandler`, `validateLifecycle`.

use model::Value;
use model::field::{Errors, Path};
use model::name;

use super::super::rules::number::nonnegative_fields;
use super::super::rules::{get, text};
use super::Scope;

/// `validateLivenessProbe`, `validateReadinessProbe`, `validateStartupProbe`.
pub(super) fn validate(container: &Value, scope: &Scope<'_>, path: &Path, errors: &mut Errors) {
    for field in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let Some(probe) = get::object(container, field) else { continue };
        let path = path.child(field);
        one(probe, scope, &path, errors);
        if field == "readinessProbe" {
            if let Some(grace_s) = get::int(probe, "terminationGracePeriodSeconds") {
                errors.invalid(&path.child("terminationGracePeriodSeconds"), grace_s, "must not be set for readinessProbes");
            }
        } else if get::number(probe, "successThreshold") != 1 {
            errors.invalid(&path.child("successThreshold"), get::number(probe, "successThreshold"), "must be 1");
        }
    }
}

fn one(probe: &Value, scope: &Scope<'_>, path: &Path, errors: &mut Errors) {
    const COUNTS: &[&str] = &["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"];
    handler(probe, PROBE_HANDLERS, scope, path, errors);
    nonnegative_fields(probe, COUNTS, path, errors);
    if let Some(grace_s) = get::int(probe, "terminationGracePeriodSeconds").filter(|grace_s| *grace_s <= 0) {
        errors.invalid(&path.child("terminationGracePeriodSeconds"), grace_s, "must be greater than 0");
    }
}

/// `validateLifecycle`, where there is one; stop signals are a feature that is off.
pub(super) fn lifecycle(container: &Value, scope: &Scope<'_>, path: &Path, errors: &mut Errors) {
    let Some(lifecycle) = get::object(container, "lifecycle") else { return };
    let path = path.child("lifecycle");
    for field in ["postStart", "preStop"] {
        if let Some(inner) = get::object(lifecycle, field) {
            handler(inner, LIFECYCLE_HANDLERS, scope, &path.child(field), errors);
        }
    }
}

type Check = fn(&Value, &Scope<'_>, &Path, &mut Errors);
const PROBE_HANDLERS: &[(&str, Check)] = &[("exec", exec), ("httpGet", http_get), ("tcpSocket", tcp_socket), ("grpc", grpc)];
const LIFECYCLE_HANDLERS: &[(&str, Check)] =
    &[("exec", exec), ("httpGet", http_get), ("tcpSocket", tcp_socket), ("sleep", sleep)];

/// `validateHandler`: exactly one of the handlers.
fn handler(holder: &Value, handlers: &[(&str, Check)], scope: &Scope<'_>, path: &Path, errors: &mut Errors) {
    let mut found = false;
    for (field, check) in handlers {
        let Some(inner) = get::object(holder, field) else { continue };
        if found {
            errors.forbidden(&path.child(field), "may not specify more than 1 handler type");
        } else {
            check(inner, scope, &path.child(field), errors);
        }
        found = true;
    }
    if !found {
        errors.required(path, "must specify a handler type");
    }
}

fn exec(action: &Value, _: &Scope<'_>, path: &Path, errors: &mut Errors) {
    if get::list(action, "command").is_empty() {
        errors.required(&path.child("command"), "");
    }
}

fn http_get(action: &Value, _: &Scope<'_>, path: &Path, errors: &mut Errors) {
    text::required(get::text(action, "path"), &path.child("path"), errors);
    text::port_num_or_name(get::at(action, "port"), &path.child("port"), errors);
    text::one_of(get::text(action, "scheme"), &["HTTP", "HTTPS"], &path.child("scheme"), errors);
    for header in get::list(action, "httpHeaders") {
        let name = get::text(header, "name");
        text::invalid_each(name, name::is_http_header_name(name), &path.child("httpHeaders"), errors);
    }
}

fn tcp_socket(action: &Value, _: &Scope<'_>, path: &Path, errors: &mut Errors) {
    text::port_num_or_name(get::at(action, "port"), &path.child("port"), errors);
}

fn grpc(action: &Value, _: &Scope<'_>, path: &Path, errors: &mut Errors) {
    text::port_num(get::number(action, "port"), &path.child("port"), errors);
}

fn sleep(action: &Value, scope: &Scope<'_>, path: &Path, errors: &mut Errors) {
    let seconds = get::number(action, "seconds");
    if let Some(grace_s) = scope.grace_s.filter(|grace_s| seconds < 0 || seconds > *grace_s) {
        errors.invalid(path, seconds, format!("must be non-negative and less than terminationGracePeriodSeconds ({grace_s})"));
    }
}
