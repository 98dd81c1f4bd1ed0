//! `gatehouse policy replay`: recorded requests judged again.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

use super::arguments::Arguments;
use super::corpus::{self, Origin};
use super::{Outcome, manifest, subject};

/// After so many requests somebody who waits is told how far it is.
const TOLD_EVERY: usize = 1_000;

pub(super) fn run(arguments: &Arguments) -> Outcome {
    arguments.needed("corpus", "what to judge; gatehouse policy record writes it")?;
    let runtime = subject::runtime()?;
    let built = subject::one(&runtime, &arguments.folder())?;
    let entry = subject::bound(arguments, &built)?;
    let requests = corpus::read(arguments, &entry, &manifest::binding(&built.folder)?, Origin::Write)?;
    let cluster = corpus::in_files(arguments)?;
    let mut counts = BTreeMap::<&str, usize>::new();
    let mut lines = String::new();
    for (n, recorded) in requests.iter().enumerate() {
        let verdict = recorded.verdict(&entry, &cluster)?;
        let kind = ["allowed", "refused", "changed"].into_iter().find(|kind| verdict.starts_with(kind)).unwrap_or("no verdict");
        *counts.entry(kind).or_default() += 1;
        if kind != "allowed" && !arguments.has("save") {
            println!("{}: {verdict}", recorded.called());
        }
        // Writing into a String cannot fail.
        let _ = writeln!(lines, "{}: {verdict}", recorded.called());
        progress(n + 1, requests.len());
    }
    if let Some(file) = arguments.option("save") {
        fs::write(file, lines).map_err(|error| format!("{file}: {error}"))?;
    }
    let counted: Vec<String> = counts.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    println!("{} requests: {}", requests.len(), counted.join(", "));
    Ok(())
}

/// Says how far it is, now and then.
pub(super) fn progress(done: usize, all: usize) {
    if done.is_multiple_of(TOLD_EVERY) && done < all {
        eprintln!("{done} of {all}");
    }
}
