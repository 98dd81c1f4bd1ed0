//! What an object counts for quotas: how much of which resource, and which of a quota's scopes it falls under.
//! Charges nobody (plugin `ResourceQuota`) and adds nothing up (`resourcequota-controller`).
//! Follows `pkg/quota/v1/evaluator/core` and `k8s.io/apiserver/pkg/quota/v1`.

mod amounts;
mod persistentvolumeclaims;
mod pods;
mod resourceclaims;
mod services;

use std::fmt;

use jiff::Timestamp;
use model::quantity::{Format, Quantity};
use model::{GroupResource, Value};

use crate::hooks::rules::get;
pub use amounts::{Amounts, add, masked, of_list, subtracted, to_list, without_zeros};
pub use pods::{is_best_effort, is_ended, is_terminating};

/// Resources that no quota counts: virtual ones, and events.
const IGNORED: [(&str, &str); 10] = [
    ("", "bindings"),
    ("", "componentstatuses"),
    ("", "events"),
    ("authentication.k8s.io", "selfsubjectreviews"),
    ("authentication.k8s.io", "tokenreviews"),
    ("authorization.k8s.io", "localsubjectaccessreviews"),
    ("authorization.k8s.io", "selfsubjectaccessreviews"),
    ("authorization.k8s.io", "selfsubjectrulesreviews"),
    ("authorization.k8s.io", "subjectaccessreviews"),
    ("events.k8s.io", "events"),
];

/// What quotas called the numbers of some objects before there was `count/`.
const ALIASES: [&str; 4] = ["configmaps", "replicationcontrollers", "resourcequotas", "secrets"];

/// How the objects of a resource count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evaluator {
    /// By what they ask for.
    Pods,
    /// By their type and ports.
    Services,
    /// By the storage they ask for, of each class too.
    PersistentVolumeClaims,
    /// By the devices they ask for, of each class.
    ResourceClaims,
    /// By their number, under each of these names.
    Objects(Vec<String>),
}

impl Evaluator {
    /// How the objects of this resource count; nothing for those that no quota counts.
    pub fn of(resource: &GroupResource) -> Option<Self> {
        match (&*resource.group, &*resource.resource) {
            ignored if IGNORED.contains(&ignored) => None,
            ("", "pods") => Some(Self::Pods),
            ("", "services") => Some(Self::Services),
            ("", "persistentvolumeclaims") => Some(Self::PersistentVolumeClaims),
            ("resource.k8s.io", "resourceclaims") => Some(Self::ResourceClaims),
            (group, name) => {
                let alias = (group.is_empty() && ALIASES.contains(&name)).then(|| name.to_owned());
                Some(Self::Objects([format!("count/{resource}")].into_iter().chain(alias).collect()))
            }
        }
    }

    /// Those of a quota's resources of which such an object may count, in order.
    pub fn named<'h>(&self, hard: impl IntoIterator<Item = &'h str>) -> Vec<&'h str> {
        let counts: fn(&str) -> bool = match self {
            Self::Pods => pods::counts,
            Self::Services => services::counts,
            Self::PersistentVolumeClaims => persistentvolumeclaims::counts,
            Self::ResourceClaims => resourceclaims::counts,
            Self::Objects(names) => {
                let mut named: Vec<&str> = hard.into_iter().filter(|name| names.iter().any(|own| own == name)).collect();
                named.sort_unstable();
                return named;
            }
        };
        let mut named: Vec<&str> = hard.into_iter().filter(|name| counts(name)).collect();
        named.sort_unstable();
        named
    }

    /// What an object counts at this time.
    pub fn usage(&self, object: &Value, now: Timestamp) -> Amounts {
        match self {
            Self::Pods => pods::usage(object, now),
            Self::Services => services::usage(object),
            Self::PersistentVolumeClaims => persistentvolumeclaims::usage(object),
            Self::ResourceClaims => resourceclaims::usage(object),
            Self::Objects(names) => names.iter().map(|name| (name.clone(), number(1))).collect(),
        }
    }

    /// What an object must name where a quota counts these resources, if it fails to.
    pub fn missing(&self, named: &[&str], object: &Value) -> Option<String> {
        if *self == Self::Pods { pods::missing(named, object) } else { None }
    }

    /// Whether an object falls under every one of a quota's scopes.
    pub fn is_in(&self, scopes: &[Scope], object: &Value) -> bool {
        scopes.iter().all(|scope| match self {
            Self::Pods => pods::is_in(scope, object),
            Self::PersistentVolumeClaims => persistentvolumeclaims::is_in(scope, object),
            _ => false,
        })
    }
}

/// One thing that a quota asks of the objects which it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    name: String,
    operator: Operator,
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
}

impl Scope {
    /// The scopes of a quota, and what its scope selector demands.
    pub fn all(quota: &Value) -> Vec<Self> {
        let spec = get::at(quota, "spec");
        let plain = get::strings(spec, "scopes").map(|name| Self {
            name: name.to_owned(),
            operator: Operator::Exists,
            values: Vec::new(),
        });
        let selected = get::list(get::at(spec, "scopeSelector"), "matchExpressions").iter().map(Self::of);
        plain.chain(selected).collect()
    }

    /// What one requirement of a scope selector demands.
    pub fn of(requirement: &Value) -> Self {
        Self {
            name: get::text(requirement, "scopeName").to_owned(),
            operator: match get::text(requirement, "operator") {
                "In" => Operator::In,
                "NotIn" => Operator::NotIn,
                "DoesNotExist" => Operator::DoesNotExist,
                _ => Operator::Exists,
            },
            values: get::strings(requirement, "values").map(str::to_owned).collect(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether an object that names this class, or none, is meant.
    fn selects(&self, class: Option<&str>) -> bool {
        let is_listed = || class.is_some_and(|class| self.values.iter().any(|value| value == class));
        match self.operator {
            Operator::In => is_listed(),
            Operator::NotIn => !is_listed(),
            Operator::Exists => class.is_some(),
            Operator::DoesNotExist => class.is_none(),
        }
    }
}

/// As Go prints a requirement: `{PriorityClass In [high low]}`.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{} {:?} [{}]}}", self.name, self.operator, self.values.join(" "))
    }
}

/// None of something.
pub fn nothing() -> Quantity {
    number(0)
}

fn number(count: i64) -> Quantity {
    Quantity::new(count, Format::DecimalSi)
}

#[cfg(test)]
mod tests;
