//! Images are pulled each time a container starts, so that nobody runs another team's image from a node's store without
//! the right to pull it.

use gatehouse_policy::prelude::*;
use workload::{Containers, nullable};

/// The policy.
pub struct AlwaysPullImages;

/// The part of a Pod that the policy reads.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
pub struct Pod {
    spec: Option<Spec>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
struct Spec {
    #[serde(flatten)]
    containers: Containers<Container>,
    #[serde(default, deserialize_with = "nullable")]
    volumes: Vec<Volume>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
struct Container {
    #[serde(default)]
    image: String,
    image_pull_policy: Option<String>,
}

#[derive(Deserialize)]
#[serde(crate = "gatehouse_policy::serde")]
struct Volume {
    image: Option<Mounted>,
}

/// An image that is mounted as a volume.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
struct Mounted {
    pull_policy: Option<String>,
}

impl Policy for AlwaysPullImages {
    const ABOUT: About = About {
        name: "always-pull-images",
        version: env!("CARGO_PKG_VERSION"),
        description: "Sets imagePullPolicy: Always in every container of a Pod, and pullPolicy: Always of images that are volumes.",
        reads: &[
            "spec.containers[*].image",
            "spec.containers[*].imagePullPolicy",
            "spec.initContainers[*].image",
            "spec.initContainers[*].imagePullPolicy",
            "spec.ephemeralContainers[*].image",
            "spec.ephemeralContainers[*].imagePullPolicy",
            "spec.volumes[*].image.pullPolicy",
        ],
        writes: &[
            "spec.containers[*].imagePullPolicy",
            "spec.initContainers[*].imagePullPolicy",
            "spec.ephemeralContainers[*].imagePullPolicy",
            "spec.volumes[*].image.pullPolicy",
        ],
        rules: &[("pull-always", "Every container pulls its image when it starts.")],
    };
    const READS_REQUEST: &'static [RequestPart] = &[];
    type Settings = NoSettings;
    type Object = Pod;
}

impl Mutator for AlwaysPullImages {
    fn mutate(_: &NoSettings, review: &Review<Pod>, patch: &mut Patch) {
        let Some(now) = review.object.as_ref().and_then(|pod| pod.spec.as_ref()) else { return };
        // What a Pod has keeps its pull policy for as long as the Pod lives, so that only an image that is new to it counts.
        let had = |image: &str| earlier(review).any(|earlier| earlier == image);
        for (place, container) in now.containers.each() {
            if container.image_pull_policy.as_deref() != Some("Always") && !had(&container.image) {
                patch.set(&["spec", place.list, &place.index.to_string(), "imagePullPolicy"], "Always");
            }
        }
        for (n, volume) in now.volumes.iter().enumerate().filter(|_| review.old.is_none()) {
            if volume.image.as_ref().is_some_and(|image| image.pull_policy.as_deref() != Some("Always")) {
                patch.set(&["spec", "volumes", &n.to_string(), "image", "pullPolicy"], "Always");
            }
        }
    }
}

/// The images of a Pod as it is stored.
fn earlier(review: &Review<Pod>) -> impl Iterator<Item = &str> {
    let spec = review.old.as_ref().and_then(|pod| pod.spec.as_ref());
    spec.into_iter().flat_map(|spec| spec.containers.each()).map(|(_, container)| container.image.as_str())
}

gatehouse_policy::mutator!(AlwaysPullImages);

#[cfg(test)]
mod tests {
    #[test]
    fn cases() {
        gatehouse_policy::cases::mutator::<super::AlwaysPullImages>(concat!(env!("CARGO_MANIFEST_DIR"), "/cases"));
    }
}
