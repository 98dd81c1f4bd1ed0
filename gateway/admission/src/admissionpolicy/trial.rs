//! A policy in CEL with its bindings, tried on one request outside of a server: `gatehouse policy test` and its siblings.
//! The evaluator is the plugin's; what is asked of a cluster is answered by whoever calls.

use std::sync::Arc;
use std::time::Instant;

use model::{Value, meta};
use wasm::{Failure, Violation};

use super::compile::{Action, Binding, Policy};
use super::{Hook, Kind, is_exempt, mutating, validating};
use crate::expression::{Expression, OnError, needs_user};
use crate::policy::trial::{Outcome, Told, Trial};
use crate::{Cluster, Notes, Operation};

/// What stands before the name of a rule at the end of a message, as Gatehouse tells violations of policies in wasm.
const RULE: &str = " (rule ";

/// A policy and the bindings that put it in force.
pub struct Bound {
    kind: Kind,
    hook: Hook,
}

impl Bound {
    /// Binds a policy. Both were judged as a server judges them when they are applied. Whatever a binding does about a
    /// violation, it is one; and what cannot be judged is told, whatever `failurePolicy` makes of it.
    pub fn of(kind: Kind, policy: &Value, bindings: &[Value]) -> Self {
        let mut policy = Policy::compile(kind, policy);
        policy.on_error = OnError::Fail;
        let bind = |object: &Value| Arc::new(Binding { actions: vec![Action::Deny], ..Binding::read(object) });
        Self { kind, hook: Hook { policy: Arc::new(policy), bindings: bindings.iter().map(bind).collect() } }
    }

    /// Which of the kinds it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether it reads who makes the request, or what they may do.
    pub fn needs_user(&self) -> bool {
        let Policy { conditions, validations, annotations, variables, .. } = &*self.hook.policy;
        let validated = validations.iter().map(|one| &one.expression);
        conditions.needs_user()
            || validated.chain(annotations.iter().map(|one| &one.value)).any(Expression::needs_user)
            || variables.programs().any(needs_user)
    }

    /// Whether a request concerns it: by the policy's match constraints and those of a binding. Conditions are not asked.
    pub async fn concerns(
        &self,
        cluster: &Cluster,
        request: &wasm::Request,
        object: Option<&Value>,
        old: Option<&Value>,
    ) -> bool {
        let told = Told::of(request);
        let review = told.review(old);
        if self.passes_over(review.operation, review.resource) {
            return false;
        }
        let policy = validating::matches(&self.hook.policy.constraints, &review, object, cluster).await;
        // What cannot be told is for the evaluation to say.
        if policy.is_ok_and(|matched| matched.is_none()) {
            return false;
        }
        for binding in &self.hook.bindings {
            let matched = match &binding.constraints {
                Some(constraints) => validating::matches(constraints, &review, object, cluster).await.map(|one| one.is_some()),
                None => Ok(true),
            };
            if matched.unwrap_or(true) {
                return true;
            }
        }
        false
    }

    /// Tries it.
    pub async fn run(&self, cluster: &Cluster, request: &wasm::Request, object: Option<&Value>, old: Option<&Value>) -> Trial {
        let started = Instant::now();
        let outcome = self.outcome(cluster, request, object, old).await;
        Trial { outcome, took: started.elapsed(), log: Vec::new(), fuel: 0 }
    }

    async fn outcome(
        &self,
        cluster: &Cluster,
        request: &wasm::Request,
        object: Option<&Value>,
        old: Option<&Value>,
    ) -> Result<Outcome, Failure> {
        let told = Told::of(request);
        let (review, mut notes) = (told.review(old), Notes::default());
        let mut outcome = Outcome { violations: Vec::new(), warnings: Vec::new(), changed: None };
        if self.passes_over(review.operation, review.resource) {
            return Ok(outcome);
        }
        let (hooks, failed) = (std::slice::from_ref(&self.hook), |status: model::Status| Failure::Refused(status.message));
        match (self.kind, object) {
            (Kind::Validating, object) => {
                let judged = validating::outcome(hooks, cluster, &review, object, &mut notes).await.map_err(failed)?;
                if let Some(failure) = judged.findings.iter().find(|finding| finding.is_failure) {
                    return Err(Failure::Refused(failure.message.clone()));
                }
                outcome.violations = judged.findings.iter().flat_map(|finding| violations(&finding.message)).collect();
            }
            (Kind::Mutating, Some(object)) => {
                let mut changed = object.clone();
                mutating::run(hooks, cluster, &review, &mut changed, &mut notes).await.map_err(failed)?;
                outcome.changed = (changed != *object).then_some(changed);
            }
            (Kind::Mutating, None) => {}
        }
        outcome.warnings = notes.warnings;
        Ok(outcome)
    }

