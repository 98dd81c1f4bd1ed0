//! What headers ask for and what must be allowed, mode by mode.

use super::*;

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, value.parse().unwrap());
    }
    headers
}

fn request(user: User) -> Attributes {
    let text = |text: &str| text.to_owned();
    Attributes {
        user,
        verb: text("list"),
        version: text("v1"),
        resource: text("pods"),
        namespace: text("default"),
        resource_request: true,
        ..Attributes::default()
    }
}

fn describe(check: &Check) -> String {
    let one = |a: &Attributes| {
        format!(
            "{} {}/{}/{}{} {}",
            a.verb,
            a.group,
            a.resource,
            a.subresource,
            if a.namespace.is_empty() { String::new() } else { format!(" in {}", a.namespace) },
            a.name
        )
    };
    match check {
        Check::Allowed(a) => one(a),
        Check::Either(a, others) => format!("{} or {} others", one(a), others.len()),
        Check::Never(a, why) => format!("never {}: {why}", one(a)),
    }
}

fn all(pairs: &[(&'static str, &'static str)], user: User) -> Vec<(String, Vec<String>, Vec<String>)> {
    let wanted = wanted(&headers(pairs)).unwrap().unwrap();
    let attempts = attempts(&wanted, &request(user));
    attempts.iter().map(|a| (a.constraint.to_owned(), a.checks.iter().map(describe).collect(), a.user.groups.clone())).collect()
}

#[test]
fn a_user_with_groups_is_tried_constrained_first() {
    let attempts = all(
        &[("impersonate-user", "jane"), ("impersonate-group", "dev"), ("impersonate-extra-example.com%2fscope", "x")],
        User::new("admin", &[]),
    );
    assert_eq!(attempts.len(), 2);
    assert_eq!(attempts[0].0, "impersonate:user-info");
    assert_eq!(
        attempts[0].1,
        [
            "impersonate-on:user-info:list /pods/ in default ",
            "impersonate:user-info authentication.k8s.io/users/ jane",
            "impersonate:user-info authentication.k8s.io/groups/ dev",
            "impersonate:user-info authentication.k8s.io/userextras/example.com/scope x",
        ]
    );
    assert_eq!(
        attempts[1].1,
        [
            "impersonate /users/ jane",
            "impersonate /groups/ dev",
            "impersonate authentication.k8s.io/userextras/example.com/scope x"
        ]
    );
    assert_eq!(attempts[1].2, ["dev", "system:authenticated"]);
}

#[test]
fn a_service_account_gets_its_groups_unless_others_are_named() {
    let name = ("impersonate-user", "system:serviceaccount:default:builder");
    let attempts = all(&[name], User::new("admin", &[]));
    assert_eq!(attempts[0].0, "impersonate:serviceaccount");
    assert_eq!(attempts[1].1, ["impersonate /serviceaccounts/ in default builder"]);
    assert_eq!(attempts[1].2, ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"]);
    let attempts = all(&[name, ("impersonate-group", "g")], User::new("admin", &[]));
    assert_eq!((attempts.len(), attempts[0].2.clone()), (1, vec!["g".to_owned(), "system:authenticated".to_owned()]));
}

#[test]
fn a_pod_may_be_allowed_to_act_as_the_node_it_runs_on() {
    let mut agent = User::new("system:serviceaccount:kube-system:agent", &[]);
    agent.extra = [(NODE_NAME.to_owned(), vec!["n1".to_owned()])].into();
    let modes =
        |node: &'static str| all(&[("impersonate-user", node)], agent.clone()).into_iter().map(|a| a.0).collect::<Vec<_>>();
    assert_eq!(modes("system:node:n1"), ["impersonate:associated-node", "impersonate:arbitrary-node", ""]);
    assert_eq!(modes("system:node:n2"), ["impersonate:arbitrary-node", ""]);
    let attempts = all(&[("impersonate-user", "system:node:n1")], agent.clone());
    assert_eq!(attempts[0].1[1], "impersonate:associated-node authentication.k8s.io/nodes/ *");
    assert_eq!(attempts[0].2, ["system:nodes", "system:authenticated"]);
}

#[test]
fn the_masters_are_never_reached_by_constrained_impersonation() {
    let attempts = all(&[("impersonate-user", "root"), ("impersonate-group", "system:masters")], User::new("admin", &[]));
    assert!(
        attempts[0]
            .1
            .iter()
            .any(|check| check.starts_with("never ") && check.ends_with("the system:masters group is not allowed"))
    );
    assert!(attempts[1].1.iter().all(|check| !check.starts_with("never ")));
}

#[test]
fn many_groups_are_asked_for_at_once() {
    let group = ("impersonate-group", "g");
    let attempts = all(&[("impersonate-user", "jane"), group, group, group, group], User::new("admin", &[]));
    assert_eq!(attempts[0].1[2], "impersonate:user-info authentication.k8s.io/groups/ * or 4 others");
    assert_eq!(attempts[1].1.len(), 5);
}

#[test]
fn anonymity_can_be_tried_on() {
    let attempts = all(&[("impersonate-user", ANONYMOUS)], User::new("admin", &[]));
    assert_eq!(attempts[1].2, [UNAUTHENTICATED]);
}

#[test]
fn facts_without_a_name_are_a_bad_request() {
    assert_eq!(wanted(&HeaderMap::new()).unwrap(), None);
    let status = wanted(&headers(&[("impersonate-group", "dev")])).unwrap_err();
    let user = r#"&user.DefaultInfo{Name:"", UID:"", Groups:[]string{"dev"}, Extra:map[string][]string(nil)}"#;
    assert_eq!((status.code, status.message), (400, format!("requested {user} without impersonating a user name")));
}

#[test]
fn nothing_is_left_in_the_headers() {
    let mut headers =
        headers(&[("impersonate-user", "a"), ("impersonate-uid", "u"), ("impersonate-extra-a", "b"), ("accept", "x")]);
    clear(&mut headers);
    assert_eq!(headers.len(), 1);
}
