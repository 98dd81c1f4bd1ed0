//! Tokens of service accounts are mounted only where somebody asked for one. Service accounts and templates of Pods that
//! say nothing get `automountServiceAccountToken: false`; what a template gets holds whatever its service account says, so
//! that the template asks, or the binding exempts the account. A Pod itself is left alone: its volumes are there already when
//! policies see it.

use gatehouse_policy::prelude::*;
use gatehouse_policy::serde_json;

/// The policy.
pub struct DefaultAutomount;

/// What a binding sets.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, crate = "gatehouse_policy::serde")]
#[schemars(crate = "gatehouse_policy::schemars")]
pub struct Settings {
    /// Service accounts whose Pods keep their token.
    #[serde(default)]
    exempt_accounts: Vec<String>,
}

const FIELD: &str = "automountServiceAccountToken";

impl Policy for DefaultAutomount {
    const ABOUT: About = About {
        name: "default-automount",
        version: env!("CARGO_PKG_VERSION"),
        description: "Gives service accounts and templates of Pods that say nothing of tokens automountServiceAccountToken: false.",
        reads: &[
            "metadata.name",
            "automountServiceAccountToken",
            "spec.template.spec.automountServiceAccountToken",
            "spec.template.spec.serviceAccountName",
            "spec.jobTemplate.spec.template.spec.automountServiceAccountToken",
            "spec.jobTemplate.spec.template.spec.serviceAccountName",
        ],
        writes: &[
            "automountServiceAccountToken",
            "spec.template.spec.automountServiceAccountToken",
            "spec.jobTemplate.spec.template.spec.automountServiceAccountToken",
        ],
        rules: &[("automount-default", "What says nothing of tokens mounts none.")],
    };
    const READS_REQUEST: &'static [RequestPart] = &[];
    type Settings = Settings;
    type Object = Value;
}

impl Mutator for DefaultAutomount {
    fn mutate(settings: &Settings, review: &Review<Value>, patch: &mut Patch) {
        let Some(object) = &review.object else { return };
        let (above, account): (&[&str], _) = match object["kind"].as_str() {
            Some("ServiceAccount") => (&[], "/metadata/name"),
            Some("CronJob") => {
                (&["spec", "jobTemplate", "spec", "template", "spec"], "/spec/jobTemplate/spec/template/spec/serviceAccountName")
            }
            _ => (&["spec", "template", "spec"], "/spec/template/spec/serviceAccountName"),
        };
        let account = object.pointer(account).and_then(Value::as_str).unwrap_or("default");
        let place = above.iter().try_fold(object, |at, name| at.get(name)).and_then(serde_json::Value::as_object);
        let says_nothing = place.is_some_and(|place| place.get(FIELD).is_none_or(Value::is_null));
        if says_nothing && !settings.exempt_accounts.iter().any(|exempt| exempt == account) {
            patch.set(&[above, &[FIELD]].concat(), false);
        }
    }
}

gatehouse_policy::mutator!(DefaultAutomount);

#[cfg(test)]
mod tests {
    #[test]
    fn cases() {
        gatehouse_policy::cases::mutator::<super::DefaultAutomount>(concat!(env!("CARGO_MANIFEST_DIR"), "/cases"));
    }
}
