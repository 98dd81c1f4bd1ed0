//! Fills in upstream's unconditional defaults, which are rows of the type table. Defaults that hang on another field are the
//! kind's hook (`hooks.default`), which runs afterwards.

use model::{Map, Value};
use schema::{Field, Kind, TypeId, Types};

/// Structs whose rows a hook applies, because another default hangs on whether the field was given at all.
const HOOKED: &[&str] = &["v1.StatefulSetUpdateStrategy"];

/// Lists, maps and bytes that upstream's defaulting or validation asks whether they are nil, where it mostly asks for no elements,
/// or that its messages show, or that its strategy counts generation by.
const TOLD_EMPTY: &[(&str, &str)] = &[
    ("io.k8s.api.admissionregistration.v1.MutatingWebhook", "matchConditions"),
    ("io.k8s.api.admissionregistration.v1.MutatingWebhook", "rules"),
    ("io.k8s.api.admissionregistration.v1.MutatingWebhookConfiguration", "webhooks"),
    ("io.k8s.api.admissionregistration.v1.ValidatingWebhook", "matchConditions"),
    ("io.k8s.api.admissionregistration.v1.ValidatingWebhook", "rules"),
    ("io.k8s.api.admissionregistration.v1.ValidatingWebhookConfiguration", "webhooks"),
    ("io.k8s.api.admissionregistration.v1.WebhookClientConfig", "caBundle"),
    ("io.k8s.api.autoscaling.v2.HPAScalingRules", "policies"),
    ("io.k8s.api.batch.v1.PodFailurePolicyRule", "onPodConditions"),
    ("io.k8s.api.batch.v1.UncountedTerminatedPods", "failed"),
    ("io.k8s.api.batch.v1.UncountedTerminatedPods", "succeeded"),
    ("io.k8s.api.core.v1.CSIPersistentVolumeSource", "volumeAttributes"),
    ("io.k8s.api.core.v1.EphemeralContainer", "ports"),
    ("io.k8s.api.core.v1.EphemeralContainer", "resizePolicy"),
    ("io.k8s.api.core.v1.EphemeralContainer", "restartPolicyRules"),
    ("io.k8s.api.core.v1.HTTPGetAction", "httpHeaders"),
    ("io.k8s.api.core.v1.NodeAffinity", "preferredDuringSchedulingIgnoredDuringExecution"),
    ("io.k8s.api.core.v1.NodeSelectorRequirement", "values"),
    ("io.k8s.api.core.v1.NodeSelectorTerm", "matchExpressions"),
    ("io.k8s.api.core.v1.NodeSelectorTerm", "matchFields"),
    ("io.k8s.api.core.v1.PersistentVolumeClaimSpec", "accessModes"),
    ("io.k8s.api.core.v1.PersistentVolumeSpec", "capacity"),
    ("io.k8s.api.core.v1.PodAffinity", "preferredDuringSchedulingIgnoredDuringExecution"),
    ("io.k8s.api.core.v1.PodAffinity", "requiredDuringSchedulingIgnoredDuringExecution"),
    ("io.k8s.api.core.v1.PodAffinityTerm", "matchLabelKeys"),
    ("io.k8s.api.core.v1.PodAffinityTerm", "mismatchLabelKeys"),
    ("io.k8s.api.core.v1.PodAffinityTerm", "namespaces"),
    ("io.k8s.api.core.v1.PodAntiAffinity", "preferredDuringSchedulingIgnoredDuringExecution"),
    ("io.k8s.api.core.v1.PodAntiAffinity", "requiredDuringSchedulingIgnoredDuringExecution"),
    ("io.k8s.api.core.v1.PodSpec", "hostAliases"),
    ("io.k8s.api.core.v1.PodStatus", "resourceClaimStatuses"),
    ("io.k8s.api.core.v1.ResourceQuotaSpec", "scopes"),
    ("io.k8s.api.core.v1.VolumeResourceRequirements", "limits"),
    ("io.k8s.api.core.v1.VolumeResourceRequirements", "requests"),
    ("io.k8s.api.networking.v1.IPBlock", "except"),
    ("io.k8s.api.networking.v1.IngressSpec", "rules"),
    ("io.k8s.api.networking.v1.NetworkPolicyEgressRule", "ports"),
    ("io.k8s.api.networking.v1.NetworkPolicyEgressRule", "to"),
    ("io.k8s.api.networking.v1.NetworkPolicyIngressRule", "from"),
    ("io.k8s.api.networking.v1.NetworkPolicyIngressRule", "ports"),
    ("io.k8s.api.networking.v1.NetworkPolicySpec", "egress"),
    ("io.k8s.api.networking.v1.NetworkPolicySpec", "ingress"),
    ("io.k8s.api.resource.v1.CapacityRequirements", "requests"),
    ("io.k8s.api.resource.v1.DeviceClaim", "config"),
    ("io.k8s.api.resource.v1.DeviceClaim", "constraints"),
    ("io.k8s.api.resource.v1.DeviceClaim", "requests"),
    ("io.k8s.api.resource.v1.DeviceClaimConfiguration", "requests"),
    ("io.k8s.api.resource.v1.DeviceConstraint", "requests"),
    ("io.k8s.api.resource.v1.DeviceRequest", "firstAvailable"),
    ("io.k8s.api.resource.v1.DeviceSubRequest", "selectors"),
    ("io.k8s.api.resource.v1.DeviceSubRequest", "tolerations"),
    ("io.k8s.api.resource.v1.ExactDeviceRequest", "selectors"),
    ("io.k8s.api.resource.v1.ExactDeviceRequest", "tolerations"),
    ("io.k8s.api.resource.v1.ResourceSliceSpec", "devices"),
    ("io.k8s.api.resource.v1.ResourceSliceSpec", "sharedCounters"),
    ("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps", "allOf"),
    ("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps", "anyOf"),
    ("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps", "definitions"),
    ("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps", "dependencies"),
    ("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps", "enum"),
    ("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps", "oneOf"),
    ("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps", "patternProperties"),
    ("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps", "properties"),
    ("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps", "required"),
    ("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps", "x-kubernetes-list-map-keys"),
    ("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps", "x-kubernetes-validations"),
    ("io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector", "matchExpressions"),
    ("io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector", "matchLabels"),
    ("io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelectorRequirement", "values"),
];

