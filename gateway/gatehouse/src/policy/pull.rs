//! `gatehouse policy pull`: a component out of an OCI registry; its digests are checked on the way.

use std::fs;

use admission::policy::registry::Artifact;
use wasm::Runtime;

use super::arguments::Arguments;
use super::{Outcome, remote};

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let reference = arguments.place(0, "what to pull, such as registry.example/policies/labels:1.0.0")?;
    let out = arguments.needed("out", "the file to write, such as labels.wasm")?;
    let digest = arguments.option("digest").map(str::to_owned);
    let artifact = Artifact { digest, ..remote::artifact(arguments, reference)? };
    let registries = remote::registries();
    let pulled = remote::ask(&registries, |registries| registries.pull_from(&artifact))?;
    fs::write(out, &pulled.component).map_err(|error| format!("{out}: {error}"))?;
    println!("{out}: component {} of {} KB", Runtime::digest(&pulled.component), pulled.component.len().div_ceil(1024));
    Ok(())
}
