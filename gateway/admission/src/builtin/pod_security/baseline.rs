//! The checks of the standard `baseline`: nothing that is known to lead out of a container.
//! Follows `k8s.io/pod-security-admission/policy/check_*.go`.

use std::collections::BTreeSet;

use model::Value;
use model::field::quote;

use super::checks::{Check, Fault, Pod, containers, context, fault, field, plural, profile, quoted, setters, strings};
use crate::builtin::{items, text};

const fn check(id: &'static str, since: i64, find: fn(&Pod<'_>) -> Option<Fault>) -> Check {
    Check { id, since, instead_of: None, find }
}

/// Every revision of every check, by name in the order of bytes.
pub(super) const CHECKS: &[Check] = &[
    check("appArmorProfile", 0, app_armor),
    check("capabilities_baseline", 0, capabilities),
    check("hostNamespaces", 0, host_namespaces),
    check("hostPathVolumes", 0, host_paths),
    check("hostPorts", 0, host_ports),
    check("hostProbesAndHostLifecycle", 34, host_handlers),
    check("privileged", 0, privileged),
    check("procMount", 0, proc_mount),
    check("procMount", 35, |pod| if pod.has_own_users() { None } else { proc_mount(pod) }),
    check("seLinuxOptions", 0, |pod| se_linux(pod, &["", "container_t", "container_init_t", "container_kvm_t"])),
    check("seLinuxOptions", 31, |pod| {
        se_linux(pod, &["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"])
    }),
    check("seccompProfile_baseline", 0, seccomp_annotations),
    check("seccompProfile_baseline", 19, |pod| seccomp(pod).1),
    check("sysctls", 0, |pod| sysctls(pod, 0)),
    check("sysctls", 27, |pod| sysctls(pod, 27)),
    check("sysctls", 29, |pod| sysctls(pod, 29)),
    check("sysctls", 32, |pod| sysctls(pod, 32)),
    check("sysctls", 37, |pod| sysctls(pod, 37)),
    check("windowsHostProcess", 0, host_process),
];

/// What runtimes give a container anyway.
const CAPABILITIES: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// Kernel parameters that concern nobody but the pod, with the version that lets them in.
const SYSCTLS: [(i64, &str); 14] = [
    (0, "kernel.shm_rmid_forced"),
    (0, "net.ipv4.ip_local_port_range"),
    (0, "net.ipv4.tcp_syncookies"),
    (0, "net.ipv4.ping_group_range"),
    (0, "net.ipv4.ip_unprivileged_port_start"),
    (27, "net.ipv4.ip_local_reserved_ports"),
    (29, "net.ipv4.tcp_keepalive_time"),
    (29, "net.ipv4.tcp_fin_timeout"),
    (29, "net.ipv4.tcp_keepalive_intvl"),
    (29, "net.ipv4.tcp_keepalive_probes"),
    (32, "net.ipv4.tcp_rmem"),
    (32, "net.ipv4.tcp_wmem"),
    (37, "net.ipv4.tcp_slow_start_after_idle"),
    (37, "net.ipv4.tcp_notsent_lowat"),
];

const APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";
const SECCOMP_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";

/// Whether a profile of this type confines.
fn confines(kind: &str) -> bool {
    matches!(kind, "RuntimeDefault" | "Localhost")
}

/// Who sets profiles that do not confine.
struct Unconfined {
    by_pod: bool,
    setters: Vec<String>,
    /// The profiles' types.
    values: BTreeSet<String>,
}

/// Profiles lie in this field of security contexts.
fn unconfined(pod: &Pod<'_>, field: &str) -> Unconfined {
    let mut values = BTreeSet::new();
    let mut is_bad = |context| match profile(context, field) {
        Some(kind) if !confines(kind) => {
            values.insert(kind.to_owned());
            true
        }
        _ => false,
    };
    let by_pod = is_bad(pod.context());
    let by_containers = pod.containers_where(|container| is_bad(context(container)));
    Unconfined { by_pod, setters: setters(by_pod, &by_containers), values }
}

