//! LimitRanger: containers get the defaults of their namespace's limit ranges, and nothing below the minimum, above the
//! maximum or beyond the ratio gets in. Follows `plugin/pkg/admission/limitranger`.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::quantity::Quantity;
use model::{GroupVersionResource, Status, Value, World, meta};

use crate::builtin::{forbidden, is, items, text};
use crate::{Notes, Operation, Plugin, Review};

const ANNOTATION: &str = "kubernetes.io/limit-ranger";
/// Upstream compares in thousandths where that fits 64 bits.
const MILLI_MAX: i64 = i64::MAX / 1000;
/// What a pod as a whole may ask for, beside its containers.
const POD_LEVEL: [&str; 2] = ["cpu", "memory"];

pub(super) type Amounts = BTreeMap<String, Quantity>;

pub(super) struct LimitRanger {
    world: Arc<dyn World>,
    ranges: GroupVersionResource,
}

impl LimitRanger {
    pub(super) fn new(world: Arc<dyn World>) -> Self {
        Self { world, ranges: GroupVersionResource::new("", "v1", "limitranges") }
    }

    /// The limits of the namespace, range by range; none for an object that is going away.
    async fn limits(&self, review: &Review<'_>) -> Result<Vec<Arc<Value>>, Status> {
        if review.old.is_some_and(|old| meta::deletion_timestamp(old).is_some()) {
            return Ok(Vec::new());
        }
        self.world.look_all(&self.ranges, review.namespace).await
    }
}

#[async_trait::async_trait]
impl Plugin for LimitRanger {
    fn name(&self) -> &'static str {
        "LimitRanger"
    }

    fn handles(&self, operation: Operation, resource: &GroupVersionResource, subresource: &str) -> bool {
        match (operation, subresource) {
            (Operation::Create, "") => is(resource, "", "pods") || is(resource, "", "persistentvolumeclaims"),
            (Operation::Update, "") => is(resource, "", "persistentvolumeclaims"),
            (Operation::Update, "resize") => is(resource, "", "pods"),
            _ => false,
        }
    }

    async fn mutate(&self, review: &Review<'_>, object: &mut Value, _notes: &mut Notes) -> Result<(), Status> {
        if is(review.resource, "", "pods") {
            for range in self.limits(review).await? {
                default_pod(object, &range);
            }
        }
        Ok(())
    }

    async fn validate(&self, review: &Review<'_>, object: Option<&Value>, _notes: &mut Notes) -> Result<(), Status> {
        let Some(object) = object else { return Ok(()) };
        let judge = if is(review.resource, "", "pods") { pod_faults } else { claim_faults };
        for range in self.limits(review).await? {
            let mut faults = judge(object, &range);
            if faults.len() == 1 {
                return Err(forbidden(review, Some(object), faults.remove(0)));
            } else if !faults.is_empty() {
                return Err(forbidden(review, Some(object), format!("[{}]", faults.join(", "))));
            }
        }
        Ok(())
    }
}

fn limits_of<'a>(range: &'a Value, kind: &'a str) -> impl Iterator<Item = &'a Value> {
    range.get("spec").map_or(&[][..], |spec| items(spec, "limits")).iter().filter(move |limit| text(limit, "type") == kind)
}

pub(super) fn amounts(holder: &Value, field: &str) -> Amounts {
    let entries = holder.get(field).and_then(Value::as_object).into_iter().flatten();
    entries.filter_map(|(name, amount)| Some((name.to_string(), Quantity::parse(amount.as_str()?).ok()?))).collect()
}

fn resources(container: &Value, field: &str) -> Amounts {
    container.get("resources").map(|resources| amounts(resources, field)).unwrap_or_default()
}

