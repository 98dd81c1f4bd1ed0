//! What the kinds of dynamic resource allocation share: names, bounded lists, selectors, taints, opaque parameters.
//! Follows the helpers of `pkg/apis/resource/validation`. What upstream declares with tags as well, and says through them,
//! is in the table of `declarative`, which runs afterwards.

use std::collections::HashSet;

use cel::device::Fault;
use model::field::{Errors, Path};
use model::{Value, name, repeats};

use super::podspec::sources::csi_driver_name;
use super::rules::{get, text};

/// Names of pools, in bytes.
const POOL_BYTES_MAX: usize = 253;
const SELECTORS_MAX: usize = 32;
const EXPRESSION_BYTES_MAX: usize = 10 * 1024;
const PARAMETERS_BYTES_MAX: usize = 10 * 1024;
/// The name part of an attribute, in bytes.
const IDENTIFIER_BYTES_MAX: usize = 32;
const BINDING_CONDITIONS_MAX: usize = 4;
const TAINT_EFFECTS: &[&str] = &["NoExecute", "NoSchedule", "None"];

/// Whether an object is judged for the first time, or holds again what was judged when it was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    /// It is new.
    New,
    /// It is as it was.
    Stored,
}

/// Judges each item of a list that is not too long. A longer one is not looked into. Returns whether it was.
pub(super) fn each(
    holder: &Value,
    field: &str,
    max: usize,
    path: &Path,
    errors: &mut Errors,
    mut judge: impl FnMut(&Value, &Path, &mut Errors),
) -> bool {
    let (list, path) = (get::list(holder, field), path.child(field));
    if list.len() > max {
        errors.too_many(&path, list.len(), max);
        return false;
    }
    for (i, item) in list.iter().enumerate() {
        judge(item, &path.index(i), errors);
    }
    true
}

/// Judges each item as [`each`] does, and items with the same key are duplicates.
pub(super) fn set(
    holder: &Value,
    field: &str,
    max: usize,
    key: impl Fn(&Value) -> Value,
    path: &Path,
    errors: &mut Errors,
    judge: impl FnMut(&Value, &Path, &mut Errors),
) {
    if !each(holder, field, max, path, errors, judge) {
        return;
    }
    let keys: Vec<Value> = get::list(holder, field).iter().map(key).collect();
    let path = path.child(field);
    for (i, (key, is_repeated)) in keys.iter().zip(repeats(&keys)).enumerate() {
        if is_repeated {
            errors.duplicate(&path.index(i), key.clone());
        }
    }
}

/// The key of an item that is told apart by its name.
pub(super) fn by_name(item: &Value) -> Value {
    get::text(item, "name").into()
}

/// `validateDriverName`.
pub(super) fn driver(holder: &Value, path: &Path, errors: &mut Errors) {
    csi_driver_name(get::text(holder, "driver"), &path.child("driver"), errors);
}

/// `validatePoolName`.
pub(super) fn pool(pool: &str, path: &Path, errors: &mut Errors) {
    if pool.is_empty() {
        return errors.required(path, "");
    }
    if pool.len() > POOL_BYTES_MAX {
        errors.too_long(path, POOL_BYTES_MAX);
    }
    for part in pool.split('/') {
        text::dns_subdomain(part, path, errors);
    }
}

/// `validateQualifiedName`: an attribute's name, perhaps in a domain.
pub(super) fn qualified_name(value: &str, path: &Path, errors: &mut Errors) {
    match value.split('/').collect::<Vec<_>>().as_slice() {
        [id] => identifier(id, path, errors),
        [domain, id] => {
            if domain.is_empty() {
                errors.invalid(path, "", "the domain must not be empty");
            } else {
                csi_driver_name(domain, path, errors);
            }
            if id.is_empty() {
                errors.invalid(path, "", "the name must not be empty");
            } else {
                identifier(id, path, errors);
            }
        }
        _ => {}
    }
}

fn identifier(id: &str, path: &Path, errors: &mut Errors) {
    if id.len() > IDENTIFIER_BYTES_MAX {
        errors.too_long(path, IDENTIFIER_BYTES_MAX);
    }
    text::invalid_each(id, name::is_c_identifier(id), path, errors);
}

/// `validateSelectorSlice`.
pub(super) fn selectors(holder: &Value, age: Age, path: &Path, errors: &mut Errors) {
    each(holder, "selectors", SELECTORS_MAX, path, errors, |selector, path, errors| match get::object(selector, "cel") {
        None => errors.required(&path.child("cel"), ""),
        Some(cel) if age == Age::New => expression(get::text(cel, "expression"), &path.child("cel.expression"), errors),
        // What is stored was compiled when it was written.
        Some(_) => {}
    });
}

