//! Asks upstream's Go modules, whose documents, data and functions are the oracle of tests. Crates take it into their tests by
//! its path; it belongs to none of them.

#![allow(dead_code, reason = "each test uses its part")]

use std::path::PathBuf;
use std::process::Command;

use model::json::Value;

/// Runs a `go` command in `conformance/` and gives what it wrote to standard output.
pub(crate) fn run(arguments: &[&str]) -> String {
    let conformance = concat!(env!("CARGO_MANIFEST_DIR"), "/../../conformance");
    let what = format!("`go {}` in conformance/", arguments.join(" "));
    let output = Command::new("go").args(arguments).current_dir(conformance).output();
    let output = output.unwrap_or_else(|error| panic!("{what}: {error}; Go 1.26 is needed"));
    assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The folder of a Go module that `conformance/` depends on.
pub(crate) fn module(name: &str) -> PathBuf {
    let folder = run(&["list", "-m", "-f", "{{.Dir}}", name]);
    assert!(!folder.trim().is_empty(), "{name} is not in the module cache; run `go mod download` in conformance/");
    folder.trim().into()
}

/// Every kind filled in, as JSON, YAML and protobuf.
pub(crate) fn round_trip_data() -> PathBuf {
    module("k8s.io/api").join("testdata/HEAD")
}

/// Reads a JSON file of the module `k8s.io/kubernetes`.
pub(crate) fn read(path: &str) -> Value {
    let file = module("k8s.io/kubernetes").join(path);
    let text = std::fs::read(&file).unwrap_or_else(|error| panic!("read {}: {error}", file.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("parse {}: {error}", file.display()))
}

/// What the tests of a package of upstream's ask and are answered; `conformance/merge` knows which packages.
pub(crate) fn recorded(package: &str) -> Vec<Value> {
    let lines = run(&["run", "./merge", package]);
    // The first line names the package.
    let said = lines.lines().skip(1).map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")));
    said.collect()
}