fn app_armor(pod: &Pod<'_>) -> Option<Fault> {
    let Unconfined { mut setters, values, .. } = unconfined(pod, "appArmorProfile");
    let is_fine = |value: &str| matches!(value, "" | "runtime/default") || value.starts_with("localhost/");
    let bad = pod.annotations().filter(|(key, value)| key.starts_with(APP_ARMOR) && !is_fine(value));
    let annotations: BTreeSet<String> = bad.map(|(key, value)| format!("{key}={}", quote(value))).collect();
    if !annotations.is_empty() {
        setters.push(plural("annotation", "annotations", annotations.len()).to_owned());
    }
    let values: Vec<String> = values.into_iter().chain(annotations).collect();
    if setters.is_empty() {
        return None;
    }
    fault(
        plural("forbidden AppArmor profile", "forbidden AppArmor profiles", values.len()),
        format!("{} must not set AppArmor profile type to {}", setters.join(" and "), quoted(&values)),
    )
}

fn capabilities(pod: &Pod<'_>) -> Option<Fault> {
    let beyond = |container| {
        let added = strings(field(context(container), "capabilities"), "add");
        added.filter(|added| !CAPABILITIES.contains(added))
    };
    let bad = pod.containers_where(|container| beyond(container).next().is_some());
    if bad.is_empty() {
        return None;
    }
    let what: BTreeSet<&str> = pod.containers().flat_map(beyond).collect();
    let detail = format!("{} must not include {} in securityContext.capabilities.add", containers(&bad), quoted(what));
    fault("non-default capabilities", detail)
}

fn host_namespaces(pod: &Pod<'_>) -> Option<Fault> {
    let shared = ["hostNetwork", "hostPID", "hostIPC"].into_iter().filter(|name| is_true(pod.spec, name));
    let shared: Vec<String> = shared.map(|name| format!("{name}=true")).collect();
    if shared.is_empty() { None } else { fault("host namespaces", shared.join(", ")) }
}

fn is_true(of: &Value, name: &str) -> bool {
    of.get(name) == Some(&Value::Bool(true))
}

fn host_paths(pod: &Pod<'_>) -> Option<Fault> {
    let bad: Vec<&str> = items(pod.spec, "volumes")
        .iter()
        .filter(|volume| !field(volume, "hostPath").is_null())
        .map(|volume| text(volume, "name"))
        .collect();
    if bad.is_empty() {
        return None;
    }
    fault("hostPath volumes", format!("{} {}", plural("volume", "volumes", bad.len()), quoted(bad)))
}

fn host_ports(pod: &Pod<'_>) -> Option<Fault> {
    let ports =
        |container| items(container, "ports").iter().filter_map(|port| port.get("hostPort")?.as_i64()).filter(|port| *port != 0);
    let bad = pod.containers_where(|container| ports(container).next().is_some());
    if bad.is_empty() {
        return None;
    }
    let ports: BTreeSet<String> = pod.containers().flat_map(ports).map(|port| port.to_string()).collect();
    let (uses, word) = (plural("uses", "use", bad.len()), plural("hostPort", "hostPorts", ports.len()));
    let ports = ports.into_iter().collect::<Vec<_>>().join(", ");
    fault("hostPort", format!("{} {uses} {word} {ports}", containers(&bad)))
}

/// Where a kubelet calls, as a container's probes and handlers name it.
fn called_hosts(container: &Value) -> impl Iterator<Item = &str> {
    let lifecycle = field(container, "lifecycle");
    let probes = ["livenessProbe", "readinessProbe", "startupProbe"].into_iter().map(|probe| field(container, probe));
    let handlers = probes.chain(["postStart", "preStop"].into_iter().map(|handler| field(lifecycle, handler)));
    let calls = handlers.flat_map(|handler| ["httpGet", "tcpSocket"].into_iter().map(|call| field(handler, call)));
    calls.map(|call| text(call, "host")).filter(|host| !host.is_empty())
}

fn host_handlers(pod: &Pod<'_>) -> Option<Fault> {
    let hosts: BTreeSet<&str> = pod.containers().flat_map(called_hosts).collect();
    let bad: BTreeSet<&str> = pod.containers_where(|container| called_hosts(container).next().is_some()).into_iter().collect();
    let bad: Vec<&str> = bad.into_iter().collect();
    if bad.is_empty() {
        return None;
    }
    let word = plural("probe or lifecycle host", "probe or lifecycle hosts", hosts.len());
    let detail = format!("{} {} {word} {}", containers(&bad), plural("uses", "use", bad.len()), quoted(hosts));
    fault("probe or lifecycle host", detail)
}

fn privileged(pod: &Pod<'_>) -> Option<Fault> {
    let bad = pod.containers_where(|container| is_true(context(container), "privileged"));
    if bad.is_empty() {
        return None;
    }
    fault("privileged", format!("{} must not set securityContext.privileged=true", containers(&bad)))
}

