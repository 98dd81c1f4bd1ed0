//! What a namespace's labels say of the Pod Security Standards: which one is enforced, audited and warned of, in which version.
//! Judges no pod. Follows `k8s.io/pod-security-admission/api/helpers.go`.

use std::fmt;

use model::Value;
use model::field::{Errors, Path};
use model::meta;

/// Why a level is none.
pub(super) const LEVELS: &str = "must be one of privileged, baseline, restricted";
/// Why a version is none.
pub(super) const VERSIONS: &str = "must be \"latest\" or \"v1.x\"";
/// Prefix of the labels, and of the audit annotations.
pub(super) const PREFIX: &str = "pod-security.kubernetes.io/";

/// A standard, from what allows everything to what allows least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Privileged,
    Baseline,
    Restricted,
}

impl Level {
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "privileged" => Some(Self::Privileged),
            "baseline" => Some(Self::Baseline),
            "restricted" => Some(Self::Restricted),
            _ => None,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Privileged => "privileged",
            Self::Baseline => "baseline",
            Self::Restricted => "restricted",
        }
    }
}

/// The minor version whose checks are meant; none means the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Version(Option<i64>);

impl Version {
    pub(super) const LATEST: Self = Self(None);

    pub(super) fn parse(text: &str) -> Option<Self> {
        if text == "latest" {
            return Some(Self::LATEST);
        }
        let minor = text.strip_prefix("v1.")?;
        let is_plain =
            !minor.is_empty() && minor.bytes().all(|b| b.is_ascii_digit()) && (minor.len() == 1 || !minor.starts_with('0'));
        minor.parse().ok().filter(|_| is_plain).map(|minor| Self(Some(minor)))
    }

    /// The minor version, past all of them for the latest.
    pub(super) fn minor(self) -> i64 {
        self.0.unwrap_or(i64::MAX)
    }
}

/// A standard in a version. Prints as `restricted:latest`, `baseline:v1.24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standard {
    pub(super) level: Level,
    pub(super) version: Version,
}

impl Standard {
    const PRIVILEGED: Self = Self { level: Level::Privileged, version: Version::LATEST };

    /// A standard by the words of labels; for tests.
    #[cfg(test)]
    pub(super) fn of(level: &str, version: &str) -> Self {
        Self { level: Level::parse(level).unwrap(), version: Version::parse(version).unwrap() }
    }

    pub(super) fn is_privileged(self) -> bool {
        self.level == Level::Privileged
    }
}

impl fmt::Display for Standard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.version.0 {
            None => write!(f, "{}:latest", self.level.as_str()),
            Some(minor) => write!(f, "{}:v1.{minor}", self.level.as_str()),
        }
    }
}

/// What is asked of the pods of a namespace; nothing by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Policy {
    pub(super) enforce: Standard,
    pub(super) audit: Standard,
    pub(super) warn: Standard,
}

impl Default for Policy {
    fn default() -> Self {
        Self { enforce: Standard::PRIVILEGED, audit: Standard::PRIVILEGED, warn: Standard::PRIVILEGED }
    }
}

impl Policy {
    /// Reads the labels of a namespace; where they say nothing these defaults hold. There always is a policy: what is malformed
    /// counts as the strictest where it is enforced, and as nothing where it is only told.
    pub(super) fn of(namespace: &Value, defaults: Self) -> (Self, Errors) {
        let mut read = Labels { namespace, errors: Errors::new() };
        let mut policy = defaults;
        let enforced = read.level("enforce", &mut policy.enforce, Level::Restricted);
        read.version("enforce-version", &mut policy.enforce);
        read.level("audit", &mut policy.audit, Level::Privileged);
        read.version("audit-version", &mut policy.audit);
        let warned = read.level("warn", &mut policy.warn, Level::Privileged);
        let warned_version = read.version("warn-version", &mut policy.warn);
        // Who is to keep to a standard is warned of it too, unless somebody chose another.
        if warned == Said::Nothing && enforced == Said::Well && policy.enforce.level > policy.warn.level {
            policy.warn.level = policy.enforce.level;
            if warned_version == Said::Nothing {
                policy.warn.version = policy.enforce.version;
            }
        }
        (policy, read.errors)
    }

    /// The standards that labels name and that allow less than everything, for a namespace where none of them counts:
    /// `enforce=restricted:latest, warn=baseline:v1.30`. Nothing where that is what holds anyway.
    pub(super) fn ignored(&self, namespace: &Value, defaults: &Self) -> Option<String> {
        let modes = [
            ("enforce", self.enforce, defaults.enforce),
            ("audit", self.audit, defaults.audit),
            ("warn", self.warn, defaults.warn),
        ];
        let is_same = |one: Standard, other: Standard| one == other || one.is_privileged() && other.is_privileged();
        if self.is_privileged() || modes.iter().all(|(_, one, other)| is_same(*one, *other)) {
            return None;
        }
        let has = |mode: &str| meta::label(namespace, &format!("{PREFIX}{mode}")).is_some();
        let is_said = |mode: &str| has(mode) || has(&format!("{mode}-version"));
        let said = modes.iter().filter(|(mode, standard, _)| !standard.is_privileged() && is_said(mode));
        Some(said.map(|(mode, standard, _)| format!("{mode}={standard}")).collect::<Vec<_>>().join(", "))
    }

