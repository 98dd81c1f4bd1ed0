//! Security contexts of pods and containers. Follows `validatePodSpecSecurityContext`, `ValidateSecurityContext`.

use std::sync::LazyLock;

use model::Value;
use model::field::{Errors, Path, Spelling};
use regex::Regex;

use super::super::rules::path::local_descending;
use super::super::rules::{get, internal, text};
use super::sources::pattern;
use super::{Options, Scope};

/// Longest name of a sysctl, in bytes.
const SYSCTL_BYTES_MAX: usize = 253;
const SYSCTL_PATTERN: &str = r"^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";
/// Longest path of an AppArmor profile on the node, in bytes: PATH_MAX - 1.
const APPARMOR_PROFILE_BYTES_MAX: usize = 4095;
const PROFILE_TYPES: &[&str] = &["Localhost", "RuntimeDefault", "Unconfined"];

/// `validatePodSpecSecurityContext`.
pub(super) fn of_pod(spec: &Value, options: &Options, path: &Path, errors: &mut Errors) {
    let Some(context) = get::object(spec, "securityContext") else { return };
    let path = path.child("securityContext");
    for field in ["fsGroup", "runAsUser", "runAsGroup"] {
        text::user_id(get::int(context, field), &path.child(field), errors);
    }
    let groups = path.child("supplementalGroups");
    for (i, group) in get::list(context, "supplementalGroups").iter().enumerate() {
        text::user_id(group.as_i64(), &groups.index(i), errors);
    }
    sysctls(context, spec, options, &path.child("sysctls"), errors);
    known(context, "fsGroupChangePolicy", &["Always", "OnRootMismatch"], &path, errors);
    seccomp(context, &path, errors);
    windows_options(context, &path, errors);
    apparmor(context, &path, errors);
    known(context, "supplementalGroupsPolicy", &["Merge", "Strict"], &path, errors);
    known(context, "seLinuxChangePolicy", &["MountOption", "Recursive"], &path, errors);
}

fn known(context: &Value, field: &str, supported: &[&str], path: &Path, errors: &mut Errors) {
    if let Some(value) = get::string(context, field) {
        text::one_of(value, supported, &path.child(field), errors);
    }
}

/// `validateSysctls`.
fn sysctls(context: &Value, spec: &Value, options: &Options, path: &Path, errors: &mut Errors) {
    static NAME: LazyLock<Regex> = LazyLock::new(|| pattern(SYSCTL_PATTERN));
    let sysctls = get::list(context, "sysctls");
    for (i, (sysctl, is_repeated)) in sysctls.iter().zip(get::repeated(sysctls, "name")).enumerate() {
        let path = path.index(i);
        let path = path.child("name");
        let name = get::text(sysctl, "name");
        if name.is_empty() {
            errors.required(&path, "");
        } else if name.len() > SYSCTL_BYTES_MAX || !NAME.is_match(name) {
            errors.invalid(
                &path,
                name,
                format!("must have at most {SYSCTL_BYTES_MAX} characters and match regex {SYSCTL_PATTERN}"),
            );
        } else if is_repeated {
            errors.duplicate(&path, name);
        }
        if !options.host_sysctls
            && let Some(detail) = host_sysctl(name, spec)
        {
            errors.invalid(&path, name, detail);
        }
    }
}

/// `ValidateHostSysctl`: a sysctl of a namespace that the pod shares with the host.
fn host_sysctl(name: &str, spec: &Value) -> Option<&'static str> {
    const IPC: &[&str] = &[
        "kernel.msg",
        "kernel.msgmax",
        "kernel.msgmnb",
        "kernel.msgmni",
        "kernel.sem",
        "kernel.shm",
        "kernel.shm_rmid_forced",
        "kernel.shmall",
        "kernel.shmmax",
        "kernel.shmmni",
    ];
    let name = normalize_sysctl(name);
    let name = name.split('*').next().unwrap_or_default();
    let is_ipc = IPC.contains(&name) || name.starts_with("fs.mqueue.");
    if get::is(spec, "hostNetwork") && name.starts_with("net.") {
        return Some("may not be specified when 'hostNetwork' is true");
    }
    (get::is(spec, "hostIPC") && is_ipc).then_some("may not be specified when 'hostIPC' is true")
}

/// `NormalizeName`: the first separator says which one the name uses.
fn normalize_sysctl(name: &str) -> String {
    match name.find(['.', '/']) {
        Some(first) if name.as_bytes()[first] == b'/' => name
            .chars()
            .map(|c| {
                if c == '/' {
                    '.'
                } else if c == '.' {
                    '/'
                } else {
                    c
                }
            })
            .collect(),
        _ => name.to_owned(),
    }
}

