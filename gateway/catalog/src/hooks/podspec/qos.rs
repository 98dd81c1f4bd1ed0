//! What a pod asks for altogether, and its quality of service. Follows `component-helpers/resource` and `helper/qos`.
//! Validates nothing.

use std::collections::BTreeMap;

use model::Value;
use model::quantity::Quantity;

use super::super::rules::get;
use super::containers::is_sidecar;
use super::resources::{amount, is_pod_level};

/// Amounts by resource.
pub(crate) type Amounts = BTreeMap<String, Quantity>;

fn add(sum: &mut Amounts, more: &Amounts) {
    for (name, value) in more {
        match sum.get_mut(name) {
            Some(known) => known.add(value),
            None => {
                sum.insert(name.clone(), value.clone());
            }
        }
    }
}

/// The larger of each amount.
pub(crate) fn max(most: &mut Amounts, other: &Amounts) {
    for (name, value) in other {
        match most.get_mut(name) {
            Some(known) if *known >= *value => {}
            _ => {
                most.insert(name.clone(), value.clone());
            }
        }
    }
}

fn of(container: &Value, list: &str) -> Amounts {
    get::entries(get::at(container, "resources"), list).map(|(name, value)| (name.to_owned(), amount(value))).collect()
}

/// `AggregateContainerRequests` and `AggregateContainerLimits` of a spec; `list` is `requests` or `limits`. Sidecars run
/// beside the containers, other init containers before them, one at a time.
pub(crate) fn aggregate(spec: &Value, list: &str) -> Amounts {
    aggregate_by(spec, |container| of(container, list))
}

/// The same of whatever a container is found to have.
pub(crate) fn aggregate_by(spec: &Value, of: impl Fn(&Value) -> Amounts) -> Amounts {
    let mut sum = Amounts::new();
    for container in get::list(spec, "containers") {
        add(&mut sum, &of(container));
    }
    let (mut sidecars, mut init) = (Amounts::new(), Amounts::new());
    for container in get::list(spec, "initContainers") {
        let mut own = of(container);
        if is_sidecar(container) {
            add(&mut sum, &own);
            add(&mut sidecars, &own);
            own = sidecars.clone();
        } else {
            add(&mut own, &sidecars);
        }
        max(&mut init, &own);
    }
    max(&mut sum, &init);
    sum
}

/// `IsPodLevelResourcesSet`.
pub(crate) fn has_pod_level(spec: &Value) -> bool {
    let resources = get::at(spec, "resources");
    get::entries(resources, "requests").chain(get::entries(resources, "limits")).any(|(name, _)| is_pod_level(name))
}

/// `GetPodQOS`: the class that a pod was given, or would be.
pub(crate) fn class_of_pod(pod: &Value) -> &str {
    match get::text(get::at(pod, "status"), "qosClass") {
        "" => class(get::at(pod, "spec")),
        class => class,
    }
}

/// `ComputePodQOS`.
pub(crate) fn class(spec: &Value) -> &'static str {
    if has_pod_level(spec) {
        return of_requirements(get::at(spec, "resources"));
    }
    let containers = get::list(spec, "initContainers").iter().chain(get::list(spec, "containers"));
    agree(containers.map(|container| of_requirements(get::at(container, "resources"))))
}

/// The class of several parts: that of all, or Burstable where they differ.
fn agree(classes: impl Iterator<Item = &'static str>) -> &'static str {
    let mut agreed = None;
    for class in classes {
        match agreed {
            _ if class == "Burstable" => return class,
            Some(known) if known != class => return "Burstable",
            _ => agreed = Some(class),
        }
    }
    agreed.unwrap_or("BestEffort")
}

fn of_requirements(resources: &Value) -> &'static str {
    let (requests, limits) = (get::at(resources, "requests"), get::at(resources, "limits"));
    if get::entries(resources, "requests").chain(get::entries(resources, "limits")).next().is_none() {
        return "BestEffort";
    }
    agree(["cpu", "memory"].into_iter().map(|name| {
        let (request, limit) = (amount(get::at(requests, name)), amount(get::at(limits, name)));
        if request != limit {
            "Burstable"
        } else if request.is_zero() {
            "BestEffort"
        } else {
            "Guaranteed"
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::json::json;

    fn container(requests: Value, limits: Value) -> Value {
        json!({"resources": {"requests": requests, "limits": limits}})
    }

    #[test]
    fn classes() {
        let class = |containers: Value| class(&json!({"containers": containers}));
        assert_eq!(class(json!([{}])), "BestEffort");
        assert_eq!(class(json!([container(json!({"cpu": "1"}), json!({}))])), "Burstable");
        let full = container(json!({"cpu": "1", "memory": "1Gi"}), json!({"cpu": "1000m", "memory": "1Gi"}));
        assert_eq!(class(json!([full])), "Guaranteed");
        assert_eq!(class(json!([full, {}])), "Burstable");
        // Only cpu, for both: memory alone would be best effort.
        assert_eq!(class(json!([container(json!({"cpu": "1"}), json!({"cpu": "1"}))])), "Burstable");
    }

    #[test]
    fn init_containers_count_as_the_largest_and_sidecars_always() {
        let spec = json!({
            "containers": [container(json!({"cpu": "1"}), json!({}))],
            "initContainers": [
                {"restartPolicy": "Always", "resources": {"requests": {"cpu": "500m"}}},
                {"resources": {"requests": {"cpu": "2"}}},
            ],
        });
        assert_eq!(aggregate(&spec, "requests")["cpu"].to_string(), "2500m");
    }
}
