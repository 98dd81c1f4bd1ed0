//! Requests and limits of containers and pods. Follows `validateResourceRequirements`, `validatePodResources`.
//! Sums over containers are in `qos`.

use model::Value;
use model::field::{Errors, Fault, Path, Spelling};
use model::name;
use model::quantity::Quantity;

use super::super::rules::{get, number, resource, text};
use super::{Scope, qos};

/// Resources that need no domain. Sorted.
const STANDARD: &[&str] = &[
    "configmaps",
    "cpu",
    "ephemeral-storage",
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "memory",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
    "requests.storage",
    "resourcequotas",
    "secrets",
    "services",
    "services.loadbalancers",
    "services.nodeports",
    "storage",
];
/// Resources that are counted. Sorted.
const INTEGER: &[&str] = &[
    "configmaps",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "services",
    "services.loadbalancers",
    "services.nodeports",
];
/// What a whole pod may have, besides the sizes of huge pages.
const POD_LEVEL: &[&str] = &["cpu", "hugepages-", "memory"];

/// `IsHugePageResourceName`.
pub(crate) fn is_huge_page(name: &str) -> bool {
    name.starts_with("hugepages-")
}

/// `IsNativeResource`.
pub(crate) fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

/// `IsOvercommitAllowed`.
pub(crate) fn is_overcommit_allowed(name: &str) -> bool {
    is_native(name) && !is_huge_page(name)
}

/// `IsExtendedResourceName`.
pub(crate) fn is_extended(name: &str) -> bool {
    !is_native(name) && !name.starts_with("requests.") && name::is_qualified_name(&format!("requests.{name}")).is_empty()
}

/// `IsStandardResourceName`.
pub(crate) fn is_standard(name: &str) -> bool {
    STANDARD.binary_search(&name).is_ok() || is_huge_page(name) || name.starts_with("requests.hugepages-")
}

/// `IsIntegerResourceName`.
pub(crate) fn is_integer(name: &str) -> bool {
    INTEGER.binary_search(&name).is_ok() || is_extended(name)
}

/// `IsSupportedPodLevelResource`.
pub(crate) fn is_pod_level(name: &str) -> bool {
    name == "cpu" || name == "memory" || is_huge_page(name)
}

/// An amount in normal form; what is no amount, which decoding refuses, reads as zero.
pub(crate) fn amount(value: &Value) -> Quantity {
    value.as_str().and_then(|text| Quantity::parse(text).ok()).unwrap_or_default()
}

/// `validateResourceName`. Returns whether the name is good.
pub(crate) fn resource_name(name: &str, path: &Path, errors: &mut Errors) -> bool {
    let before = errors.0.len();
    errors.spelt(Spelling::Json, |errors| text::qualified_name(name, path, errors));
    if errors.0.len() == before && !name.contains('/') && !is_standard(name) {
        errors.invalid_named(path, name, "must be a standard resource type or fully qualified");
    }
    errors.0.len() == before
}

/// `ValidateContainerResourceName`.
pub(crate) fn container_resource_name(name: &str, path: &Path, errors: &mut Errors) {
    if matches!(name, "cpu" | "memory" | "ephemeral-storage") {
        return;
    }
    resource_name(name, path, errors);
    if name.matches('/').count() == 0 {
        if !is_huge_page(name) {
            errors.invalid_named(path, name, "must be a standard resource for containers");
        }
    } else if !is_native(name) && !is_extended(name) {
        errors.invalid_named(path, name, "doesn't follow extended resource name standard");
    }
}

fn pod_resource_name(name: &str, path: &Path, errors: &mut Errors) {
    if resource_name(name, path, errors) && !is_pod_level(name) {
        errors.not_supported(path, name, POD_LEVEL);
    }
}

/// `ValidateResourceQuantityValue`.
pub(crate) fn quantity(name: &str, value: &Value, path: &Path, errors: &mut Errors) {
    let amount = amount(value);
    if amount.sign() < 0 {
        errors.invalid(path, value.clone(), number::NEGATIVE);
    }
    if is_integer(name) && resource::is_fractional(&amount) {
        errors.invalid(path, value.clone(), "must be an integer");
    }
}

/// The requirements of a container.
pub(super) fn of_container(container: &Value, scope: &Scope<'_>, path: &Path, errors: &mut Errors) {
    if let Some(resources) = get::object(container, "resources") {
        requirements(resources, container_resource_name, scope, &path.child("resources"), errors);
    }
}

