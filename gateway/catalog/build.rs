//! Takes the descriptions that `kubectl explain` shows out of the `k8s-openapi` crate, so that none stands in this
//! repository: a compressed text in OUT_DIR, one line each, `<struct>[ <field>]<tab><description as JSON>`; and those that
//! the columns of Tables share, `<struct>/<field><tab><description as JSON>`, which are few and not compressed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::{env, fs, path};

use flate2::Compression;
use flate2::write::DeflateEncoder;
use k8s_openapi::schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::Value;

/// Says which fields describe columns.
const COLUMNS: &str = "data/columns.txt";

/// Adds the kinds of each module and all that they lead to.
macro_rules! kinds {
    ($generator:ident; $($($module:ident)::+ : $($kind:ident)+;)+) => {
        $({
            use k8s_openapi::$($module)::+ as version;
            $($generator.subschema_for::<version::$kind>();)+
        })+
    };
}

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={COLUMNS}");
    let mut generator = SchemaSettings::draft07().into_generator();
    add_kinds(&mut generator);
    let schemas: BTreeMap<String, Value> = generator.take_definitions(true).into_iter().collect();
    let folder = path::PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    fs::write(folder.join("columns.txt"), columns(&schemas)).expect("OUT_DIR is writable");
    let mut out = DeflateEncoder::new(Vec::new(), Compression::best());
    for (name, schema) in &schemas {
        write(&mut out, name, schema);
        for (field, property) in schema["properties"].as_object().into_iter().flatten() {
            write(&mut out, &format!("{name} {field}"), property);
        }
    }
    let packed = out.finish().expect("memory takes it");
    fs::write(folder.join("descriptions.deflate"), packed).expect("OUT_DIR is writable");
}

fn columns(schemas: &BTreeMap<String, Value>) -> String {
    let table = fs::read_to_string(COLUMNS).expect("the column table is committed");
    let fields: BTreeSet<&str> = table.split_whitespace().filter(|word| word.starts_with("io.k8s.")).collect();
    let line = |key: &&str| {
        let (name, field) = key.split_once('/')?;
        let text = schemas.get(name)?["properties"][field]["description"].as_str()?;
        Some(format!("{key}\t{}\n", Value::from(text)))
    };
    fields.iter().filter_map(line).collect()
}

fn write(out: &mut impl Write, key: &str, schema: &Value) {
    if let Some(text) = schema["description"].as_str() {
        writeln!(out, "{key}\t{}", Value::from(text)).expect("memory takes it");
    }
}

fn add_kinds(generator: &mut SchemaGenerator) {
    kinds! { generator;
        api::admissionregistration::v1: MutatingAdmissionPolicy MutatingAdmissionPolicyBinding MutatingWebhookConfiguration ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding ValidatingWebhookConfiguration;
        api::apps::v1: ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet;
        api::authentication::v1: SelfSubjectReview TokenRequest TokenReview;
        api::authorization::v1: LocalSubjectAccessReview SelfSubjectAccessReview SelfSubjectRulesReview SubjectAccessReview;
        api::autoscaling::v1: HorizontalPodAutoscaler Scale;
        api::autoscaling::v2: HorizontalPodAutoscaler;
        api::batch::v1: CronJob Job;
        api::certificates::v1: CertificateSigningRequest ClusterTrustBundle PodCertificateRequest;
        api::coordination::v1: Lease;
        api::core::v1: Binding ComponentStatus ConfigMap Endpoints Event LimitRange Namespace Node PersistentVolume PersistentVolumeClaim Pod PodTemplate ReplicationController ResourceQuota Secret Service ServiceAccount;
        api::discovery::v1: EndpointSlice;
        api::events::v1: Event;
        api::flowcontrol::v1: FlowSchema PriorityLevelConfiguration;
        api::networking::v1: IPAddress Ingress IngressClass NetworkPolicy ServiceCIDR;
        api::node::v1: RuntimeClass;
        api::policy::v1: Eviction PodDisruptionBudget;
        api::rbac::v1: ClusterRole ClusterRoleBinding Role RoleBinding;
        api::resource::v1: DeviceClass DeviceTaintRule ResourceClaim ResourceClaimTemplate ResourceSlice;
        api::scheduling::v1: PriorityClass;
        api::storage::v1: CSIDriver CSINode CSIStorageCapacity StorageClass VolumeAttachment VolumeAttributesClass;
        api::storagemigration::v1: StorageVersionMigration;
        apiextensions_apiserver::pkg::apis::apiextensions::v1: CustomResourceDefinition;
        apimachinery::pkg::apis::meta::v1: APIGroup APIGroupList APIResourceList APIVersions DeleteOptions Status;
        kube_aggregator::pkg::apis::apiregistration::v1: APIService;
    }
}
