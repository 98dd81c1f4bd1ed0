//! The code that a few kinds need beside their row: conditional defaults, strategy, validation, allocation, delete.
//! Does not hold what is the same for every kind (the write path), nor unconditional defaults (`data/types.txt`).
//!
//! One file a kind, `hooks/<kind>.rs`, with `pub(super) const HOOKS: Hooks = Hooks { …, ..Hooks::NONE };`, one `mod` line
//! and one line in [`ALL`]. Unless a field says otherwise a hook sees the object in its storage version, in normal form,
//! with `apiVersion` and `kind`.

mod admissionpolicy;
mod admissionpolicybinding;
mod apiservice;
pub mod certificatesigningrequest;
mod clusterrole;
mod clusterrolebinding;
mod clustertrustbundle;
mod configmap;
mod controllerrevision;
mod cronjob;
mod csidriver;
mod csinode;
mod csistoragecapacity;
mod customresourcedefinition;
mod daemonset;
mod deployment;
mod device;
mod deviceclass;
mod devicetaintrule;
mod endpoints;
mod endpointslice;
mod event;
mod flowschema;
mod horizontalpodautoscaler;
mod ingress;
mod ingressclass;
mod ipaddress;
mod job;
mod lease;
mod limitrange;
pub mod namespace;
mod networkpolicy;
mod node;
mod persistentvolume;
mod persistentvolumeclaim;
pub mod pod;
mod pod_template;
mod podcertificaterequest;
mod poddisruptionbudget;
pub(crate) mod podspec;
mod podtemplate;
mod policybinding;
mod policyexception;
mod policymodule;
mod priorityclass;
mod prioritylevelconfiguration;
mod replicaset;
mod replicationcontroller;
mod resourceclaim;
mod resourcequota;
mod resourceslice;
mod role;
mod rolebinding;
pub(crate) mod rules;
mod runtimeclass;
mod secret;
mod service;
mod serviceaccount;
mod servicecidr;
mod statefulset;
mod storageclass;
mod storageversionmigration;
mod volumeattachment;
mod volumeattributesclass;
mod webhookconfiguration;
mod workload;

pub use podspec::allow_privileged;
pub use podspec::tolerations::validate as validate_tolerations;

pub(crate) use rules::internal;
pub use rules::resource::is_extended as is_extended_resource;
pub use service::allocation;

use futures::future::BoxFuture;
use jiff::Timestamp;
use model::field::Errors;
use model::name::Prefix;
use model::{Status, User, Value, World};

