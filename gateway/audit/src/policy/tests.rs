//! Which rule of a policy matches which request.

use model::Verb;

use super::*;

const POLICY: &str = r#"
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
omitManagedFields: true
rules:
- level: None
  users: ["system:kube-proxy"]
  verbs: [watch]
- level: None
  nonResourceURLs: ["/healthz*", "/version"]
- level: Metadata
  resources: [{group: "", resources: [secrets, configmaps]}]
  omitManagedFields: false
- level: Request
  resources: [{group: "", resources: ["pods/log", "*/status", "serviceaccounts/*"]}]
  omitStages: [ResponseStarted]
- level: RequestResponse
  resources: [{group: apps, resources: [deployments], resourceNames: [web]}]
  namespaces: [prod]
- level: Request
  userGroups: [dev]
"#;

fn resource(group: &str, resource: &str, subresource: &str, namespace: &str, name: &str) -> RequestInfo {
    RequestInfo {
        resource_request: true,
        group: group.into(),
        resource: resource.into(),
        subresource: subresource.into(),
        namespace: namespace.into(),
        name: name.into(),
        ..RequestInfo::default()
    }
}

fn level(request: &RequestInfo, user: &str, groups: &[&str]) -> Level {
    Policy::parse(POLICY).unwrap().verdict(request, Some(&User::new(user, groups))).level
}

#[test]
fn the_first_rule_that_matches_decides() {
    let pod = resource("", "pods", "", "default", "a");
    assert_eq!(level(&RequestInfo { verb: Verb::Watch, ..pod.clone() }, "system:kube-proxy", &[]), Level::None);
    assert_eq!(level(&resource("", "secrets", "", "default", "a"), "alice", &["dev"]), Level::Metadata);
    assert_eq!(level(&pod, "alice", &["dev"]), Level::Request);
    assert_eq!(level(&pod, "alice", &[]), Level::None, "no rule, no record");
}

#[test]
fn subresources_need_their_own_entry() {
    assert_eq!(level(&resource("", "pods", "log", "d", "a"), "alice", &[]), Level::Request);
    assert_eq!(level(&resource("", "pods", "exec", "d", "a"), "alice", &[]), Level::None);
    assert_eq!(level(&resource("", "nodes", "status", "", "a"), "alice", &[]), Level::Request);
    assert_eq!(level(&resource("", "serviceaccounts", "token", "d", "a"), "alice", &[]), Level::Request);
    assert_eq!(level(&resource("", "secrets", "status", "d", "a"), "alice", &[]), Level::Request);
}

#[test]
fn names_and_namespaces_narrow() {
    assert_eq!(level(&resource("apps", "deployments", "", "prod", "web"), "alice", &[]), Level::RequestResponse);
    assert_eq!(level(&resource("apps", "deployments", "", "prod", "db"), "alice", &[]), Level::None);
    assert_eq!(level(&resource("apps", "deployments", "", "test", "web"), "alice", &[]), Level::None);
}

#[test]
fn paths_match_whole_or_by_prefix() {
    let path = |path: &str| RequestInfo { path: path.into(), ..RequestInfo::default() };
    let policy = Policy::parse(&POLICY.replace("- level: Request\n  userGroups: [dev]", "- level: Metadata")).unwrap();
    assert_eq!(policy.verdict(&path("/healthz/ping"), None).level, Level::None);
    assert_eq!(policy.verdict(&path("/version"), None).level, Level::None);
    assert_eq!(policy.verdict(&path("/versions"), None).level, Level::Metadata);
}

#[test]
fn stages_add_up_and_the_rule_overrides_managed_fields() {
    let policy = Policy::parse(POLICY).unwrap();
    let verdict = policy.verdict(&resource("", "pods", "log", "d", "a"), None);
    assert_eq!((verdict.omit_stages, verdict.omit_managed_fields), (vec![Stage::RequestReceived, Stage::ResponseStarted], true));
    assert!(!policy.verdict(&resource("", "secrets", "", "d", "a"), None).omit_managed_fields);
}

#[test]
fn refuses_what_could_never_be_meant() {
    let parse = |text: &str| Policy::parse(text).map(|_| ()).map_err(|e| e.to_string());
    let head = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n";
    assert_eq!(parse("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: []"), Err("loaded illegal policy with 0 rules".into()));
    assert_eq!(
        parse("apiVersion: audit.k8s.io/v1beta1\nkind: Policy\nrules: [{level: None}]"),
        Err("unknown audit policy audit.k8s.io/v1beta1, Kind=Policy: expected audit.k8s.io/v1, Kind=Policy".into())
    );
    assert_eq!(
        parse(&format!("{head}- {{level: None, nonResourceURLs: [healthz]}}")),
        Err("rules[0]: non-resource URL rules must begin with a '/' character".into())
    );
    assert!(parse(&format!("{head}- {{level: Everything}}")).unwrap_err().starts_with("failed decoding: "));
    assert!(parse(&format!("{head}- {{level: None, user: [a]}}")).unwrap_err().contains("user"));
}