/// `validateCELExpression`
fn expression(text: &str, path: &Path, errors: &mut Errors) {
    // Too long ones are not looked into.
    if text.len() > EXPRESSION_BYTES_MAX {
        return errors.too_long(path, EXPRESSION_BYTES_MAX);
    }
    match cel::device::check(text) {
        Ok(()) => {}
        Err(Fault::Invalid(why)) => errors.invalid(path, text, why),
        Err(Fault::Internal(why)) => errors.internal(path, why),
        Err(Fault::TooCostly) => errors.forbidden(path, "too complex, exceeds cost limit"),
    }
}

/// `validateDeviceConfiguration`.
pub(super) fn configuration(config: &Value, age: Age, path: &Path, errors: &mut Errors) {
    let path = path.child("opaque");
    let Some(opaque) = get::object(config, "opaque") else { return errors.required(&path, "") };
    driver(opaque, &path, errors);
    raw(opaque, "parameters", age, PARAMETERS_BYTES_MAX, &path, errors);
}

/// `validateRawExtension`: a JSON object of bounded size.
pub(super) fn raw(holder: &Value, field: &str, age: Age, bytes_max: usize, path: &Path, errors: &mut Errors) {
    let (value, path) = (get::at(holder, field), path.child(field));
    if value.is_null() {
        errors.required(&path, "");
    } else if age == Age::New && value.to_string().len() > bytes_max {
        errors.too_long(&path, bytes_max);
    } else if !value.is_object() {
        errors.invalid(&path, "<value omitted>", "must be a valid JSON object");
    }
}

/// `validateDeviceTaint`; the effect is looked at where it is new.
pub(super) fn taint(taint: &Value, old: Option<&Value>, path: &Path, errors: &mut Errors) {
    let (value, effect) = (get::text(taint, "value"), get::text(taint, "effect"));
    text::qualified_name(get::text(taint, "key"), &path.child("key"), errors);
    if !value.is_empty() {
        label_value(value, &path.child("value"), errors);
    }
    if old.is_none_or(|old| get::text(old, "effect") != effect) {
        text::required_one_of(effect, TAINT_EFFECTS, &path.child("effect"), errors);
    }
}

/// `validateDeviceToleration` of each toleration in a request or a result.
pub(super) fn tolerations(holder: &Value, path: &Path, errors: &mut Errors) {
    let path = path.child("tolerations");
    for (i, toleration) in get::list(holder, "tolerations").iter().enumerate() {
        self::toleration(toleration, &path.index(i), errors);
    }
}

fn toleration(toleration: &Value, path: &Path, errors: &mut Errors) {
    let [key, operator, value, effect] = ["key", "operator", "value", "effect"].map(|field| get::text(toleration, field));
    if !key.is_empty() {
        text::qualified_name(key, &path.child("key"), errors);
    }
    match operator {
        "Exists" if !value.is_empty() => errors.invalid(&path.child("value"), value, "must be empty for operator `Exists`"),
        "Exists" => {}
        "Equal" => label_value(value, &path.child("value"), errors),
        _ => text::required_one_of(operator, &["Equal", "Exists"], &path.child("operator"), errors),
    }
    if !effect.is_empty() {
        text::one_of(effect, TAINT_EFFECTS, &path.child("effect"), errors);
    }
}

fn label_value(value: &str, path: &Path, errors: &mut Errors) {
    text::invalid_each(value, name::is_valid_label_value(value), path, errors);
}

/// `validateDeviceBindingParameters`.
pub(super) fn binding(holder: &Value, path: &Path, errors: &mut Errors) {
    const FIELDS: [&str; 2] = ["bindingConditions", "bindingFailureConditions"];
    for field in FIELDS {
        each(holder, field, BINDING_CONDITIONS_MAX, path, errors, |condition, path, errors| {
            text::qualified_name(condition.as_str().unwrap_or(""), path, errors);
        });
    }
    let [wanted, failing] = FIELDS.map(|field| get::strings(holder, field).collect::<Vec<_>>());
    let (at_wanted, at_failing) = (path.child(FIELDS[0]), path.child(FIELDS[1]));
    for (i, (condition, is_repeated)) in wanted.iter().zip(repeats(&wanted)).enumerate() {
        if is_repeated {
            errors.duplicate(&at_wanted.index(i), *condition);
        }
    }
    let known: HashSet<&str> = wanted.iter().copied().collect();
    for (i, (condition, is_repeated)) in failing.iter().zip(repeats(&failing)).enumerate() {
        if is_repeated {
            errors.duplicate(&at_failing.index(i), *condition);
        }
        if known.contains(condition) {
            errors.invalid(&at_failing.index(i), *condition, "bindingFailureConditions must not overlap with bindingConditions");
        }
    }
    if wanted.is_empty() && !failing.is_empty() {
        let why = "bindingConditions are required to use bindingFailureConditions";
        errors.invalid(&at_wanted, get::raw(holder, FIELDS[0]), why);
    }
    if failing.is_empty() && !wanted.is_empty() {
        let why = "bindingFailureConditions are required to use bindingConditions";
        errors.invalid(&at_failing, get::raw(holder, FIELDS[1]), why);
    }
}
