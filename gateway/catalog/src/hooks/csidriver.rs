//! CSIDriver. Upstream: `pkg/apis/storage/validation`, `pkg/registry/storage/csidriver/strategy.go`.

use model::Value;
use model::field::{Errors, Path};

use super::Hooks;
use super::rules::{get, number, text};

/// Shortest lifetime of a token, and the longest, in seconds.
const TOKEN_S: std::ops::RangeInclusive<i64> = 600..=1 << 32;
/// Shortest time between two looks at what a node can hold, in seconds.
const UPDATE_PERIOD_S_MIN: i64 = 10;

pub(super) const HOOKS: Hooks = Hooks {
    validate: Some(|object, errors| validate(get::at(object, "spec"), errors)),
    validate_update: Some(validate_update),
    warnings: Some(warnings),
    ..Hooks::NONE
};

fn validate(spec: &Value, errors: &mut Errors) {
    let path = Path::new("spec");
    let mut given = |field: &str, shown: &str| {
        if spec.get(field).is_none() {
            errors.required(&path.child(shown), "");
        }
    };
    // Upstream's errors know this field by a name of their own.
    given("attachRequired", "attachedRequired");
    given("podInfoOnMount", "podInfoOnMount");
    given("storageCapacity", "storageCapacity");
    if let Some(policy) = get::string(spec, "fsGroupPolicy") {
        text::one_of(policy, &["File", "None", "ReadWriteOnceWithFSType"], &path.child("fsGroupPolicy"), errors);
    }
    token_requests(spec, &path.child("tokenRequests"), errors);
    for mode in get::strings(spec, "volumeLifecycleModes") {
        text::one_of(mode, &["Persistent", "Ephemeral"], &path.child("volumeLifecycleModes"), errors);
    }
    if spec.get("seLinuxMount").is_none() {
        errors.required(&path.child("seLinuxMount"), "");
    }
    if let Some(period) = get::int(spec, "nodeAllocatableUpdatePeriodSeconds").filter(|period| *period < UPDATE_PERIOD_S_MIN) {
        let path = path.child("nodeAllocatableUpdatePeriodSeconds");
        errors.invalid(&path, period, "must be greater than or equal to 10 seconds");
    }
    if let Some(set) = get::flag(spec, "serviceAccountTokenInSecrets").filter(|_| get::list(spec, "tokenRequests").is_empty()) {
        let why = "serviceAccountTokenInSecrets is set but no tokenRequests are specified";
        errors.invalid(&path.child("serviceAccountTokenInSecrets"), set, why);
    }
    if spec.get("preventPodSchedulingIfMissing").is_none() {
        errors.required(&path.child("preventPodSchedulingIfMissing"), "");
    }
}

fn token_requests(spec: &Value, list: &Path, errors: &mut Errors) {
    let mut audiences = Vec::new();
    for (i, request) in get::list(spec, "tokenRequests").iter().enumerate() {
        let (path, audience) = (list.index(i), get::text(request, "audience"));
        if audiences.contains(&audience) {
            errors.duplicate(&path.child("audience"), audience);
            continue;
        }
        audiences.push(audience);
        let Some(seconds) = get::int(request, "expirationSeconds") else { continue };
        let why = match seconds {
            few if few < *TOKEN_S.start() => "may not specify a duration less than 10 minutes",
            many if many > *TOKEN_S.end() => "may not specify a duration larger than 2^32 seconds",
            _ => continue,
        };
        errors.invalid(&path.child("expirationSeconds"), seconds, why);
    }
}

fn validate_update(new: &Value, old: &Value, errors: &mut Errors) {
    let (new, old, path) = (get::at(new, "spec"), get::at(old, "spec"), Path::new("spec"));
    validate(new, errors);
    if get::flag(new, "attachRequired") != get::flag(old, "attachRequired") {
        errors.invalid(&path.child("attachedRequired"), get::raw(new, "attachRequired"), number::IMMUTABLE);
    }
    number::immutable(new, old, "volumeLifecycleModes", &path, errors);
}

/// Tokens in volume attributes end up in logs.
fn warnings(new: &Value, old: Option<&Value>) -> Vec<String> {
    let (spec, requests) = (get::at(new, "spec"), |object| get::list(get::at(object, "spec"), "tokenRequests"));
    let asks = !requests(new).is_empty() && old.is_none_or(|old| requests(old) != requests(new));
    if !asks || spec.get("serviceAccountTokenInSecrets").is_some() {
        return Vec::new();
    }
    vec![
        "spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible logging of \
         tokens in volume attributes"
            .to_owned(),
    ]
}
