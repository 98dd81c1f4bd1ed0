//! Versions of the standards: `latest`, or the Kubernetes minor version whose checks are meant. Knows no check.

/// A version of the standards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// The newest checks there are.
    #[default]
    Latest,
    /// Those of a Kubernetes version 1.x.
    Minor(u32),
}

impl Version {
    /// Reads `latest` or `v1.x`.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "latest" {
            return Some(Self::Latest);
        }
        let minor = text.strip_prefix("v1.")?;
        let is_plain = minor.bytes().all(|b| b.is_ascii_digit()) && (minor == "0" || !minor.starts_with('0'));
        minor.parse().ok().filter(|_| is_plain).map(Self::Minor)
    }

    /// The minor version, past all of them for the latest.
    pub(crate) fn minor(self) -> u32 {
        match self {
            Self::Latest => u32::MAX,
            Self::Minor(minor) => minor,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Version;

    #[test]
    fn versions_are_those_that_upstream_reads() {
        for (text, expected) in [
            ("latest", Some(Version::Latest)),
            ("v1.0", Some(Version::Minor(0))),
            ("v1.37", Some(Version::Minor(37))),
            ("v1.07", None),
            ("v1.+7", None),
            ("1.37", None),
            ("v2.0", None),
            ("", None),
        ] {
            assert_eq!(Version::parse(text), expected, "{text}");
        }
    }
}
