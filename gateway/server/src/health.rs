//! `/livez`, `/readyz`, `/healthz`: the checks, and the texts upstream answers with.
//! Follows `k8s.io/apiserver/pkg/server/healthz`. Knows no socket.

mod slis;

use std::borrow::Cow;

use crate::lifecycle::{Lifecycle, Stage};
use model::field::quote;
use slis::ENDPOINTS;

/// What upstream begins once it listens, by the names of its checks. Here all of it has begun before anybody can ask, so these hold
/// whenever they are asked; they are there for those who look for them.
const BEGUN: &[&str] = &[
    "poststarthook/start-apiserver-admission-initializer",
    "poststarthook/generic-apiserver-start-informers",
    "poststarthook/priority-and-fairness-config-consumer",
    "poststarthook/priority-and-fairness-filter",
    "poststarthook/storage-object-count-tracker-hook",
    "poststarthook/start-apiextensions-informers",
    "poststarthook/start-apiextensions-controllers",
    "poststarthook/crd-informer-synced",
    "poststarthook/start-system-namespaces-controller",
    "poststarthook/start-cluster-authentication-info-controller",
    "poststarthook/start-kube-apiserver-identity-lease-controller",
    "poststarthook/start-kube-apiserver-identity-lease-garbage-collector",
    "poststarthook/storage-readiness",
    "poststarthook/start-legacy-token-tracking-controller",
    "poststarthook/start-service-ip-repair-controllers",
    "poststarthook/rbac/bootstrap-roles",
    "poststarthook/scheduling/bootstrap-system-priority-classes",
    "poststarthook/priority-and-fairness-config-producer",
    "poststarthook/bootstrap-controller",
    "poststarthook/start-kubernetes-service-cidr-controller",
    "poststarthook/start-kube-aggregator-informers",
    "poststarthook/apiservice-status-local-available-controller",
    "poststarthook/apiservice-status-remote-available-controller",
    "poststarthook/apiservice-registration-controller",
    "poststarthook/apiservice-discovery-controller",
    "poststarthook/kube-apiserver-autoregistration",
    "autoregister-completion",
    "poststarthook/apiservice-openapi-controller",
    "poststarthook/apiservice-openapiv3-controller",
];

/// One thing that must be well.
pub struct Check {
    /// Its name in paths and lists.
    pub name: Cow<'static, str>,
    /// The name by which it is excluded together with others.
    pub group: Option<&'static str>,
    /// Whether failing means "restart me" (live) or only "send me no requests" (ready).
    pub scope: Scope,
    /// Says what is wrong; must not block.
    pub run: Box<dyn Fn() -> Result<(), String> + Send + Sync>,
}

/// Where a check counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// `/livez`, `/readyz` and `/healthz`.
    Everywhere,
    /// `/readyz` and `/healthz`.
    NotLive,
    /// `/readyz` only.
    Ready,
}

impl Scope {
    fn holds(self, endpoint: &str) -> bool {
        match endpoint {
            "readyz" => true,
            "healthz" => self != Self::Ready,
            _ => self == Self::Everywhere,
        }
    }
}

impl Check {
    /// A check that belongs to no group.
    pub fn new(
        name: impl Into<Cow<'static, str>>,
        scope: Scope,
        run: impl Fn() -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        Self { name: name.into(), group: None, scope, run: Box::new(run) }
    }

    /// The same in a group.
    #[must_use]
    pub fn of(self, group: &'static str) -> Self {
        Self { group: Some(group), ..self }
    }
}

/// The checks of a server.
pub struct Health {
    checks: Vec<(Check, slis::Tally)>,
}

/// An answer in plain text.
#[derive(Debug, PartialEq, Eq)]
pub struct Text {
    /// HTTP status.
    pub code: u16,
    /// The body.
    pub body: String,
}

impl Health {
    /// The given checks among those that every server has.
    pub fn new(checks: Vec<Check>, lifecycle: Lifecycle) -> Self {
        let holds = |name: &'static str, scope| Check::new(name, scope, || Ok(()));
        let mut all = vec![holds("ping", Scope::Everywhere), holds("log", Scope::Everywhere)];
        all.extend(checks);
        all.push(holds("informer-sync", Scope::Ready));
        all.extend(BEGUN.iter().map(|name| holds(name, Scope::Everywhere)));
        let shutdown = move || match lifecycle.stage() {
            Stage::Running => Ok(()),
            _ => Err("process is shutting down".to_owned()),
        };
        all.push(Check::new("shutdown", Scope::Ready, shutdown));
        Self { checks: all.into_iter().map(|check| (check, slis::Tally::default())).collect() }
    }

