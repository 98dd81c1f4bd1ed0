//! Service. Upstream: `pkg/registry/core/service`, `pkg/apis/core/{v1/defaults.go,validation}`.
//! What a Service holds (addresses, node ports) is data in the store; see `service/{addresses,ports}.rs`.

use std::net::IpAddr;

use futures::future::BoxFuture;
use model::{Status, Value, World, meta};

use super::rules::{get, ip};
use super::{Begun, Change, Hooks, Selectable};

mod addresses;
pub mod allocation;
mod families;
mod port_map;
mod ports;
mod prepare;
mod validate;
mod warnings;

pub(super) const HOOKS: Hooks = Hooks {
    default: Some(prepare::default),
    prepare_create: Some(prepare::create),
    prepare_update: Some(prepare::update),
    validate: Some(validate::create),
    validate_update: Some(validate::update),
    validate_status: Some(validate::status),
    warnings: Some(warnings::warnings),
    warnings_status: Some(ip::load_balancer_warnings),
    begin: Some(begin),
    after_delete: Some(after_delete),
    selectable: &[
        Selectable { field: "spec.clusterIP", value: |object| get::text(spec(object), "clusterIP").to_owned() },
        Selectable { field: "spec.type", value: |object| get::text(spec(object), "type").to_owned() },
    ],
    ..Hooks::NONE
};

/// The value of `clusterIP` that means "no address".
const NONE: &str = "None";

fn spec(service: &Value) -> &Value {
    get::at(service, "spec")
}

fn kind_of(service: &Value) -> &str {
    get::text(spec(service), "type")
}

fn cluster_ips(service: &Value) -> Vec<&str> {
    get::strings(spec(service), "clusterIPs").collect()
}

fn ip_families(service: &Value) -> Vec<&str> {
    get::strings(spec(service), "ipFamilies").collect()
}

fn needs_cluster_ip(service: &Value) -> bool {
    kind_of(service) != "ExternalName"
}

fn is_headless(service: &Value) -> bool {
    cluster_ips(service) == [NONE]
}

fn has_node_ports(service: &Value) -> bool {
    matches!(kind_of(service), "NodePort" | "LoadBalancer")
}

fn is_externally_accessible(service: &Value) -> bool {
    has_node_ports(service) || (kind_of(service) == "ClusterIP" && !get::list(spec(service), "externalIPs").is_empty())
}

fn needs_health_check(service: &Value) -> bool {
    kind_of(service) == "LoadBalancer" && get::text(spec(service), "externalTrafficPolicy") == "Local"
}

fn family_of(ip: &str) -> &'static str {
    match super::rules::ip::parse_sloppy(ip) {
        Some(IpAddr::V6(_)) => "IPv6",
        _ => "IPv4",
    }
}

fn begin<'a>(world: &'a dyn World, change: Change<'a>) -> BoxFuture<'a, Result<Begun, Status>> {
    Box::pin(async move {
        let Change { new, old, dry_run } = change;
        prepare::forget_internal_traffic(new);
        let ranges = addresses::ranges(world).await?;
        families::settle(new, old, &addresses::families(&ranges))?;
        let addresses = addresses::allocate(world, new, old, &ranges, dry_run).await?;
        let ports = match ports::allocate(world, new, old, dry_run).await {
            Ok(ports) => ports,
            Err(status) => {
                addresses::release(world, &addresses.allocated, &addresses.holder).await;
                return Err(status);
            }
        };
        if dry_run {
            return Ok(Begun::default());
        }
        let (failed_addresses, failed_ports) = (addresses.allocated, ports.allocated);
        let (old_addresses, old_ports, holder) = (addresses.obsolete, ports.obsolete, addresses.holder);
        let failed_holder = holder.clone();
        Ok(Begun {
            on_success: Some(Box::new(move |world| {
                Box::pin(async move {
                    addresses::release(world, &old_addresses, &holder).await;
                    ports::release(world, &old_ports).await;
                })
            })),
            on_failure: Some(Box::new(move |world| {
                Box::pin(async move {
                    addresses::release(world, &failed_addresses, &failed_holder).await;
                    ports::release(world, &failed_ports).await;
                })
            })),
        })
    })
}

fn after_delete<'a>(world: &'a dyn World, service: &'a Value) -> BoxFuture<'a, ()> {
    Box::pin(async move {
        let holder = addresses::Holder::of(service);
        addresses::release(world, &addresses::held(service), &holder).await;
        ports::release(world, &ports::held(service)).await;
    })
}

fn invalid(service: &Value, errors: &model::field::Errors) -> Status {
    Status::invalid(&model::GroupKind { group: "".into(), kind: "Service".into() }, meta::name(service), errors)
}

#[cfg(test)]
#[path = "../../../model/testing/world.rs"]
mod world;

#[cfg(test)]
mod tests;
