//! What holds where a namespace says nothing of the Pod Security Standards, and who is exempt from them.
//! Follows `k8s.io/pod-security-admission/admission/api`.

use model::field::{Errors, Path};
use model::{Value, name};

use super::labels::{LEVELS, Level, Policy, Standard, VERSIONS, Version};
use crate::builtin::{items, text};
use crate::configuration::{self, Strictness, Unusable};

const KINDS: [(&str, &str); 3] = [
    ("pod-security.admission.config.k8s.io/v1", "PodSecurityConfiguration"),
    ("pod-security.admission.config.k8s.io/v1beta1", "PodSecurityConfiguration"),
    ("pod-security.admission.config.k8s.io/v1alpha1", "PodSecurityConfiguration"),
];

/// The configuration; by default nothing is asked and nobody is exempt.
#[derive(Clone, Debug, Default)]
pub(in crate::builtin) struct Configuration {
    pub(super) defaults: Policy,
    namespaces: Vec<String>,
    users: Vec<String>,
    runtime_classes: Vec<String>,
}

impl Configuration {
    /// Fails in upstream's words.
    pub(in crate::builtin) fn read(text: &str) -> Result<Self, Unusable> {
        let document = configuration::document(text, &KINDS, Strictness::Lenient)?;
        let [defaults, exemptions] = ["defaults", "exemptions"].map(|field| document.get(field).unwrap_or(&Value::Null));
        let defaults = policy(defaults).map_err(|why| Unusable::said(format!("PodSecurity configuration error: {why}")))?;
        let mut errors = Errors::new();
        let path = Path::new("exemptions");
        let namespaces = listed(exemptions, "namespaces", &path, &mut errors, |name| name::is_dns1123_label(name).join(", "));
        let runtime_classes =
            listed(exemptions, "runtimeClasses", &path, &mut errors, |name| name::is_dns1123_subdomain(name).join(", "));
        let users = listed(exemptions, "usernames", &path, &mut errors, |name| {
            if name.is_empty() { "username must not be empty".to_owned() } else { String::new() }
        });
        match configuration::aggregated(&errors) {
            Some(why) => Err(Unusable::said(format!("PodSecurity invalid: {why}"))),
            None => Ok(Self { defaults, namespaces, users, runtime_classes }),
        }
    }

    pub(super) fn exempts_namespace(&self, name: &str) -> bool {
        self.namespaces.iter().any(|exempt| exempt == name)
    }

    pub(super) fn exempts_user(&self, name: &str) -> bool {
        self.users.iter().any(|exempt| exempt == name)
    }

    /// Of a pod, or of a template.
    pub(super) fn exempts_runtime_class(&self, pod: &Value) -> bool {
        let class = pod.get("spec").map_or("", |spec| text(spec, "runtimeClassName"));
        self.runtime_classes.iter().any(|exempt| exempt == class)
    }
}

fn policy(defaults: &Value) -> Result<Policy, String> {
    let mut faults = Vec::new();
    let mut standard = |mode: &str| {
        let (level, version) = (mode.to_owned(), format!("{mode}-version"));
        let said = |field: &str, otherwise| Some(text(defaults, field)).filter(|said| !said.is_empty()).unwrap_or(otherwise);
        let mut fault = |field: &str, why: &str| faults.push(format!("{field}: {why}"));
        let level = Level::parse(said(&level, "privileged")).unwrap_or_else(|| {
            fault(&level, LEVELS);
            Level::Restricted
        });
        let version = Version::parse(said(&version, "latest")).unwrap_or_else(|| {
            fault(&version, VERSIONS);
            Version::LATEST
        });
        Standard { level, version }
    };
    let policy = Policy { enforce: standard("enforce"), audit: standard("audit"), warn: standard("warn") };
    match &faults[..] {
        [] => Ok(policy),
        [one] => Err(one.clone()),
        several => Err(format!("[{}]", several.join(", "))),
    }
}

/// The names of a list, of which each stands there once and `why` says nothing against it.
fn listed(exemptions: &Value, field: &str, path: &Path<'_>, errors: &mut Errors, why: fn(&str) -> String) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (at, name) in items(exemptions, field).iter().enumerate() {
        let name = name.as_str().unwrap_or("");
        match why(name) {
            why if !why.is_empty() => errors.invalid(&path.child(field).index(at), name, why),
            _ if names.iter().any(|known| known == name) => errors.duplicate(&path.child(field).index(at), name),
            _ => names.push(name.to_owned()),
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "apiVersion: pod-security.admission.config.k8s.io/v1\nkind: PodSecurityConfiguration\n";

    fn read(rest: &str) -> Result<Configuration, String> {
        Configuration::read(&format!("{HEAD}{rest}")).map_err(|unusable| unusable.why)
    }

    #[test]
    fn what_is_not_said_is_privileged() {
        let told =
            |rest| read(rest).map(|read| [read.defaults.enforce, read.defaults.audit, read.defaults.warn].map(|s| s.to_string()));
        assert_eq!(told(""), Ok(["privileged:latest"; 3].map(str::to_owned)));
        assert_eq!(
            told("defaults: {enforce: baseline, enforce-version: v1.30, warn: restricted}"),
            Ok(["baseline:v1.30", "privileged:latest", "restricted:latest"].map(str::to_owned))
        );
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (rest, why) in [
            (
                "defaults: {enforce: odd, warn-version: \"1\"}",
                "PodSecurity configuration error: [enforce: must be one of privileged, baseline, restricted, \
                 warn-version: must be \"latest\" or \"v1.x\"]",
            ),
            (
                "exemptions: {usernames: [\"\", a, a]}",
                "PodSecurity invalid: [exemptions.usernames[0]: Invalid value: \"\": username must not be empty, \
                 exemptions.usernames[2]: Duplicate value: \"a\"]",
            ),
            (
                "exemptions: {namespaces: a}",
                "json: cannot unmarshal string into Go struct field PodSecurityExemptions.exemptions.namespaces of type []string",
            ),
        ] {
            assert_eq!(read(rest).err().as_deref(), Some(why), "{rest}");
        }
        // A field that nobody knows is no fault here.
        assert!(
            read("exemptions: {namespaces: [kube-system], others: []}").is_ok_and(|read| read.exempts_namespace("kube-system"))
        );
    }
}
