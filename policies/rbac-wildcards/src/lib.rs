//! Roles name what they allow: a `*` grows with everything that is installed later.

use gatehouse_policy::prelude::*;

/// The policy.
pub struct RbacWildcards;

/// What a binding sets.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, crate = "gatehouse_policy::serde")]
#[schemars(crate = "gatehouse_policy::schemars")]
pub struct Settings {
    /// The fields of a rule in which `*` is refused; verbs and resources when left out.
    #[serde(default = "most")]
    fields: Vec<Field>,
}

/// A field of a rule.
#[derive(Clone, Copy, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
#[schemars(crate = "gatehouse_policy::schemars")]
pub enum Field {
    /// What may be done.
    Verbs,
    /// To which resources.
    Resources,
    /// Of which groups.
    ApiGroups,
    /// At which paths.
    #[serde(rename = "nonResourceURLs")]
    NonResourceUrls,
}

fn most() -> Vec<Field> {
    vec![Field::Verbs, Field::Resources]
}

/// The part of a Role that the policy reads.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
pub struct Role {
    rules: Option<Vec<Rule>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
struct Rule {
    verbs: Option<Vec<String>>,
    resources: Option<Vec<String>>,
    api_groups: Option<Vec<String>>,
    #[serde(rename = "nonResourceURLs")]
    non_resource_urls: Option<Vec<String>>,
}

impl Policy for RbacWildcards {
    const ABOUT: About = About {
        name: "rbac-wildcards",
        version: env!("CARGO_PKG_VERSION"),
        description: "Roles and ClusterRoles must name what they allow instead of writing *.",
        reads: &["rules"],
        writes: &[],
        rules: &[("wildcard", "The list must name what is meant.")],
    };
    const READS_REQUEST: &'static [RequestPart] = &[];
    type Settings = Settings;
    type Object = Role;
}

impl Validator for RbacWildcards {
    fn validate(settings: &Settings, review: &Review<Role>, verdict: &mut Verdict) {
        let Some(Role { rules: Some(rules) }) = &review.object else { return };
        for (n, rule) in rules.iter().enumerate() {
            for field in &settings.fields {
                let (name, listed) = match field {
                    Field::Verbs => ("verbs", &rule.verbs),
                    Field::Resources => ("resources", &rule.resources),
                    Field::ApiGroups => ("apiGroups", &rule.api_groups),
                    Field::NonResourceUrls => ("nonResourceURLs", &rule.non_resource_urls),
                };
                // `*/scale` and `/metrics/*` reach as far.
                for (i, item) in listed.iter().flatten().enumerate().filter(|(_, item)| item.contains('*')) {
                    let message = format!("\"{item}\" also allows what does not exist yet; name the {name} that are meant");
                    verdict.violation("wildcard", format!("rules[{n}].{name}[{i}]"), message);
                }
            }
        }
    }
}

gatehouse_policy::validator!(RbacWildcards);

#[cfg(test)]
mod tests {
    #[test]
    fn cases() {
        gatehouse_policy::cases::validator::<super::RbacWildcards>(concat!(env!("CARGO_MANIFEST_DIR"), "/cases"));
    }
}
