//! Volumes are of the kinds that are allowed; paths on the node lie where they may.

use gatehouse_policy::prelude::*;
use workload::{Workload, nullable};

/// The policy.
pub struct VolumeTypes;

/// What a binding sets.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, crate = "gatehouse_policy::serde")]
#[schemars(crate = "gatehouse_policy::schemars")]
pub struct Settings {
    /// Kinds of volumes that Pods may use, such as `configMap`.
    allowed: Vec<String>,
    /// Folders of the node below which a `hostPath` may lie, where that kind is allowed; anywhere when left out.
    #[serde(default)]
    host_paths: Vec<String>,
}

/// The part of a Pod that the policy reads.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
pub struct Spec {
    #[serde(default, deserialize_with = "nullable")]
    volumes: Vec<BTreeMap<String, Value>>,
}

impl Policy for VolumeTypes {
    const ABOUT: About = About {
        name: "volume-types",
        version: env!("CARGO_PKG_VERSION"),
        description: "Pods may use only the kinds of volumes that the binding allows.",
        reads: workload::reads!(containers: [], pod: ["spec.volumes"]),
        writes: &[],
        rules: &[
            ("volume-type", "The volume must be of a kind that is allowed."),
            ("host-path", "The path on the node must lie in a folder that is allowed."),
        ],
    };
    const READS_REQUEST: &'static [RequestPart] = &[];
    type Settings = Settings;
    type Object = Workload<Spec>;
}

impl Validator for VolumeTypes {
    fn validate(settings: &Settings, review: &Review<Self::Object>, verdict: &mut Verdict) {
        let Some(workload) = &review.object else { return };
        for (n, volume) in workload.spec.volumes.iter().enumerate() {
            for (kind, source) in volume.iter().filter(|(name, source)| *name != "name" && !source.is_null()) {
                let field = workload.at(format_args!("spec.volumes[{n}].{kind}"));
                if !settings.allowed.contains(kind) {
                    let message = format!("a volume of kind {kind} is not allowed; use one of: {}", settings.allowed.join(", "));
                    verdict.violation("volume-type", field, message);
                } else if kind == "hostPath" && !settings.host_paths.is_empty() {
                    let path = source["path"].as_str().unwrap_or_default();
                    if !settings.host_paths.iter().any(|folder| is_below(path, folder)) {
                        let message = format!("\"{path}\" does not lie in: {}", settings.host_paths.join(", "));
                        verdict.violation("host-path", format!("{field}.path"), message);
                    }
                }
            }
        }
    }
}

/// Whether a path lies in a folder, and does not climb out of it again.
fn is_below(path: &str, folder: &str) -> bool {
    let folder = folder.trim_end_matches('/');
    let inside = path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    inside && !path.split('/').any(|segment| segment == "..")
}

gatehouse_policy::validator!(VolumeTypes);

#[cfg(test)]
mod tests {
    #[test]
    fn cases() {
        gatehouse_policy::cases::validator::<super::VolumeTypes>(concat!(env!("CARGO_MANIFEST_DIR"), "/cases"));
    }
}
