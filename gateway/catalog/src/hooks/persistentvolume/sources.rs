//! Where the bytes of a volume lie: exactly one source. Most are judged as those of pods are (`podspec::sources`); those that
//! name a secret or a namespace are the volume's own. Follows `validate<Kind>PersistentVolumeSource`.

use model::Value;
use model::field::{Errors, Path};
use model::name::inclusive_range_error;

use super::spec::Place;
use crate::hooks::podspec::{Options, Scope, sources as pod};
use crate::hooks::rules::{get, path as paths, text};

type Rule = fn(&Value, &Scope<'_>, &Path, &mut Errors);

/// Field, its name where a second source is refused, its name where it is judged, the rule; in upstream's order.
const SOURCES: &[(&str, &str, &str, Rule)] = &[
    ("hostPath", "hostPath", "hostPath", pod::host_path),
    ("gcePersistentDisk", "gcePersistentDisk", "persistentDisk", pod::gce_persistent_disk),
    ("awsElasticBlockStore", "awsElasticBlockStore", "awsElasticBlockStore", pod::aws_elastic_block_store),
    ("glusterfs", "glusterfs", "glusterfs", glusterfs),
    ("flocker", "flocker", "flocker", pod::flocker),
    ("nfs", "nfs", "nfs", pod::nfs),
    ("rbd", "rbd", "rbd", pod::rbd),
    ("quobyte", "quobyte", "quobyte", pod::quobyte),
    ("cephfs", "cephFS", "cephfs", pod::cephfs),
    ("iscsi", "iscsi", "iscsi", iscsi),
    ("cinder", "cinder", "cinder", cinder),
    ("fc", "fc", "fc", pod::fc),
    ("flexVolume", "", "flexVolume", pod::flex_volume),
    ("azureFile", "azureFile", "azureFile", azure_file),
    ("vsphereVolume", "vsphereVolume", "vsphereVolume", pod::vsphere_volume),
    ("photonPersistentDisk", "photonPersistentDisk", "photonPersistentDisk", pod::photon_persistent_disk),
    ("portworxVolume", "portworxVolume", "portworxVolume", pod::portworx_volume),
    ("azureDisk", "azureDisk", "azureDisk", pod::azure_disk),
    ("scaleIO", "scaleIO", "scaleIO", pod::scale_io),
    ("local", "local", "local", local),
    ("storageos", "storageos", "storageos", storage_os),
    ("csi", "csi", "csi", csi),
];

/// Judges the sources of a spec.
pub(super) fn validate(spec: &Value, place: Place<'_>, path: &Path, errors: &mut Errors) {
    let options = Options::default();
    let name = match place {
        Place::Volume { name, .. } => name,
        Place::Inline => "",
    };
    let scope = Scope::alone(&options, name);
    let mut found = false;
    for (field, refused, judged, rule) in SOURCES {
        let Some(source) = get::object(spec, field) else { continue };
        // Upstream forgets to refuse a flexVolume that comes second.
        if found && !refused.is_empty() {
            errors.forbidden(&path.child(refused), "may not specify more than 1 volume type");
            continue;
        }
        found = true;
        rule(source, &scope, &path.child(judged), errors);
        let bound = matches!(place, Place::Volume { .. }) && spec.get("nodeAffinity").is_some();
        if *field == "local" && !bound {
            errors.required(&path.child("nodeAffinity"), "Local volume requires node affinity");
        }
    }
    if !found {
        errors.required(path, "must specify a volume type");
    }
}

/// The sources of a spec as they are compared with the stored one's, where a secret for growing may be named later.
pub(super) fn of(spec: &Value, stored: &Value) -> Value {
    const SECRET: &str = "controllerExpandSecretRef";
    let given = SOURCES.iter().filter_map(|(field, ..)| Some(((*field).to_owned(), get::object(spec, field)?.clone())));
    let mut all = Value::Object(given.collect());
    if let (Some(csi), Some(was)) = (all.get_mut("csi"), get::object(stored, "csi"))
        && was.get(SECRET).is_none()
    {
        get::remove(csi, SECRET);
    }
    all
}

fn required(source: &Value, fields: &[&str], path: &Path, errors: &mut Errors) {
    for field in fields {
        text::required(get::text(source, field), &path.child(field), errors);
    }
}

/// A secret in any namespace, of which only the names' presence is judged.
fn secret(source: &Value, path: &Path, errors: &mut Errors) {
    if let Some(secret) = get::object(source, "secretRef") {
        required(secret, &["name", "namespace"], &path.child("secretRef"), errors);
    }
}

fn glusterfs(source: &Value, scope: &Scope<'_>, path: &Path, errors: &mut Errors) {
    pod::glusterfs(source, scope, path, errors);
    let path = path.child("endpointsNamespace");
    match get::string(source, "endpointsNamespace") {
        None => {}
        Some("") => errors.invalid(&path, "", "if the endpointnamespace is set, it must be a valid namespace name"),
        Some(namespace) => text::dns_label(namespace, &path, errors),
    }
}

fn iscsi(source: &Value, scope: &Scope<'_>, path: &Path, errors: &mut Errors) {
    /// How many bytes the name of the volume and the portal may have together where an initiator is named.
    const SESSION_BYTES_MAX: usize = 64;
    let (portal, iqn) = (get::text(source, "targetPortal"), get::text(source, "iqn"));
    text::required(portal, &path.child("targetPortal"), errors);
    let session = scope.pod_name.unwrap_or("").len() + 1 + portal.len();
    if source.get("initiatorName").is_some() && session > SESSION_BYTES_MAX {
        let why = "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is \
                   specified.";
        errors.invalid(&path.child("targetportal"), portal, why);
    }
    if iqn.is_empty() {
        errors.required(&path.child("iqn"), "");
    } else if !pod::is_iscsi_name(iqn) {
        errors.invalid(&path.child("iqn"), iqn, "must be valid format");
    }
    let lun = get::number(source, "lun");
    if !(0..=255).contains(&lun) {
        errors.invalid(&path.child("lun"), lun, inclusive_range_error(0, 255));
    }
    let secret = get::object(source, "secretRef");
    let chap = get::is(source, "chapAuthDiscovery") || get::is(source, "chapAuthSession");
    if chap && secret.is_none() {
        errors.required(&path.child("secretRef"), "");
    }
    if let Some(secret) = secret {
        text::required(get::text(secret, "name"), &path.child("secretRef.name"), errors);
    }
    if let Some(initiator) = get::string(source, "initiatorName").filter(|initiator| !pod::is_iscsi_name(initiator)) {
        errors.invalid(&path.child("initiatorname"), initiator, "must be valid format");
    }
}

fn cinder(source: &Value, _: &Scope<'_>, path: &Path, errors: &mut Errors) {
    required(source, &["volumeID"], path, errors);
    secret(source, path, errors);
}

fn azure_file(source: &Value, _: &Scope<'_>, path: &Path, errors: &mut Errors) {
    required(source, &["secretName", "shareName"], path, errors);
    if get::string(source, "secretNamespace") == Some("") {
        errors.required(&path.child("secretNamespace"), "");
    }
}

fn local(source: &Value, _: &Scope<'_>, path: &Path, errors: &mut Errors) {
    let target = get::text(source, "path");
    if target.is_empty() {
        return errors.required(&path.child("path"), "");
    }
    paths::no_backsteps(target, &path.child("path"), errors);
}

fn storage_os(source: &Value, _: &Scope<'_>, path: &Path, errors: &mut Errors) {
    let (name, namespace) = (get::text(source, "volumeName"), get::text(source, "volumeNamespace"));
    if name.is_empty() {
        errors.required(&path.child("volumeName"), "");
    } else {
        text::dns_label(name, &path.child("volumeName"), errors);
    }
    if !namespace.is_empty() {
        text::dns_label(namespace, &path.child("volumeNamespace"), errors);
    }
    secret(source, path, errors);
}

fn csi(source: &Value, _: &Scope<'_>, path: &Path, errors: &mut Errors) {
    pod::csi_driver_name(get::text(source, "driver"), &path.child("driver"), errors);
    required(source, &["volumeHandle"], path, errors);
    for field in ["controllerPublishSecretRef", "controllerExpandSecretRef", "nodePublishSecretRef", "nodeExpandSecretRef"] {
        let Some(secret) = get::object(source, field) else { continue };
        let path = path.child(field);
        let (name, namespace) = (get::text(secret, "name"), get::text(secret, "namespace"));
        if name.is_empty() {
            errors.required(&path.child("name"), "");
        } else {
            text::dns_subdomain(name, &path.child("name"), errors);
        }
        if namespace.is_empty() {
            errors.required(&path.child("namespace"), "");
        } else {
            text::dns_label(namespace, &path.child("namespace"), errors);
        }
    }
}
