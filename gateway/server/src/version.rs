//! What `/version` tells: a Kubernetes 1.37.2 API, served by Gatehouse.

use std::sync::OnceLock;

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

/// What the process calls itself, where that was given (`--version=v1.37.2-custom`).
static REPORTED: OnceLock<String> = OnceLock::new();

/// Has the process call itself by another version of the same release, as upstream's flag does.
///
/// # Errors
/// The version is not one, or another release's, in upstream's words.
pub fn report(version: &str) -> Result<(), String> {
    check(version)?;
    let _ = REPORTED.set(version.to_owned());
    Ok(())
}

/// `k8s.io/component-base/version`, `ValidateDynamicVersion`.
fn check(version: &str) -> Result<(), String> {
    let Some(extra) = version.strip_prefix(KUBERNETES).filter(|extra| !extra.starts_with(|c: char| c.is_ascii_digit())) else {
        return Err(format!("version {version:?} must match major/minor/patch of default version {KUBERNETES:?}"));
    };
    let (pre, build) = extra.split_once('+').map_or((extra, None), |(pre, build)| (pre, Some(build)));
    let named =
        |text: &str| text.split('.').all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
    let fits = pre.is_empty() || pre.strip_prefix('-').is_some_and(named);
    if !fits || !build.is_none_or(named) {
        return Err(format!("could not parse pre-release/metadata ({extra}) in version {version:?}"));
    }
    Ok(())
}

/// `v1.37.2+gatehouse-0.1.0`: clients compare what stands before the plus sign.
pub fn git_version() -> String {
    REPORTED.get().cloned().unwrap_or_else(|| format!("{KUBERNETES}+gatehouse-{}", env!("CARGO_PKG_VERSION")))
}

/// `linux/amd64`, in Go's words.
pub(crate) fn platform() -> String {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("{}/{architecture}", std::env::consts::OS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_versions_of_this_release_can_be_reported() {
        for good in ["v1.37.2", "v1.37.2-custom", "v1.37.2-rc.1+build.5", "v1.37.2+5"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        let other =
            |version: &str| Err(format!("version {version:?} must match major/minor/patch of default version \"v1.37.2\""));
        for version in ["v1.36.2", "v1.37.20"] {
            assert_eq!(check(version), other(version));
        }
        assert_eq!(
            check("v1.37.2-a..b"),
            Err("could not parse pre-release/metadata (-a..b) in version \"v1.37.2-a..b\"".to_owned())
        );
    }
}
