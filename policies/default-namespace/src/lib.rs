//! The namespace `default` stays empty: what lies there was put there by forgetting to say where.

use gatehouse_policy::prelude::*;

/// The policy.
pub struct DefaultNamespace;

/// What a binding sets.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, crate = "gatehouse_policy::serde")]
#[schemars(crate = "gatehouse_policy::schemars")]
pub struct Settings {
    /// The namespaces that stay empty; `default` when left out.
    #[serde(default = "default_alone")]
    namespaces: Vec<String>,
}

fn default_alone() -> Vec<String> {
    vec!["default".to_owned()]
}

/// The policy looks at the request alone.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
pub struct Nothing {}

impl Policy for DefaultNamespace {
    const ABOUT: About = About {
        name: "default-namespace",
        version: env!("CARGO_PKG_VERSION"),
        description: "Nothing may be made in the namespace default, or in those that the binding names.",
        reads: &["metadata.name"],
        writes: &[],
        rules: &[("namespace-forbidden", "The object must lie in another namespace.")],
    };
    const READS_REQUEST: &'static [RequestPart] = &[];
    type Settings = Settings;
    type Object = Nothing;
}

impl Validator for DefaultNamespace {
    fn validate(settings: &Settings, review: &Review<Nothing>, verdict: &mut Verdict) {
        let namespace = &review.request.namespace;
        if review.request.operation == Operation::Create && settings.namespaces.contains(namespace) {
            let message = format!("nothing may be made in the namespace \"{namespace}\"; say where it belongs by -n");
            verdict.violation("namespace-forbidden", "metadata.namespace", message);
        }
    }
}

gatehouse_policy::validator!(DefaultNamespace);

#[cfg(test)]
mod tests {
    #[test]
    fn cases() {
        gatehouse_policy::cases::validator::<super::DefaultNamespace>(concat!(env!("CARGO_MANIFEST_DIR"), "/cases"));
    }
}
