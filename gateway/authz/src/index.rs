//! The RBAC objects as authorization reads them: bindings by scope and subject, roles by name. Persistent maps, so that a
//! changed object costs its own entries and readers keep their snapshot.
//! Does not know where objects come from (`rbac`) nor what is asked of them.

use std::sync::Arc;

use imbl::{HashMap, OrdMap};
use model::{User, Value, meta};

use crate::PolicyRule;

/// The four kinds that make up RBAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Rules within a namespace.
    Role,
    /// Rules for the cluster, or to be bound in any namespace.
    ClusterRole,
    /// Grants a role within a namespace.
    RoleBinding,
    /// Grants a cluster role everywhere.
    ClusterRoleBinding,
}

impl Kind {
    /// All four, roles first.
    pub const ALL: [Kind; 4] = [Kind::Role, Kind::ClusterRole, Kind::RoleBinding, Kind::ClusterRoleBinding];

    /// Plural resource name in group `rbac.authorization.k8s.io`.
    pub fn resource(self) -> &'static str {
        match self {
            Self::Role => "roles",
            Self::ClusterRole => "clusterroles",
            Self::RoleBinding => "rolebindings",
            Self::ClusterRoleBinding => "clusterrolebindings",
        }
    }

    /// The kind's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Role => "Role",
            Self::ClusterRole => "ClusterRole",
            Self::RoleBinding => "RoleBinding",
            Self::ClusterRoleBinding => "ClusterRoleBinding",
        }
    }
}

/// What a binding grants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleRef {
    /// API group of the role, `rbac.authorization.k8s.io`.
    pub group: String,
    /// `Role` or `ClusterRole`.
    pub kind: String,
    /// Name of the role.
    pub name: String,
}

impl RoleRef {
    /// Reads `roleRef` of a binding.
    pub fn of(binding: &Value) -> Self {
        let text = |field: &str| binding.pointer(&format!("/roleRef/{field}")).and_then(Value::as_str).unwrap_or("").to_owned();
        Self { group: text("apiGroup"), kind: text("kind"), name: text("name") }
    }
}

/// To whom a binding grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// `User`, `Group` or `ServiceAccount`.
    pub kind: String,
    /// Name of the user, group or service account.
    pub name: String,
    /// Namespace of a service account; empty means the binding's own.
    pub namespace: String,
}

impl Subject {
    fn parse(value: &Value) -> Self {
        let text = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or("").to_owned();
        Self { kind: text("kind"), name: text("name"), namespace: text("namespace") }
    }

    fn namespace<'a>(&'a self, binding_namespace: &'a str) -> &'a str {
        if self.namespace.is_empty() { binding_namespace } else { &self.namespace }
    }

    fn key(&self, binding_namespace: &str) -> Option<Key> {
        match self.kind.as_str() {
            "User" => Some(Key::User(self.name.as_str().into())),
            "Group" => Some(Key::Group(self.name.as_str().into())),
            "ServiceAccount" => match self.namespace(binding_namespace) {
                "" => None,
                namespace => Some(Key::User(format!("system:serviceaccount:{namespace}:{}", self.name).into())),
            },
            _ => None,
        }
    }
}

/// A RoleBinding or ClusterRoleBinding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Namespace, empty for a ClusterRoleBinding.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// What is granted.
    pub role: RoleRef,
    /// To whom.
    pub subjects: Vec<Subject>,
}

impl Binding {
    fn parse(binding: &Value) -> Self {
        let subjects = binding.get("subjects").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        Self {
            namespace: meta::namespace(binding).to_owned(),
            name: meta::name(binding).to_owned(),
            role: RoleRef::of(binding),
            subjects: subjects.iter().map(Subject::parse).collect(),
        }
    }

    /// The first subject that is this user, described as upstream does:
    /// `RoleBinding "b/ns" of Role "r" to User "u"`.
    pub(crate) fn describe_for(&self, user: &User) -> String {
        let subject = self.subjects.iter().find(|s| match s.key(&self.namespace) {
            Some(Key::User(name)) => *name == *user.name,
            Some(Key::Group(name)) => user.in_group(&name),
            None => false,
        });
        let subject = subject.map_or_else(String::new, |s| {
            // Upstream prints name before namespace here.
            let slash = if s.kind == "ServiceAccount" { format!("/{}", s.namespace(&self.namespace)) } else { String::new() };
            format!("{} \"{}{slash}\"", s.kind, s.name)
        });
        let (kind, slash) = if self.namespace.is_empty() {
            ("ClusterRoleBinding", String::new())
        } else {
            ("RoleBinding", format!("/{}", self.namespace))
        };
        format!("{kind} \"{}{slash}\" of {} \"{}\" to {subject}", self.name, self.role.kind, self.role.name)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    User(Box<str>),
    Group(Box<str>),
}

type Bindings = OrdMap<Arc<str>, Arc<Binding>>;

/// The bindings of one namespace, or those of the whole cluster, by subject and name.
#[derive(Clone, Debug, Default)]
struct Scope {
    users: HashMap<Box<str>, Bindings>,
    groups: HashMap<Box<str>, Bindings>,
    all: Bindings,
}

impl Scope {
    fn put(&mut self, binding: Binding) {
        self.remove(&binding.name);
        let (name, binding): (Arc<str>, _) = (binding.name.as_str().into(), Arc::new(binding));
        for key in binding.subjects.iter().filter_map(|s| s.key(&binding.namespace)) {
            let (by, subject) = self.by(key);
            by.entry(subject).or_default().insert(name.clone(), binding.clone());
        }
        self.all.insert(name, binding);
    }

