//! The plugins that Kubernetes ships, by name and in upstream's order, and which of them run.
//! Follows `pkg/kubeapiserver/options/plugins.go`. One file a plugin; what differs stands in
//! `conformance/gaps/admission.txt`.

use std::sync::Arc;

use model::{GroupResource, Status, Value, World, meta};

use crate::admissionpolicy::Policies;
use crate::webhook::{Endpoint, Webhooks};
use crate::{Cluster, Plugin, Review};

mod always;
mod always_pull_images;
mod certificate_subject_restriction;
mod default_class;
mod default_toleration_seconds;
mod deny_service_external_ips;
mod event_rate_limit;
mod extended_resource_toleration;
mod image_policy_webhook;
mod limit_pod_hard_anti_affinity_topology;
mod limit_ranger;
mod namespace_exists;
mod namespace_lifecycle;
mod node_declared_features;
mod node_restriction;
mod owner_references_permission_enforcement;
mod persistent_volume_claim_resize;
mod pod_node_selector;
mod pod_resize;
mod pod_security;
mod pod_toleration_restriction;
mod pod_topology_labels;
mod priority;
mod resource_quota;
mod runtime_class;
mod service_account;
mod service_account_secrets;
mod settings;
mod signer_access;
mod storage_object_in_use_protection;
mod taint_nodes_by_condition;
mod tolerations;

pub use settings::Settings;

/// What plugins are made from.
#[derive(Clone)]
pub struct Setup {
    /// Live reads, under the server's own identity.
    pub world: Arc<dyn World>,
    /// The same with what is served and who may do what.
    pub cluster: Cluster,
    /// MutatingAdmissionPolicies.
    pub mutating_policies: Arc<Policies>,
    /// ValidatingAdmissionPolicies.
    pub validating_policies: Arc<Policies>,
    /// Webhooks that are configured.
    pub webhooks: Arc<Webhooks>,
    /// What the file of configurations says.
    pub settings: Settings,
    /// Who judges images.
    pub image_policy: Arc<dyn Endpoint>,
    /// `--default-not-ready-toleration-seconds`.
    pub not_ready_toleration_s: i64,
    /// `--default-unreachable-toleration-seconds`.
    pub unreachable_toleration_s: i64,
}

/// One plugin that the flags may name.
pub struct Row {
    /// Name in `--enable-admission-plugins` and `--disable-admission-plugins`.
    pub name: &'static str,
    /// Whether it runs unless disabled.
    pub default_on: bool,
    /// Makes it; `None` where it has nothing to do: upstream's looks at a kind that is not served.
    make: Option<Make>,
}

type Make = fn(&Setup) -> Box<dyn Plugin>;

const fn row(name: &'static str, default_on: bool, make: Option<Make>) -> Row {
    Row { name, default_on, make }
}

