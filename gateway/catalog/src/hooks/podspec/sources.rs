//! The sources of volumes that are not made of keys: disks, network file systems, claims, images.
//! Each follows upstream's `validate<Kind>VolumeSource`, with its paths.

use std::sync::LazyLock;

use model::Value;
use model::field::{Errors, Path};
use model::name::inclusive_range_error;
use regex::Regex;

use super::super::rules::labels::{self, Values};
use super::super::rules::path::{local_descending, no_backsteps};
use super::super::rules::{claim, get, text};
use super::{Scope, containers};

const HOST_PATH_TYPES: &[&str] =
    &["", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"];

/// Each of these fields must have text.
fn required(source: &Value, fields: &[&str], path: &Path, errors: &mut Errors) {
    for field in fields {
        text::required(get::text(source, field), &path.child(field), errors);
    }
}

fn required_secret_name(source: &Value, path: &Path, errors: &mut Errors) {
    if let Some(secret) = get::object(source, "secretRef") {
        text::required(get::text(secret, "name"), &path.child("secretRef.name"), errors);
    }
}

pub(crate) fn host_path(source: &Value, _: &Scope<'_>, path: &Path, errors: &mut Errors) {
    let target = get::text(source, "path");
    if target.is_empty() {
        return errors.required(&path.child("path"), "");
    }
    no_backsteps(target, &path.child("path"), errors);
    if let Some(kind) = get::string(source, "type") {
        text::one_of(kind, HOST_PATH_TYPES, &path.child("type"), errors);
    }
}

pub(super) fn git_repo(source: &Value, _: &Scope<'_>, path: &Path, errors: &mut Errors) {
    required(source, &["repository"], path, errors);
    local_descending(get::text(source, "directory"), &path.child("directory"), errors);
}

fn partition(source: &Value, path: &Path, errors: &mut Errors) {
    let partition = get::number(source, "partition");
    if !(0..=255).contains(&partition) {
        errors.invalid(&path.child("partition"), partition, inclusive_range_error(1, 255));
    }
}

pub(crate) fn gce_persistent_disk(source: &Value, _: &Scope<'_>, path: &Path, errors: &mut Errors) {
    required(source, &["pdName"], path, errors);
    partition(source, path, errors);
}

pub(crate) fn aws_elastic_block_store(source: &Value, _: &Scope<'_>, path: &Path, errors: &mut Errors) {
    required(source, &["volumeID"], path, errors);
    partition(source, path, errors);
}

pub(crate) fn nfs(source: &Value, _: &Scope<'_>, path: &Path, errors: &mut Errors) {
    required(source, &["server", "path"], path, errors);
    let target = get::text(source, "path");
    if !target.starts_with('/') {
        errors.invalid(&path.child("path"), target, "must be an absolute path");
    }
}

pub(super) fn iscsi(source: &Value, _: &Scope<'_>, path: &Path, errors: &mut Errors) {
    required(source, &["targetPortal", "iqn"], path, errors);
    let iqn = get::text(source, "iqn");
    if !iqn.is_empty() {
        iscsi_name(iqn, &path.child("iqn"), errors);
    }
    let lun = get::number(source, "lun");
    if !(0..=255).contains(&lun) {
        errors.invalid(&path.child("lun"), lun, inclusive_range_error(0, 255));
    }
    let chap = get::is(source, "chapAuthDiscovery") || get::is(source, "chapAuthSession");
    if chap && get::object(source, "secretRef").is_none() {
        errors.required(&path.child("secretRef"), "");
    }
    if let Some(initiator) = get::string(source, "initiatorName") {
        iscsi_name(initiator, &path.child("initiatorname"), errors);
    }
}

fn iscsi_name(name: &str, path: &Path, errors: &mut Errors) {
    if !["iqn", "eui", "naa"].iter().any(|scheme| name.starts_with(scheme)) {
        errors.invalid(path, name, "must be valid format starting with iqn, eui, or naa");
    } else if !is_iscsi_name(name) {
        errors.invalid(path, name, "must be valid format");
    }
}

/// Whether a name follows one of the three schemes that iSCSI knows.
pub(crate) fn is_iscsi_name(name: &str) -> bool {
    static IQN: LazyLock<Regex> = LazyLock::new(|| pattern(r"iqn\.\d{4}-\d{2}\.([[:alnum:]\-.]+)(:[^,;*&$|\s]+)$"));
    static EUI: LazyLock<Regex> = LazyLock::new(|| pattern("^eui.[[:alnum:]]{16}$"));
    static NAA: LazyLock<Regex> = LazyLock::new(|| pattern("^naa.[[:alnum:]]{32}$"));
    match name.get(..3) {
        Some("iqn") => IQN.is_match(name),
        Some("eui") => EUI.is_match(name),
        Some("naa") => NAA.is_match(name),
        _ => false,
    }
}

/// A constant pattern.
#[allow(clippy::expect_used)]
pub(super) fn pattern(pattern: &str) -> Regex {
    // The patterns are constants of this crate; each is compiled by a test.
    Regex::new(pattern).expect("constant pattern")
}

pub(crate) fn glusterfs(source: &Value, _: &Scope<'_>, path: &Path, errors: &mut Errors) {
    required(source, &["endpoints", "path"], path, errors);
}

pub(crate) fn flocker(source: &Value, _: &Scope<'_>, path: &Path, errors: &mut Errors) {
    let (name, id) = (get::text(source, "datasetName"), get::text(source, "datasetUUID"));
    if name.is_empty() && id.is_empty() {
        errors.required(path, "one of datasetName and datasetUUID is required");
    }
    if !name.is_empty() && !id.is_empty() {
        errors.invalid(path, "resource", "datasetName and datasetUUID can not be specified simultaneously");
    }
    if name.contains('/') {
        errors.invalid(&path.child("datasetName"), name, "must not contain '/'");
    }
}

pub(super) fn persistent_volume_claim(source: &Value, _: &Scope<'_>, path: &Path, errors: &mut Errors) {
    required(source, &["claimName"], path, errors);
}

fn required_list(source: &Value, field: &str, path: &Path, errors: &mut Errors) {
    if get::list(source, field).is_empty() {
        errors.required(&path.child(field), "");
    }
}

pub(crate) fn rbd(source: &Value, _: &Scope<'_>, path: &Path, errors: &mut Errors) {
    required_list(source, "monitors", path, errors);
    required(source, &["image"], path, errors);
}

pub(super) fn cinder(source: &Value, _: &Scope<'_>, path: &Path, errors: &mut Errors) {
    required(source, &["volumeID"], path, errors);
    required_secret_name(source, path, errors);
}

pub(crate) fn cephfs(source: &Value, _: &Scope<'_>, path: &Path, errors: &mut Errors) {
    required_list(source, "monitors", path, errors);
}

pub(crate) fn quobyte(source: &Value, _: &Scope<'_>, path: &Path, errors: &mut Errors) {
    const PAIRS: &str = "must be a host:port pair or multiple pairs separated by commas";
    /// Length in bytes from which a tenant cannot be a UUID.
    const TENANT_BYTES: usize = 65;
    let registry = get::text(source, "registry");
    if registry.is_empty() {
        errors.required(&path.child("registry"), PAIRS);
    } else if get::text(source, "tenant").len() >= TENANT_BYTES {
        errors.required(&path.child("tenant"), "must be a UUID and may not exceed a length of 64 characters");
    } else {
        for _ in registry.split(',').filter(|pair| !is_host_port(pair)) {
            errors.invalid(&path.child("registry"), registry, PAIRS);
        }
    }
    required(source, &["volume"], path, errors);
}

/// What Go's `net.SplitHostPort` accepts.
fn is_host_port(pair: &str) -> bool {
    let Some((host, port)) = pair.rsplit_once(':') else { return false };
    let bare = match host.strip_prefix('[') {
        Some(rest) => match rest.strip_suffix(']') {
            Some(inner) => return !inner.contains(['[', ']']) && !port.contains(['[', ']']),
            None => return false,
        },
        None => host,
    };
    !bare.contains([':', '[', ']']) && !port.contains(['[', ']'])
}

pub(crate) fn fc(source: &Value, _: &Scope<'_>, path: &Path, errors: &mut Errors) {
    let (targets, ids) = (get::list(source, "targetWWNs"), get::list(source, "wwids"));
    if targets.is_empty() && ids.is_empty() {
        errors.required(&path.child("targetWWNs"), "must specify either targetWWNs or wwids, but not both");
    }
    if !targets.is_empty() && !ids.is_empty() {
        errors.invalid(&path.child("targetWWNs"), targets.to_vec(), "targetWWNs and wwids can not be specified simultaneously");
    }
    if !targets.is_empty() {
        match get::int(source, "lun") {
            None => errors.required(&path.child("lun"), "lun is required if targetWWNs is specified"),
            Some(lun) if !(0..=255).contains(&lun) => errors.invalid(&path.child("lun"), lun, inclusive_range_error(0, 255)),
            Some(_) => {}
        }
    }
}

pub(crate) fn flex_volume(source: &Value, _: &Scope<'_>, path: &Path, errors: &mut Errors) {
    required(source, &["driver"], path, errors);
    let options = path.child("options");
    for (key, _) in get::pairs(source, "options") {
        let namespace = format!(".{}", key.split_once('/').map_or(key, |(namespace, _)| namespace).to_lowercase());
        if namespace.ends_with(".kubernetes.io") || namespace.ends_with(".k8s.io") {
            errors.invalid(&options.key(key), key, "kubernetes.io and k8s.io namespaces are reserved");
        }
    }
}

pub(super) fn azure_file(source: &Value, _: &Scope<'_>, path: &Path, errors: &mut Errors) {
    required(source, &["secretName", "shareName"], path, errors);
}

pub(crate) fn azure_disk(source: &Value, _: &Scope<'_>, path: &Path, errors: &mut Errors) {
    const MANAGED: &[&str] = &["/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}"];
    const BLOB: &[&str] = &["https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"];
    required(source, &["diskName", "diskURI"], path, errors);
    if let Some(mode) = get::string(source, "cachingMode") {
        text::one_of(mode, &["None", "ReadOnly", "ReadWrite"], &path.child("cachingMode"), errors);
    }
    let Some(kind) = get::string(source, "kind") else { return };
    text::one_of(kind, &["Dedicated", "Managed", "Shared"], &path.child("kind"), errors);
    let uri = get::text(source, "diskURI");
    if kind == "Managed" && !uri.starts_with("/subscriptions/") {
        errors.not_supported_plain(&path.child("diskURI"), uri, MANAGED);
    }
    if kind != "Managed" && !uri.starts_with("https://") {
        errors.not_supported_plain(&path.child("diskURI"), uri, BLOB);
    }
}

pub(crate) fn vsphere_volume(source: &Value, _: &Scope<'_>, path: &Path, errors: &mut Errors) {
    required(source, &["volumePath"], path, errors);
}

pub(crate) fn photon_persistent_disk(source: &Value, _: &Scope<'_>, path: &Path, errors: &mut Errors) {
    required(source, &["pdID"], path, errors);
}

pub(crate) fn portworx_volume(source: &Value, _: &Scope<'_>, path: &Path, errors: &mut Errors) {
    required(source, &["volumeID"], path, errors);
}

pub(super) fn storage_os(source: &Value, _: &Scope<'_>, path: &Path, errors: &mut Errors) {
    let name = get::text(source, "volumeName");
    if name.is_empty() {
        errors.required(&path.child("volumeName"), "");
    } else {
        text::dns_label(name, &path.child("volumeName"), errors);
    }
    let namespace = get::text(source, "volumeNamespace");
    if !namespace.is_empty() {
        text::dns_label(namespace, &path.child("volumeNamespace"), errors);
    }
    required_secret_name(source, path, errors);
}

pub(crate) fn scale_io(source: &Value, _: &Scope<'_>, path: &Path, errors: &mut Errors) {
    required(source, &["gateway", "system", "volumeName"], path, errors);
}

pub(super) fn csi(source: &Value, _: &Scope<'_>, path: &Path, errors: &mut Errors) {
    csi_driver_name(get::text(source, "driver"), &path.child("driver"), errors);
    if let Some(secret) = get::object(source, "nodePublishSecretRef") {
        let name = get::text(secret, "name");
        if name.is_empty() {
            errors.required(&path.child("nodePublishSecretRef.name"), "");
        } else {
            text::dns_subdomain(name, &path.child("name"), errors);
        }
    }
}

/// `ValidateCSIDriverName`.
pub(crate) fn csi_driver_name(name: &str, path: &Path, errors: &mut Errors) {
    /// Longest driver name in bytes.
    const NAME_BYTES_MAX: usize = 63;
    if name.is_empty() {
        return errors.required(path, "");
    }
    if name.len() > NAME_BYTES_MAX {
        errors.too_long(path, NAME_BYTES_MAX);
    }
    text::invalid_each(name, model::name::is_dns1123_subdomain(&name.to_lowercase()), path, errors);
}

/// `validateEphemeralVolumeSource`: the claim's template may have labels and annotations, and no other metadata.
pub(super) fn ephemeral(source: &Value, _: &Scope<'_>, path: &Path, errors: &mut Errors) {
    let path = path.child("volumeClaimTemplate");
    let Some(template) = get::object(source, "volumeClaimTemplate") else { return errors.required(&path, "") };
    labels::template_metadata(get::at(template, "metadata"), &path.child("metadata"), errors);
    let options = claim::Options { selector_values: Values::Strict, any_api_group: false };
    claim::spec(get::at(template, "spec"), options, &path.child("spec"), errors);
}

pub(super) fn image(source: &Value, scope: &Scope<'_>, path: &Path, errors: &mut Errors) {
    if !scope.options.empty_image_reference {
        required(source, &["reference"], path, errors);
    }
    containers::pull_policy(source, "pullPolicy", path, errors);
}
