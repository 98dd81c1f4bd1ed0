//! `gatehouse policy verify`: whether a component or an artifact is signed as a server would demand it.

use std::fs;
use std::path::Path;

use admission::policy::registry::Artifact;
use admission::policy::signature;
use model::json::{Value, json};
use wasm::Runtime;

use super::arguments::Arguments;
use super::{Outcome, remote, sign};

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let place = arguments.place(0, "what to verify: a component's file, or an artifact in a registry")?;
    arguments.needed("key", "a public key, as it stands in spec.signature.publicKeys")?;
    let keys = arguments.all("key").iter().map(|file| read(file)).collect::<Result<Vec<_>, _>>()?;
    let digest = match remote::is_artifact(place) {
        true => artifact(arguments, place, &keys)?,
        false => file(arguments, place, &keys)?,
    };
    println!("{place}: {digest} is signed");
    Ok(())
}

fn artifact(arguments: &Arguments, place: &str, keys: &[String]) -> Result<String, String> {
    let wanted = Artifact { is_signed: true, ..remote::artifact(arguments, place)? };
    let registries = remote::registries();
    let pulled = remote::ask(&registries, |registries| registries.pull_from(&wanted))?;
    signature::check_artifact(&demand(keys, &[]), &pulled).map_err(|why| by_options(&why))?;
    Ok(Runtime::digest(&pulled.manifest))
}

fn file(arguments: &Arguments, place: &str, keys: &[String]) -> Result<String, String> {
    let component = fs::read(place).map_err(|error| format!("{place}: {error}"))?;
    let beside = format!("{place}.{}", sign::ENDING);
    let named = arguments.option("signature");
    if named.is_none() && !Path::new(&beside).exists() {
        return Err(format!(
            "there is no {beside}: gatehouse policy sign {place} --key FILE makes it, and --signature names one that lies elsewhere"
        ));
    }
    let signature = read(named.unwrap_or(&beside))?;
    signature::check(&demand(keys, &[signature]), &component).map_err(|why| by_options(&why))?;
    Ok(Runtime::digest(&component))
}

/// A PolicyModule that demands it.
fn demand(keys: &[String], signatures: &[String]) -> Value {
    json!({"spec": {"signature": {"publicKeys": keys, "signatures": signatures}}})
}

/// What a server would say of a PolicyModule, said of the options of this command.
fn by_options(why: &str) -> String {
    why.trim_start_matches("spec.signature: ").replace("spec.signature.publicKeys", "the keys that --key names")
}

fn read(file: &str) -> Result<String, String> {
    fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))
}
