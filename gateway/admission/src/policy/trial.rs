//! One policy tried on one request outside of a server: `gatehouse policy test`, `run` and `bench`. The evaluator, the
//! projection and the checks of a patch are the server's.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cel::Authority;
use model::authorizer::{Attributes, Decision};
use model::json::json;
use model::{GroupVersionKind, GroupVersionResource, RequestInfo, User, Value, meta};
use wasm::reach::{self, Reach, Subject};
use wasm::{Failure, LogLine, Violation, World};

use super::binding::Binding;
use super::exception::{self, Exception};
use super::letting_go;
use super::mutate;
use super::set::Entry;
use crate::expression::{OnError, Sight};
use crate::matching::Matched;
use crate::{Operation, Review};

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// What is wrong; always empty for a mutator.
    pub violations: Vec<Violation>,
    /// What the caller would be told.
    pub warnings: Vec<String>,
    /// The object as a mutator leaves it, if it changes it.
    pub changed: Option<Value>,
}

/// How it went.
#[derive(Debug)]
pub struct Trial {
    /// What came of it, or why nothing did.
    pub outcome: Result<Outcome, Failure>,
    /// Wall time in the guest.
    pub took: Duration,
    /// What the policy logged.
    pub log: Vec<LogLine>,
    /// Instructions of the guest, where the runtime counts them.
    pub fuel: u64,
}

/// What a policy is given besides the request and its objects.
pub struct Given<'a> {
    /// The object of the binding's parameters.
    pub params: Option<&'a Value>,
    /// Answers its questions.
    pub reach: Arc<dyn Reach>,
}

impl Default for Given<'_> {
    fn default() -> Self {
        Self { params: None, reach: wasm::reach::nothing() }
    }
}

/// Tries a policy that is given nothing more.
pub fn run(entry: &Entry, request: &wasm::Request, object: Option<&Value>, old: Option<&Value>) -> Trial {
    run_with(entry, request, object, old, Given::default())
}

/// Tries a policy.
pub fn run_with(entry: &Entry, request: &wasm::Request, object: Option<&Value>, old: Option<&Value>, given: Given<'_>) -> Trial {
    let policy = match &entry.policy {
        Ok(policy) => policy,
        Err(why) => {
            return Trial { outcome: Err(Failure::Refused(why.clone())), took: Duration::ZERO, log: Vec::new(), fuel: 0 };
        }
    };
    let passed = Outcome { violations: Vec::new(), warnings: Vec::new(), changed: None };
    if is_spared(entry, request, object, old) {
        return Trial { outcome: Ok(passed), took: Duration::ZERO, log: Vec::new(), fuel: 0 };
    }
    let passed_over = match holds(&entry.binding, request, object, old, given.params, &given.reach) {
        Ok(true) => None,
        Ok(false) => Some(Ok(passed)),
        Err(why) => Some(Err(Failure::Refused(why))),
    };
    if let Some(outcome) = passed_over {
        return Trial { outcome, took: Duration::ZERO, log: Vec::new(), fuel: 0 };
    }
    let project = |value: &Value| entry.project(value);
    let (seen, old) = (object.map(project), old.map(project));
    let params = given.params.map(|params| params.to_string().into_bytes());
    let call = wasm::Call {
        request,
        object: seen.as_ref(),
        old: old.as_ref(),
        params: params.as_ref(),
        reach: given.reach.clone(),
        briefly: false,
    };
    match policy.module.world {
        World::Validator => {
            let answer = policy.validate(&call);
            let outcome = answer.outcome.map(|verdict| Outcome {
                violations: verdict.violations,
                warnings: verdict.warnings,
                changed: None,
            });
            Trial { outcome, took: answer.took, log: answer.log, fuel: answer.fuel }
        }
        World::Mutator => {
            let answer = policy.mutate(&call);
            let outcome = answer.outcome.and_then(|mutation| {
                let changed = mutate::apply(entry, object.unwrap_or(&Value::Null), mutation.patch.as_deref())?;
                Ok(Outcome { violations: Vec::new(), warnings: mutation.warnings, changed })
            });
            Trial { outcome, took: answer.took, log: answer.log, fuel: answer.fuel }
        }
    }
}

/// What a call begins with, without the call: an instance, and its settings.
pub fn configure(entry: &Entry, request: &wasm::Request) -> Trial {
    let call = wasm::Call::of(request, None);
    let answer = match &entry.policy {
        Ok(policy) => policy.configure(&call),
        Err(why) => return Trial { outcome: Err(Failure::Refused(why.clone())), took: Duration::ZERO, log: Vec::new(), fuel: 0 },
    };
    let outcome = answer.outcome.map(|()| Outcome { violations: Vec::new(), warnings: Vec::new(), changed: None });
    Trial { outcome, took: answer.took, log: answer.log, fuel: answer.fuel }
}