    /// Every path that is answered.
    pub fn paths(&self) -> Vec<String> {
        let below = |endpoint: &'static str| {
            let checks = self.checks.iter().map(|(check, _)| check).filter(move |check| check.scope.holds(endpoint));
            checks.map(move |check| format!("/{endpoint}/{}", check.name)).chain([format!("/{endpoint}")])
        };
        ENDPOINTS.into_iter().flat_map(below).collect()
    }

    /// Answers a path such as `/readyz` or `/livez/ping`; `None` when no check lies there.
    pub fn answer(&self, path: &str, query: &str) -> Option<Text> {
        let (endpoint, check) = path.strip_prefix('/')?.split_once('/').map_or((&path[1..], None), |(e, c)| (e, Some(c)));
        if !ENDPOINTS.contains(&endpoint) {
            return None;
        }
        let mut checks = self.checks.iter().filter(|(check, _)| check.scope.holds(endpoint));
        match check {
            None => Some(all(endpoint, checks, query)),
            Some(name) => checks.find(|(check, _)| check.name == name).map(|(check, _)| single(check)),
        }
    }

    /// How the checks ended so far: `/metrics/slis`.
    pub fn slis(&self) -> String {
        slis::text(self.checks.iter().map(|(check, tally)| (&*check.name, tally)))
    }

    /// Forgets how they ended.
    pub fn reset_slis(&self) {
        self.checks.iter().for_each(|(_, tally)| tally.reset());
    }
}

fn single(check: &Check) -> Text {
    match (check.run)() {
        Ok(()) => Text { code: 200, body: "ok".to_owned() },
        Err(error) => Text { code: 500, body: format!("internal server error: {error}\n") },
    }
}

fn all<'c>(endpoint: &str, checks: impl Iterator<Item = &'c (Check, slis::Tally)>, query: &str) -> Text {
    let (verbose, mut unknown) = parse(query);
    let excluded = unknown.clone();
    let mut lines = String::new();
    let mut failed = 0;
    for (check, tally) in checks {
        let name = &*check.name;
        if excluded.iter().any(|excluded| excluded == name) {
            unknown.retain(|excluded| excluded != name);
            lines.push_str(&format!("[+]{name} excluded: ok\n"));
        } else if let Some(group) = check.group.filter(|group| excluded.iter().any(|excluded| excluded == group)) {
            unknown.retain(|excluded| excluded != group);
            lines.push_str(&format!("[+]{name} excluded with {group}: ok\n"));
        } else if let Err(error) = (check.run)() {
            tally.observe(endpoint, false);
            tracing::warn!(check = name, endpoint, error, "health check failed");
            failed += 1;
            // Anybody may read this: the reason stands in the log.
            lines.push_str(&format!("[-]{name} failed: reason withheld\n"));
        } else {
            tally.observe(endpoint, true);
            lines.push_str(&format!("[+]{name} ok\n"));
        }
    }
    if !unknown.is_empty() {
        let names: Vec<String> = unknown.iter().map(|name| quote(name)).collect();
        lines.push_str(&format!("warn: some health checks cannot be excluded: no matches for {}\n", names.join(", ")));
    }
    match (failed, verbose) {
        (0, false) => Text { code: 200, body: "ok".to_owned() },
        (0, true) => Text { code: 200, body: format!("{lines}{endpoint} check passed\n") },
        _ => Text { code: 500, body: format!("{lines}{endpoint} check failed\n") },
    }
}