/// Every plugin that upstream knows, in the order in which they run.
pub static ALL: &[Row] = &[
    row("AlwaysAdmit", false, Some(|_| Box::new(always::AlwaysAdmit))),
    row("NamespaceAutoProvision", false, Some(|s| Box::new(namespace_exists::NamespaceAutoProvision(s.world.clone())))),
    row("NamespaceLifecycle", true, Some(|s| Box::new(namespace_lifecycle::NamespaceLifecycle::new(s.world.clone())))),
    row("NamespaceExists", false, Some(|s| Box::new(namespace_exists::NamespaceExists(s.world.clone())))),
    row(
        "LimitPodHardAntiAffinityTopology",
        false,
        Some(|_| Box::new(limit_pod_hard_anti_affinity_topology::LimitPodHardAntiAffinityTopology)),
    ),
    row("LimitRanger", true, Some(|s| Box::new(limit_ranger::LimitRanger::new(s.world.clone())))),
    row("ServiceAccount", true, Some(|s| Box::new(service_account::ServiceAccount::new(s.world.clone())))),
    row("NodeRestriction", false, Some(|s| Box::new(node_restriction::NodeRestriction(s.cluster.clone())))),
    row("TaintNodesByCondition", true, Some(|_| Box::new(taint_nodes_by_condition::TaintNodesByCondition))),
    row("AlwaysPullImages", false, Some(|_| Box::new(always_pull_images::AlwaysPullImages))),
    row(
        "ImagePolicyWebhook",
        false,
        Some(|s| {
            let side = s.image_policy.clone();
            Box::new(image_policy_webhook::ImagePolicyWebhook::new(s.settings.image_policy.clone(), side))
        }),
    ),
    row(
        "PodSecurity",
        true,
        Some(|s| Box::new(pod_security::PodSecurity::new(s.world.clone(), s.settings.pod_security.clone()))),
    ),
    row(
        "PodNodeSelector",
        false,
        Some(|s| Box::new(pod_node_selector::PodNodeSelector::new(s.world.clone(), s.settings.pod_node_selector.clone()))),
    ),
    row("Priority", true, Some(|s| Box::new(priority::Priority::new(s.world.clone())))),
    row("DefaultTolerationSeconds", true, Some(|s| Box::new(default_toleration_seconds::DefaultTolerationSeconds::new(s)))),
    row(
        "PodTolerationRestriction",
        false,
        Some(|s| {
            let configuration = s.settings.pod_toleration_restriction.clone();
            Box::new(pod_toleration_restriction::PodTolerationRestriction::new(s.world.clone(), configuration))
        }),
    ),
    row("EventRateLimit", false, Some(|s| Box::new(event_rate_limit::EventRateLimit::new(&s.settings.event_rate_limit)))),
    row("ExtendedResourceToleration", false, Some(|_| Box::new(extended_resource_toleration::ExtendedResourceToleration))),
    row(
        "DefaultStorageClass",
        true,
        Some(|s| Box::new(default_class::DefaultClass::new(&default_class::STORAGE, s.world.clone()))),
    ),
    row("StorageObjectInUseProtection", true, Some(|_| Box::new(storage_object_in_use_protection::StorageObjectInUseProtection))),
    row("PodGroupProtection", true, None),
    row(
        "OwnerReferencesPermissionEnforcement",
        false,
        Some(|s| Box::new(owner_references_permission_enforcement::OwnerReferencesPermissionEnforcement(s.cluster.clone()))),
    ),
    row(
        "PersistentVolumeClaimResize",
        true,
        Some(|s| Box::new(persistent_volume_claim_resize::PersistentVolumeClaimResize::new(s.world.clone()))),
    ),
    row("RuntimeClass", true, Some(|s| Box::new(runtime_class::RuntimeClass::new(s.world.clone())))),
    row(
        "CertificateApproval",
        true,
        Some(|s| Box::new(signer_access::SignerAccess::new(&signer_access::APPROVAL, s.cluster.authorizer.clone()))),
    ),
    row(
        "CertificateSigning",
        true,
        Some(|s| Box::new(signer_access::SignerAccess::new(&signer_access::SIGNING, s.cluster.authorizer.clone()))),
    ),
    row(
        "ClusterTrustBundleAttest",
        true,
        Some(|s| Box::new(signer_access::SignerAccess::new(&signer_access::ATTEST, s.cluster.authorizer.clone()))),
    ),
    row(
        "CertificateSubjectRestriction",
        true,
        Some(|_| Box::new(certificate_subject_restriction::CertificateSubjectRestriction)),
    ),
    row(
        "DefaultIngressClass",
        true,
        Some(|s| Box::new(default_class::DefaultClass::new(&default_class::INGRESS, s.world.clone()))),
    ),
    row("DenyServiceExternalIPs", false, Some(|_| Box::new(deny_service_external_ips::DenyServiceExternalIPs))),
    row("PodTopologyLabels", true, Some(|s| Box::new(pod_topology_labels::PodTopologyLabels::new(s.world.clone())))),
    row(
        "NodeDeclaredFeatureValidator",
        true,
        Some(|s| Box::new(node_declared_features::NodeDeclaredFeatureValidator::new(s.world.clone()))),
    ),
    row("PodResizeValidator", true, Some(|s| Box::new(pod_resize::PodResizeValidator::new(s.world.clone())))),
    row("MutatingAdmissionPolicy", true, Some(|s| s.mutating_policies.plugin())),
    row("MutatingAdmissionWebhook", true, Some(|s| s.webhooks.mutating_plugin())),
    row("ValidatingAdmissionPolicy", true, Some(|s| s.validating_policies.plugin())),
    row("ValidatingAdmissionWebhook", true, Some(|s| s.webhooks.validating_plugin())),
    row(
        "ResourceQuota",
        true,
        Some(|s| Box::new(resource_quota::ResourceQuota::new(s.world.clone(), s.settings.resource_quota.clone()))),
    ),
    row("AlwaysDeny", false, Some(|_| Box::new(always::AlwaysDeny))),
];

