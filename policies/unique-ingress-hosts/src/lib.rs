//! A host belongs to one Ingress: what another serves already is refused. Reads the Ingresses of the cluster.
//! Two that are made at the same moment may both pass: a policy reads what is stored, and stores nothing.

use gatehouse_policy::cluster;
use gatehouse_policy::prelude::*;

/// The policy.
pub struct UniqueIngressHosts;

/// What a binding sets.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, crate = "gatehouse_policy::serde")]
#[schemars(crate = "gatehouse_policy::schemars")]
pub struct Settings {
    /// Ingresses of one namespace may share a host, each with its own paths.
    #[serde(default)]
    shared_in_namespace: bool,
}

/// The part of an Ingress that the policy reads, of the one that is written and of the others.
#[derive(Deserialize)]
#[serde(crate = "gatehouse_policy::serde")]
pub struct Ingress {
    #[serde(default)]
    metadata: Metadata,
    spec: Option<Spec>,
}

#[derive(Default, Deserialize)]
#[serde(crate = "gatehouse_policy::serde")]
struct Metadata {
    #[serde(default)]
    name: String,
    #[serde(default)]
    namespace: String,
}

#[derive(Deserialize)]
#[serde(crate = "gatehouse_policy::serde")]
struct Spec {
    rules: Option<Vec<Rule>>,
}

#[derive(Deserialize)]
#[serde(crate = "gatehouse_policy::serde")]
struct Rule {
    #[serde(default)]
    host: String,
}

const INGRESSES: Resource = Resource { group: "networking.k8s.io", version: "v1", resource: "ingresses" };
/// What is read of the others.
const FIELDS: &[&str] = &["metadata.name", "metadata.namespace", "spec.rules[*].host"];

impl Policy for UniqueIngressHosts {
    const ABOUT: About = About {
        name: "unique-ingress-hosts",
        version: env!("CARGO_PKG_VERSION"),
        description: "A host may be served by one Ingress of the cluster.",
        reads: &["spec.rules[*].host"],
        writes: &[],
        rules: &[("host-unique", "The host must not be one that another Ingress serves.")],
    };
    const READS_REQUEST: &'static [RequestPart] = &[RequestPart::Name];
    type Settings = Settings;
    type Object = Ingress;
}

impl Validator for UniqueIngressHosts {
    fn validate(settings: &Settings, review: &Review<Ingress>, verdict: &mut Verdict) {
        // A host that was there before is not asked about again: whoever came later is to blame, not who edits a label.
        let before: Vec<&str> = review.old.iter().flat_map(Ingress::hosts).collect();
        let Some(ingress) = &review.object else { return };
        let new: Vec<(usize, &str)> =
            ingress.hosts().enumerate().filter(|(_, host)| !host.is_empty() && !before.contains(host)).collect();
        if new.is_empty() {
            return;
        }
        let all: Vec<Ingress> = match cluster::list(&INGRESSES, "", "", FIELDS) {
            Ok(all) => all,
            Err(why) => {
                verdict.cannot_judge(why);
                return;
            }
        };
        let (namespace, name) = (&review.request.namespace, &review.request.name);
        let others: Vec<&Ingress> = all
            .iter()
            .filter(|Ingress { metadata, .. }| match metadata.namespace == *namespace {
                true => !settings.shared_in_namespace && metadata.name != *name,
                false => true,
            })
            .collect();
        for (n, host) in new {
            if let Some(Ingress { metadata, .. }) = others.iter().find(|other| other.hosts().any(|served| served == host)) {
                let field = format!("spec.rules[{n}].host");
                let message =
                    format!("the host {host} is served by the Ingress {}/{} already", metadata.namespace, metadata.name);
                verdict.violation("host-unique", field, message);
            }
        }
    }
}

impl Ingress {
    /// Its hosts, empty for a rule about every host.
    fn hosts(&self) -> impl Iterator<Item = &str> {
        self.spec.iter().flat_map(|spec| spec.rules.iter().flatten()).map(|rule| rule.host.as_str())
    }
}

gatehouse_policy::validator!(UniqueIngressHosts);

#[cfg(test)]
mod tests {
    #[test]
    fn cases() {
        gatehouse_policy::cases::validator::<super::UniqueIngressHosts>(concat!(env!("CARGO_MANIFEST_DIR"), "/cases"));
    }
}
