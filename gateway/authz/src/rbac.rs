//! The RBAC authorizer: answers from the index, which it brings up to date before every answer, so that a binding counts
//! from the request after the one that wrote it.
//! Follows `plugin/pkg/auth/authorizer/rbac` and `pkg/registry/rbac/validation/rule.go`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use model::field::quote;
use model::{Attributes, Decision, User, Value};

use crate::index::{Index, Kind, RoleRef};
use crate::rule::PolicyRule;

/// Where RBAC objects come from. Asked on every request, so `version` must cost next to nothing.
pub trait Source: Send + Sync {
    /// Another number after every change of any of the objects.
    fn version(&self) -> u64;
    /// What changed since the last call; the first call reports every object.
    fn drain(&self) -> Vec<Change>;
}

/// One object that changed.
#[derive(Clone, Debug)]
pub enum Change {
    /// The object as it is now.
    Put(Kind, Value),
    /// Namespace (empty for a cluster-wide object) and name of what is gone.
    Remove(Kind, String, String),
}

/// Authorizes by Role, ClusterRole and their bindings.
pub struct Rbac {
    index: ArcSwap<Index>,
    source: Box<dyn Source>,
    /// The source's version that `index` shows.
    seen: AtomicU64,
    /// Held while draining, so that whoever sees a new version waits until the index shows it.
    draining: Mutex<()>,
}

/// What a user may do in a namespace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    /// The rules of every role that is bound and exists.
    pub rules: Vec<PolicyRule>,
    /// The roles that are bound and do not exist, in words.
    pub errors: Vec<String>,
}

/// What the storage says of a Role that is looked for outside of namespaces.
pub(crate) const NO_NAMESPACE: &str = "Namespace parameter required.";

/// How a missing role is named: by the authorizer's lister in the singular of its kind, by the registry as the resource of the
/// request, whatever that is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Naming<'a> {
    Lister,
    Registry(&'a str),
}

impl Rbac {
    /// An authorizer over the objects of a source.
    pub fn new(source: impl Source + 'static) -> Self {
        // Never equal to the first version, so that the first answer drains.
        let seen = AtomicU64::new(source.version().wrapping_sub(1));
        Self { index: ArcSwap::default(), source: Box::new(source), seen, draining: Mutex::new(()) }
    }

    /// The objects as they are now.
    pub fn index(&self) -> arc_swap::Guard<Arc<Index>> {
        if self.source.version() != self.seen.load(Ordering::Acquire) {
            self.catch_up();
        }
        self.index.load()
    }

    fn catch_up(&self) {
        // A panic while draining left the old index in place; the next one drains on.
        let _draining = self.draining.lock().unwrap_or_else(PoisonError::into_inner);
        // Read before draining: a change in between is drained twice at worst, never missed.
        let version = self.source.version();
        if version == self.seen.load(Ordering::Acquire) {
            return;
        }
        let mut index = Index::clone(&self.index.load());
        for change in self.source.drain() {
            match change {
                Change::Put(kind, object) => index.put(kind, &object),
                Change::Remove(kind, namespace, name) => index.remove(kind, &namespace, &name),
            }
        }
        self.index.store(Arc::new(index));
        self.seen.store(version, Ordering::Release);
    }

    /// Decides by the rules alone; RBAC never refuses for good.
    pub fn decide(&self, asked: &Attributes) -> Decision {
        let index = self.index();
        let mut errors: Vec<String> = Vec::new();
        for binding in index.bindings(&asked.user, &asked.namespace) {
            match index.role(&binding.role, &binding.namespace) {
                Some(rules) if rules.iter().any(|rule| rule.allows(asked)) => {
                    return Decision::Allow(format!("RBAC: allowed by {}", binding.describe_for(&asked.user)));
                }
                Some(_) => {}
                None => errors.push(missing(&binding.role, &binding.namespace, Naming::Lister)),
            }
        }
        Decision::NoOpinion(if errors.is_empty() { String::new() } else { format!("RBAC: {}", aggregate(errors)) })
    }

    /// Every rule that applies to a user in a namespace (the empty one: in the whole cluster).
    pub fn rules_for(&self, user: &User, namespace: &str) -> Rules {
        self.rules_named(user, namespace, Naming::Lister)
    }

    pub(crate) fn rules_named(&self, user: &User, namespace: &str, naming: Naming<'_>) -> Rules {
        let index = self.index();
        let mut found = Rules::default();
        for binding in index.bindings(user, namespace) {
            match index.role(&binding.role, &binding.namespace) {
                Some(rules) => found.rules.extend(rules.iter().cloned()),
                None => found.errors.push(missing(&binding.role, &binding.namespace, naming)),
            }
        }
        found
    }
}

/// Why a binding's role is not to be had.
pub(crate) fn missing(role: &RoleRef, namespace: &str, naming: Naming<'_>) -> String {
    let resource = match (role.kind.as_str(), naming) {
        ("Role", Naming::Lister) => "role",
        ("ClusterRole", Naming::Lister) => "clusterrole",
        ("Role", Naming::Registry(_)) if namespace.is_empty() => return NO_NAMESPACE.to_owned(),
        ("Role" | "ClusterRole", Naming::Registry(resource)) => resource,
        (other, _) => return format!("unsupported role reference kind: {}", quote(other)),
    };
    format!("{resource}.rbac.authorization.k8s.io {} not found", quote(&role.name))
}

/// Several errors as one text, each said once, as upstream's aggregate prints them.
pub(crate) fn aggregate(errors: Vec<String>) -> String {
    let mut once: Vec<String> = Vec::new();
    for error in errors {
        if !once.contains(&error) {
            once.push(error);
        }
    }
    if once.len() == 1 { once.remove(0) } else { format!("[{}]", once.join(", ")) }
}
