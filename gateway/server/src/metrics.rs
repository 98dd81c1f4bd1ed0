//! What is counted, under upstream's names where upstream has one. Follows `k8s.io/apiserver/pkg/endpoints/metrics`.
//! Counting happens on every request: handles are resolved once per kind of request and kept.

mod policies;

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use model::GroupVersionResource;
use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

const DURATION_BUCKETS_S: &[f64] = &[
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0,
];
const SIZE_BUCKETS_BYTES: &[f64] = &[1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];
const KIND: &[&str] = &["component", "dry_run", "group", "resource", "scope", "subresource", "verb", "version"];
/// Kinds of request told apart; a client could otherwise make a series of every resource name it invents.
const KINDS_MAX: usize = 10_000;

/// What the store counts, in the order of [`Metrics::store`].
const STORE: &[(&str, &str)] = &[
    ("gatehouse_store_commits_total", "Commits made durable."),
    ("gatehouse_store_transactions_total", "Transactions answered with success."),
    ("gatehouse_store_conflicts_total", "Transactions refused because a condition did not hold."),
    ("gatehouse_store_records_total", "Objects written or deleted."),
    ("gatehouse_store_commit_microseconds_total", "Microseconds spent in making commits durable."),
];

/// What a request is, as far as its metrics are concerned.
#[derive(Clone, Copy, Debug, Default)]
pub struct Labels<'a> {
    /// The verb in upper case as upstream counts it: `LIST`, `APPLY`, `WATCH`.
    pub verb: &'a str,
    /// `All` for a dry run, else empty.
    pub dry_run: &'a str,
    /// API group.
    pub group: &'a str,
    /// API version.
    pub version: &'a str,
    /// Plural resource name.
    pub resource: &'a str,
    /// Subresource, or the path of a request that is about none.
    pub subresource: &'a str,
    /// `resource`, `namespace` or `cluster`.
    pub scope: &'a str,
}

impl<'a> Labels<'a> {
    fn values(&self) -> [&'a str; 8] {
        ["apiserver", self.dry_run, self.group, self.resource, self.scope, self.subresource, self.verb, self.version]
    }
}

/// The handles of one kind of request.
pub struct Series {
    labels: [String; 8],
    requests: IntCounterVec,
    codes: [OnceLock<IntCounter>; CODES.len()],
    duration: Histogram,
    size: Histogram,
    running: IntGauge,
}

const CODES: [u16; 6] = [200, 201, 403, 404, 409, 422];

impl Series {
    /// A request ended.
    pub fn observe(&self, code: u16, duration_s: f64, answer_bytes: Option<usize>) {
        self.count(code).inc();
        self.duration.observe(duration_s);
        if let Some(bytes) = answer_bytes {
            self.size.observe(bytes as f64);
        }
    }

    /// A long-running request ended; its duration says nothing.
    pub fn observe_long_running(&self, code: u16) {
        self.count(code).inc();
    }

    /// Counts a long-running request for as long as the guard lives.
    pub fn running(&self) -> Running {
        self.running.inc();
        Running(self.running.clone())
    }

    fn count(&self, code: u16) -> IntCounter {
        let resolve = || {
            let code = code.to_string();
            let [component, dry_run, group, resource, scope, subresource, verb, version] =
                self.labels.each_ref().map(String::as_str);
            self.requests.with_label_values(&[&code, component, dry_run, group, resource, scope, subresource, verb, version])
        };
        match CODES.iter().position(|known| *known == code) {
            Some(index) => self.codes[index].get_or_init(resolve).clone(),
            None => resolve(),
        }
    }
}

/// Something that is going on; it ends when this is dropped.
pub struct Running(IntGauge);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// The handles of one resource's watches.
pub struct Watches {
    registered: IntGauge,
    events: IntCounter,
    event_bytes: Histogram,
}

impl Watches {
    /// Counts a watcher for as long as the guard lives.
    pub fn running(&self) -> Running {
        self.registered.inc();
        Running(self.registered.clone())
    }

    /// A batch of events was sent; their sizes count as their mean.
    pub fn sent(&self, events: usize, bytes: usize) {
        self.events.inc_by(events as u64);
        for _ in 0..events {
            self.event_bytes.observe(bytes as f64 / events as f64);
        }
    }
}

