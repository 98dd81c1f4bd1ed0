//! The Pods that a workload will have made, for policies that are about Pods: a rendered chart has seldom one itself, and who
//! applies it would learn of a refusal from a controller's events. Judges nothing.

use model::json::{Map, Value, json};
use model::{GroupVersionKind, meta};

use super::corpus::Recorded;

/// Where a workload has its Pods' template, and the controller that makes them, which is who asks.
const WORKLOADS: &[(&str, &str, &str, &str)] = &[
    ("apps", "Deployment", "/spec/template", "replicaset-controller"),
    ("apps", "ReplicaSet", "/spec/template", "replicaset-controller"),
    ("apps", "StatefulSet", "/spec/template", "statefulset-controller"),
    ("apps", "DaemonSet", "/spec/template", "daemon-set-controller"),
    ("batch", "Job", "/spec/template", "job-controller"),
    ("batch", "CronJob", "/spec/jobTemplate/spec/template", "job-controller"),
    ("", "ReplicationController", "/spec/template", "replication-controller"),
];

/// Where kube-controller-manager has its accounts.
const ACCOUNTS: &str = "kube-system";

/// The request by which a workload's Pods will be made; nothing of what is no workload, or has no template.
pub(super) fn of(object: &Value) -> Option<Recorded> {
    let kind = GroupVersionKind::from_api_version(object["apiVersion"].as_str()?, object["kind"].as_str()?);
    let (_, _, place, controller) = WORKLOADS.iter().find(|(group, name, ..)| *kind.group == **group && *kind.kind == **name)?;
    let template = object.pointer(place).filter(|template| template["spec"].is_object())?;
    let mut metadata = Map::new();
    for field in ["labels", "annotations"] {
        let told = &template["metadata"][field];
        metadata.extend(told.is_object().then(|| (field.to_owned(), told.clone())));
    }
    metadata.insert("generateName", format!("{}-", meta::name(object)).into());
    if !meta::namespace(object).is_empty() {
        metadata.insert("namespace", meta::namespace(object).into());
    }
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]});
    let groups = json!(["system:serviceaccounts", format!("system:serviceaccounts:{ACCOUNTS}"), "system:authenticated"]);
    let user = format!("system:serviceaccount:{ACCOUNTS}:{controller}");
    let request = json!({"operation": "CREATE", "user": user, "groups": groups});
    Some(Recorded { request, object: Some(pod), old: None, server: Value::Null })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_has_pods_of_its_template() {
        let template = json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"image": "nginx"}]}});
        let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"template": template}});
        let pods = of(&deployment).unwrap();
        assert_eq!(pods.called(), "CREATE Pod shop/web-*");
        assert_eq!(pods.request["user"], "system:serviceaccount:kube-system:replicaset-controller");
        let pod = pods.object.unwrap();
        assert_eq!((&pod["spec"], &pod["metadata"]["labels"]["app"]), (&template["spec"], &json!("web")));

        let cron = json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "nightly"},
            "spec": {"jobTemplate": {"spec": {"template": template}}}});
        assert_eq!(of(&cron).unwrap().called(), "CREATE Pod nightly-*");
        for other in [
            json!({"apiVersion": "v1", "kind": "Pod", "spec": {"template": template}}),
            json!({"apiVersion": "example.com/v1", "kind": "Deployment", "spec": {"template": template}}),
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {}}),
        ] {
            assert!(of(&other).is_none(), "{other}");
        }
    }
}
