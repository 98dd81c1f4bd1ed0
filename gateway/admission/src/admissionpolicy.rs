//! ValidatingAdmissionPolicy and MutatingAdmissionPolicy with their bindings: CEL as two admission plugins.
//! Follows `k8s.io/apiserver/pkg/admission/plugin/policy`. Does not watch the store (`server::following` does) and does not
//! judge what is written (`catalog::hooks::admissionpolicy`).

use std::sync::Arc;

use arc_swap::ArcSwap;
use model::{GroupVersionResource, Status, Value};

use crate::followed::{Followed, Kept, Newest};
use crate::{Cluster, Notes, Operation, Plugin, Review};

mod access;
mod compile;
mod mutating;
mod params;
#[cfg(test)]
mod tests;
pub mod trial;
mod validating;

pub use access::ParamsAccess;
use compile::{Binding, Policy};

const GROUP: &str = "admissionregistration.k8s.io";
/// The kinds themselves are never judged by policies: nobody can lock everybody out.
const EXEMPT: [&str; 4] = [
    "validatingadmissionpolicies",
    "validatingadmissionpolicybindings",
    "mutatingadmissionpolicies",
    "mutatingadmissionpolicybindings",
];

/// Which of the two kinds of policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// ValidatingAdmissionPolicy.
    Validating,
    /// MutatingAdmissionPolicy.
    Mutating,
}

impl Kind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Validating, Self::Mutating];

    /// The kind's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Validating => "ValidatingAdmissionPolicy",
            Self::Mutating => "MutatingAdmissionPolicy",
        }
    }
}

/// A policy with its bindings, which alone put it in force.
struct Hook {
    policy: Arc<Policy>,
    bindings: Vec<Arc<Binding>>,
}

/// The policies of one kind in one server.
pub struct Policies {
    kind: Kind,
    cluster: Cluster,
    policies: Kept<Arc<Policy>>,
    bindings: Kept<Arc<Binding>>,
    hooks: ArcSwap<Vec<Hook>>,
}

impl Policies {
    /// None yet.
    pub fn new(kind: Kind, cluster: Cluster) -> Arc<Self> {
        Arc::new(Self { kind, cluster, policies: Kept::new(), bindings: Kept::new(), hooks: ArcSwap::default() })
    }

    /// The plugin of this kind.
    pub fn plugin(self: &Arc<Self>) -> Box<dyn Plugin> {
        match self.kind {
            Kind::Validating => Box::new(Validating(self.clone())),
            Kind::Mutating => Box::new(Mutating(self.clone())),
        }
    }

    /// The two resources to follow, by their plural names, and who is to be told.
    pub fn follows(self: &Arc<Self>) -> [(&'static str, Arc<dyn Followed>); 2] {
        let names = match self.kind {
            Kind::Validating => ["validatingadmissionpolicies", "validatingadmissionpolicybindings"],
            Kind::Mutating => ["mutatingadmissionpolicies", "mutatingadmissionpolicybindings"],
        };
        [(names[0], Arc::new(OfPolicies(self.clone()))), (names[1], Arc::new(OfBindings(self.clone())))]
    }

    /// What is in force, once that is everything that is stored now.
    async fn current(&self, review: &Review<'_>) -> Result<Arc<Vec<Hook>>, Status> {
        self.policies.settled(review).await?;
        self.bindings.settled(review).await?;
        Ok(self.hooks.load_full())
    }

    fn rebuild(&self) {
        let bindings = self.bindings.all();
        let hook = |policy: Arc<Policy>| {
            let bindings: Vec<_> = bindings.iter().filter(|binding| binding.policy == policy.name).cloned().collect();
            (!bindings.is_empty()).then_some(Hook { policy, bindings })
        };
        self.hooks.store(Arc::new(self.policies.all().into_iter().filter_map(hook).collect()));
    }
}

struct OfPolicies(Arc<Policies>);

impl Followed for OfPolicies {
    fn followed(&self, newest: Newest) {
        self.0.policies.followed(newest);
    }

