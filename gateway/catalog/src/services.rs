//! What APIServices say: in which order clients prefer groups and versions, and which versions extension servers serve.
//! Reaches no server (`server::aggregation` asks them) and renders nothing (`discovery`, `openapi`).
//! Follows `k8s.io/kube-aggregator/pkg/apis/apiregistration/v1/helper` and `apiVersionPriorities` of kube-apiserver.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use model::Value;
use model::version::by_maturity;

/// How much a version is preferred; more comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Priority {
    /// `groupPriorityMinimum`: its group among groups.
    pub group: i64,
    /// `versionPriority`: within its group.
    pub version: i64,
}

/// The group of APIServices is always the first, beyond what an APIService can ask for.
const FIRST: Priority = Priority { group: 20_001, version: 0 };
/// Custom resources stand behind what is built in.
pub const CUSTOM: Priority = Priority { group: 1000, version: 100 };
/// Groups that upstream does not have come last of what is built in.
const OWN: Priority = Priority { group: 1001, version: 15 };

/// Versions that are built in, with the priorities of group and version. The group of APIServices itself has none.
pub const BUILTIN: &[(&str, &str, Priority)] = &[
    row("", "v1", 18000, 1),
    row("apps", "v1", 17800, 15),
    row("events.k8s.io", "v1", 17750, 15),
    row("authentication.k8s.io", "v1", 17700, 15),
    row("authorization.k8s.io", "v1", 17600, 15),
    row("autoscaling", "v1", 17500, 15),
    row("autoscaling", "v2", 17500, 30),
    row("batch", "v1", 17400, 15),
    row("certificates.k8s.io", "v1", 17300, 15),
    row("networking.k8s.io", "v1", 17200, 15),
    row("policy", "v1", 17100, 15),
    row("rbac.authorization.k8s.io", "v1", 17000, 15),
    row("storage.k8s.io", "v1", 16800, 15),
    row("apiextensions.k8s.io", "v1", 16700, 15),
    row("admissionregistration.k8s.io", "v1", 16700, 15),
    row("scheduling.k8s.io", "v1", 16600, 15),
    row("coordination.k8s.io", "v1", 16500, 15),
    row("node.k8s.io", "v1", 16300, 15),
    row("discovery.k8s.io", "v1", 16200, 15),
    row("flowcontrol.apiserver.k8s.io", "v1", 16100, 21),
    row("resource.k8s.io", "v1", 16200, 21),
    row("storagemigration.k8s.io", "v1", 15800, 15),
];

const fn row(group: &'static str, name: &'static str, of_group: i64, of_version: i64) -> (&'static str, &'static str, Priority) {
    (group, name, Priority { group: of_group, version: of_version })
}

/// The priority of a version that is served here and whose APIService nobody changed.
pub fn usual(group: &str, version: &str) -> Priority {
    match group {
        "apiregistration.k8s.io" => FIRST,
        "policy.gatehouse.dev" | "openreports.io" => OWN,
        _ => BUILTIN.iter().find(|row| (row.0, row.1) == (group, version)).map_or(CUSTOM, |row| row.2),
    }
}

/// One APIService that says something of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// The group.
    pub group: Arc<str>,
    /// Its version.
    pub version: Arc<str>,
    /// How much it is preferred.
    pub priority: Priority,
    /// What its extension server serves; `None` when it is served here.
    pub remote: Option<Remote>,
}

/// What is known of an extension server's version.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Remote {
    /// Its resources, as aggregated discovery lists them.
    pub resources: Arc<Vec<Value>>,
    /// Whether it could be asked lately.
    pub freshness: Freshness,
    /// Where its OpenAPI v3 documents are: path below `/openapi/v3` and what the index says of it.
    pub v3: Arc<Vec<(String, Value)>>,
    /// Its OpenAPI v2 document.
    pub v2: Option<Specification>,
}

/// How old what discovery says is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Freshness {
    /// The server said so lately.
    Current,
    /// It could not be asked.
    #[default]
    Stale,
}

/// An OpenAPI v2 document of somebody else; equal when its tag is.
#[derive(Clone, Debug)]
pub struct Specification {
    /// Changes with the content.
    pub tag: Arc<str>,
    /// The document.
    pub document: Arc<Value>,
}

impl PartialEq for Specification {
    fn eq(&self, other: &Self) -> bool {
        self.tag == other.tag
    }
}

impl Freshness {
    /// As discovery spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Current => "Current",
            Self::Stale => "Stale",
        }
    }
}

/// A version that has its place among others.
pub(crate) struct Ranked<'a> {
    pub(crate) group: &'a str,
    pub(crate) version: &'a str,
    pub(crate) priority: Priority,
}

/// What decides between two groups of the same priority.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tie {
    /// The names of the APIServices, which begin with the version.
    Service,
    /// The names of the groups.
    Group,
}

/// Groups and the versions of each, the most preferred first.
pub(crate) fn in_order<'a>(mut all: Vec<Ranked<'a>>, tie: Tie) -> Vec<(&'a str, Vec<&'a str>)> {
    all.sort_by_cached_key(|one| {
        let name = match tie {
            Tie::Service => format!("{}.{}", one.version, one.group),
            Tie::Group => one.group.to_owned(),
        };
        (Reverse(one.priority.group), name)
    });
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut groups: Vec<(&str, Vec<Ranked<'_>>)> = Vec::new();
    for one in all {
        let place = *places.entry(one.group).or_insert_with(|| {
            groups.push((one.group, Vec::new()));
            groups.len() - 1
        });
        groups[place].1.push(one);
    }
    let sorted = |(group, mut versions): (&'a str, Vec<Ranked<'a>>)| {
        versions.sort_by(|a, b| b.priority.version.cmp(&a.priority.version).then_with(|| by_maturity(b.version, a.version)));
        (group, versions.into_iter().map(|one| one.version).collect())
    };
    groups.into_iter().map(sorted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranked(group: &'static str, version: &'static str, of_group: i64, of_version: i64) -> Ranked<'static> {
        Ranked { group, version, priority: Priority { group: of_group, version: of_version } }
    }

    #[test]
    fn a_group_stands_where_its_most_preferred_version_does() {
        let all = || {
            vec![
                ranked("b", "v1", 1000, 100),
                ranked("a", "v2", 1000, 100),
                ranked("c", "v1", 900, 1),
                ranked("c", "v1beta1", 2000, 5),
                ranked("b", "v2", 1000, 100),
            ]
        };
        let want = vec![("c", vec!["v1beta1", "v1"]), ("b", vec!["v2", "v1"]), ("a", vec!["v2"])];
        assert_eq!(in_order(all(), Tie::Service), want, "v1.b comes before v2.a");
        assert_eq!(in_order(all(), Tie::Group), [want[0].clone(), want[2].clone(), want[1].clone()]);
    }

    /// The table names what the catalog serves.
    #[test]
    fn every_version_that_is_built_in_has_its_priority() {
        let catalog = crate::Catalog::builtin().expect("the committed tables are readable");
        let own = ["policy.gatehouse.dev", "openreports.io", "apiregistration.k8s.io"];
        let groups = catalog.groups().iter().filter(|group| !own.contains(&&*group.name));
        let mut served: Vec<(&str, &str)> =
            groups.flat_map(|group| group.versions.iter().map(|version| (&*group.name, &*version.name))).collect();
        let mut listed: Vec<(&str, &str)> = BUILTIN.iter().map(|row| (row.0, row.1)).collect();
        served.sort_unstable();
        listed.sort_unstable();
        assert_eq!(listed, served);
    }
}
