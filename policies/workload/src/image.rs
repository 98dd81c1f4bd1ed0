//! The images that a Pod has, and what the name of one says: registry, repository, tag, digest. Asks no registry.

use std::fmt;

use gatehouse_policy::serde::Deserialize;

use crate::{Place, each, nullable};

/// Where an image comes from when its name does not say.
const DEFAULT_REGISTRY: &str = "docker.io";
/// What it is called too.
const INDEX: &str = "index.docker.io";
/// Where its own images lie, whose names do not say it.
const OFFICIAL: &str = "library";

/// The images of a Pod: those that its containers run, and those that it mounts as volumes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
pub struct Images {
    #[serde(default, deserialize_with = "nullable")]
    init_containers: Vec<Container>,
    #[serde(default, deserialize_with = "nullable")]
    containers: Vec<Container>,
    #[serde(default, deserialize_with = "nullable")]
    ephemeral_containers: Vec<Container>,
    #[serde(default, deserialize_with = "nullable")]
    volumes: Vec<Volume>,
}

#[derive(Debug, Deserialize)]
#[serde(crate = "gatehouse_policy::serde")]
struct Container {
    #[serde(default)]
    image: String,
}

#[derive(Debug, Deserialize)]
#[serde(crate = "gatehouse_policy::serde")]
struct Volume {
    image: Option<Mounted>,
}

#[derive(Debug, Deserialize)]
#[serde(crate = "gatehouse_policy::serde")]
struct Mounted {
    #[serde(default)]
    reference: String,
}

/// The field that names an image: `containers[0].image`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field(Place, &'static str);

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

impl Images {
    /// Every image that is named, with its field. Without a name the API refuses it, or takes it from elsewhere.
    pub fn each(&self) -> impl Iterator<Item = (Field, &str)> {
        let run = each(&self.init_containers, &self.containers, &self.ephemeral_containers);
        let run = run.map(|(place, container)| (Field(place, "image"), container.image.as_str()));
        let mounted = self.volumes.iter().enumerate().filter_map(|(index, volume)| {
            let image = volume.image.as_ref()?;
            Some((Field(Place { list: "volumes", index }, "image.reference"), image.reference.as_str()))
        });
        run.chain(mounted).filter(|(_, name)| !name.is_empty())
    }
}

/// An image's name, taken apart as container runtimes do.
#[derive(Debug, PartialEq, Eq)]
pub struct Image<'a> {
    /// Host and port.
    pub registry: &'a str,
    /// The path there; `library/` of `docker.io` is left out.
    pub repository: &'a str,
    /// The tag, when one is named.
    pub tag: Option<&'a str>,
    /// The digest, when one is named: `sha256:…`.
    pub digest: Option<&'a str>,
}

impl<'a> Image<'a> {
    /// Takes a name apart.
    pub fn parse(name: &'a str) -> Self {
        let (rest, digest) = name.split_once('@').map_or((name, None), |(rest, digest)| (rest, Some(digest)));
        // No repository has capitals: a runtime takes `Evil/tool` from the host `Evil`.
        let is_host = |word: &str| word.contains(['.', ':']) || word == "localhost" || word.contains(char::is_uppercase);
        let (registry, path) = match rest.split_once('/') {
            Some((host, path)) if is_host(host) => (registry(host), path),
            _ => (DEFAULT_REGISTRY, rest),
        };
        let (repository, tag) = match path.rsplit_once(':') {
            Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
            _ => (path, None),
        };
        let repository = unofficial(registry, repository);
        Self { registry, repository, tag, digest }
    }

    /// Whether it lies below a prefix such as `registry.example.com/shop`: whole path segments, never part of one, so that
    /// `registry.example.com` does not let `registry.example.com.evil.org` in.
    pub fn is_below(&self, prefix: &str) -> bool {
        let prefix = prefix.trim_end_matches('/');
        let (host, path) = prefix.split_once('/').unwrap_or((prefix, ""));
        let host = registry(host);
        let below = |rest: &str| rest.is_empty() || rest.starts_with('/');
        self.registry == host
            && match unofficial(host, path) {
                "" => true,
                OFFICIAL if host == DEFAULT_REGISTRY => !self.repository.contains('/'),
                path => self.repository.strip_prefix(path).is_some_and(below),
            }
    }
}

/// A registry by the name that is its own.
fn registry(host: &str) -> &str {
    if host == INDEX { DEFAULT_REGISTRY } else { host }
}

/// A path without what the names of official images leave out.
fn unofficial<'a>(registry: &str, path: &'a str) -> &'a str {
    let bare = path.strip_prefix(OFFICIAL).and_then(|rest| rest.strip_prefix('/'));
    bare.filter(|bare| registry == DEFAULT_REGISTRY && !bare.contains('/')).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        for (name, registry, repository, tag, digest) in [
            ("nginx", "docker.io", "nginx", None, None),
            ("nginx:1.29", "docker.io", "nginx", Some("1.29"), None),
            ("shop/web:v1", "docker.io", "shop/web", Some("v1"), None),
            ("localhost/web", "localhost", "web", None, None),
            ("Evil/tool", "Evil", "tool", None, None),
            ("docker.io/library/nginx:1.29", "docker.io", "nginx", Some("1.29"), None),
            ("index.docker.io/shop/web", "docker.io", "shop/web", None, None),
            ("reg.example/library/web", "reg.example", "library/web", None, None),
            ("reg.example:5000/a/b", "reg.example:5000", "a/b", None, None),
            ("reg.example:5000/a/b:v1@sha256:00", "reg.example:5000", "a/b", Some("v1"), Some("sha256:00")),
        ] {
            assert_eq!(Image::parse(name), Image { registry, repository, tag, digest }, "{name}");
        }
    }

    #[test]
    fn a_pod_has_images_in_containers_and_in_volumes() {
        let spec = r#"{"initContainers": null, "containers": [{"image": "a"}, {"image": ""}], "ephemeralContainers": [{"image": "b"}],
            "volumes": [{"emptyDir": {}}, {"image": {"reference": "c"}}, {"image": {}}]}"#;
        let images: Images = serde_json::from_str(spec).unwrap();
        let found: Vec<_> = images.each().map(|(field, name)| format!("{field}={name}")).collect();
        assert_eq!(found, ["containers[0].image=a", "ephemeralContainers[0].image=b", "volumes[1].image.reference=c"]);
    }

    #[test]
    fn a_prefix_ends_at_a_segment() {
        let below = |name: &str, prefix: &str| Image::parse(name).is_below(prefix);
        assert!(below("reg.example/shop/web", "reg.example/shop/") && below("reg.example/shop", "reg.example"));
        assert!(!below("reg.example/shopping", "reg.example/shop") && !below("reg.example.evil.org/shop", "reg.example"));
        assert!(below("nginx", "docker.io") && !below("nginx", "docker.io/shop"));
        for name in ["nginx", "docker.io/library/nginx", "index.docker.io/nginx"] {
            let prefixes = ["docker.io/library", "docker.io/library/nginx", "docker.io/nginx", "index.docker.io"];
            assert!(prefixes.iter().all(|prefix| below(name, prefix)), "{name}");
        }
        assert!(!below("shop/nginx", "docker.io/library") && !below("Evil/tool", "docker.io"));
    }
}
