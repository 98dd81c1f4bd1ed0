//! Default roles and bindings, reconciled at start: what is missing is added, what was added by others stays, what says
//! `autoupdate: "false"` is left alone. Follows `pkg/registry/rbac/rest` and `component-helpers/auth/rbac/reconciliation`.

use authz::{PolicyRule, covers};
use catalog::bootstrap;
use model::json::json;
use model::world::DeleteOptions;
use model::{GroupVersionResource, Map, Value, World, meta};

use super::{all, find, made};
use crate::runtime::{Error, step};

const AUTOUPDATE: &str = "rbac.authorization.kubernetes.io/autoupdate";

/// What to do about one object.
#[derive(Debug, PartialEq)]
enum Action {
    Leave,
    Update(Value),
    /// The role of a binding cannot be changed.
    Recreate,
}

/// What to do about an object, given the wanted and the current one.
type Decide = fn(&Value, &Value) -> Action;

pub(super) async fn ensure(world: &dyn World) -> Result<(), Error> {
    // Roles before bindings, so that a binding never leads nowhere.
    let sections: [(&str, &str, Decide); 4] = [
        ("clusterroles", "clusterRoles", role),
        ("roles", "roles", role),
        ("clusterrolebindings", "clusterRoleBindings", binding),
        ("rolebindings", "roleBindings", binding),
    ];
    for (plural, section, decide) in sections {
        let resource = GroupVersionResource::new("rbac.authorization.k8s.io", "v1", plural);
        let objects = bootstrap::objects(bootstrap::RBAC, section);
        all(objects.into_iter().map(|wanted| ensure_one(world, &resource, wanted, decide))).await?;
    }
    Ok(())
}

async fn ensure_one(world: &dyn World, resource: &GroupVersionResource, wanted: Value, decide: Decide) -> Result<(), Error> {
    let (namespace, name) = (meta::namespace(&wanted).to_owned(), meta::name(&wanted).to_owned());
    let Some(current) = find(world, resource, &namespace, &name).await? else {
        return made(world.create(resource, &namespace, wanted).await);
    };
    if meta::annotation(&current, AUTOUPDATE) == Some("false") {
        return Ok(());
    }
    match decide(&wanted, &current) {
        Action::Leave => Ok(()),
        Action::Update(object) => world.update(resource, "", object).await.map(drop).map_err(step("update default role")),
        Action::Recreate => {
            let options = DeleteOptions { uid: Some(meta::uid(&current).to_owned()), ..DeleteOptions::default() };
            world.delete(resource, &namespace, &name, options).await.map_err(step("delete default binding"))?;
            made(world.create(resource, &namespace, wanted).await)
        }
    }
}

fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn settle(current: &Value, revised: Value) -> Action {
    if *current == revised { Action::Leave } else { Action::Update(revised) }
}

fn role(wanted: &Value, current: &Value) -> Action {
    let mut revised = merge_metadata(wanted, current);
    if let Err(missing) = covers(&PolicyRule::of_role(current), &PolicyRule::of_role(wanted)) {
        let mut rules = list(current, "/rules").to_vec();
        rules.extend(missing.iter().map(PolicyRule::to_value));
        revised["rules"] = rules.into();
    }
    let selectors = "/aggregationRule/clusterRoleSelectors";
    let missing: Vec<Value> = list(wanted, selectors).iter().filter(|s| !list(current, selectors).contains(s)).cloned().collect();
    if wanted.get("aggregationRule").is_none() {
        if let Some(map) = revised.as_object_mut() {
            map.shift_remove("aggregationRule");
        }
    } else if !missing.is_empty() {
        let all: Vec<Value> = list(current, selectors).iter().cloned().chain(missing).collect();
        revised["aggregationRule"] = json!({"clusterRoleSelectors": all});
    }
    settle(current, revised)
}

fn binding(wanted: &Value, current: &Value) -> Action {
    if wanted.get("roleRef") != current.get("roleRef") {
        return Action::Recreate;
    }
    let mut revised = merge_metadata(wanted, current);
    let missing: Vec<Value> =
        list(wanted, "/subjects").iter().filter(|s| !list(current, "/subjects").contains(s)).cloned().collect();
    if !missing.is_empty() {
        revised["subjects"] = list(current, "/subjects").iter().cloned().chain(missing).collect();
    }
    settle(current, revised)
}

/// The current object with the labels and annotations that are wanted; where both say something, the current stays.
fn merge_metadata(wanted: &Value, current: &Value) -> Value {
    let mut revised = current.clone();
    for field in ["labels", "annotations"] {
        let Some(wanted) = meta::metadata(wanted).and_then(|m| m.get(field)).and_then(Value::as_object) else { continue };
        let Some(metadata) = meta::metadata_mut(&mut revised) else { continue };
        if let Some(have) = metadata.entry(field).or_insert_with(|| Value::Object(Map::new())).as_object_mut() {
            for (key, value) in wanted {
                have.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
    }
    revised
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Value {
        json!({
            "metadata": {"name": "r", "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"}, "annotations": {AUTOUPDATE: "true"}},
            "rules": [{"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]}],
        })
    }

    #[test]
    fn what_is_missing_is_added_and_extras_stay() {
        assert_eq!(role(&wanted(), &wanted()), Action::Leave);
        let mut current = wanted();
        current["rules"] = json!([{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}, {"verbs": ["*"], "apiGroups": ["x"], "resources": ["y"]}]);
        current["metadata"]["labels"] = json!({"mine": "1"});
        let Action::Update(revised) = role(&wanted(), &current) else { panic!("an update") };
        assert_eq!(
            revised["rules"],
            json!([current["rules"][0], current["rules"][1], {"verbs": ["list"], "apiGroups": [""], "resources": ["pods"]}])
        );
        assert_eq!(revised["metadata"]["labels"], json!({"mine": "1", "kubernetes.io/bootstrapping": "rbac-defaults"}));
    }

    #[test]
    fn wider_rules_need_nothing() {
        let mut current = wanted();
        current["rules"] = json!([{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]);
        assert_eq!(role(&wanted(), &current), Action::Leave);
    }

    #[test]
    fn aggregation_follows_the_default() {
        let mut aggregated = wanted();
        aggregated["aggregationRule"] = json!({"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]});
        let Action::Update(revised) = role(&aggregated, &wanted()) else { panic!("an update") };
        assert_eq!(revised["aggregationRule"], aggregated["aggregationRule"]);
        let Action::Update(revised) = role(&wanted(), &aggregated) else { panic!("an update") };
        assert_eq!(revised.get("aggregationRule"), None);
    }

    #[test]
    fn bindings_gain_subjects_and_never_change_roles() {
        let binding_to =
            |role: &str, subjects: Value| json!({"metadata": {"name": "b"}, "roleRef": {"name": role}, "subjects": subjects});
        let (a, b) = (json!({"kind": "User", "name": "a"}), json!({"kind": "User", "name": "b"}));
        let wanted = binding_to("r", json!([a]));
        let Action::Update(revised) = binding(&wanted, &binding_to("r", json!([b]))) else { panic!("an update") };
        assert_eq!(revised["subjects"], json!([b, a]));
        assert_eq!(binding(&wanted, &binding_to("r", json!([b, a]))), Action::Leave);
        assert_eq!(binding(&wanted, &binding_to("other", json!([a]))), Action::Recreate);
    }
}
