//! Asks upstream's Go module, whose documents and functions are the oracle.

#![allow(dead_code, reason = "each test uses its part")]

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

/// Runs a `go` command in `conformance/` and gives what it wrote to standard output.
pub(crate) fn run(arguments: &[&str]) -> String {
    let conformance = concat!(env!("CARGO_MANIFEST_DIR"), "/../../conformance");
    let what = format!("`go {}` in conformance/", arguments.join(" "));
    let output = Command::new("go").args(arguments).current_dir(conformance).output();
    let output = output.unwrap_or_else(|error| panic!("{what}: {error}; Go 1.26 is needed"));
    assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The folder of the Go module `k8s.io/kubernetes` that `conformance/` depends on.
fn module() -> PathBuf {
    let folder = run(&["list", "-m", "-f", "{{.Dir}}", "k8s.io/kubernetes"]);
    assert!(!folder.trim().is_empty(), "k8s.io/kubernetes is not in the module cache; run `go mod download` in conformance/");
    folder.trim().into()
}

/// Reads a JSON file of the module.
pub(crate) fn read(path: &str) -> Value {
    let file = module().join(path);
    let text = std::fs::read(&file).unwrap_or_else(|error| panic!("read {}: {error}", file.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("parse {}: {error}", file.display()))
}
