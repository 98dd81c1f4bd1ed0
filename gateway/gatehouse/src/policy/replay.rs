//! `gatehouse policy replay`: recorded requests judged again, and compared with what the server said of them then.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

use super::arguments::Arguments;
use super::corpus::{self, Corpus, Origin};
use super::verdicts::Verdict;
use super::{Outcome, subject};

/// After so many requests somebody who waits is told how far it is.
const TOLD_EVERY: usize = 1_000;

pub(super) fn run(arguments: &Arguments) -> Outcome {
    arguments.needed("corpus", "what to judge; gatehouse policy record writes it")?;
    let runtime = subject::runtime()?;
    let bound = subject::policy(&runtime, &arguments.folder())?.bind(arguments)?;
    let Corpus { requests, cluster, .. } = corpus::read(arguments, &bound, Origin::Write)?;
    let mut counts = BTreeMap::<String, usize>::new();
    let (mut lines, mut compared, mut other) = (String::new(), 0, 0);
    for (n, recorded) in requests.iter().enumerate() {
        let trial = recorded.judge(&bound, &cluster, None)?;
        let (verdict, said) = (recorded.tell(&trial), Verdict::judged(&trial.outcome));
        *counts.entry(said.word.replace("failed", "no verdict")).or_default() += 1;
        if said.word != "allowed" && !arguments.has("save") {
            println!("{}: {verdict}", recorded.called());
        }
        if let Some(server) = recorded.server_said(bound.name()) {
            compared += 1;
            if said.differs(&server) {
                other += 1;
                println!("{}: {} here, {} by the server", recorded.called(), said.told(), server.told());
            }
        }
        // Writing into a String cannot fail.
        let _ = writeln!(lines, "{}: {verdict}", recorded.called());
        progress(n + 1, requests.len());
    }
    if let Some(file) = arguments.option("save") {
        fs::write(file, lines).map_err(|error| format!("{file}: {error}"))?;
    }
    let counted: Vec<String> = counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
    println!("{} requests: {}", requests.len(), counted.join(", "));
    if compared > 0 {
        println!("{other} of {compared} verdicts are others than the server's");
    }
    match arguments.has("same") && (other > 0 || compared == 0) {
        false => Ok(()),
        true if compared == 0 => Err("nothing tells what the server said; gatehouse policy record writes it down".to_owned()),
        true => Err(format!("{other} of {compared} verdicts are others than the server's")),
    }
}

/// Says how far it is, now and then.
pub(super) fn progress(done: usize, all: usize) {
    if done.is_multiple_of(TOLD_EVERY) && done < all {
        eprintln!("{done} of {all}");
    }
}
