//! What is counted of calls, under upstream's names. Follows `k8s.io/apiserver/pkg/admission/metrics`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::Kind;
use crate::Operation;

/// Upper bounds of the buckets in seconds: of calls, and of evaluating match conditions.
const CALL_BUCKETS_S: &[f64] = &[0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 10.0, 25.0];
const CONDITION_BUCKETS_S: &[f64] = &[0.001, 0.005, 0.01, 0.025, 0.1, 0.2, 0.25];
/// Greater codes are counted as this one, as upstream: a webhook may answer any number.
const CODE_MAX: u16 = 600;
/// Series of one metric: webhooks come and go, and a scrape must stay small.
const SERIES_MAX: usize = 10_000;

/// Why a write was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The webhook could not be called, or its answer could not be used.
    Calling,
    /// What was made of the answer failed.
    Server,
    /// The webhook said no.
    None,
}

impl Error {
    fn word(self) -> &'static str {
        match self {
            Self::Calling => "calling_webhook_error",
            Self::Server => "apiserver_internal_error",
            Self::None => "no_error",
        }
    }
}

/// One call that ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    pub(super) webhook: &'a str,
    pub(super) kind: Kind,
    pub(super) operation: Operation,
    pub(super) took: Duration,
    pub(super) code: u16,
    pub(super) rejected: Option<Error>,
}

/// One webhook's conditions, evaluated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Evaluation<'a> {
    pub(super) webhook: &'a str,
    pub(super) kind: Kind,
    pub(super) operation: Operation,
    pub(super) took: Duration,
    pub(super) errors: u64,
    pub(super) excluded: bool,
}

#[derive(Debug, Default)]
struct Histogram {
    count: u64,
    sum_s: f64,
    buckets: Vec<u64>,
}

impl Histogram {
    fn observe(&mut self, bounds: &[f64], took: Duration) {
        let seconds = took.as_secs_f64();
        self.count += 1;
        self.sum_s += seconds;
        self.buckets.resize(bounds.len(), 0);
        for (bucket, bound) in self.buckets.iter_mut().zip(bounds) {
            *bucket += u64::from(seconds <= *bound);
        }
    }
}

#[derive(Debug, Default)]
struct Counts {
    durations: BTreeMap<String, Histogram>,
    requests: BTreeMap<String, u64>,
    rejections: BTreeMap<String, u64>,
    failed_open: BTreeMap<String, u64>,
    condition_seconds: BTreeMap<String, Histogram>,
    condition_errors: BTreeMap<String, u64>,
    exclusions: BTreeMap<String, u64>,
}

/// Everything that was counted, by the labels as they are written.
#[derive(Debug, Default)]
pub struct Metrics(Mutex<Counts>);

impl Metrics {
    pub(super) fn observe(&self, call: Call<'_>) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (name, kind, operation) = (call.webhook, call.kind.word(), call.operation.as_str());
        let (code, rejected) = (call.code.min(CODE_MAX), call.rejected.is_some());
        let labels = format!("name=\"{name}\",operation=\"{operation}\",rejected=\"{rejected}\",type=\"{kind}\"");
        if let Some(histogram) = series(&mut counts.durations, labels) {
            histogram.observe(CALL_BUCKETS_S, call.took);
        }
        let labels = format!("code=\"{code}\",name=\"{name}\",operation=\"{operation}\",rejected=\"{rejected}\",type=\"{kind}\"");
        count(&mut counts.requests, labels, 1);
        if let Some(error) = call.rejected {
            let error = error.word();
            let labels = format!(
                "error_type=\"{error}\",name=\"{name}\",operation=\"{operation}\",rejection_code=\"{code}\",type=\"{kind}\""
            );
            count(&mut counts.rejections, labels, 1);
        }
    }

    /// A webhook was passed over because it failed.
    pub(super) fn failed_open(&self, webhook: &str, kind: Kind) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        count(&mut counts.failed_open, format!("name=\"{webhook}\",type=\"{}\"", kind.word()), 1);
    }

    /// Match conditions were evaluated.
    pub(super) fn conditions(&self, one: Evaluation<'_>) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (name, kind, operation) = (one.webhook, one.kind.word(), one.operation.as_str());
        let labels = format!("kind=\"webhook\",name=\"{name}\",operation=\"{operation}\",type=\"{kind}\"");
        if let Some(histogram) = series(&mut counts.condition_seconds, labels.clone()) {
            histogram.observe(CONDITION_BUCKETS_S, one.took);
        }
        if one.errors > 0 {
            count(&mut counts.condition_errors, labels.clone(), one.errors);
        }
        if one.excluded {
            count(&mut counts.exclusions, labels, 1);
        }
    }

    /// Appends everything in Prometheus' text form.
    pub fn write(&self, out: &mut String) {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        write_histograms(&CALLS, &counts.durations, out);
        write_histograms(&CONDITIONS, &counts.condition_seconds, out);
        for (name, what, counters) in [
            (
                "apiserver_admission_match_condition_evaluation_errors_total",
                "Match conditions that could not be evaluated, by whose they are",
                &counts.condition_errors,
            ),
            (
                "apiserver_admission_match_condition_exclusions_total",
                "Requests passed over because of match conditions, by whose they are",
                &counts.exclusions,
            ),
            ("apiserver_admission_webhook_fail_open_count", "Admission webhook fail open count", &counts.failed_open),
            ("apiserver_admission_webhook_rejection_count", "Admission webhook rejection count", &counts.rejections),
            ("apiserver_admission_webhook_request_total", "Admission webhook request total", &counts.requests),
        ] {
            if !counters.is_empty() {
                let _ = writeln!(out, "# HELP {name} [ALPHA] {what}\n# TYPE {name} counter");
            }
            for (labels, value) in counters {
                let _ = writeln!(out, "{name}{{{labels}}} {value}");
            }
        }
    }
}