    pub(super) fn is_privileged(&self) -> bool {
        self.enforce.is_privileged() && self.audit.is_privileged() && self.warn.is_privileged()
    }
}

/// Whether a label is there, and can be understood.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    Nothing,
    Badly,
    Well,
}

struct Labels<'a> {
    namespace: &'a Value,
    errors: Errors,
}

impl Labels<'_> {
    fn level(&mut self, mode: &str, of: &mut Standard, malformed: Level) -> Said {
        let (said, level) = self.read(mode, Level::parse, LEVELS);
        of.level = level.unwrap_or(if said == Said::Badly { malformed } else { of.level });
        said
    }

    fn version(&mut self, mode: &str, of: &mut Standard) -> Said {
        let (said, version) = self.read(mode, Version::parse, VERSIONS);
        of.version = version.unwrap_or(if said == Said::Badly { Version::LATEST } else { of.version });
        said
    }

    fn read<T>(&mut self, mode: &str, parse: fn(&str) -> Option<T>, why: &str) -> (Said, Option<T>) {
        let label = format!("{PREFIX}{mode}");
        let Some(value) = meta::label(self.namespace, &label) else { return (Said::Nothing, None) };
        if let Some(parsed) = parse(value) {
            return (Said::Well, Some(parsed));
        }
        self.errors.invalid(&Path::new("metadata").child("labels").key(&label), value, why);
        (Said::Badly, None)
    }
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    fn told(labels: Value) -> (String, Vec<String>) {
        let labels: Vec<_> = labels.as_object().unwrap().iter().map(|(k, v)| (format!("{PREFIX}{k}"), v.clone())).collect();
        let (policy, errors) = Policy::of(&json!({"metadata": {"labels": model::Map::from_iter(labels)}}), Policy::default());
        let Policy { enforce, audit, warn } = policy;
        (format!("{enforce} {audit} {warn}"), errors.0.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn what_is_enforced_is_warned_of_unless_chosen_otherwise() {
        for (labels, expected) in [
            (json!({}), "privileged:latest privileged:latest privileged:latest"),
            (json!({"enforce": "baseline"}), "baseline:latest privileged:latest baseline:latest"),
            (json!({"enforce": "baseline", "enforce-version": "v1.9"}), "baseline:v1.9 privileged:latest baseline:v1.9"),
            (
                json!({"enforce": "restricted", "enforce-version": "v1.9", "warn-version": "v1.0"}),
                "restricted:v1.9 privileged:latest restricted:v1.0",
            ),
            (json!({"enforce": "restricted", "warn": "privileged"}), "restricted:latest privileged:latest privileged:latest"),
            (json!({"enforce-version": "v1.9", "audit": "baseline"}), "privileged:v1.9 baseline:latest privileged:latest"),
        ] {
            assert_eq!(told(labels.clone()), (expected.to_owned(), vec![]), "{labels}");
        }
    }

    #[test]
    fn what_labels_do_not_say_holds_by_default() {
        let defaults = Policy { enforce: Standard::of("baseline", "v1.30"), ..Policy::default() };
        let label = |name: &str, value: &str| json!({"metadata": {"labels": {(format!("{PREFIX}{name}")): value}}});
        let of = |namespace: &Value| Policy::of(namespace, defaults).0;
        assert_eq!(of(&label("audit", "restricted")).enforce, defaults.enforce);
        assert_eq!(of(&label("enforce", "restricted")).enforce.to_string(), "restricted:v1.30");
        assert_eq!(of(&label("enforce-version", "latest")).enforce.to_string(), "baseline:latest");
        let ignored = |namespace: &Value| of(namespace).ignored(namespace, &defaults);
        assert_eq!(ignored(&label("audit", "restricted")).as_deref(), Some("audit=restricted:latest"));
        assert_eq!(ignored(&label("enforce-version", "v1.30")), None);
    }

    #[test]
    fn malformed_labels_are_told_and_count_as_the_strictest() {
        let (policy, errors) = told(json!({"warn-version": "x", "enforce": "odd", "audit": "Baseline"}));
        assert_eq!(policy, "restricted:latest privileged:latest privileged:latest");
        let level = "must be one of privileged, baseline, restricted";
        assert_eq!(
            errors,
            [
                format!("metadata.labels[{PREFIX}enforce]: Invalid value: \"odd\": {level}"),
                format!("metadata.labels[{PREFIX}audit]: Invalid value: \"Baseline\": {level}"),
                format!("metadata.labels[{PREFIX}warn-version]: Invalid value: \"x\": must be \"latest\" or \"v1.x\""),
            ]
        );
        for bad in ["v1", "v1.", "v1.01", "v2.1", "1.37", "", "v1.+7", "v1.99999999999999999999"] {
            assert_eq!(told(json!({"enforce-version": bad})).1.len(), 1, "{bad}");
        }
        for good in ["latest", "v1.0", "v1.37", "v1.100"] {
            assert_eq!(told(json!({"enforce-version": good})).1, [""; 0], "{good}");
        }
    }
}