    fn replace(&self, objects: &[Value]) {
        self.0.policies.replace(objects, |object| Arc::new(Policy::compile(self.0.kind, object)));
        self.0.rebuild();
    }

    fn put(&self, object: &Value) {
        self.0.policies.put(object, |object| Arc::new(Policy::compile(self.0.kind, object)));
        self.0.rebuild();
    }

    fn remove(&self, name: &str) {
        self.0.policies.remove(name);
        self.0.rebuild();
    }

    fn reach(&self, revision: model::Revision) {
        self.0.policies.reach(revision);
    }
}

struct OfBindings(Arc<Policies>);

impl Followed for OfBindings {
    fn followed(&self, newest: Newest) {
        self.0.bindings.followed(newest);
    }

    fn replace(&self, objects: &[Value]) {
        self.0.bindings.replace(objects, |object| Arc::new(Binding::read(object)));
        self.0.rebuild();
    }

    fn put(&self, object: &Value) {
        self.0.bindings.put(object, |object| Arc::new(Binding::read(object)));
        self.0.rebuild();
    }

    fn remove(&self, name: &str) {
        self.0.bindings.remove(name);
        self.0.rebuild();
    }

    fn reach(&self, revision: model::Revision) {
        self.0.bindings.reach(revision);
    }
}

struct Validating(Arc<Policies>);

#[async_trait::async_trait]
impl Plugin for Validating {
    fn name(&self) -> &'static str {
        Kind::Validating.as_str()
    }

    fn handles(&self, _: Operation, resource: &GroupVersionResource, _: &str) -> bool {
        !is_exempt(resource)
    }

    async fn validate(&self, review: &Review<'_>, object: Option<&Value>, notes: &mut Notes) -> Result<(), Status> {
        let hooks = self.0.current(review).await?;
        if hooks.is_empty() {
            return Ok(());
        }
        validating::run(&hooks, &self.0.cluster, review, object, notes).await
    }
}

struct Mutating(Arc<Policies>);

#[async_trait::async_trait]
impl Plugin for Mutating {
    fn name(&self) -> &'static str {
        Kind::Mutating.as_str()
    }

    fn handles(&self, operation: Operation, resource: &GroupVersionResource, _: &str) -> bool {
        operation != Operation::Delete && !is_exempt(resource)
    }

    async fn mutate(&self, review: &Review<'_>, object: &mut Value, notes: &mut Notes) -> Result<(), Status> {
        let hooks = self.0.current(review).await?;
        if hooks.is_empty() {
            return Ok(());
        }
        mutating::run(&hooks, &self.0.cluster, review, object, notes).await
    }
}

/// Neither the kinds of policies nor questions, which store nothing: a bad policy could keep everybody from asking who may
/// mend it.
fn is_exempt(resource: &GroupVersionResource) -> bool {
    match &*resource.group {
        GROUP => EXEMPT.contains(&&*resource.resource),
        "authentication.k8s.io" => matches!(&*resource.resource, "tokenreviews" | "selfsubjectreviews"),
        "authorization.k8s.io" => true,
        _ => false,
    }
}

/// The Namespace that expressions see, without what they are not shown; nothing where the request is in none, or about one.
async fn namespace_of(cluster: &Cluster, review: &Review<'_>) -> Result<Option<Value>, Status> {
    let itself = &*review.kind.kind == "Namespace" && review.kind.group.is_empty() && &*review.kind.version == "v1";
    if review.namespace.is_empty() || itself {
        return Ok(None);
    }
    let mut namespace = cluster.namespace(review.namespace).await?;
    if let Some(map) = namespace.as_object_mut() {
        map.shift_remove("apiVersion");
        map.shift_remove("kind");
        if let Some(metadata) = map.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.shift_remove("managedFields");
            metadata.shift_remove("ownerReferences");
        }
    }
    Ok(Some(namespace))
}
