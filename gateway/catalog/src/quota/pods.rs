//! What a pod counts: itself, and what it asks for while it runs. Follows `pkg/quota/v1/evaluator/core/pods.go`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use model::{Value, meta};

use super::{Amounts, Scope, add, number};
use crate::hooks::podspec::qos;
use crate::hooks::podspec::resources::{amount, is_extended, is_huge_page, is_native, is_pod_level};
use crate::hooks::rules::get;

const COUNT: &str = "count/pods";

/// What counts of every pod that has not ended.
const COMPUTE: [&str; 10] = [
    "cpu",
    "ephemeral-storage",
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "memory",
    "pods",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];

/// What every container must name where a quota counts it.
const REQUIRED: [&str; 6] = ["cpu", "limits.cpu", "limits.memory", "memory", "requests.cpu", "requests.memory"];

/// Prefix of the names under which device classes can be asked for.
const DEVICE_CLASS: &str = "deviceclass.resource.kubernetes.io/";

pub(super) fn counts(name: &str) -> bool {
    let requested = name.strip_prefix("requests.");
    name == COUNT
        || COMPUTE.contains(&name)
        || is_huge_page(name)
        || requested.is_some_and(|asked| is_huge_page(asked) || !is_native(name) || asked.starts_with(DEVICE_CLASS))
}

pub(super) fn usage(pod: &Value, now: Timestamp) -> Amounts {
    let mut usage = Amounts::from([(COUNT.to_owned(), number(1))]);
    if !is_ended(pod, now) {
        add(&mut usage, &compute(&whole(pod, "requests"), &whole(pod, "limits")));
    }
    usage
}

/// Whether a pod is over, or should be and hangs.
pub fn is_ended(pod: &Value, now: Timestamp) -> bool {
    if matches!(get::text(get::at(pod, "status"), "phase"), "Failed" | "Succeeded") {
        return true;
    }
    let grace_s = get::int(get::at(pod, "metadata"), "deletionGracePeriodSeconds");
    let deleted = meta::deletion_timestamp(pod).and_then(|time| time.parse::<Timestamp>().ok());
    let (Some(grace_s), Some(deleted)) = (grace_s, deleted) else { return false };
    deleted.checked_add(SignedDuration::from_secs(grace_s)).is_ok_and(|end| now > end)
}

/// Whether a pod is to end by itself.
pub fn is_terminating(pod: &Value) -> bool {
    get::int(get::at(pod, "spec"), "activeDeadlineSeconds").is_some_and(|seconds| seconds >= 0)
}

/// Whether a pod asks for nothing in particular.
pub fn is_best_effort(pod: &Value) -> bool {
    qos::class_of_pod(pod) == "BestEffort"
}

/// Under which names amounts count.
fn compute(requests: &Amounts, limits: &Amounts) -> Amounts {
    let mut counted = Amounts::from([("pods".to_owned(), number(1))]);
    for (name, asked) in requests {
        let is_plain = matches!(&**name, "cpu" | "memory" | "ephemeral-storage") || is_huge_page(name);
        if is_plain {
            counted.insert(name.clone(), asked.clone());
        }
        if is_plain || is_extended(name) || name.starts_with(DEVICE_CLASS) {
            counted.insert(format!("requests.{name}"), asked.clone());
        }
    }
    for (name, limit) in limits {
        if matches!(&**name, "cpu" | "memory" | "ephemeral-storage") {
            counted.insert(format!("limits.{name}"), limit.clone());
        }
    }
    counted
}

/// What a pod has altogether, overhead included; `list` is `requests` or `limits`.
fn whole(pod: &Value, list: &str) -> Amounts {
    let spec = get::at(pod, "spec");
    let mut whole = containers(pod, list);
    let own = get::entries(get::at(spec, "resources"), list).filter(|(name, _)| is_pod_level(name));
    whole.extend(own.map(|(name, value)| (name.to_owned(), amount(value))));
    let overhead: Amounts = get::entries(spec, "overhead").map(|(name, value)| (name.to_owned(), amount(value))).collect();
    if list == "requests" {
        add(&mut whole, &overhead);
    } else {
        let limited = overhead.into_iter().filter(|(name, _)| whole.get(name).is_some_and(|limit| !limit.is_zero()));
        let limited: Amounts = limited.collect();
        add(&mut whole, &limited);
    }
    whole
}

