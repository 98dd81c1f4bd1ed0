//! `gatehouse policy diff`: which verdicts change from one policy to another.

use std::path::Path;

use super::arguments::Arguments;
use super::corpus::{self, Origin};
use super::{Outcome, manifest, replay, subject};

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let runtime = subject::runtime()?;
    let load = |place: &str| {
        let built = subject::one(&runtime, Path::new(place))?;
        let entry = subject::bound(arguments, &built)?;
        Ok::<_, String>((built, entry))
    };
    let (_, old) = load(arguments.place(0, "the policy as it was")?)?;
    let (built, new) = load(arguments.place(1, "the policy as it is to be")?)?;
    let requests = corpus::read(arguments, &new, &manifest::binding(&built.folder)?, Origin::Write)?;
    let cluster = corpus::in_files(arguments)?;
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
