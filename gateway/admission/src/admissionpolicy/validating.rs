//! Judges a write by the validating policies that are bound to it.
//! Follows `k8s.io/apiserver/pkg/admission/plugin/policy/validating`. Changes nothing.

use std::collections::BTreeMap;

use cel::Value as Cel;
use model::json::json;
use model::{Status, Value, status::Cause};

use super::compile::{Action, Binding, INVALID, Policy, Reason, Validation};
use super::{Hook, namespace_of, params};
use crate::builtin::forbidden;
use crate::expression::{BUDGET, Exhausted, Given, OnError, Pass, Sight};
use crate::matching::Matched;
use crate::{Cluster, Notes, Review};

/// Longer messages and those of several lines fall back to what is written.
const MESSAGE_BYTES_MAX: usize = 5 * 1024;
/// Longer values of audit annotations are cut.
const ANNOTATION_BYTES_MAX: usize = 10 * 1024;
/// Failures beyond these are not told in the audit record.
const FAILURES_MAX: usize = 50;
const FAILURES_KEY: &str = "validation.policy.admission.k8s.io/validation_failure";

/// What one evaluation of a policy has to say against a write.
struct Denial {
    message: String,
    reason: Reason,
    /// Which validation it is, by its place.
    index: usize,
    /// Whether it is a violation, or that nobody could tell.
    is_failure: bool,
}

/// What one evaluation has against a write, whatever its binding does about it.
pub(super) struct Finding {
    pub(super) message: String,
    /// Whether the policy could not judge.
    pub(super) is_failure: bool,
}

/// What one evaluation of a policy led to.
#[derive(Default)]
struct Verdict {
    denials: Vec<Denial>,
    /// Key and value.
    annotations: Vec<(String, String)>,
    /// Annotations that fail a request whatever the binding does.
    failures: Vec<String>,
}

/// What all policies led to.
#[derive(Default)]
pub(super) struct Outcome {
    /// The first refusal is the one that is told.
    refusal: Option<(String, Reason)>,
    failures: Vec<Value>,
    pub(super) findings: Vec<Finding>,
}

impl Outcome {
    fn refuse(&mut self, policy: &Policy, binding: Option<&Binding>, reason: Reason, why: &str) {
        let by = binding.map_or_else(String::new, |binding| format!(" with binding '{}'", binding.name));
        let message = format!("ValidatingAdmissionPolicy '{}'{by} denied request: {why}", policy.name);
        self.refusal.get_or_insert((message, reason));
    }

    /// A policy or binding that cannot be evaluated at all.
    fn misconfigured(&mut self, policy: &Policy, binding: Option<&Binding>, why: &str) {
        if policy.on_error == OnError::Fail {
            let what = if binding.is_some() { "binding" } else { "policy" };
            let why = format!("failed to configure {what}: {why}");
            self.refuse(policy, binding, INVALID, &why);
            self.findings.push(Finding { message: why, is_failure: true });
        }
    }
}

/// Asks every policy. Refuses with upstream's `Status`.
pub(super) async fn run(
    hooks: &[Hook],
    cluster: &Cluster,
    review: &Review<'_>,
    object: Option<&Value>,
    notes: &mut Notes,
) -> Result<(), Status> {
    let mut outcome = outcome(hooks, cluster, review, object, notes).await?;
    if !outcome.failures.is_empty() {
        outcome.failures.truncate(FAILURES_MAX);
        let mut text = Vec::new();
        codec::go_json::write(&Value::Array(outcome.failures), &mut text);
        notes.annotate(FAILURES_KEY, String::from_utf8_lossy(&text).into_owned());
    }
    match outcome.refusal {
        None => Ok(()),
        Some((message, reason)) => Err(refusal(review, object, message, reason)),
    }
}

/// What every policy has to say.
pub(super) async fn outcome(
    hooks: &[Hook],
    cluster: &Cluster,
    review: &Review<'_>,
    object: Option<&Value>,
    notes: &mut Notes,
) -> Result<Outcome, Status> {
    let mut outcome = Outcome::default();
    for hook in hooks {
        ask(hook, cluster, review, object, notes, &mut outcome).await?;
    }
    Ok(outcome)
}

