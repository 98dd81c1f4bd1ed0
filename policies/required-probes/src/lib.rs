//! Containers that serve must say how the kubelet finds out that they do.

use gatehouse_policy::prelude::*;
use workload::{Workload, nullable};

/// The policy.
pub struct RequiredProbes;

/// What a binding sets.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, crate = "gatehouse_policy::serde")]
#[schemars(crate = "gatehouse_policy::schemars")]
pub struct Settings {
    /// The probes that every container must have.
    #[schemars(length(min = 1))]
    probes: Vec<Probe>,
}

/// A kind of probe.
#[derive(Clone, Copy, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(crate = "gatehouse_policy::serde")]
#[schemars(crate = "gatehouse_policy::schemars")]
pub enum Probe {
    /// Whether it must be restarted.
    #[serde(rename = "livenessProbe")]
    Liveness,
    /// Whether it gets traffic.
    #[serde(rename = "readinessProbe")]
    Readiness,
    /// Whether it has started.
    #[serde(rename = "startupProbe")]
    Startup,
}

/// The part of a Pod that the policy reads.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
pub struct Spec {
    #[serde(default, deserialize_with = "nullable")]
    containers: Vec<Container>,
    restart_policy: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
struct Container {
    liveness_probe: Option<Value>,
    readiness_probe: Option<Value>,
    startup_probe: Option<Value>,
}

impl Policy for RequiredProbes {
    const ABOUT: About = About {
        name: "required-probes",
        version: env!("CARGO_PKG_VERSION"),
        description: "Containers that keep running must have the probes that the binding asks for. Pods that end by themselves need none.",
        reads: workload::reads!(containers: ["livenessProbe", "readinessProbe", "startupProbe"], pod: ["spec.restartPolicy"]),
        writes: &[],
        rules: &[("probe-required", "The container must have the probe.")],
    };
    const READS_REQUEST: &'static [RequestPart] = &[];
    type Settings = Settings;
    type Object = Workload<Spec>;

    fn check(settings: &Settings, problems: &mut Verdict) {
        if settings.probes.is_empty() {
            problems.violation("settings", "probes", "at least one probe must be named");
        }
    }
}

impl Validator for RequiredProbes {
    fn validate(settings: &Settings, review: &Review<Self::Object>, verdict: &mut Verdict) {
        let Some(workload) = &review.object else { return };
        // Whoever ends by itself, as the Pods of Jobs do, serves nobody.
        if workload.spec.restart_policy.as_deref().is_some_and(|policy| policy != "Always") {
            return;
        }
        for (n, container) in workload.spec.containers.iter().enumerate() {
            for probe in &settings.probes {
                let (name, present) = match probe {
                    Probe::Liveness => ("livenessProbe", &container.liveness_probe),
                    Probe::Readiness => ("readinessProbe", &container.readiness_probe),
                    Probe::Startup => ("startupProbe", &container.startup_probe),
                };
                if present.is_none() {
                    let field = workload.at(format_args!("spec.containers[{n}].{name}"));
                    verdict.violation("probe-required", field, format!("the container must have a {name}"));
                }
            }
        }
    }
}

gatehouse_policy::validator!(RequiredProbes);

#[cfg(test)]
mod tests {
    #[test]
    fn cases() {
        gatehouse_policy::cases::validator::<super::RequiredProbes>(concat!(env!("CARGO_MANIFEST_DIR"), "/cases"));
    }
}
