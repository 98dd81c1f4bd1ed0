//! ResourceClaim, and ResourceClaimTemplate which holds one. Upstream: `pkg/apis/resource/v1/defaults.go`. The validation of
//! both is listed in `conformance/gaps/kinds.txt`.

use model::Value;

use super::Hooks;
use super::rules::get;

pub(super) const HOOKS: Hooks = Hooks { default: Some(|claim| default(claim, "/spec/devices")), ..Hooks::NONE };
pub(super) const TEMPLATE: Hooks = Hooks { default: Some(|template| default(template, "/spec/spec/devices")), ..Hooks::NONE };

/// A request for an exact count that names none is for one device.
fn default(object: &mut Value, devices: &str) {
    let Some(devices) = object.pointer_mut(devices) else { return };
    for request in get::list_mut(devices, "requests") {
        if let Some(exactly) = request.get_mut("exactly") {
            default_count(exactly);
        }
        get::list_mut(request, "firstAvailable").iter_mut().for_each(default_count);
    }
}

fn default_count(request: &mut Value) {
    if get::text(request, "allocationMode") == "ExactCount" && get::number(request, "count") == 0 {
        get::set(request, "count", 1);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn an_exact_request_is_for_one_device() {
        let mut claim = json!({"devices": {"requests": [
            {"exactly": {"allocationMode": "ExactCount"}},
            {"firstAvailable": [{"allocationMode": "ExactCount", "count": 2}, {"allocationMode": "All"}]},
        ]}});
        super::default(&mut claim, "/devices");
        assert_eq!(claim["devices"]["requests"][0]["exactly"]["count"], 1);
        assert_eq!(
            claim["devices"]["requests"][1],
            json!({"firstAvailable": [{"allocationMode": "ExactCount", "count": 2}, {"allocationMode": "All"}]})
        );
    }
}
