//! `gatehouse policy test`: every case of every policy of a folder, by the server's own evaluator.

use std::path::PathBuf;
use std::time::Instant;

use super::arguments::Arguments;
use super::cases::Judge;
use super::report::{self, Form, Ran};
use super::{Outcome, cases, subject};

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let form = Form::parse(arguments.option("output"))?;
    let runtime = subject::runtime()?;
    let only = arguments.option("only");
    let mut all = Vec::new();
    for policy in subject::policies(&runtime, &arguments.folder())? {
        if form == Form::Human {
            println!("\n{} ({})", policy.name(), policy.world());
        }
        let folder = arguments.option("cases").map_or_else(|| policy.folder().join("cases"), PathBuf::from);
        let name = policy.name().to_owned();
        let mut judge = Judge::of(policy)?;
        for case in cases::read(&folder)?.into_iter().filter(|case| only.is_none_or(|part| case.name.contains(part))) {
            let started = Instant::now();
            let failure = judge.judge(&case).err();
            match &failure {
                _ if form != Form::Human => {}
                None => println!("  ok      {}", case.name),
                Some(why) => println!("  FAILED  {} ({})\n      {why}", case.name, case.file),
            }
            let (policy, took) = (name.clone(), started.elapsed());
            all.push(Ran { policy, file: case.file, name: case.name, took, failure });
        }
    }
    // Cases that are not there fail where they are read.
    if let Some(part) = only.filter(|_| all.is_empty()) {
        return Err(format!("no case has {part:?} in its name"));
    }
    println!("{}", report::write(form, &all));
    match all.iter().filter(|ran| ran.failure.is_some()).count() {
        0 => Ok(()),
        failed => Err(format!("{failed} of {} cases failed", all.len())),
    }
}