/// Also what `restricted` asks whatever users the pod has.
pub(super) fn proc_mount(pod: &Pod<'_>) -> Option<Fault> {
    let mount = |container| field(context(container), "procMount").as_str().filter(|mount| *mount != "Default");
    let mounts: BTreeSet<&str> = pod.containers().filter_map(mount).collect();
    let bad = pod.containers_where(|container| mount(container).is_some());
    if bad.is_empty() {
        return None;
    }
    fault("procMount", format!("{} must not set securityContext.procMount to {}", containers(&bad), quoted(mounts)))
}

fn se_linux(pod: &Pod<'_>, allowed: &[&str]) -> Option<Fault> {
    let (mut types, mut user, mut role) = (BTreeSet::new(), false, false);
    let mut is_bad = |context| {
        let options = field(context, "seLinuxOptions");
        let (kind, sets_user, sets_role) =
            (text(options, "type"), !text(options, "user").is_empty(), !text(options, "role").is_empty());
        let odd = !allowed.contains(&kind);
        if odd {
            types.insert(kind.to_owned());
        }
        (user, role) = (user || sets_user, role || sets_role);
        odd || sets_user || sets_role
    };
    let by_pod = is_bad(pod.context());
    let by_containers = pod.containers_where(|container| is_bad(context(container)));
    let setters = setters(by_pod, &by_containers);
    if setters.is_empty() {
        return None;
    }
    let types = (!types.is_empty()).then(|| format!("{} {}", plural("type", "types", types.len()), quoted(&types)));
    let user = user.then(|| "user may not be set".to_owned());
    let role = role.then(|| "role may not be set".to_owned());
    let what: Vec<String> = types.into_iter().chain(user).chain(role).collect();
    fault(
        "seLinuxOptions",
        format!("{} set forbidden securityContext.seLinuxOptions: {}", setters.join(" and "), what.join("; ")),
    )
}

fn seccomp_annotations(pod: &Pod<'_>) -> Option<Fault> {
    let is_fine = |value: &str| matches!(value, "runtime/default" | "docker/default") || value.starts_with("localhost/");
    let each = pod.containers().map(|container| format!("{SECCOMP_CONTAINER}{}", text(container, "name")));
    let keys = std::iter::once(SECCOMP_POD.to_owned()).chain(each);
    let told = keys
        .filter_map(|key| pod.annotation(&key).filter(|value| !is_fine(value)).map(|value| format!("{key}={}", quote(value))));
    let bad: BTreeSet<String> = told.collect();
    if bad.is_empty() {
        return None;
    }
    let word = plural("annotation", "annotations", bad.len());
    fault("seccompProfile", format!("forbidden {word} {}", bad.into_iter().collect::<Vec<_>>().join(", ")))
}

/// Whether the pod as a whole has a profile that confines, and who has one that does not.
pub(super) fn seccomp(pod: &Pod<'_>) -> (bool, Option<Fault>) {
    let Unconfined { by_pod, setters, values } = unconfined(pod, "seccompProfile");
    let confined = !by_pod && profile(pod.context(), "seccompProfile").is_some();
    if setters.is_empty() {
        return (confined, None);
    }
    let detail = format!("{} must not set securityContext.seccompProfile.type to {}", setters.join(" and "), quoted(&values));
    (confined, fault("seccompProfile", detail))
}

fn sysctls(pod: &Pod<'_>, minor: i64) -> Option<Fault> {
    let is_fine = |name: &str| SYSCTLS.iter().any(|(since, allowed)| *since <= minor && *allowed == name);
    let set = items(pod.context(), "sysctls").iter().map(|sysctl| text(sysctl, "name"));
    let bad: Vec<&str> = set.filter(|name| !is_fine(name)).collect();
    if bad.is_empty() { None } else { fault("forbidden sysctls", bad.join(", ")) }
}

fn host_process(pod: &Pod<'_>) -> Option<Fault> {
    let is_bad = |context| is_true(field(context, "windowsOptions"), "hostProcess");
    let bad = pod.containers_where(|container| is_bad(context(container)));
    let setters = setters(is_bad(pod.context()), &bad);
    if setters.is_empty() {
        return None;
    }
    let detail = format!("{} must not set securityContext.windowsOptions.hostProcess=true", setters.join(" and "));
    fault("hostProcess", detail)
}