/// Whether a binding concerns a request, as far as that can be known without a cluster: of a namespace only its name.
pub fn concerns(binding: &Binding, request: &wasm::Request, object: Option<&Value>, old: Option<&Value>) -> bool {
    unmatched(binding, request, object, old, None).is_none()
}

/// The first of a binding's match fields that leaves a request out; nothing when it concerns the binding. Where the
/// request's namespace is not known, it is one with no label but its name. Conditions are not asked ([`holds`]).
pub fn unmatched(
    binding: &Binding,
    request: &wasm::Request,
    object: Option<&Value>,
    old: Option<&Value>,
    namespace: Option<&Value>,
) -> Option<&'static str> {
    let told = Told::of(request);
    let review = told.review(old);
    if super::is_question(review.resource) || super::is_policy_kind(review.resource) {
        return Some("what no policy is asked about");
    }
    if binding.namespace().is_some_and(|own| own != request.namespace) {
        return Some("its own namespace");
    }
    let constraints = &binding.constraints;
    let unlabelled = json!({"metadata": {
        "name": request.namespace,
        "labels": {"kubernetes.io/metadata.name": request.namespace},
    }});
    let is_inside = !constraints.needs_namespace(&review) || constraints.matches_namespace(namespace.unwrap_or(&unlabelled));
    if is_inside { constraints.unmatched(&review, object) } else { Some("matchConstraints.namespaceSelector") }
}

/// Whether a request is an update that only lets an object go, of which a policy is not asked.
pub fn is_spared(entry: &Entry, request: &wasm::Request, object: Option<&Value>, old: Option<&Value>) -> bool {
    letting_go::is_spared(entry, Told::of(request).review(old).operation, object, old)
}

/// Whether a binding's conditions hold of a request. Who may do what is asked as the policy itself would ask it.
pub fn holds(
    binding: &Binding,
    request: &wasm::Request,
    object: Option<&Value>,
    old: Option<&Value>,
    params: Option<&Value>,
    reach: &Arc<dyn Reach>,
) -> Result<bool, String> {
    let conditions = &binding.conditions;
    if conditions.is_empty() {
        return Ok(true);
    }
    let told = Told::of(request);
    let matched = Matched { resource: told.resource.clone(), kind: told.kind.clone() };
    let authority = Arc::new(ByReach(reach.clone()));
    let objects = (object.map(Cow::Borrowed), old.map(Cow::Borrowed));
    let sight = Sight::asking(&told.review(old), objects.0, objects.1, &matched, authority);
    conditions.hold(&sight, params, OnError::Fail)
}

/// The exceptions of these that cover a request from a binding at a time, wholly or from some of its rules.
pub fn covering(
    exceptions: &[Arc<Exception>],
    binding: &Binding,
    request: &wasm::Request,
    objects: (Option<&Value>, Option<&Value>),
    now: jiff::Timestamp,
) -> Vec<Arc<Exception>> {
    let (object, old) = objects;
    let told = Told::of(request);
    exception::covering(exceptions, &binding.name, &Review { now, ..told.review(old) }, object)
}

/// A request of the contract, as admission has it.
pub(crate) struct Told<'r> {
    request: &'r wasm::Request,
    resource: GroupVersionResource,
    kind: GroupVersionKind,
    info: RequestInfo,
    user: User,
    options: Value,
}

impl<'r> Told<'r> {
    pub(crate) fn of(request: &'r wasm::Request) -> Self {
        let wasm::GroupVersionResource { group, version, resource } = &request.resource;
        let user = request.user.as_ref().map(|user| User {
            name: user.name.clone(),
            uid: user.uid.clone(),
            groups: user.groups.clone(),
            extra: user.extra.iter().cloned().collect(),
        });
        Self {
            request,
            resource: GroupVersionResource::new(group, version, resource),
            kind: GroupVersionKind::new(&request.kind.group, &request.kind.version, &request.kind.kind),
            info: RequestInfo::default(),
            user: user.unwrap_or_default(),
            options: serde_json::from_slice(&request.options).unwrap_or_default(),
        }
    }

    pub(crate) fn review<'a>(&'a self, old: Option<&'a Value>) -> Review<'a> {
        Review {
            request: &self.info,
            user: &self.user,
            operation: match self.request.operation {
                wasm::Operation::Create => Operation::Create,
                wasm::Operation::Update => Operation::Update,
                wasm::Operation::Delete => Operation::Delete,
                wasm::Operation::Connect => Operation::Connect,
            },
            resource: &self.resource,
            kind: &self.kind,
            subresource: &self.request.subresource,
            namespace: &self.request.namespace,
            name: &self.request.name,
            old,
            options: &self.options,
            dry_run: self.request.dry_run,
            uid: &self.request.uid,
            now: jiff::Timestamp::UNIX_EPOCH,
            deadline: None,
        }
    }
}

