//! Finds upstream's module, whose published documents are the oracle.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

/// The folder of the Go module `k8s.io/kubernetes` that `conformance/` depends on.
pub(crate) fn module() -> PathBuf {
    let conformance = concat!(env!("CARGO_MANIFEST_DIR"), "/../../conformance");
    let what = "`go list -m -f {{.Dir}} k8s.io/kubernetes` in conformance/";
    let output = Command::new("go").args(["list", "-m", "-f", "{{.Dir}}", "k8s.io/kubernetes"]).current_dir(conformance).output();
    let output = output.unwrap_or_else(|error| panic!("{what}: {error}; Go 1.26 is needed"));
    let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(
        output.status.success() && !folder.is_empty(),
        "{what} finds no module; run `go mod download` there: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    folder.into()
}

/// Reads a JSON file of the module.
pub(crate) fn read(path: &str) -> Value {
    let file = module().join(path);
    let text = std::fs::read(&file).unwrap_or_else(|error| panic!("read {}: {error}", file.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("parse {}: {error}", file.display()))
}
