//! What `/version` tells: a Kubernetes 1.37.2 API, served by Gatehouse.

use model::json::{Value, json};

/// The version of Kubernetes whose API is served, as `kube-apiserver --version` prints it.
pub const KUBERNETES: &str = "v1.37.2";

/// The document, fields in the order of `k8s.io/apimachinery/pkg/version`.
pub fn document() -> Value {
    json!({
        "major": "1",
        "minor": "37",
        "emulationMajor": "1",
        "emulationMinor": "37",
        "minCompatibilityMajor": "1",
        "minCompatibilityMinor": "36",
        "gitVersion": git_version(),
        "gitCommit": "",
        "gitTreeState": "",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "rustc",
        "platform": platform(),
    })
}

/// `v1.37.2+gatehouse-0.1.0`: clients compare what stands before the plus sign.
pub fn git_version() -> String {
    format!("{KUBERNETES}+gatehouse-{}", env!("CARGO_PKG_VERSION"))
}

fn platform() -> String {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("{}/{architecture}", std::env::consts::OS)
}
