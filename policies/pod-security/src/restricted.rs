//! What the standard `restricted` demands besides `baseline`. Which checks are in force in a version is decided in `lib.rs`.

use workload::Place;

use crate::baseline::{confines, proc_mount};
use crate::pod::{Container, SecurityContext};
use crate::{Check, Found, Level, Pod};

/// The rules, those of `baseline` among them.
pub(crate) const RULES: &[(&str, &str)] = &[
    ("allow-privilege-escalation", "No process may gain more rights than its parent (since v1.8)."),
    ("capabilities-restricted", "All capabilities are dropped, none but NET_BIND_SERVICE is added (since v1.22)."),
    ("proc-mount-restricted", "The masks over /proc stay (since v1.35)."),
    ("restricted-volumes", "Volumes are of kinds that belong to the Pod or its namespace."),
    ("run-as-non-root", "Containers may not run as root."),
    ("run-as-user", "The user is not 0 (since v1.23)."),
    ("seccomp-profile-restricted", "Seccomp is switched on (since v1.19)."),
    ("baseline", "Every rule of baseline that none of these takes the place of, by its own name."),
];

const fn check(rule: &'static str, since: u32, find: fn(&Pod, &mut Found<'_>)) -> Check {
    Check { rule, level: Level::Restricted, since, instead_of: None, find }
}

const fn instead(rule: &'static str, since: u32, of: &'static str, find: fn(&Pod, &mut Found<'_>)) -> Check {
    Check { rule, level: Level::Restricted, since, instead_of: Some(of), find }
}

/// Every revision of every check.
pub(crate) const CHECKS: &[Check] = &[
    check("allow-privilege-escalation", 8, escalation),
    check("allow-privilege-escalation", 25, |pod, found| on_linux(pod, found, escalation)),
    instead("capabilities-restricted", 22, "capabilities-baseline", capabilities),
    instead("capabilities-restricted", 25, "capabilities-baseline", |pod, found| on_linux(pod, found, capabilities)),
    instead("proc-mount-restricted", 35, "proc-mount", proc_mount),
    instead("restricted-volumes", 0, "host-path-volumes", volumes),
    check("run-as-non-root", 0, non_root),
    check("run-as-non-root", 35, |pod, found| with_the_nodes_users(pod, found, non_root)),
    check("run-as-user", 23, user),
    check("run-as-user", 35, |pod, found| with_the_nodes_users(pod, found, user)),
    instead("seccomp-profile-restricted", 19, "seccomp-profile-baseline", seccomp),
    instead("seccomp-profile-restricted", 25, "seccomp-profile-baseline", |pod, found| on_linux(pod, found, seccomp)),
];

/// Kinds of volumes that belong to the Pod or its namespace.
const VOLUMES: &[&str] =
    &["configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret"];

fn on_linux(pod: &Pod, found: &mut Found<'_>, find: fn(&Pod, &mut Found<'_>)) {
    if !pod.spec.is_windows() {
        find(pod, found);
    }
}

fn with_the_nodes_users(pod: &Pod, found: &mut Found<'_>, find: fn(&Pod, &mut Found<'_>)) {
    if !pod.spec.has_own_users() {
        find(pod, found);
    }
}

fn field(pod: &Pod, place: Place, name: &str) -> String {
    pod.at(format_args!("spec.{place}.securityContext.{name}"))
}

fn escalation(pod: &Pod, found: &mut Found<'_>) {
    for (place, container) in pod.spec.each() {
        if said(container, |context| context.allow_privilege_escalation) != Some(false) {
            found.add(field(pod, place, "allowPrivilegeEscalation"), "must be false");
        }
    }
}

fn capabilities(pod: &Pod, found: &mut Found<'_>) {
    for (place, container) in pod.spec.each() {
        let context = container.security_context.as_ref();
        let capabilities = context.and_then(|context| context.capabilities.as_ref());
        if !capabilities.is_some_and(|capabilities| capabilities.drop.iter().any(|dropped| dropped == "ALL")) {
            found.add(field(pod, place, "capabilities.drop"), "must include \"ALL\"");
        }
        for added in capabilities.iter().flat_map(|capabilities| &capabilities.add).filter(|added| *added != "NET_BIND_SERVICE") {
            found.add(field(pod, place, "capabilities.add"), format!("must not include \"{added}\"; only NET_BIND_SERVICE"));
        }
    }
}

fn volumes(pod: &Pod, found: &mut Found<'_>) {
    for (n, volume) in pod.spec.volumes.iter().enumerate() {
        let kinds = || volume.iter().filter(|(name, value)| *name != "name" && value.is_some()).map(|(name, _)| name.as_str());
        // A volume that names no source is an emptyDir: the API makes it one.
        let Some(kind) = kinds().next() else { continue };
        if !kinds().any(|kind| VOLUMES.contains(&kind)) {
            let message = format!("a volume of kind {kind} is not allowed; use one of: {}", VOLUMES.join(", "));
            found.add(pod.at(format_args!("spec.volumes[{n}]")), message);
        }
    }
}

fn non_root(pod: &Pod, found: &mut Found<'_>) {
    let whole = pod.spec.security_context.as_ref().and_then(|context| context.run_as_non_root);
    if whole == Some(false) {
        found.add(pod.at("spec.securityContext.runAsNonRoot"), "must not be false");
    }
    for (place, container) in pod.spec.each() {
        if said(container, |context| context.run_as_non_root).or(whole.filter(|said| *said)) != Some(true) {
            let message = format!("must be true here, or in {}", pod.at("spec.securityContext"));
            found.add(field(pod, place, "runAsNonRoot"), message);
        }
    }
}

fn user(pod: &Pod, found: &mut Found<'_>) {
    for (field, context) in pod.spec.contexts() {
        if context.run_as_user == Some(0) {
            found.add(pod.at(format_args!("{field}.runAsUser")), "must not be 0, which is root");
        }
    }
}

fn seccomp(pod: &Pod, found: &mut Found<'_>) {
    let profile = |context: &SecurityContext| context.seccomp_profile.as_ref().map(|profile| confines(&profile.kind));
    let whole = pod.spec.security_context.as_ref().and_then(profile);
    if whole == Some(false) {
        found.add(pod.at("spec.securityContext.seccompProfile.type"), "must be \"RuntimeDefault\" or \"Localhost\"");
    }
    for (place, container) in pod.spec.each() {
        if said(container, profile).or(whole.filter(|said| *said)) != Some(true) {
            let above = pod.at("spec.securityContext");
            let message = format!("must be \"RuntimeDefault\" or \"Localhost\" here, or in {above}");
            found.add(field(pod, place, "seccompProfile.type"), message);
        }
    }
}

fn said<T>(container: &Container, what: impl Fn(&SecurityContext) -> Option<T>) -> Option<T> {
    container.security_context.as_ref().and_then(what)
}
