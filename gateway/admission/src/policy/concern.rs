//! Which bindings a write concerns, and what each of them is given: the version that its rules name, its parameters; and
//! whether it decides or is judged in shadow. Does not call policies (`judge`).

use std::borrow::Cow;
use std::sync::Arc;

use model::json::json;
use model::{Status, Value};

use super::Policies;
use super::answer::annotate;
use super::binding::Action;
use super::exception::{self, Exception};
use super::letting_go;
use super::reach::{self, Params};
use super::set::{Entry, PolicySet};
use crate::expression::{OnError, Sight};
use crate::matching::{self, Matched};
use crate::{Cluster, Notes, Operation, Review};

/// What a verdict is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It counts.
    Deciding,
    /// It is compared with the verdict of the binding that it is a candidate of.
    Candidate,
    /// It is compared with no verdict at all: the binding's action is Shadow.
    Alone,
}

/// One binding that a write concerns.
pub(super) struct Concern {
    pub(super) entry: Arc<Entry>,
    pub(super) role: Role,
    /// As what the request matched.
    pub(super) matched: Matched,
    /// The objects in that version, where it is another than the request's.
    pub(super) converted: Option<Converted>,
    pub(super) params: Option<Value>,
    /// Why it cannot be asked: that is a failure of the binding.
    pub(super) unfit: Option<String>,
}

/// Objects in the version that a rule names.
#[derive(Clone)]
pub(super) struct Converted {
    pub(super) object: Option<Value>,
    pub(super) old: Option<Value>,
}

/// Every binding of a list that a write concerns, in order; a candidate stands before the binding it belongs to.
pub(super) async fn all(
    policies: &Policies,
    set: &PolicySet,
    entries: &[Arc<Entry>],
    review: &Review<'_>,
    object: Option<&Value>,
    notes: &mut Notes,
) -> Vec<Concern> {
    let mut concerns = Vec::new();
    for entry in entries {
        concerns.extend(of(policies, set, entry, review, object, notes).await);
    }
    concerns
}

/// How a write concerns one binding: not at all, or by what is in force, or by that and a candidate in shadow.
pub(super) async fn of(
    policies: &Policies,
    set: &PolicySet,
    entry: &Arc<Entry>,
    review: &Review<'_>,
    object: Option<&Value>,
    notes: &mut Notes,
) -> Vec<Concern> {
    if is_elsewhere(entry, review) {
        return Vec::new();
    }
    let cluster = policies.cluster.get();
    let (matched, mut unfit) = match matches(entry, review, object, cluster).await {
        Ok(None) => return Vec::new(),
        Ok(Some(matched)) => (matched, None),
        Err(status) => (as_made(review), Some(status.message)),
    };
    if let Some(why) = withheld(entry, review, cluster).await {
        // In a scan an object that the author may not read is nobody's to tell of.
        if review.user.name.is_empty() {
            return Vec::new();
        }
        unfit = Some(why);
    }
    if let Some(exception) = excepted(set, entry, review, object) {
        annotate(entry, json!({"verdict": "excepted", "exception": exception.name}), std::time::Duration::ZERO, notes);
        return Vec::new();
    }
    let converted = match convert(&matched, review, object, cluster).await {
        Ok(converted) => converted,
        Err(status) => {
            unfit = Some(status.message);
            None
        }
    };
    let (shown, old) = match &converted {
        Some(converted) => (converted.object.as_ref(), converted.old.as_ref()),
        None => (object, review.old),
    };
    let mut concerns = Vec::new();
    for (entry, role) in roles(entry, review, object, cluster).await {
        if unfit.is_none() && letting_go::is_spared(&entry, review.operation, shown, old) {
            continue;
        }
        let (params, unfit) = match given(cluster, &entry, review.namespace).await {
            Ok(Params::Missing) => continue,
            Ok(Params::None) => (None, unfit.clone()),
            Ok(Params::Object(params)) => (Some(params), unfit.clone()),
            Err(why) => (None, Some(why)),
        };
        let unfit = match (unfit, holds(&entry, review, (shown, old), &matched, params.as_ref(), cluster)) {
            (None, Ok(false)) => continue,
            (None, Err(why)) => Some(why),
            (unfit, _) => unfit,
        };
        concerns.push(Concern { entry, role, matched: matched.clone(), converted: converted.clone(), params, unfit });
    }
    concerns
}

/// Why a binding of a namespace is not shown an object: it sees no more than its author may read, and changes nothing that its
/// author may not write.
async fn withheld(entry: &Entry, review: &Review<'_>, cluster: Option<&Cluster>) -> Option<String> {
    let binding = &entry.binding;
    binding.namespace()?;
    let verbs: &[&str] = match (entry.is_mutator(), review.operation) {
        (true, Operation::Create) => &["get", "create"],
        (true, Operation::Update) => &["get", "update"],
        _ => &["get"],
    };
    match cluster {
        Some(cluster) => reach::shown(cluster, binding, verbs, review.resource, review.name).await.err(),
        None => Some("nobody can tell yet what the binding's author may read".to_owned()),
    }
}

