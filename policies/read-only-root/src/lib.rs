//! Containers cannot write to their image's files: what they write goes to volumes.

use gatehouse_policy::prelude::*;
use workload::{Workload, nullable};

/// The policy.
pub struct ReadOnlyRoot;

/// The part of a Pod that the policy reads. What somebody adds later to look inside may write.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
pub struct Spec {
    #[serde(default, deserialize_with = "nullable")]
    init_containers: Vec<Container>,
    #[serde(default, deserialize_with = "nullable")]
    containers: Vec<Container>,
    os: Option<Os>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
struct Container {
    security_context: Option<SecurityContext>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
struct SecurityContext {
    read_only_root_filesystem: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
struct Os {
    name: String,
}

impl Policy for ReadOnlyRoot {
    const ABOUT: About = About {
        name: "read-only-root",
        version: env!("CARGO_PKG_VERSION"),
        description: "Containers must mount their root file system read-only.",
        reads: workload::reads!(containers: ["securityContext.readOnlyRootFilesystem"], pod: ["spec.os"]),
        writes: &[],
        rules: &[("read-only-root", "The root file system must be read-only.")],
    };
    const READS_REQUEST: &'static [RequestPart] = &[];
    type Settings = NoSettings;
    type Object = Workload<Spec>;
}

impl Validator for ReadOnlyRoot {
    fn validate(_: &NoSettings, review: &Review<Self::Object>, verdict: &mut Verdict) {
        let Some(workload) = &review.object else { return };
        let spec = &workload.spec;
        // Windows has no such thing, and the API refuses a Pod that asks for it.
        if spec.os.as_ref().is_some_and(|os| os.name == "windows") {
            return;
        }
        for (place, container) in workload::each(&spec.init_containers, &spec.containers, &[]) {
            let context = container.security_context.as_ref();
            if context.and_then(|context| context.read_only_root_filesystem) != Some(true) {
                let field = workload.at(format_args!("spec.{place}.securityContext.readOnlyRootFilesystem"));
                verdict.violation("read-only-root", field, "must be true; mount an emptyDir where the container has to write");
            }
        }
    }
}

gatehouse_policy::validator!(ReadOnlyRoot);

#[cfg(test)]
mod tests {
    #[test]
    fn cases() {
        gatehouse_policy::cases::validator::<super::ReadOnlyRoot>(concat!(env!("CARGO_MANIFEST_DIR"), "/cases"));
    }
}
