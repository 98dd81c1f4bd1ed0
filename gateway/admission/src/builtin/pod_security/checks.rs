//! Which checks a standard makes of a pod in a version, and how what they find is told. The checks themselves are in
//! `baseline` and `restricted`. Follows `k8s.io/pod-security-admission/policy`.

use std::collections::BTreeSet;

use model::{Value, meta};

use super::labels::{Level, Standard};
use super::{baseline, restricted};
use crate::builtin::{items, text};

/// One revision of a check: it holds from a version on, until the next of the same name.
pub(super) struct Check {
    pub(super) id: &'static str,
    /// The minor version from which on it holds.
    pub(super) since: i64,
    /// The check of `baseline` whose place it takes in `restricted`.
    pub(super) instead_of: Option<&'static str>,
    pub(super) find: fn(&Pod<'_>) -> Option<Fault>,
}

/// What a check found: in a word, and in full.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    reason: &'static str,
    detail: String,
}

/// A fault; for a check's end.
pub(super) fn fault(reason: &'static str, detail: impl Into<String>) -> Option<Fault> {
    Some(Fault { reason, detail: detail.into() })
}

/// What a pod breaks, in the order of upstream: the checks of `baseline` first, each list by name.
pub(super) fn faults(standard: Standard, pod: &Pod<'_>) -> Vec<Fault> {
    let holding = |checks: &'static [Check]| {
        let since = move |check: &&Check| check.since <= standard.version.minor();
        let is_last =
            move |check: &&Check| !checks.iter().filter(since).any(|other| other.id == check.id && other.since > check.since);
        checks.iter().filter(since).filter(is_last)
    };
    let find = |check: &Check| (check.find)(pod);
    match standard.level {
        Level::Privileged => Vec::new(),
        Level::Baseline => holding(baseline::CHECKS).filter_map(find).collect(),
        Level::Restricted => {
            let taken: BTreeSet<&str> = holding(restricted::CHECKS).filter_map(|check| check.instead_of).collect();
            let kept = holding(baseline::CHECKS).filter(|check| !taken.contains(check.id));
            kept.chain(holding(restricted::CHECKS)).filter_map(find).collect()
        }
    }
}

/// What was found, in a word each.
pub(super) fn reasons(faults: &[Fault]) -> String {
    faults.iter().map(|fault| fault.reason).collect::<Vec<_>>().join(", ")
}

/// What was found, in full.
pub(super) fn details(faults: &[Fault]) -> String {
    let told = faults.iter().map(|Fault { reason, detail }| match &**detail {
        "" => (*reason).to_owned(),
        detail => format!("{reason} ({detail})"),
    });
    told.collect::<Vec<_>>().join(", ")
}

/// A pod, or what pods are made from.
pub(super) struct Pod<'a> {
    /// Holds its `metadata`.
    object: &'a Value,
    pub(super) spec: &'a Value,
}

impl<'a> Pod<'a> {
    /// A pod, or a template of one.
    pub(super) fn of(object: &'a Value) -> Self {
        Self { object, spec: field(object, "spec") }
    }

    pub(super) fn annotations(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        meta::annotations(self.object)
    }

    pub(super) fn annotation(&self, key: &str) -> Option<&'a str> {
        meta::annotation(self.object, key)
    }

    /// The security context of the whole pod; null where there is none.
    pub(super) fn context(&self) -> &'a Value {
        context(self.spec)
    }

    /// Every container, in the order in which faults tell of them.
    pub(super) fn containers(&self) -> impl Iterator<Item = &'a Value> + use<'a> {
        let spec = self.spec;
        ["initContainers", "containers", "ephemeralContainers"].into_iter().flat_map(move |list| items(spec, list))
    }

    /// The names of the containers of which something holds.
    pub(super) fn containers_where(&self, mut bad: impl FnMut(&'a Value) -> bool) -> Vec<&'a str> {
        self.containers().filter(|container| bad(container)).map(|container| text(container, "name")).collect()
    }

    pub(super) fn is_windows(&self) -> bool {
        text(field(self.spec, "os"), "name") == "windows"
    }

    /// Whether its users are none of the node's.
    pub(super) fn has_own_users(&self) -> bool {
        self.spec.get("hostUsers") == Some(&Value::Bool(false))
    }
}

/// A member, or null.
pub(super) fn field<'a>(of: &'a Value, name: &str) -> &'a Value {
    of.get(name).unwrap_or(&Value::Null)
}

/// The security context of a container or a pod.
pub(super) fn context(of: &Value) -> &Value {
    field(of, "securityContext")
}

/// The type of a profile in a security context, if it has one.
pub(super) fn profile<'a>(context: &'a Value, name: &str) -> Option<&'a str> {
    let profile = field(context, name);
    profile.is_object().then(|| text(profile, "type"))
}

/// The strings of a list.
pub(super) fn strings<'a>(of: &'a Value, list: &str) -> impl Iterator<Item = &'a str> + use<'a> {
    items(of, list).iter().filter_map(Value::as_str)
}

/// `"a", "b"`.
pub(super) fn quoted<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> String {
    let all: Vec<String> = texts.into_iter().map(|text| format!("\"{}\"", text.as_ref())).collect();
    all.join(", ")
}

/// One of two words, by a count.
pub(super) fn plural(one: &'static str, many: &'static str, count: usize) -> &'static str {
    if count == 1 { one } else { many }
}

/// `container "a"`, `containers "a", "b"`.
pub(super) fn containers(names: &[&str]) -> String {
    format!("{} {}", plural("container", "containers", names.len()), quoted(names))
}

/// Who sets something bad: `pod`, `container "a"`, or both with `and` between.
pub(super) fn setters(by_pod: bool, by_containers: &[&str]) -> Vec<String> {
    let pod = by_pod.then(|| "pod".to_owned());
    pod.into_iter().chain((!by_containers.is_empty()).then(|| containers(by_containers))).collect()
}
