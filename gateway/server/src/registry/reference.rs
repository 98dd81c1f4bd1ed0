//! What an artifact is called: registry, repository, a tag or a digest. Opens no connection.
//! Grammar: <https://github.com/distribution/reference>.

use std::fmt;

/// Characters of a tag.
const TAG_MAX: usize = 128;
const DIGEST_PREFIX: &str = "sha256:";
const DIGEST_HEX: usize = 64;

/// One artifact's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Host, and port where one is said.
    pub registry: String,
    /// Its repository there.
    pub repository: String,
    /// A tag, which may move.
    pub tag: Option<String>,
    /// The digest of its manifest.
    pub digest: Option<String>,
}

impl Reference {
    /// Reads a name. The registry must be said: what a bare name means differs from program to program.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| Err(format!("reference {text:?}: {why}"));
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (text, None),
        };
        let Some((registry, path)) = name.split_once('/') else {
            return wrong("registry and repository are needed: registry.example/policies/labels:1.0.0");
        };
        if !is_host(registry) {
            return wrong("it begins with no registry, such as registry.example or localhost:5000");
        }
        let (repository, tag) = match path.rsplit_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (path, None),
        };
        if !repository.split('/').all(is_component) {
            return wrong("the repository must be of lower-case letters, digits and separators");
        }
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return wrong("that is no tag");
        }
        if digest.is_some_and(|digest| !is_digest(digest)) {
            return wrong("the digest must be sha256: and 64 lower-case hexadecimal digits");
        }
        if tag.is_none() && digest.is_none() {
            return wrong("a tag or a digest is needed");
        }
        let owned = |text: &str| text.to_owned();
        Ok(Self { registry: owned(registry), repository: owned(repository), tag: tag.map(owned), digest: digest.map(owned) })
    }

    /// What a registry is asked for: the digest, or the tag where none is said.
    pub(super) fn name(&self) -> &str {
        self.digest.as_deref().or(self.tag.as_deref()).unwrap_or("latest")
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        self.tag.iter().try_for_each(|tag| write!(f, ":{tag}"))?;
        self.digest.iter().try_for_each(|digest| write!(f, "@{digest}"))
    }
}

/// A host has a dot, a port, or is this machine.
fn is_host(text: &str) -> bool {
    let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']');
    text.bytes().all(known) && (text.contains(['.', ':']) || text == "localhost")
}

fn is_component(text: &str) -> bool {
    let is_letter = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let known = |b: u8| is_letter(&b) || matches!(b, b'.' | b'_' | b'-');
    let ends = [text.as_bytes().first(), text.as_bytes().last()];
    text.bytes().all(known) && !text.contains("..") && ends.iter().all(|end| end.is_some_and(is_letter))
}

fn is_tag(text: &str) -> bool {
    let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    (1..=TAG_MAX).contains(&text.len()) && text.bytes().all(known) && !text.starts_with(['.', '-'])
}

/// Whether it is a digest of the one kind that is used.
pub(super) fn is_digest(text: &str) -> bool {
    let is_hex = |hex: &str| hex.len() == DIGEST_HEX && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    text.strip_prefix(DIGEST_PREFIX).is_some_and(is_hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_as_they_were_written() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        for text in [
            "registry.example/policies/labels:1.0.0".to_owned(),
            "localhost:5000/a@".to_owned() + &digest,
            "127.0.0.1:5000/a/b-c/d_e:v1@".to_owned() + &digest,
            "[::1]:5000/a:x".to_owned(),
        ] {
            assert_eq!(Reference::parse(&text).map(|reference| reference.to_string()), Ok(text));
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in [
            "",
            "labels",
            "policies/labels:1",
            "r.example/labels",
            "r.example/Labels:1",
            "r.example/a/../b:1",
            "r.example/a:",
            "r.example/a@sha256:0",
            "u@r.example/a:1",
            "r.example//a:1",
            "http://r.example/a:1",
        ] {
            assert!(Reference::parse(text).is_err(), "{text}");
        }
    }
}
