//! Defaults of a pod's spec that depend on its other fields. Unconditional ones are rows of `data/types.txt`.
//! Follows `pkg/apis/core/v1/defaults.go`.

use model::Value;
use model::json::json;

use super::super::rules::get;
use super::super::rules::resource::{round_requirements, round_up};
use super::visit_containers_mut;

/// Fields of a volume that are no source.
const NO_SOURCE: &str = "name";

/// What every spec gets, in a pod as in a template.
pub(crate) fn spec(spec: &mut Value) {
    service_account(spec);
    get::list_mut(spec, "volumes").iter_mut().for_each(volume);
    visit_containers_mut(spec, &mut |container| {
        pull_policy(container, "image", "imagePullPolicy");
        if let Some(resources) = container.get_mut("resources") {
            round_requirements(resources);
        }
    });
    if let Some(resources) = spec.get_mut("resources") {
        round_requirements(resources);
    }
    round_up(spec, "overhead");
}

/// `serviceAccount` is the old name of `serviceAccountName`, which wins.
fn service_account(spec: &mut Value) {
    let (name, old) = (get::text(spec, "serviceAccountName"), get::text(spec, "serviceAccount"));
    let chosen = if name.is_empty() { old } else { name }.to_owned();
    if !chosen.is_empty() {
        get::set(spec, "serviceAccountName", chosen.as_str());
        get::set(spec, "serviceAccount", chosen);
    }
}

fn volume(volume: &mut Value) {
    let has_source =
        volume.as_object().is_some_and(|map| map.iter().any(|(field, value)| field != NO_SOURCE && value.is_object()));
    if !has_source {
        get::set(volume, "emptyDir", json!({}));
    }
    if let Some(image) = volume.get_mut("image") {
        pull_policy(image, "reference", "pullPolicy");
    }
    if let Some(resources) = volume.pointer_mut("/ephemeral/volumeClaimTemplate/spec/resources") {
        round_requirements(resources);
    }
}

/// `Always` for the tag `latest`, given or implied; `IfNotPresent` otherwise, also for what is no image name.
fn pull_policy(holder: &mut Value, image: &str, policy: &str) {
    if get::text(holder, policy).is_empty() {
        let latest = tag(get::text(holder, image)) == Some("latest");
        get::set(holder, policy, if latest { "Always" } else { "IfNotPresent" });
    }
}

/// The tag of an image reference, `latest` when it has neither tag nor digest; `None` for a digest alone or what is no
/// reference. Follows `distribution/reference` as far as it matters here.
fn tag(image: &str) -> Option<&str> {
    let (name, digest) = image.split_once('@').map_or((image, None), |(name, digest)| (name, Some(digest)));
    let (name, tag) = match name.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (name, None),
    };
    if is_identifier(image)
        || !is_repository(name)
        || tag.is_some_and(|tag| !is_tag(tag))
        || digest.is_some_and(|digest| !is_digest(digest))
    {
        return None;
    }
    match (tag, digest) {
        (Some(tag), _) => Some(tag),
        (None, Some(_)) => None,
        (None, None) => Some("latest"),
    }
}

/// Hex digits alone, as many as a digest has, name no image.
fn is_identifier(image: &str) -> bool {
    const IDENTIFIER_DIGITS: usize = 64;
    image.len() == IDENTIFIER_DIGITS && image.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn is_repository(name: &str) -> bool {
    /// Longest path of a repository within its registry, in bytes.
    const PATH_BYTES_MAX: usize = 255;
    /// Where the default registry has what is named by one word.
    const OFFICIAL: &str = "library/";
    let (domain, path) = match name.split_once('/') {
        Some((first, rest))
            if first.contains(['.', ':']) || first == "localhost" || first.bytes().any(|b| b.is_ascii_uppercase()) =>
        {
            (Some(first), rest)
        }
        _ => (None, name),
    };
    let is_default = domain.is_none_or(|domain| matches!(domain, "docker.io" | "index.docker.io"));
    let before = if is_default && !path.contains('/') { OFFICIAL.len() } else { 0 };
    before + path.len() <= PATH_BYTES_MAX && domain.is_none_or(is_domain) && path.split('/').all(is_path_component)
}

fn is_domain(domain: &str) -> bool {
    let (host, port) = match domain.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (domain, None),
    };
    let is_label = |label: &str| {
        let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
        edge(label.as_bytes().first())
            && edge(label.as_bytes().last())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let is_address = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .is_some_and(|v6| v6.bytes().all(|b| b.is_ascii_hexdigit() || b == b':'));
    (is_address || host.split('.').all(is_label))
        && port.is_none_or(|port| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()))
}

/// Lower-case words joined by `.`, `_`, `__` or any number of dashes.
fn is_path_component(component: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = component.as_bytes();
    let edges = bytes.first().zip(bytes.last()).is_some_and(|(first, last)| is_word(*first) && is_word(*last));
    edges
        && component
            .split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            .all(|joint| matches!(joint, "" | "." | "_" | "__") || joint.bytes().all(|b| b == b'-'))
}

fn is_tag(tag: &str) -> bool {
    /// Longest tag, in bytes.
    const TAG_BYTES_MAX: usize = 128;
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    tag.len() <= TAG_BYTES_MAX
        && tag.bytes().next().is_some_and(is_word)
        && tag.bytes().all(|b| is_word(b) || b == b'.' || b == b'-')
}

