//! Acting as another user: what the `Impersonate-*` headers ask for, and what must be allowed for it.
//! Follows `k8s.io/apiserver/pkg/endpoints/filters/impersonation`, constrained modes included. Asks no authorizer itself.

mod last;

use http::HeaderMap;
use model::field::{Errors, Path};
use model::name;
use model::user::{ANONYMOUS, AUTHENTICATED, MASTERS, UNAUTHENTICATED};
use model::{Attributes, Status, User};

use crate::front_proxy::{all, prefixed, remove_prefixed};
pub use last::Last;

const USER: &str = "impersonate-user";
const GROUP: &str = "impersonate-group";
const UID: &str = "impersonate-uid";
const EXTRA: &str = "impersonate-extra-";
const NODE: &str = "system:node:";
const NODES: &str = "system:nodes";
const NODE_NAME: &str = "authentication.kubernetes.io/node-name";
/// Checks of one sort from which on a single check for `*` is tried first.
const MANY: usize = 4;

/// One way in which the impersonation may be allowed. The first attempt all of whose checks pass decides; when none does,
/// the client reads the first check that failed.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Each must pass.
    pub checks: Vec<Check>,
    /// Who the request then comes from.
    pub user: User,
    /// The verb that allowed it, for the audit record; empty for the unconstrained mode.
    pub constraint: &'static str,
}

/// One thing that must be allowed.
#[derive(Clone, Debug)]
pub enum Check {
    /// The authorizer must allow this.
    Allowed(Box<Attributes>),
    /// The authorizer must allow the first, or else every one of the others.
    Either(Box<Attributes>, Vec<Attributes>),
    /// Never allowed, with the reason.
    Never(Box<Attributes>, String),
}

/// Reads the headers. `None` when nobody is to be impersonated; 400 when other facts are given without a user name.
pub fn wanted(headers: &HeaderMap) -> Result<Option<User>, Status> {
    let name = all(headers, USER).next().unwrap_or_default();
    let uid = all(headers, UID).next().unwrap_or_default();
    let groups: Vec<String> = all(headers, GROUP).collect();
    let extra: Vec<(String, Vec<String>)> = prefixed(headers, EXTRA);
    let more = !uid.is_empty() || !groups.is_empty() || !extra.is_empty();
    let user = User { name, uid, groups, extra: extra.into_iter().collect() };
    match (user.name.is_empty(), more) {
        (false, _) => Ok(Some(user)),
        (true, false) => Ok(None),
        (true, true) => Err(Status::bad_request(format!("requested {} without impersonating a user name", go_syntax(&user)))),
    }
}

/// Removes the headers, so that nothing later behaves differently for an impersonated user.
pub fn clear(headers: &mut HeaderMap) {
    for name in [USER, GROUP, UID] {
        headers.remove(name);
    }
    remove_prefixed(headers, EXTRA);
}

/// The ways in which `request`, whose user is the true one, may be sent as `wanted`.
pub fn attempts(wanted: &User, request: &Attributes) -> Vec<Attempt> {
    let mut attempts = Vec::new();
    let only_name = wanted.uid.is_empty() && wanted.groups.is_empty() && wanted.extra.is_empty();
    let node = wanted.name.strip_prefix(NODE).filter(|name| dns_subdomain(name));
    let account = service_account(&wanted.name);
    if let (true, Some(node)) = (only_name, node) {
        if runs_on(&request.user, node) {
            attempts.push(constrained(wanted, request, "associated-node"));
        }
        attempts.push(constrained(wanted, request, "arbitrary-node"));
    }
    if only_name && account.is_some() {
        attempts.push(constrained(wanted, request, "serviceaccount"));
    }
    if node.is_none() && account.is_none() {
        attempts.push(constrained(wanted, request, "user-info"));
    }
    attempts.push(Attempt {
        checks: fields(wanted, &request.user, "impersonate", Mode::Legacy),
        user: effective(wanted, Mode::Legacy),
        constraint: "",
    });
    attempts
}

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Legacy,
    Constrained,
}