/// What a kind does that its row cannot say. Every member that is `None` means "nothing to do".
pub struct Hooks {
    /// Conditional defaults, after the unconditional rows; the object is in the version of the request.
    /// Upstream: `pkg/apis/<group>/<version>/defaults.go`.
    pub default: Option<fn(&mut Value)>,
    /// Defaults that are the time of the request, in its version; before anybody becomes owner of fields.
    pub default_now: Option<fn(&mut Value, now: &str)>,
    /// A default that is another part of the object; after all others.
    pub shared: Option<Shared>,
    /// The rule of `metadata.name`, where the strategy row says that it is the kind's own.
    pub name: Option<OwnName>,
    /// Makes a name of `metadata.generateName`, where that is not done by a random suffix.
    pub generate_name: Option<fn(base: &str) -> String>,
    /// `strategy.PrepareForCreate`, without status reset and generation, which the strategy row does.
    pub prepare_create: Option<fn(&mut Value)>,
    /// What a create says of its author, whatever the client wrote; after `prepare_create`.
    pub author: Option<fn(&mut Value, &User)>,
    /// What upstream's strategies fill in from their clock: after `prepare_create`, and after what a subresource (`old` is
    /// there) prepares.
    pub stamp: Option<Stamp>,
    /// The same for an update of the object itself; after `prepare_update`.
    pub stamp_update: Option<Stamp>,
    /// `strategy.PrepareForUpdate`, likewise.
    pub prepare_update: Option<fn(new: &mut Value, old: &Value)>,
    /// `PrepareForUpdate` of the status strategy, beyond keeping spec and metadata as the reset fields say.
    pub prepare_status: Option<fn(new: &mut Value, old: &Value)>,
    /// What validation of a create or an update asks of whoever writes, before anything else is judged.
    pub permit: Option<Permit>,
    /// The same of the status strategy.
    pub permit_status: Option<Permit>,
    /// `strategy.Validate`, without `metadata`, which the path validates by the strategy row's name rule.
    pub validate: Option<fn(&Value, &mut Errors)>,
    /// `strategy.ValidateUpdate`, without `metadata`; it repeats `validate` where upstream does.
    pub validate_update: Option<fn(new: &Value, old: &Value, &mut Errors)>,
    /// `ValidateUpdate` of the status strategy, without `metadata`.
    pub validate_status: Option<fn(new: &Value, old: &Value, &mut Errors)>,
    /// `WarningsOnCreate` and `WarningsOnUpdate` (with `old`).
    pub warnings: Option<Warnings>,
    /// Said of a new object as its author wrote it, before `prepare_create` makes something else of that.
    pub warnings_unprepared: Option<fn(new: &Value) -> Vec<String>>,
    /// `WarningsOnUpdate` of the status strategy.
    pub warnings_status: Option<fn(new: &Value) -> Vec<String>>,
    /// Said of a delete whose options leave open what becomes of dependants.
    pub warning_unsaid_propagation: Option<&'static str>,
    /// `BeginCreate` and `BeginUpdate`: allocates, after preparing and before the object is judged, by its rules and by
    /// validating admission, which must see what will be stored. Runs anew after a conflict; what the last round began is finished as failed first.
    pub begin: Option<Begin>,
    /// `AfterDelete`: gives back what the object held, once it is gone from the store.
    pub after_delete: Option<AfterDelete>,
    /// Annotations in which the API's version keeps what is a field of upstream's internal type: whole objects have them,
    /// partial metadata and Tables, which upstream makes of the internal type, do not.
    pub field_annotations: &'static [&'static str],
    /// Fields for field selectors, besides `metadata.name` and `metadata.namespace`.
    pub selectable: &'static [Selectable],
    /// Whether field selectors may not even name `metadata.namespace`: upstream's list for the kind lacks it.
    pub selects_no_namespace: bool,
    /// Seconds of grace for a delete, from what was requested; `None` means the object goes at once.
    /// Upstream: `CheckGracefulDelete`.
    pub grace: Option<Grace>,
    /// For a kind that waits for its `spec.finalizers` too: what the delete that marks it changes besides `metadata`.
    pub deleting: Option<fn(&mut Value)>,
    /// For a kind whose first delete only marks it, whatever its options say: what that changes besides the deletion's time.
    pub closing: Option<fn(&mut Value, now: Timestamp)>,
    /// Whether generation counts what the author sent, before `prepare_update` takes some of that away.
    pub counts_unprepared: bool,
    /// Whether generation counts an empty list or map in the place of an absent one.
    pub counts_empty: bool,
    /// Whether what is found twice is told twice: upstream validates the kind by hand alone, and nothing sorts its errors out.
    pub tells_again: bool,
    /// Whether upstream's rules for a new object leave out its metadata, which is then judged only where they find nothing.
    pub metadata_last: bool,
    /// Whether upstream keeps no watch cache of the kind, whose words a get then has from the storage itself.
    pub uncached: bool,
    /// Whether upstream has nobody who deletes an object of the kind that cannot be read, and says so of every such request.
    pub without_unsafe_delete: bool,
    /// Why an object of this name is never deleted by itself; with its whole collection it is, as upstream.
    pub kept: Option<fn(name: &str) -> Option<&'static str>>,
}

impl Hooks {
    /// Nothing at all; what rows alone describe.
    pub const NONE: Hooks = Hooks {
        default: None,
        default_now: None,
        shared: None,
        name: None,
        generate_name: None,
        prepare_create: None,
        author: None,
        stamp: None,
        stamp_update: None,
        prepare_update: None,
        prepare_status: None,
        permit: None,
        permit_status: None,
        validate: None,
        validate_update: None,
        validate_status: None,
        warnings: None,
        warnings_unprepared: None,
        warnings_status: None,
        warning_unsaid_propagation: None,
        begin: None,
        after_delete: None,
        field_annotations: &[],
        selectable: &[],
        selects_no_namespace: false,
        grace: None,
        deleting: None,
        closing: None,
        counts_unprepared: false,
        counts_empty: false,
        tells_again: false,
        metadata_last: false,
        uncached: false,
        without_unsafe_delete: false,
        kept: None,
    };
}

/// A default that is another part of the object. Upstream holds both as one, so that what is added to the other part of a new
/// object is added to this one as well; and fills it in whenever it reads an object.
pub struct Shared {
    /// Fills it in, and says whether it was missing.
    pub fill: fn(&mut Value) -> bool,
    /// Adds what `prepare_create` added to the other part.
    pub join: fn(&mut Value),
}

