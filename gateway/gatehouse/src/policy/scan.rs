//! `gatehouse policy scan`: what a cluster holds now, judged as a scan: nobody asks, so that a policy which needs a user
//! says so instead of passing.

use super::arguments::Arguments;
use super::corpus::{self, Corpus, Origin};
use super::{Outcome, cases, replay, subject};

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let runtime = subject::runtime()?;
    let (mut count, mut wrong) = (0, 0);
    for policy in subject::policies(&runtime, &arguments.folder())? {
        let bound = policy.bind(arguments)?;
        if bound.needs_user() {
            eprintln!("{}: needs a user; who wrote what is stored nobody knows any more", bound.name());
            continue;
        }
        let Corpus { requests, cluster } = corpus::read(arguments, &bound, Origin::Scan)?;
        for (n, recorded) in requests.iter().enumerate() {
            count += 1;
            let trial = recorded.judge(&bound, &cluster, None)?;
            match trial.outcome {
                Ok(outcome) if outcome.violations.is_empty() && outcome.changed.is_none() => {}
                Ok(outcome) => {
                    wrong += 1;
                    outcome.violations.iter().for_each(|violation| println!("{}: {}", recorded.called(), cases::tell(violation)));
                    if outcome.changed.is_some() {
                        println!("{}: {} would change it", recorded.called(), bound.name());
                    }
                }
                Err(failure) => {
                    wrong += 1;
                    println!("{}: {} has no verdict: {failure}", recorded.called(), bound.name());
                }
            }
            replay::progress(n + 1, requests.len());
        }
    }
    println!("{} of {count} objects are fine", count - wrong);
    if wrong == 0 { Ok(()) } else { Err(format!("{wrong} of {count} objects are not as they should be")) }
}