/// The requirements of what no pod is around: the overhead of a runtime class.
pub(crate) fn of_runtime(resources: &Value, path: &Path, errors: &mut Errors) {
    let options = super::Options::default();
    requirements(resources, container_resource_name, &Scope::alone(&options, ""), path, errors);
}

/// `validateOverhead`: the amounts are checked as limits are, and named so.
pub(super) fn overhead(spec: &Value, scope: &Scope<'_>, path: &Path, errors: &mut Errors) {
    if get::object(spec, "overhead").is_none() {
        return;
    }
    let path = path.child("overhead");
    let mut seen = Seen::default();
    for (name, value) in get::entries(spec, "overhead") {
        listed(name, value, container_resource_name, scope, &path.child("limits").key(name), errors);
        seen.note(name);
    }
    seen.report(&path, errors);
}

type NameRule = fn(&str, &Path, &mut Errors);

/// Which resources were named at all, for the rule on huge pages.
#[derive(Default)]
struct Seen {
    compute: bool,
    huge_pages: bool,
}

impl Seen {
    fn note(&mut self, name: &str) {
        self.compute |= name == "cpu" || name == "memory";
        self.huge_pages |= is_huge_page(name);
    }

    fn report(&self, path: &Path, errors: &mut Errors) {
        if self.huge_pages && !self.compute {
            errors.forbidden(path, "HugePages require cpu or memory");
        }
    }
}

/// `validateResourceRequirements`.
fn requirements(resources: &Value, rule: NameRule, scope: &Scope<'_>, path: &Path, errors: &mut Errors) {
    let mut seen = Seen::default();
    let (limits, requests) = (path.child("limits"), path.child("requests"));
    for (name, value) in get::entries(resources, "limits") {
        listed(name, value, rule, scope, &limits.key(name), errors);
        seen.note(name);
    }
    for (name, value) in get::entries(resources, "requests") {
        let at = requests.key(name);
        let before_pages =
            |errors: &mut Errors| request(name, value, get::at(resources, "limits").get(name), (&requests, &limits), errors);
        rule(name, &at, errors);
        quantity(name, value, &at, errors);
        before_pages(errors);
        whole_pages(name, value, scope, &at, errors);
        seen.note(name);
    }
    seen.report(path, errors);
    claims(resources, scope, &path.child("claims"), errors);
}

fn listed(name: &str, value: &Value, rule: NameRule, scope: &Scope<'_>, path: &Path, errors: &mut Errors) {
    rule(name, path, errors);
    quantity(name, value, path, errors);
    whole_pages(name, value, scope, path, errors);
}

fn whole_pages(name: &str, value: &Value, scope: &Scope<'_>, path: &Path, errors: &mut Errors) {
    if is_huge_page(name) && !scope.options.indivisible_huge_pages && !is_divisible(name, value) {
        let shown = value.as_str().unwrap_or("0");
        errors.invalid(path, shown, format!("{shown} is not positive integer multiple of {name}"));
    }
}

/// `IsHugePageResourceValueDivisible`.
fn is_divisible(name: &str, value: &Value) -> bool {
    let Some(page) = name.strip_prefix("hugepages-").and_then(|page| Quantity::parse(page).ok()) else { return false };
    page.sign() > 0 && !resource::is_fractional(&page) && amount(value).value() % page.value() == 0
}

/// A request against the limit of the same resource; the errors name the maps.
fn request(name: &str, value: &Value, limit: Option<&Value>, (requests, limits): (&Path, &Path), errors: &mut Errors) {
    let Some(limit) = limit else {
        if !is_overcommit_allowed(name) {
            errors.required(limits, "Limit must be set for non overcommitable resources");
        }
        return;
    };
    if value == limit {
        return;
    }
    let (request, limit) = (amount(value), amount(limit));
    if request != limit && !is_overcommit_allowed(name) {
        errors.invalid(requests, value.clone(), format!("must be equal to {name} limit of {limit}"));
    } else if request > limit {
        errors.invalid(requests, value.clone(), format!("must be less than or equal to {name} limit of {limit}"));
    }
}

