//! Whether what APIServices lead to is there and answers: their condition Available. What is served here always is.
//! Passes no request on; whether a server answers is asked through [`Check`], because controllers reach no network.
//! Follows `k8s.io/kube-aggregator/pkg/controllers/status/{local,remote}`.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use model::clock::rfc3339;
use model::field::quote;
use model::json::json;
use model::{GroupVersionResource, Value, meta};

use super::meter::{Found, Meter};
use super::{resource, text};
use crate::feed::{Change, Reads, What};
use crate::queue::Queue;
use crate::runtime::{Context, Error, Next, Runtime, step};

/// Asks the server that an APIService leads to whether it answers; fails with what the condition says then.
pub type Check = Arc<dyn Fn(Value) -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

const NAME: &str = "available";
/// APIServices looked at the same time: one whose server does not answer takes seconds.
const WORKERS: usize = 5;
/// How often a server that answered is asked again: what lies between may break without any object telling so.
const EVERY: Duration = Duration::from_secs(30);
/// The first wait after a server did not answer; each further one doubles it, up to [`EVERY`].
const RETRY: Duration = Duration::from_millis(5);

/// What counts of a service's objects: that something changed.
const IDENTITY: Reads = crate::feed::IDENTITY;
const SLICES: Reads = &["metadata.name", "metadata.namespace", "metadata.uid", "metadata.labels"];
const SERVICE_OF: &str = "kubernetes.io/service-name";

struct Watcher {
    check: Check,
    queue: Arc<Queue<String>>,
    /// Namespace and name of the service that each remote APIService leads to.
    leads_to: Mutex<BTreeMap<String, (String, String)>>,
    /// How often in a row each did not answer.
    failures: Mutex<HashMap<String, u32>>,
    meter: Meter,
}

/// Adds the controller.
pub(crate) fn add(runtime: &mut Runtime, check: Check) {
    let watcher = Arc::new(Watcher {
        check,
        queue: Arc::default(),
        leads_to: Mutex::default(),
        failures: Mutex::default(),
        meter: Meter::default(),
    });
    let measured = watcher.clone();
    runtime.measure(move |out| measured.meter.write(out));
    let heard = watcher.clone();
    runtime.listen(resource(), Arc::new(move |change| heard.hear(change)));
    let heard = watcher.clone();
    let services = GroupVersionResource::new("", "v1", "services");
    runtime.listen_to(services, IDENTITY, Arc::new(move |change| heard.concern(change.object, meta::name(change.object))));
    let heard = watcher.clone();
    let slices = GroupVersionResource::new("discovery.k8s.io", "v1", "endpointslices");
    let of = |slice: &Value| meta::labels(slice).find(|(key, _)| *key == SERVICE_OF).map(|(_, value)| value.to_owned());
    runtime.listen_to(
        slices,
        SLICES,
        Arc::new(move |change| heard.concern(change.object, &of(change.object).unwrap_or_default())),
    );
    let queue = watcher.queue.clone();
    runtime.work(NAME, WORKERS, queue, move |context, name: String| {
        let watcher = watcher.clone();
        Box::pin(async move { watcher.reconcile(&context, &name).await })
    });
}

impl Watcher {
    fn hear(&self, change: &Change<'_>) {
        let name = meta::name(change.object);
        let service = change.object.pointer("/spec/service").filter(|_| change.what != What::Deleted);
        // No change to the map is left half done by a panic that could strike there.
        let mut leads_to = self.leads_to.lock().unwrap_or_else(PoisonError::into_inner);
        match service {
            Some(service) => drop(leads_to.insert(name.to_owned(), place(service))),
            None => drop(leads_to.remove(name)),
        }
        drop(leads_to);
        self.queue.add(name.to_owned());
    }

    /// Looks again at the APIServices that lead to a service of this name.
    fn concern(&self, object: &Value, service: &str) {
        let leads_to = self.leads_to.lock().unwrap_or_else(PoisonError::into_inner);
        let concerned = leads_to.iter().filter(|(_, (namespace, name))| namespace == meta::namespace(object) && name == service);
        concerned.for_each(|(name, _)| self.queue.add(name.clone()));
    }

