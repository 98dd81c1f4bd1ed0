//! What must hold for a write besides admission: preconditions, metadata, the kind's own rules.
//! Follows `k8s.io/apiserver/pkg/registry/rest` and `registry/generic/registry/store.go`.

use admission::Notes;
use model::field::{Errors, Fault, Path};
use model::gvk::split_api_version;
use model::name::name_is_path_segment;
use model::{GroupKind, Revision, Status, Value, meta};
use schema::object_meta;

use super::{Absent, Current, Write};
use crate::options::Flavor;
use crate::removal;
use crate::row::Discipline;

/// A new object, and what of it its author may not write. Fails with upstream's 422, and 500 for a revision that cannot be.
pub(super) fn create(write: &Write<'_>, new: &Value, mut errors: Errors, notes: &mut Notes) -> Result<(), Status> {
    let row = write.row;
    if !row.hooks().metadata_last {
        object_meta::validate(new, row.scope(), &|name, prefix| row.name_faults(new, name, prefix), &mut errors);
    }
    if row.qualifies_finalizers() {
        object_meta::validate_kube_finalizers(new, &mut errors);
    }
    if let Some(validate) = row.hooks().validate {
        validate(new, &mut errors);
    }
    row.validate_custom(new, None, &mut errors).into_iter().for_each(|warning| notes.warn(warning));
    if errors.is_empty() {
        object_meta::validate(new, row.scope(), &name_is_path_segment, &mut errors);
    }
    row.declared(new, None, &mut errors)?;
    refuse(write, new, errors)?;
    // It is the store that refuses, which a dry run does not reach; to it, what is no number says nothing.
    let names_revision = || meta::resource_version(new).parse::<Revision>().is_ok_and(|revision| revision != 0);
    if write.absent == Absent::Create && !write.options.dry_run && names_revision() {
        return Err(Status::new(500, "", "resourceVersion should not be set on objects to be created"));
    }
    Ok(())
}

/// A replace that names a uid means that object and no other; a patch that changes it is judged by the rules of metadata.
pub(super) fn uid(write: &Write<'_>, object: &Value, current: &Current) -> Result<(), Status> {
    let (wanted, found) = (meta::uid(object), meta::uid(&current.value));
    if wanted.is_empty() || wanted == found || matches!(write.flavor, Flavor::Patch | Flavor::Apply) {
        return Ok(());
    }
    let key = current.entry.key.as_str();
    // What a dry run is compared with is not yet below the prefix of the storage.
    let key = if write.options.dry_run { key.strip_prefix("/registry").unwrap_or(key) } else { key };
    let unmet = removal::unmet("UID", wanted, found);
    let why = format!(
        "StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: {unmet}"
    );
    Err(Status::conflict(&write.row.group_resource(), &write.name, why))
}

/// A draft that names a revision means that state; one that names none means the latest, where the kind allows it.
pub(super) fn revision(write: &Write<'_>, object: &mut Value, current: &Current) -> Result<(), Status> {
    let resource = write.row.group_resource();
    let wanted = meta::resource_version(object);
    let wanted: Revision = match wanted {
        "" => 0,
        // Upstream answers like this for a revision that is no number.
        text => text.parse().map_err(|_| {
            let error = format!("strconv.ParseUint: parsing {}: invalid syntax", model::field::quote(text));
            Status::new(500, "", error)
        })?,
    };
    if wanted == current.entry.revision {
        return Ok(());
    }
    if wanted != 0 {
        return Err(Status::modified(&resource, &write.name));
    }
    if write.row.allows_unconditional_update() {
        meta::set(object, "resourceVersion", current.entry.revision.to_string());
        return Ok(());
    }
    let mut errors = Errors::new();
    let metadata = Path::new("metadata");
    errors.push(Fault::Invalid, &metadata.child("resourceVersion"), Some(0.into()), "must be specified for an update");
    let kind = GroupKind { group: resource.group.clone(), kind: resource.resource.clone() };
    Err(Status::invalid(&kind, &write.name, &errors))
}

/// The next state of an object, and what of it its author may not write. Fails with upstream's 422.
pub(super) fn update(write: &Write<'_>, new: &Value, old: &Value, mut errors: Errors, notes: &mut Notes) -> Result<(), Status> {
    let row = write.row;
    object_meta::validate(new, row.scope(), &name_is_path_segment, &mut errors);
    object_meta::validate_update(new, old, &mut errors);
    if row.judges_names_again() {
        object_meta::validate_names(new, &|name, prefix| row.name_faults(new, name, prefix), &mut errors);
    }
    if row.qualifies_finalizers() {
        object_meta::validate_kube_finalizers(new, &mut errors);
    }
    row.validate_custom(new, Some(old), &mut errors).into_iter().for_each(|warning| notes.warn(warning));
    let hooks = row.hooks();
    match row.discipline() {
        Discipline::Whole => {
            if let Some(validate) = hooks.validate_update {
                validate(new, old, &mut errors);
            }
        }
        Discipline::Status => {
            if let Some(validate) = hooks.validate_status {
                validate(new, old, &mut errors);
            }
        }
        Discipline::Part => match (row.part(), hooks.validate) {
            (Some(part), _) => (part.validate)(new, old, &mut errors),
            (None, Some(validate)) => validate(new, &mut errors),
            (None, None) => {}
        },
    }
    row.declared(new, Some(old), &mut errors)?;
    refuse(write, new, errors)
}

fn refuse(write: &Write<'_>, object: &Value, mut errors: Errors) -> Result<(), Status> {
    if errors.is_empty() {
        return Ok(());
    }
    // Where upstream sorts out what declarative validation supersedes, it also drops what was said before.
    if !write.row.hooks().tells_again {
        errors.unique();
    }
    let kind = if write.row.is_custom() { said(object) } else { write.row.stored_kind().group_kind() };
    Err(Status::invalid(&kind, meta::name(object), &errors))
}

/// The kind that an object says it is: a custom resource's may be the wrong one.
fn said(object: &Value) -> GroupKind {
    let text = |field: &str| object.get(field).and_then(Value::as_str).unwrap_or("");
    let (group, _) = split_api_version(text("apiVersion"));
    GroupKind { group: group.into(), kind: text("kind").into() }
}