    fn remove(&mut self, name: &str) {
        let Some(binding) = self.all.remove(name) else { return };
        for key in binding.subjects.iter().filter_map(|s| s.key(&binding.namespace)) {
            let (by, subject) = self.by(key);
            let Some(of_subject) = by.get_mut(&subject) else { continue };
            of_subject.remove(name);
            if of_subject.is_empty() {
                by.remove(&subject);
            }
        }
    }

    fn by(&mut self, key: Key) -> (&mut HashMap<Box<str>, Bindings>, Box<str>) {
        match key {
            Key::User(name) => (&mut self.users, name),
            Key::Group(name) => (&mut self.groups, name),
        }
    }
}

type Roles = HashMap<Box<str>, Arc<[PolicyRule]>>;

/// All RBAC objects at one moment.
#[derive(Clone, Debug, Default)]
pub struct Index {
    /// By namespace (empty for cluster roles) and name.
    roles: HashMap<Box<str>, Roles>,
    scopes: HashMap<Box<str>, Scope>,
}

impl Index {
    /// Takes in an object as it is now.
    pub fn put(&mut self, kind: Kind, object: &Value) {
        let namespace = meta::namespace(object);
        match kind {
            Kind::Role | Kind::ClusterRole => {
                let rules = PolicyRule::of_role(object).into();
                self.roles.entry(namespace.into()).or_default().insert(meta::name(object).into(), rules);
            }
            Kind::RoleBinding | Kind::ClusterRoleBinding => {
                self.scopes.entry(namespace.into()).or_default().put(Binding::parse(object));
            }
        }
    }

    /// Forgets an object; `namespace` is empty for a cluster-wide one.
    pub fn remove(&mut self, kind: Kind, namespace: &str, name: &str) {
        match kind {
            Kind::Role | Kind::ClusterRole => {
                let Some(roles) = self.roles.get_mut(namespace) else { return };
                roles.remove(name);
                if roles.is_empty() {
                    self.roles.remove(namespace);
                }
            }
            Kind::RoleBinding | Kind::ClusterRoleBinding => {
                let Some(scope) = self.scopes.get_mut(namespace) else { return };
                scope.remove(name);
                if scope.all.is_empty() {
                    self.scopes.remove(namespace);
                }
            }
        }
    }

    /// The rules of a role; `namespace` is that of the binding. `None` when the role does not exist.
    pub fn role(&self, role: &RoleRef, namespace: &str) -> Option<&Arc<[PolicyRule]>> {
        let namespace = match role.kind.as_str() {
            "ClusterRole" => "",
            // A Role lies in a namespace: without one this would find the cluster role of that name.
            "Role" if !namespace.is_empty() => namespace,
            _ => return None,
        };
        self.roles.get(namespace)?.get(role.name.as_str())
    }

    /// The bindings that apply to a user in a namespace: the cluster's, then the namespace's, by name.
    pub(crate) fn bindings<'a>(&'a self, user: &'a User, namespace: &'a str) -> impl Iterator<Item = &'a Binding> {
        let cluster = self.in_scope(user, "");
        let own = if namespace.is_empty() { Vec::new() } else { self.in_scope(user, namespace) };
        cluster.into_iter().chain(own)
    }

    fn in_scope(&self, user: &User, namespace: &str) -> Vec<&Binding> {
        let Some(scope) = self.scopes.get(namespace) else { return Vec::new() };
        let of_user = scope.users.get(user.name.as_str());
        let of_groups = user.groups.iter().filter_map(|group| scope.groups.get(group.as_str()));
        let mut found: Vec<&Binding> = of_user.into_iter().chain(of_groups).flat_map(|b| b.values().map(Arc::as_ref)).collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found.dedup_by(|a, b| a.name == b.name);
        found
    }
}