/// Whether a stored spec has such a sysctl.
pub(super) fn has_host_sysctl(spec: &Value) -> bool {
    get::list(get::at(spec, "securityContext"), "sysctls")
        .iter()
        .any(|sysctl| host_sysctl(get::text(sysctl, "name"), spec).is_some())
}

/// `ValidateSecurityContext`.
pub(super) fn of_container(container: &Value, scope: &Scope<'_>, path: &Path, errors: &mut Errors) {
    let Some(context) = get::object(container, "securityContext") else { return };
    let path = path.child("securityContext");
    if get::is(context, "privileged") && !scope.options.privileged {
        errors.forbidden(&path.child("privileged"), "disallowed by cluster policy");
    }
    for field in ["runAsUser", "runAsGroup"] {
        text::user_id(get::int(context, field), &path.child(field), errors);
    }
    if let Some(mount) = get::string(context, "procMount") {
        text::one_of(mount, &["Default", "Unmasked"], &path.child("procMount"), errors);
        if scope.host_users && mount == "Unmasked" {
            errors.invalid(&path.child("procMount"), mount, "`hostUsers` must be false to use `Unmasked`");
        }
    }
    seccomp(context, &path, errors);
    if get::flag(context, "allowPrivilegeEscalation") == Some(false) {
        escalation(context, scope.options, &path, errors);
    }
    windows_options(context, &path, errors);
    apparmor(context, &path, errors);
}

fn escalation(context: &Value, options: &Options, path: &Path, errors: &mut Errors) {
    let shown = || internal::show(context, internal::SECURITY_CONTEXT);
    if get::is(context, "privileged") {
        errors.invalid(path, shown(), "cannot set `allowPrivilegeEscalation` to false and `privileged` to true");
    }
    if !options.sys_admin_without_escalation && is_sys_admin_without_escalation(context) {
        errors.invalid(path, shown(), "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN");
    }
}

/// Whether a container may administer the system although its privileges may not escalate.
pub(super) fn is_sys_admin_without_escalation(context: &Value) -> bool {
    get::flag(context, "allowPrivilegeEscalation") == Some(false)
        && get::strings(get::at(context, "capabilities"), "add").any(|capability| capability == "CAP_SYS_ADMIN")
}

/// `validateSeccompProfileField`.
fn seccomp(context: &Value, path: &Path, errors: &mut Errors) {
    let Some(profile) = get::object(context, "seccompProfile") else { return };
    let path = path.child("seccompProfile");
    let (kind, local) = (get::text(profile, "type"), get::string(profile, "localhostProfile"));
    if kind.is_empty() {
        errors.required(&path.child("type"), "type is required when seccompProfile is set");
    } else {
        text::one_of(kind, PROFILE_TYPES, &path.child("type"), errors);
    }
    match local {
        Some(local) if kind == "Localhost" => local_descending(local, &path.child("localhostProfile"), errors),
        None if kind == "Localhost" => {
            errors.required(&path.child("localhostProfile"), "must be set when seccomp type is Localhost");
        }
        Some(_) => {
            let shown = internal::show(profile, internal::PROFILE);
            errors.invalid(&path.child("localhostProfile"), shown, "can only be set when seccomp type is Localhost");
        }
        None => {}
    }
}

fn apparmor(context: &Value, path: &Path, errors: &mut Errors) {
    if let Some(profile) = get::object(context, "appArmorProfile") {
        apparmor_profile(profile, &path.child("appArmorProfile"), errors);
    }
}

/// `ValidateAppArmorProfileField`.
pub(crate) fn apparmor_profile(profile: &Value, path: &Path, errors: &mut Errors) {
    const MISSING: &str = "must be set when AppArmor type is Localhost";
    let kind = get::text(profile, "type");
    let at = path.child("localhostProfile");
    match (kind, get::string(profile, "localhostProfile")) {
        ("Localhost", None) => errors.required(&at, MISSING),
        ("Localhost", Some(local)) => {
            if local.trim() != local {
                errors.invalid(&at, local, "must not be padded with whitespace");
            } else if local.is_empty() {
                errors.required(&at, MISSING);
            }
            if local.len() > APPARMOR_PROFILE_BYTES_MAX {
                errors.too_long(&at, APPARMOR_PROFILE_BYTES_MAX);
            }
        }
        ("RuntimeDefault" | "Unconfined", Some(local)) => {
            errors.invalid_named(&at, local, "can only be set when AppArmor type is Localhost");
        }
        ("RuntimeDefault" | "Unconfined", None) => {}
        ("", _) => errors.required(&path.child("type"), "type is required when appArmorProfile is set"),
        _ => errors.not_supported(&path.child("type"), kind, PROFILE_TYPES),
    }
}

