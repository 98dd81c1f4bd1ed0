//! `gatehouse policy push`: a component into an OCI registry, in the layout that the CNCF describes for wasm.

use std::path::Path;

use bytes::Bytes;
use server::registry::Described;
use wasm::{Module, Runtime, World};

use super::arguments::Arguments;
use super::{Outcome, remote, subject};

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let reference = arguments.place(0, "where to, such as registry.example/policies/labels:1.0.0")?;
    let artifact = remote::artifact(arguments, reference)?;
    let built = subject::one(&subject::runtime()?, Path::new(arguments.places.get(1).map_or(".", String::as_str)))?;
    eprintln!("pushing {} KB to {reference}", built.component.len().div_ceil(1024));
    let (digest, described) = (Runtime::digest(&built.component), describe(&built.module));
    let component = Bytes::from(built.component);
    let registries = remote::registries();
    let pushed = remote::ask(&registries, |registries| registries.push(&artifact, component, &described))?;
    println!("{reference}@{pushed}");
    println!("component {digest}");
    Ok(())
}

fn describe(module: &Module) -> Described {
    let export = match module.world {
        World::Validator => "validation",
        World::Mutator => "mutation",
    };
    Described {
        name: module.metadata.name.clone(),
        version: module.metadata.version.clone(),
        description: module.metadata.description.clone(),
        imports: module.imports.clone(),
        exports: vec![format!("gatehouse:policy/{export}@1.0.0")],
    }
}
