//! The status subresource of pods: what a kubelet of another version cannot lose, and what no status may say.
//! Follows `podStatusStrategy` and `ValidatePodStatusUpdate`.

use std::collections::HashSet;

use model::field::{Errors, Path, Spelling};
use model::{Value, name, repeats};

use super::super::podspec::resources::amount;
use super::super::podspec::{containers::is_sidecar, is_dual_stack};
use super::super::rules::{get, ip, number, text};
use super::update::{annotation_updates, leniently};

const CONTAINER_STATUSES: &[&str] = &["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"];
const NOT_BACK: &str = "may not be transitioned to non-terminated state";

/// `PrepareForUpdate` of the status.
pub(super) fn prepare(pod: &mut Value, old: &Value) {
    let before = get::at(old, "status");
    get::default(pod, "status", Value::Object(model::Map::new()));
    let Some(status) = pod.get_mut("status") else { return };
    if get::text(status, "qosClass").is_empty() {
        get::copy(status, before, "qosClass");
    }
    for field in ["resourceClaimStatuses", "extendedResourceClaimStatus"] {
        if status.get(field).is_none_or(Value::is_null) {
            get::copy(status, before, field);
        }
    }
    if get::number(status, "observedGeneration") == 0 && get::number(before, "observedGeneration") != 0 {
        get::copy(status, before, "observedGeneration");
    }
    condition_generations(status, before);
    drop_disabled(status);
}

/// A condition without a generation keeps that of the old condition of its type, one for one.
fn condition_generations(status: &mut Value, before: &Value) {
    let mut known: Vec<(&str, i64)> = get::list(before, "conditions")
        .iter()
        .map(|old| (get::text(old, "type"), get::number(old, "observedGeneration")))
        .collect();
    for condition in get::list_mut(status, "conditions") {
        let Some(i) = known.iter().position(|(kind, _)| *kind == get::text(condition, "type")) else { continue };
        let (_, generation) = known.remove(i);
        if get::number(condition, "observedGeneration") == 0 && generation != 0 {
            get::set(condition, "observedGeneration", generation);
        }
    }
}

/// Fields of features that are off in 1.37.
fn drop_disabled(status: &mut Value) {
    get::remove(status, "nodeAllocatableResourceClaimStatuses");
    get::remove(status, "volumeHealth");
    for list in CONTAINER_STATUSES {
        for container in get::list_mut(status, list) {
            for mount in get::list_mut(container, "volumeMounts") {
                get::remove(mount, "volumeStatus");
            }
        }
    }
}

/// `ValidatePodStatusUpdate`.
pub(super) fn validate(new: &Value, old: &Value, errors: &mut Errors) {
    leniently(new, old, errors, |options, errors| annotation_updates(new, old, options, errors));
    let (spec, old_spec) = (get::at(new, "spec"), get::at(old, "spec"));
    let (status, before) = (get::at(new, "status"), get::at(old, "status"));
    let path = Path::new("status");
    conditions(status, &path, errors);
    if get::text(spec, "nodeName") != get::text(old_spec, "nodeName") {
        errors.forbidden(&path.child("nodeName"), "may not be changed directly");
    }
    nominated_node(status, before, old_spec, &path.child("nominatedNodeName"), errors);
    if get::number(status, "observedGeneration") < 0 {
        errors.invalid(
            &path.child("observedGeneration"),
            get::number(status, "observedGeneration"),
            "must be a non-negative integer",
        );
    }
    if get::text(status, "qosClass") != get::text(before, "qosClass") {
        errors.invalid_named(&path.child("qosClass"), get::text(status, "qosClass"), number::IMMUTABLE);
    }
    for (field, list) in [
        ("containerStatuses", Some("containers")),
        ("initContainerStatuses", Some("initContainers")),
        ("ephemeralContainerStatuses", None),
    ] {
        no_way_back(status, before, field, list, old_spec, &path.child(field), errors);
    }
    claim_statuses(status, spec, &path.child("resourceClaimStatuses"), errors);
    extended_claim(status, spec, &path.child("extendedResourceClaimStatus"), errors);
    pod_ips(status, before, &path.child("podIPs"), errors);
    host_ips(status, before, &path.child("hostIPs"), errors);
    for field in CONTAINER_STATUSES {
        users(status, field, spec, &path.child(field), errors);
    }
    for (field, list) in [("containerStatuses", "containers"), ("initContainerStatuses", "initContainers")] {
        allocated(status, field, get::list(spec, list), &path.child(field), errors);
    }
    let list = path.child("ephemeralContainerStatuses");
    for (i, container) in get::list(status, "ephemeralContainerStatuses").iter().enumerate() {
        if !get::list(container, "allocatedResourcesStatus").is_empty() {
            errors.forbidden(&list.index(i).child("allocatedResourcesStatus"), "must not be specified in container status");
        }
    }
}

