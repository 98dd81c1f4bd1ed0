//! Services draw traffic for foreign addresses only where that is wanted: `spec.externalIPs` lets whoever may write a
//! Service take over an address of somebody else's.

use std::net::IpAddr;

use gatehouse_policy::prelude::*;
use workload::network::Network;
use workload::nullable;

/// The policy.
pub struct ExternalIps;

/// What a binding sets.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, crate = "gatehouse_policy::serde")]
#[schemars(crate = "gatehouse_policy::schemars")]
pub struct Settings {
    /// Networks whose addresses a Service may name, such as `203.0.113.0/24`; none when left out.
    #[serde(default)]
    networks: Vec<String>,
}

/// The part of a Service that the policy reads.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
pub struct Service {
    spec: Option<Spec>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
struct Spec {
    #[serde(rename = "externalIPs", default, deserialize_with = "nullable")]
    external_ips: Vec<String>,
}

impl Policy for ExternalIps {
    const ABOUT: About = About {
        name: "external-ips",
        version: env!("CARGO_PKG_VERSION"),
        description: "Services may name only those external addresses that the binding allows; none without it.",
        reads: &["spec.externalIPs"],
        writes: &[],
        rules: &[("external-ip", "The address must lie in one of the networks.")],
    };
    const READS_REQUEST: &'static [RequestPart] = &[];
    type Settings = Settings;
    type Object = Service;

    fn check(settings: &Settings, problems: &mut Verdict) {
        for (n, network) in settings.networks.iter().enumerate() {
            if Network::parse(network).is_none() {
                let message = format!("\"{network}\" is no network, such as 203.0.113.0/24");
                problems.violation("settings", format!("networks[{n}]"), message);
            }
        }
    }
}

impl Validator for ExternalIps {
    fn validate(settings: &Settings, review: &Review<Service>, verdict: &mut Verdict) {
        let Some(Service { spec: Some(spec) }) = &review.object else { return };
        let networks: Vec<Network> = settings.networks.iter().filter_map(|network| Network::parse(network)).collect();
        for (n, address) in spec.external_ips.iter().enumerate() {
            let is_allowed = |address: IpAddr| networks.iter().any(|network| network.contains(address));
            if !address.parse().is_ok_and(is_allowed) {
                let allowed = if networks.is_empty() { "none is".to_owned() } else { settings.networks.join(", ") };
                let message = format!("the address {address} is not allowed; allowed: {allowed}");
                verdict.violation("external-ip", format!("spec.externalIPs[{n}]"), message);
            }
        }
    }
}

gatehouse_policy::validator!(ExternalIps);

#[cfg(test)]
mod tests {
    #[test]
    fn cases() {
        gatehouse_policy::cases::validator::<super::ExternalIps>(concat!(env!("CARGO_MANIFEST_DIR"), "/cases"));
    }
}