fn constrained(wanted: &User, request: &Attributes, mode: &str) -> Attempt {
    let verb = match mode {
        "associated-node" => "impersonate:associated-node",
        "arbitrary-node" => "impersonate:arbitrary-node",
        "serviceaccount" => "impersonate:serviceaccount",
        _ => "impersonate:user-info",
    };
    let on = Attributes { verb: format!("impersonate-on:{mode}:{}", request.verb), ..request.clone() };
    let mut checks = vec![Check::Allowed(Box::new(on))];
    checks.extend(fields(wanted, &request.user, verb, Mode::Constrained));
    if mode == "associated-node" {
        checks.iter_mut().for_each(any_node_of_this_account);
    }
    Attempt { checks, user: effective(wanted, Mode::Constrained), constraint: verb }
}

/// The association was checked already, so the authorizer is asked for all nodes and sees only the names of the extras.
fn any_node_of_this_account(check: &mut Check) {
    let (Check::Allowed(attributes) | Check::Either(attributes, _) | Check::Never(attributes, _)) = check;
    let keys = attributes.user.extra.keys().cloned().collect();
    attributes.user.extra = [("authentication.kubernetes.io/associated-node-keys".to_owned(), keys)].into();
    if attributes.verb == "impersonate:associated-node" {
        attributes.name = "*".to_owned();
    }
}

fn fields(wanted: &User, requestor: &User, verb: &str, mode: Mode) -> Vec<Check> {
    let about = |group: &str, resource: &str, name: &str| Attributes {
        user: requestor.clone(),
        verb: verb.to_owned(),
        group: group.to_owned(),
        version: "v1".to_owned(),
        resource: resource.to_owned(),
        name: name.to_owned(),
        resource_request: true,
        ..Attributes::default()
    };
    let home = if mode == Mode::Constrained { "authentication.k8s.io" } else { "" };
    let mut checks = Vec::new();
    let name = match (service_account(&wanted.name), wanted.name.strip_prefix(NODE)) {
        (Some((namespace, name)), _) => Attributes { namespace: namespace.to_owned(), ..about(home, "serviceaccounts", name) },
        (None, Some(node)) if mode == Mode::Constrained && dns_subdomain(node) => about(home, "nodes", node),
        _ => about(home, "users", &wanted.name),
    };
    checks.push(Check::Allowed(Box::new(name)));
    if !wanted.uid.is_empty() {
        checks.push(Check::Allowed(Box::new(about("authentication.k8s.io", "uids", &wanted.uid))));
    }
    if mode == Mode::Constrained {
        if wanted.groups.iter().any(String::is_empty) {
            checks.push(Check::Never(
                Box::new(about(home, "groups", "")),
                "impersonating the empty string group is not allowed".to_owned(),
            ));
        }
        if wanted.in_group(MASTERS) {
            checks.push(Check::Never(
                Box::new(about(home, "groups", MASTERS)),
                "impersonating the system:masters group is not allowed".to_owned(),
            ));
        }
    }
    let groups = wanted.groups.iter().map(|group| about(home, "groups", group)).collect();
    many(&mut checks, groups, mode, || about(home, "groups", "*"));
    if mode == Mode::Constrained
        && let Some(reason) = bad_extra(wanted)
    {
        checks.push(Check::Never(Box::new(about("authentication.k8s.io", "userextras", "")), reason));
    }
    let extra = |key: &str, value: &str| Attributes {
        subresource: key.to_owned(),
        ..about("authentication.k8s.io", "userextras", value)
    };
    let extras = wanted.extra.iter().flat_map(|(key, values)| values.iter().map(move |value| extra(key, value))).collect();
    many(&mut checks, extras, mode, || extra("*", "*"));
    checks
}