/// `validateResourceClaimNames`.
fn claims(resources: &Value, scope: &Scope<'_>, path: &Path, errors: &mut Errors) {
    let mut seen: Vec<String> = Vec::new();
    for (i, claim) in get::list(resources, "claims").iter().enumerate() {
        let path = path.index(i);
        let (name, request) = (get::text(claim, "name"), get::text(claim, "request"));
        if name.is_empty() {
            errors.required(&path, "");
            continue;
        }
        if seen.iter().any(|key| key == name) {
            errors.duplicate(&path, name);
        } else {
            let key = if request.is_empty() { name.to_owned() } else { format!("{name}/{request}") };
            if !request.is_empty() {
                text::dns_label(request, &path.child("request"), errors);
            }
            if seen.contains(&key) {
                errors.duplicate(&path, key.as_str());
            } else if request.is_empty() {
                for _ in seen.iter().filter(|key| key.split_once('/').is_some_and(|(claim, _)| claim == name)) {
                    errors.duplicate(&path, name);
                }
            }
            seen.push(key);
        }
        if !scope.claims.contains(&name) {
            errors.push(Fault::NotFound, &path, Some(name.into()), unknown_claim(&scope.claims));
        }
    }
}

fn unknown_claim(known: &[&str]) -> String {
    const DETAIL: &str = "must be one of the names in pod.spec.resourceClaims";
    if known.is_empty() {
        return format!("{DETAIL} which is empty");
    }
    let mut sorted = known.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    format!("{DETAIL}: {}", sorted.join(", "))
}

/// `validatePodResources`: requirements of the pod as a whole.
pub(super) fn of_pod(spec: &Value, scope: &Scope<'_>, path: &Path, errors: &mut Errors) {
    let Some(resources) = get::object(spec, "resources") else { return };
    let path = path.child("resources");
    if get::text(get::at(spec, "os"), "name") == "windows" {
        return errors.forbidden(&path, "may not be set for a windows pod");
    }
    if !get::list(resources, "claims").is_empty() {
        errors.forbidden(&path.child("claims"), "claims may not be set for Resources at pod-level");
    }
    requirements(resources, pod_resource_name, scope, &path, errors);
    consistency(spec, resources, &path, errors);
}

/// `validatePodResourceConsistency`: the pod has room for its containers.
fn consistency(spec: &Value, resources: &Value, path: &Path, errors: &mut Errors) {
    let requests = path.child("requests");
    for (name, sum) in qos::aggregate(spec, "requests") {
        let Some(own) = get::at(resources, "requests").get(&name) else { continue };
        if sum > amount(own) {
            errors.invalid(
                &requests.key(&name),
                own.clone(),
                format!("must be greater than or equal to aggregate container requests of {sum}"),
            );
        }
    }
    let limits = path.child("limits");
    for (name, sum) in qos::aggregate(spec, "limits").into_iter().filter(|(name, _)| is_huge_page(name)) {
        let Some(own) = get::at(resources, "limits").get(&name) else { continue };
        if sum > amount(own) {
            errors.invalid(
                &limits.key(&name),
                own.clone(),
                format!("must be greater than or equal to aggregate container limits of {sum}"),
            );
        }
    }
    let containers = path.child("containers");
    for (i, container) in get::list(spec, "containers").iter().enumerate() {
        for (name, limit) in get::entries(get::at(container, "resources"), "limits") {
            let Some(own) = get::at(resources, "limits").get(name) else { continue };
            if amount(limit) > amount(own) {
                let path = containers.index(i);
                let path = path.key(name);
                errors.invalid(
                    &path.child("limits"),
                    limit.clone(),
                    format!("must be less than or equal to pod limits of {}", amount(own)),
                );
            }
        }
    }
}

/// Whether a container of the stored spec asks for parts of huge pages.
pub(super) fn has_indivisible_huge_pages(spec: &Value) -> bool {
    let bad = |holder: &Value| {
        ["limits", "requests"].iter().any(|list| {
            get::entries(get::at(holder, "resources"), list).any(|(name, value)| is_huge_page(name) && !is_divisible(name, value))
        })
    };
    let containers = ["containers", "initContainers"].iter().flat_map(|list| get::list(spec, list));
    bad(spec) || containers.into_iter().any(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted() {
        assert!(STANDARD.is_sorted() && INTEGER.is_sorted());
    }

    #[test]
    fn names_of_resources() {
        assert!(is_native("cpu") && is_native("kubernetes.io/batteries") && !is_native("example.com/gpu"));
        assert!(is_extended("example.com/gpu") && !is_extended("requests.example.com/gpu"));
        assert!(is_integer("example.com/gpu") && !is_integer("memory"));
        assert!(!is_overcommit_allowed("hugepages-2Mi"));
    }
}
