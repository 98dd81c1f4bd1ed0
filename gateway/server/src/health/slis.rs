//! What `/metrics/slis` tells: how each check of `/livez`, `/readyz` and `/healthz` ended last, and how often it ended so.
//! Follows `k8s.io/component-base/metrics/prometheus/slis`. Checks that are asked for one by one do not count, as there.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

/// Where checks are asked for, sorted.
pub(super) const ENDPOINTS: [&str; 3] = ["healthz", "livez", "readyz"];

/// The results of one check, by endpoint.
#[derive(Default)]
pub(super) struct Tally([Results; 3]);

#[derive(Default)]
struct Results {
    /// One more than how it ended last (1 is well); nothing while it was not asked for.
    last: AtomicU64,
    well: AtomicU64,
    ill: AtomicU64,
}

impl Tally {
    /// Counts a result.
    pub(super) fn observe(&self, endpoint: &str, well: bool) {
        let Some(at) = ENDPOINTS.iter().position(|known| *known == endpoint) else { return };
        let results = &self.0[at];
        results.last.store(1 + u64::from(well), Ordering::Relaxed);
        let count = if well { &results.well } else { &results.ill };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// Forgets all results.
    pub(super) fn reset(&self) {
        for number in self.0.iter().flat_map(|results| [&results.last, &results.well, &results.ill]) {
            number.store(0, Ordering::Relaxed);
        }
    }
}

/// What is known of the checks, as Prometheus reads it; empty where none was asked for.
pub(super) fn text<'c>(checks: impl Iterator<Item = (&'c str, &'c Tally)>) -> String {
    let mut checks: Vec<_> = checks.collect();
    checks.sort_unstable_by_key(|(name, _)| *name);
    let (mut last, mut total) = (String::new(), String::new());
    for (name, tally) in checks {
        let each = || ENDPOINTS.iter().zip(&tally.0);
        for (endpoint, results) in each() {
            if let Some(well) = results.last.load(Ordering::Relaxed).checked_sub(1) {
                let _ = writeln!(last, "kubernetes_healthcheck{{name=\"{name}\",type=\"{endpoint}\"}} {well}");
            }
        }
        for (status, of) in [("error", (|r| &r.ill) as fn(&Results) -> &AtomicU64), ("success", |r| &r.well)] {
            for (endpoint, results) in each() {
                let count = of(results).load(Ordering::Relaxed);
                if count > 0 {
                    let _ = writeln!(
                        total,
                        "kubernetes_healthchecks_total{{name=\"{name}\",status=\"{status}\",type=\"{endpoint}\"}} {count}"
                    );
                }
            }
        }
    }
    family("kubernetes_healthcheck", "gauge", "This metric records the result of a single healthcheck.", &last)
        + &family("kubernetes_healthchecks_total", "counter", "This metric records the results of all healthcheck.", &total)
}

fn family(name: &str, kind: &str, help: &str, lines: &str) -> String {
    if lines.is_empty() { String::new() } else { format!("# HELP {name} [STABLE] {help}\n# TYPE {name} {kind}\n{lines}") }
}