/// A flag names a plugin that cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlagError {
    /// Nobody knows it.
    #[error("admission plugin {0:?} is unknown")]
    Unknown(String),
    /// It is both enabled and disabled.
    #[error("admission plugin {0:?} is in both --enable-admission-plugins and --disable-admission-plugins")]
    Both(String),
}

/// The names of the plugins that run, in order: those on by default and those enabled, without those disabled.
/// Fails when a flag names one that is unknown.
pub fn running(enable: &[String], disable: &[String]) -> Result<Vec<&'static str>, FlagError> {
    Ok(rows(enable, disable)?.map(|row| row.name).collect())
}

/// Those plugins. Fails as `running` does.
pub fn plugins(enable: &[String], disable: &[String], setup: &Setup) -> Result<Vec<Box<dyn Plugin>>, FlagError> {
    Ok(rows(enable, disable)?.filter_map(|row| row.make).map(|make| make(setup)).collect())
}

fn rows(enable: &[String], disable: &[String]) -> Result<impl Iterator<Item = &'static Row>, FlagError> {
    for name in enable.iter().chain(disable) {
        if ALL.iter().all(|row| row.name != name) {
            return Err(FlagError::Unknown(name.clone()));
        }
        if enable.contains(name) && disable.contains(name) {
            return Err(FlagError::Both(name.clone()));
        }
    }
    let runs = |row: &&Row| (row.default_on || enable.iter().any(|n| n == row.name)) && !disable.iter().any(|n| n == row.name);
    Ok(ALL.iter().filter(runs))
}

/// 403 in the words of upstream's `admission.NewForbidden`.
pub(crate) fn forbidden(review: &Review<'_>, object: Option<&Value>, why: impl std::fmt::Display) -> Status {
    Status::forbidden(&group_resource(review), shown_name(review, object), why)
}

/// The name under which a refusal tells of an object that may have none yet.
fn shown_name<'a>(review: &Review<'a>, object: Option<&'a Value>) -> &'a str {
    let text = |field| object.map_or("", |o| meta::text(o, field));
    [review.name, text("name"), text("generateName"), "Unknown"].into_iter().find(|n| !n.is_empty()).unwrap_or_default()
}

fn group_resource(review: &Review<'_>) -> GroupResource {
    GroupResource { group: review.resource.group.clone(), resource: review.resource.resource.clone() }
}

/// Whether an object can have this name at all.
fn is_path_segment(name: &str) -> bool {
    model::name::is_valid_path_segment_name(name).is_empty()
}

fn is(resource: &model::GroupVersionResource, group: &str, plural: &str) -> bool {
    &*resource.group == group && &*resource.resource == plural
}

/// The array at `field` of a map, made when absent; an object of another shape is left alone.
fn list_mut<'a>(map: &'a mut Value, field: &str) -> Option<&'a mut Vec<Value>> {
    let list = map.as_object_mut()?.entry(field).or_insert_with(|| Value::Array(Vec::new()));
    if list.is_null() {
        *list = Value::Array(Vec::new());
    }
    list.as_array_mut()
}

fn items<'a>(map: &'a Value, field: &str) -> &'a [Value] {
    map.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(map: &'a Value, field: &str) -> &'a str {
    map.get(field).and_then(Value::as_str).unwrap_or("")
}

#[cfg(test)]
#[path = "../../model/testing/world.rs"]
pub(crate) mod world;

#[cfg(test)]
mod tests;