    async fn reconcile(&self, context: &Context, name: &str) -> Result<Next, Error> {
        let known = match context.world.get(&resource(), "", name).await {
            Err(status) if status.code == 404 => {
                self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
                self.meter.forget(name);
                return Ok(Next::Wait);
            }
            known => known.map_err(step("read APIService"))?,
        };
        let (condition, next) = match known.pointer("/spec/service").filter(|service| service.is_object()) {
            None => (LOCAL, Next::Wait),
            Some(service) => self.look(context, &known, service).await?,
        };
        let found = if condition.status == "True" { Found::Available } else { Found::Unavailable(condition.reason) };
        self.meter.found(name, is_available(&known), found);
        if let Some(conditions) = changed(&known, &condition, &rfc3339(context.clock.now())) {
            let mut known = known;
            known["status"]["conditions"] = conditions;
            context.world.update(&resource(), "status", known).await.map_err(step("update status of APIService"))?;
        }
        Ok(next)
    }

    async fn look(&self, context: &Context, known: &Value, reference: &Value) -> Result<(Condition, Next), Error> {
        let (namespace, name) = place(reference);
        let services = GroupVersionResource::new("", "v1", "services");
        let service = match context.world.get(&services, &namespace, &name).await {
            Err(status) if status.code == 404 => None,
            service => Some(service.map_err(step("read Service"))?),
        };
        let slices = GroupVersionResource::new("discovery.k8s.io", "v1", "endpointslices");
        let slices = context.world.list(&slices, &namespace, &format!("{SERVICE_OF}={name}")).await;
        let (slices, _) = slices.map_err(step("list EndpointSlices"))?;
        if let Some(missing) = missing(reference, service.as_ref(), &slices) {
            return Ok((missing, Next::Wait));
        }
        let outcome = (self.check)(known.clone()).await;
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(match outcome {
            Ok(()) => {
                failures.remove(meta::name(known));
                (Condition::new("True", "Passed", "all checks passed"), Next::After(EVERY))
            }
            Err(why) => {
                let failed = failures.entry(meta::name(known).to_owned()).or_default();
                let wait = RETRY.saturating_mul(1 << (*failed).min(16)).min(EVERY);
                *failed = failed.saturating_add(1);
                (Condition::new("False", "FailedDiscoveryCheck", why), Next::After(wait))
            }
        })
    }
}

/// What the condition Available says.
#[derive(Debug, PartialEq)]
struct Condition {
    status: &'static str,
    reason: &'static str,
    message: std::borrow::Cow<'static, str>,
}

const LOCAL: Condition =
    Condition { status: "True", reason: "Local", message: std::borrow::Cow::Borrowed("Local APIServices are always available") };

impl Condition {
    fn new(status: &'static str, reason: &'static str, message: impl Into<std::borrow::Cow<'static, str>>) -> Self {
        Self { status, reason, message: message.into() }
    }
}

/// What the condition says now.
fn is_available(known: &Value) -> bool {
    let mut conditions = known.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
    conditions.any(|one| text(one, "/type") == "Available" && text(one, "/status") == "True")
}

/// What is missing of a service; nothing when its server can be asked.
fn missing(reference: &Value, service: Option<&Value>, slices: &[Value]) -> Option<Condition> {
    let (namespace, name) = place(reference);
    let of = format!("service/{name} in {}", quote(&namespace));
    let failed = |reason, message: String| Some(Condition::new("False", reason, message));
    let Some(service) = service else { return failed("ServiceNotFound", format!("{of} is not present")) };
    if text(service, "/spec/type") != "ClusterIP" {
        return None;
    }
    let port = reference.get("port").and_then(Value::as_i64).unwrap_or(443);
    let ports = service.pointer("/spec/ports").and_then(Value::as_array);
    let Some(known) = ports.into_iter().flatten().find(|known| known.get("port").and_then(Value::as_i64) == Some(port)) else {
        return failed("ServicePortError", format!("{of} is not listening on port {port}"));
    };
    if slices.is_empty() {
        return failed("EndpointsNotFound", format!("cannot find endpointslices for {of}"));
    }
    let port_name = text(known, "/name");
    if !slices.iter().any(|slice| is_ready(slice, port_name)) {
        let message = format!("endpointslices for {of} have no addresses with port name {}", quote(port_name));
        return failed("MissingEndpoints", message);
    }
    None
}

