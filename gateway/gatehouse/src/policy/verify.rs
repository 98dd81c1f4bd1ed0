//! `gatehouse policy verify`: whether a component or an artifact is signed as a server would demand it.

use std::fs;
use std::path::Path;

use admission::policy::registry::Artifact;
use admission::policy::signature::Demand;
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
    demand(keys, Vec::new()).check_artifact(&pulled)?;
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
    demand(keys, vec![&signature]).check(&component)?;
    Ok(Runtime::digest(&component))
}

/// What a server would demand, said of the options of this command.
fn demand<'a>(keys: &'a [String], signatures: Vec<&'a str>) -> Demand<'a> {
    let keys = keys.iter().map(String::as_str).collect();
    Demand { is_made: true, keys, signatures, keys_are: "the keys that --key names", signatures_are: "the signature" }
}

fn read(file: &str) -> Result<String, String> {
    fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))
}
