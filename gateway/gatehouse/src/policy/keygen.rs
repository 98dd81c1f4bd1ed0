//! `gatehouse policy keygen`: a key that signs policies, and its public half.

use std::fs;
use std::path::PathBuf;

use super::Outcome;
use super::arguments::Arguments;
use super::key::{self, Key, Kind};

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let name = arguments.places.first().map_or("policy", String::as_str);
    let kind = Kind::parse(arguments.option("type").unwrap_or("ecdsa"))?;
    let (private, public) = (PathBuf::from(format!("{name}.key")), PathBuf::from(format!("{name}.pub")));
    if let Some(there) = [&private, &public].into_iter().find(|file| file.exists()) {
        return Err(format!(
            "{} exists already, and a key is never written over; gatehouse policy keygen NAME makes another",
            there.display()
        ));
    }
    let (key, text) = Key::make(kind)?;
    key::write_private(&private, &text)?;
    fs::write(&public, key.public()).map_err(|error| format!("{}: {error}", public.display()))?;
    println!("{}: signs policies; keep it secret", private.display());
    println!("{}: goes into spec.signature.publicKeys", public.display());
    Ok(())
}
