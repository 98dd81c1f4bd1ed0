//! What is shown to a registry: names and passwords as `docker login` writes them. Sends nothing.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use model::Value;

/// What Docker's own registry is called in these files.
const DOCKER_KEY: &str = "https://index.docker.io/v1/";

/// `name:password`, in base64 as a header carries it; nothing where the file knows none for the registry.
pub(super) fn read(file: Option<&Path>, registry: &str) -> Result<Option<String>, String> {
    let Some(file) = file else { return Ok(None) };
    let failed = |why: &dyn std::fmt::Display| format!("credentials {}: {why}", file.display());
    let text = match fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(&error)),
    };
    let config: Value = serde_json::from_slice(&text).map_err(|error| failed(&error))?;
    Ok(of(&config, registry))
}

fn of(config: &Value, registry: &str) -> Option<String> {
    let auths = config.get("auths")?;
    let names = [
        registry.to_owned(),
        format!("https://{registry}"),
        if registry == "docker.io" { DOCKER_KEY.to_owned() } else { String::new() },
    ];
    let entry = names.iter().find_map(|name| auths.get(name))?;
    let text = |field: &str| entry.get(field).and_then(Value::as_str).filter(|text| !text.is_empty());
    match (text("auth"), text("username"), text("password")) {
        (Some(auth), _, _) => Some(auth.to_owned()),
        (None, Some(name), Some(password)) => Some(BASE64_STANDARD.encode(format!("{name}:{password}"))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    #[test]
    fn each_registry_has_its_own() {
        let config = json!({"auths": {"a.example": {"auth": "eDp5"}, "b.example:5000": {"username": "x", "password": "y"},
            "https://index.docker.io/v1/": {"auth": "ZDpk"}}});
        assert_eq!(of(&config, "a.example").as_deref(), Some("eDp5"));
        assert_eq!(of(&config, "b.example:5000").as_deref(), Some("eDp5"));
        assert_eq!(of(&config, "docker.io").as_deref(), Some("ZDpk"));
        assert_eq!(of(&config, "b.example"), None);
        assert_eq!(of(&json!({}), "a.example"), None);
        assert_eq!(read(None, "a.example"), Ok(None));
    }
}
