//! The checks of the standard `baseline`. Which of them are in force in a version is decided in `lib.rs`.

use crate::pod::{Handler, SeLinux};
use crate::{Check, Found, Level, Pod};

/// The rules, as the policy describes them.
pub(crate) const RULES: &[(&str, &str)] = &[
    ("app-armor-profile", "AppArmor is the runtime's default or a profile of the node's."),
    ("capabilities-baseline", "No capability is added beyond those that runtimes give anyway."),
    ("host-namespaces", "Network, processes and IPC are not the node's."),
    ("host-path-volumes", "No volume is a path on the node."),
    ("host-ports", "No port of the node is taken."),
    ("host-probes-and-host-lifecycle", "Probes and lifecycle handlers name no host (since v1.34)."),
    ("privileged", "No container is privileged."),
    ("proc-mount", "The masks over /proc stay, unless the Pod has users of its own (since v1.35)."),
    ("se-linux-options", "SELinux types are those of containers; user and role are not set."),
    ("seccomp-profile-baseline", "Seccomp is not switched off."),
    ("sysctls", "Only kernel parameters that concern nobody else are set."),
    ("windows-host-process", "No Windows container is a process of the node."),
];

const fn check(rule: &'static str, since: u32, find: fn(&Pod, &mut Found<'_>)) -> Check {
    Check { rule, level: Level::Baseline, since, instead_of: None, find }
}

/// Every revision of every check.
pub(crate) const CHECKS: &[Check] = &[
    check("app-armor-profile", 0, app_armor),
    check("capabilities-baseline", 0, capabilities),
    check("host-namespaces", 0, host_namespaces),
    check("host-path-volumes", 0, host_paths),
    check("host-ports", 0, host_ports),
    check("host-probes-and-host-lifecycle", 34, host_handlers),
    check("privileged", 0, privileged),
    check("proc-mount", 0, proc_mount),
    check("proc-mount", 35, proc_mount_with_the_nodes_users),
    check("se-linux-options", 0, se_linux),
    check("seccomp-profile-baseline", 0, seccomp_annotations),
    check("seccomp-profile-baseline", 19, seccomp),
    check("sysctls", 0, sysctls),
    check("windows-host-process", 0, host_process),
];

