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
use super::cases::Case;
use super::subject::{Asked, Bound, Policy};
use super::{Outcome, cases, corpus, document, subject};

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
    let number = |name: &str| {
        let parsed =
            arguments.option(name).map(|word| word.parse::<f64>().map_err(|_| format!("--{name} {word:?} is no number")));
        parsed.transpose()
    };
    let calls = number("calls")?.map_or(CALLS, |calls| calls as usize).max(1);
    let threshold = number("threshold")?.unwrap_or(THRESHOLD);
    // Whoever named the wrong file is told before, not after all calls.
    let before = arguments.option("compare").map(document::one).transpose()?;
    let policy = subject::policy(&subject::runtime()?, &arguments.folder())?;
    let (name, bytes, sample) = (policy.name().to_owned(), policy.bytes(), Sample::of(arguments, policy.folder())?);
    let counted = match &policy {
        Policy::Component(built) => fuel(arguments, built, &sample)?,
        Policy::Cel(_) if before.is_some() => {
            return Err("an evaluation in CEL has no instructions to count; --compare is for components".to_owned());
        }
        // It has costs of its own kind.
        Policy::Cel(_) => (0, 0),
    };
    let mut numbers = measure(&policy.bind(arguments)?, &sample, calls)?;
    (numbers.fuel, numbers.configure_fuel) = counted;
    tell(&name, bytes, &numbers);
    let saved = saved(&name, bytes, &numbers);
    if let Some(file) = arguments.option("save") {
        fs::write(file, format!("{saved}\n")).map_err(|error| format!("{file}: {error}"))?;
    }
    before.map_or(Ok(()), |before| compare(&before, &saved, threshold))
}

/// What is judged again and again: the object that is named, or the first case that has a verdict, with all that it gives.
struct Sample {
    request: Value,
    object: Option<Value>,
    old: Option<Value>,
    params: Option<Value>,
    cluster: Vec<Value>,
    allowed: Value,
}

impl Sample {
    fn of(arguments: &Arguments, folder: &Path) -> Result<Self, String> {
        let mut cluster = corpus::in_files(arguments)?;
        if let Some(file) = arguments.option("object") {
            let (object, request, allowed) = (Some(document::one(file)?), Value::Null, Value::Null);
            return Ok(Self { request, object, old: None, params: None, cluster, allowed });
        }
        let has_verdict = |case: &Case| {
            let expect = &case.body["expect"];
            expect["settings"].is_null() && expect["error"].is_null() && expect["asked"] != false
        };
        let case = cases::read(&folder.join("cases"))?.into_iter().find(has_verdict);
        let case = case.ok_or("no case has a verdict; name an object by --object FILE")?;
        cluster.extend(cases::cluster(&case)?);
        let given = |field: &str| Some(case.body[field].clone()).filter(|value| !value.is_null());
        let (request, allowed) = (case.body["request"].clone(), case.body["authorizer"].clone());
        Ok(Self { request, object: given("object"), old: given("old"), params: given("params"), cluster, allowed })
    }

    fn about(&self) -> Result<&Value, String> {
        self.object.as_ref().or(self.old.as_ref()).ok_or_else(|| "there is no object to judge".to_owned())
    }

    fn asked<'a>(&'a self, request: &'a wasm::Request) -> Asked<'a> {
        let Self { object, old, params, cluster, allowed, .. } = self;
        Asked { request, object: object.as_ref(), old: old.as_ref(), params: params.as_ref(), cluster, allowed }
    }
}

fn measure(bound: &Bound, sample: &Sample, calls: usize) -> Result<Numbers, String> {
    let request = bound.request(&sample.request, sample.about()?)?;
    let asked = sample.asked(&request);
    let first = bound.judge(&asked)?;
    first.outcome.map_err(|failure| subject::told(&failure))?;
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
fn fuel(arguments: &Arguments, built: &Built, sample: &Sample) -> Result<(u64, u64), String> {
    let module = subject::counting()?.load(&built.component).map_err(|error| error.to_string())?;
    let counted = Built { name: built.name.clone(), folder: built.folder.clone(), component: Vec::new(), module };
    let entry = subject::bound(arguments, &counted)?;
    let request = trial::request(&sample.request, sample.about()?)?;
    let trial = subject::judge(&entry, &sample.asked(&request))?;
    trial.outcome.map_err(|failure| subject::told(&failure))?;
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
