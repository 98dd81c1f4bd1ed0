//! What is shown to a registry: what `docker login` wrote down, or what a program says that keeps it (a credential helper).
//! Sends nothing. Forms: <https://docs.docker.com/reference/cli/docker/login/>,
//! <https://github.com/docker/docker-credential-helpers>.

mod helper;

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use model::Value;

/// What Docker's own registry is called in these files.
const DOCKER_KEY: &str = "https://index.docker.io/v1/";

/// What is known for one registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Credentials {
    /// `name:password`, in base64 as a header carries it.
    Password(String),
    /// A token for which whoever gives tokens gives one that the registry takes (OAuth2's refresh token).
    Identity(String),
}

impl Credentials {
    fn password(name: &str, password: &str) -> Self {
        Self::Password(BASE64_STANDARD.encode(format!("{name}:{password}")))
    }
}

/// What a file of credentials has for a registry, or the helper that it names; nothing where nobody knows any. Blocks.
pub(super) fn read(file: Option<&Path>, registry: &str) -> Result<Option<Credentials>, String> {
    let Some(file) = file else { return Ok(None) };
    let failed = |why: &dyn std::fmt::Display| format!("credentials {}: {why}", file.display());
    let text = match fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(&error)),
    };
    let config: Value = serde_json::from_slice(&text).map_err(|error| failed(&error))?;
    if let Some(name) = helper(&config, registry) {
        let key = if registry == "docker.io" { DOCKER_KEY } else { registry };
        if let Some(kept) = helper::ask(name, key).map_err(|why| failed(&why))? {
            return Ok(Some(kept));
        }
    }
    Ok(written(&config, registry))
}

/// The helper for a registry: its own, or the one for all.
fn helper<'c>(config: &'c Value, registry: &str) -> Option<&'c str> {
    let own = names(registry).iter().find_map(|name| config.get("credHelpers")?.get(name.as_str())).and_then(Value::as_str);
    own.or_else(|| config.get("credsStore").and_then(Value::as_str)).filter(|name| !name.is_empty())
}

/// What stands in the file itself.
fn written(config: &Value, registry: &str) -> Option<Credentials> {
    let auths = config.get("auths")?;
    let entry = names(registry).iter().find_map(|name| auths.get(name.as_str()))?;
    let text = |field: &str| entry.get(field).and_then(Value::as_str).filter(|text| !text.is_empty());
    match (text("identitytoken"), text("auth"), text("username"), text("password")) {
        (Some(token), ..) => Some(Credentials::Identity(token.to_owned())),
        (_, Some(auth), ..) => Some(Credentials::Password(auth.to_owned())),
        (_, None, Some(name), Some(password)) => Some(Credentials::password(name, password)),
        _ => None,
    }
}

/// What a registry is called in these files.
fn names(registry: &str) -> Vec<String> {
    let docker = (registry == "docker.io").then(|| DOCKER_KEY.to_owned());
    [registry.to_owned(), format!("https://{registry}")].into_iter().chain(docker).collect()
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    #[test]
    fn each_registry_has_its_own() {
        let config = json!({"auths": {"a.example": {"auth": "eDp5"}, "b.example:5000": {"username": "x", "password": "y"},
            "https://index.docker.io/v1/": {"auth": "ZDpk"}, "c.example": {"auth": "PHRva2VuPjo=", "identitytoken": "t"}}});
        let password = |text: &str| Some(Credentials::Password(text.to_owned()));
        assert_eq!(written(&config, "a.example"), password("eDp5"));
        assert_eq!(written(&config, "b.example:5000"), password("eDp5"));
        assert_eq!(written(&config, "docker.io"), password("ZDpk"));
        assert_eq!(written(&config, "c.example"), Some(Credentials::Identity("t".to_owned())));
        assert_eq!(written(&config, "b.example"), None);
        assert_eq!(written(&json!({}), "a.example"), None);
        assert_eq!(read(None, "a.example"), Ok(None));
    }

    #[test]
    fn a_registrys_own_helper_goes_before_the_one_for_all() {
        let config = json!({"credsStore": "all", "credHelpers": {"a.example": "own"}});
        assert_eq!((helper(&config, "a.example"), helper(&config, "b.example")), (Some("own"), Some("all")));
        assert_eq!(helper(&json!({"auths": {}}), "a.example"), None);
    }
}