fn conditions(status: &Value, path: &Path, errors: &mut Errors) {
    let list = path.child("conditions");
    for (i, condition) in get::list(status, "conditions").iter().enumerate() {
        let path = list.index(i);
        let generation = get::number(condition, "observedGeneration");
        if generation < 0 {
            errors.invalid(&path.child("observedGeneration"), generation, "must be a non-negative integer");
        }
        let kind = get::text(condition, "type");
        if !["PodScheduled", "Ready", "Initialized"].contains(&kind) {
            text::qualified_name(kind, &path.child("Type"), errors);
        }
    }
}

fn nominated_node(status: &Value, before: &Value, old_spec: &Value, path: &Path, errors: &mut Errors) {
    let node = get::text(status, "nominatedNodeName");
    if node.is_empty() || node == get::text(before, "nominatedNodeName") {
        return;
    }
    text::dns_subdomain(node, path, errors);
    if !get::text(old_spec, "nodeName").is_empty() {
        errors.forbidden(path, "may not be set on pods that are already bound to a node");
    }
}

/// A container that ended and is not to be restarted stays ended.
fn no_way_back(status: &Value, before: &Value, field: &str, list: Option<&str>, spec: &Value, path: &Path, errors: &mut Errors) {
    if list.is_some() && restarts_all(spec) {
        return;
    }
    for (i, old) in get::list(before, field).iter().enumerate() {
        let Some(ended) = get::object(get::at(old, "state"), "terminated") else { continue };
        let name = get::text(old, "name");
        let back = |new: &&Value| get::text(new, "name") == name && get::object(get::at(new, "state"), "terminated").is_none();
        if get::list(status, field).iter().find(back).is_none() {
            continue;
        }
        let container = list.and_then(|list| get::list(spec, list).iter().find(|container| get::text(container, "name") == name));
        if !container.is_some_and(|container| should_restart(container, spec, get::number(ended, "exitCode"))) {
            errors.forbidden(&path.index(i).child("state"), NOT_BACK);
        }
    }
}

/// `AllContainersCouldRestart`.
fn restarts_all(spec: &Value) -> bool {
    ["initContainers", "containers"]
        .iter()
        .flat_map(|list| get::list(spec, list))
        .flat_map(|container| get::list(container, "restartPolicyRules"))
        .any(|rule| get::text(rule, "action") == "RestartAllContainers")
}

/// `ContainerShouldRestart`: the rules that match, the container's policy, the pod's policy.
fn should_restart(container: &Value, spec: &Value, exit_code: i64) -> bool {
    let by_policy = |policy: &str| match policy {
        "OnFailure" => exit_code != 0,
        "Never" => false,
        _ => true,
    };
    let Some(own) = get::string(container, "restartPolicy") else { return by_policy(get::text(spec, "restartPolicy")) };
    let matching = get::list(container, "restartPolicyRules").iter().find(|rule| rule_matches(rule, exit_code));
    if matching.is_some_and(|rule| ["Restart", "RestartAllContainers"].contains(&get::text(rule, "action")))
        || is_sidecar(container)
    {
        return true;
    }
    by_policy(own)
}

fn rule_matches(rule: &Value, exit_code: i64) -> bool {
    let Some(codes) = get::object(rule, "exitCodes") else { return false };
    let listed = get::list(codes, "values").iter().any(|value| value.as_i64() == Some(exit_code));
    match get::text(codes, "operator") {
        "In" => listed,
        "NotIn" => !listed,
        _ => false,
    }
}

fn claim_statuses(status: &Value, spec: &Value, list: &Path, errors: &mut Errors) {
    let statuses = get::list(status, "resourceClaimStatuses");
    let claims: HashSet<&str> = get::list(spec, "resourceClaims").iter().map(|claim| get::text(claim, "name")).collect();
    for (i, (entry, is_repeated)) in statuses.iter().zip(get::repeated(statuses, "name")).enumerate() {
        let path = list.index(i);
        let name = get::text(entry, "name");
        if !claims.contains(name) {
            errors.invalid(&path.child("name"), name, "must match the name of an entry in `spec.resourceClaims`");
        }
        if is_repeated {
            errors.duplicate(&path.child("name"), name);
        }
        if let Some(claim) = get::string(entry, "resourceClaimName") {
            errors.spelt(Spelling::Json, |errors| text::dns_subdomain(claim, &path.child("resourceClaimName"), errors));
        }
    }
}

