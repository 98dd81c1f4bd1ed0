//! What a pod asks for as a whole, filled up from what its containers ask for. Follows `DefaultPodLevelResources`.

use model::Value;

use super::super::podspec::qos;
use super::super::podspec::resources::{amount, is_huge_page, is_overcommit_allowed, is_pod_level};
use super::super::rules::get;

/// Fills up; a pod that says nothing as a whole stays so.
pub(super) fn default(spec: &mut Value) {
    let resources = get::at(spec, "resources");
    if get::entries(resources, "requests").chain(get::entries(resources, "limits")).next().is_none() {
        return;
    }
    huge_page_limits(spec);
    requests(spec);
    limits(spec);
}

fn has(spec: &Value, list: &str, name: &str) -> bool {
    get::at(get::at(spec, "resources"), list).get(name).is_some()
}

fn put(spec: &mut Value, list: &str, name: &str, amount: Value) {
    let Some(resources) = spec.get_mut("resources") else { return };
    if let Some(map) = get::object_mut(resources, list) {
        map.insert(name.to_owned(), amount);
    }
}

fn huge_page_limits(spec: &mut Value) {
    for (name, sum) in qos::aggregate(spec, "limits") {
        if is_huge_page(&name) && !has(spec, "requests", &name) && !has(spec, "limits", &name) {
            put(spec, "limits", &name, sum.to_string().into());
        }
    }
}

fn requests(spec: &mut Value) {
    for (name, sum) in qos::aggregate(spec, "requests") {
        if is_pod_level(&name) && is_overcommit_allowed(&name) && !has(spec, "requests", &name) {
            put(spec, "requests", &name, sum.to_string().into());
        }
    }
    let limits: Vec<(String, Value)> =
        get::entries(get::at(spec, "resources"), "limits").map(|(name, value)| (name.to_owned(), value.clone())).collect();
    for (name, limit) in limits {
        if is_pod_level(&name) && !has(spec, "requests", &name) {
            put(spec, "requests", &name, limit);
        }
    }
}

/// A limit for what is requested, where every container has one: the sum, and no less than the request.
fn limits(spec: &mut Value) {
    let unlimited: Vec<(String, Value)> = get::entries(get::at(spec, "resources"), "requests")
        .filter(|(name, _)| is_pod_level(name) && !has(spec, "limits", name) && every_container_limits(spec, name))
        .map(|(name, value)| (name.to_owned(), value.clone()))
        .collect();
    if unlimited.is_empty() {
        return;
    }
    let sums = qos::aggregate(spec, "limits");
    for (name, request) in unlimited {
        let Some(sum) = sums.get(&name) else { continue };
        let limit = if amount(&request) > *sum { request } else { sum.to_string().into() };
        put(spec, "limits", &name, limit);
    }
}

fn every_container_limits(spec: &Value, name: &str) -> bool {
    let mut all = true;
    super::super::podspec::visit_containers(spec, &model::field::Path::default(), &mut |container, _| {
        all &= get::at(get::at(container, "resources"), "limits").get(name).is_some();
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::json::json;

    #[test]
    fn the_whole_follows_the_containers() {
        let container = |cpu: &str| json!({"resources": {"requests": {"cpu": cpu}, "limits": {"cpu": cpu}}});
        let mut spec = json!({"resources": {"limits": {"memory": "1Gi"}}, "containers": [container("1"), container("500m")]});
        default(&mut spec);
        assert_eq!(
            spec["resources"],
            json!({"limits": {"memory": "1Gi", "cpu": "1500m"}, "requests": {"cpu": "1500m", "memory": "1Gi"}})
        );
        let mut spec = json!({"containers": [container("1")]});
        default(&mut spec);
        assert!(spec.get("resources").is_none());
    }
}