/// A metric whose values are histograms.
struct Family {
    name: &'static str,
    help: &'static str,
    bounds_s: &'static [f64],
}

const CALLS: Family = Family {
    name: "apiserver_admission_webhook_admission_duration_seconds",
    help: "[STABLE] Admission webhook latency histogram in seconds",
    bounds_s: CALL_BUCKETS_S,
};
const CONDITIONS: Family = Family {
    name: "apiserver_admission_match_condition_evaluation_seconds",
    help: "[ALPHA] Time in seconds to evaluate match conditions, by whose they are",
    bounds_s: CONDITION_BUCKETS_S,
};

fn write_histograms(family: &Family, histograms: &BTreeMap<String, Histogram>, out: &mut String) {
    let Family { name, help, bounds_s } = family;
    if !histograms.is_empty() {
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} histogram");
    }
    for (labels, histogram) in histograms {
        for (bound, value) in bounds_s.iter().zip(&histogram.buckets) {
            let _ = writeln!(out, "{name}_bucket{{{labels},le=\"{bound}\"}} {value}");
        }
        let _ = writeln!(out, "{name}_bucket{{{labels},le=\"+Inf\"}} {}", histogram.count);
        let _ = writeln!(out, "{name}_sum{{{labels}}} {}\n{name}_count{{{labels}}} {}", histogram.sum_s, histogram.count);
    }
}

fn count(counters: &mut BTreeMap<String, u64>, labels: String, times: u64) {
    if let Some(counter) = series(counters, labels) {
        *counter += times;
    }
}

fn series<T: Default>(all: &mut BTreeMap<String, T>, labels: String) -> Option<&mut T> {
    if all.len() >= SERIES_MAX && !all.contains_key(&labels) {
        return None;
    }
    Some(all.entry(labels).or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_under_upstreams_names() {
        let metrics = Metrics::default();
        let call = Call {
            webhook: "a.b.c",
            kind: Kind::Validating,
            operation: Operation::Create,
            took: Duration::from_millis(50),
            code: 700,
            rejected: Some(Error::None),
        };
        metrics.observe(call);
        metrics.failed_open("a.b.c", Kind::Mutating);
        let took = Duration::from_millis(3);
        let (kind, operation) = (Kind::Mutating, Operation::Update);
        metrics.conditions(Evaluation { webhook: "a.b.c", kind, operation, took, errors: 2, excluded: true });
        let mut text = String::new();
        metrics.write(&mut text);
        for line in [
            r#"apiserver_admission_webhook_rejection_count{error_type="no_error",name="a.b.c",operation="CREATE",rejection_code="600",type="validating"} 1"#,
            r#"apiserver_admission_webhook_request_total{code="600",name="a.b.c",operation="CREATE",rejected="true",type="validating"} 1"#,
            r#"apiserver_admission_webhook_fail_open_count{name="a.b.c",type="admit"} 1"#,
            r#"apiserver_admission_webhook_admission_duration_seconds_bucket{name="a.b.c",operation="CREATE",rejected="true",type="validating",le="0.1"} 1"#,
            r#"apiserver_admission_webhook_admission_duration_seconds_bucket{name="a.b.c",operation="CREATE",rejected="true",type="validating",le="0.025"} 0"#,
            r#"apiserver_admission_match_condition_evaluation_seconds_bucket{kind="webhook",name="a.b.c",operation="UPDATE",type="admit",le="0.001"} 0"#,
            r#"apiserver_admission_match_condition_evaluation_seconds_bucket{kind="webhook",name="a.b.c",operation="UPDATE",type="admit",le="0.005"} 1"#,
            r#"apiserver_admission_match_condition_evaluation_errors_total{kind="webhook",name="a.b.c",operation="UPDATE",type="admit"} 2"#,
            r#"apiserver_admission_match_condition_exclusions_total{kind="webhook",name="a.b.c",operation="UPDATE",type="admit"} 1"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