fn is_digest(digest: &str) -> bool {
    let Some((algorithm, hex)) = digest.split_once(':') else { return false };
    let digits = match algorithm {
        "sha256" => 64,
        "sha384" => 96,
        "sha512" => 128,
        _ => return false,
    };
    hex.len() == digits && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// What pods get beyond [`spec`], and templates do not.
pub(crate) fn pod(pod: &mut Value) {
    let Some(spec) = pod.get_mut("spec") else { return };
    if get::int(spec, "terminationGracePeriodSeconds").is_some_and(|grace_s| grace_s < 0) {
        get::set(spec, "terminationGracePeriodSeconds", 1);
    }
    get::default(spec, "enableServiceLinks", true);
    let host_network = get::is(spec, "hostNetwork");
    for list in ["containers", "initContainers"] {
        for container in get::list_mut(spec, list) {
            requests_from_limits(container);
            if host_network {
                host_ports(container);
            }
        }
    }
    if let Some(status) = pod.get_mut("status") {
        pod_ips(status);
    }
}

fn requests_from_limits(container: &mut Value) {
    let Some(resources) = container.get_mut("resources") else { return };
    let Some(limits) = resources.get("limits").and_then(Value::as_object).filter(|limits| !limits.is_empty()).cloned() else {
        return;
    };
    if let Some(requests) = get::object_mut(resources, "requests") {
        for (name, limit) in limits {
            requests.entry(name).or_insert(limit);
        }
    }
}

fn host_ports(container: &mut Value) {
    for port in get::list_mut(container, "ports") {
        if get::number(port, "hostPort") == 0 && get::number(port, "containerPort") != 0 {
            get::set(port, "hostPort", get::number(port, "containerPort"));
        }
    }
}

/// `SetDefaults_PodStatus`: `podIP` is the first of `podIPs`, and wins where they differ.
fn pod_ips(status: &mut Value) {
    let single = get::text(status, "podIP").to_owned();
    let first = get::list(status, "podIPs").first().map(|entry| get::text(entry, "ip").to_owned());
    match first {
        Some(first) if single.is_empty() => get::set(status, "podIP", first),
        first if !single.is_empty() && first.as_deref() != Some(single.as_str()) => {
            get::set(status, "podIPs", json!([{"ip": single}]))
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_images() {
        let digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        for (image, expected) in [
            ("nginx", Some("latest")),
            ("nginx:latest", Some("latest")),
            ("nginx:1.27", Some("1.27")),
            ("localhost:5000/a/b", Some("latest")),
            ("registry.example.com:5000/a/b:v1", Some("v1")),
            ("Bad Image", None),
            ("UPPER", None),
            ("foo__bar--baz/x", Some("latest")),
            ("foo___bar", None),
            ("", None),
        ] {
            assert_eq!(tag(image), expected, "{image}");
        }
        for (image, is_read) in [
            ("a".repeat(247), true),
            ("a".repeat(248), false),
            (format!("docker.io/{}", "a".repeat(248)), false),
            (format!("a/{}", "a".repeat(253)), true),
            (format!("a/{}", "a".repeat(254)), false),
            (format!("registry.example.com:5000/{}", "a".repeat(255)), true),
            (format!("registry.example.com:5000/{}", "a".repeat(256)), false),
            ("a".repeat(64), false),
        ] {
            assert_eq!(tag(&image).is_some(), is_read, "{image}");
        }
        assert_eq!(tag(&format!("{}:v1", "a".repeat(64))), Some("v1"), "only digits alone are an identifier");
        assert_eq!(tag(&format!("nginx@{digest}")), None);
        assert_eq!(tag(&format!("nginx:latest@{digest}")), Some("latest"));
    }

    #[test]
    fn a_pod_gets_requests_ports_and_addresses() {
        let mut value = json!({
            "spec": {
                "hostNetwork": true,
                "serviceAccount": "old",
                "terminationGracePeriodSeconds": -1,
                "volumes": [{"name": "a"}, {"name": "b", "secret": {}}],
                "containers": [{"image": "a:1", "ports": [{"containerPort": 80}], "resources": {"limits": {"cpu": "1500u", "memory": "1Gi"}, "requests": {"memory": "1Mi"}}}],
            },
            "status": {"podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.2"}]},
        });
        spec(&mut value["spec"]);
        pod(&mut value);
        assert_eq!(
            value,
            json!({
                "spec": {
                    "hostNetwork": true,
                    "serviceAccount": "old",
                    "terminationGracePeriodSeconds": 1,
                    "volumes": [{"name": "a", "emptyDir": {}}, {"name": "b", "secret": {}}],
                    "containers": [{
                        "image": "a:1",
                        "ports": [{"containerPort": 80, "hostPort": 80}],
                        "resources": {"limits": {"cpu": "2m", "memory": "1Gi"}, "requests": {"memory": "1Mi", "cpu": "2m"}},
                        "imagePullPolicy": "IfNotPresent",
                    }],
                    "serviceAccountName": "old",
                    "enableServiceLinks": true,
                },
                "status": {"podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}]},
            })
        );
    }
}