/// Whether a slice has somebody who is ready, and the port.
fn is_ready(slice: &Value, port_name: &str) -> bool {
    let all = |field: &str| slice.get(field).and_then(Value::as_array).into_iter().flatten();
    all("endpoints").any(|endpoint| endpoint.pointer("/conditions/ready").and_then(Value::as_bool).unwrap_or(true))
        && all("ports").any(|port| port.get("port").is_some() && port.get("name").and_then(Value::as_str) == Some(port_name))
}

/// The conditions with this one among them; nothing when it says what it did.
fn changed(known: &Value, condition: &Condition, now: &str) -> Option<Value> {
    let mut all = known.pointer("/status/conditions").and_then(Value::as_array).cloned().unwrap_or_default();
    let at = all.iter().position(|one| text(one, "/type") == "Available");
    let before = at.map(|at| &all[at]);
    let same_status = before.is_some_and(|before| text(before, "/status") == condition.status);
    let said = |field: &str| before.map_or("", |before| text(before, field));
    if same_status && said("/reason") == condition.reason && said("/message") == condition.message {
        return None;
    }
    let since = if same_status { said("/lastTransitionTime") } else { now };
    let made = json!({
        "type": "Available", "status": condition.status, "lastTransitionTime": since,
        "reason": condition.reason, "message": &*condition.message,
    });
    match at {
        Some(at) => all[at] = made,
        None => all.push(made),
    }
    Some(all.into())
}

/// Namespace and name of a service that is referred to.
fn place(reference: &Value) -> (String, String) {
    (text(reference, "/namespace").to_owned(), text(reference, "/name").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(kind: &str) -> Value {
        json!({"spec": {"type": kind, "ports": [{"name": "https", "port": 443}]}})
    }

    fn slice(ready: Value, port: &str) -> Value {
        json!({"endpoints": [{"addresses": ["10.1.0.9"], "conditions": ready}], "ports": [{"name": port, "port": 8443}]})
    }

    #[test]
    fn what_is_missing_is_told_in_upstreams_words() {
        let reference = json!({"namespace": "a", "name": "s", "port": 443});
        let told = |service: Option<&Value>, slices: &[Value]| {
            missing(&reference, service, slices).map(|condition| (condition.reason, condition.message.into_owned()))
        };
        let known = service("ClusterIP");
        let words = |reason, message: &str| Some((reason, message.to_owned()));
        assert_eq!(told(None, &[]), words("ServiceNotFound", "service/s in \"a\" is not present"));
        let elsewhere = json!({"spec": {"type": "ClusterIP", "ports": [{"port": 80}]}});
        assert_eq!(told(Some(&elsewhere), &[]), words("ServicePortError", "service/s in \"a\" is not listening on port 443"));
        assert_eq!(told(Some(&known), &[]), words("EndpointsNotFound", "cannot find endpointslices for service/s in \"a\""));
        let none = "endpointslices for service/s in \"a\" have no addresses with port name \"https\"";
        assert_eq!(told(Some(&known), &[slice(json!({"ready": false}), "https")]), words("MissingEndpoints", none));
        assert_eq!(told(Some(&known), &[slice(json!({}), "http")]), words("MissingEndpoints", none));
        assert_eq!(told(Some(&known), &[slice(json!({"ready": false}), "https"), slice(json!({}), "https")]), None);
        assert_eq!(told(Some(&service("ExternalName")), &[]), None, "elsewhere only the server itself can tell");
    }

    #[test]
    fn a_condition_keeps_its_time_as_long_as_its_status() {
        let at = |when: &str, message: &str| json!([{"type": "Available", "status": "False", "lastTransitionTime": when, "reason": "FailedDiscoveryCheck", "message": message}]);
        let failed = |message: &'static str| Condition::new("False", "FailedDiscoveryCheck", message);
        assert_eq!(changed(&json!({}), &failed("x"), "2"), Some(at("2", "x")));
        let known = json!({"status": {"conditions": at("1", "x")}});
        assert_eq!(changed(&known, &failed("x"), "2"), None);
        assert_eq!(changed(&known, &failed("y"), "2"), Some(at("1", "y")));
        let passed = changed(&known, &LOCAL, "2").expect("another status");
        assert_eq!((&passed[0]["status"], &passed[0]["lastTransitionTime"]), (&json!("True"), &json!("2")));
    }
}
