//! Images are pulled each time a container starts, so that nobody runs another team's image from a node's store without
//! the right to pull it.

use gatehouse_policy::prelude::*;
use workload::Containers;

/// The policy.
pub struct AlwaysPullImages;

/// The part of a Pod that the policy reads.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
pub struct Pod {
    spec: Option<Containers<Container>>,
}

/// The part of a container that the policy reads.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
pub struct Container {
    image_pull_policy: Option<String>,
}

impl Policy for AlwaysPullImages {
    const ABOUT: About = About {
        name: "always-pull-images",
        version: env!("CARGO_PKG_VERSION"),
        description: "Sets imagePullPolicy: Always in every container of a Pod.",
        reads: &[
            "spec.containers[*].imagePullPolicy",
            "spec.initContainers[*].imagePullPolicy",
            "spec.ephemeralContainers[*].imagePullPolicy",
        ],
        writes: &[
            "spec.containers[*].imagePullPolicy",
            "spec.initContainers[*].imagePullPolicy",
            "spec.ephemeralContainers[*].imagePullPolicy",
        ],
        rules: &[("pull-always", "Every container pulls its image when it starts.")],
    };
    const READS_REQUEST: &'static [RequestPart] = &[];
    type Settings = NoSettings;
    type Object = Pod;
}

impl Mutator for AlwaysPullImages {
    fn mutate(_: &NoSettings, review: &Review<Pod>, patch: &mut Patch) {
        let Some(spec) = review.object.as_ref().and_then(|pod| pod.spec.as_ref()) else { return };
        for (place, container) in spec.each() {
            if container.image_pull_policy.as_deref() != Some("Always") {
                patch.set(&["spec", place.list, &place.index.to_string(), "imagePullPolicy"], "Always");
            }
        }
    }
}

gatehouse_policy::mutator!(AlwaysPullImages);

#[cfg(test)]
mod tests {
    #[test]
    fn cases() {
        gatehouse_policy::cases::mutator::<super::AlwaysPullImages>(concat!(env!("CARGO_MANIFEST_DIR"), "/cases"));
    }
}
