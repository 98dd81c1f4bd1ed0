//! The volumes of a pod: names, one source each, and which source it is. The sources themselves are in `sources`, `projected`.
//! Follows `ValidateVolumes` and `validateVolumeSource`, paths included where they differ from the field's name.

use model::Value;
use model::field::{Errors, Path, quote};
use model::name;
use model::quantity::Quantity;

use super::super::rules::{get, text};
use super::{Scope, files, projected, sources};

type Check = fn(&Value, &Scope<'_>, &Path, &mut Errors);

/// Field, its name when it is one source too many, its name when it is checked, the check; in upstream's order.
const SOURCES: &[(&str, &str, &str, Check)] = &[
    ("emptyDir", "emptyDir", "emptyDir", empty_dir),
    ("hostPath", "hostPath", "hostPath", sources::host_path),
    ("gitRepo", "gitRepo", "gitRepo", sources::git_repo),
    ("gcePersistentDisk", "gcePersistentDisk", "persistentDisk", sources::gce_persistent_disk),
    ("awsElasticBlockStore", "awsElasticBlockStore", "awsElasticBlockStore", sources::aws_elastic_block_store),
    ("secret", "secret", "secret", files::secret),
    ("nfs", "nfs", "nfs", sources::nfs),
    ("iscsi", "iscsi", "iscsi", sources::iscsi),
    ("glusterfs", "glusterfs", "glusterfs", sources::glusterfs),
    ("flocker", "flocker", "flocker", sources::flocker),
    ("persistentVolumeClaim", "persistentVolumeClaim", "persistentVolumeClaim", sources::persistent_volume_claim),
    ("rbd", "rbd", "rbd", sources::rbd),
    ("cinder", "cinder", "cinder", sources::cinder),
    ("cephfs", "cephFS", "cephfs", sources::cephfs),
    ("quobyte", "quobyte", "quobyte", sources::quobyte),
    ("downwardAPI", "downwarAPI", "downwardAPI", files::downward_api),
    ("fc", "fc", "fc", sources::fc),
    ("flexVolume", "flexVolume", "flexVolume", sources::flex_volume),
    ("configMap", "configMap", "configMap", files::config_map),
    ("azureFile", "azureFile", "azureFile", sources::azure_file),
    ("vsphereVolume", "vsphereVolume", "vsphereVolume", sources::vsphere_volume),
    ("photonPersistentDisk", "photonPersistentDisk", "photonPersistentDisk", sources::photon_persistent_disk),
    ("portworxVolume", "portworxVolume", "portworxVolume", sources::portworx_volume),
    ("azureDisk", "azureDisk", "azureDisk", sources::azure_disk),
    ("storageos", "storageos", "storageos", sources::storage_os),
    ("projected", "projected", "projected", projected::validate),
    ("scaleIO", "scaleIO", "scaleIO", sources::scale_io),
    ("csi", "csi", "csi", sources::csi),
    ("ephemeral", "ephemeral", "ephemeral", sources::ephemeral),
    ("image", "image", "image", sources::image),
];

/// `ValidateVolumes`; volumes without errors become known to the scope, for containers to mount.
pub(super) fn validate<'a>(spec: &'a Value, scope: &mut Scope<'a>, path: &Path, errors: &mut Errors) {
    let path = path.child("volumes");
    let volumes = get::list(spec, "volumes");
    for (i, volume) in volumes.iter().enumerate() {
        let path = path.index(i);
        let name = get::text(volume, "name");
        let before = errors.0.len();
        source(volume, name, scope, &path, errors);
        if name.is_empty() {
            errors.required(&path.child("name"), "");
        } else {
            text::dns_label(name, &path.child("name"), errors);
        }
        if scope.volume(name).is_some() {
            errors.duplicate(&path.child("name"), name);
        }
        if errors.0.len() == before {
            scope.volumes.push((name, volume));
        }
        created_claim(volume, volumes, scope, &path, errors);
    }
}

/// A claim that this pod's own ephemeral volumes will make must not be named by another of its volumes.
fn created_claim(volume: &Value, volumes: &[Value], scope: &Scope<'_>, path: &Path, errors: &mut Errors) {
    let (Some(claim), Some(pod)) = (get::object(volume, "persistentVolumeClaim"), scope.pod_name) else { return };
    let name = get::text(claim, "claimName");
    let created = name.strip_prefix(pod).and_then(|rest| rest.strip_prefix('-')).is_some_and(|rest| {
        volumes.iter().any(|other| get::object(other, "ephemeral").is_some() && get::text(other, "name") == rest)
    });
    if created {
        errors.invalid(
            &path.child("persistentVolumeClaim.claimName"),
            name,
            "must not reference a PVC that gets created for an ephemeral volume",
        );
    }
}

fn source(volume: &Value, name: &str, scope: &Scope<'_>, path: &Path, errors: &mut Errors) {
    let mut found = false;
    for (field, surplus, checked, check) in SOURCES {
        let Some(source) = get::object(volume, field) else { continue };
        if found {
            errors.forbidden(&path.child(surplus), "may not specify more than 1 volume type");
        } else {
            check(source, scope, &path.child(checked), errors);
            if *field == "ephemeral" {
                ephemeral_claim_name(name, scope, path, errors);
            }
        }
        if *field == "iscsi" {
            iscsi_name(source, name, path, errors);
        }
        found = true;
    }
    if !found {
        errors.required(path, "must specify a volume type");
    }
}

fn iscsi_name(source: &Value, name: &str, path: &Path, errors: &mut Errors) {
    /// What an initiator's name leaves for `<volume name>:<portal>`, in bytes.
    const NAME_AND_PORTAL_BYTES_MAX: usize = 64;
    if get::string(source, "initiatorName").is_some()
        && name.len() + 1 + get::text(source, "targetPortal").len() > NAME_AND_PORTAL_BYTES_MAX
    {
        errors.invalid(
            &path.child("name"),
            name,
            "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.",
        );
    }
}

fn ephemeral_claim_name(volume: &str, scope: &Scope<'_>, path: &Path, errors: &mut Errors) {
    let Some(pod) = scope.pod_name.filter(|_| !volume.is_empty()) else { return };
    let claim = format!("{pod}-{volume}");
    for message in name::is_dns1123_subdomain(&claim) {
        errors.invalid(&path.child("name"), volume, format!("PVC name {}: {message}", quote(&claim)));
    }
}

fn empty_dir(source: &Value, _: &Scope<'_>, path: &Path, errors: &mut Errors) {
    let limit = get::string(source, "sizeLimit").and_then(|limit| Quantity::parse(limit).ok());
    if limit.is_some_and(|limit| limit.sign() < 0) {
        errors.forbidden(&path.child("sizeLimit"), "SizeLimit field must be a valid resource quantity");
    }
}
