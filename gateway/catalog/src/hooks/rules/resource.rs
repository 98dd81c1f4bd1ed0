//! Names and amounts of resources (cpu, memory, `example.com/gpu`) in lists of limits.
//! Upstream: `pkg/apis/core/helper`, `pkg/apis/core/validation` (`validateResourceName`, `ValidateResourceQuantityValue`).

use model::field::{Errors, Path};
use model::quantity::Quantity;
use model::{Value, name};

use super::number;

const COMPUTE: &[&str] = &["cpu", "memory", "ephemeral-storage"];

/// What a quota can count, beside storage.
const QUOTA: &[&str] = &[
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.storage",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "persistentvolumeclaims",
    "configmaps",
    "services.nodeports",
    "services.loadbalancers",
];

/// What comes in whole numbers only.
const WHOLE: &[&str] = &[
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "services.nodeports",
    "services.loadbalancers",
];

/// `IsHugePageResourceName`.
pub(crate) fn is_huge_page(resource: &str) -> bool {
    resource.starts_with("hugepages-")
}

fn is_quota_huge_page(resource: &str) -> bool {
    is_huge_page(resource) || resource.starts_with("requests.hugepages-")
}

/// `IsStandardQuotaResourceName`.
pub(crate) fn is_standard_for_quota(resource: &str) -> bool {
    QUOTA.contains(&resource) || is_quota_huge_page(resource)
}

/// `IsNativeResource`: unprefixed, or of the project's own domain.
pub(crate) fn is_native(resource: &str) -> bool {
    !resource.contains('/') || resource.contains("kubernetes.io/")
}

/// `IsExtendedResourceName`.
pub fn is_extended(resource: &str) -> bool {
    !is_native(resource)
        && !resource.starts_with("requests.")
        && name::is_qualified_name(&format!("requests.{resource}")).is_empty()
}

/// `IsOvercommitAllowed`: whether a limit may exceed the request.
pub(crate) fn may_overcommit(resource: &str) -> bool {
    is_native(resource) && !is_huge_page(resource)
}

/// `validateResourceName`: qualified, and if unprefixed one of the standard ones.
pub(crate) fn valid_name(resource: &str, path: &Path, errors: &mut Errors) {
    checked(
        resource,
        path,
        errors,
        |r| QUOTA.contains(&r) || r == "storage" || is_quota_huge_page(r),
        "must be a standard resource type or fully qualified",
    );
}

/// `ValidateContainerResourceName`.
pub(crate) fn valid_container_name(resource: &str, path: &Path, errors: &mut Errors) {
    valid_name(resource, path, errors);
    if !resource.contains('/') {
        if !COMPUTE.contains(&resource) && !is_huge_page(resource) {
            errors.invalid_named(path, resource, "must be a standard resource for containers");
        }
    } else if !is_native(resource) && !is_extended(resource) {
        errors.invalid_named(path, resource, "doesn't follow extended resource name standard");
    }
}

/// `ValidateResourceQuotaResourceName`.
pub(crate) fn valid_quota_name(resource: &str, path: &Path, errors: &mut Errors) {
    valid_name(resource, path, errors);
    if !resource.contains('/') && !is_standard_for_quota(resource) {
        errors.invalid_named(path, resource, "must be a standard resource for quota");
    }
}

fn checked(resource: &str, path: &Path, errors: &mut Errors, standard: impl Fn(&str) -> bool, why: &str) {
    let wrong = name::is_qualified_name(resource);
    if wrong.is_empty() && !resource.contains('/') && !standard(resource) {
        errors.invalid_named(path, resource, why);
    }
    for message in wrong {
        errors.invalid_named(path, resource, message);
    }
}

/// An amount in normal form, which always parses.
pub(crate) fn amount(value: &Value) -> Quantity {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Quantity::parse(&text).unwrap_or_else(|_| Quantity::new(0, model::quantity::Format::DecimalSi))
}

/// `ValidateResourceQuantityValue`: not negative, and whole where only whole ones make sense.
pub(crate) fn valid_amount(resource: &str, value: &Value, path: &Path, errors: &mut Errors) {
    let quantity = amount(value);
    if quantity.sign() < 0 {
        errors.invalid(path, value.clone(), number::NEGATIVE);
    }
    if (WHOLE.contains(&resource) || is_extended(resource)) && is_fractional(&quantity) {
        errors.invalid(path, value.clone(), "must be an integer");
    }
}

/// Whether an amount has thousandths, which upstream does not see where they are too many for 64 bits.
pub(crate) fn is_fractional(amount: &Quantity) -> bool {
    let thousandths = amount.milli_value();
    !matches!(thousandths, i64::MIN | i64::MAX) && thousandths % 1000 != 0
}

/// `SetDefaults_ResourceList`: nothing is measured finer than a thousandth.
pub(crate) fn round_up(holder: &mut Value, list: &str) {
    let Some(map) = holder.get_mut(list).and_then(Value::as_object_mut) else { return };
    for value in map.values_mut() {
        let Some(amount) = value.as_str().and_then(|text| Quantity::parse(text).ok()) else { continue };
        let rounded = Quantity::from_milli(amount.milli_value(), amount.format());
        // A saturated amount is left alone.
        if rounded != amount && amount.milli_value() != i64::MAX {
            *value = Value::String(rounded.to_string());
        }
    }
}

/// The same of what somebody requests and is limited to.
pub(crate) fn round_requirements(resources: &mut Value) {
    round_up(resources, "limits");
    round_up(resources, "requests");
}