/// What container runtimes give every container.
const CAPABILITIES: &[&str] = &[
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

/// Kernel parameters that are a Pod's own, with the version that allowed them first.
const SYSCTLS: &[(u32, &str)] = &[
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

/// SELinux types of containers, with the version that allowed them first.
const SE_LINUX_TYPES: &[(u32, &str)] =
    &[(0, ""), (0, "container_t"), (0, "container_init_t"), (0, "container_kvm_t"), (31, "container_engine_t")];

/// Whether a profile's type is one that confines.
pub(crate) fn confines(kind: &str) -> bool {
    matches!(kind, "RuntimeDefault" | "Localhost")
}

fn app_armor(pod: &Pod, found: &mut Found<'_>) {
    for (field, context) in pod.spec.contexts() {
        if let Some(profile) = context.app_armor_profile.as_ref().filter(|profile| !confines(&profile.kind)) {
            let field = pod.at(format_args!("{field}.appArmorProfile.type"));
            found.add(field, format!("is \"{}\", but must be \"RuntimeDefault\" or \"Localhost\", or left out", profile.kind));
        }
    }
    for (key, value) in &pod.metadata.annotations {
        let is_fine = value.is_empty() || value == "runtime/default" || value.starts_with("localhost/");
        if key.starts_with("container.apparmor.security.beta.kubernetes.io/") && !is_fine {
            let field = pod.at(format_args!("metadata.annotations[{key}]"));
            found.add(field, format!("is \"{value}\", but must be \"runtime/default\" or \"localhost/…\", or left out"));
        }
    }
}

fn capabilities(pod: &Pod, found: &mut Found<'_>) {
    for (field, context) in pod.spec.container_contexts() {
        for added in context.capabilities.iter().flat_map(|capabilities| &capabilities.add) {
            if !CAPABILITIES.contains(&added.as_str()) {
                let field = pod.at(format_args!("{field}.capabilities.add"));
                found.add(field, format!("must not include \"{added}\", which a container does not have by itself"));
            }
        }
    }
}

fn host_namespaces(pod: &Pod, found: &mut Found<'_>) {
    let Pod { spec, .. } = pod;
    for (name, shared) in [("hostNetwork", spec.host_network), ("hostPID", spec.host_pid), ("hostIPC", spec.host_ipc)] {
        if shared == Some(true) {
            found.add(pod.at(format_args!("spec.{name}")), "must be false or left out");
        }
    }
}

fn host_paths(pod: &Pod, found: &mut Found<'_>) {
    for (n, volume) in pod.spec.volumes.iter().enumerate() {
        if volume.get("hostPath").is_some_and(Option::is_some) {
            found.add(pod.at(format_args!("spec.volumes[{n}].hostPath")), "a volume must not be a path on the node");
        }
    }
}

fn host_ports(pod: &Pod, found: &mut Found<'_>) {
    for (place, container) in pod.spec.each() {
        for (n, port) in container.ports.iter().enumerate().filter(|(_, port)| port.host_port != 0) {
            let field = pod.at(format_args!("spec.{place}.ports[{n}].hostPort"));
            found.add(field, format!("is {}, but must be left out: it takes a port of the node", port.host_port));
        }
    }
}

fn host_handlers(pod: &Pod, found: &mut Found<'_>) {
    for (place, container) in pod.spec.each() {
        let lifecycle = container.lifecycle.as_ref();
        let handlers = [
            ("livenessProbe", container.liveness_probe.as_ref()),
            ("readinessProbe", container.readiness_probe.as_ref()),
            ("startupProbe", container.startup_probe.as_ref()),
            ("lifecycle.postStart", lifecycle.and_then(|lifecycle| lifecycle.post_start.as_ref())),
            ("lifecycle.preStop", lifecycle.and_then(|lifecycle| lifecycle.pre_stop.as_ref())),
        ];
        for (name, Handler { http_get, tcp_socket }) in handlers.into_iter().filter_map(|(name, h)| Some((name, h?))) {
            for (kind, target) in [("httpGet", http_get), ("tcpSocket", tcp_socket)] {
                if let Some(target) = target.as_ref().filter(|target| !target.host.is_empty()) {
                    let field = pod.at(format_args!("spec.{place}.{name}.{kind}.host"));
                    found.add(field, format!("is \"{}\", but must be left out: the kubelet would call it", target.host));
                }
            }
        }
    }
}

fn privileged(pod: &Pod, found: &mut Found<'_>) {
    for (field, context) in pod.spec.container_contexts() {
        if context.privileged == Some(true) {
            found.add(pod.at(format_args!("{field}.privileged")), "must be false or left out");
        }
    }
}

/// Also what `restricted` demands whatever users the Pod has.
pub(crate) fn proc_mount(pod: &Pod, found: &mut Found<'_>) {
    for (field, context) in pod.spec.container_contexts() {
        if let Some(mount) = context.proc_mount.as_ref().filter(|mount| *mount != "Default") {
            found.add(pod.at(format_args!("{field}.procMount")), format!("is \"{mount}\", but must be \"Default\" or left out"));
        }
    }
}

fn proc_mount_with_the_nodes_users(pod: &Pod, found: &mut Found<'_>) {
    if !pod.spec.has_own_users() {
        proc_mount(pod, found);
    }
}

fn se_linux(pod: &Pod, found: &mut Found<'_>) {
    for (field, context) in pod.spec.contexts() {
        let Some(SeLinux { kind, user, role }) = &context.se_linux_options else { continue };
        let at = |name: &str| pod.at(format_args!("{field}.seLinuxOptions.{name}"));
        if !SE_LINUX_TYPES.iter().any(|(since, allowed)| *since <= found.version && allowed == kind) {
            found.add(at("type"), format!("is \"{kind}\", which is not a type of containers"));
        }
        if !user.is_empty() {
            found.add(at("user"), "must be left out");
        }
        if !role.is_empty() {
            found.add(at("role"), "must be left out");
        }
    }
}

fn seccomp_annotations(pod: &Pod, found: &mut Found<'_>) {
    let whole = "seccomp.security.alpha.kubernetes.io/pod".to_owned();
    let each = pod.spec.each().map(|(_, c)| format!("container.seccomp.security.alpha.kubernetes.io/{}", c.name));
    for key in std::iter::once(whole).chain(each) {
        let Some(value) = pod.metadata.annotations.get(&key) else { continue };
        if !matches!(value.as_str(), "runtime/default" | "docker/default") && !value.starts_with("localhost/") {
            let field = pod.at(format_args!("metadata.annotations[{key}]"));
            found.add(field, format!("is \"{value}\", but must be \"runtime/default\" or \"localhost/…\", or left out"));
        }
    }
}

fn seccomp(pod: &Pod, found: &mut Found<'_>) {
    for (field, context) in pod.spec.contexts() {
        if let Some(profile) = context.seccomp_profile.as_ref().filter(|profile| !confines(&profile.kind)) {
            let field = pod.at(format_args!("{field}.seccompProfile.type"));
            found.add(field, format!("is \"{}\", but must be \"RuntimeDefault\" or \"Localhost\", or left out", profile.kind));
        }
    }
}

fn sysctls(pod: &Pod, found: &mut Found<'_>) {
    let set = pod.spec.security_context.iter().flat_map(|context| &context.sysctls);
    for (n, sysctl) in set.enumerate() {
        if !SYSCTLS.iter().any(|(since, allowed)| *since <= found.version && *allowed == sysctl.name) {
            let field = pod.at(format_args!("spec.securityContext.sysctls[{n}].name"));
            found.add(field, format!("\"{}\" must not be set: it concerns more than the Pod", sysctl.name));
        }
    }
}

fn host_process(pod: &Pod, found: &mut Found<'_>) {
    for (field, context) in pod.spec.contexts() {
        if context.windows_options.as_ref().is_some_and(|windows| windows.host_process == Some(true)) {
            found.add(pod.at(format_args!("{field}.windowsOptions.hostProcess")), "must be false or left out");
        }
    }
}
