//! `gatehouse policy scan`: what a cluster holds now, judged as a scan: nobody asks, so that a policy which needs a user
//! says so instead of passing. What a PolicyException covers is told and is no fault, as in the server's reports.

use std::sync::Arc;

use admission::policy::exception::{self, Exception};
use jiff::Timestamp;

use super::arguments::Arguments;
use super::corpus::{self, Corpus, Origin};
use super::subject::{Asked, Bound};
use super::{Outcome, cases, exceptions, replay, subject};

/// What is found of an object.
enum Found {
    Fine,
    /// By the exception of this name.
    Excepted(String),
    /// Each thing that is wrong.
    Wrong(Vec<String>),
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let runtime = subject::runtime()?;
    let (mut count, mut wrong, mut excepted) = (0, 0, 0);
    for policy in subject::policies(&runtime, &arguments.folder())? {
        let bound = policy.bind(arguments)?;
        if bound.needs_user() {
            eprintln!("{}: needs a user; who wrote what is stored nobody knows any more", bound.name());
            continue;
        }
        let now = Timestamp::now();
        let Corpus { requests, cluster, exceptions } = corpus::read(arguments, &bound, Origin::Scan)?;
        let exceptions = exceptions::read(exceptions, now)?;
        if requests.is_empty() {
            eprintln!("{}: the cluster holds nothing that concerns it", bound.name());
        }
        for (n, recorded) in requests.iter().enumerate() {
            count += 1;
            let request = recorded.request(&bound)?;
            let asked = recorded.asked(&request, &cluster, None);
            match judge(&bound, &asked, &bound.covering(&asked, &exceptions, now))? {
                Found::Fine => {}
                Found::Excepted(by) => {
                    excepted += 1;
                    println!("{}: excepted by {by}", recorded.called());
                }
                Found::Wrong(told) => {
                    wrong += 1;
                    told.iter().for_each(|what| println!("{}: {what}", recorded.called()));
                }
            }
            replay::progress(n + 1, requests.len());
        }
    }
    let aside = if excepted == 0 { String::new() } else { format!(", {excepted} excepted") };
    println!("{} of {count} objects are fine{aside}", count - wrong - excepted);
    if wrong == 0 { Ok(()) } else { Err(format!("{wrong} of {count} objects are not as they should be")) }
}

/// One object. What is excepted from all rules nobody is asked about, as on a server.
fn judge(bound: &Bound, asked: &Asked<'_>, covering: &[Arc<Exception>]) -> Result<Found, String> {
    if let Some(whole) = covering.iter().find(|exception| exception.is_whole()) {
        return Ok(Found::Excepted(whole.name.clone()));
    }
    let mut outcome = match bound.judge(asked)?.outcome {
        Ok(outcome) => outcome,
        Err(failure) => return Ok(Found::Wrong(vec![format!("{} has no verdict: {failure}", bound.name())])),
    };
    if let Some(by) = exception::excused(covering, &mut outcome.violations) {
        return Ok(Found::Excepted(by));
    }
    let mut told: Vec<String> = outcome.violations.iter().map(cases::tell).collect();
    told.extend(outcome.changed.map(|_| format!("{} would change it", bound.name())));
    Ok(if told.is_empty() { Found::Fine } else { Found::Wrong(told) })
}
