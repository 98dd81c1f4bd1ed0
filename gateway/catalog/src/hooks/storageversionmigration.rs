//! StorageVersionMigration. Upstream: `pkg/apis/storagemigration/validation`.

use model::Value;
use model::field::{Errors, Path};
use model::name;

use super::Hooks;
use super::rules::{condition, get, internal, number};

pub(super) const HOOKS: Hooks = Hooks {
    validate: Some(validate),
    validate_update: Some(|new, old, errors| {
        validate(new, errors);
        number::immutable_value(new, old, "spec", internal::MIGRATION, &Path::default(), errors);
    }),
    validate_status: Some(validate_status),
    ..Hooks::NONE
};

fn validate(migration: &Value, errors: &mut Errors) {
    let (resource, path) = (get::at(migration, "spec.resource"), Path::new("spec.resource"));
    let joined = |value: &str, wrong: Vec<String>, path: &Path, errors: &mut Errors| {
        if !wrong.is_empty() {
            errors.invalid(path, value, wrong.join(","));
        }
    };
    let plural = get::text(resource, "resource");
    if plural.is_empty() {
        errors.required(&path.child("resource"), "resource is required to be set");
    } else {
        joined(plural, name::is_dns1035_label(plural), &path.child("resource"), errors);
    }
    let group = get::text(resource, "group");
    if !group.is_empty() {
        joined(group, name::is_dns1123_subdomain(group), &path.child("group"), errors);
    }
}

fn validate_status(new: &Value, old: &Value, errors: &mut Errors) {
    let (status, before, path) = (get::at(new, "status"), get::at(old, "status"), Path::new("status"));
    let (revision, earlier) = (get::text(status, "resourceVersion"), get::text(before, "resourceVersion"));
    let at = path.child("resourceVersion");
    if let Some(why) = wrong_revision(revision).filter(|_| !revision.is_empty()) {
        errors.invalid(&at, revision, why);
    }
    condition::conditions(status, "conditions", &path, errors);
    if !earlier.is_empty() && earlier != revision {
        errors.invalid(&at, revision, number::IMMUTABLE);
    }
    let holds = |status: &Value, kind: &str| {
        let mut conditions = get::list(status, "conditions").iter();
        conditions.find(|c| get::text(c, "type") == kind).is_some_and(|c| get::text(c, "status") == "True")
    };
    let at = path.child("conditions");
    let mut refuse = |why: &str| errors.invalid(&at, get::raw(status, "conditions"), why);
    if holds(status, "Succeeded") && holds(status, "Failed") {
        refuse("Both success and failed conditions cannot be true at the same time");
    }
    for (kind, word) in [("Succeeded", "Success"), ("Failed", "Failed")] {
        if holds(before, kind) && !holds(status, kind) {
            refuse(&format!("{word} condition cannot be set to false once it is true"));
        }
    }
}

/// `CompareResourceVersion` of a revision with itself.
fn wrong_revision(revision: &str) -> Option<String> {
    let digits = !revision.is_empty() && revision.bytes().all(|b| b.is_ascii_digit());
    let fits = digits && !revision.starts_with('0');
    (!fits).then(|| format!("resource version is not well formed: {revision}"))
}