/// Has explicit empty lists kept where a rule tells them from absent ones. Elsewhere they are gone when a body is read, as
/// they are from what clients are shown.
pub(crate) fn tell_empty(types: &mut Types) {
    for (name, field) in TOLD_EMPTY {
        types.tell_empty(name, field);
    }
}

/// Which types have defaults somewhere below them, so that the walk enters nothing in vain.
#[derive(Debug)]
pub struct Defaults {
    below: Vec<bool>,
}

impl Defaults {
    /// Looks through the types once.
    pub fn of(types: &Types) -> Self {
        let mut below: Vec<bool> = types.iter().map(|(_, of)| of.fields.iter().any(|f| f.default.is_some())).collect();
        loop {
            let before = below.clone();
            for (id, of) in types.iter() {
                let reaches = of.fields.iter().filter_map(|f| struct_in(&f.kind)).any(|inner| before[inner.0 as usize]);
                below[id.0 as usize] |= reaches;
            }
            if below == before {
                return Self { below };
            }
        }
    }

    /// Fills in what is missing in an object of this type.
    pub fn apply(&self, types: &Types, ty: TypeId, object: &mut Value) {
        let Some(map) = object.as_object_mut() else { return };
        if !self.below[ty.0 as usize] {
            return;
        }
        let hooked = HOOKED.contains(&types[ty].go_name);
        for field in &types[ty].fields {
            if let Some(default) = field.default.as_ref().filter(|_| !hooked)
                && is_missing(field, map.get(field.json))
            {
                map.insert(field.json.to_owned(), default.clone());
            }
            self.descend(types, field, map);
        }
    }

    fn descend(&self, types: &Types, field: &Field, map: &mut Map) {
        let Some(inner) = struct_in(&field.kind).filter(|inner| self.below[inner.0 as usize]) else { return };
        match map.get_mut(field.json) {
            Some(Value::Null) | None => {
                // Go holds the struct by value: it is there, with zero fields, even when JSON leaves it out.
                if matches!(field.kind, Kind::Struct(_)) && !field.pointer {
                    let mut made = Value::Object(Map::new());
                    self.apply(types, inner, &mut made);
                    if made.as_object().is_some_and(|m| !m.is_empty()) {
                        map.insert(field.json.to_owned(), made);
                    }
                }
            }
            Some(value) => self.elements(types, &field.kind, inner, value),
        }
    }

