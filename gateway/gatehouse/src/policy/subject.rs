//! The policies that a command is about: a folder, which is built, or a component that was built before.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use admission::policy::binding::Binding;
use admission::policy::set::{Entry, Unfit};
use model::json::{Value, json};
use wasm::{Module, Runtime};

use super::arguments::Arguments;
use super::build::{self, Built};
use super::{document, manifest};

/// A runtime that keeps nothing.
pub(super) fn runtime() -> Result<Arc<Runtime>, String> {
    start(false)
}

/// One that counts instructions besides, which costs time.
pub(super) fn counting() -> Result<Arc<Runtime>, String> {
    start(true)
}

fn start(count_fuel: bool) -> Result<Arc<Runtime>, String> {
    Runtime::start(&wasm::Options { artifacts: None, threads: 1, compiler: None, count_fuel }).map_err(|error| error.to_string())
}

/// Every policy at a place; at least one, or it fails.
pub(super) fn all(runtime: &Arc<Runtime>, place: &Path) -> Result<Vec<Built>, String> {
    if place.extension().is_some_and(|extension| extension == "wasm") {
        return component(runtime, place).map(|built| vec![built]);
    }
    build::all(runtime, place)
}

/// The only policy at a place.
pub(super) fn one(runtime: &Arc<Runtime>, place: &Path) -> Result<Built, String> {
    let mut all = all(runtime, place)?;
    match (all.pop(), all.is_empty()) {
        (Some(built), true) => Ok(built),
        _ => Err(format!("{} has several policies; name the folder of one", place.display())),
    }
}

fn component(runtime: &Arc<Runtime>, file: &Path) -> Result<Built, String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let component = fs::read(file).map_err(|error| failed(&error))?;
    let module = runtime.load(&component).map_err(|error| failed(&error))?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(Built { name: module.metadata.name.clone(), folder: folder.to_owned(), component, module })
}

/// The policy as its binding.yaml binds it, with other settings where `--settings` says so.
pub(super) fn bound(arguments: &Arguments, built: &Built) -> Result<Entry, String> {
    let mut object = manifest::binding(&built.folder)?;
    if let Some(file) = arguments.option("settings") {
        object["spec"]["settings"] = document::one(file)?;
    }
    bind(&built.module, &object, wasm::limits::DEADLINE_MAX).map_err(|unfit| unfit.to_string())
}

/// A policy as a ClusterPolicyBinding binds it, but for the deadline: a slow machine must not fail an author.
pub(super) fn bind(module: &Arc<Module>, object: &Value, deadline: std::time::Duration) -> Result<Entry, Unfit> {
    let mut object = object.clone();
    if object["metadata"]["name"].is_null() {
        object["metadata"] = json!({"name": module.metadata.name});
    }
    let mut binding = Binding::from_object(&object).map_err(Unfit::Module)?;
    binding.deadline = deadline;
    Entry::bind(binding, module)
}