fn refusal(review: &Review<'_>, object: Option<&Value>, message: String, Reason(reason, code): Reason) -> Status {
    let mut status = forbidden(review, object, &message);
    (status.reason, status.code) = (reason.into(), code);
    if let Some(details) = &mut status.details {
        details.causes.push(Cause { message, ..Cause::default() });
    }
    status
}

async fn ask(
    hook: &Hook,
    cluster: &Cluster,
    review: &Review<'_>,
    object: Option<&Value>,
    notes: &mut Notes,
    outcome: &mut Outcome,
) -> Result<(), Status> {
    let policy = &*hook.policy;
    let matched = match matches(&policy.constraints, review, object, cluster).await {
        Ok(Some(matched)) => matched,
        Ok(None) => return Ok(()),
        Err(why) => {
            outcome.misconfigured(policy, None, &why);
            return Ok(());
        }
    };
    let resource = match params::resource(policy, cluster) {
        Ok(resource) => resource,
        Err(why) => {
            outcome.misconfigured(policy, None, &why);
            return Ok(());
        }
    };
    let (mut sight, mut annotations) = (None, BTreeMap::<String, Vec<String>>::new());
    for binding in &hook.bindings {
        if let Some(constraints) = &binding.constraints {
            match matches(constraints, review, object, cluster).await {
                Ok(Some(_)) => {}
                Ok(None) => continue,
                Err(why) => {
                    outcome.misconfigured(policy, Some(binding), &why);
                    continue;
                }
            }
        }
        let params = match params::collect(resource.as_deref(), binding.params.as_ref(), review.namespace, cluster).await {
            Ok(params) => params,
            Err(why) => {
                outcome.misconfigured(policy, Some(binding), &why);
                continue;
            }
        };
        if sight.is_none() {
            match Sight::new(review, object, &matched, cluster).await {
                Ok(made) => sight = Some(made),
                Err(status) => {
                    outcome.misconfigured(policy, Some(binding), &format!("failed to convert object version: {status}"));
                    continue;
                }
            }
        }
        let Some(sight) = &sight else { continue };
        let namespace = namespace_of(cluster, review).await?;
        for params in &params {
            let verdict = judge(policy, sight, params.as_ref(), namespace.as_ref());
            tell(policy, binding, verdict, notes, outcome, &mut annotations);
        }
    }
    for (key, values) in annotations {
        notes.annotate(format!("{}/{key}", policy.name), values.join(", "));
    }
    Ok(())
}

/// As what a request matches some constraints.
pub(super) async fn matches(
    constraints: &Result<crate::matching::Constraints, String>,
    review: &Review<'_>,
    object: Option<&Value>,
    cluster: &Cluster,
) -> Result<Option<Matched>, String> {
    match constraints {
        Ok(constraints) => constraints.matches(review, object, cluster).await.map_err(|status| status.message),
        Err(why) => Err(why.clone()),
    }
}

/// What follows from a verdict, by the binding's actions.
fn tell(
    policy: &Policy,
    binding: &Binding,
    verdict: Verdict,
    notes: &mut Notes,
    outcome: &mut Outcome,
    annotations: &mut BTreeMap<String, Vec<String>>,
) {
    for denial in verdict.denials {
        for action in &binding.actions {
            match action {
                Action::Deny => outcome.refuse(policy, Some(binding), denial.reason, &denial.message),
                Action::Warn => notes.warn(format!(
                    "Validation failed for ValidatingAdmissionPolicy '{}' with binding '{}': {}",
                    policy.name, binding.name, denial.message
                )),
                Action::Audit => outcome.failures.push(json!({
                    "message": denial.message,
                    "policy": binding.policy,
                    "binding": binding.name,
                    "expressionIndex": denial.index,
                    "validationActions": binding.actions.iter().map(|action| action.as_str()).collect::<Vec<_>>(),
                })),
            }
        }
        outcome.findings.push(Finding { message: denial.message, is_failure: denial.is_failure });
    }
    for (key, mut value) in verdict.annotations {
        value.truncate((0..=ANNOTATION_BYTES_MAX.min(value.len())).rev().find(|at| value.is_char_boundary(*at)).unwrap_or(0));
        let values = annotations.entry(key).or_default();
        if !values.contains(&value) {
            values.push(value);
        }
    }
    for why in verdict.failures {
        outcome.refuse(policy, Some(binding), INVALID, &why);
        outcome.findings.push(Finding { message: why, is_failure: true });
    }
}

