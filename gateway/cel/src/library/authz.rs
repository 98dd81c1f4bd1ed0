//! `authorizer.group('apps').resource('deployments').check('create').allowed()`: what a user may do.
//! Follows `k8s.io/apiserver/pkg/cel/library/authz.go`. Decides nothing: an [`Authority`] is handed in with the value.

use std::fmt;
use std::panic::RefUnwindSafe;
use std::sync::Arc;

use model::authorizer::{Attributes, Decision};
use model::selector::field::Selector;
use model::{User, name};

use super::opaque::Opaque;
use super::{Code, fail, some};
use crate::value::{Outcome, Value};

/// Answers whether somebody may do something, at once.
pub trait Authority: fmt::Debug + Send + Sync + RefUnwindSafe {
    /// Decides one question.
    fn authorize(&self, asked: &Attributes) -> Decision;
}

/// The authorizer, what is asked of it so far, and its answer.
#[derive(Clone, Debug)]
pub enum Authz {
    /// `authorizer`
    Authorizer(Caller),
    /// `.path('/healthz')`
    Path(Caller, Arc<str>),
    /// `.group('apps')`
    Group(Caller, Arc<str>),
    /// `.resource('deployments')` and what narrows it
    Resource(Caller, Box<Attributes>),
    /// `.check('create')`
    Decision(Decision),
}

/// Who asks whom.
#[derive(Clone, Debug)]
pub struct Caller {
    user: Arc<User>,
    authority: Arc<dyn Authority>,
}

/// The variable `authorizer` for a user.
pub fn authorizer<'a>(user: Arc<User>, authority: Arc<dyn Authority>) -> Value<'a> {
    made(Authz::Authorizer(Caller { user, authority }))
}

/// The variable `authorizer.requestResource`: a check of one resource, without a verb.
pub fn resource_check<'a>(user: Arc<User>, authority: Arc<dyn Authority>, resource: Attributes) -> Value<'a> {
    made(Authz::Resource(Caller { user, authority }, Box::new(resource)))
}

impl Authz {
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Authorizer(_) => "kubernetes.authorization.Authorizer",
            Self::Path(..) => "kubernetes.authorization.PathCheck",
            Self::Group(..) => "kubernetes.authorization.GroupCheck",
            Self::Resource(..) => "kubernetes.authorization.ResourceCheck",
            Self::Decision(_) => "kubernetes.authorization.Decision",
        }
    }
}

fn made<'a>(authz: Authz) -> Value<'a> {
    Value::Opaque(Arc::new(Opaque::Authz(authz)))
}

pub(super) fn code(function: &str) -> Option<Code> {
    Some(match function {
        "path" => |args| match of(args)? {
            (Authz::Authorizer(caller), [Value::String(path)]) if !path.trim().is_empty() => {
                some(made(Authz::Path(caller.clone(), (&**path).into())))
            }
            (Authz::Authorizer(_), [Value::String(_)]) => fail("path must not be empty"),
            _ => None,
        },
        "group" => |args| match of(args)? {
            (Authz::Authorizer(caller), [Value::String(group)]) => some(made(Authz::Group(caller.clone(), (&**group).into()))),
            _ => None,
        },
        "serviceAccount" => |args| match of(args)? {
            (Authz::Authorizer(caller), [Value::String(namespace), Value::String(name)]) => {
                service_account(caller, namespace, name)
            }
            _ => None,
        },
        "resource" => |args| match of(args)? {
            (Authz::Group(caller, group), [Value::String(resource)]) => resource_of(caller, group, resource),
            _ => None,
        },
        "subresource" => |args| narrow(args, |asked, text| asked.subresource = text),
        "namespace" => |args| narrow(args, |asked, text| asked.namespace = text),
        "name" => |args| narrow(args, |asked, text| asked.name = text),
        "fieldSelector" => |args| narrow(args, |asked, text| asked.fields = Selector::heard(&text)),
        // No authorizer here looks at labels.
        "labelSelector" => |args| narrow(args, |_, _| {}),
        "check" => |args| match of(args)? {
            (Authz::Path(caller, path), [Value::String(verb)]) => {
                let asked = Attributes { path: path.to_string(), ..Attributes::default() };
                some(made(Authz::Decision(ask(caller, asked, verb))))
            }
            (Authz::Resource(caller, asked), [Value::String(verb)]) => {
                some(made(Authz::Decision(ask(caller, (**asked).clone(), verb))))
            }
            _ => None,
        },
        // No authorizer here fails.
        "errored" => |args| decision(args).map(|_| Ok(Value::Bool(false))),
        "error" => |args| decision(args).map(|_| Ok(Value::text(""))),
        "allowed" => |args| decision(args).map(|decision| Ok(Value::Bool(decision.is_allowed()))),
        "reason" => |args| decision(args).map(|decision| Ok(Value::text(decision.reason()))),
        _ => return None,
    })
}

/// The receiver and its arguments.
fn of<'v, 'a>(args: &'v [Value<'a>]) -> Option<(&'v Authz, &'v [Value<'a>])> {
    let (Value::Opaque(receiver), rest) = args.split_first()? else { return None };
    let Opaque::Authz(authz) = &**receiver else { return None };
    Some((authz, rest))
}

fn service_account<'a>(caller: &Caller, namespace: &str, called: &str) -> Option<Outcome<'a>> {
    if !name::is_dns1123_subdomain(called).is_empty() {
        return fail("Invalid service account name");
    }
    if !name::is_dns1123_label(namespace).is_empty() {
        return fail("Invalid service account namespace");
    }
    let groups = ["system:serviceaccounts", &format!("system:serviceaccounts:{namespace}")];
    let user = User::new(format!("system:serviceaccount:{namespace}:{called}"), &groups);
    some(made(Authz::Authorizer(Caller { user: Arc::new(user), authority: caller.authority.clone() })))
}

fn resource_of<'a>(caller: &Caller, group: &str, resource: &str) -> Option<Outcome<'a>> {
    if resource.trim().is_empty() {
        return fail("resource must not be empty");
    }
    let asked = Attributes {
        resource_request: true,
        group: group.to_owned(),
        version: "*".to_owned(),
        resource: resource.to_owned(),
        ..Attributes::default()
    };
    some(made(Authz::Resource(caller.clone(), Box::new(asked))))
}

fn narrow<'a>(args: &[Value<'a>], set: fn(&mut Attributes, String)) -> Option<Outcome<'a>> {
    let (Authz::Resource(caller, asked), [Value::String(text)]) = of(args)? else { return None };
    let mut asked = (**asked).clone();
    set(&mut asked, (**text).to_owned());
    some(made(Authz::Resource(caller.clone(), Box::new(asked))))
}

fn ask(caller: &Caller, asked: Attributes, verb: &str) -> Decision {
    caller.authority.authorize(&Attributes { user: (*caller.user).clone(), verb: verb.to_owned(), ..asked })
}

fn decision<'v>(args: &'v [Value<'_>]) -> Option<&'v Decision> {
    match of(args)? {
        (Authz::Decision(decision), []) => Some(decision),
        _ => None,
    }
}
