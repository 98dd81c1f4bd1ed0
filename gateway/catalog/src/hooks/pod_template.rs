//! Templates of pods inside workloads: what they all do with them. Follows `ValidatePodTemplateSpec`.
//! Each workload's own rules about its template are in its file.

use model::Value;
use model::field::{Errors, Path};

use super::podspec::options::validate_leniently;
use super::podspec::warnings::Holder;
use super::podspec::{self, Options, annotations, drop, warnings};
use super::rules::{equal, get, internal, labels, text};

/// Conditional defaults of the template at a dotted path.
pub(super) fn default(object: &mut Value, path: &str) {
    if let Some(spec) = at_mut(object, path).and_then(|template| template.get_mut("spec")) {
        podspec::defaults::spec(spec);
    }
}

/// Drops what is off from the template at a dotted path.
pub(super) fn prepare(object: &mut Value, path: &str) {
    if let Some(template) = at_mut(object, path) {
        drop::disabled(template);
    }
}

/// What lies at a dotted path, for writing.
pub(super) fn at_mut<'a>(object: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    path.split('.').try_fold(object, |inner, step| inner.get_mut(step))
}

/// The leniency that the stored template asks for; `None` on create.
pub(super) fn leniently(old: Option<&Value>, errors: &mut Errors, run: impl Fn(&Options, &mut Errors)) {
    match old {
        None => run(&Options::strict(), errors),
        Some(old) => {
            let options = || Options::from_old(get::at(old, "spec"), get::at(old, "metadata"));
            validate_leniently(options, Options::strict(), errors, run);
        }
    }
}

/// `ValidatePodTemplateSpec`.
pub(super) fn validate(template: &Value, options: &Options, path: &Path, errors: &mut Errors) {
    let (metadata, spec) = (get::at(template, "metadata"), get::at(template, "spec"));
    let at = path.child("spec");
    labels::labels(metadata, "labels", path, errors);
    labels::annotations(metadata, "annotations", path, errors);
    annotations::validate(metadata, spec, options.any_deletion_cost, &path.child("annotations"), errors);
    podspec::validate(spec, &Value::Null, options, &at, errors);
    annotations::agree_with_fields(metadata, spec, &at, errors);
    if !get::list(spec, "ephemeralContainers").is_empty() {
        errors.forbidden(&at.child("ephemeralContainers"), "ephemeral containers not allowed in pod template");
    }
}

/// The selector of a workload must select the pods of its template.
pub(super) fn must_match(selector: &Value, template: &Value, path: &Path, errors: &mut Errors) {
    let own = get::at(template, "metadata.labels");
    if !labels::is_empty(selector) && !labels::matches(selector, own) {
        not_matched(own, path, errors);
    }
}

/// The error of a selector that does not select; `path` is that of the template.
pub(super) fn not_matched(own: &Value, path: &Path, errors: &mut Errors) {
    errors.invalid(&path.child("metadata.labels"), internal::sorted(own), "`selector` does not match template `labels`");
}

/// Workloads that keep pods running: their pods always restart and have no deadline. `kind` is named in the message.
pub(super) fn always_restarts(template: &Value, kind: &str, path: &Path, errors: &mut Errors) {
    let spec = get::at(template, "spec");
    text::one_of(get::text(spec, "restartPolicy"), &["Always"], &path.child("spec.restartPolicy"), errors);
    if get::int(spec, "activeDeadlineSeconds").is_some() {
        errors.forbidden(&path.child("spec.activeDeadlineSeconds"), format!("activeDeadlineSeconds in {kind} is not Supported"));
    }
}

/// Name and template, on create: a name that is no DNS label is no host name either.
pub(super) fn name_warning(object: &Value) -> Option<String> {
    let wrong = model::name::is_dns1123_label(model::meta::name(object));
    (!wrong.is_empty()).then(|| {
        format!(
            "metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended: [{}]",
            wrong.join(" ")
        )
    })
}

/// `GetWarningsForPodTemplate` for the template at a dotted path.
pub(super) fn warnings(object: &Value, path: &str) -> Vec<String> {
    let template = get::at(object, path);
    if template.is_null() { Vec::new() } else { warnings::of(template, Holder::Template, &Path::new(path)) }
}

/// Whether the spec changed, which is when `metadata.generation` rises and updates warn.
pub(super) fn spec_changed(new: &Value, old: &Value) -> bool {
    !equal::semantic("spec", new.get("spec"), old.get("spec"))
}
