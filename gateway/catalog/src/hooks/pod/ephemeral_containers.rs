//! The `ephemeralcontainers` subresource: containers may be added to a running pod, none changed, none taken away.
//! Follows `podEphemeralContainersStrategy` and `ValidatePodEphemeralContainersUpdate`.

use model::Value;
use model::field::{Errors, Path, quote};

use super::super::podspec::{annotations, drop};
use super::super::rules::{equal, get, internal};
use super::update::{annotation_updates, leniently};
use super::{diff, metadata_and_spec, prepare};

/// `PrepareForUpdate`: everything but the ephemeral containers becomes what it was.
pub fn prepare(new: &mut Value, old: &Value) {
    let added = get::at(new, "spec").get("ephemeralContainers").cloned();
    get::copy(new, old, "spec");
    get::copy(new, old, "status");
    if let Some(spec) = new.get_mut("spec") {
        match added {
            Some(added) => get::set(spec, "ephemeralContainers", added),
            None => get::remove(spec, "ephemeralContainers"),
        }
    }
    drop::disabled(new);
    prepare::keep_metadata(new, old);
}

/// `ValidatePodEphemeralContainersUpdate`, without `metadata`.
pub fn validate(new: &Value, old: &Value, errors: &mut Errors) {
    if get::at(get::at(old, "metadata"), "annotations").get(annotations::MIRROR).is_some() {
        *errors = Errors::new();
        return errors.forbidden(&Path::new(""), "static pods do not support ephemeral containers");
    }
    leniently(new, old, errors, |options, errors| {
        metadata_and_spec(new, options, errors);
        annotation_updates(new, old, options, errors);
    });
    let path = Path::new("spec.ephemeralContainers");
    let containers = get::list(get::at(new, "spec"), "ephemeralContainers");
    for before in get::list(get::at(old, "spec"), "ephemeralContainers") {
        let name = get::text(before, "name");
        // Of several with one name the last counts, as in upstream's map.
        match containers.iter().rev().find(|container| get::text(container, "name") == name) {
            None => errors.forbidden(&path, format!("existing ephemeral containers {} may not be removed\n", quote(name))),
            Some(container) if !equal::structs(before, container) => {
                let shown = |container| internal::show(container, internal::EPHEMERAL_CONTAINER);
                let diff = diff::unified(&shown(before), &shown(container));
                errors.forbidden(&path, format!("existing ephemeral containers {} may not be changed\n{diff}", quote(name)));
            }
            Some(_) => {}
        }
    }
}