/// Evaluates a policy once.
fn judge(policy: &Policy, sight: &Sight<'_>, params: Option<&Value>, namespace: Option<&Value>) -> Verdict {
    let mut verdict = Verdict::default();
    let failed = |why: String| {
        let denial = Denial { message: why, reason: INVALID, index: 0, is_failure: true };
        Verdict { denials: if policy.on_error == OnError::Fail { vec![denial] } else { Vec::new() }, ..Verdict::default() }
    };
    match policy.conditions.hold_with(sight, params, Some(&policy.variables), policy.on_error) {
        Ok(true) => {}
        Ok(false) => return verdict,
        Err(why) => return failed(why),
    }
    let given = Given { params, namespace, authorizer: true };
    let mut pass = Pass::new(sight, given, Some(&policy.variables), BUDGET);
    let results: Result<Vec<_>, Exhausted> = policy.validations.iter().map(|one| pass.eval(&one.expression)).collect();
    let results = match results {
        Ok(results) => results,
        Err(exhausted) => return failed(exhausted.to_string()),
    };
    let silent = Given { authorizer: false, ..given };
    let mut messages = Pass::new(sight, silent, Some(&policy.variables), pass.budget());
    let computed: Result<Vec<_>, Exhausted> =
        policy.validations.iter().map(|one| one.computed.as_ref().map(|text| messages.eval(text)).transpose()).collect();
    for (index, (validation, result)) in policy.validations.iter().zip(results).enumerate() {
        let error = match (&result, &computed) {
            (Err(why), _) => Some(why.clone()),
            (Ok(_), Err(exhausted)) => Some(format!("failed messageExpression: {exhausted}")),
            _ => None,
        };
        let is_failure = error.is_some();
        let (message, reason) = match (error, result) {
            (Some(_), _) if policy.on_error == OnError::Ignore => continue,
            (Some(why), _) => (why, INVALID),
            (None, Ok(value)) if value.as_bool() == Some(true) => continue,
            (None, _) => {
                let computed = computed.as_ref().ok().and_then(|all| all.get(index)?.as_ref()?.as_ref().ok());
                (message(validation, computed), validation.reason)
            }
        };
        verdict.denials.push(Denial { message, reason, index, is_failure });
    }
    match annotate(policy, sight, given, &mut verdict) {
        Ok(()) => verdict,
        Err(exhausted) => failed(exhausted.to_string()),
    }
}

/// The computed message, else the written one, else the expression.
fn message(validation: &Validation, computed: Option<&Cel<'_>>) -> String {
    let computed = computed.and_then(Cel::as_str).map(str::trim).unwrap_or("");
    if !computed.is_empty() && computed.len() <= MESSAGE_BYTES_MAX && !computed.contains('\n') {
        return computed.to_owned();
    }
    match validation.message.trim() {
        "" => format!("failed expression: {}", validation.expression.text.trim()),
        written => written.to_owned(),
    }
}

fn annotate(policy: &Policy, sight: &Sight<'_>, given: Given<'_>, verdict: &mut Verdict) -> Result<(), Exhausted> {
    let mut pass = Pass::new(sight, given, Some(&policy.variables), BUDGET);
    let results: Result<Vec<_>, Exhausted> = policy.annotations.iter().map(|one| pass.eval(&one.value)).collect();
    for (annotation, result) in policy.annotations.iter().zip(results?) {
        match result {
            Ok(Cel::Null) => {}
            Ok(value) => match value.as_str().map(str::trim) {
                Some("") => {}
                Some(text) => verdict.annotations.push((annotation.key.clone(), text.to_owned())),
                None => verdict.failures.push(format!(
                    "valueExpression '{}' resulted in unsupported return type. Return type must be either string or null.",
                    annotation.value.text
                )),
            },
            Err(why) if policy.on_error == OnError::Fail => verdict.failures.push(why),
            Err(_) => {}
        }
    }
    Ok(())
}
