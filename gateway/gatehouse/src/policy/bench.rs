//! `gatehouse policy bench`: what a call costs. Time depends on the machine and what else it does; the instructions of the
//! guest (fuel) do not, so that a comparison by them holds in CI.

use std::fs;
use std::time::{Duration, Instant};

use admission::policy::set::Entry;
use admission::policy::trial;
use cpu_time::ProcessTime;
use model::json::{Value, json};

use super::arguments::Arguments;
use super::build::Built;
use super::{Outcome, cases, document, subject};

/// Calls of one measurement.
const CALLS: usize = 20_000;
/// One call in so many is made before it, so that memory is mapped and code is warm.
const WARM_UP: usize = 40;
/// How much more fuel is fine, in percent.
const THRESHOLD: f64 = 5.0;

/// What was measured.
struct Numbers {
    first: Duration,
    processor: Duration,
    wall: Duration,
    calls: Vec<Duration>,
    fuel: u64,
    /// What every call begins with: an instance that is configured.
    configure: Duration,
    configure_fuel: u64,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let number = |name: &str| arguments.option(name).map(str::parse::<f64>).transpose().map_err(|why| format!("--{name}: {why}"));
    let calls = number("calls")?.map_or(CALLS, |calls| calls as usize).max(1);
    let threshold = number("threshold")?.unwrap_or(THRESHOLD);
    let built = subject::one(&subject::runtime()?, &arguments.folder())?;
    let object = object(arguments, &built)?;
    let mut numbers = measure(&subject::bound(arguments, &built)?, &object, calls)?;
    (numbers.fuel, numbers.configure_fuel) = fuel(arguments, &built, &object)?;
    tell(&built, &numbers);
    let saved = saved(&built, &numbers);
    if let Some(file) = arguments.option("save") {
        fs::write(file, format!("{saved}\n")).map_err(|error| format!("{file}: {error}"))?;
    }
    match arguments.option("compare") {
        Some(file) => compare(&document::one(file)?, &saved, threshold),
        None => Ok(()),
    }
}

fn object(arguments: &Arguments, built: &Built) -> Result<Value, String> {
    if let Some(file) = arguments.option("object") {
        return document::one(file);
    }
    let cases = cases::read(&built.folder.join("cases"))?;
    let object = cases.into_iter().map(|case| case.body["object"].clone()).find(|object| !object.is_null());
    object.ok_or_else(|| "no case has an object; name one by --object FILE".to_owned())
}

fn measure(entry: &Entry, object: &Value, calls: usize) -> Result<Numbers, String> {
    let request = trial::request(&Value::Null, object)?;
    let judge = || trial::run(entry, &request, Some(object), None);
    let first = judge();
    first.outcome.map_err(|failure| failure.to_string())?;
    (0..calls / WARM_UP).for_each(|_| drop(judge()));
    let (started, processor) = (Instant::now(), ProcessTime::now());
    let mut took: Vec<Duration> = (0..calls).map(|_| judge().took).collect();
    let (wall, processor) = (started.elapsed() / calls as u32, processor.elapsed() / calls as u32);
    took.sort_unstable();
    let mut began: Vec<Duration> = (0..calls).map(|_| trial::configure(entry, &request).took).collect();
    began.sort_unstable();
    let configure = began[(calls - 1) / 2];
    Ok(Numbers { first: first.took, processor, wall, calls: took, fuel: 0, configure, configure_fuel: 0 })
}

/// One call, and what it begins with, in an engine that counts; counting costs time, so that time is measured without.
fn fuel(arguments: &Arguments, built: &Built, object: &Value) -> Result<(u64, u64), String> {
    let module = subject::counting()?.load(&built.component).map_err(|error| error.to_string())?;
    let counted = Built { name: built.name.clone(), folder: built.folder.clone(), component: Vec::new(), module };
    let entry = subject::bound(arguments, &counted)?;
    let request = trial::request(&Value::Null, object)?;
    let trial = trial::run(&entry, &request, Some(object), None);
    trial.outcome.map_err(|failure| failure.to_string())?;
    Ok((trial.fuel, trial::configure(&entry, &request).fuel))
}

fn us(time: Duration) -> f64 {
    (time.as_nanos() as f64 / 100.0).round() / 10.0
}

impl Numbers {
    fn at(&self, share: f64) -> f64 {
        us(self.calls[((self.calls.len() - 1) as f64 * share) as usize])
    }
}

fn tell(built: &Built, numbers: &Numbers) {
    println!("{}: {} KB, {} calls, each on a fresh instance", built.name, built.module.bytes.div_ceil(1024), numbers.calls.len());
    println!("  a whole call: {:.1} µs of processor time, {:.1} µs on the clock", us(numbers.processor), us(numbers.wall));
    let (p50, p90, p99) = (numbers.at(0.5), numbers.at(0.9), numbers.at(0.99));
    println!(
        "  of these in the guest and around it: p50 {p50:.1} µs, p90 {p90:.1} µs, p99 {p99:.1} µs; the first {:.1} µs",
        us(numbers.first)
    );
    println!("  the guest: {} instructions (fuel)", numbers.fuel);
    println!(
        "  to make an instance and configure it, as every call begins: p50 {:.1} µs, {} instructions",
        us(numbers.configure),
        numbers.configure_fuel
    );
}

fn saved(built: &Built, numbers: &Numbers) -> Value {
    json!({
        "policy": built.name,
        "bytes": built.module.bytes,
        "fuel": numbers.fuel,
        "processorMicroseconds": us(numbers.processor),
        "p50Microseconds": numbers.at(0.5),
        "p99Microseconds": numbers.at(0.99),
        "firstMicroseconds": us(numbers.first),
        "configureMicroseconds": us(numbers.configure),
        "configureFuel": numbers.configure_fuel,
    })
}

fn compare(before: &Value, now: &Value, threshold: f64) -> Outcome {
    let fuel = |numbers: &Value| numbers["fuel"].as_f64().filter(|fuel| *fuel > 0.0);
    let (Some(old), Some(new)) = (fuel(before), fuel(now)) else {
        return Err("--compare: there is no fuel in these numbers; write them by --save".to_owned());
    };
    let more = (new - old) * 100.0 / old;
    println!("  compared: {more:+.1} % fuel, {} µs of processor time before", before["processorMicroseconds"]);
    match more > threshold {
        true => Err(format!("a call needs {more:.1} % more fuel than before, {threshold} % are fine")),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_fuel_than_the_threshold_fails() {
        let numbers = |fuel: u64| json!({"fuel": fuel});
        assert!(compare(&numbers(100), &numbers(105), 5.0).is_ok());
        assert!(compare(&numbers(100), &numbers(90), 5.0).is_ok());
        assert!(compare(&numbers(100), &numbers(106), 5.0).is_err());
        assert!(compare(&json!({}), &numbers(1), 5.0).unwrap_err().contains("--save"));
    }
}
