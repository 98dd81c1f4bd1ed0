//! Changes an object by the mutating policies that are bound to the write.
//! Follows `k8s.io/apiserver/pkg/admission/plugin/policy/mutating`. Refuses nothing but what it cannot do.

use std::borrow::Cow;

use cel::Value as Cel;
use model::json::json;
use model::{GroupVersionResource, Status, Value, meta, status::Cause};
use schema::patch::JsonPatch;

use super::compile::{Binding, Mutation, Policy};
use super::validating::matches;
use super::{Hook, namespace_of, params};
use crate::builtin::forbidden;
use crate::expression::{BUDGET, Expression, Given, OnError, Pass, Sight};
use crate::matching::Matched;
use crate::{Cluster, Notes, Review};

/// One evaluation of a policy: for a binding, with one of its parameters.
struct Invocation<'h> {
    policy: &'h Policy,
    binding: &'h Binding,
    matched: Matched,
    params: Option<Value>,
}

impl Invocation<'_> {
    /// What tells it from all others.
    fn key(&self) -> String {
        let params =
            self.params.as_ref().map_or_else(String::new, |params| format!("{}/{}", meta::namespace(params), meta::name(params)));
        format!("{}\n{}\n{params}", self.policy.name, self.binding.name)
    }
}

/// Something that refuses the request unless its policy ignores failures.
struct Failure {
    message: String,
    /// Whether the policy was evaluated, which upstream calls an invalid request.
    invalid: bool,
}

/// Why a mutation is not made.
enum Unmade {
    /// The policy fails.
    Failed(String),
    /// The request does.
    Refused(Status),
}

/// Lets every policy change the object, in order; sets `notes.reinvoke` when one did.
pub(super) async fn run(
    hooks: &[Hook],
    cluster: &Cluster,
    review: &Review<'_>,
    object: &mut Value,
    notes: &mut Notes,
) -> Result<(), Status> {
    let mut failures = Vec::new();
    let mut invocations = Vec::new();
    for hook in hooks {
        find(hook, cluster, review, object, &mut invocations, &mut failures).await;
    }
    if !invocations.is_empty() {
        apply(&invocations, cluster, review, object, notes, &mut failures).await?;
    }
    refuse(review, object, failures)
}

fn failed(policy: &Policy, binding: Option<&Binding>, why: &str, invalid: bool, failures: &mut Vec<Failure>) {
    if policy.on_error == OnError::Ignore {
        return;
    }
    let message = match binding {
        Some(binding) => format!("policy '{}' with binding '{}' denied request: {why}", policy.name, binding.name),
        None => format!("policy {} denied request: {why}", model::field::quote(&policy.name)),
    };
    failures.push(Failure { message, invalid });
}

/// What a policy is evaluated for, by the object as it is before any policy.
async fn find<'h>(
    hook: &'h Hook,
    cluster: &Cluster,
    review: &Review<'_>,
    object: &Value,
    invocations: &mut Vec<Invocation<'h>>,
    failures: &mut Vec<Failure>,
) {
    let policy = &*hook.policy;
    let misconfigured = |why: &str| format!("failed to configure policy: {why}");
    let matched = match matches(&policy.constraints, review, Some(object), cluster).await {
        Ok(Some(matched)) => matched,
        Ok(None) => return,
        Err(why) => return failed(policy, None, &misconfigured(&why), false, failures),
    };
    let resource = match params::resource(policy, cluster) {
        Ok(resource) => resource,
        Err(why) => return failed(policy, None, &misconfigured(&why), false, failures),
    };
    for binding in &hook.bindings {
        let bound = match &binding.constraints {
            Some(constraints) => matches(constraints, review, Some(object), cluster).await.map(|found| found.is_some()),
            None => Ok(true),
        };
        let given = match bound {
            Ok(false) => continue,
            Ok(true) => params::collect(resource.as_deref(), binding.params.as_ref(), review.namespace, cluster).await,
            Err(why) => Err(why),
        };
        match given {
            Ok(given) => invocations.extend(given.into_iter().map(|params| Invocation {
                policy,
                binding,
                matched: matched.clone(),
                params,
            })),
            Err(why) => failed(policy, Some(binding), &format!("failed to configure binding: {why}"), false, failures),
        }
    }
}