fn default_pod(pod: &mut Value, range: &Value) {
    let mut defaults: [(&str, &str, BTreeMap<&str, &Value>); 2] =
        [("requests", "request", BTreeMap::new()), ("limits", "limit", BTreeMap::new())];
    for limit in limits_of(range, "Container") {
        for (at, field) in ["defaultRequest", "default"].into_iter().enumerate() {
            let given = limit.get(field).and_then(Value::as_object).into_iter().flatten();
            defaults[at].2.extend(given.map(|(name, amount)| (name.as_str(), amount)));
        }
    }
    let mut done = Vec::new();
    for (list, what) in [("containers", "container"), ("initContainers", "init container")] {
        let Some(containers) = pod.get_mut("spec").and_then(|spec| spec.get_mut(list)).and_then(Value::as_array_mut) else {
            continue;
        };
        for container in containers {
            for (field, word, defaults) in &defaults {
                let set = fill(container, field, defaults);
                if !set.is_empty() {
                    done.push(format!("{} {word} for {what} {}", set.join(", "), text(container, "name")));
                }
            }
        }
    }
    if !done.is_empty() {
        meta::annotate(pod, ANNOTATION, format!("LimitRanger plugin set: {}", done.join("; ")));
    }
}

/// Fills in what is not given; tells what it filled in, in order.
fn fill(container: &mut Value, field: &str, defaults: &BTreeMap<&str, &Value>) -> Vec<String> {
    let missing: Vec<(&str, &Value)> = {
        let given = container.get("resources").and_then(|resources| resources.get(field));
        let lacks = |name: &str| given.and_then(|given| given.get(name)).is_none();
        defaults.iter().filter(|(name, _)| lacks(name)).map(|(name, amount)| (*name, *amount)).collect()
    };
    let Some(container) = container.as_object_mut().filter(|_| !missing.is_empty()) else { return Vec::new() };
    let resources = container.entry("resources").or_insert_with(|| Value::Object(model::Map::new()));
    let Some(resources) = resources.as_object_mut() else { return Vec::new() };
    let amounts = resources.entry(field).or_insert_with(|| Value::Object(model::Map::new()));
    let Some(amounts) = amounts.as_object_mut() else { return Vec::new() };
    for (name, amount) in &missing {
        amounts.insert((*name).to_owned(), (*amount).clone());
    }
    missing.into_iter().map(|(name, _)| name.to_owned()).collect()
}

fn claim_faults(claim: &Value, range: &Value) -> Vec<String> {
    let requests = claim.pointer("/spec/resources").map(|resources| amounts(resources, "requests")).unwrap_or_default();
    let mut faults = Vec::new();
    for limit in limits_of(range, "PersistentVolumeClaim") {
        let kind = "PersistentVolumeClaim";
        faults.extend(
            amounts(limit, "min").iter().filter_map(|(name, bound)| min_fault(kind, name, bound, &requests, &Amounts::new())),
        );
        faults.extend(amounts(limit, "max").iter().filter_map(|(name, bound)| max_request_fault(kind, name, bound, &requests)));
    }
    faults
}

fn pod_faults(pod: &Value, range: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let Some(spec) = pod.get("spec") else { return faults };
    for container in items(spec, "containers").iter().chain(items(spec, "initContainers")) {
        let (requests, limits) = (resources(container, "requests"), resources(container, "limits"));
        limits_of(range, "Container").for_each(|limit| faults.extend(all_faults("Container", limit, &requests, &limits)));
    }
    let (requests, limits) = (whole(spec, "requests"), whole(spec, "limits"));
    limits_of(range, "Pod").for_each(|limit| faults.extend(all_faults("Pod", limit, &requests, &limits)));
    faults
}

fn all_faults(kind: &str, limit: &Value, requests: &Amounts, limits: &Amounts) -> Vec<String> {
    let (min, max, ratio) = (amounts(limit, "min"), amounts(limit, "max"), amounts(limit, "maxLimitRequestRatio"));
    let below = min.iter().filter_map(|(name, bound)| min_fault(kind, name, bound, requests, limits));
    let above = max.iter().filter_map(|(name, bound)| max_fault(kind, name, bound, requests, limits));
    let beyond = ratio.iter().filter_map(|(name, bound)| ratio_fault(kind, name, bound, requests, limits));
    below.chain(above).chain(beyond).collect()
}

