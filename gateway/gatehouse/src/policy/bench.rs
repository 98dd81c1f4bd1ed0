//! `gatehouse policy bench`: what a call costs. Time depends on the machine and what else it does; the instructions of the
//! guest (fuel) do not, so that a comparison by them holds in CI.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use admission::policy::set::Entry;
use admission::policy::trial;
use cpu_time::ProcessTime;
use model::json::{Value, json};

use super::arguments::Arguments;
use super::build::Built;
use super::subject::{Asked, Bound, Policy};
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
    let policy = subject::policy(&subject::runtime()?, &arguments.folder())?;
    let (name, bytes, object) = (policy.name().to_owned(), policy.bytes(), object(arguments, policy.folder())?);
    let counted = match &policy {
        Policy::Component(built) => fuel(arguments, built, &object)?,
        // An evaluation in CEL has costs of its own kind, and no instructions.
        Policy::Cel(_) => (0, 0),
    };
    let mut numbers = measure(&policy.bind(arguments)?, &object, calls)?;
    (numbers.fuel, numbers.configure_fuel) = counted;
    tell(&name, bytes, &numbers);
    let saved = saved(&name, bytes, &numbers);
    if let Some(file) = arguments.option("save") {
        fs::write(file, format!("{saved}\n")).map_err(|error| format!("{file}: {error}"))?;
    }
    match arguments.option("compare") {
        Some(file) => compare(&document::one(file)?, &saved, threshold),
        None => Ok(()),
    }
}

fn object(arguments: &Arguments, folder: &Path) -> Result<Value, String> {
    if let Some(file) = arguments.option("object") {
        return document::one(file);
    }
    let cases = cases::read(&folder.join("cases"))?;
    let object = cases.into_iter().map(|case| case.body["object"].clone()).find(|object| !object.is_null());
    object.ok_or_else(|| "no case has an object; name one by --object FILE".to_owned())
}

fn measure(bound: &Bound, object: &Value, calls: usize) -> Result<Numbers, String> {
    let request = bound.request(&Value::Null, object)?;
    let asked = Asked { request: &request, object: Some(object), old: None, params: None, cluster: &[], allowed: &Value::Null };
    let first = bound.judge(&asked)?;
    first.outcome.map_err(|failure| failure.to_string())?;
    (0..calls / WARM_UP).for_each(|_| drop(bound.judge(&asked)));
    let (started, processor) = (Instant::now(), ProcessTime::now());
    let took = (0..calls).map(|_| bound.judge(&asked).map(|trial| trial.took));
    let mut took = took.collect::<Result<Vec<Duration>, _>>()?;
    let (wall, processor) = (started.elapsed() / calls as u32, processor.elapsed() / calls as u32);
    took.sort_unstable();
    let configure = match bound {
        Bound::Component { entry, .. } => began(entry, &request, calls),
        Bound::Cel(_) => Duration::ZERO,
    };
    Ok(Numbers { first: first.took, processor, wall, calls: took, fuel: 0, configure, configure_fuel: 0 })
}

/// What every call of a component begins with.
fn began(entry: &Entry, request: &wasm::Request, calls: usize) -> Duration {
    let mut began: Vec<Duration> = (0..calls).map(|_| trial::configure(entry, request).took).collect();
    began.sort_unstable();
    began[(calls - 1) / 2]
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

fn tell(name: &str, bytes: usize, numbers: &Numbers) {
    println!("{name}: {} KB, {} calls, each on a fresh instance", bytes.div_ceil(1024), numbers.calls.len());
    println!("  a whole call: {:.1} µs of processor time, {:.1} µs on the clock", us(numbers.processor), us(numbers.wall));
    let (p50, p90, p99) = (numbers.at(0.5), numbers.at(0.9), numbers.at(0.99));
    println!(
        "  of these in the policy: p50 {p50:.1} µs, p90 {p90:.1} µs, p99 {p99:.1} µs; the first {:.1} µs",
        us(numbers.first)
    );
    if numbers.fuel == 0 {
        return;
    }
    println!("  the guest: {} instructions (fuel)", numbers.fuel);
    println!(
        "  to make an instance and configure it, as every call begins: p50 {:.1} µs, {} instructions",
        us(numbers.configure),
        numbers.configure_fuel
    );
}

fn saved(name: &str, bytes: usize, numbers: &Numbers) -> Value {
    json!({
        "policy": name,
        "bytes": bytes,
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
