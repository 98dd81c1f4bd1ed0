//! Judges policy kinds that are being written: settings are checked against the live module, an exception must end in the
//! future, and nothing that `--policy-dir` gave can be made anew under its name. What they name and is not there is a warning
//! (`absent`).

use std::sync::Arc;

use model::field::{Errors, Path};
use model::{GroupKind, Status, Value, meta};

use super::{absent, blocking, state};
use crate::policy::binding::{self, Binding};
use crate::policy::exception::Exception;
use crate::policy::set::{Entry, Unfit};
use crate::policy::{GROUP, Policies};
use crate::{Notes, Operation, Review};

/// Judges a policy kind.
pub(in crate::policy) async fn check(
    policies: &Policies,
    review: &Review<'_>,
    object: Option<&Value>,
    notes: &mut Notes,
) -> Result<(), Status> {
    if review.operation == Operation::Delete && &*review.resource.resource == "policymodules" {
        absent::bound(policies, review.name, notes);
    }
    let is_write = matches!(review.operation, Operation::Create | Operation::Update) && review.subresource.is_empty();
    let (true, Some(object)) = (is_write, object) else { return Ok(()) };
    match &*review.resource.resource {
        "clusterpolicybindings" | "policybindings" => check_binding(policies, review, object, notes).await,
        "policyexceptions" => check_exception(policies, review, object, notes).await,
        _ => Ok(()),
    }
}

async fn check_binding(policies: &Policies, review: &Review<'_>, object: &Value, notes: &mut Notes) -> Result<(), Status> {
    if policies.fixed.entries.iter().any(|entry| entry.binding.name == binding::key(object)) {
        let resource = review.resource.group_resource();
        return Err(Status::forbidden(
            &resource,
            review.name,
            "a binding of this name is given by --policy-dir and cannot be changed",
        ));
    }
    let Ok(binding) = Binding::from_object(object) else { return Ok(()) };
    if let Some(cluster) = policies.cluster.get() {
        absent::modules(&*cluster.world, &binding, notes).await;
        absent::around(cluster, &binding, object, notes).await;
    }
    let modules = policies.modules.load_full();
    if !modules.contains_key(&binding.module) {
        return Ok(());
    }
    let find = move |name: &str| modules.get(name).cloned().ok_or_else(|| state::missing(name));
    match blocking(move || Entry::with_candidate(binding, &find)).await {
        Ok(_) => Ok(()),
        Err(Unfit::Spec(errors)) => Err(invalid(review, object, &errors)),
        // The module's own fault; the binding's status will say so.
        Err(Unfit::Module(_)) => Ok(()),
    }
}

/// An update of labels alone may come late: what has ended excepts nothing.
async fn check_exception(policies: &Policies, review: &Review<'_>, object: &Value, notes: &mut Notes) -> Result<(), Status> {
    let Ok(exception) = Exception::from_object(object) else { return Ok(()) };
    if review.old.is_some_and(|old| old.get("spec") == object.get("spec")) {
        return Ok(());
    }
    if !exception.is_over(review.now) {
        if let Some(cluster) = policies.cluster.get() {
            absent::bindings(policies, &*cluster.world, &exception, notes).await;
        }
        return Ok(());
    }
    let mut errors = Errors::new();
    let expires = object.pointer("/spec/expires").cloned().unwrap_or_default();
    errors.invalid(&Path::new("spec").child("expires"), expires, "must be in the future");
    Err(invalid(review, object, &errors))
}

fn invalid(review: &Review<'_>, object: &Value, errors: &Errors) -> Status {
    let kind = match &*review.resource.resource {
        "policybindings" => "PolicyBinding",
        "policyexceptions" => "PolicyException",
        _ => "ClusterPolicyBinding",
    };
    Status::invalid(&GroupKind { group: Arc::from(GROUP), kind: Arc::from(kind) }, meta::name(object), errors)
}
