//! `gatehouse policy inspect`: what a component is and demands, whether it lies in a registry or in a file.

use std::path::Path;
use std::sync::Arc;

use admission::policy::registry::Artifact;
use wasm::{Module, Runtime};

use super::arguments::Arguments;
use super::{Outcome, remote, subject};

/// What stands before the name of an import of ours.
const OURS: &str = "gatehouse:policy/";

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let place = arguments.places.first().map_or(".", String::as_str);
    let runtime = subject::runtime()?;
    if !remote::is_artifact(place) {
        tell(&subject::one(&runtime, Path::new(place))?.module);
        return Ok(());
    }
    let artifact = Artifact { is_signed: true, ..remote::artifact(arguments, place)? };
    let registries = remote::registries();
    let pulled = remote::ask(&registries, |registries| registries.pull_from(&artifact))?;
    println!("artifact     {}", Runtime::digest(&pulled.manifest));
    println!("signatures   {}; gatehouse policy verify says whose", pulled.signatures.len());
    let module = load(&runtime, &pulled.component)?;
    tell(&module);
    Ok(())
}

/// What it reads of requests, and what follows for how often it is called.
fn asked(module: &Module) -> String {
    let parts: Vec<&str> = module.metadata.reads_request.iter().map(|part| part.as_str()).collect();
    let parts = if parts.is_empty() { "where the write goes alone".to_owned() } else { parts.join(", ") };
    match module.is_called_each_time() {
        true => format!("reads {parts}; it is called for each"),
        false => format!("reads {parts}; it is not called again when it is shown the same"),
    }
}

fn load(runtime: &Arc<Runtime>, component: &[u8]) -> Result<Arc<Module>, String> {
    runtime.load(component).map_err(|error| error.to_string())
}

fn tell(module: &Module) {
    let metadata = &module.metadata;
    let or = |text: String, none: &str| if text.is_empty() { none.to_owned() } else { text };
    println!("component    {}", module.digest);
    println!("size         {} KB", module.bytes.div_ceil(1024));
    println!("policy       {} {}, a {}", metadata.name, metadata.version, module.world.as_str());
    println!("description  {}", or(metadata.description.clone(), "none"));
    println!("reads        {}", or(metadata.reads.join(", "), "whole objects"));
    if !metadata.writes.is_empty() {
        println!("writes       {}", metadata.writes.join(", "));
    }
    let grants = module.imports.iter().filter_map(|import| import.strip_prefix(OURS)?.split('@').next());
    let grants: Vec<&str> = grants.filter(|name| *name != "types").collect();
    println!("grants       {}", or(grants.join(", "), "none"));
    println!("request      {}", asked(module));
    println!("user         {}", if metadata.needs_user { "needed: it judges no scan" } else { "not needed" });
    for rule in &metadata.rules {
        println!("rule         {}: {}", rule.name, rule.description);
    }
    println!("settings     {}", or(metadata.settings_schema.clone(), "none"));
}
