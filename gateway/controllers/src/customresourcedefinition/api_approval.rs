//! Says of a definition in one of the community's groups whether its API was approved. Follows `pkg/controller/apiapproval`.

use futures::future::BoxFuture;
use model::Value;
use model::field::quote;

use super::{Condition, GROUP, PLURAL, present, read, settle};
use crate::runtime::{Context, Controller, Error, Next, Watch};

/// The controller.
pub const CONTROLLER: Controller = Controller {
    name: "kubernetes_api_approval_conformant_condition_controller",
    watches: &[Watch::new(GROUP, "v1", PLURAL, present)],
    workers: 2,
    reconcile,
};

const ANNOTATION: &str = "api-approved.kubernetes.io";

/// The condition that the definition should have; nothing in a group of somebody else's.
fn decide(definition: &Value) -> Option<Condition> {
    let group = definition.pointer("/spec/group").and_then(Value::as_str).unwrap_or("");
    if !["k8s.io", "kubernetes.io"].iter().any(|of| group == *of || group.strip_suffix(of).is_some_and(|g| g.ends_with('.'))) {
        return None;
    }
    let annotations = definition.pointer("/metadata/annotations");
    let said = annotations.and_then(|all| all.get(ANNOTATION)).and_then(Value::as_str).unwrap_or("");
    let must = format!("protected groups must have approval annotation {}", quote(ANNOTATION));
    const SEE: &str = "see https://github.com/kubernetes/enhancements/pull/1111";
    let (status, reason, message) = match said {
        "" => ("False", "MissingAnnotation", format!("{must}, {SEE}")),
        said if said.starts_with("unapproved") => ("False", "UnapprovedAnnotation", format!("not approved: {}", quote(said))),
        said if is_url(said) => ("True", "ApprovedAnnotation", format!("approved in {said}")),
        _ => {
            let message = format!("{must} with either a URL or a reason starting with \"unapproved\", {SEE}");
            ("False", "InvalidAnnotation", message)
        }
    };
    Some(Condition::new("KubernetesAPIApprovalPolicyConformant", status, reason, message))
}

/// Whether a text has a scheme and a host.
fn is_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let mut letters = scheme.chars();
    letters.next().is_some_and(|c| c.is_ascii_alphabetic())
        && letters.all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
        && !rest.starts_with(['/', '?', '#'])
        && !rest.is_empty()
        && !text.contains(char::is_whitespace)
}

fn reconcile<'a>(context: &'a Context, name: &'a str) -> BoxFuture<'a, Result<Next, Error>> {
    Box::pin(async move {
        let Some(definition) = read(&*context.world, name).await? else { return Ok(Next::Wait) };
        match decide(&definition) {
            Some(wanted) => settle(&*context.world, definition, &wanted, context.clock.now()).await,
            None => Ok(Next::Wait),
        }
    })
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    #[test]
    fn the_annotation_decides() {
        let decided = |group: &str, said: &str| {
            decide(&json!({"metadata": {"annotations": {ANNOTATION: said}}, "spec": {"group": group}}))
                .map(|c| (c.status, c.reason))
        };
        assert_eq!(decided("example.com", ""), None);
        assert_eq!(decided("myk8s.io", ""), None);
        assert_eq!(decided("x.k8s.io", ""), Some(("False", "MissingAnnotation")));
        assert_eq!(decided("k8s.io", "unapproved, try"), Some(("False", "UnapprovedAnnotation")));
        assert_eq!(decided("x.kubernetes.io", "https://example.com/1"), Some(("True", "ApprovedAnnotation")));
        assert_eq!(decided("x.kubernetes.io", "maybe"), Some(("False", "InvalidAnnotation")));
    }
}