/// A field that a field selector may name.
pub struct Selectable {
    /// As the selector spells it: `spec.nodeName`.
    pub field: &'static str,
    /// Its value in an object, empty when absent.
    pub value: fn(&Value) -> String,
}

/// What is about to be written, before the put.
pub struct Change<'a> {
    /// The object to be stored; a hook writes what it allocated into it.
    pub new: &'a mut Value,
    /// What is stored now; `None` on create.
    pub old: Option<&'a Value>,
    /// A dry run allocates nothing that stays.
    pub dry_run: bool,
}

/// What a kind's rules can ask about the request around an object.
pub trait Asker {
    /// Who writes.
    fn user(&self) -> &User;
    /// The verb of the request.
    fn verb(&self) -> &str;
    /// The namespace of the request.
    fn namespace(&self) -> &str;
    /// A namespace as it is stored. Fails with the words of a read.
    fn find_namespace(&self, name: &str) -> Result<Value, Status>;
    /// Whether who writes may do something else with the resource of the request as well. Fails with the refusal.
    fn may(&self, asked: &Asked<'_>) -> Result<(), Status>;
    /// Whether who writes may act for a signer of certificates, or for all of its domain.
    fn may_act_for(&self, verb: &str, signer: &str) -> bool;
    /// The second at which the request came, since 1970.
    fn now(&self) -> i64;
}

/// Something that a writer would have to be allowed, though it is no request.
pub struct Asked<'a> {
    /// The verb.
    pub verb: &'a str,
    /// The subresource.
    pub subresource: &'a str,
    /// The namespace, empty for all.
    pub namespace: &'a str,
    /// The name, empty for all.
    pub name: &'a str,
}

/// What is wrong with a name, or with one to which something will be appended, for an object as it is.
pub type OwnName = fn(object: &Value, name: &str, prefix: Prefix) -> Vec<String>;

/// Whether who writes may write this.
pub type Permit = fn(new: &Value, old: Option<&Value>, asker: &dyn Asker, errors: &mut Errors);

/// Says what is allowed but unwise about a new object, or about a change of the old one.
pub type Warnings = fn(new: &Value, old: Option<&Value>) -> Vec<String>;

/// Writes the time of the request, as RFC 3339 has it, into a new object or a new status.
pub type Stamp = fn(new: &mut Value, old: Option<&Value>, now: &str);

/// Seconds of grace that a delete gets, from those requested.
pub type Grace = fn(&Value, requested: Option<i64>) -> Option<i64>;

/// Allocates through the world. Fails with the `Status` that the caller of the request gets.
pub type Begin = for<'a> fn(&'a dyn World, Change<'a>) -> BoxFuture<'a, Result<Begun, Status>>;

/// Releases what a deleted object held.
pub type AfterDelete = for<'a> fn(&'a dyn World, &'a Value) -> BoxFuture<'a, ()>;

/// A last step of a request that began with an allocation. It logs its own failure: the request is decided by then, and
/// the periodic repair gives back what was missed.
pub type Finish = Box<dyn for<'a> FnOnce(&'a dyn World) -> BoxFuture<'a, ()> + Send>;

/// What to do once the outcome of the request is known.
#[derive(Default)]
pub struct Begun {
    /// After the put: releases what the old object held and the new one does not.
    pub on_success: Option<Finish>,
    /// When the request failed after all: releases what was allocated for it.
    pub on_failure: Option<Finish>,
}

