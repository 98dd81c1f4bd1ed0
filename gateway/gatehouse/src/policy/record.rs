//! `gatehouse policy record`: requests written down, one a line, for `replay` and `diff`. From an audit log they are what
//! clients really asked, and what the server's policies said of them; from a cluster they are what it holds, as if somebody
//! made it now, and what its reports say.

mod log;

use std::fmt::Write;
use std::fs;
use std::path::Path;

use model::json::Value;

use super::arguments::Arguments;
use super::corpus::{self, Origin, Recorded};
use super::{Outcome, build, cel, manifest, verdicts};

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let out = arguments.needed("out", "the file to write")?;
    let recorded = match arguments.option("audit") {
        Some(file) => {
            let text = fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
            log::writes(&text)
        }
        None => stored(arguments)?,
    };
    if recorded.is_empty() {
        return Err(match arguments.has("audit") {
            true => "the log has no write with its object; the audit policy must say level: RequestResponse".to_owned(),
            false => "the cluster holds none of it".to_owned(),
        });
    }
    let mut text = String::new();
    for one in &recorded {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{}", one.line());
    }
    fs::write(out, text).map_err(|error| format!("{out}: {error}"))?;
    println!("{out}: {} requests", recorded.len());
    Ok(())
}

/// What the cluster holds, with what its server's reports say of it, where it has some.
fn stored(arguments: &Arguments) -> Result<Vec<Recorded>, String> {
    let mut all = corpus::cluster(arguments, &rules(&arguments.folder())?, Origin::Write)?;
    let mut reports = Vec::new();
    for words in [&["reports.openreports.io", "--all-namespaces"][..], &["clusterreports.openreports.io"]] {
        let words = [&["get"], words, &["--output=json"]].concat();
        reports.extend(corpus::items(corpus::kubectl_if_served(arguments, &words)));
    }
    let reported = verdicts::reported(&reports);
    for recorded in &mut all {
        recorded.server = recorded.object.as_ref().map(|object| verdicts::found(&reported, object)).unwrap_or_default();
    }
    Ok(all)
}

/// What says which resources are meant: the binding in a policy's folder or beside its component, or a policy in CEL.
fn rules(place: &Path) -> Result<Value, String> {
    if !build::is_package(place)
        && let Some(found) = cel::read(place)?
    {
        return Ok(found.into_iter().next().map(|cel| cel.policy).unwrap_or_default());
    }
    manifest::binding(&if place.is_file() { place.with_file_name("") } else { place.to_owned() })
}
