//! Extension servers: the versions of groups that an APIService gives to a service of the cluster. Here is what APIServices
//! say now; requests are passed on by `proxy`, what the servers tell of themselves is fetched by `refresh`, off every request's
//! path. Sets no condition (`controllers`) and renders no document (`catalog`).
//! Follows `k8s.io/kube-aggregator/pkg/apiserver`.

mod answer;
mod ask;
mod check;
mod discovery;
mod headers;
mod objects;
mod openapi;
mod proxy;
mod refresh;
mod tunnel;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};

use admission::followed::{Followed, Newest};
use arc_swap::ArcSwap;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use catalog::services::{self, Freshness, Priority, Remote, Service};
use model::version::by_maturity;
use model::world::{Extensions, ResourceFacts};
use model::{GroupVersionResource, RequestInfo, Revision, Value, meta};
use parking_lot::Mutex;
use rustls::client::ResolvesClientCert;
use tokio::sync::watch;

use crate::client::{Endpoint, Terms, Trust};
use crate::following;
use crate::gate::Gate;
use crate::tls::Certificates;

pub use check::check;
pub(crate) use objects::Objects;
pub(crate) use proxy::run as pass_on;

/// By group, then version.
type Routes = HashMap<Arc<str>, HashMap<Arc<str>, Arc<Route>>>;

/// Everything APIServices say.
pub struct Aggregation {
    /// Those that an extension server serves. Swapped as a whole; nearly always empty.
    routes: ArcSwap<Routes>,
    /// By name.
    known: Mutex<BTreeMap<String, Known>>,
    /// Counts changes of routes.
    changes: watch::Sender<u64>,
    /// The certificate by which extension servers know this server.
    shown: Option<Arc<Certificates>>,
    redirects: Redirects,
}

/// What becomes of answers by which an extension server sends a client elsewhere. Nobody here goes there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redirects {
    /// The client is told that they are not permitted.
    Refused,
    /// The client gets them, and goes itself if it likes.
    PassedOn,
}

/// One version of a group that an extension server serves.
pub(crate) struct Route {
    /// The APIService's name.
    pub(crate) name: String,
    pub(crate) group: Arc<str>,
    pub(crate) version: Arc<str>,
    /// Whether its server was found to answer.
    pub(crate) is_available: bool,
    /// Whom to call; why nobody can be.
    pub(crate) side: Result<Arc<Endpoint>, String>,
}

/// One APIService.
struct Known {
    group: Arc<str>,
    version: Arc<str>,
    priority: Priority,
    spec: Value,
    remote: Option<(Arc<Route>, Remote)>,
}

impl Aggregation {
    /// Of a cluster without extension servers, until others are told of.
    pub fn new(shown: Option<Arc<Certificates>>, redirects: Redirects) -> Self {
        let (routes, known) = Default::default();
        Self { routes, known, changes: watch::Sender::new(0), shown, redirects }
    }

    /// Who serves a request, if it is an extension server.
    pub(crate) fn route(&self, info: &RequestInfo) -> Option<Arc<Route>> {
        let routes = self.routes.load();
        if routes.is_empty() {
            return None;
        }
        let of = |group: &str, version: &str| routes.get(group)?.get(version).cloned();
        if info.resource_request {
            return of(&info.group, &info.version);
        }
        let segments: Vec<&str> = info.path.split('/').skip(1).collect();
        match segments[..] {
            ["apis", group, version, ..] => of(group, version),
            ["openapi", "v3", "apis", group, version] => of(group, version).filter(|route| self.describes(route)),
            _ => None,
        }
    }

    /// Who serves a version of a group, if it is an extension server.
    pub(crate) fn route_of(&self, group: &str, version: &str) -> Option<Arc<Route>> {
        self.routes.load().get(group)?.get(version).cloned()
    }

    /// What extension servers say they serve, each resource in the version that clients prefer.
    pub(crate) fn extensions(&self) -> Extensions {
        if self.routes.load().is_empty() { Extensions::default() } else { extensions(&self.known.lock()) }
    }

    /// Whether the server has an OpenAPI v3 document of its own.
    fn describes(&self, route: &Route) -> bool {
        let known = self.known.lock();
        let found = known.get(&route.name).and_then(|known| known.remote.as_ref());
        found.is_some_and(|(_, found)| !found.v3.is_empty())
    }

