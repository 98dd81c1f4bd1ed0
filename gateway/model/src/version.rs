//! The order of API versions by maturity. Follows `k8s.io/apimachinery/pkg/version/helpers.go`.

use std::cmp::Ordering;

/// How mature a version of the usual form is; later ones are more mature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Alpha,
    Beta,
    Stable,
}

/// Compares two versions: stable ones are greater than beta and alpha ones, `v2` than `v1`, whatever looks like a version
/// than what does not; of those that do not the one that comes first in the alphabet is the greater.
pub fn by_maturity(a: &str, b: &str) -> Ordering {
    match (parse(a), parse(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        (Some(_), None) => Ordering::Greater,
        (None, Some(_)) => Ordering::Less,
        (None, None) => b.cmp(a),
    }
}

/// `v1`, `v1beta2`, `v3alpha1`: stage, major, minor.
fn parse(text: &str) -> Option<(Stage, u64, u64)> {
    let rest = text.strip_prefix('v')?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (major, word) = (number(&rest[..end])?, &rest[end..]);
    let (stage, minor) = match word {
        "" => return Some((Stage::Stable, major, 0)),
        word => match (word.strip_prefix("alpha"), word.strip_prefix("beta")) {
            (Some(minor), _) => (Stage::Alpha, minor),
            (_, Some(minor)) => (Stage::Beta, minor),
            _ => return None,
        },
    };
    Some((stage, major, number(minor)?))
}

fn number(text: &str) -> Option<u64> {
    if text.starts_with('0') || !text.bytes().all(|b| b.is_ascii_digit()) { None } else { text.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_mature_comes_first() {
        let mut versions =
            ["v11alpha2", "foo1", "v3beta1", "v12alpha1", "foo10", "v10beta3", "v2", "v11beta2", "v10", "v1", "v0", "v1beta"];
        versions.sort_by(|a, b| by_maturity(b, a));
        assert_eq!(
            versions,
            ["v10", "v2", "v1", "v11beta2", "v10beta3", "v3beta1", "v12alpha1", "v11alpha2", "foo1", "foo10", "v0", "v1beta"]
        );
    }
}
