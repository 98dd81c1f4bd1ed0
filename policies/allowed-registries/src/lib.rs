//! Images must come from certain registries, or from certain paths in them.

use gatehouse_policy::prelude::*;
use workload::Workload;
use workload::image::{Image, Images};

/// The policy.
pub struct AllowedRegistries;

/// What a binding sets.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, crate = "gatehouse_policy::serde")]
#[schemars(crate = "gatehouse_policy::schemars")]
pub struct Settings {
    /// Registries, each with a path or without: `registry.example.com`, `ghcr.io/shop`. `docker.io` is where images come
    /// from whose name says nothing.
    #[schemars(length(min = 1))]
    registries: Vec<String>,
}

impl Policy for AllowedRegistries {
    const ABOUT: About = About {
        name: "allowed-registries",
        version: env!("CARGO_PKG_VERSION"),
        description: "Images must come from the registries that the binding lists.",
        reads: workload::reads!(containers: ["image"], pod: ["spec.volumes[*].image.reference"]),
        writes: &[],
        rules: &[("registry-allowed", "The image must lie below one of the registries.")],
    };
    const READS_REQUEST: &'static [RequestPart] = &[];
    type Settings = Settings;
    type Object = Workload<Images>;

    fn check(settings: &Settings, problems: &mut Verdict) {
        if settings.registries.is_empty() {
            problems.violation("settings", "registries", "at least one registry must be named");
        }
        for (n, registry) in settings.registries.iter().enumerate() {
            if registry.is_empty() || registry.contains(['*', '@']) || registry.contains("://") {
                let message = "must be a host with a path or without, such as registry.example.com/shop";
                problems.violation("settings", format!("registries[{n}]"), message);
            }
        }
    }
}

impl Validator for AllowedRegistries {
    fn validate(settings: &Settings, review: &Review<Self::Object>, verdict: &mut Verdict) {
        let Some(workload) = &review.object else { return };
        for (field, name) in workload.spec.each() {
            let image = Image::parse(name);
            if settings.registries.iter().any(|registry| image.is_below(registry)) {
                continue;
            }
            let field = workload.at(format_args!("spec.{field}"));
            let from = format!("the image \"{name}\" comes from {}", image.registry);
            let message = format!("{from}, but must come from: {}", settings.registries.join(", "));
            verdict.violation("registry-allowed", field, message);
        }
    }
}

gatehouse_policy::validator!(AllowedRegistries);

#[cfg(test)]
mod tests {
    #[test]
    fn cases() {
        gatehouse_policy::cases::validator::<super::AllowedRegistries>(concat!(env!("CARGO_MANIFEST_DIR"), "/cases"));
    }
}
