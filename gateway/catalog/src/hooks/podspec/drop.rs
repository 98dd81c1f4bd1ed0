//! Fields of features that are off in 1.37: they are known, and dropped from what is written.
//! Follows `DropDisabledPodFields`. Upstream keeps such a field where the stored object has it; here none ever has.

use model::Value;

use super::super::rules::get;
use super::visit_containers_mut;

/// Annotations that once carried init containers.
const INIT_CONTAINER_ANNOTATIONS: &[&str] = &[
    "pod.beta.kubernetes.io/init-containers",
    "pod.alpha.kubernetes.io/init-containers",
    "pod.beta.kubernetes.io/init-container-statuses",
    "pod.alpha.kubernetes.io/init-container-statuses",
];

/// Drops them from a spec and the metadata beside it; `holder` is a pod or a template.
pub(crate) fn disabled(holder: &mut Value) {
    if let Some(annotations) = holder.get_mut("metadata").and_then(|metadata| metadata.get_mut("annotations")) {
        INIT_CONTAINER_ANNOTATIONS.iter().for_each(|key| get::remove(annotations, key));
    }
    let Some(spec) = holder.get_mut("spec") else { return };
    get::remove(spec, "schedulingGroup");
    get::remove(spec, "evictionResponders");
    get::list_mut(spec, "volumes").iter_mut().for_each(volume);
    visit_containers_mut(spec, &mut container);
}

fn volume(volume: &mut Value) {
    if let Some(empty_dir) = volume.get_mut("emptyDir") {
        get::remove(empty_dir, "mode");
    }
    for source in ["secret", "configMap", "downwardAPI"] {
        if let Some(source) = volume.get_mut(source) {
            file_owners(source);
        }
    }
    let Some(projected) = volume.get_mut("projected") else { return };
    get::remove(projected, "defaultUser");
    for source in get::list_mut(projected, "sources") {
        for kind in ["secret", "configMap", "downwardAPI", "serviceAccountToken", "clusterTrustBundle", "podCertificate"] {
            if let Some(inner) = source.get_mut(kind) {
                file_owners(inner);
            }
        }
    }
}

fn file_owners(source: &mut Value) {
    get::remove(source, "defaultUser");
    get::remove(source, "user");
    get::list_mut(source, "items").iter_mut().for_each(|item| get::remove(item, "user"));
}

fn container(container: &mut Value) {
    for mount in get::list_mut(container, "volumeMounts") {
        get::remove(mount, "bindMountOptions");
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = container.get_mut(probe) {
            handler(probe);
            if let Some(grpc) = probe.get_mut("grpc") {
                get::remove(grpc, "mode");
            }
        }
    }
    let Some(lifecycle) = container.get_mut("lifecycle") else { return };
    for hook in ["postStart", "preStop"] {
        if let Some(hook) = lifecycle.get_mut(hook) {
            handler(hook);
        }
    }
    if lifecycle.get("stopSignal").is_some() {
        get::remove(lifecycle, "stopSignal");
        if lifecycle.as_object().is_some_and(|fields| fields.is_empty()) {
            get::remove(container, "lifecycle");
        }
    }
}

fn handler(handler: &mut Value) {
    if let Some(http) = handler.get_mut("httpGet") {
        get::remove(http, "protocol");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::json::json;

    #[test]
    fn fields_of_features_that_are_off_go() {
        let mut pod = json!({
            "metadata": {"annotations": {"pod.beta.kubernetes.io/init-containers": "[]", "keep": "me"}},
            "spec": {
                "schedulingGroup": {"podGroupName": "g"},
                "volumes": [{"name": "a", "emptyDir": {"mode": 7}}, {"name": "b", "configMap": {"name": "c", "items": [{"key": "k", "path": "p", "user": 1}]}}],
                "containers": [{"name": "c", "lifecycle": {"stopSignal": "SIGTERM"}, "livenessProbe": {"httpGet": {"protocol": "HTTP2", "port": 1}}}],
            },
        });
        disabled(&mut pod);
        assert_eq!(
            pod,
            json!({
                "metadata": {"annotations": {"keep": "me"}},
                "spec": {
                    "volumes": [{"name": "a", "emptyDir": {}}, {"name": "b", "configMap": {"name": "c", "items": [{"key": "k", "path": "p"}]}}],
                    "containers": [{"name": "c", "livenessProbe": {"httpGet": {"port": 1}}}],
                },
            })
        );
    }
}