/// Whether `verbose` is asked for, and the excluded checks, sorted, each once.
fn parse(query: &str) -> (bool, Vec<String>) {
    let mut verbose = false;
    let mut excluded = Vec::new();
    for pair in query.split('&') {
        match pair.split_once('=').unwrap_or((pair, "")) {
            ("verbose", _) => verbose = true,
            ("exclude", name) => excluded.push(name.to_owned()),
            _ => {}
        }
    }
    excluded.sort();
    excluded.dedup();
    (verbose, excluded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health(storage: Result<(), String>) -> Health {
        let check = Check::new("storage", Scope::Everywhere, move || storage.clone());
        Health::new(vec![check], Lifecycle::default())
    }

    /// What is said, without what every server has begun.
    fn answer(health: &Health, path: &str, query: &str) -> Option<Text> {
        let mut text = health.answer(path, query)?;
        for name in ["log", "informer-sync"].iter().chain(BEGUN) {
            text.body = text.body.replace(&format!("[+]{name} ok\n"), "");
        }
        Some(text)
    }

    fn text(code: u16, body: &str) -> Option<Text> {
        Some(Text { code, body: body.to_owned() })
    }

    #[test]
    fn what_has_begun_is_listed_and_asked_for_as_upstream_names_it() {
        let health = health(Ok(()));
        let lists =
            |endpoint: &str, name: &str| health.answer(endpoint, "verbose").unwrap().body.contains(&format!("[+]{name} ok\n"));
        assert!(lists("/livez", "poststarthook/rbac/bootstrap-roles") && lists("/livez", "log"));
        assert!(lists("/readyz", "informer-sync") && !lists("/livez", "informer-sync"));
        assert_eq!(health.answer("/healthz/poststarthook/crd-informer-synced", ""), text(200, "ok"));
    }

    #[test]
    fn says_ok_or_lists_when_asked() {
        let health = health(Ok(()));
        assert_eq!(answer(&health, "/livez", ""), text(200, "ok"));
        assert_eq!(answer(&health, "/livez", "verbose"), text(200, "[+]ping ok\n[+]storage ok\nlivez check passed\n"));
        assert_eq!(
            answer(&health, "/readyz", "verbose=1"),
            text(200, "[+]ping ok\n[+]storage ok\n[+]shutdown ok\nreadyz check passed\n")
        );
        assert_eq!(answer(&health, "/healthz/ping", ""), text(200, "ok"));
        assert_eq!(answer(&health, "/livez/shutdown", ""), None);
        assert_eq!(answer(&health, "/version", ""), None);
    }

    #[test]
    fn withholds_the_reason_from_the_list_only() {
        let health = health(Err("disk is full".to_owned()));
        assert_eq!(
            answer(&health, "/readyz", ""),
            text(500, "[+]ping ok\n[-]storage failed: reason withheld\n[+]shutdown ok\nreadyz check failed\n")
        );
        assert_eq!(answer(&health, "/readyz/storage", ""), text(500, "internal server error: disk is full\n"));
    }

    #[test]
    fn excludes_what_it_knows_and_says_so_otherwise() {
        let health = health(Err("disk is full".to_owned()));
        let body = concat!(
            "[+]ping ok\n[+]storage excluded: ok\n",
            "warn: some health checks cannot be excluded: no matches for \"etcd\", \"loge\"\nlivez check passed\n"
        );
        assert_eq!(answer(&health, "/livez", "exclude=loge&verbose&exclude=storage&exclude=etcd"), text(200, body));
    }

    #[test]
    fn a_group_is_excluded_as_one_and_some_checks_are_not_of_life() {
        let ill = || Err("down".to_owned());
        let checks = vec![
            Check::new("etcd", Scope::Everywhere, ill).of("etcd"),
            Check::new("etcd-override-0", Scope::Everywhere, ill).of("etcd"),
            Check::new("kms-providers", Scope::NotLive, || Ok(())),
        ];
        let health = Health::new(checks, Lifecycle::default());
        let excluded = "[+]ping ok\n[+]etcd excluded: ok\n[+]etcd-override-0 excluded with etcd: ok\n";
        assert_eq!(answer(&health, "/livez", "verbose&exclude=etcd"), text(200, &format!("{excluded}livez check passed\n")));
        let more = format!("{excluded}[+]kms-providers ok\nhealthz check passed\n");
        assert_eq!(answer(&health, "/healthz", "verbose&exclude=etcd"), text(200, &more));
        assert_eq!(answer(&health, "/livez/kms-providers", ""), None);
        assert_eq!(answer(&health, "/readyz/kms-providers", ""), text(200, "ok"));
    }

    #[test]
    fn results_are_told_by_check_and_endpoint() {
        let health = health(Err("disk is full".to_owned()));
        assert_eq!(health.slis(), "", "nobody has asked");
        for (endpoint, query) in [("/livez", ""), ("/livez", ""), ("/readyz", "exclude=storage"), ("/readyz/ping", "")] {
            health.answer(endpoint, query);
        }
        let told: Vec<String> = health
            .slis()
            .lines()
            .filter(|line| ["# ", "=\"ping\"", "=\"storage\""].iter().any(|of| line.contains(of)))
            .map(str::to_owned)
            .collect();
        assert_eq!(
            told,
            [
                "# HELP kubernetes_healthcheck [STABLE] This metric records the result of a single healthcheck.",
                "# TYPE kubernetes_healthcheck gauge",
                "kubernetes_healthcheck{name=\"ping\",type=\"livez\"} 1",
                "kubernetes_healthcheck{name=\"ping\",type=\"readyz\"} 1",
                "kubernetes_healthcheck{name=\"storage\",type=\"livez\"} 0",
                "# HELP kubernetes_healthchecks_total [STABLE] This metric records the results of all healthcheck.",
                "# TYPE kubernetes_healthchecks_total counter",
                "kubernetes_healthchecks_total{name=\"ping\",status=\"success\",type=\"livez\"} 2",
                "kubernetes_healthchecks_total{name=\"ping\",status=\"success\",type=\"readyz\"} 1",
                "kubernetes_healthchecks_total{name=\"storage\",status=\"error\",type=\"livez\"} 2",
            ]
        );
        health.reset_slis();
        assert_eq!(health.slis(), "");
    }

    #[test]
    fn is_not_ready_once_asked_to_end() {
        let lifecycle = Lifecycle::default();
        let health = Health::new(Vec::new(), lifecycle.clone());
        lifecycle.advance(Stage::ShuttingDown);
        assert_eq!(health.answer("/livez", "").unwrap().code, 200);
        assert_eq!(answer(&health, "/readyz/shutdown", ""), text(500, "internal server error: process is shutting down\n"));
    }
}
