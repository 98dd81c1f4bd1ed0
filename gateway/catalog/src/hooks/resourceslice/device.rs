//! One device of a ResourceSlice: attributes, capacity, taints, counters, place.

use model::Value;
use model::field::{Errors, Path};

use super::super::device as shared;
use super::super::podspec::node_affinity;
use super::super::rules::labels::Values;
use super::super::rules::{get, text};
use super::{capacity, counters, required_label};

const ATTRIBUTES_AND_CAPACITIES_MAX: usize = 32;
const ATTRIBUTE_VALUES_MAX: usize = 48;
const VALUE_BYTES_MAX: usize = 64;
const TAINTS_MAX: usize = 16;
const CONSUMPTIONS_MAX: usize = 2;
/// The longest key that an error shows whole: a domain, a slash, an identifier.
const KEY_BYTES_MAX: usize = 63 + 1 + 32;
const ONE_PLACE: &str = "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true in the ResourceSlice spec";
const NO_PLACE: &str = "`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec";

/// Drops what gates of 1.37 have off by default.
pub(super) fn drop_disabled(device: &mut Value) {
    get::remove(device, "nodeAllocatableResources");
    get::list_mut(device, "consumesCounters").iter_mut().for_each(|taken| get::remove(taken, "compatibilityGroups"));
    let attributes = device.get_mut("attributes").and_then(Value::as_object_mut);
    for attribute in attributes.into_iter().flat_map(|map| map.values_mut()) {
        ["bools", "ints", "strings", "versions"].iter().for_each(|list| get::remove(attribute, list));
    }
}

/// `validateDevice`.
pub(super) fn validate(device: &Value, old: Option<&Value>, per_device: bool, path: &Path, errors: &mut Errors) {
    text::dns_label(get::text(device, "name"), &path.child("name"), errors);
    let attributes = get::entries(device, "attributes").count();
    let total = attributes + get::entries(device, "capacity").count();
    if total > ATTRIBUTES_AND_CAPACITIES_MAX {
        let why = format!("the total number of attributes and capacities must not exceed {ATTRIBUTES_AND_CAPACITIES_MAX}");
        errors.invalid(path, total, why);
    }
    if attributes > ATTRIBUTE_VALUES_MAX {
        let why = format!("the total number of attribute values must not exceed {ATTRIBUTE_VALUES_MAX}");
        errors.invalid(path, attributes, why);
    }
    keyed(device, "attributes", path, errors, attribute);
    // What is as before was judged when it was stored.
    let changed = |field: &str| old.is_none_or(|old| old.get(field) != device.get(field));
    if changed("capacity") {
        let shared = get::is(device, "allowMultipleAllocations");
        keyed(device, "capacity", path, errors, |amount, path, errors| {
            let Some(policy) = get::object(amount, "requestPolicy") else { return };
            let path = path.child("requestPolicy");
            if shared {
                capacity::policy(amount, policy, &path, errors);
            } else {
                errors.forbidden(&path, "allowMultipleAllocations must be true");
            }
        });
    }
    if changed("taints") {
        shared::each(device, "taints", TAINTS_MAX, path, errors, |taint, path, errors| {
            shared::taint(taint, None, path, errors);
        });
    }
    let set = |taken: &Value| get::raw(taken, "counterSet");
    shared::set(device, "consumesCounters", CONSUMPTIONS_MAX, set, path, errors, |taken, path, errors| {
        required_label(get::text(taken, "counterSet"), &path.child("counterSet"), errors);
        counters(taken, path, errors);
    });
    place(device, per_device, path, errors);
    shared::binding(device, path, errors);
}

/// Judges the entries of a map whose keys are qualified names.
fn keyed(device: &Value, field: &str, path: &Path, errors: &mut Errors, judge: impl Fn(&Value, &Path, &mut Errors)) {
    let path = path.child(field);
    for (key, value) in get::entries(device, field) {
        shared::qualified_name(key, &path, errors);
        judge(value, &path.key(&shortened(key)), errors);
    }
}

