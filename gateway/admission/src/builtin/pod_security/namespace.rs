//! What whoever makes a namespace's labels stricter is told of the pods that are there already. Refuses nothing.
//! Follows `EvaluatePodsInNamespace` of `k8s.io/pod-security-admission/admission`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use model::{Status, Value, meta};

use super::checks::{self, Pod};
use super::labels::Standard;
use crate::builtin::text;

/// How many pods are judged at most: whoever waits shall not wait for all pods of the largest namespaces.
const PODS_MAX: usize = 3000;
/// For how long, and for no more than half of what the request has left.
pub(super) const JUDGING_MAX: Duration = Duration::from_secs(1);
/// How many pods are judged between two looks at the clock.
const PODS_PER_LOOK: usize = 64;

/// Whether pods that keep to the standard before may break this one.
pub(super) fn is_stricter(standard: Standard, before: Standard) -> bool {
    !standard.is_privileged() && (standard.version != before.version || standard.level > before.level)
}

/// The warnings: how many pods were judged if not all, that some break the standard, and who breaks what.
pub(super) fn warnings(
    namespace: &str,
    standard: Standard,
    pods: Result<Vec<Value>, Status>,
    judging_max: Duration,
) -> Vec<String> {
    let Ok(pods) = pods else { return vec!["failed to list pods while checking new PodSecurity enforce level".to_owned()] };
    let began = Instant::now();
    let mut judged = 0;
    let mut broken: BTreeMap<String, Breakers<'_>> = BTreeMap::new();
    for pod in by_weight(&pods).into_iter().take(PODS_MAX) {
        let faults = checks::faults(standard, &Pod::of(pod));
        if !faults.is_empty() {
            broken.entry(checks::reasons(&faults)).or_default().add(meta::name(pod));
        }
        judged += 1;
        if judged % PODS_PER_LOOK == 0 && began.elapsed() > judging_max {
            break;
        }
    }
    let mut warnings = Vec::new();
    if judged < pods.len() {
        let all = pods.len();
        warnings.push(format!("new PodSecurity enforce level only checked against the first {judged} of {all} existing pods"));
    }
    if !broken.is_empty() {
        warnings
            .push(format!("existing pods in namespace \"{namespace}\" violate the new PodSecurity enforce level \"{standard}\""));
    }
    let mut lines: Vec<String> = broken.iter().map(|(reasons, who)| format!("{}: {reasons}", who.told())).collect();
    lines.sort();
    warnings.extend(lines);
    warnings
}

/// Pods that break the same things.
#[derive(Default)]
struct Breakers<'a> {
    first: &'a str,
    count: usize,
}

impl<'a> Breakers<'a> {
    fn add(&mut self, name: &'a str) {
        if self.count == 0 || name < self.first {
            self.first = name;
        }
        self.count += 1;
    }

    fn told(&self) -> String {
        match self.count {
            1 => self.first.to_owned(),
            2 => format!("{} (and 1 other pod)", self.first),
            count => format!("{} (and {} other pods)", self.first, count - 1),
        }
    }
}

/// Pods in the order in which they are judged: one of each controller first, because its others are alike.
fn by_weight(pods: &[Value]) -> Vec<&Value> {
    let mut seen = BTreeSet::new();
    let (mut first, mut alike) = (Vec::new(), Vec::new());
    for pod in pods {
        match controller(pod) {
            Some(uid) if !seen.insert(uid) => alike.push(pod),
            _ => first.push(pod),
        }
    }
    first.extend(alike);
    first
}

fn controller(pod: &Value) -> Option<&str> {
    let owners = meta::owner_references(pod).iter();
    owners.filter(|owner| owner.get("controller") == Some(&Value::Bool(true))).map(|owner| text(owner, "uid")).next()
}
