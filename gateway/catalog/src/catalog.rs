//! All resources by name. Immutable: a change of the custom ones makes a new catalog, which is swapped in.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use model::Value;
use schema::{Shape, Types};

use crate::declarative;
use crate::default::{self, Defaults};
use crate::document::Document;
use crate::read::{self, ReadError};
use crate::resource::Resource;

/// Every resource that is served, in the order of discovery.
pub struct Catalog {
    /// Struct types of all kinds.
    pub types: Arc<Types>,
    /// Unconditional defaults of those types.
    pub defaults: Arc<Defaults>,
    /// Those that come with the program, then those of custom resources by name.
    groups: Vec<Arc<Group>>,
    by_name: HashMap<Arc<str>, usize>,
    builtin: Arc<Builtin>,
}

/// What comes with the program: the same in every catalog that is made from the first.
pub(crate) struct Builtin {
    pub(crate) groups: Vec<Arc<Group>>,
    pub(crate) openapi: crate::openapi::Builtin,
}

/// An API group; the core group is the empty name and comes first. Shared by all catalogs that have it unchanged, with
/// what was rendered of it.
pub struct Group {
    /// Name: `apps`.
    pub name: Arc<str>,
    /// Versions, the preferred one first.
    pub versions: Vec<Arc<Version>>,
    pub(crate) discovery: crate::discovery::GroupDocuments,
    /// Of the group itself, not of a version.
    pub(crate) openapi: crate::openapi::Rendered,
}

/// A version of a group.
pub struct Version {
    /// Name: `v1`.
    pub name: Arc<str>,
    /// Resources in the order of discovery.
    pub resources: Vec<Arc<Resource>>,
    by_plural: HashMap<Arc<str>, usize>,
    pub(crate) discovery: OnceLock<Document>,
    pub(crate) openapi: crate::openapi::Rendered,
    pub(crate) declared: crate::openapi::Declared,
}

/// A set of tables, as committed under `data/`.
struct Tables {
    types: &'static str,
    resources: &'static str,
    columns: &'static str,
}

const KUBERNETES: Tables = Tables {
    types: include_str!("../data/types.txt"),
    resources: include_str!("../data/resources.txt"),
    columns: include_str!("../data/columns.txt"),
};

/// `policy.gatehouse.dev`, our own, and the reports of `openreports.io`; written by hand.
const POLICY: Tables = Tables {
    types: include_str!("../data/policy/types.txt"),
    resources: include_str!("../data/policy/resources.txt"),
    columns: include_str!("../data/policy/columns.txt"),
};

