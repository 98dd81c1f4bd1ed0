//! Objects must carry certain labels, whose values may have to follow a pattern or a list.

use gatehouse_policy::prelude::*;

/// The policy.
pub struct RequiredLabels;

/// What a binding sets.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, crate = "gatehouse_policy::serde")]
#[schemars(crate = "gatehouse_policy::schemars")]
pub struct Settings {
    /// The labels that every object must carry.
    #[schemars(length(min = 1))]
    labels: Vec<Label>,
}

/// One label that is required.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, crate = "gatehouse_policy::serde")]
#[schemars(crate = "gatehouse_policy::schemars")]
pub struct Label {
    /// The label's key, such as `team`.
    key: String,
    /// The values it may have; any when absent.
    values: Option<Vec<String>>,
}

/// The part of an object that the policy reads.
#[derive(Deserialize)]
#[serde(crate = "gatehouse_policy::serde")]
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

impl Policy for RequiredLabels {
    const ABOUT: About = About {
        name: "required-labels",
        version: env!("CARGO_PKG_VERSION"),
        description: "Objects must carry certain labels, with values from a list where one is given.",
        reads: &["metadata.labels"],
        writes: &[],
        rules: &[
            ("label-required", "The label must be there."),
            ("label-value", "The label must have one of the values listed for it."),
        ],
    };
    const READS_REQUEST: &'static [RequestPart] = &[];
    type Settings = Settings;
    type Object = Object;

    fn check(settings: &Settings, problems: &mut Verdict) {
        if settings.labels.is_empty() {
            problems.violation("settings", "labels", "at least one label must be named");
        }
        for (n, label) in settings.labels.iter().enumerate() {
            if label.key.is_empty() {
                problems.violation("settings", format!("labels[{n}].key"), "a label needs a key");
            }
            if label.values.as_ref().is_some_and(Vec::is_empty) {
                let field = format!("labels[{n}].values");
                problems.violation("settings", field, "an empty list allows no value at all; leave it out to allow any");
            }
        }
    }
}

impl Validator for RequiredLabels {
    fn validate(settings: &Settings, review: &Review<Object>, verdict: &mut Verdict) {
        let Some(object) = &review.object else { return };
        for Label { key, values } in &settings.labels {
            let field = format!("metadata.labels[{key}]");
            match (object.metadata.labels.get(key), values) {
                (None, None) => {
                    verdict.violation("label-required", field, format!("the label \"{key}\" is required"));
                }
                (None, Some(values)) => {
                    let message = format!("the label \"{key}\" is required; set it to one of: {}", values.join(", "));
                    verdict.violation("label-required", field, message);
                }
                (Some(value), Some(values)) if !values.contains(value) => {
                    let message = format!("the label \"{key}\" is \"{value}\", but must be one of: {}", values.join(", "));
                    verdict.violation("label-value", field, message);
                }
                (Some(_), _) => {}
            }
        }
    }
}

gatehouse_policy::validator!(RequiredLabels);

#[cfg(test)]
mod tests {
    #[test]
    fn cases() {
        gatehouse_policy::cases::validator::<super::RequiredLabels>(concat!(env!("CARGO_MANIFEST_DIR"), "/cases"));
    }
}
