//! The status of a ResourceClaim: what was allocated, for whom, and what drivers say of the devices. Who may write it is
//! asked next door (`permit`).

use model::field::{Errors, Path};
use model::json::json;
use model::{Value, meta};

use super::super::device::{self, Age};
use super::super::podspec::node_affinity;
use super::super::rules::labels::Values;
use super::super::rules::{condition, get, ip, number, text};
use super::{is_request, request_name, request_names};

const RESERVED_FOR_MAX: usize = 256;
const RESULTS_MAX: usize = 32;
/// Those of the claim and those of the class.
const CONFIG_MAX: usize = 64;
const CONDITIONS_MAX: usize = 8;
const DATA_BYTES_MAX: usize = 10 * 1024;
const IPS_MAX: usize = 16;
const INTERFACE_BYTES_MAX: usize = 256;
const HARDWARE_ADDRESS_BYTES_MAX: usize = 128;

/// `PrepareForUpdate` of the status: what drivers said of devices that are no longer allocated goes.
pub(super) fn prepare(new: &mut Value, old: &Value) {
    if let Some(devices) = new.pointer_mut("/status/allocation/devices") {
        for result in get::list_mut(devices, "results") {
            get::remove(result, "skipNodeOperations");
        }
    }
    let kept = allocated(new);
    let gone: Vec<Value> = allocated(old).into_iter().filter(|device| !kept.contains(device)).collect();
    let Some(status) = new.get_mut("status") else { return };
    if let Some(devices) = status.get_mut("devices").and_then(Value::as_array_mut) {
        devices.retain(|device| !gone.contains(&identity(device)));
    }
    if get::list(status, "devices").is_empty() {
        get::remove(status, "devices");
    }
}

/// `SharedDeviceID`: what tells an allocated device apart.
pub(super) fn identity(device: &Value) -> Value {
    let [driver, pool, name] = ["driver", "pool", "device"].map(|field| get::text(device, field));
    json!([driver, pool, name, get::string(device, "shareID")])
}

fn allocated(claim: &Value) -> Vec<Value> {
    get::list(get::at(claim, "status.allocation.devices"), "results").iter().map(identity).collect()
}

/// `ValidateResourceClaimStatusUpdate`.
pub(super) fn validate(new: &Value, old: &Value, errors: &mut Errors) {
    let (status, before, path) = (get::at(new, "status"), get::at(old, "status"), Path::new("status"));
    let uid = |consumer: &Value| get::raw(consumer, "uid");
    device::set(status, "reservedFor", RESERVED_FOR_MAX, uid, &path, errors, |consumer, path, errors| {
        for field in ["resource", "name", "uid"] {
            text::required(get::text(consumer, field), &path.child(field), errors);
        }
    });
    let allocated = allocated(new);
    device::set(status, "devices", usize::MAX, identity, &path, errors, |device, path, errors| {
        validate_device(device, &allocated, path, errors);
    });
    let reserved = get::list(status, "reservedFor");
    let allocation = get::object(status, "allocation");
    if !reserved.is_empty() && allocation.is_none() {
        errors.forbidden(&path.child("reservedFor"), "may not be specified when `allocated` is not set");
    } else if meta::deletion_timestamp(new).is_some()
        && reserved.iter().any(|one| !get::list(before, "reservedFor").contains(one))
    {
        let why = "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set";
        errors.forbidden(&path.child("reservedFor"), why);
    }
    match (get::object(before, "allocation"), allocation) {
        (Some(_), Some(_)) => number::immutable(status, before, "allocation", &path, errors),
        (None, Some(allocation)) => validate_allocation(allocation, new, &path.child("allocation"), errors),
        _ => {}
    }
}

fn validate_allocation(allocation: &Value, claim: &Value, path: &Path, errors: &mut Errors) {
    let requests = get::at(claim, "spec.devices");
    let known = |name: &str| is_request(requests, name);
    let (devices, at) = (get::at(allocation, "devices"), path.child("devices"));
    device::each(devices, "results", RESULTS_MAX, &at, errors, |result, path, errors| {
        request_name(get::text(result, "request"), &known, &path.child("request"), errors);
        device::driver(result, path, errors);
        device::pool(get::text(result, "pool"), &path.child("pool"), errors);
        text::dns_label(get::text(result, "device"), &path.child("device"), errors);
        device::binding(result, path, errors);
        device::tolerations(result, path, errors);
    });
    device::each(devices, "config", CONFIG_MAX, &at, errors, |config, path, errors| {
        text::required_one_of(get::text(config, "source"), &["FromClaim", "FromClass"], &path.child("source"), errors);
        request_names(config, &known, path, errors);
        device::configuration(config, Age::New, path, errors);
    });
    if let Some(selector) = get::object(allocation, "nodeSelector") {
        node_affinity::node_selector(selector, Values::Strict, &path.child("nodeSelector"), errors);
    }
}

fn validate_device(device: &Value, allocated: &[Value], path: &Path, errors: &mut Errors) {
    device::driver(device, path, errors);
    device::pool(get::text(device, "pool"), &path.child("pool"), errors);
    text::dns_label(get::text(device, "device"), &path.child("device"), errors);
    if !allocated.contains(&identity(device)) {
        errors.invalid(path, shown(device), "must be an allocated device in the claim");
    }
    let conditions = get::list(device, "conditions").len();
    if conditions > CONDITIONS_MAX {
        errors.too_many(&path.child("conditions"), conditions, CONDITIONS_MAX);
    }
    condition::conditions(device, "conditions", path, errors);
    if device.get("data").is_some_and(|data| !data.is_null()) {
        device::raw(device, "data", Age::New, DATA_BYTES_MAX, path, errors);
    }
    let network = get::at(device, "networkData");
    let path = path.child("networkData");
    for (field, max) in [("interfaceName", INTERFACE_BYTES_MAX), ("hardwareAddress", HARDWARE_ADDRESS_BYTES_MAX)] {
        if get::text(network, field).len() > max {
            errors.too_long(&path.child(field), max);
        }
    }
    device::set(network, "ips", IPS_MAX, Value::clone, &path, errors, |address, path, errors| {
        ip::interface(address.as_str().unwrap_or(""), path, errors);
    });
}

/// The identity as upstream's message shows it.
fn shown(device: &Value) -> Value {
    let [driver, pool, name, share] = ["driver", "pool", "device", "shareID"].map(|field| get::text(device, field));
    json!({"Driver": driver, "Pool": pool, "Device": name, "ShareID": share})
}
