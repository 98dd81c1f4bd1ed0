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
        "policymodules" => check_module(review, object),
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

/// Keys that nothing can be signed by: what else is wrong with a module is found when it is loaded, and is told in its status.
fn check_module(review: &Review<'_>, object: &Value) -> Result<(), Status> {
    if review.old.is_some_and(|old| old.get("spec") == object.get("spec")) {
        return Ok(());
    }
    let (spec, mut errors) = (Path::new("spec"), Errors::new());
    let signature = spec.child("signature");
    let at = signature.child("publicKeys");
    let keys = object.pointer("/spec/signature/publicKeys").and_then(Value::as_array);
    for (n, key) in keys.into_iter().flatten().enumerate() {
        if let Err(why) = crate::policy::signature::check_key(key.as_str().unwrap_or_default()) {
            errors.invalid(&at.index(n), key.clone(), format!("{why}; gatehouse policy keygen makes keys"));
        }
    }
    if errors.0.is_empty() { Ok(()) } else { Err(invalid(review, object, &errors)) }
}

/// An update of labels alone may come late: what has ended excepts nothing.
async fn check_exception(policies: &Policies, review: &Review<'_>, object: &Value, notes: &mut Notes) -> Result<(), Status> {
    let Ok(exception) = Exception::from_object(object) else { return Ok(()) };
    if review.old.is_some_and(|old| old.get("spec") == object.get("spec")) {
        return Ok(());
    }
    if !exception.is_over(review.now) {
        if let Some(cluster) = policies.cluster.get() {
            absent::excepted(policies, cluster, &exception, notes).await;
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
        "policymodules" => "PolicyModule",
        _ => "ClusterPolicyBinding",
    };
    Status::invalid(&GroupKind { group: Arc::from(GROUP), kind: Arc::from(kind) }, meta::name(object), errors)
}