    fn passes_over(&self, operation: Operation, resource: &model::GroupVersionResource) -> bool {
        is_exempt(resource) || (self.kind == Kind::Mutating && operation == Operation::Delete)
    }

    /// The parameters that the bindings name, as somebody has to make them: name or none, namespace or none, labels.
    pub fn params(&self) -> impl Iterator<Item = Params<'_>> {
        let references = self.hook.bindings.iter().filter_map(|binding| binding.params.as_ref());
        references.map(|reference| Params {
            name: &reference.name,
            namespace: &reference.namespace,
            labels: reference.selector.as_ref().and_then(|selector| selector.get("matchLabels")),
        })
    }
}

/// Which object a binding looks for.
pub struct Params<'b> {
    /// Its name; empty where a selector finds it.
    pub name: &'b str,
    /// Its namespace; that of the request when empty.
    pub namespace: &'b str,
    /// Labels that the selector wants.
    pub labels: Option<&'b Value>,
}

impl Params<'_> {
    /// Gives an object the place in which the binding looks.
    pub fn place(&self, object: &mut Value, namespace: &str) {
        let name = if self.name.is_empty() && meta::name(object).is_empty() { "params" } else { self.name };
        if !name.is_empty() {
            object["metadata"]["name"] = name.into();
        }
        let namespace = if self.namespace.is_empty() { namespace } else { self.namespace };
        if !namespace.is_empty() {
            object["metadata"]["namespace"] = namespace.into();
        }
        if let Some(labels) = self.labels {
            object["metadata"]["labels"] = labels.clone();
        }
    }
}

/// The violations in one message. A message of the form in which Gatehouse tells those of policies in wasm is taken apart,
/// `field: text (rule name)`, several joined by `; `: so one expression can tell as much as a function. Any other is a text.
fn violations(message: &str) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut rest = message;
    while !rest.is_empty() {
        let Some((text, rule, after)) = cut(rest) else { return vec![violation("", message)] };
        found.push(violation(rule, text));
        rest = after;
    }
    found
}

/// Text, rule, and what follows.
fn cut(message: &str) -> Option<(&str, &str, &str)> {
    let (text, rest) = message.split_once(RULE)?;
    let (rule, rest) = rest.split_once(')')?;
    match rest.strip_prefix("; ") {
        Some(after) if !after.is_empty() => Some((text, rule, after)),
        _ if rest.is_empty() => Some((text, rule, "")),
        _ => None,
    }
}

fn violation(rule: &str, text: &str) -> Violation {
    let (field, message) = match text.split_once(": ") {
        Some((field, message)) if !rule.is_empty() && !field.contains(' ') => (field, message),
        _ => ("", text),
    };
    Violation { rule: rule.to_owned(), message: message.to_owned(), field: field.to_owned(), code: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_the_known_form_come_apart() {
        let told = |message: &str| {
            let parts = violations(message).into_iter();
            parts.map(|one| [one.field, one.message, one.rule]).collect::<Vec<_>>()
        };
        let two = "metadata.labels[a]: is required; set it to: b (rule label) ; c (rule x)";
        assert_eq!(told(two).len(), 1, "nothing but `; ` joins them");
        assert_eq!(
            told("metadata.labels[a]: is required; set it to: b (rule label); no: field here (rule x)"),
            [["metadata.labels[a]", "is required; set it to: b", "label"], ["no", "field here", "x"]]
        );
        assert_eq!(told("failed expression: false"), [["", "failed expression: false", ""]]);
    }
}
