//! A ClusterRole with an aggregation rule has the rules of all cluster roles that its selectors select.
//! Follows `pkg/controller/clusterroleaggregation`. Does not judge who may grant what (`authz`).

use futures::future::BoxFuture;
use model::selector::label::Selector;
use model::{GroupVersionResource, Value, meta};

use crate::feed::Change;
use crate::runtime::{Context, Controller, Error, Next, Watch, step};

/// The controller.
pub const CONTROLLER: Controller = Controller {
    name: "clusterrole-aggregation-controller",
    watches: &[Watch::new("rbac.authorization.k8s.io", "v1", "clusterroles", everything)],
    workers: 1,
    reconcile,
};

/// Any role may change what any other aggregates: one key stands for all.
fn everything(_: &Change<'_>) -> Vec<String> {
    vec!["all".to_owned()]
}

fn rules(role: &Value) -> &[Value] {
    role.get("rules").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The roles whose rules must change, as they must become. `roles` are in order of name.
fn decide(roles: &[Value]) -> Result<Vec<Value>, String> {
    let mut changed = Vec::new();
    for role in roles {
        let Some(selectors) = role.pointer("/aggregationRule/clusterRoleSelectors").and_then(Value::as_array) else { continue };
        let wanted = gather(role, selectors, roles)?;
        if wanted != rules(role) {
            let mut role = role.clone();
            role["rules"] = wanted.into();
            changed.push(role);
        }
    }
    Ok(changed)
}

fn gather(role: &Value, selectors: &[Value], roles: &[Value]) -> Result<Vec<Value>, String> {
    let mut gathered: Vec<Value> = Vec::new();
    for selector in selectors {
        let Some(selector) = Selector::from_object(selector)? else { continue };
        for other in roles.iter().filter(|other| meta::name(other) != meta::name(role) && selector.matches_object(other)) {
            for rule in rules(other) {
                if !gathered.contains(rule) {
                    gathered.push(rule.clone());
                }
            }
        }
    }
    Ok(gathered)
}

fn reconcile<'a>(context: &'a Context, _: &'a str) -> BoxFuture<'a, Result<Next, Error>> {
    Box::pin(async move {
        let resource = GroupVersionResource::new("rbac.authorization.k8s.io", "v1", "clusterroles");
        let (mut roles, _) = context.world.list(&resource, "", "").await.map_err(step("list cluster roles"))?;
        roles.sort_by(|a, b| meta::name(a).cmp(meta::name(b)));
        for role in decide(&roles).map_err(Error::Other)? {
            context.world.update(&resource, "", role).await.map_err(step("update cluster role"))?;
        }
        Ok(Next::Wait)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::json::json;

    fn role(name: &str, label: &str, verb: &str) -> Value {
        json!({"metadata": {"name": name, "labels": {"to": label}}, "rules": [{"verbs": [verb], "apiGroups": [""], "resources": ["pods"]}]})
    }

    fn sum(name: &str, labels: &[&str]) -> Value {
        let selectors: Vec<Value> = labels.iter().map(|label| json!({"matchLabels": {"to": label}})).collect();
        json!({"metadata": {"name": name, "labels": {"to": "edit"}}, "aggregationRule": {"clusterRoleSelectors": selectors}, "rules": []})
    }

    fn verbs(role: &Value) -> Vec<&str> {
        rules(role).iter().filter_map(|rule| rule["verbs"][0].as_str()).collect()
    }

    #[test]
    fn rules_are_gathered_in_order_and_once() {
        let roles =
            [role("a", "view", "get"), role("b", "edit", "create"), role("c", "view", "get"), sum("edit", &["edit", "view"])];
        let changed = decide(&roles).unwrap();
        assert_eq!(changed.len(), 1);
        assert_eq!(verbs(&changed[0]), ["create", "get"], "by selector, then by name, each rule once");
        let settled = [roles[0].clone(), roles[1].clone(), roles[2].clone(), changed[0].clone()];
        assert!(decide(&settled).unwrap().is_empty());
    }

    #[test]
    fn what_is_no_longer_selected_goes() {
        let mut stale = sum("edit", &["edit"]);
        stale["rules"] = json!([{"verbs": ["delete"], "apiGroups": [""], "resources": ["pods"]}]);
        assert_eq!(verbs(&decide(&[stale]).unwrap()[0]), [""; 0]);
    }

    #[test]
    fn a_role_may_aggregate_an_aggregate() {
        let mut inner = sum("inner", &["view"]);
        inner["rules"] = json!([{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]);
        let roles = [role("a", "view", "get"), inner, sum("outer", &["edit"])];
        assert_eq!(verbs(&decide(&roles).unwrap()[0]), ["get"]);
    }
}
