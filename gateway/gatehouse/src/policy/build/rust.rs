//! Policies in Rust: cargo makes core wasm of every policy of a folder or workspace.
//!
//! Built for `wasm32-unknown-unknown`: a component without WASI imports is smaller and cheaper to start.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use model::json::Value;
use wit_component::ComponentEncoder;

use super::Product;

const TARGET: &str = "wasm32-unknown-unknown";
/// A small stack of the guest's own: fewer pages to touch and to give back for every call. Recursion over a deep object
/// needs some hundred bytes a level, and JSON is at most 128 levels deep.
const FLAGS: &str = "-Clink-arg=-zstack-size=65536";

struct Artifact {
    name: String,
    folder: PathBuf,
    wasm: PathBuf,
}

pub(super) fn build(folder: &Path) -> Result<Vec<Product>, String> {
    let products: Vec<Product> = cargo(folder)?.into_iter().map(finish).collect::<Result<_, _>>()?;
    match products.is_empty() {
        true => Err(format!("{} has no policy: a crate of type cdylib that calls validator! or mutator!", folder.display())),
        false => Ok(products),
    }
}

/// Builds; what cargo says to people goes to the terminal, what it says to us names the files.
fn cargo(folder: &Path) -> Result<Vec<Artifact>, String> {
    ensure_target(folder)?;
    let output = Command::new("cargo")
        .args(["build", "--release", "--target", TARGET, "--message-format=json-render-diagnostics"])
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", FLAGS)
        .current_dir(folder)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cargo: {error}; install Rust by rustup: https://rustup.rs"))?;
    if !output.status.success() {
        return Err("the policy does not build; what is wrong stands above".to_owned());
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    Ok(messages.lines().filter_map(|line| artifact(&serde_json::from_str(line).ok()?)).collect())
}

fn artifact(message: &Value) -> Option<Artifact> {
    let is_library = message["target"]["crate_types"].as_array()?.iter().any(|kind| kind == "cdylib");
    if message["reason"] != "compiler-artifact" || !is_library {
        return None;
    }
    let wasm = message["filenames"].as_array()?.iter().filter_map(Value::as_str).find(|file| file.ends_with(".wasm"))?;
    Some(Artifact {
        name: message["target"]["name"].as_str()?.replace('_', "-"),
        folder: Path::new(message["manifest_path"].as_str()?).parent()?.to_owned(),
        wasm: PathBuf::from(wasm),
    })
}

fn finish(artifact: Artifact) -> Result<Product, String> {
    let Artifact { name, folder, wasm } = artifact;
    let core = fs::read(&wasm).map_err(|error| format!("{}: {error}", wasm.display()))?;
    let encoded = ComponentEncoder::default().validate(true).module(&core).and_then(|mut encoder| encoder.encode());
    let component = encoded.map_err(|error| {
        format!("{name} does not follow the contract: {error:#}; does src/lib.rs call gatehouse_policy::validator! or mutator!?")
    })?;
    Ok(Product { folder, component })
}

/// Rust's libraries for the target, installed where they are missing.
fn ensure_target(folder: &Path) -> Result<(), String> {
    let asked = Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]).current_dir(folder).output();
    let libraries = asked.ok().and_then(|output| String::from_utf8(output.stdout).ok());
    if libraries.is_some_and(|path| Path::new(path.trim()).exists()) {
        return Ok(());
    }
    let added = Command::new("rustup").args(["target", "add", TARGET]).current_dir(folder).status();
    if added.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    Err(format!("Rust cannot build for {TARGET}: run `rustup target add {TARGET}`"))
}
