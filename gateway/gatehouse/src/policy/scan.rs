//! `gatehouse policy scan`: what a cluster holds now, judged as a scan: nobody asks, so that a policy which needs a user
//! says so instead of passing.

use super::arguments::Arguments;
use super::corpus::{self, Origin};
use super::{Outcome, cases, manifest, replay, subject};

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let runtime = subject::runtime()?;
    let (mut count, mut wrong) = (0, 0);
    for built in subject::all(&runtime, &arguments.folder())? {
        let entry = subject::bound(arguments, &built)?;
        if built.module.metadata.needs_user || entry.binding.conditions.needs_user() {
            eprintln!("{}: needs a user; who wrote what is stored nobody knows any more", built.name);
            continue;
        }
        let objects = corpus::read(arguments, &entry, &manifest::binding(&built.folder)?, Origin::Scan)?;
        for (n, recorded) in objects.iter().enumerate() {
            count += 1;
            let trial = recorded.judge(&entry, &[], None)?;
            match trial.outcome {
                Ok(outcome) if outcome.violations.is_empty() && outcome.changed.is_none() => {}
                Ok(outcome) => {
                    wrong += 1;
                    outcome.violations.iter().for_each(|violation| println!("{}: {}", recorded.called(), cases::tell(violation)));
                    if outcome.changed.is_some() {
                        println!("{}: {} would change it", recorded.called(), built.name);
                    }
                }
                Err(failure) => {
                    wrong += 1;
                    println!("{}: {} has no verdict: {failure}", recorded.called(), built.name);
                }
            }
            replay::progress(n + 1, objects.len());
        }
    }
    println!("{} of {count} objects are fine", count - wrong);
    if wrong == 0 { Ok(()) } else { Err(format!("{wrong} of {count} objects are not as they should be")) }
}