async fn apply(
    invocations: &[Invocation<'_>],
    cluster: &Cluster,
    review: &Review<'_>,
    object: &mut Value,
    notes: &mut Notes,
    failures: &mut Vec<Failure>,
) -> Result<(), Status> {
    let again = notes.round > 0;
    if again {
        notes.policies.resume(Some(object));
    }
    let namespace = namespace_of(cluster, review).await?;
    let mut changed = false;
    for invocation in invocations {
        let key = invocation.key();
        let after =
            match invoke(invocation, cluster, review, object, namespace.as_ref(), again && !notes.policies.calls(&key)).await {
                Ok(None) => continue,
                Ok(Some((after, whys))) => {
                    for why in whys {
                        failed(invocation.policy, Some(invocation.binding), &why, true, failures);
                    }
                    after
                }
                Err(Unmade::Refused(status)) => return Err(status),
                Err(Unmade::Failed(why)) => {
                    failed(invocation.policy, Some(invocation.binding), &why, true, failures);
                    continue;
                }
            };
        if after != *object {
            notes.replace(object, after);
            changed = true;
            notes.policies.require();
        }
        if invocation.policy.reinvoked {
            notes.policies.willing(&key);
        }
    }
    notes.reinvoke |= changed;
    notes.policies.end(Some(object));
    Ok(())
}

/// Makes the mutations of one evaluation: the object afterwards with what failed; nothing where the policy is not about it.
async fn invoke(
    invocation: &Invocation<'_>,
    cluster: &Cluster,
    review: &Review<'_>,
    object: &Value,
    namespace: Option<&Value>,
    passed_over: bool,
) -> Result<Option<(Value, Vec<String>)>, Unmade> {
    let Invocation { policy, matched, params, .. } = invocation;
    let foreign = matched.kind != *review.kind;
    let convert = async |object: &Value, from: &GroupVersionResource, to: &GroupVersionResource| {
        cluster.kinds.convert(object, from, to, review.subresource).await.map_err(|status| Unmade::Failed(status.message))
    };
    let mut current = if foreign { convert(object, review.resource, &matched.resource).await? } else { object.clone() };
    let old = match review.old {
        Some(old) if foreign => Some(Cow::Owned(convert(old, review.resource, &matched.resource).await?)),
        old => old.map(Cow::Borrowed),
    };
    let sight = Sight::of(review, Some(Cow::Borrowed(&current)), old.clone(), matched, cluster);
    let holds = policy.conditions.hold_with(&sight, params.as_ref(), Some(&policy.variables), policy.on_error);
    if !holds.map_err(Unmade::Failed)? || passed_over {
        return Ok(None);
    }
    let mut whys = Vec::new();
    for mutation in &policy.mutations {
        let sight = Sight::of(review, Some(Cow::Borrowed(&current)), old.clone(), matched, cluster);
        match mutate(policy, mutation, &sight, params.as_ref(), namespace, &current, matched, cluster, review.subresource) {
            Ok(after) => current = after,
            Err(Unmade::Failed(why)) => whys.push(why),
            Err(refused) => return Err(refused),
        }
    }
    let after = if foreign { convert(&current, &matched.resource, review.resource).await? } else { current };
    Ok(Some((after, whys)))
}

/// One mutation. Gives the object in normal form, with its defaults.
#[expect(clippy::too_many_arguments, reason = "what one evaluation sees, each of which comes from somewhere else")]
fn mutate(
    policy: &Policy,
    mutation: &Mutation,
    sight: &Sight<'_>,
    params: Option<&Value>,
    namespace: Option<&Value>,
    current: &Value,
    matched: &Matched,
    cluster: &Cluster,
    subresource: &str,
) -> Result<Value, Unmade> {
    let (Mutation::Apply(expression) | Mutation::JsonPatch(expression)) = mutation;
    if let Some(fault) = expression.fault() {
        return Err(Unmade::Failed(fault.to_owned()));
    }
    let given = Given { params, namespace, authorizer: true };
    let catalog = cluster.kinds.catalog().map_err(Unmade::Refused)?;
    let form = Form::find(&catalog, &matched.resource, subresource)
        .ok_or_else(|| Unmade::Refused(Status::unavailable(format!("Resource kind {:?} not found.", matched.kind))))?;
    let mut pass = Pass::new(sight, given, Some(&policy.variables), BUDGET);
    let value = evaluate(&mut pass, expression)?;
    let (mut after, strict) = match mutation {
        Mutation::Apply(_) => (configured(&value, &form, current)?, false),
        Mutation::JsonPatch(_) => match patched(&value, current)? {
            Some(after) => (after, true),
            // A patch whose test fails is not applied.
            None => return Ok(current.clone()),
        },
    };
    form.settle(&mut after, strict).map_err(Unmade::Refused)?;
    Ok(after)
}

fn evaluate<'a>(pass: &mut Pass<'a>, expression: &'a Expression) -> Result<Cel<'a>, Unmade> {
    let result = pass.eval(expression).map_err(|exhausted| Unmade::Failed(exhausted.to_string()))?;
    result.map_err(Unmade::Failed)
}

/// What a resource's objects are made of.
struct Form<'c> {
    catalog: &'c catalog::Catalog,
    shape: &'c schema::Shape,
    default: Option<fn(&mut Value)>,
}

