//! ResourceSlice. Upstream: `pkg/apis/resource/validation`, `pkg/registry/resource/resourceslice/strategy.go`. Devices are
//! next door. Counters' names, taints' effects and duplicates are declared.

mod capacity;
mod device;

use model::Value;
use model::field::{Errors, Path, quote};

use super::device as shared;
use super::podspec::node_affinity;
use super::rules::labels::Values;
use super::rules::{get, internal, number, text};
use super::{Hooks, Selectable};

const DEVICES_MAX: usize = 128;
/// Where any of them has taints, counters or attributes with several values.
const ADVANCED_DEVICES_MAX: usize = 64;
const COUNTER_SETS_MAX: usize = 8;
const COUNTERS_MAX: usize = 32;
const ONE_OF: &str = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required";

pub(super) const HOOKS: Hooks = Hooks {
    prepare_create: Some(drop_disabled),
    prepare_update: Some(|new, _| drop_disabled(new)),
    default_now: Some(default_now),
    validate: Some(|slice, errors| validate(slice, None, errors)),
    validate_update: Some(|new, old, errors| validate(new, Some(old), errors)),
    warnings: Some(warnings),
    counts_unprepared: true,
    selects_no_namespace: true,
    selectable: &[
        Selectable { field: "spec.driver", value: |slice| get::text(get::at(slice, "spec"), "driver").to_owned() },
        Selectable { field: "spec.nodeName", value: |slice| get::text(get::at(slice, "spec"), "nodeName").to_owned() },
        Selectable { field: "spec.pool.name", value: |slice| get::text(get::at(slice, "spec.pool"), "name").to_owned() },
    ],
    ..Hooks::NONE
};

/// `dropDisabledFields`, as far as gates of 1.37 are off by default.
fn drop_disabled(slice: &mut Value) {
    let Some(spec) = slice.get_mut("spec") else { return };
    get::remove(spec, "partitionTypeAttribute");
    get::remove(spec, "skipNodeOperations");
    get::list_mut(spec, "devices").iter_mut().for_each(device::drop_disabled);
}

/// When the taints of devices were added, unless they say.
fn default_now(slice: &mut Value, now: &str) {
    let Some(spec) = slice.get_mut("spec") else { return };
    for device in get::list_mut(spec, "devices") {
        get::list_mut(device, "taints").iter_mut().for_each(|taint| get::default(taint, "timeAdded", now));
    }
}

fn validate(slice: &Value, old: Option<&Value>, errors: &mut Errors) {
    let (spec, path) = (get::at(slice, "spec"), Path::new("spec"));
    let old = old.map(|old| get::at(old, "spec"));
    shared::driver(spec, &path, errors);
    validate_pool(get::at(spec, "pool"), &path.child("pool"), errors);
    if let Some(old) = old {
        number::immutable_text(get::at(spec, "pool"), get::at(old, "pool"), "name", &path.child("pool"), errors);
        number::immutable_text(spec, old, "driver", &path, errors);
        if get::string(spec, "nodeName") != get::string(old, "nodeName") {
            errors.invalid_named(&path.child("nodeName"), get::raw(spec, "nodeName"), number::IMMUTABLE);
        }
    }
    validate_place(spec, &path, errors);
    let given = |field: &str| spec.get(field).is_some_and(Value::is_array);
    if given("sharedCounters") && given("devices") {
        errors.invalid(&path, "", "only one of `sharedCounters` or `devices` is allowed");
    }
    validate_devices(spec, old, &path, errors);
    shared::set(spec, "sharedCounters", COUNTER_SETS_MAX, shared::by_name, &path, errors, |set, path, errors| {
        required_label(get::text(set, "name"), &path.child("name"), errors);
        counters(set, path, errors);
    });
}

fn validate_pool(pool: &Value, path: &Path, errors: &mut Errors) {
    shared::pool(get::text(pool, "name"), &path.child("name"), errors);
    number::positive(get::number(pool, "resourceSliceCount"), &path.child("resourceSliceCount"), errors);
    let generation = get::number(pool, "generation");
    if generation < 0 {
        errors.invalid(&path.child("generation"), generation, "must be greater than or equal to zero");
    }
}

/// Where the devices are: on one node, on those selected, on all, or told by each device.
fn validate_place(spec: &Value, path: &Path, errors: &mut Errors) {
    let mut set = Vec::new();
    match get::string(spec, "nodeName") {
        Some("") => errors.invalid(&path.child("nodeName"), "", "must be either unset or set to a non-empty string"),
        Some(name) => {
            set.push("`nodeName`");
            text::dns_subdomain(name, &path.child("nodeName"), errors);
        }
        None => {}
    }
    if let Some(selector) = get::object(spec, "nodeSelector") {
        set.push("`nodeSelector`");
        let at = path.child("nodeSelector");
        node_affinity::node_selector(selector, Values::Strict, &at, errors);
        let terms = get::raw(selector, "nodeSelectorTerms");
        if terms.as_array().map_or(0, Vec::len) != 1 {
            let shown = internal::show_each(&terms, internal::NODE_SELECTOR_TERM);
            errors.invalid(&at.child("nodeSelectorTerms"), shown, "must have exactly one node selector term");
        }
    }
    for (field, name) in [("allNodes", "`allNodes`"), ("perDeviceNodeSelection", "`perDeviceNodeSelection`")] {
        match get::flag(spec, field) {
            Some(true) => set.push(name),
            Some(false) => errors.invalid(&path.child(field), false, "must be either unset or set to true"),
            None => {}
        }
    }
    match set.len() {
        0 => errors.required(path, ONE_OF),
        1 => {}
        _ => errors.invalid(path, format!("{{{}}}", set.join(", ")), format!("{ONE_OF}, but multiple fields are set")),
    }
}

fn validate_devices(spec: &Value, old: Option<&Value>, path: &Path, errors: &mut Errors) {
    let devices = get::list(spec, "devices");
    let advanced = ["taints", "consumesCounters"].iter().any(|field| devices.iter().any(|d| !get::list(d, field).is_empty()));
    let max = if advanced { ADVANCED_DEVICES_MAX } else { DEVICES_MAX };
    let per_device = get::is(spec, "perDeviceNodeSelection");
    shared::set(spec, "devices", max, shared::by_name, path, errors, |device, path, errors| {
        let name = get::text(device, "name");
        let before = old.and_then(|old| get::list(old, "devices").iter().find(|device| get::text(device, "name") == name));
        device::validate(device, before, per_device, path, errors);
    });
}

fn required_label(value: &str, path: &Path, errors: &mut Errors) {
    if value.is_empty() {
        errors.required(path, "");
    } else {
        text::dns_label(value, path, errors);
    }
}

/// The counters of a set, or those that a device takes from it.
fn counters(holder: &Value, path: &Path, errors: &mut Errors) {
    let path = path.child("counters");
    let count = get::entries(holder, "counters").count();
    if count == 0 {
        errors.required(&path, "");
    } else if count > COUNTERS_MAX {
        errors.too_many(&path, count, COUNTERS_MAX);
    } else {
        get::entries(holder, "counters").for_each(|(name, _)| text::dns_label(name, &path, errors));
    }
}

fn warnings(new: &Value, _: Option<&Value>) -> Vec<String> {
    let driver = get::text(get::at(new, "spec"), "driver");
    if driver == driver.to_lowercase() {
        return Vec::new();
    }
    vec![format!("spec.driver: driver names should be lowercase; {} contains uppercase characters", quote(driver))]
}
