//! Objects get certain labels unless they carry them already, so that nobody has to remember.

use gatehouse_policy::prelude::*;

/// The policy.
pub struct DefaultLabels;

/// What a binding sets.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, crate = "gatehouse_policy::serde")]
#[schemars(crate = "gatehouse_policy::schemars")]
pub struct Settings {
    /// The labels, with the values that objects without them get.
    labels: BTreeMap<String, String>,
}

/// The part of an object that the policy reads.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
pub struct Object {
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
#[serde(crate = "gatehouse_policy::serde")]
struct Metadata {
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

impl Policy for DefaultLabels {
    const ABOUT: About = About {
        name: "default-labels",
        version: env!("CARGO_PKG_VERSION"),
        description: "Gives objects the labels that the binding lists, unless they carry them already.",
        reads: &["metadata.labels"],
        writes: &["metadata.labels"],
        rules: &[("label-default", "An object without the label gets it.")],
    };
    const READS_REQUEST: &'static [RequestPart] = &[];
    type Settings = Settings;
    type Object = Object;

    fn check(settings: &Settings, problems: &mut Verdict) {
        if settings.labels.is_empty() {
            problems.violation("settings", "labels", "at least one label must be named");
        }
    }
}

impl Mutator for DefaultLabels {
    fn mutate(settings: &Settings, review: &Review<Object>, patch: &mut Patch) {
        let Some(object) = &review.object else { return };
        for (key, value) in &settings.labels {
            if !object.metadata.labels.contains_key(key) {
                patch.set(&["metadata", "labels", key], value.as_str());
            }
        }
    }
}

gatehouse_policy::mutator!(DefaultLabels);

#[cfg(test)]
mod tests {
    #[test]
    fn cases() {
        gatehouse_policy::cases::mutator::<super::DefaultLabels>(concat!(env!("CARGO_MANIFEST_DIR"), "/cases"));
    }
}