/// Whether a write is none of a binding's business, whatever its rules say: it is about another namespace, or it gives rights,
/// for which the server asks who writes, and not who changes what is written.
fn is_elsewhere(entry: &Entry, review: &Review<'_>) -> bool {
    entry.binding.namespace().is_some_and(|own| {
        let gives_rights = &*review.resource.group == "rbac.authorization.k8s.io";
        own != review.namespace || matching::is_namespace(review) || (gives_rights && entry.is_mutator())
    })
}

/// Whether a binding's conditions hold of what it is shown. Where nobody makes the request, those that ask who it is are left
/// to whoever judges (`scan`).
fn holds(
    entry: &Entry,
    review: &Review<'_>,
    (object, old): (Option<&Value>, Option<&Value>),
    matched: &Matched,
    params: Option<&Value>,
    cluster: Option<&Cluster>,
) -> Result<bool, String> {
    let conditions = &entry.binding.conditions;
    if conditions.is_empty() || (review.user.name.is_empty() && conditions.needs_user()) {
        return Ok(true);
    }
    let cluster = cluster.ok_or("conditions cannot be evaluated yet")?;
    let sight = Sight::of(review, object.map(Cow::Borrowed), old.map(Cow::Borrowed), matched, cluster);
    conditions.hold(&sight, params, OnError::Fail)
}

/// The exception that covers a write from all rules of a binding.
pub(super) fn excepted(set: &PolicySet, entry: &Entry, review: &Review<'_>, object: Option<&Value>) -> Option<Arc<Exception>> {
    let covering = exception::covering(&set.exceptions, &entry.binding.name, review, object);
    covering.into_iter().find(|exception| exception.is_whole())
}

/// As what a write matches a binding's constraints.
async fn matches(
    entry: &Entry,
    review: &Review<'_>,
    object: Option<&Value>,
    cluster: Option<&Cluster>,
) -> Result<Option<Matched>, Status> {
    let constraints = &entry.binding.constraints;
    let Some(cluster) = cluster else {
        return Ok(constraints.matches_exactly(review, object).then(|| as_made(review)));
    };
    match constraints.matches(review, object, cluster).await {
        // The namespace is about to be made or gone: who selects by labels that it lacks means others.
        Err(status) if status.code == 404 => {
            let unlabelled = json!({"metadata": {"name": review.namespace}});
            Ok(constraints.matches_namespace(&unlabelled).then(|| as_made(review)))
        }
        answer => answer,
    }
}

fn as_made(review: &Review<'_>) -> Matched {
    Matched { resource: review.resource.clone(), kind: review.kind.clone() }
}

async fn convert(
    matched: &Matched,
    review: &Review<'_>,
    object: Option<&Value>,
    cluster: Option<&Cluster>,
) -> Result<Option<Converted>, Status> {
    let (Some(cluster), true) = (cluster, matched.resource != *review.resource) else { return Ok(None) };
    let one = async |object: Option<&Value>| match object {
        None => Ok(None),
        Some(object) => cluster.kinds.convert(object, review.resource, &matched.resource, review.subresource).await.map(Some),
    };
    Ok(Some(Converted { object: one(object).await?, old: one(review.old).await? }))
}

/// Who decides, and who is judged beside. In the namespaces that a candidate's selector names, it is the candidate.
async fn roles(
    entry: &Arc<Entry>,
    review: &Review<'_>,
    object: Option<&Value>,
    cluster: Option<&Cluster>,
) -> Vec<(Arc<Entry>, Role)> {
    let role = if entry.binding.action == Action::Shadow { Role::Alone } else { Role::Deciding };
    let Some(candidate) = &entry.candidate else { return vec![(entry.clone(), role)] };
    if let (Some(namespaces), Some(cluster)) = (&candidate.namespaces, cluster) {
        let read = match matching::namespace_itself(review, object) {
            Some(itself) => Ok(itself.clone()),
            None => cluster.namespace(review.namespace).await,
        };
        if read.is_ok_and(|namespace| namespaces.matches_object(&namespace)) {
            return vec![(candidate.entry.clone(), role)];
        }
    }
    vec![(candidate.entry.clone(), Role::Candidate), (entry.clone(), role)]
}

async fn given(cluster: Option<&Cluster>, entry: &Entry, namespace: &str) -> Result<Params, String> {
    match (cluster, &entry.binding.params) {
        (_, None) => Ok(Params::None),
        (Some(cluster), Some(_)) => reach::params(cluster, &entry.binding, namespace).await,
        (None, Some(_)) => Err("parameters cannot be read yet".to_owned()),
    }
}
