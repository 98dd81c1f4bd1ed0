//! What an object says about ways to nodes: a Pod names what it needs, a volume its claim and its secrets.
//! Follows `plugin/pkg/auth/authorizer/node/graph.go`, `pkg/api/v1/pod/util.go` and `pkg/api/v1/persistentvolume/util.go`.

use model::{Value, meta};

use super::edges::{Edge, Of, vertex};

/// The annotation of a static Pod's mirror.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// The edges that an object makes.
pub(super) fn edges(of: Of, object: &Value) -> Vec<Edge> {
    match of {
        Of::Pod => pod(object),
        Of::Volume => volume(object),
        _ => on_node(of, object).into_iter().collect(),
    }
}

/// From an object itself to the node that its spec names.
fn on_node(of: Of, object: &Value) -> Option<Edge> {
    let node = at(object, "/spec/nodeName");
    (!node.is_empty()).then(|| (vertex(of, meta::namespace(object), meta::name(object)), vertex(Of::Node, "", node)))
}

fn pod(object: &Value) -> Vec<Edge> {
    let Some(own) = on_node(Of::Pod, object) else { return Vec::new() };
    let node = own.1.clone();
    let mut edges = vec![own];
    // A node makes mirrors itself, and must not give itself a right by that.
    if meta::annotation(object, MIRROR).is_some() {
        return edges;
    }
    let namespace = meta::namespace(object);
    let mut add = |of, name: &str| {
        let edge = (vertex(of, namespace, name), node.clone());
        if !name.is_empty() && !edges.contains(&edge) {
            edges.push(edge);
        }
    };
    add(Of::ServiceAccount, at(object, "/spec/serviceAccountName"));
    for secret in items(object, "/spec/imagePullSecrets") {
        add(Of::Secret, text(secret, "name"));
    }
    if let Some(spec) = object.get("spec") {
        named(spec, &mut add);
    }
    for volume in items(object, "/spec/volumes") {
        add(Of::Claim, at(volume, "/persistentVolumeClaim/claimName"));
        if volume.get("ephemeral").is_some_and(Value::is_object) {
            add(Of::Claim, &format!("{}-{}", meta::name(object), text(volume, "name")));
        }
    }
    for claim in items(object, "/spec/resourceClaims") {
        add(Of::ResourceClaim, text(claim, "resourceClaimName"));
    }
    for status in items(object, "/status/resourceClaimStatuses") {
        // A claim that was made of a template; the status of one that is named says nothing.
        let of = items(object, "/spec/resourceClaims").iter().find(|claim| text(claim, "name") == text(status, "name"));
        if of.is_some_and(|claim| !text(claim, "resourceClaimTemplateName").is_empty()) {
            add(Of::ResourceClaim, text(status, "resourceClaimName"));
        }
    }
    add(Of::ResourceClaim, at(object, "/status/extendedResourceClaimStatus/resourceClaimName"));
    edges
}

/// Secrets and ConfigMaps by the fields that name them, in containers and in volumes, however deep.
fn named(value: &Value, add: &mut impl FnMut(Of, &str)) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match key.as_str() {
                    "secretRef" | "secretKeyRef" | "nodePublishSecretRef" => add(Of::Secret, text(value, "name")),
                    // A volume's says `secretName`, a projected one's `name`.
                    "secret" | "azureFile" => {
                        add(Of::Secret, text(value, "secretName"));
                        add(Of::Secret, text(value, "name"));
                    }
                    "configMap" | "configMapRef" | "configMapKeyRef" => add(Of::ConfigMap, text(value, "name")),
                    _ => {}
                }
                named(value, add);
            }
        }
        Value::Array(list) => list.iter().for_each(|item| named(item, add)),
        _ => {}
    }
}

fn volume(object: &Value) -> Vec<Edge> {
    let Some(claim) = object.pointer("/spec/claimRef").filter(|claim| claim.is_object()) else { return Vec::new() };
    let own = vertex(Of::Volume, "", meta::name(object));
    let home = text(claim, "namespace");
    let mut edges = vec![(own.clone(), vertex(Of::Claim, home, text(claim, "name")))];
    for (namespace, secret) in secrets(&object["spec"], home) {
        if !secret.is_empty() {
            edges.push((vertex(Of::Secret, namespace, secret), own.clone()));
        }
    }
    edges
}

/// The secrets of a volume that a kubelet reads: namespace and name.
fn secrets<'v>(spec: &'v Value, home: &'v str) -> Vec<(&'v str, &'v str)> {
    let or_home = |namespace: &'v str| if namespace.is_empty() { home } else { namespace };
    if let Some(file) = spec.get("azureFile").filter(|source| source.is_object()) {
        return vec![(or_home(text(file, "secretNamespace")), text(file, "secretName"))];
    }
    let reference = |pointer: &str| spec.pointer(pointer).map(|secret| (text(secret, "namespace"), text(secret, "name")));
    for source in ["cephfs", "flexVolume", "rbd", "scaleIO", "iscsi"] {
        if let Some((namespace, name)) = reference(&format!("/{source}/secretRef")) {
            return vec![(or_home(namespace), name)];
        }
    }
    let elsewhere = [
        "/cinder/secretRef",
        "/storageos/secretRef",
        "/csi/nodePublishSecretRef",
        "/csi/nodeStageSecretRef",
        "/csi/nodeExpandSecretRef",
    ];
    elsewhere.into_iter().filter_map(reference).collect()
}

fn at<'v>(object: &'v Value, pointer: &str) -> &'v str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

fn text<'v>(object: &'v Value, field: &str) -> &'v str {
    object.get(field).and_then(Value::as_str).unwrap_or("")
}

fn items<'v>(object: &'v Value, pointer: &str) -> &'v [Value] {
    object.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
