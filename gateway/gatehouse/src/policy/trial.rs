//! `gatehouse policy run` and `bench`: one object, judged once to see the answer or many times to see the cost.

use std::fs;
use std::time::{Duration, Instant};

use admission::policy::set::Entry;
use admission::policy::trial;
use cpu_time::ProcessTime;
use serde_json::Value;

use super::arguments::Arguments;
use super::build::{self, Built};
use super::{Outcome, cases, manifest};

/// Calls of one measurement.
const CALLS: usize = 20_000;
/// Calls before it, so that memory is mapped and code is warm.
const WARM_UP: usize = 500;

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let runtime = build::runtime()?;
    let built = build::one(&runtime, &arguments.folder())?;
    let entry = entry(arguments, &built)?;
    let object = document(arguments.option("object").ok_or("--object FILE says what to judge")?)?;
    let request = trial::request(&Value::Null, &object)?;
    let trial = trial::run(&entry, &request, Some(&object), None);
    for line in &trial.log {
        eprintln!("{}: {}", line.level, line.message);
    }
    let outcome = trial.outcome.map_err(|failure| failure.to_string())?;
    for warning in &outcome.warnings {
        println!("Warning: {warning}");
    }
    if let Some(changed) = outcome.changed {
        print!("{}", codec::yaml::print(&changed));
        return Ok(());
    }
    for violation in &outcome.violations {
        println!("{}", cases::tell(violation));
    }
    match outcome.violations.len() {
        0 => println!("{} has nothing against it ({} µs)", built.name, trial.took.as_micros()),
        count => return Err(format!("{} refuses it: {count} violations", built.name)),
    }
    Ok(())
}

pub(super) fn bench(arguments: &Arguments) -> Outcome {
    let runtime = build::runtime()?;
    let built = build::one(&runtime, &arguments.folder())?;
    let entry = entry(arguments, &built)?;
    let object = match arguments.option("object") {
        Some(file) => document(file)?,
        None => {
            let object = cases::read(&built.folder)?.into_iter().map(|case| case.body["object"].clone()).find(|o| !o.is_null());
            object.ok_or("no case has an object; name one by --object FILE")?
        }
    };
    let request = trial::request(&Value::Null, &object)?;
    let judge = || trial::run(&entry, &request, Some(&object), None);
    judge().outcome.map_err(|failure| failure.to_string())?;
    (0..WARM_UP).for_each(|_| drop(judge()));
    let (started, processor) = (Instant::now(), ProcessTime::now());
    let mut calls: Vec<Duration> = (0..CALLS).map(|_| judge().took).collect();
    let (mean, processor) = (started.elapsed() / CALLS as u32, processor.elapsed() / CALLS as u32);
    calls.sort_unstable();
    let at = |share: f64| calls[((CALLS - 1) as f64 * share) as usize].as_nanos() as f64 / 1_000.0;
    let module = &built.module;
    println!("{}: {} KB, {CALLS} calls, each on a fresh instance", built.name, module.bytes.div_ceil(1024));
    let us = |time: Duration| time.as_nanos() as f64 / 1_000.0;
    println!("  a whole call: {:.1} µs of processor time, {:.1} µs on the clock", us(processor), us(mean));
    println!("  of these in the guest and around it: p50 {:.1} µs, p90 {:.1} µs, p99 {:.1} µs", at(0.5), at(0.9), at(0.99));
    Ok(())
}

fn entry(arguments: &Arguments, built: &Built) -> Result<Entry, String> {
    let settings = match arguments.option("settings") {
        Some(file) => document(file)?,
        None => manifest::settings(&built.folder)?,
    };
    cases::bind(&built.module, &settings, &manifest::grants(&built.folder)?).map_err(|unfit| unfit.to_string())
}

fn document(file: &str) -> Result<Value, String> {
    let text = fs::read(file).map_err(|error| format!("{file}: {error}"))?;
    codec::yaml::parse(&text).map(|parsed| parsed.value).map_err(|error| format!("{file}: {error}"))
}
