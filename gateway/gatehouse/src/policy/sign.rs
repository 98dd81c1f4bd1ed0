//! `gatehouse policy sign`: a signature beside a component's file, or beside its artifact in a registry, where cosign looks
//! for it.

use std::fs;

use admission::policy::registry::Signature;
use admission::policy::signature;
use server::registry::Reference;
use wasm::Runtime;

use super::arguments::Arguments;
use super::key::Key;
use super::{Outcome, remote};

/// What follows the name of a component's file.
pub(super) const ENDING: &str = "sig";

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let place = arguments.place(0, "what to sign: a component's file, or an artifact in a registry")?;
    let key = Key::read(arguments.needed("key", "the private key, which gatehouse policy keygen makes")?)?;
    match remote::is_artifact(place) {
        true => artifact(arguments, place, &key),
        false => file(place, &key),
    }
}

fn file(place: &str, key: &Key) -> Outcome {
    let component = fs::read(place).map_err(|error| format!("{place}: {error}"))?;
    let out = format!("{place}.{ENDING}");
    fs::write(&out, key.sign(&component)? + "\n").map_err(|error| format!("{out}: {error}"))?;
    println!("{out}: a signature over the component {}", Runtime::digest(&component));
    Ok(())
}

fn artifact(arguments: &Arguments, place: &str, key: &Key) -> Outcome {
    let (wanted, reference) = (remote::artifact(arguments, place)?, Reference::parse(place)?);
    let registries = remote::registries();
    let manifest = remote::ask(&registries, |registries| registries.manifest(&wanted))?;
    let digest = Runtime::digest(&manifest);
    let payload = signature::payload(&format!("{}/{}", reference.registry, reference.repository), &digest);
    let signature = Signature { signature: key.sign(&payload)?, payload };
    remote::ask(&registries, |registries| registries.sign(&wanted, &digest, signature))?;
    println!("{}/{}@{digest}: signed", reference.registry, reference.repository);
    Ok(())
}
