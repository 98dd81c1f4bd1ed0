//! What the name of an image says: registry, repository, tag, digest. Asks no registry.

/// Where an image comes from when its name does not say.
const DEFAULT_REGISTRY: &str = "docker.io";

/// An image's name, taken apart as container runtimes do.
#[derive(Debug, PartialEq, Eq)]
pub struct Image<'a> {
    /// Host and port.
    pub registry: &'a str,
    /// The path there; `library/` is left out.
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
        let is_host = |word: &str| word.contains(['.', ':']) || word == "localhost";
        let (registry, path) = match rest.split_once('/') {
            Some((host, path)) if is_host(host) => (host, path),
            _ => (DEFAULT_REGISTRY, rest),
        };
        let (repository, tag) = match path.rsplit_once(':') {
            Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
            _ => (path, None),
        };
        Self { registry, repository, tag, digest }
    }

    /// Whether it lies below a prefix such as `registry.example.com/shop`: whole path segments, never part of one, so that
    /// `registry.example.com` does not let `registry.example.com.evil.org` in.
    pub fn is_below(&self, prefix: &str) -> bool {
        let (registry, path) = prefix.trim_end_matches('/').split_once('/').unwrap_or((prefix.trim_end_matches('/'), ""));
        let below = |rest: &str| rest.is_empty() || rest.starts_with('/');
        self.registry == registry && (path.is_empty() || self.repository.strip_prefix(path).is_some_and(below))
    }
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
            ("reg.example:5000/a/b", "reg.example:5000", "a/b", None, None),
            ("reg.example:5000/a/b:v1@sha256:00", "reg.example:5000", "a/b", Some("v1"), Some("sha256:00")),
        ] {
            assert_eq!(Image::parse(name), Image { registry, repository, tag, digest }, "{name}");
        }
    }

    #[test]
    fn a_prefix_ends_at_a_segment() {
        let below = |name: &str, prefix: &str| Image::parse(name).is_below(prefix);
        assert!(below("reg.example/shop/web", "reg.example/shop/") && below("reg.example/shop", "reg.example"));
        assert!(!below("reg.example/shopping", "reg.example/shop") && !below("reg.example.evil.org/shop", "reg.example"));
        assert!(below("nginx", "docker.io") && !below("nginx", "docker.io/shop"));
    }
}
