//! A resource: everything about a kind that the request path asks, as one value. Built-in kinds get theirs from the tables
//! (`read`), custom ones from their definition (`custom`). Does no work itself.

use std::sync::Arc;

use model::{GroupVersionKind, GroupVersionResource};
use schema::apply::Filter;
use schema::{Shape, Types};

use crate::columns;
use crate::custom::Custom;
use crate::hooks::Hooks;
use crate::strategy::Strategy;

/// Where every key of the store begins; `--etcd-prefix` upstream.
pub const REGISTRY: &str = "/registry";

/// One resource in one version.
pub struct Resource {
    /// Group, version, plural name.
    pub gvr: GroupVersionResource,
    /// Group, version, kind.
    pub gvk: GroupVersionKind,
    /// Kind of a list of it: `PodList`; empty when it cannot be listed.
    pub list_kind: Arc<str>,
    /// Singular name: `pod`.
    pub singular: Arc<str>,
    /// Short names: `po`.
    pub short_names: Vec<Arc<str>>,
    /// Categories: `all`.
    pub categories: Vec<Arc<str>>,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// Verbs, sorted, as discovery tells them.
    pub verbs: Vec<Arc<str>>,
    /// What its objects are made of.
    pub shape: Shape,
    /// Subresources, sorted by name.
    pub subresources: Vec<Subresource>,
    /// How it is stored; `None` for what is only asked and answered (reviews, bindings).
    pub storage: Option<Storage>,
    /// Prefix of the keys of what the program makes itself and keeps in memory alone, as it does reports. Such a version gives way
    /// to definitions that somebody installs.
    pub computed: Option<Arc<str>>,
    /// Discovery's `storageVersionHash`, or empty.
    pub storage_version_hash: Arc<str>,
    /// Columns of its Table.
    pub columns: Arc<[Column]>,
    /// Computes the cells of a row.
    pub cells: Cells,
    /// What happens to fields on create and update, as data.
    pub strategy: Strategy,
    /// What a few kinds do beside.
    pub hooks: &'static Hooks,
    /// What only a custom resource has.
    pub custom: Option<Custom>,
}

/// Where and in which version a resource is stored.
#[derive(Clone)]
pub struct Storage {
    /// What all keys begin with: `/registry/pods/`.
    pub prefix: Arc<str>,
    /// The version objects are stored in here. Upstream keeps a few kinds in a beta version that is not served by default
    /// (`upstream`); here the served one is taken for them, which has the same fields.
    pub gvk: GroupVersionKind,
    /// What objects of the stored version are made of.
    pub shape: Shape,
    /// apiVersion in which kube-apiserver 1.37 stores it.
    pub upstream: Arc<str>,
}

/// A subresource, as `status` of pods.
#[derive(Clone)]
pub struct Subresource {
    /// Name: `status`.
    pub name: Arc<str>,
    /// Kind of its body.
    pub gvk: GroupVersionKind,
    /// Whether discovery names the group and version of its kind, which differ from the resource's.
    pub foreign: bool,
    /// Verbs, sorted.
    pub verbs: Vec<Arc<str>>,
    /// What its body is made of.
    pub shape: Shape,
    /// Kind of the options in the query, for subresources that are connected to: `PodExecOptions`.
    pub options: Option<Arc<str>>,
    /// Whether a path may follow the name (`proxy`).
    pub takes_path: bool,
    /// HTTP methods by which it is connected to; empty for others.
    pub connect: Vec<Arc<str>>,
    /// Fields that a write through it leaves as they are stored: `spec`, `metadata.labels`.
    pub keeps: Vec<Arc<str>>,
    /// The one field that a write through it changes, where it leaves all others as they are stored.
    pub only: Option<Arc<str>>,
    /// Whether a write through it judges `metadata.name` and `metadata.generateName` again.
    pub names_again: bool,
    /// Fields that nobody comes to own by a write through it.
    pub resets: Filter,
    /// What a Table shows of it, where it is another kind that has columns.
    pub table: Option<(Arc<[Column]>, columns::Cells)>,
}

/// How the cells of a Table's row are computed.
#[derive(Clone, Copy)]
pub enum Cells {
    /// Name and Created At.
    Plain,
    /// By a function of the kind.
    Own(columns::Cells),
    /// By the paths of a custom resource's definition.
    Custom,
}

/// One column of a Table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Header.
    pub name: Arc<str>,
    /// OpenAPI type: `string`, `integer`, `date`, `boolean`, `number`.
    pub kind: Arc<str>,
    /// OpenAPI format, `name` for the first, else empty.
    pub format: Arc<str>,
    /// What it shows, where upstream borrows that from a field's description; else empty.
    pub description: Arc<str>,
    /// 0 is always shown, more only with `-o wide`.
    pub priority: i32,
}

impl Resource {
    /// `v1` or `group/version`.
    pub fn api_version(&self) -> String {
        self.gvk.api_version()
    }

    /// The name under which OpenAPI has its schema.
    pub fn schema_name(&self, types: &Types) -> String {
        name_of(&self.shape, &self.gvk, types)
    }

    /// The name under which OpenAPI has the schema of a list of it; its own where there is no list.
    pub fn list_schema_name(&self, types: &Types) -> String {
        match (&self.shape, types.of_kind(&self.api_version(), &self.list_kind)) {
            (Shape::Structural(_), _) => reversed(&self.gvk, &self.list_kind),
            (Shape::Struct(_), Some(ty)) => types[ty].name.to_owned(),
            (Shape::Struct(_), None) => self.schema_name(types),
        }
    }

    /// Verbs as discovery tells them: nothing new is made of a custom resource that is going, though its objects may still
    /// be changed.
    pub fn told_verbs(&self) -> Vec<Arc<str>> {
        let ending = self.custom.as_ref().is_some_and(|custom| custom.definition.terminating);
        let makes = |verb: &str| matches!(verb, "patch" | "create" | "update");
        self.verbs.iter().filter(|verb| !ending || !makes(verb)).cloned().collect()
    }

    /// Whether it takes strategic merge patches. What is no part of Kubernetes takes none: nothing says how its free parts,
    /// as the settings of a policy, would merge.
    pub fn merges_strategically(&self) -> bool {
        self.custom.is_none() && !["openreports.io", "policy.gatehouse.dev"].contains(&&*self.gvk.group)
    }

    /// Whether a verb is served.
    pub fn serves(&self, verb: &str) -> bool {
        self.verbs.iter().any(|v| &**v == verb)
    }

    /// A subresource by name.
    pub fn subresource(&self, name: &str) -> Option<&Subresource> {
        self.subresources.iter().find(|s| &*s.name == name)
    }

    /// Whether `status` is written apart from the rest.
    pub fn has_status(&self) -> bool {
        self.subresource("status").is_some()
    }
}

impl Subresource {
    /// The name under which OpenAPI has the schema of its body.
    pub fn schema_name(&self, resource: &Resource, types: &Types) -> String {
        name_of(&self.shape, &resource.gvk, types)
    }
}

fn name_of(shape: &Shape, kind: &GroupVersionKind, types: &Types) -> String {
    match shape {
        Shape::Struct(ty) => types[*ty].name.to_owned(),
        Shape::Structural(_) => reversed(kind, &kind.kind),
    }
}

/// `com.example.stable.v1.CronTab`
fn reversed(of: &GroupVersionKind, kind: &str) -> String {
    let group: Vec<&str> = of.group.rsplit('.').collect();
    format!("{}.{}.{kind}", group.join("."), of.version)
}
