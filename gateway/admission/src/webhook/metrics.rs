//! What is counted of calls, under upstream's names. Follows `k8s.io/apiserver/pkg/admission/metrics`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::Kind;
use crate::Operation;

/// Upper bounds of the histogram's buckets in seconds.
const BUCKETS_S: [f64; 8] = [0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 10.0, 25.0];
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

#[derive(Debug, Default)]
struct Histogram {
    count: u64,
    sum_s: f64,
    buckets: [u64; BUCKETS_S.len()],
}

#[derive(Debug, Default)]
struct Counts {
    durations: BTreeMap<String, Histogram>,
    requests: BTreeMap<String, u64>,
    rejections: BTreeMap<String, u64>,
    failed_open: BTreeMap<String, u64>,
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
            let seconds = call.took.as_secs_f64();
            histogram.count += 1;
            histogram.sum_s += seconds;
            for (bucket, bound) in histogram.buckets.iter_mut().zip(BUCKETS_S) {
                *bucket += u64::from(seconds <= bound);
            }
        }
        let labels = format!("code=\"{code}\",name=\"{name}\",operation=\"{operation}\",rejected=\"{rejected}\",type=\"{kind}\"");
        count(&mut counts.requests, labels);
        if let Some(error) = call.rejected {
            let error = error.word();
            let labels = format!(
                "error_type=\"{error}\",name=\"{name}\",operation=\"{operation}\",rejection_code=\"{code}\",type=\"{kind}\""
            );
            count(&mut counts.rejections, labels);
        }
    }

    /// A webhook was passed over because it failed.
    pub(super) fn failed_open(&self, webhook: &str, kind: Kind) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        count(&mut counts.failed_open, format!("name=\"{webhook}\",type=\"{}\"", kind.word()));
    }

    /// Appends everything in Prometheus' text form.
    pub fn write(&self, out: &mut String) {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        write_histograms(&counts.durations, out);
        for (name, what, counters) in [
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

fn write_histograms(histograms: &BTreeMap<String, Histogram>, out: &mut String) {
    const NAME: &str = "apiserver_admission_webhook_admission_duration_seconds";
    if !histograms.is_empty() {
        let _ = writeln!(out, "# HELP {NAME} [STABLE] Admission webhook latency histogram in seconds\n# TYPE {NAME} histogram");
    }
    for (labels, histogram) in histograms {
        for (bound, value) in BUCKETS_S.iter().zip(histogram.buckets) {
            let _ = writeln!(out, "{NAME}_bucket{{{labels},le=\"{bound}\"}} {value}");
        }
        let _ = writeln!(out, "{NAME}_bucket{{{labels},le=\"+Inf\"}} {}", histogram.count);
        let _ = writeln!(out, "{NAME}_sum{{{labels}}} {}\n{NAME}_count{{{labels}}} {}", histogram.sum_s, histogram.count);
    }
}

fn count(counters: &mut BTreeMap<String, u64>, labels: String) {
    if let Some(counter) = series(counters, labels) {
        *counter += 1;
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
        let mut text = String::new();
        metrics.write(&mut text);
        for line in [
            r#"apiserver_admission_webhook_rejection_count{error_type="no_error",name="a.b.c",operation="CREATE",rejection_code="600",type="validating"} 1"#,
            r#"apiserver_admission_webhook_request_total{code="600",name="a.b.c",operation="CREATE",rejected="true",type="validating"} 1"#,
            r#"apiserver_admission_webhook_fail_open_count{name="a.b.c",type="admit"} 1"#,
            r#"apiserver_admission_webhook_admission_duration_seconds_bucket{name="a.b.c",operation="CREATE",rejected="true",type="validating",le="0.1"} 1"#,
            r#"apiserver_admission_webhook_admission_duration_seconds_bucket{name="a.b.c",operation="CREATE",rejected="true",type="validating",le="0.025"} 0"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
