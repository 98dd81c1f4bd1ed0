//! Files of admission, read from a map instead of a disk.

use std::path::Path;

use super::*;
use crate::builtin::Settings;

const HEAD: &str = "apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\n";

/// Reads these files and the settings of the plugins that run.
fn settings(files: &[(&str, &str)], running: &[&'static str]) -> Result<Settings, String> {
    let read = |path: &Path| {
        let found = files.iter().find(|(name, _)| Path::new(name) == path);
        found.map(|(_, text)| (*text).to_owned()).ok_or_else(|| format!("open {}: no such file or directory", path.display()))
    };
    let file = File::read(Path::new("/etc/admission.yaml"), &read).map_err(|error| error.to_string())?;
    Settings::read(&file, running, &read).map_err(|error| error.to_string())
}

fn refusal(text: &str, running: &[&'static str]) -> String {
    settings(&[("/etc/admission.yaml", text)], running).unwrap_err()
}

#[test]
fn configurations_lie_within_and_beside() {
    let file = format!(
        "{HEAD}plugins:\n- name: EventRateLimit\n  path: limits.yaml\n- name: PodSecurity\n  configuration:\n    \
         apiVersion: pod-security.admission.config.k8s.io/v1\n    kind: PodSecurityConfiguration\n    \
         exemptions: {{usernames: [alice]}}\n"
    );
    let limits = "apiVersion: eventratelimit.admission.k8s.io/v1alpha1\nkind: Configuration\nlimits:\n- {type: Server, qps: 1, burst: 2}\n";
    let files = [("/etc/admission.yaml", file.as_str()), ("/etc/limits.yaml", limits)];
    assert!(settings(&files, &["EventRateLimit", "PodSecurity"]).is_ok());
    // What does not run is not looked at.
    assert!(settings(&files[..1], &["PodSecurity"]).is_ok());
    assert_eq!(
        settings(&files[..1], &["EventRateLimit"]).unwrap_err(),
        "unable to read admission control configuration from \"/etc/limits.yaml\" [open /etc/limits.yaml: no such file or directory]"
    );
}

#[test]
fn older_forms_are_read() {
    let older = "apiVersion: apiserver.k8s.io/v1alpha1\nkind: AdmissionConfiguration\nplugins: []\n";
    assert!(settings(&[("/etc/admission.yaml", older)], &["PodSecurity"]).is_ok());
    let alone = "podNodeSelectorPluginConfig:\n  clusterDefaultNodeSelector: env=prod\n";
    assert!(settings(&[("/etc/admission.yaml", alone)], &["PodNodeSelector"]).is_ok());
}

#[test]
fn what_is_wrong_is_told() {
    for (text, why) in [
        ("plugins: []", "failed to read plugin config: Object 'Kind' is missing in '{\"plugins\":[]}'"),
        (
            "{\"apiVersion\":\"v1\",\"kind\":\"Pod\"}",
            "failed to read plugin config: no kind \"Pod\" is registered for version \"v1\"",
        ),
        (
            &format!("{HEAD}plugins: [{{name: PodSecurity, file: a}}]"),
            "failed to read plugin config: strict decoding error: unknown field \"plugins[0].file\"",
        ),
        (
            &format!("{HEAD}plugins: [{{name: PodSecurity, configuration: {{kind: Pod, apiVersion: v1}}}}]"),
            "couldn't init admission plugin \"PodSecurity\": no kind \"Pod\" is registered for version \"v1\"",
        ),
    ] {
        assert_eq!(refusal(text, &["PodSecurity"]), why);
    }
    assert_eq!(
        refusal(HEAD, &["EventRateLimit"]),
        "couldn't init admission plugin \"EventRateLimit\": limits: Invalid value: null: must not be empty"
    );
}
