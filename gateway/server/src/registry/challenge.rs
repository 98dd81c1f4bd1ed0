//! What a registry demands that a client shows: `WWW-Authenticate` with Basic or Bearer. Asks nobody for a token.
//! Protocol: <https://distribution.github.io/distribution/spec/auth/token/> and `oauth/` beside it.

/// One demand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// A name and a password.
    Basic,
    /// A token that somebody else gives.
    Bearer {
        /// Who gives it.
        realm: String,
        /// For whom, and what for.
        query: String,
    },
}

impl Challenge {
    /// Reads the header.
    pub(super) fn parse(header: &str) -> Option<Self> {
        let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let parameters = parameters(rest);
        let get =
            |name: &str| parameters.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str());
        let query = ["service", "scope"].iter().filter_map(|name| Some(format!("{name}={}", model::query::encode(get(name)?))));
        Some(Self::Bearer { realm: get("realm")?.to_owned(), query: query.collect::<Vec<_>>().join("&") })
    }
}

/// What is sent for an identity token, which is good for more than one registry, in return for one that this registry takes.
pub(super) fn form(identity: &str, query: &str) -> String {
    format!("grant_type=refresh_token&client_id=gatehouse&refresh_token={}&{query}", model::query::encode(identity))
}

/// `a="b c",d=e`; a comma between quotes separates nothing.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text.trim();
    while let Some((name, after)) = rest.split_once('=') {
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => after.split_once(',').unwrap_or((after, "")),
        };
        found.push((name.trim().to_owned(), value.trim().to_owned()));
        rest = after.trim_start_matches([',', ' ']);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read() {
        let bearer = r#"Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull,push""#;
        let realm = "https://auth.example/token".to_owned();
        let query = "service=registry.example&scope=repository:a/b:pull,push".to_owned();
        assert_eq!(Challenge::parse(bearer), Some(Challenge::Bearer { realm, query }));
        assert_eq!(Challenge::parse("Basic realm=\"x\""), Some(Challenge::Basic));
        assert_eq!(Challenge::parse("Negotiate"), None);
        assert_eq!(Challenge::parse("Bearer service=\"x\""), None);
        assert_eq!(form("a+b", "scope=x"), "grant_type=refresh_token&client_id=gatehouse&refresh_token=a%2Bb&scope=x");
    }
}