/// Whoever answers a policy's questions answers those of its conditions.
struct ByReach(Arc<dyn Reach>);

/// It is asked and kept nothing of: a panic elsewhere leaves it as it was.
impl std::panic::RefUnwindSafe for ByReach {}

impl fmt::Debug for ByReach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("whoever answers the policy")
    }
}

impl Authority for ByReach {
    fn authorize(&self, asked: &Attributes) -> Decision {
        if !asked.resource_request {
            return Decision::NoOpinion("only resources can be asked about here".to_owned());
        }
        let account = asked.user.name.strip_prefix("system:serviceaccount:").and_then(|account| account.split_once(':'));
        let who = match account {
            Some((namespace, name)) => Subject::ServiceAccount((namespace.to_owned(), name.to_owned())),
            None => Subject::Requester,
        };
        let what = reach::Attributes {
            verb: asked.verb.clone(),
            group: asked.group.clone(),
            resource: asked.resource.clone(),
            subresource: asked.subresource.clone(),
            namespace: asked.namespace.clone(),
            name: asked.name.clone(),
        };
        match self.0.check(&who, &what, wasm::limits::DEADLINE_MAX) {
            Ok(answer) if answer.allowed => Decision::Allow(answer.reason),
            Ok(answer) => Decision::NoOpinion(answer.reason),
            Err(why) => Decision::NoOpinion(why),
        }
    }
}

/// The request that would write an object. `said` overrides what the object tells: `operation`, `user`, `groups`,
/// `resource`, `subresource`, `namespace`, `name`, `dryRun`.
pub fn request(said: &Value, object: &Value) -> Result<wasm::Request, String> {
    let text = |field: &str| said.get(field).and_then(Value::as_str);
    let of = |field: &str| object.get(field).and_then(Value::as_str).unwrap_or("");
    let kind = GroupVersionKind::from_api_version(of("apiVersion"), of("kind"));
    let operation = match text("operation").unwrap_or("CREATE") {
        "CREATE" => wasm::Operation::Create,
        "UPDATE" => wasm::Operation::Update,
        "DELETE" => wasm::Operation::Delete,
        "CONNECT" => wasm::Operation::Connect,
        other => return Err(format!("request.operation: {other:?} is none of CREATE, UPDATE, DELETE, CONNECT")),
    };
    let origin = if text("origin") == Some("scan") { wasm::Origin::Scan } else { wasm::Origin::Write };
    let groups = said.get("groups").and_then(Value::as_array).into_iter().flatten();
    let owned = |text: &str| text.to_owned();
    // A request about a Namespace is made in it.
    let is_namespace = kind.group.is_empty() && &*kind.kind == "Namespace";
    let namespace = if is_namespace { meta::name(object) } else { meta::namespace(object) };
    Ok(wasm::Request {
        uid: "00000000-0000-0000-0000-000000000000".to_owned(),
        time: wasm::Timestamp { seconds: 1_767_225_600, nanoseconds: 0 },
        user: (origin == wasm::Origin::Write).then(|| wasm::User {
            name: owned(text("user").unwrap_or("somebody")),
            uid: String::new(),
            groups: groups.filter_map(Value::as_str).map(owned).collect(),
            extra: Vec::new(),
        }),
        operation,
        origin,
        resource: wasm::GroupVersionResource {
            group: kind.group.to_string(),
            version: kind.version.to_string(),
            resource: text("resource").map_or_else(|| plural(&kind.kind), owned),
        },
        kind: wasm::GroupVersionKind {
            group: kind.group.to_string(),
            version: kind.version.to_string(),
            kind: kind.kind.to_string(),
        },
        subresource: owned(text("subresource").unwrap_or("")),
        namespace: owned(text("namespace").filter(|said| !said.is_empty()).unwrap_or(namespace)),
        name: owned(text("name").unwrap_or(meta::name(object))),
        dry_run: said.get("dryRun") == Some(&Value::Bool(true)),
        options: b"{}".to_vec(),
    })
}

/// The usual plural; a case whose kind has another says `request.resource`.
fn plural(kind: &str) -> String {
    let lower = kind.to_lowercase();
    match lower.as_bytes() {
        [.., b's' | b'x'] => format!("{lower}es"),
        [.., b'y'] => format!("{}ies", &lower[..lower.len() - 1]),
        _ => format!("{lower}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_their_usual_plural() {
        for (kind, expected) in [("Pod", "pods"), ("Ingress", "ingresses"), ("NetworkPolicy", "networkpolicies")] {
            assert_eq!(plural(kind), expected);
        }
    }
}
