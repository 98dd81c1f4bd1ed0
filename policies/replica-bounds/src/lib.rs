//! Workloads have a number of replicas within bounds, set in the object or by `kubectl scale`. Those that the binding names:
//! the ReplicaSets of a Deployment go through other numbers when it rolls, so that the one that ships names none.

use gatehouse_policy::prelude::*;

/// The policy.
pub struct ReplicaBounds;

/// What a binding sets.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, crate = "gatehouse_policy::serde")]
#[schemars(crate = "gatehouse_policy::schemars")]
pub struct Settings {
    /// The lowest number.
    #[serde(default)]
    minimum: u32,
    /// The highest number; any when left out.
    maximum: Option<u32>,
    /// Whether none at all is fine, below the minimum too: that is how a workload is switched off.
    #[serde(default)]
    allow_zero: bool,
}

/// The part of a workload, or of its `Scale`, that the policy reads.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
pub struct Scaled {
    spec: Option<Spec>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
struct Spec {
    replicas: Option<u32>,
}

impl Policy for ReplicaBounds {
    const ABOUT: About = About {
        name: "replica-bounds",
        version: env!("CARGO_PKG_VERSION"),
        description: "The replicas of Deployments and StatefulSets must be as many as the binding allows, also when they are scaled.",
        reads: &["spec.replicas"],
        writes: &[],
        rules: &[("replicas-minimum", "There must not be fewer."), ("replicas-maximum", "There must not be more.")],
    };
    const READS_REQUEST: &'static [RequestPart] = &[];
    type Settings = Settings;
    type Object = Scaled;

    fn check(settings: &Settings, problems: &mut Verdict) {
        if settings.maximum.is_some_and(|maximum| maximum < settings.minimum) {
            problems.violation("settings", "maximum", "must not be lower than minimum");
        }
    }
}

impl Validator for ReplicaBounds {
    fn validate(settings: &Settings, review: &Review<Scaled>, verdict: &mut Verdict) {
        let Some(Scaled { spec: Some(spec) }) = &review.object else { return };
        // In a Scale nothing said is none; in a workload the API has made it one.
        let replicas = spec.replicas.unwrap_or(if review.request.subresource == "scale" { 0 } else { 1 });
        if replicas == 0 && settings.allow_zero {
            return;
        }
        if replicas < settings.minimum {
            let message = format!("is {replicas}, but must be at least {}", settings.minimum);
            verdict.violation("replicas-minimum", "spec.replicas", message);
        }
        if let Some(maximum) = settings.maximum.filter(|maximum| replicas > *maximum) {
            verdict.violation("replicas-maximum", "spec.replicas", format!("is {replicas}, but must be at most {maximum}"));
        }
    }
}

gatehouse_policy::validator!(ReplicaBounds);

#[cfg(test)]
mod tests {
    #[test]
    fn cases() {
        gatehouse_policy::cases::validator::<super::ReplicaBounds>(concat!(env!("CARGO_MANIFEST_DIR"), "/cases"));
    }
}