/// What a pod asks for: its containers together, or its init containers where one of those asks for more.
pub(super) fn whole(spec: &Value, field: &str) -> Amounts {
    let mut sum = Amounts::new();
    items(spec, "containers").iter().for_each(|container| add(&mut sum, &resources(container, field)));
    let (mut sidecars, mut init) = (Amounts::new(), Amounts::new());
    for container in items(spec, "initContainers") {
        let mut asked = resources(container, field);
        if text(container, "restartPolicy") == "Always" {
            add(&mut sum, &asked);
            add(&mut sidecars, &asked);
            asked = sidecars.clone();
        } else {
            add(&mut asked, &sidecars);
        }
        raise(&mut init, &asked);
    }
    raise(&mut sum, &init);
    let whole_pod = resources(spec, field);
    sum.extend(whole_pod.into_iter().filter(|(name, _)| POD_LEVEL.contains(&name.as_str())));
    sum
}

pub(super) fn add(sum: &mut Amounts, more: &Amounts) {
    for (name, amount) in more {
        match sum.get_mut(name) {
            Some(sum) => sum.add(amount),
            None => {
                sum.insert(name.clone(), amount.clone());
            }
        }
    }
}

fn raise(most: &mut Amounts, other: &Amounts) {
    for (name, amount) in other {
        if most.get(name).is_none_or(|most| amount > most) {
            most.insert(name.clone(), amount.clone());
        }
    }
}

/// Amounts as numbers that can be compared: in thousandths where all of them fit.
fn comparable(amounts: [Option<&Quantity>; 3]) -> [i64; 3] {
    let values = amounts.map(|amount| amount.map_or(0, Quantity::value));
    let fits = values.iter().all(|value| *value <= MILLI_MAX);
    if fits { amounts.map(|amount| amount.map_or(0, Quantity::milli_value)) } else { values }
}

fn min_fault(kind: &str, name: &str, bound: &Quantity, requests: &Amounts, limits: &Amounts) -> Option<String> {
    let (request, limit) = (requests.get(name), limits.get(name));
    let [asked, allowed, least] = comparable([request, limit, Some(bound)]);
    let usage = format!("minimum {name} usage per {kind} is {bound}");
    match (request, limit) {
        (None, _) => Some(format!("{usage}.  No request is specified")),
        (Some(request), _) if asked < least => Some(format!("{usage}, but request is {request}")),
        (_, Some(limit)) if allowed < least => Some(format!("{usage}, but limit is {limit}")),
        _ => None,
    }
}

fn max_fault(kind: &str, name: &str, bound: &Quantity, requests: &Amounts, limits: &Amounts) -> Option<String> {
    let (request, limit) = (requests.get(name), limits.get(name));
    let [asked, allowed, most] = comparable([request, limit, Some(bound)]);
    let usage = format!("maximum {name} usage per {kind} is {bound}");
    match (request, limit) {
        (_, None) => Some(format!("{usage}.  No limit is specified")),
        (_, Some(limit)) if allowed > most => Some(format!("{usage}, but limit is {limit}")),
        (Some(request), _) if asked > most => Some(format!("{usage}, but request is {request}")),
        _ => None,
    }
}

fn max_request_fault(kind: &str, name: &str, bound: &Quantity, requests: &Amounts) -> Option<String> {
    let request = requests.get(name);
    let [asked, _, most] = comparable([request, None, Some(bound)]);
    let usage = format!("maximum {name} usage per {kind} is {bound}");
    match request {
        None => Some(format!("{usage}.  No request is specified")),
        Some(request) if asked > most => Some(format!("{usage}, but request is {request}")),
        Some(_) => None,
    }
}

fn ratio_fault(kind: &str, name: &str, bound: &Quantity, requests: &Amounts, limits: &Amounts) -> Option<String> {
    let (request, limit) = (requests.get(name), limits.get(name));
    let [asked, allowed, _] = comparable([request, limit, None]);
    let usage = format!("{name} max limit to request ratio per {kind} is {bound}");
    if request.is_none() || asked == 0 {
        return Some(format!("{usage}, but no request is specified or request is 0"));
    }
    if limit.is_none() || allowed == 0 {
        return Some(format!("{usage}, but no limit is specified or limit is 0"));
    }
    let ratio = allowed as f64 / asked as f64;
    (ratio > bound.to_f64()).then(|| format!("{usage}, but provided ratio is {ratio:.6}"))
}
