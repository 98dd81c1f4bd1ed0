//! Containers: what all three lists share, the regular ones, and the init ones. Ephemeral ones are in `ephemeral`.
//! Follows `validateContainerCommon`, `validateContainers`, `validateInitContainers`.

use std::collections::HashSet;

use model::Value;
use model::field::{Errors, Path};
use model::name;

use super::super::rules::{get, text};
use super::{Scope, env, ephemeral, mounts, probes, resources, restart, security};

const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];
const PULL_POLICIES: &[&str] = &["Always", "IfNotPresent", "Never"];

/// The three lists, in upstream's order.
pub(super) fn validate(spec: &Value, scope: &Scope<'_>, path: &Path, errors: &mut Errors) {
    let containers = get::list(spec, "containers");
    regular(containers, scope, &path.child("containers"), errors);
    init(get::list(spec, "initContainers"), containers, scope, &path.child("initContainers"), errors);
    ephemeral::validate(spec, scope, &path.child("ephemeralContainers"), errors);
}

fn regular(containers: &[Value], scope: &Scope<'_>, path: &Path, errors: &mut Errors) {
    if containers.is_empty() {
        return errors.required(path, "");
    }
    let mut names = HashSet::new();
    for (i, container) in containers.iter().enumerate() {
        let path = path.index(i);
        common(container, scope, &path, errors);
        let name = get::text(container, "name");
        if !names.insert(name) {
            errors.duplicate(&path.child("name"), name);
        }
        probes::lifecycle(container, scope, &path, errors);
        probes::validate(container, scope, &path, errors);
        restart::validate(container, &path, errors);
    }
    host_port_conflicts(containers, path, errors);
}

fn init(containers: &[Value], regular: &[Value], scope: &Scope<'_>, list: &Path, errors: &mut Errors) {
    let mut names: HashSet<&str> = regular.iter().map(|container| get::text(container, "name")).collect();
    for (i, container) in containers.iter().enumerate() {
        let path = list.index(i);
        common(container, scope, &path, errors);
        restart::of_init(container, &path, errors);
        let name = get::text(container, "name");
        if names.contains(name) {
            errors.duplicate(&path.child("name"), name);
        } else if !name.is_empty() {
            names.insert(name);
        }
        // Init containers run one by one, so that each is checked alone; upstream gives them all the first one's path.
        host_port_conflicts(&containers[i..=i], list, errors);
        let sidecar = is_sidecar(container);
        if sidecar {
            probes::lifecycle(container, scope, &path, errors);
            probes::validate(container, scope, &path, errors);
        } else {
            for field in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] {
                if get::object(container, field).is_some() {
                    errors.forbidden(&path.child(field), "may not be set for init containers without restartPolicy=Always");
                }
            }
            restart_on_resize(container, scope, &path, errors);
        }
    }
}

/// `IsRestartableInitContainer`.
pub(crate) fn is_sidecar(container: &Value) -> bool {
    get::text(container, "restartPolicy") == "Always"
}

fn restart_on_resize(container: &Value, scope: &Scope<'_>, path: &Path, errors: &mut Errors) {
    if scope.options.restart_init_on_resize {
        return;
    }
    let path = path.child("resizePolicy");
    for (i, policy) in get::list(container, "resizePolicy").iter().enumerate() {
        if get::text(policy, "restartPolicy") == "RestartContainer" {
            errors.invalid(
                &path.index(i).child("restartPolicy"),
                "RestartContainer",
                "must not be set to 'RestartContainer' for non-sidecar initContainers",
            );
        }
    }
}

/// `validateContainerCommon`.
pub(super) fn common(container: &Value, scope: &Scope<'_>, path: &Path, errors: &mut Errors) {
    let name = get::text(container, "name");
    if name.is_empty() {
        errors.required(&path.child("name"), "");
    } else {
        text::dns_label(name, &path.child("name"), errors);
    }
    text::required(get::text(container, "image"), &path.child("image"), errors);
    text::required_one_of(
        get::text(container, "terminationMessagePolicy"),
        &["File", "FallbackToLogsOnError"],
        &path.child("terminationMessagePolicy"),
        errors,
    );
    ports(container, path, errors);
    env::validate(container, path, errors);
    env::validate_from(container, path, errors);
    mounts::validate(container, scope, path, errors);
    mounts::devices(container, scope, path, errors);
    pull_policy(container, "imagePullPolicy", path, errors);
    resources::of_container(container, scope, path, errors);
    resize_policy(container, scope, path, errors);
    security::of_container(container, scope, path, errors);
}

/// `validatePullPolicy`.
pub(super) fn pull_policy(holder: &Value, field: &str, path: &Path, errors: &mut Errors) {
    text::required_one_of(get::text(holder, field), PULL_POLICIES, &path.child(field), errors);
}

/// `validateContainerPorts`.
fn ports(container: &Value, path: &Path, errors: &mut Errors) {
    let list = path.child("ports");
    let mut names = HashSet::new();
    for (i, port) in get::list(container, "ports").iter().enumerate() {
        let path = list.index(i);
        let name = get::text(port, "name");
        if !name.is_empty() {
            let wrong = name::is_valid_port_name(name);
            if !wrong.is_empty() {
                text::invalid_each(name, wrong, &path.child("name"), errors);
            } else if !names.insert(name) {
                errors.duplicate(&path.child("name"), name);
            }
        }
        match get::number(port, "containerPort") {
            0 => errors.required(&path.child("containerPort"), ""),
            number => text::port_num(number, &path.child("containerPort"), errors),
        }
        match get::number(port, "hostPort") {
            0 => {}
            number => text::port_num(number, &path.child("hostPort"), errors),
        }
        text::required_one_of(get::text(port, "protocol"), PROTOCOLS, &path.child("protocol"), errors);
    }
}

/// `checkHostPortConflicts` over some containers of one list.
fn host_port_conflicts(containers: &[Value], path: &Path, errors: &mut Errors) {
    let mut taken = HashSet::new();
    for (i, container) in containers.iter().enumerate() {
        for (j, port) in get::list(container, "ports").iter().enumerate() {
            let host_port = get::number(port, "hostPort");
            if host_port == 0 {
                continue;
            }
            let (protocol, address) = (get::text(port, "protocol"), get::text(port, "hostIP"));
            if !taken.insert((protocol, address, host_port)) {
                let path = path.index(i);
                let path = path.child("ports");
                errors.duplicate(&path.index(j).child("hostPort"), format!("{protocol}/{address}/{host_port}"));
            }
        }
    }
}

/// `validateResizePolicy`; most errors name the list, as upstream's do.
fn resize_policy(container: &Value, scope: &Scope<'_>, path: &Path, errors: &mut Errors) {
    let path = path.child("resizePolicy");
    let policies = get::list(container, "resizePolicy");
    for (i, (policy, is_repeated)) in policies.iter().zip(get::repeated(policies, "resourceName")).enumerate() {
        let (resource, restart) = (get::text(policy, "resourceName"), get::text(policy, "restartPolicy"));
        if is_repeated {
            errors.duplicate_named(&path.index(i), resource);
        }
        text::required_one_of(resource, &["cpu", "memory"], &path, errors);
        text::required_one_of(restart, &["NotRequired", "RestartContainer"], &path, errors);
        if scope.restart_policy == "Never" && restart != "NotRequired" {
            errors.invalid_named(&path, restart, "must be 'NotRequired' when pod `restartPolicy` is 'Never'");
        }
    }
}