/// Every metric of the server.
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    durations: HistogramVec,
    sizes: HistogramVec,
    running: IntGaugeVec,
    kinds: ArcSwap<HashMap<String, Arc<Series>>>,
    watchers: IntGaugeVec,
    watch_events: IntCounterVec,
    watch_event_sizes: HistogramVec,
    /// `apiserver_current_inflight_requests{request_kind="readOnly"}`.
    pub inflight_read_only: IntGauge,
    /// `apiserver_current_inflight_requests{request_kind="mutating"}`.
    pub inflight_mutating: IntGauge,
    /// `authentication_attempts{result="success"}`.
    pub authentications: IntCounter,
    /// `authentication_attempts{result="failure"}`.
    pub authentication_failures: IntCounter,
    /// `apiserver_authorization_decisions_total` by decision.
    pub authorizations_allowed: IntCounter,
    /// The same, denied.
    pub authorizations_denied: IntCounter,
    /// `apiserver_flowcontrol_rejected_requests_total`.
    pub refused: IntCounter,
    /// `apiserver_audit_event_total`.
    pub audit_events: IntCounter,
    /// `apiserver_audit_error_total`: writes that failed and were tried again.
    pub audit_failures: IntCounter,
    /// Commits, transactions, conflicts, records and microseconds in commits of the store; see [`STORE`].
    pub store: Vec<IntGauge>,
    /// `apiserver_storage_objects` by resource, filled when metrics are read.
    pub storage_objects: IntGaugeVec,
    before_reading: parking_lot::Mutex<Vec<Before>>,
    others: parking_lot::Mutex<Vec<Other>>,
}

type Before = Box<dyn Fn() + Send + Sync>;
type Other = Box<dyn Fn(&mut String) + Send + Sync>;