/// `truncateIfTooLong`: the middle of a long key is left out.
fn shortened(key: &str) -> String {
    if key.len() <= KEY_BYTES_MAX {
        return key.to_owned();
    }
    let rest = KEY_BYTES_MAX - "...".len();
    let (head, tail) = (&key.as_bytes()[..rest.div_ceil(2)], &key.as_bytes()[key.len() - rest / 2..]);
    format!("{}...{}", String::from_utf8_lossy(head), String::from_utf8_lossy(tail))
}

/// `validateDeviceAttribute`, but for how many values there are, which is declared.
fn attribute(attribute: &Value, path: &Path, errors: &mut Errors) {
    if get::text(attribute, "string").len() > VALUE_BYTES_MAX {
        errors.too_long(&path.child("string"), VALUE_BYTES_MAX);
    }
    if let Some(version) = get::string(attribute, "version") {
        if !is_semantic_version(version) {
            errors.invalid(&path.child("version"), version, "must be a string compatible with semver.org spec 2.0.0");
        }
        if version.len() > VALUE_BYTES_MAX {
            errors.too_long(&path.child("version"), VALUE_BYTES_MAX);
        }
    }
}

/// Whether a text is a version as semver.org has it: `1.2.3-rc.1+build.5`.
fn is_semantic_version(version: &str) -> bool {
    let number =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) && (part == "0" || !part.starts_with('0'));
    let identifier = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let (version, build) = version.split_once('+').map_or((version, None), |(version, build)| (version, Some(build)));
    let (core, release) = version.split_once('-').map_or((version, None), |(core, release)| (core, Some(release)));
    let numeric = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    core.split('.').count() == 3
        && core.split('.').all(number)
        && release.is_none_or(|release| release.split('.').all(|part| identifier(part) && (!numeric(part) || number(part))))
        && build.is_none_or(|build| build.split('.').all(identifier))
}

/// Where the device is, if the slice leaves that to each of them.
fn place(device: &Value, per_device: bool, path: &Path, errors: &mut Errors) {
    let name = get::string(device, "nodeName");
    let selector = get::object(device, "nodeSelector");
    let all = get::flag(device, "allNodes");
    if !per_device {
        if name.is_some() || selector.is_some() || all.is_some() {
            errors.invalid(path, Value::Null, NO_PLACE);
        }
        return;
    }
    let mut set = Vec::new();
    match name {
        Some("") => errors.invalid(&path.child("nodeName"), "", "must not be empty"),
        Some(name) => {
            set.push("`nodeName`");
            text::dns_subdomain(name, &path.child("nodeName"), errors);
        }
        None => {}
    }
    if let Some(selector) = selector {
        set.push("`nodeSelector`");
        node_affinity::node_selector(selector, Values::Strict, &path.child("nodeSelector"), errors);
    }
    match all {
        Some(true) => set.push("`allNodes`"),
        Some(false) => errors.invalid(&path.child("allNodes"), false, "must be either unset or set to true"),
        None => {}
    }
    match set.len() {
        0 => errors.required(path, ONE_PLACE),
        1 => {}
        _ => errors.invalid(path, format!("{{{}}}", set.join(", ")), ONE_PLACE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        for good in ["1.2.3", "0.0.0", "1.2.3-rc.1", "1.2.3-0a.b-c", "1.2.3+001.x", "1.0.0-alpha+b"] {
            assert!(is_semantic_version(good), "{good}");
        }
        for bad in ["1.2", "01.2.3", "v1.2.3", "1.2.3-", "1.2.3-01", "1.2.3+", "1.2.3-a..b", "1.2.3.4"] {
            assert!(!is_semantic_version(bad), "{bad}");
        }
    }

    #[test]
    fn long_keys_lose_their_middle() {
        assert_eq!(shortened(&"a".repeat(KEY_BYTES_MAX)).len(), KEY_BYTES_MAX);
        let shown = shortened(&format!("{}{}", "a".repeat(80), "b".repeat(80)));
        assert_eq!(shown, format!("{}...{}", "a".repeat(47), "b".repeat(46)));
    }
}