/// Group, kind, hooks; sorted by group and kind.
static ALL: &[(&str, &str, &Hooks)] = &[
    ("", "ConfigMap", &configmap::HOOKS),
    ("", "Endpoints", &endpoints::HOOKS),
    ("", "Event", &event::HOOKS),
    ("", "LimitRange", &limitrange::HOOKS),
    ("", "Namespace", &namespace::HOOKS),
    ("", "Node", &node::HOOKS),
    ("", "PersistentVolume", &persistentvolume::HOOKS),
    ("", "PersistentVolumeClaim", &persistentvolumeclaim::HOOKS),
    ("", "Pod", &pod::HOOKS),
    ("", "PodTemplate", &podtemplate::HOOKS),
    ("", "ReplicationController", &replicationcontroller::HOOKS),
    ("", "ResourceQuota", &resourcequota::HOOKS),
    ("", "Secret", &secret::HOOKS),
    ("", "Service", &service::HOOKS),
    ("", "ServiceAccount", &serviceaccount::HOOKS),
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicy", &admissionpolicy::MUTATING),
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding", &admissionpolicybinding::MUTATING),
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration", &webhookconfiguration::HOOKS),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy", &admissionpolicy::VALIDATING),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding", &admissionpolicybinding::VALIDATING),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration", &webhookconfiguration::HOOKS),
    ("apiextensions.k8s.io", "CustomResourceDefinition", &customresourcedefinition::HOOKS),
    ("apiregistration.k8s.io", "APIService", &apiservice::HOOKS),
    ("apps", "ControllerRevision", &controllerrevision::HOOKS),
    ("apps", "DaemonSet", &daemonset::HOOKS),
    ("apps", "Deployment", &deployment::HOOKS),
    ("apps", "ReplicaSet", &replicaset::HOOKS),
    ("apps", "StatefulSet", &statefulset::HOOKS),
    ("autoscaling", "HorizontalPodAutoscaler", &horizontalpodautoscaler::HOOKS),
    ("batch", "CronJob", &cronjob::HOOKS),
    ("batch", "Job", &job::HOOKS),
    ("certificates.k8s.io", "CertificateSigningRequest", &certificatesigningrequest::HOOKS),
    ("certificates.k8s.io", "ClusterTrustBundle", &clustertrustbundle::HOOKS),
    ("certificates.k8s.io", "PodCertificateRequest", &podcertificaterequest::HOOKS),
    ("coordination.k8s.io", "Lease", &lease::HOOKS),
    ("discovery.k8s.io", "EndpointSlice", &endpointslice::HOOKS),
    ("events.k8s.io", "Event", &event::STRICT),
    ("flowcontrol.apiserver.k8s.io", "FlowSchema", &flowschema::HOOKS),
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration", &prioritylevelconfiguration::HOOKS),
    ("networking.k8s.io", "Ingress", &ingress::HOOKS),
    ("networking.k8s.io", "IngressClass", &ingressclass::HOOKS),
    ("networking.k8s.io", "IPAddress", &ipaddress::HOOKS),
    ("networking.k8s.io", "NetworkPolicy", &networkpolicy::HOOKS),
    ("networking.k8s.io", "ServiceCIDR", &servicecidr::HOOKS),
    ("node.k8s.io", "RuntimeClass", &runtimeclass::HOOKS),
    ("policy", "PodDisruptionBudget", &poddisruptionbudget::HOOKS),
    ("policy.gatehouse.dev", "ClusterPolicyBinding", &policybinding::CLUSTER),
    ("policy.gatehouse.dev", "PolicyBinding", &policybinding::NAMESPACED),
    ("policy.gatehouse.dev", "PolicyException", &policyexception::HOOKS),
    ("policy.gatehouse.dev", "PolicyModule", &policymodule::HOOKS),
    ("rbac.authorization.k8s.io", "ClusterRole", &clusterrole::HOOKS),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding", &clusterrolebinding::HOOKS),
    ("rbac.authorization.k8s.io", "Role", &role::HOOKS),
    ("rbac.authorization.k8s.io", "RoleBinding", &rolebinding::HOOKS),
    ("resource.k8s.io", "DeviceClass", &deviceclass::HOOKS),
    ("resource.k8s.io", "DeviceTaintRule", &devicetaintrule::HOOKS),
    ("resource.k8s.io", "ResourceClaim", &resourceclaim::HOOKS),
    ("resource.k8s.io", "ResourceClaimTemplate", &resourceclaim::TEMPLATE),
    ("resource.k8s.io", "ResourceSlice", &resourceslice::HOOKS),
    ("scheduling.k8s.io", "PriorityClass", &priorityclass::HOOKS),
    ("storage.k8s.io", "CSIDriver", &csidriver::HOOKS),
    ("storage.k8s.io", "CSINode", &csinode::HOOKS),
    ("storage.k8s.io", "CSIStorageCapacity", &csistoragecapacity::HOOKS),
    ("storage.k8s.io", "StorageClass", &storageclass::HOOKS),
    ("storage.k8s.io", "VolumeAttachment", &volumeattachment::HOOKS),
    ("storage.k8s.io", "VolumeAttributesClass", &volumeattributesclass::HOOKS),
    ("storagemigration.k8s.io", "StorageVersionMigration", &storageversionmigration::HOOKS),
];

/// The hooks of a kind, [`Hooks::NONE`] for most.
pub fn of(group: &str, kind: &str) -> &'static Hooks {
    static NONE: Hooks = Hooks::NONE;
    ALL.iter().find(|(g, k, _)| *g == group && *k == kind).map_or(&NONE, |(_, _, hooks)| hooks)
}