fn many(checks: &mut Vec<Check>, each: Vec<Attributes>, mode: Mode, all: impl FnOnce() -> Attributes) {
    if mode == Mode::Constrained && each.len() >= MANY {
        checks.push(Check::Either(Box::new(all()), each));
    } else {
        checks.extend(each.into_iter().map(|attributes| Check::Allowed(Box::new(attributes))));
    }
}

/// Of several odd keys upstream tells of one at random, here it is the first in the alphabet.
fn bad_extra(wanted: &User) -> Option<String> {
    wanted.extra.iter().find_map(|(key, values)| {
        let mut errors = Errors::new();
        name::domain_prefixed_path(key, &Path::new("extra").child("key"), &mut errors);
        let why = match errors.0.as_slice() {
            _ if key.is_empty() => "impersonating the empty string key in extra is not allowed".to_owned(),
            [] if key.chars().any(char::is_uppercase) => {
                format!("impersonating a non-lowercase key in extra is not allowed: {}", model::field::quote(key))
            }
            [] if values.iter().any(String::is_empty) => {
                "impersonating the empty string value in extra is not allowed".to_owned()
            }
            [] => return None,
            [one] => format!("impersonating an invalid key in extra is not allowed: {one}"),
            several => {
                let told: Vec<String> = several.iter().map(ToString::to_string).collect();
                format!("impersonating an invalid key in extra is not allowed: [{}]", told.join(", "))
            }
        };
        Some(why)
    })
}

fn effective(wanted: &User, mode: Mode) -> User {
    let mut user = wanted.clone();
    if user.groups.is_empty() {
        if let Some((namespace, _)) = service_account(&user.name) {
            user.groups = crate::service_account::groups(namespace);
        } else if mode == Mode::Constrained && user.name.strip_prefix(NODE).is_some_and(dns_subdomain) {
            user.groups = vec![NODES.to_owned()];
        }
    }
    let group = match user.name.as_str() {
        ANONYMOUS => UNAUTHENTICATED,
        _ if user.in_group(UNAUTHENTICATED) => return user,
        _ => AUTHENTICATED,
    };
    if !user.in_group(group) {
        user.groups.push(group.to_owned());
    }
    user
}

/// Whether the user is a service account whose token was issued for a pod on this node.
fn runs_on(user: &User, node: &str) -> bool {
    service_account(&user.name).is_some() && user.extra.get(NODE_NAME).is_some_and(|names| names.as_slice() == [node])
}

fn service_account(name: &str) -> Option<(&str, &str)> {
    let (namespace, name) = name.strip_prefix("system:serviceaccount:")?.split_once(':')?;
    (dns_label(namespace) && dns_subdomain(name)).then_some((namespace, name))
}

fn dns_label(text: &str) -> bool {
    text.len() <= 63 && label(text)
}

fn dns_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(label)
}

fn label(text: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = text.as_bytes();
    edge(bytes.first()) && edge(bytes.last()) && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
}

/// The wanted user as Go's `%#v` prints it, which upstream's message holds.
fn go_syntax(user: &User) -> String {
    let quote = model::field::quote;
    let list = |items: &[String]| format!("[]string{{{}}}", items.iter().map(|item| quote(item)).collect::<Vec<_>>().join(", "));
    let groups = if user.groups.is_empty() { "[]string(nil)".to_owned() } else { list(&user.groups) };
    let extra = if user.extra.is_empty() {
        "map[string][]string(nil)".to_owned()
    } else {
        let pairs: Vec<String> = user.extra.iter().map(|(key, values)| format!("{}:{}", quote(key), list(values))).collect();
        format!("map[string][]string{{{}}}", pairs.join(", "))
    };
    format!("&user.DefaultInfo{{Name:{}, UID:{}, Groups:{groups}, Extra:{extra}}}", quote(&user.name), quote(&user.uid))
}

#[cfg(test)]
mod tests;