/// What its containers ask for, or have from before a change that is under way, whichever is more.
fn containers(pod: &Value, list: &str) -> Amounts {
    let (spec, status) = (get::at(pod, "spec"), get::at(pod, "status"));
    let infeasible = is_infeasible(status);
    let mut most = if infeasible { Amounts::new() } else { qos::aggregate(spec, list) };
    let statuses = || get::list(status, "containerStatuses").iter().chain(get::list(status, "initContainerStatuses"));
    if statuses().next().is_none() && !infeasible {
        return most;
    }
    let had = |container: &Value, sources: &[&str]| {
        let name = get::text(container, "name");
        let status = statuses().find(|status| get::text(status, "name") == name).unwrap_or(&Value::Null);
        let found = sources.iter().map(|path| get::at(status, path)).find(|amounts| amounts.is_object());
        let asked = if infeasible { &Value::Null } else { get::at(get::at(container, "resources"), list) };
        super::of_list(found.unwrap_or(asked))
    };
    if list == "requests" {
        qos::max(&mut most, &qos::aggregate_by(spec, |container| had(container, &["allocatedResources"])));
        let actuated = |container: &Value| had(container, &["resources.requests", "allocatedResources"]);
        qos::max(&mut most, &qos::aggregate_by(spec, actuated));
    } else {
        qos::max(&mut most, &qos::aggregate_by(spec, |container| had(container, &["resources.limits"])));
    }
    most
}

/// Whether the node has said that it cannot give what is asked for now.
fn is_infeasible(status: &Value) -> bool {
    let pending = get::list(status, "conditions").iter().find(|condition| get::text(condition, "type") == "PodResizePending");
    pending.is_some_and(|condition| get::text(condition, "reason") == "Infeasible")
}

pub(super) fn missing(named: &[&str], pod: &Value) -> Option<String> {
    let spec = get::at(pod, "spec");
    if qos::has_pod_level(spec) {
        return None;
    }
    let mut lacking: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for container in get::list(spec, "containers").iter().chain(get::list(spec, "initContainers")) {
        let resources = get::at(container, "resources");
        let has = compute(&super::of_list(get::at(resources, "requests")), &super::of_list(get::at(resources, "limits")));
        for name in named.iter().filter(|name| REQUIRED.contains(name) && !has.contains_key(**name)) {
            lacking.entry(name).or_default().insert(get::text(container, "name"));
        }
    }
    let told = lacking.into_iter().map(|(name, containers)| {
        let containers: Vec<&str> = containers.into_iter().collect();
        format!("{name} for: {}", containers.join(","))
    });
    let told: Vec<String> = told.collect();
    (!told.is_empty()).then(|| format!("must specify {}", told.join("; ")))
}

pub(super) fn is_in(scope: &Scope, pod: &Value) -> bool {
    let spec = get::at(pod, "spec");
    match &*scope.name {
        "Terminating" => is_terminating(pod),
        "NotTerminating" => !is_terminating(pod),
        "BestEffort" => is_best_effort(pod),
        "NotBestEffort" => !is_best_effort(pod),
        "PriorityClass" => scope.selects(Some(get::text(spec, "priorityClassName")).filter(|class| !class.is_empty())),
        "CrossNamespacePodAffinity" => reaches_beyond(get::at(spec, "affinity")),
        _ => false,
    }
}

/// Whether an affinity names pods of other namespaces.
fn reaches_beyond(affinity: &Value) -> bool {
    ["podAffinity", "podAntiAffinity"].into_iter().any(|kind| {
        let kind = get::at(affinity, kind);
        let required = get::list(kind, "requiredDuringSchedulingIgnoredDuringExecution").iter();
        let preferred = get::list(kind, "preferredDuringSchedulingIgnoredDuringExecution").iter();
        let terms = required.chain(preferred.map(|weighted| get::at(weighted, "podAffinityTerm")));
        terms
            .into_iter()
            .any(|term| !get::list(term, "namespaces").is_empty() || get::object(term, "namespaceSelector").is_some())
    })
}
