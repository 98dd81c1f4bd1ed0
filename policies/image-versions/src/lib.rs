//! Images must name their version: no tag that moves, or a digest.

use gatehouse_policy::prelude::*;
use workload::Workload;
use workload::image::{Image, Images};

/// The policy.
pub struct ImageVersions;

/// What a binding sets.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, crate = "gatehouse_policy::serde")]
#[schemars(crate = "gatehouse_policy::schemars")]
pub struct Settings {
    /// Tags that no image may have; `latest`, which is also what no tag means, when left out.
    #[serde(default = "latest")]
    forbidden_tags: Vec<String>,
    /// Whether every image must name its digest.
    #[serde(default)]
    require_digest: bool,
}

fn latest() -> Vec<String> {
    vec!["latest".to_owned()]
}

impl Policy for ImageVersions {
    const ABOUT: About = About {
        name: "image-versions",
        version: env!("CARGO_PKG_VERSION"),
        description: "Images must name a version that stays what it is: no tag such as latest, or a digest.",
        reads: workload::reads!(containers: ["image"], pod: ["spec.volumes[*].image.reference"]),
        writes: &[],
        rules: &[
            ("tag-forbidden", "The tag must not be one that moves."),
            ("digest-required", "The image must name its digest."),
        ],
    };
    const READS_REQUEST: &'static [RequestPart] = &[];
    type Settings = Settings;
    type Object = Workload<Images>;
}

impl Validator for ImageVersions {
    fn validate(settings: &Settings, review: &Review<Self::Object>, verdict: &mut Verdict) {
        let Some(workload) = &review.object else { return };
        for (field, name) in workload.spec.each() {
            let Image { tag, digest, .. } = Image::parse(name);
            let field = || workload.at(format_args!("spec.{field}"));
            let tag = tag.unwrap_or("latest");
            if digest.is_some() {
                continue;
            }
            if settings.require_digest {
                let message = format!("the image \"{name}\" must name its digest, as in name@sha256:…");
                verdict.violation("digest-required", field(), message);
            } else if settings.forbidden_tags.iter().any(|forbidden| forbidden == tag) {
                let message = format!("the image \"{name}\" has the tag \"{tag}\"; name the version you mean");
                verdict.violation("tag-forbidden", field(), message);
            }
        }
    }
}

gatehouse_policy::validator!(ImageVersions);

#[cfg(test)]
mod tests {
    #[test]
    fn cases() {
        gatehouse_policy::cases::validator::<super::ImageVersions>(concat!(env!("CARGO_MANIFEST_DIR"), "/cases"));
    }
}