/// `validatePodExtendedResourceClaimStatus`.
fn extended_claim(status: &Value, spec: &Value, path: &Path, errors: &mut Errors) {
    let Some(claim) = get::object(status, "extendedResourceClaimStatus") else { return };
    let list = path.child("requestMappings");
    let mappings = get::list(claim, "requestMappings");
    if mappings.is_empty() {
        errors.required(&list, "at least one request mapping is required");
    }
    let key =
        |mapping: &Value| ["containerName", "resourceName", "requestName"].map(|field| get::text(mapping, field).to_owned());
    for (i, (mapping, is_repeated)) in mappings.iter().zip(repeats(mappings.iter().map(key))).enumerate() {
        let path_of = list.index(i);
        let [container, resource, request] = key(mapping);
        let containers = get::list(spec, "containers").iter().rev().chain(get::list(spec, "initContainers").iter().rev());
        match containers.into_iter().find(|known| get::text(known, "name") == container) {
            None => errors.invalid(
                &path_of.child("containerName"),
                container.as_str(),
                "must match the name of an entry in spec.initContainers.name or spec.containers.name",
            ),
            Some(known) if get::at(known, "resources.requests").get(&resource).is_none() => errors.invalid(
                &path_of.child("resourceName"),
                resource.as_str(),
                "must match the extended resource name of an entry in spec.initContainers.resources.requests or spec.containers.resources.requests",
            ),
            Some(_) => {}
        }
        text::dns_label(&request, &path.child("requestName"), errors);
        if is_repeated {
            for (field, value) in [("containerName", container), ("resourceName", resource), ("requestName", request)] {
                errors.duplicate(&path_of.child(field), value);
            }
        }
    }
    let name = get::text(claim, "resourceClaimName");
    if name.is_empty() {
        errors.required(&path.child("resourceClaimName"), "");
    } else {
        text::dns_subdomain(name, &path.child("resourceClaimName"), errors);
    }
}

/// Addresses of one list: each valid or kept, no two of one family.
fn addresses(status: &Value, before: &Value, field: &str, path: &Path, errors: &mut Errors) {
    let kept: Vec<&str> = get::list(before, field).iter().map(|entry| get::text(entry, "ip")).collect();
    let list = get::list(status, field);
    for (i, entry) in list.iter().enumerate() {
        ip::legacy(get::text(entry, "ip"), &kept, &path.index(i), errors);
    }
    if list.len() <= 1 {
        return;
    }
    let mut texts = list.iter().map(|entry| get::text(entry, "ip")).enumerate();
    if let Some((i, text)) = texts.find(|(_, text)| ip::parse_sloppy(text).is_none()) {
        errors.internal(path, format!("failed to check for dual stack with error:invalid IP[{i}]: {text}"));
    }
    if !is_dual_stack(list) {
        errors.invalid(path, shown(status, field), "may specify no more than one IP for each IP family");
    }
}

fn shown(status: &Value, field: &str) -> Value {
    super::super::rules::internal::show_each(get::at(status, field), super::super::rules::internal::POD_IP)
}

fn pod_ips(status: &Value, before: &Value, path: &Path, errors: &mut Errors) {
    addresses(status, before, "podIPs", path, errors);
    let (single, first) = (get::text(status, "podIP"), get::list(status, "podIPs").first());
    match first {
        Some(first) if !single.is_empty() => {
            let first = get::text(first, "ip");
            if first != single {
                errors.invalid(&path.index(0).child("ip"), first, "must be equal to `podIP`");
            }
        }
        None if single.is_empty() => {}
        _ => errors.invalid(path, shown(status, "podIPs"), "podIP and podIPs must either both be set or both be unset"),
    }
}

fn host_ips(status: &Value, before: &Value, path: &Path, errors: &mut Errors) {
    let Some(first) = get::list(status, "hostIPs").first() else { return };
    let first = get::text(first, "ip");
    if first != get::text(status, "hostIP") {
        errors.invalid(&path.index(0).child("ip"), first, "must be equal to `hostIP`");
    }
    addresses(status, before, "hostIPs", path, errors);
}

