//! What is counted of APIServices: which are unavailable now, and how often each became so, in Prometheus' text form.
//! Follows `k8s.io/kube-aggregator/pkg/controllers/status/metrics`. Finds nothing out.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

/// Numbers of all APIServices that were looked at.
#[derive(Default)]
pub(super) struct Meter(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    unavailable: BTreeMap<String, bool>,
    /// By name and reason.
    became: BTreeMap<(String, &'static str), u64>,
}

/// What was found of an APIService.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Available,
    /// For this reason.
    Unavailable(&'static str),
}

impl Meter {
    /// Counts what was found of one that was available before, or was not.
    pub(super) fn found(&self, name: &str, was_available: bool, found: Found) {
        // No change is left half done by a panic that could strike there.
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.unavailable.insert(name.to_owned(), found != Found::Available);
        if let (true, Found::Unavailable(reason)) = (was_available, found) {
            *counts.became.entry((name.to_owned(), reason)).or_default() += 1;
        }
    }

    /// It is gone.
    pub(super) fn forget(&self, name: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).unavailable.remove(name);
    }

    pub(super) fn write(&self, out: &mut String) {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let gauge = "aggregator_unavailable_apiservice";
        head(out, gauge, "gauge", "Gauge of APIServices which are marked as unavailable broken down by APIService name.");
        for (name, unavailable) in &counts.unavailable {
            // Writing to memory does not fail, here and below.
            let _ = writeln!(out, "{gauge}{{name=\"{name}\"}} {}", u8::from(*unavailable));
        }
        if counts.became.is_empty() {
            return;
        }
        let counter = "aggregator_unavailable_apiservice_total";
        let help = "Counter of APIServices which are marked as unavailable broken down by APIService name and reason.";
        head(out, counter, "counter", help);
        for ((name, reason), count) in &counts.became {
            let _ = writeln!(out, "{counter}{{name=\"{name}\",reason=\"{reason}\"}} {count}");
        }
    }
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} [ALPHA] {help}\n# TYPE {name} {kind}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_unavailable_and_became_so_is_told() {
        let meter = Meter::default();
        meter.found("v1.a", true, Found::Available);
        meter.found("v1.b", false, Found::Unavailable("ServiceNotFound"));
        meter.found("v1.c", true, Found::Unavailable("FailedDiscoveryCheck"));
        meter.found("v1.gone", false, Found::Available);
        meter.forget("v1.gone");
        let mut out = String::new();
        meter.write(&mut out);
        let lines: Vec<&str> = out.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            lines,
            [
                "aggregator_unavailable_apiservice{name=\"v1.a\"} 0",
                "aggregator_unavailable_apiservice{name=\"v1.b\"} 1",
                "aggregator_unavailable_apiservice{name=\"v1.c\"} 1",
                "aggregator_unavailable_apiservice_total{name=\"v1.c\",reason=\"FailedDiscoveryCheck\"} 1",
            ]
        );
    }
}