    /// Every route, by the name of its APIService.
    fn all(&self) -> BTreeMap<String, Arc<Route>> {
        let known = self.known.lock();
        let remote = known.iter().filter_map(|(name, known)| Some((name.clone(), known.remote.as_ref()?.0.clone())));
        remote.collect()
    }

    /// Notes what a server told of itself, if it still is the one that is meant.
    fn found(&self, gate: &Gate, route: &Arc<Route>, found: Remote) {
        let mut known = self.known.lock();
        let place = known.get_mut(&route.name).and_then(|known| known.remote.as_mut());
        let Some((_, before)) = place.filter(|(now, _)| Arc::ptr_eq(now, route)) else { return };
        if *before != found {
            *before = found;
            self.publish(gate, &known);
        }
    }

    /// What was told of a server last.
    fn last(&self, route: &Route) -> Remote {
        let known = self.known.lock();
        known.get(&route.name).and_then(|known| known.remote.as_ref()).map(|(_, found)| found.clone()).unwrap_or_default()
    }

    fn replace(&self, gate: &Gate, objects: &[Value]) {
        let mut known = self.known.lock();
        let mut before = std::mem::take(&mut *known);
        for object in objects {
            let name = meta::name(object).to_owned();
            let made = self.read(object, before.remove(&name));
            known.insert(name, made);
        }
        self.swap(gate, &known);
    }

    fn put(&self, gate: &Gate, object: &Value) {
        let mut known = self.known.lock();
        let name = meta::name(object).to_owned();
        let before = known.remove(&name);
        let concerned = before.as_ref().is_some_and(Known::says_something);
        let made = self.read(object, before);
        let concerned = concerned || made.says_something();
        known.insert(name, made);
        if concerned {
            self.swap(gate, &known);
        }
    }

    fn remove(&self, gate: &Gate, name: &str) {
        let mut known = self.known.lock();
        if known.remove(name).is_some_and(|gone| gone.says_something()) {
            self.swap(gate, &known);
        }
    }

    /// What an APIService says. Who it leads to keeps its connections, and what it told, as long as it is the same.
    fn read(&self, object: &Value, before: Option<Known>) -> Known {
        let spec = object.get("spec").cloned().unwrap_or_default();
        let number = |field: &str| spec.get(field).and_then(Value::as_i64).unwrap_or(0);
        let (group, version): (Arc<str>, Arc<str>) = (text(&spec, "group").into(), text(&spec, "version").into());
        // Upstream would pass on everything below `/api`; here the core group stays at home.
        let is_remote = spec.get("service").is_some_and(Value::is_object) && !group.is_empty();
        let same = before.filter(|before| led_to(&before.spec) == led_to(&spec)).and_then(|before| before.remote);
        let remote = is_remote.then(|| {
            let (side, found) = match same {
                Some((route, found)) => (route.side.clone(), found),
                None => (self.side(&spec), Remote::default()),
            };
            let (group, version) = (group.clone(), version.clone());
            let name = meta::name(object).to_owned();
            (Arc::new(Route { name, group, version, is_available: is_available(object), side }), found)
        });
        let priority = Priority { group: number("groupPriorityMinimum"), version: number("versionPriority") };
        Known { group, version, priority, spec, remote }
    }

    /// Whom a specification leads to.
    fn side(&self, spec: &Value) -> Result<Arc<Endpoint>, String> {
        let bundle = BASE64_STANDARD.decode(text(spec, "caBundle")).unwrap_or_default();
        let unverified = spec.get("insecureSkipTLSVerify").and_then(Value::as_bool).unwrap_or(false);
        let shown = self.shown.clone().map(|shown| shown as Arc<dyn ResolvesClientCert>);
        let trust = Trust::of(Terms { bundle: &bundle, unverified, shown })?;
        Ok(Arc::new(Endpoint::of_service(&spec["service"], trust)))
    }

