//! `gatehouse policy diff`: which verdicts change from one policy to another.

use std::path::Path;

use super::arguments::Arguments;
use super::corpus::{self, Corpus, Origin};
use super::{Outcome, replay, subject};

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let runtime = subject::runtime()?;
    let load = |place: &str| subject::policy(&runtime, Path::new(place))?.bind(arguments);
    let old = load(arguments.place(0, "the policy as it was")?)?;
    let new = load(arguments.place(1, "the policy as it is to be")?)?;
    let Corpus { requests, cluster, .. } = corpus::read(arguments, &new, Origin::Write)?;
    let mut changed = 0;
    for (n, recorded) in requests.iter().enumerate() {
        let (before, after) = (recorded.verdict(&old, &cluster)?, recorded.verdict(&new, &cluster)?);
        if before != after {
            changed += 1;
            println!("{}\n  - {before}\n  + {after}", recorded.called());
        }
        replay::progress(n + 1, requests.len());
    }
    println!("{changed} of {} verdicts change", requests.len());
    Ok(())
}
