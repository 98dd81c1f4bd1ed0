//! The parameters that a binding gives its policy: none, one by its name, or each that a selector finds.
//! Follows `CollectParams` of `k8s.io/apiserver/pkg/admission/plugin/policy/generic`. They are read as they are stored now,
//! custom resources too.

use std::sync::Arc;

use catalog::Resource;
use model::selector::label::Selector;
use model::{GroupVersionKind, Value};

use super::compile::{ParamRef, Policy};
use crate::Cluster;

/// The resource of a policy's parameters, where it has some.
///
/// # Errors
/// Nothing of that kind is served: the policy itself is misconfigured.
pub(super) fn resource(policy: &Policy, cluster: &Cluster) -> Result<Option<Arc<Resource>>, String> {
    let Some(kind) = &policy.param_kind else { return Ok(None) };
    let catalog = cluster.kinds.catalog().map_err(|status| status.message)?;
    let found = catalog.by_kind(&kind.group, &kind.version, &kind.kind).cloned();
    found.map(Some).ok_or_else(|| format!("failed to find resource referenced by paramKind: '{}'", shown(kind)))
}

/// `group/version, Kind=Kind`, as Go prints it.
fn shown(kind: &GroupVersionKind) -> String {
    format!("{}/{}, Kind={}", kind.group, kind.version, kind.kind)
}

/// The parameters, each of which the policy is evaluated with; `None` stands for an evaluation without any.
///
/// # Errors
/// There are none where there must be, or they cannot be read.
pub(super) async fn collect(
    resource: Option<&Resource>,
    reference: Option<&ParamRef>,
    namespace: &str,
    cluster: &Cluster,
) -> Result<Vec<Option<Value>>, String> {
    let (Some(resource), Some(reference)) = (resource, reference) else { return Ok(vec![None]) };
    let namespace = match (resource.namespaced, &*reference.namespace) {
        (true, "") if namespace.is_empty() => {
            return Err("cannot use namespaced paramRef in policy binding that matches cluster-scoped resources".to_owned());
        }
        (true, "") => namespace,
        (false, given) if !given.is_empty() => {
            return Err("paramRef.namespace must not be provided for a cluster-scoped `paramKind`".to_owned());
        }
        (_, given) => given,
    };
    let found = if !reference.name.is_empty() {
        match cluster.world.get(&resource.gvr, namespace, &reference.name).await {
            Ok(param) => vec![Some(param)],
            Err(status) if status.code == 404 => Vec::new(),
            Err(status) => return Err(status.message),
        }
    } else if let Some(selector) = &reference.selector {
        let selector = Selector::from_object(selector)?.unwrap_or_default();
        let (objects, _) = cluster.world.list(&resource.gvr, namespace, "").await.map_err(|status| status.message)?;
        objects.into_iter().filter(|object| selector.matches_object(object)).map(Some).collect()
    } else {
        return Err("one of name or selector must be provided".to_owned());
    };
    if found.is_empty() && reference.required {
        return Err("no params found for policy binding with `Deny` parameterNotFoundAction".to_owned());
    }
    Ok(found)
}