    fn swap(&self, gate: &Gate, known: &BTreeMap<String, Known>) {
        let mut routes = Routes::new();
        for (route, _) in known.values().filter_map(|known| known.remote.as_ref()) {
            routes.entry(route.group.clone()).or_default().insert(route.version.clone(), route.clone());
        }
        self.routes.store(Arc::new(routes));
        self.publish(gate, known);
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// Lets clients see in discovery and OpenAPI what is known.
    fn publish(&self, gate: &Gate, known: &BTreeMap<String, Known>) {
        let mut told: Vec<Service> = known.values().filter(|known| known.says_something()).map(Known::service).collect();
        let name = |service: &Service| format!("{}.{}", service.version, service.group);
        told.sort_by_cached_key(|service| (-service.priority.group, -service.priority.version, name(service)));
        gate.served.tell(told, gate.clock.now());
    }
}

impl Known {
    /// Whether it says more than what holds without it.
    fn says_something(&self) -> bool {
        self.remote.is_some() || self.priority != services::usual(&self.group, &self.version)
    }

    fn service(&self) -> Service {
        Service {
            group: self.group.clone(),
            version: self.version.clone(),
            priority: self.priority,
            remote: self.remote.as_ref().map(|(_, found)| found.clone()),
        }
    }
}

fn extensions(known: &BTreeMap<String, Known>) -> Extensions {
    let mut told = Extensions::default();
    let mut remote: Vec<(&Known, &Remote)> = known.values().filter_map(|one| Some((one, &one.remote.as_ref()?.1))).collect();
    remote
        .sort_by(|(a, _), (b, _)| b.priority.version.cmp(&a.priority.version).then_with(|| by_maturity(&b.version, &a.version)));
    for (of, found) in remote {
        if found.freshness == Freshness::Stale {
            told.unknown.push(format!("{}/{}", of.group, of.version));
            continue;
        }
        for facts in found.resources.iter().map(|resource| facts(of, resource)) {
            let same =
                |one: &ResourceFacts| (&one.resource.group, &one.resource.resource) == (&of.group, &facts.resource.resource);
            if !told.resources.iter().any(same) {
                told.resources.push(facts);
            }
        }
    }
    told.unknown.sort();
    told
}

/// What generic controllers must know of a resource that discovery tells of.
fn facts(of: &Known, resource: &Value) -> ResourceFacts {
    let verbs = resource.get("verbs").and_then(Value::as_array).into_iter().flatten();
    ResourceFacts {
        resource: GroupVersionResource::new(&of.group, &of.version, text(resource, "resource")),
        kind: resource.pointer("/responseKind/kind").and_then(Value::as_str).unwrap_or("").to_owned(),
        namespaced: text(resource, "scope") == "Namespaced",
        verbs: verbs.filter_map(Value::as_str).map(str::to_owned).collect(),
    }
}

/// The part of a specification that says whom to call.
fn led_to(spec: &Value) -> [Option<&Value>; 3] {
    ["service", "caBundle", "insecureSkipTLSVerify"].map(|field| spec.get(field))
}

fn is_available(object: &Value) -> bool {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().any(|one| text(one, "type") == "Available" && text(one, "status") == "True")
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or("")
}

/// Hears of APIServices for a gate.
struct Registered(Weak<Gate>);

impl Registered {
    fn tell(&self, what: impl FnOnce(&Aggregation, &Gate)) {
        if let Some(gate) = self.0.upgrade() {
            what(&gate.aggregation, &gate);
        }
    }
}

impl Followed for Registered {
    /// Upstream's routes come a moment after their APIServices, too: nobody waits for them.
    fn followed(&self, _: Newest) {}

    fn replace(&self, objects: &[Value]) {
        self.tell(|aggregation, gate| aggregation.replace(gate, objects));
    }

    fn put(&self, object: &Value) {
        self.tell(|aggregation, gate| aggregation.put(gate, object));
    }

    fn remove(&self, name: &str) {
        self.tell(|aggregation, gate| aggregation.remove(gate, name));
    }

    fn reach(&self, _: Revision) {}
}

/// Puts in force what is stored now, then follows it, and asks extension servers about themselves, until dropped.
pub fn start(gate: &Arc<Gate>) -> impl Future<Output = ()> + Send + use<> {
    let registered = Arc::new(Registered(Arc::downgrade(gate)));
    let following = following::start(gate, ("apiregistration.k8s.io", "v1", "apiservices"), registered);
    let refreshing = refresh::run(gate.clone());
    async move {
        tokio::join!(following, refreshing);
    }
}

#[cfg(test)]
mod tests;