/// `validateContainerStatusUsers`.
fn users(status: &Value, field: &str, spec: &Value, list: &Path, errors: &mut Errors) {
    let os = get::string(get::at(spec, "os"), "name").unwrap_or("linux");
    for (i, container) in get::list(status, field).iter().enumerate() {
        let Some(user) = get::object(get::at(container, "user"), "linux") else { continue };
        let path = list.index(i);
        let path = path.child("user.linux");
        if os == "windows" {
            errors.forbidden(&path, "cannot be set for a windows pod");
        }
        if os != "linux" {
            continue;
        }
        let uid = get::number(user, "uid");
        if !(0..=i64::from(u32::MAX)).contains(&uid) {
            errors.invalid(&path.child("uid"), uid, name::inclusive_range_error(0, u32::MAX.into()));
        }
        text::user_id(Some(get::number(user, "gid")), &path.child("gid"), errors);
        let groups = path.child("supplementalGroups");
        for (g, group) in get::list(user, "supplementalGroups").iter().enumerate() {
            text::user_id(group.as_i64(), &groups.index(g), errors);
        }
    }
}

/// `validateContainerStatusAllocatedResourcesStatus`.
fn allocated(status: &Value, field: &str, containers: &[Value], list: &Path, errors: &mut Errors) {
    for (i, entry) in get::list(status, field).iter().enumerate() {
        let path = list.index(i);
        let resources = path.child("allocatedResourcesStatus");
        let container = containers.iter().find(|container| get::text(container, "name") == get::text(entry, "name"));
        for (j, resource) in get::list(entry, "allocatedResourcesStatus").iter().enumerate() {
            let path = resources.index(j);
            let name = get::text(resource, "name");
            if let Some(detail) = container.and_then(|container| unknown_resource(name, container, status)) {
                errors.invalid_named(&path.child("name"), name, detail);
            }
            health(resource, &path.child("resources"), errors);
        }
    }
}

fn unknown_resource(name: &str, container: &Value, status: &Value) -> Option<&'static str> {
    const CLAIM: &str = "must match one of the container's resource claims as 'claim:<claimName>/<requestName>' when container.resources.claims[*].request is set or 'claim:<claimName>' when it is empty";
    let resources = get::at(container, "resources");
    let Some(claim) = name.strip_prefix("claim:") else {
        let known = get::at(resources, "requests").get(name).is_some();
        return (!known).then_some("must match one of the container's resource requests");
    };
    let own = get::list(resources, "claims").iter().any(|known| {
        let (known, request) = (get::text(known, "name"), get::text(known, "request"));
        if request.is_empty() { claim == known } else { claim == format!("{known}/{request}") }
    });
    (!own && !is_extended_claim(claim, container, status)).then_some(CLAIM)
}

fn is_extended_claim(claim: &str, container: &Value, status: &Value) -> bool {
    let Some((name, request)) = claim.split_once('/').filter(|(name, request)| !name.is_empty() && !request.is_empty()) else {
        return false;
    };
    let extended = get::at(status, "extendedResourceClaimStatus");
    // Names of resources have dots, which would lead elsewhere in a path.
    let requests = get::at(container, "resources.requests");
    get::text(extended, "resourceClaimName") == name
        && get::list(extended, "requestMappings").iter().any(|mapping| {
            get::text(mapping, "containerName") == get::text(container, "name")
                && get::text(mapping, "requestName") == request
                && requests.get(get::text(mapping, "resourceName")).is_some_and(|requested| !amount(requested).is_zero())
        })
}

fn health(resource: &Value, list: &Path, errors: &mut Errors) {
    /// Longest message about a device's health, in bytes.
    const MESSAGE_BYTES_MAX: usize = 1024;
    let devices = get::list(resource, "resources");
    for (k, device) in devices.iter().enumerate() {
        let path = list.index(k);
        text::one_of(get::text(device, "health"), &["Healthy", "Unhealthy", "Unknown"], &path.child("health"), errors);
        match get::string(device, "message") {
            Some("") => errors.required(&path.child("message"), "must be non-empty if specified"),
            Some(message) if message.len() > MESSAGE_BYTES_MAX => errors.too_long(&path.child("message"), MESSAGE_BYTES_MAX),
            _ => {}
        }
        let id = get::text(device, "resourceID");
        if devices[..k].iter().any(|earlier| get::text(earlier, "resourceID") == id) {
            errors.duplicate_named(&path.child("resourceID"), id);
        }
    }
}