    fn elements(&self, types: &Types, kind: &Kind, inner: TypeId, value: &mut Value) {
        match (kind, value) {
            (Kind::List(kind), Value::Array(items)) => items.iter_mut().for_each(|item| self.elements(types, kind, inner, item)),
            (Kind::Map(kind), Value::Object(map)) => map.values_mut().for_each(|item| self.elements(types, kind, inner, item)),
            (Kind::Struct(_), value) => self.apply(types, inner, value),
            _ => {}
        }
    }
}

fn struct_in(kind: &Kind) -> Option<TypeId> {
    match kind {
        Kind::Struct(id) => Some(*id),
        Kind::List(inner) | Kind::Map(inner) => struct_in(inner),
        _ => None,
    }
}

/// Upstream's functions ask for nil where there is a pointer, for the zero value where there is none, and for no elements.
fn is_missing(field: &Field, value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::Array(items)) => items.is_empty(),
        Some(_) if field.pointer => false,
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Bool(yes)) => !yes,
        Some(Value::Number(number)) => number.as_f64() == Some(0.0),
        Some(Value::Object(map)) => map.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use crate::Catalog;

    fn defaulted(api_version: &str, kind: &str, mut object: model::Value) -> model::Value {
        let catalog = Catalog::builtin().expect("tables");
        let ty = catalog.types.of_kind(api_version, kind).expect("kind");
        catalog.defaults.apply(&catalog.types, ty, &mut object);
        object
    }

    #[test]
    fn a_pod_gets_what_every_pod_gets() {
        let pod = defaulted(
            "v1",
            "Pod",
            json!({"spec": {"containers": [{"name": "a", "ports": [{"containerPort": 80}], "livenessProbe": {"httpGet": {"port": 1}, "periodSeconds": 0}}]}}),
        );
        let container = &pod["spec"]["containers"][0];
        assert_eq!(pod["spec"]["restartPolicy"], "Always");
        assert_eq!(pod["spec"]["terminationGracePeriodSeconds"], 30);
        assert_eq!(pod["spec"]["securityContext"], json!({}));
        assert_eq!(container["ports"][0]["protocol"], "TCP");
        assert_eq!(container["terminationMessagePath"], "/dev/termination-log");
        assert_eq!(
            container["livenessProbe"],
            json!({"httpGet": {"port": 1, "path": "/", "scheme": "HTTP"}, "periodSeconds": 10, "timeoutSeconds": 1, "successThreshold": 1, "failureThreshold": 3})
        );
    }

    #[test]
    fn a_struct_held_by_value_is_defaulted_though_absent() {
        let deployment = defaulted("apps/v1", "Deployment", json!({"spec": {"replicas": 0}}));
        assert_eq!(deployment["spec"]["strategy"]["type"], "RollingUpdate");
        assert_eq!(deployment["spec"]["replicas"], 0, "a pointer to zero is a value");
        assert_eq!(deployment["spec"]["template"]["spec"]["dnsPolicy"], "ClusterFirst");
    }

    #[test]
    fn empty_lists_are_told_where_a_rule_asks_for_them() {
        let types = Catalog::builtin().expect("tables").types;
        for (name, field) in super::TOLD_EMPTY {
            let of = types.by_name(name).expect(name);
            assert!(types[of].field(field).expect(field).tells_empty, "{name} {field}");
        }
    }

    #[test]
    fn what_is_given_stays() {
        let service = defaulted("v1", "Service", json!({"spec": {"type": "NodePort", "ports": [{"protocol": "UDP"}]}}));
        assert_eq!(service["spec"]["type"], "NodePort");
        assert_eq!(service["spec"]["ports"][0]["protocol"], "UDP");
        let map = defaulted("v1", "ConfigMap", json!({"data": {"a": "b"}}));
        assert_eq!(map, json!({"data": {"a": "b"}}));
    }
}