impl Metrics {
    /// Declares every metric. Fails only when two have the same name.
    pub fn new() -> Result<Arc<Self>, prometheus::Error> {
        let registry = Registry::new();
        let counter =
            |name: &str, help: &str, labels: &[&str]| declare(&registry, IntCounterVec::new(Opts::new(name, help), labels)?);
        let gauge =
            |name: &str, help: &str, labels: &[&str]| declare(&registry, IntGaugeVec::new(Opts::new(name, help), labels)?);
        let histogram = |name: &str, help: &str, buckets: &[f64], labels: &[&str]| {
            declare(&registry, HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), labels)?)
        };
        let mut with_code = vec!["code"];
        with_code.extend(KIND);
        let long = ["component", "group", "resource", "scope", "subresource", "verb", "version"];
        let watched = ["group", "resource", "version"];
        let inflight = gauge("apiserver_current_inflight_requests", "Requests being served, by kind.", &["request_kind"])?;
        let attempts = counter("authentication_attempts", "Attempts to authenticate, by result.", &["result"])?;
        let decisions =
            counter("apiserver_authorization_decisions_total", "Authorization decisions, by decision.", &["decision"])?;
        let single = |name: &str, help: &str| declare(&registry, IntCounter::new(name, help)?);
        let store =
            STORE.iter().map(|(name, help)| declare(&registry, IntGauge::new(*name, *help)?)).collect::<Result<_, _>>()?;
        let metrics = Self {
            refused: single("apiserver_flowcontrol_rejected_requests_total", "Requests refused because too many were waiting.")?,
            audit_events: single("apiserver_audit_event_total", "Audit events written.")?,
            audit_failures: single("apiserver_audit_error_total", "Writes of audit events that failed and were tried again.")?,
            store,
            requests: counter(
                "apiserver_request_total",
                "Requests, by what they asked for and the HTTP status of the answer.",
                &with_code,
            )?,
            durations: histogram(
                "apiserver_request_duration_seconds",
                "Time from a request's arrival to the end of its answer.",
                DURATION_BUCKETS_S,
                KIND,
            )?,
            sizes: histogram("apiserver_response_sizes", "Bytes of answers.", SIZE_BUCKETS_BYTES, &long)?,
            running: gauge("apiserver_longrunning_requests", "Long-running requests being served.", &long)?,
            kinds: ArcSwap::default(),
            watchers: gauge("apiserver_registered_watchers", "Watches being served.", &watched)?,
            watch_events: counter("apiserver_watch_events_total", "Events sent to watchers.", &watched)?,
            watch_event_sizes: histogram(
                "apiserver_watch_events_sizes",
                "Bytes of events sent to watchers.",
                &[1024., 2048., 4096., 8192., 16384., 32768., 65536., 131072.],
                &watched,
            )?,
            inflight_read_only: inflight.with_label_values(&["readOnly"]),
            inflight_mutating: inflight.with_label_values(&["mutating"]),
            authentications: attempts.with_label_values(&["success"]),
            authentication_failures: attempts.with_label_values(&["failure"]),
            authorizations_allowed: decisions.with_label_values(&["allowed"]),
            authorizations_denied: decisions.with_label_values(&["denied"]),
            storage_objects: gauge("apiserver_storage_objects", "Objects stored, by resource.", &["resource"])?,
            before_reading: parking_lot::Mutex::default(),
            others: parking_lot::Mutex::default(),
            registry,
        };
        let build = IntGaugeVec::new(
            Opts::new("kubernetes_build_info", "Always 1; what is running."),
            &["git_version", "major", "minor"],
        )?;
        build.with_label_values(&[&crate::version::git_version(), "1", "37"]).set(1);
        metrics.registry.register(Box::new(build))?;
        metrics.registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        Ok(Arc::new(metrics))
    }

    /// Where other parts register their own metrics.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Shows the calls of policies.
    pub fn policies(&self, policies: Arc<admission::policy::Policies>) -> prometheus::Result<()> {
        self.registry.register(Box::new(policies::Calls::new(policies)?))
    }

    /// Runs this whenever metrics are read, to fill gauges whose values lie elsewhere.
    pub fn before_reading(&self, fill: impl Fn() + Send + Sync + 'static) {
        self.before_reading.lock().push(Box::new(fill));
    }

    /// Lets a part that counts by itself write its metrics, in Prometheus' text form, after the others.
    pub fn also(&self, write: impl Fn(&mut String) + Send + Sync + 'static) {
        self.others.lock().push(Box::new(write));
    }

    /// The handles of a kind of request.
    pub fn series(&self, labels: &Labels<'_>) -> Arc<Series> {
        let key = labels.values().join("\0");
        if let Some(series) = self.kinds.load().get(&key) {
            return series.clone();
        }
        self.resolve(key, labels)
    }

    fn resolve(&self, key: String, labels: &Labels<'_>) -> Arc<Series> {
        if self.kinds.load().len() >= KINDS_MAX {
            return self.new_series(&Labels { verb: labels.verb, subresource: "other", ..Labels::default() });
        }
        let series = self.new_series(labels);
        self.kinds.rcu(|kinds| {
            let mut kinds = HashMap::clone(kinds);
            kinds.entry(key.clone()).or_insert_with(|| series.clone());
            kinds
        });
        series
    }

    fn new_series(&self, labels: &Labels<'_>) -> Arc<Series> {
        let values = labels.values();
        let long = ["apiserver", labels.group, labels.resource, labels.scope, labels.subresource, labels.verb, labels.version];
        Arc::new(Series {
            labels: values.map(str::to_owned),
            requests: self.requests.clone(),
            codes: Default::default(),
            duration: self.durations.with_label_values(&values),
            size: self.sizes.with_label_values(&long),
            running: self.running.with_label_values(&long),
        })
    }

    /// The handles of a resource's watches; keep them.
    pub fn watches(&self, resource: &GroupVersionResource) -> Watches {
        let labels = [&*resource.group, &*resource.resource, &*resource.version];
        Watches {
            registered: self.watchers.with_label_values(&labels),
            events: self.watch_events.with_label_values(&labels),
            event_bytes: self.watch_event_sizes.with_label_values(&labels),
        }
    }

    /// Begins anew with what is counted of requests by labels, as upstream does. What goes on just now is counted on, the
    /// events of its watches too.
    pub fn reset(&self) {
        self.kinds.store(Arc::default());
        self.requests.reset();
        self.durations.reset();
        self.sizes.reset();
        let labelled = [
            &self.authentications,
            &self.authentication_failures,
            &self.authorizations_allowed,
            &self.authorizations_denied,
            &self.refused,
        ];
        labelled.into_iter().for_each(IntCounter::reset);
    }

    /// All metrics in Prometheus' text form.
    pub fn text(&self) -> Vec<u8> {
        for fill in self.before_reading.lock().iter() {
            fill();
        }
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            // Encoding writes to memory and fails for a metric without values only; those are never gathered.
            let mut line = String::new();
            let _ = writeln!(line, "# {error}");
            text.extend(line.into_bytes());
        }
        let mut others = String::new();
        for write in self.others.lock().iter() {
            write(&mut others);
        }
        text.extend(others.into_bytes());
        text
    }
}

