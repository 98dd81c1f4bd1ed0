//! Every host that an Ingress serves is served over TLS.

use gatehouse_policy::prelude::*;

/// The policy.
pub struct IngressTls;

/// What a binding sets.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, crate = "gatehouse_policy::serde")]
#[schemars(crate = "gatehouse_policy::schemars")]
pub struct Settings {
    /// Hosts that may be served without, each with all that is below it, such as `internal.example.com`.
    #[serde(default)]
    exempt_hosts: Vec<String>,
}

/// The part of an Ingress that the policy reads.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
pub struct Ingress {
    spec: Option<Spec>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
struct Spec {
    default_backend: Option<Value>,
    rules: Option<Vec<Rule>>,
    tls: Option<Vec<Tls>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
struct Rule {
    #[serde(default)]
    host: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
struct Tls {
    hosts: Option<Vec<String>>,
}

impl Policy for IngressTls {
    const ABOUT: About = About {
        name: "ingress-tls",
        version: env!("CARGO_PKG_VERSION"),
        description: "Every host of an Ingress must be covered by its TLS section, and a default backend needs one.",
        reads: &["spec.defaultBackend", "spec.rules[*].host", "spec.tls"],
        writes: &[],
        rules: &[("tls-required", "The host must be named under spec.tls.")],
    };
    const READS_REQUEST: &'static [RequestPart] = &[];
    type Settings = Settings;
    type Object = Ingress;
}

impl Validator for IngressTls {
    fn validate(settings: &Settings, review: &Review<Ingress>, verdict: &mut Verdict) {
        let Some(Ingress { spec: Some(spec) }) = &review.object else { return };
        let certified: Vec<&String> = spec.tls.iter().flatten().flat_map(|tls| tls.hosts.iter().flatten()).collect();
        // It answers every host that no rule names.
        if spec.default_backend.is_some() && spec.tls.iter().flatten().next().is_none() {
            verdict.violation("tls-required", "spec.defaultBackend", "a default backend must be served over TLS; add spec.tls");
        }
        for (n, Rule { host }) in spec.rules.iter().flatten().enumerate() {
            let is_exempt = settings.exempt_hosts.iter().any(|exempt| is_below(host, exempt));
            if is_exempt || certified.iter().any(|pattern| covers(pattern, host)) {
                continue;
            }
            let message = match host.as_str() {
                "" => "a rule for every host cannot be served over TLS; name the host".to_owned(),
                host => format!("the host {host} must be named under spec.tls"),
            };
            verdict.violation("tls-required", format!("spec.rules[{n}].host"), message);
        }
    }
}

/// Whether a certificate's name covers a host; `*` stands for one label.
fn covers(pattern: &str, host: &str) -> bool {
    let below = |suffix: &str| host.split_once('.').is_some_and(|(_, rest)| rest == suffix);
    !host.is_empty() && (pattern == host || pattern.strip_prefix("*.").is_some_and(below))
}

fn is_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

gatehouse_policy::validator!(IngressTls);

#[cfg(test)]
mod tests {
    #[test]
    fn cases() {
        gatehouse_policy::cases::validator::<super::IngressTls>(concat!(env!("CARGO_MANIFEST_DIR"), "/cases"));
    }
}