/// `validateWindowsSecurityContextOptions`.
fn windows_options(context: &Value, path: &Path, errors: &mut Errors) {
    /// Largest credential spec: 64 KiB.
    const GMSA_SPEC_BYTES_MAX: usize = 64 * 1024;
    let Some(options) = get::object(context, "windowsOptions") else { return };
    let path = path.child("windowsOptions");
    if let Some(name) = get::string(options, "gmsaCredentialSpecName") {
        errors.spelt(Spelling::Json, |errors| text::dns_subdomain(name, &path.child("gmsaCredentialSpecName"), errors));
    }
    if let Some(spec) = get::string(options, "gmsaCredentialSpec") {
        if spec.is_empty() {
            errors.invalid_named(&path.child("gmsaCredentialSpec"), spec, "gmsaCredentialSpec cannot be an empty string");
        } else if spec.len() > GMSA_SPEC_BYTES_MAX {
            errors.invalid_named(&path.child("gmsaCredentialSpec"), spec, "gmsaCredentialSpec size must be under 64 KiB");
        }
    }
    if let Some(name) = get::string(options, "runAsUserName") {
        for detail in windows_user_faults(name) {
            errors.invalid_named(&path.child("runAsUserName"), name, detail);
        }
    }
}

fn windows_user_faults(name: &str) -> Vec<&'static str> {
    static NETBIOS: LazyLock<Regex> = LazyLock::new(|| pattern(r#"^[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}$"#));
    static DNS: LazyLock<Regex> = LazyLock::new(|| {
        pattern("^[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$")
    });
    /// Longest domain and user, in bytes; the domain stays under its bound.
    const DOMAIN_BYTES: usize = 256;
    const USER_BYTES_MAX: usize = 104;
    if name.is_empty() {
        return vec!["runAsUserName cannot be an empty string"];
    }
    if name.bytes().any(|b| b.is_ascii_control()) {
        return vec!["runAsUserName cannot contain control characters"];
    }
    if name.matches('\\').count() > 1 {
        return vec!["runAsUserName cannot contain more than one backslash"];
    }
    let (domain, user) = name.split_once('\\').map_or((None, name), |(domain, user)| (Some(domain), user));
    let mut faults = Vec::new();
    if domain.is_some_and(|domain| domain.len() >= DOMAIN_BYTES) {
        faults.push("runAsUserName's Domain length must be under 256 characters");
    }
    if domain.is_some_and(|domain| !NETBIOS.is_match(domain) && !DNS.is_match(domain)) {
        faults.push("runAsUserName's Domain doesn't match the NetBios nor the DNS format");
    }
    if user.is_empty() {
        faults.push("runAsUserName's User cannot be empty");
    } else if user.len() > USER_BYTES_MAX {
        faults.push("runAsUserName's User length must not be longer than 104 characters");
    }
    if !user.is_empty() && user.bytes().all(|b| b == b'.' || b == b' ') {
        faults.push("runAsUserName's User cannot contain only periods or spaces");
    }
    if user.contains(['"', '/', '\\', ':', ';', '|', '=', ',', '+', '*', '?', '<', '>', '@', '[', ']']) {
        faults.push("runAsUserName's User cannot contain the following characters: \"/\\:;|=,+*?<>@[]");
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_users() {
        let none: Vec<&str> = Vec::new();
        assert_eq!(windows_user_faults("ContainerAdministrator"), none);
        assert_eq!(windows_user_faults("DOMAIN\\user"), none);
        assert_eq!(windows_user_faults("a\\b\\c"), ["runAsUserName cannot contain more than one backslash"]);
        assert_eq!(windows_user_faults("..."), ["runAsUserName's User cannot contain only periods or spaces"]);
        assert_eq!(windows_user_faults(".bad\\user"), ["runAsUserName's Domain doesn't match the NetBios nor the DNS format"]);
    }

    #[test]
    fn sysctls_of_shared_namespaces() {
        use model::json::json;
        let spec = json!({"hostNetwork": true, "hostIPC": true});
        assert!(host_sysctl("net.ipv4.tcp_syncookies", &spec).is_some());
        assert!(host_sysctl("net/ipv4/tcp_syncookies", &spec).is_some());
        assert!(host_sysctl("kernel.shmmax", &spec).is_some());
        assert!(host_sysctl("vm.swappiness", &spec).is_none());
        assert!(host_sysctl("net.core.somaxconn", &json!({})).is_none());
    }
}