fn declare<C: prometheus::core::Collector + Clone + 'static>(registry: &Registry, collector: C) -> Result<C, prometheus::Error> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_under_upstreams_names() {
        let metrics = Metrics::new().unwrap();
        let labels = Labels { verb: "LIST", version: "v1", resource: "pods", scope: "namespace", ..Labels::default() };
        metrics.series(&labels).observe(200, 0.01, Some(10));
        metrics.series(&labels).observe(418, 0.01, None);
        metrics.series(&labels).observe(200, 0.01, Some(10));
        let watching = metrics.series(&Labels { verb: "WATCH", ..labels }).running();
        let text = String::from_utf8(metrics.text()).unwrap();
        let count = r#"apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="pods",scope="namespace",subresource="",verb="LIST",version="v1"} 2"#;
        assert!(text.contains(count), "{text}");
        assert!(text.contains(r#"code="418""#));
        assert!(text.contains(r#"verb="WATCH",version="v1"} 1"#));
        drop(watching);
        assert!(String::from_utf8(metrics.text()).unwrap().contains(r#"verb="WATCH",version="v1"} 0"#));
    }

    #[test]
    fn begins_anew_and_counts_on() {
        let metrics = Metrics::new().unwrap();
        let labels = Labels { verb: "LIST", version: "v1", resource: "pods", scope: "namespace", ..Labels::default() };
        let text = || String::from_utf8(metrics.text()).unwrap();
        metrics.series(&labels).observe(200, 0.01, Some(10));
        let watching = metrics.series(&Labels { verb: "WATCH", ..labels }).running();
        metrics.authentications.inc();
        metrics.reset();
        assert!(!text().contains("apiserver_request_total{") && text().contains("authentication_attempts{result=\"success\"} 0"));
        assert!(text().contains(r#"verb="WATCH",version="v1"} 1"#));
        metrics.series(&labels).observe(200, 0.01, Some(10));
        assert!(text().contains(r#"verb="LIST",version="v1"} 1"#));
        drop(watching);
    }

    #[test]
    fn counts_watchers_while_they_watch() {
        let metrics = Metrics::new().unwrap();
        let watches = metrics.watches(&GroupVersionResource::new("apps", "v1", "deployments"));
        let running = watches.running();
        watches.sent(3, 3000);
        let labels = r#"{group="apps",resource="deployments",version="v1"}"#;
        let text = String::from_utf8(metrics.text()).unwrap();
        assert!(text.contains(&format!("apiserver_registered_watchers{labels} 1")));
        assert!(text.contains(&format!("apiserver_watch_events_total{labels} 3")));
        drop(running);
        assert!(String::from_utf8(metrics.text()).unwrap().contains(&format!("apiserver_registered_watchers{labels} 0")));
    }

    #[test]
    fn fills_gauges_when_read() {
        let metrics = Metrics::new().unwrap();
        let objects = metrics.storage_objects.clone();
        metrics.before_reading(move || objects.with_label_values(&["pods"]).set(7));
        metrics.also(|out| out.push_str("gatehouse_other 1\n"));
        let text = String::from_utf8(metrics.text()).unwrap();
        assert!(text.contains(r#"apiserver_storage_objects{resource="pods"} 7"#) && text.ends_with("\ngatehouse_other 1\n"));
    }
}