/// A committed table that cannot be read: a mistake in the program, found at its start and in its tests.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A type table.
    #[error(transparent)]
    Types(#[from] schema::types::ParseError),
    /// A resource or column table.
    #[error(transparent)]
    Resources(#[from] ReadError),
    /// The table of declared rules.
    #[error(transparent)]
    Declarative(#[from] declarative::ReadError),
}

impl Catalog {
    /// The resources that come with the program: Kubernetes' and our own.
    ///
    /// # Errors
    /// A committed table that cannot be read.
    pub fn builtin() -> Result<Self, Error> {
        declarative::ready()?;
        let sets = [KUBERNETES, POLICY];
        let mut types = Types::parse(&sets.each_ref().map(|set| set.types))?;
        default::tell_empty(&mut types);
        let mut resources = Vec::new();
        for set in &sets {
            resources.extend(read::resources(set.resources, &read::columns(set.columns)?, &types)?);
        }
        Ok(Self::new(types, resources))
    }

    /// A catalog of these resources; groups and versions stand in the order in which they first occur.
    pub fn new(types: Types, resources: Vec<Resource>) -> Self {
        let defaults = Arc::new(Defaults::of(&types));
        let mut names: Vec<Arc<str>> = Vec::new();
        let mut by_group: HashMap<Arc<str>, Vec<Arc<Resource>>> = HashMap::new();
        for resource in resources {
            let name = resource.gvr.group.clone();
            by_group.entry(name.clone()).or_insert_with(|| {
                names.push(name);
                Vec::new()
            });
            if let Some(all) = by_group.get_mut(&resource.gvr.group) {
                all.push(Arc::new(resource));
            }
        }
        let of = |name: &Arc<str>| Arc::new(Group::new(name.clone(), by_group.remove(name).unwrap_or_default()));
        let groups: Vec<Arc<Group>> = names.iter().map(of).collect();
        let builtin = Builtin { groups: groups.clone(), openapi: Default::default() };
        Self { types: Arc::new(types), defaults, by_name: by_name(&groups), groups, builtin: Arc::new(builtin) }
    }

    /// The same catalog, but for the custom resources of one group, which are these: each version's in the order of
    /// discovery, whatever the order of versions. A version that comes with the program takes no more, but for one that is
    /// computed, which gives way.
    pub fn with_custom(&self, group: &str, resources: Vec<Arc<Resource>>) -> Self {
        let mut groups = self.groups.clone();
        let base = self.builtin.groups.iter().find(|known| &*known.name == group);
        let fresh = match base {
            Some(base) if resources.is_empty() => Some(base.clone()),
            None if resources.is_empty() => None,
            base => Some(Arc::new(Group::with_custom(group, base, resources))),
        };
        let place = match base {
            Some(_) => groups.iter().position(|known| &*known.name == group).ok_or(groups.len()),
            None => groups[self.builtin.groups.len()..].binary_search_by(|known| (*known.name).cmp(group)),
        };
        let custom_place = if base.is_some() { 0 } else { self.builtin.groups.len() };
        match (place, fresh) {
            (Ok(at), Some(fresh)) => groups[custom_place + at] = fresh,
            (Ok(at), None) => drop(groups.remove(custom_place + at)),
            (Err(at), Some(fresh)) => groups.insert(custom_place + at, fresh),
            (Err(_), None) => {}
        }
        Self {
            types: self.types.clone(),
            defaults: self.defaults.clone(),
            by_name: by_name(&groups),
            groups,
            builtin: self.builtin.clone(),
        }
    }

    /// What comes with the program.
    pub(crate) fn builtins(&self) -> &Builtin {
        &self.builtin
    }

    /// Whether a version of a group comes with the program, whatever definitions there are.
    pub fn is_builtin(&self, group: &str, version: &str) -> bool {
        let stays = |known: &Group| known.version(version).is_some_and(|version| !version.gives_way());
        self.builtin.groups.iter().any(|known| &*known.name == group && stays(known))
    }

    /// Fills in unconditional defaults.
    pub fn fill_in(&self, shape: &Shape, object: &mut Value) {
        match shape {
            Shape::Struct(ty) => self.defaults.apply(&self.types, *ty, object),
            Shape::Structural(schema) => schema.default(object),
        }
    }

    /// Groups in the order of discovery.
    pub fn groups(&self) -> &[Arc<Group>] {
        &self.groups
    }

    /// A group by name.
    pub fn group(&self, name: &str) -> Option<&Arc<Group>> {
        self.by_name.get(name).map(|at| &self.groups[*at])
    }

    /// A resource by group, version and plural name.
    pub fn resource(&self, group: &str, version: &str, plural: &str) -> Option<&Arc<Resource>> {
        self.group(group)?.version(version)?.resource(plural)
    }

    /// A resource by kind. Where a version has several of one kind the first listed is it.
    pub fn by_kind(&self, group: &str, version: &str, kind: &str) -> Option<&Arc<Resource>> {
        self.group(group)?.version(version)?.resources.iter().find(|r| &*r.gvk.kind == kind)
    }

    /// A resource in its group's preferred version that has it.
    pub fn preferred(&self, group: &str, plural: &str) -> Option<&Arc<Resource>> {
        self.group(group)?.versions.iter().find_map(|version| version.resource(plural))
    }

    /// Every resource of every version, in the order of discovery.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.groups.iter().flat_map(|group| &group.versions).flat_map(|version| &version.resources)
    }
}

fn by_name(groups: &[Arc<Group>]) -> HashMap<Arc<str>, usize> {
    groups.iter().enumerate().map(|(at, group)| (group.name.clone(), at)).collect()
}

impl Group {
    /// Versions stand in the order in which they first occur.
    fn new(name: Arc<str>, resources: Vec<Arc<Resource>>) -> Self {
        let mut versions: Vec<(Arc<str>, Vec<Arc<Resource>>)> = Vec::new();
        for resource in resources {
            match versions.iter_mut().find(|(version, _)| *version == resource.gvr.version) {
                Some((_, all)) => all.push(resource),
                None => versions.push((resource.gvr.version.clone(), vec![resource])),
            }
        }
        let versions = versions.into_iter().map(|(name, resources)| Arc::new(Version::new(name, resources))).collect();
        Self { name, versions, discovery: Default::default(), openapi: Default::default() }
    }

    /// Versions of custom resources stand after those that come with the program, the most mature first.
    fn with_custom(name: &str, base: Option<&Arc<Self>>, resources: Vec<Arc<Resource>>) -> Self {
        let is_defined = |version: &Version| resources.iter().any(|resource| resource.gvr.version == version.name);
        let stays = |version: &&Arc<Version>| !(version.gives_way() && is_defined(version));
        let builtin: Vec<Arc<Version>> = base.into_iter().flat_map(|base| &base.versions).filter(stays).cloned().collect();
        let more = resources.into_iter().filter(|r| builtin.iter().all(|version| version.name != r.gvr.version)).collect();
        let mut custom = Self::new(name.into(), more);
        custom.versions.sort_by(|a, b| model::version::by_maturity(&b.name, &a.name));
        custom.versions.splice(0..0, builtin);
        custom
    }

    /// A version by name.
    pub fn version(&self, name: &str) -> Option<&Arc<Version>> {
        self.versions.iter().find(|version| &*version.name == name)
    }

    /// `v1` or `group/version` of each version.
    pub fn api_version(&self, version: &Version) -> String {
        model::gvk::join_api_version(&self.name, &version.name)
    }
}

impl Version {
    fn new(name: Arc<str>, resources: Vec<Arc<Resource>>) -> Self {
        let by_plural = resources.iter().enumerate().map(|(at, resource)| (resource.gvr.resource.clone(), at)).collect();
        Self { name, resources, by_plural, discovery: OnceLock::new(), openapi: Default::default(), declared: Default::default() }
    }

    /// Whether definitions of the same version are served instead.
    fn gives_way(&self) -> bool {
        self.resources.iter().all(|resource| resource.computed.is_some())
    }

    /// A resource by plural name.
    pub fn resource(&self, plural: &str) -> Option<&Arc<Resource>> {
        self.by_plural.get(plural).map(|at| &self.resources[*at])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::Cells;
    use crate::strategy::{Garbage, Generation};

    fn catalog() -> Catalog {
        Catalog::builtin().expect("the committed tables are readable")
    }

    #[test]
    fn pods_are_what_upstream_serves() {
        let catalog = catalog();
        let pods = catalog.resource("", "v1", "pods").expect("pods");
        assert_eq!((&*pods.gvk.kind, &*pods.list_kind, &*pods.singular, pods.namespaced), ("Pod", "PodList", "pod", true));
        let storage = pods.storage.as_ref().expect("stored");
        assert_eq!(&*storage.prefix, "/registry/pods/");
        let eviction = pods.subresource("eviction").expect("eviction");
        assert_eq!((eviction.gvk.api_version().as_str(), eviction.foreign), ("policy/v1", true));
        assert_eq!(pods.subresource("exec").and_then(|s| s.options.clone()).as_deref(), Some("PodExecOptions"));
        assert!(pods.strategy.graceful && pods.has_status() && pods.serves("watch"));
        assert_eq!(pods.strategy.generation, Generation::Counts(vec!["spec".into()]));
        assert!(pods.columns.iter().any(|c| &*c.name == "Nominated Node" && c.priority == 1));
        assert!(pods.columns[0].description.starts_with("Name must be unique within a namespace."));
    }

    #[test]
    fn keys_are_laid_out_as_upstream_does() {
        let catalog = catalog();
        for (group, version, plural, prefix) in [
            ("", "v1", "services", "/registry/services/specs/"),
            ("", "v1", "endpoints", "/registry/services/endpoints/"),
            ("", "v1", "nodes", "/registry/minions/"),
            ("", "v1", "replicationcontrollers", "/registry/controllers/"),
            ("networking.k8s.io", "v1", "ingresses", "/registry/ingress/"),
            ("apps", "v1", "deployments", "/registry/deployments/"),
            ("events.k8s.io", "v1", "events", "/registry/events/"),
            (
                "apiextensions.k8s.io",
                "v1",
                "customresourcedefinitions",
                "/registry/apiextensions.k8s.io/customresourcedefinitions/",
            ),
            ("policy.gatehouse.dev", "v1alpha1", "policymodules", "/registry/policy.gatehouse.dev/policymodules/"),
        ] {
            let storage = catalog.resource(group, version, plural).and_then(|r| r.storage.clone()).expect(plural);
            assert_eq!(&*storage.prefix, prefix);
        }
    }

    #[test]
    fn a_kind_in_two_versions_is_stored_in_one() {
        let catalog = catalog();
        let old = catalog.resource("autoscaling", "v1", "horizontalpodautoscalers").expect("v1");
        assert_eq!(old.storage.as_ref().map(|s| s.gvk.api_version()).as_deref(), Some("autoscaling/v2"));
        assert_eq!(
            catalog.preferred("autoscaling", "horizontalpodautoscalers").map(|r| r.gvr.version.to_string()).as_deref(),
            Some("v2")
        );
        let event = catalog.by_kind("events.k8s.io", "v1", "Event").expect("event");
        assert_eq!(event.storage.as_ref().map(|s| s.gvk.api_version()).as_deref(), Some("v1"));
        assert_eq!(event.strategy.garbage, Garbage::Unsupported);
    }

    #[test]
    fn a_stored_version_that_is_not_served_is_replaced() {
        let catalog = catalog();
        let bundles =
            catalog.resource("certificates.k8s.io", "v1", "clustertrustbundles").and_then(|r| r.storage.clone()).expect("stored");
        assert_eq!(
            (bundles.gvk.api_version().as_str(), &*bundles.upstream),
            ("certificates.k8s.io/v1", "certificates.k8s.io/v1beta1")
        );
    }

    #[test]
    fn our_own_group_is_like_any_other() {
        let catalog = catalog();
        let module = catalog.resource("policy.gatehouse.dev", "v1alpha1", "policymodules").expect("policymodules");
        assert!(!module.namespaced && module.has_status());
        assert_eq!(module.strategy.generation, Generation::Counts(vec!["spec".into()]));
        assert_eq!(catalog.groups().last().map(|g| &*g.name), Some("policy.gatehouse.dev"));
    }

    #[test]
    fn every_status_writer_keeps_the_spec() {
        for resource in catalog().all() {
            let Some(status) = resource.subresource("status") else { continue };
            assert!(status.keeps.iter().any(|f| &**f == "spec"), "{}: {:?}", resource.gvr.resource, status.keeps);
            assert!(resource.strategy.keeps.iter().any(|f| &**f == "status"), "{}", resource.gvr.resource);
        }
    }

    #[test]
    fn every_row_has_a_cell_for_each_column() {
        let object = model::json::json!({"metadata": {"name": "a", "creationTimestamp": "2026-01-01T00:00:00Z"}});
        let mut odd = Vec::new();
        for resource in catalog().all().filter(|r| !r.list_kind.is_empty()) {
            let own = resource.columns.iter().any(|c| &*c.name != "Name" && &*c.name != "Created At");
            let Cells::Own(cells) = resource.cells else {
                assert!(!own, "{} has columns and no cells", resource.gvr.resource);
                continue;
            };
            let row = cells(&object, "2026-01-01T00:01:00Z".parse().expect("time"));
            if row.len() != resource.columns.len() {
                odd.push(format!("{} {} {}", resource.gvr.resource, resource.columns.len(), row.len()));
            }
        }
        // Upstream prints an age for which it has no header.
        assert_eq!(odd, ["ipaddresses 2 3"]);
    }
}