impl<'c> Form<'c> {
    fn find(catalog: &'c catalog::Catalog, resource: &GroupVersionResource, subresource: &str) -> Option<Self> {
        let resource = catalog.resource(&resource.group, &resource.version, &resource.resource)?;
        let shape = match resource.subresource(subresource) {
            Some(part) => &part.shape,
            None => &resource.shape,
        };
        let stored = resource.storage.as_ref().is_none_or(|storage| storage.gvk == resource.gvk);
        Some(Self { catalog, shape, default: resource.hooks.default.filter(|_| stored && subresource.is_empty()) })
    }

    /// Brings a changed object into normal form and fills in defaults. A JSON patch must not name what the kind does not
    /// have.
    fn settle(&self, object: &mut Value, strict: bool) -> Result<(), Status> {
        let mut unknown = Vec::new();
        self.shape.decode(&self.catalog.types, object, &mut unknown).map_err(Status::internal)?;
        if strict
            && self.shape.structural().is_none()
            && let Some(why) = schema::normal::strict_error(&[], &unknown)
        {
            return Err(Status::internal(why));
        }
        self.catalog.fill_in(self.shape, object);
        if let Some(default) = self.default {
            default(object);
        }
        Ok(())
    }
}

/// The object with everything that `Object{…}` says.
fn configured(value: &Cel<'_>, form: &Form<'_>, current: &Value) -> Result<Value, Unmade> {
    let Some(message) = value.as_message() else {
        return Err(Unmade::Failed("unsupported return type from ApplyConfiguration expression".to_owned()));
    };
    let misnamed = message.misnamed();
    if !misnamed.is_empty() {
        return Err(Unmade::Failed(format!("type mismatch: {}", misnamed.join("\n"))));
    }
    let mut said = value.to_json().map_err(Unmade::Failed)?;
    for field in ["apiVersion", "kind"] {
        said[field] = current.get(field).cloned().unwrap_or_default();
    }
    schema::apply::merge_configuration(form.shape, &form.catalog.types, current, &said)
        .map_err(|why| Unmade::Failed(format!("error applying patch: {why}")))
}

/// The object with a JSON patch applied; nothing where a test of it fails.
fn patched(value: &Cel<'_>, current: &Value) -> Result<Option<Value>, Unmade> {
    let steps = value
        .items()
        .ok_or_else(|| Unmade::Failed("type mismatch: JSONPatchType.expression should evaluate to array".to_owned()))?;
    let mut patch = Vec::new();
    for step in steps {
        let message = step.as_message().ok_or_else(|| {
            Unmade::Failed("type mismatch: JSONPatchType.expression should evaluate to array of JSONPatch".to_owned())
        })?;
        patch.push(self::step(message)?);
    }
    let text = Value::Array(patch).to_string();
    let mut after = current.clone();
    let applied = JsonPatch::decode(text.as_bytes()).and_then(|(patch, _)| patch.perform(&mut after));
    match applied {
        Ok(()) => Ok(Some(after)),
        Err(why) if why.ends_with("test failed") => Ok(None),
        Err(why) => Err(Unmade::Failed(format!("JSON Patch: {why}"))),
    }
}

fn step(message: &cel::Message<'_>) -> Result<Value, Unmade> {
    let text = |field: &str| message.get(field).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default();
    let mut step = json!({"op": text("op"), "path": text("path")});
    if !text("from").is_empty() {
        step["from"] = text("from").into();
    }
    if let Some(value) = message.get("value") {
        let misnamed = value.as_message().map(cel::Message::misnamed).unwrap_or_default();
        if !misnamed.is_empty() {
            return Err(Unmade::Failed(format!("type mismatch: {}", misnamed.join("\n"))));
        }
        let value = value.to_json().map_err(|why| {
            Unmade::Failed(format!("JSONPath valueExpression evaluated to a type that could not marshal to JSON: {why}"))
        })?;
        step["value"] = value;
    }
    Ok(step)
}

/// Refuses where something failed: upstream's `Status` says the first failure and lists all.
fn refuse(review: &Review<'_>, object: &Value, failures: Vec<Failure>) -> Result<(), Status> {
    let Some(first) = failures.first() else { return Ok(()) };
    let mut status = forbidden(review, Some(object), "admission request denied by policy");
    status.message.clone_from(&first.message);
    if first.invalid {
        status.reason = "Invalid".into();
    }
    if let Some(details) = &mut status.details {
        let causes = failures.into_iter().map(|failure| Cause { message: failure.message, ..Cause::default() });
        details.causes.extend(causes);
    }
    Err(status)
}
