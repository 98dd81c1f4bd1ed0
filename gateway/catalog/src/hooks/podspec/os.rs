//! What the pod's operating system and the host's namespaces rule out.
//! Follows `validateOS`, `validateLinux`, `validateWindows`, `validateWindowsHostProcessPod`, `validateHostUsers`.

use model::Value;
use model::field::{Errors, Path};

use super::super::rules::{get, text};
use super::{Options, visit_containers};

const WINDOWS: &str = "cannot be set for a windows pod";

/// What a pod's security context may not have on Windows, in upstream's order.
const POD_FIELDS: &[&str] = &[
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "fsGroup",
    "fsGroupChangePolicy",
    "sysctls",
    "runAsUser",
    "runAsGroup",
    "supplementalGroups",
    "supplementalGroupsPolicy",
    "seLinuxChangePolicy",
];
/// What a container's may not have.
const CONTAINER_FIELDS: &[&str] = &[
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "capabilities",
    "readOnlyRootFilesystem",
    "privileged",
    "allowPrivilegeEscalation",
    "procMount",
    "runAsUser",
    "runAsGroup",
];

/// `validateOS`, and what follows from it.
pub(super) fn validate(spec: &Value, path: &Path, errors: &mut Errors) {
    let Some(os) = get::object(spec, "os") else { return };
    match get::text(os, "name") {
        "" => errors.required(&path.child("os.name"), ""),
        "linux" => linux(spec, path, errors),
        "windows" => windows(spec, path, errors),
        other => {
            text::one_of(other, &["linux", "windows"], &path.child("os"), errors);
        }
    }
}

fn linux(spec: &Value, path: &Path, errors: &mut Errors) {
    const LINUX: &str = "windows options cannot be set for a linux pod";
    if get::object(get::at(spec, "securityContext"), "windowsOptions").is_some() {
        errors.forbidden(&path.child("securityContext.windowsOptions"), LINUX);
    }
    visit_containers(spec, path, &mut |container, path| {
        if get::object(get::at(container, "securityContext"), "windowsOptions").is_some() {
            errors.forbidden(&path.child("securityContext.windowsOptions"), LINUX);
        }
    });
}

fn windows(spec: &Value, path: &Path, errors: &mut Errors) {
    forbid(get::at(spec, "securityContext"), POD_FIELDS, &path.child("securityContext"), errors);
    let host = |field: &str| get::is(spec, field);
    let set = [
        ("hostUsers", spec.get("hostUsers").is_some()),
        ("hostPID", host("hostPID")),
        ("hostIPC", host("hostIPC")),
        ("shareProcessNamespace", spec.get("shareProcessNamespace").is_some()),
    ];
    for (field, _) in set.iter().filter(|(_, set)| *set) {
        errors.forbidden(&path.child(field), WINDOWS);
    }
    visit_containers(spec, path, &mut |container, path| {
        forbid(get::at(container, "securityContext"), CONTAINER_FIELDS, &path.child("securityContext"), errors);
    });
}

fn forbid(context: &Value, fields: &[&str], path: &Path, errors: &mut Errors) {
    for field in fields {
        let set = match context.get(*field) {
            None | Some(Value::Null) => false,
            Some(Value::Array(items)) => !items.is_empty() || *field == "supplementalGroups",
            Some(_) => true,
        };
        if set {
            errors.forbidden(&path.child(field), WINDOWS);
        }
    }
}

/// `validateWindowsHostProcessPod`: all containers are host processes, or none is.
pub(super) fn windows_host_process(spec: &Value, options: &Options, path: &Path, errors: &mut Errors) {
    let of_pod = get::flag(get::at(spec, "securityContext.windowsOptions"), "hostProcess");
    let (mut containers, mut host_processes) = (0, 0);
    visit_containers(spec, path, &mut |container, path| {
        containers += 1;
        let own = get::flag(get::at(container, "securityContext.windowsOptions"), "hostProcess");
        if let (Some(pod), Some(own)) = (of_pod, own)
            && pod != own
        {
            let detail = format!("pod hostProcess value must be identical if both are specified, was {pod}");
            errors.invalid(&path.child("securityContext.windowsOptions.hostProcess"), own, detail);
        }
        host_processes += usize::from(own.or(of_pod).unwrap_or(false));
    });
    if host_processes == 0 {
        return;
    }
    if host_processes != containers {
        errors.invalid(path, "", "If pod contains any hostProcess containers then all containers must be HostProcess containers");
    }
    if !get::is(spec, "hostNetwork") {
        errors.invalid(&path.child("hostNetwork"), false, "hostNetwork must be true if pod contains any hostProcess containers");
    }
    if !options.privileged {
        errors.forbidden(path, "hostProcess containers are disallowed by cluster policy");
    }
}

/// `validateHostUsers`: a user namespace of its own excludes the host's other namespaces.
pub(super) fn host_users(spec: &Value, options: &Options, path: &Path, errors: &mut Errors) {
    const DETAIL: &str = "when `hostUsers` is false";
    if get::flag(spec, "hostUsers") != Some(false) {
        return;
    }
    for (field, shown) in [("hostNetwork", "hostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC")] {
        if get::is(spec, field) {
            errors.forbidden(&path.child(shown), DETAIL);
        }
    }
    if options.user_namespace_devices {
        return;
    }
    visit_containers(spec, path, &mut |container, path| {
        if !get::list(container, "volumeDevices").is_empty() {
            errors.forbidden(&path.child("volumeDevices"), DETAIL);
        }
    });
}
