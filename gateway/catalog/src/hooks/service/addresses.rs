//! Cluster IPs are IPAddress objects, made before the Service that holds them; that one can be made only once is what
//! keeps an address from being given twice. Follows `pkg/registry/core/service/ipallocator`.

use std::net::IpAddr;

use model::field::{Errors, Path};
use model::json::json;
use model::world::DeleteOptions;
use model::{GroupVersionResource, Status, Value, World, meta};
use rand::Rng;

use super::super::rules::{get, ip};
use super::allocation::MANAGED_BY;
use super::families::is_unchanged_preference;
use super::{NONE, cluster_ips, invalid, ip_families, is_headless, needs_cluster_ip, spec};

/// Addresses looked at before a range counts as full: all of a /16, and enough for any larger range that is not.
const TRIED_MAX: u128 = 1 << 16;
const ALLOCATED: &str = "provided IP is already allocated";
const MISMATCHED: &str = "the provided network does not match the current range";

/// A range of a ServiceCIDR.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Range {
    network: IpAddr,
    bits: u32,
    /// First and last address that may be given, as numbers.
    first: u128,
    last: u128,
}

impl Range {
    /// Reads `10.0.0.0/24`; `None` when it is none, or has no room.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (network, bits) = text.split_once('/')?;
        let (network, bits): (IpAddr, u32) = (network.parse().ok()?, bits.parse().ok()?);
        let (number, width, spare) = match network {
            IpAddr::V4(v4) => (u128::from(u32::from(v4)), 32, 1),
            IpAddr::V6(v6) => (u128::from(v6), 128, 0),
        };
        let host_bits = u32::checked_sub(width, bits)?;
        let mask = if host_bits == 128 { u128::MAX } else { (1 << host_bits) - 1 };
        let base = number & !mask;
        // The network's own address is not given, nor is the broadcast address of IPv4.
        let (first, last) = (base.checked_add(1)?, (base | mask).checked_sub(spare)?);
        (first <= last).then_some(Self { network, bits, first, last })
    }

    fn text(&self) -> String {
        format!("{}/{}", self.network, self.bits)
    }

    fn family(&self) -> &'static str {
        if self.network.is_ipv4() { "IPv4" } else { "IPv6" }
    }

    fn address(&self, number: u128) -> IpAddr {
        match self.network {
            IpAddr::V4(_) => IpAddr::V4(u32::try_from(number).unwrap_or(u32::MAX).into()),
            IpAddr::V6(_) => IpAddr::V6(number.into()),
        }
    }

    fn contains(&self, address: IpAddr) -> bool {
        let number = match address {
            IpAddr::V4(v4) => u128::from(u32::from(v4)),
            IpAddr::V6(v6) => u128::from(v6),
        };
        address.is_ipv4() == self.network.is_ipv4() && (self.first..=self.last).contains(&number)
    }

    /// How many of the first addresses are left for those who ask for one by name: a sixteenth, 16 to 256.
    fn offset(&self) -> u128 {
        let size = self.last - self.first + 1;
        if size < 16 { 0 } else { (size / 16).clamp(16, 256) }
    }

    /// Addresses in the order in which they are tried: from a random place in the upper part, then in the lower.
    fn candidates(&self) -> impl Iterator<Item = IpAddr> + use<> {
        let (range, middle) = (*self, self.first + self.offset());
        let around = move |first: u128, end: u128| {
            let size = end.saturating_sub(first);
            let start = if size == 0 { 0 } else { rand::rng().random_range(0..size) };
            (0..size.min(TRIED_MAX)).map(move |i| range.address(first + (start + i) % size))
        };
        around(middle, range.last + 1).chain(around(range.first, middle))
    }
}

/// The ranges of all ServiceCIDRs that are not going away, the cluster's own first.
pub(super) async fn ranges(world: &dyn World) -> Result<Vec<Range>, Status> {
    let resource = GroupVersionResource::new("networking.k8s.io", "v1", "servicecidrs");
    let (mut objects, _) = world.list(&resource, "", "").await?;
    objects.retain(|object| meta::deletion_timestamp(object).is_none());
    objects.sort_by_key(|object| meta::name(object) != "kubernetes");
    Ok(objects.iter().flat_map(|object| get::strings(spec(object), "cidrs")).filter_map(Range::parse).collect())
}

/// The families of these ranges, each once.
pub(super) fn families(ranges: &[Range]) -> Vec<&'static str> {
    let mut families = Vec::new();
    for range in ranges {
        if !families.contains(&range.family()) {
            families.push(range.family());
        }
    }
    families
}

/// The Service that addresses are given to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Holder {
    namespace: String,
    name: String,
}

impl Holder {
    pub(super) fn of(service: &Value) -> Self {
        Self { namespace: meta::namespace(service).to_owned(), name: meta::name(service).to_owned() }
    }

    fn reference(&self) -> Value {
        json!({"group": "", "resource": "services", "namespace": self.namespace, "name": self.name})
    }

    /// The IPAddress that gives the Service an address.
    pub(super) fn address(&self, address: IpAddr) -> Value {
        let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
        json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "IPAddress",
            "metadata": {
                "name": address.to_string(),
                "labels": {"ipaddress.kubernetes.io/ip-family": family, MANAGED_BY.0: MANAGED_BY.1},
            },
            "spec": {"parentRef": self.reference()},
        })
    }

    fn holds(&self, address: &Value) -> bool {
        let parent = get::at(address, "spec.parentRef");
        get::text(parent, "resource") == "services"
            && get::text(parent, "namespace") == self.namespace
            && get::text(parent, "name") == self.name
    }
}

/// What an allocation changed.
#[derive(Debug, Default)]
pub(super) struct Allocation {
    pub(super) holder: Holder,
    /// Given for this write.
    pub(super) allocated: Vec<String>,
    /// Held by the old object and not by the new.
    pub(super) obsolete: Vec<String>,
}

/// The addresses that a Service holds.
pub(super) fn held(service: &Value) -> Vec<String> {
    if !needs_cluster_ip(service) || is_headless(service) {
        return Vec::new();
    }
    cluster_ips(service).into_iter().filter(|ip| !ip.is_empty()).map(str::to_owned).collect()
}

/// What becomes of the addresses of a Service.
enum Step {
    /// What it has, or has not, stays; if that is wrong, validation says so.
    Keep,
    /// It gets one for each of its families from this one on.
    Give(usize),
    /// It lets go of those of its families from this one on.
    Release(usize),
}

/// Follows `updateClusterIPs`.
fn step(new: &Value, old: Option<&Value>) -> Step {
    let Some(old) = old.filter(|old| needs_cluster_ip(old)) else {
        return if needs_cluster_ip(new) && !is_headless(new) { Step::Give(0) } else { Step::Keep };
    };
    if is_unchanged_preference(new, Some(old)) || is_headless(old) {
        return Step::Keep;
    }
    if !needs_cluster_ip(new) {
        return Step::Release(0);
    }
    match (ip_families(old).len(), ip_families(new).len()) {
        (1, 2) => Step::Give(1),
        (2, 1) => Step::Release(1),
        _ => Step::Keep,
    }
}

/// Gives the Service an address of each of its families, those that it names or any. Fails with 422 when a named one
/// cannot be had, 500 when there is none left; what was given by then is taken back.
pub(super) async fn allocate(
    world: &dyn World,
    new: &mut Value,
    old: Option<&Value>,
    ranges: &[Range],
    dry_run: bool,
) -> Result<Allocation, Status> {
    let mut allocation = Allocation { holder: Holder::of(new), ..Allocation::default() };
    let from = match step(new, old) {
        Step::Keep => return Ok(allocation),
        Step::Release(from) => {
            allocation.obsolete = old.map(held).unwrap_or_default().into_iter().skip(from).collect();
            return Ok(allocation);
        }
        Step::Give(from) => from,
    };
    let families: Vec<String> = ip_families(new).into_iter().map(str::to_owned).collect();
    let mut ips: Vec<String> = cluster_ips(new).into_iter().map(str::to_owned).collect();
    ips.resize(ips.len().max(families.len()), String::new());
    set(new, &ips);
    for (i, family) in families.iter().enumerate().skip(from) {
        match one(world, new, family, &ips[i], ranges, &allocation.holder, dry_run).await {
            Ok(address) => ips[i] = address,
            Err(status) => {
                release(world, &allocation.allocated, &allocation.holder).await;
                return Err(status);
            }
        }
        if !dry_run {
            allocation.allocated.push(ips[i].clone());
        }
    }
    set(new, &ips);
    Ok(allocation)
}

fn set(service: &mut Value, ips: &[String]) {
    if let Some(inner) = service.get_mut("spec") {
        get::set(inner, "clusterIP", ips.first().cloned().unwrap_or_default());
        get::set(inner, "clusterIPs", json!(ips));
    }
}

async fn one(
    world: &dyn World,
    new: &Value,
    family: &str,
    wanted: &str,
    ranges: &[Range],
    holder: &Holder,
    dry_run: bool,
) -> Result<String, Status> {
    if wanted.is_empty() {
        return any(world, new, family, ranges, holder, dry_run).await;
    }
    let range = ranges.iter().find(|range| range.family() == family).filter(|_| dry_run);
    let why = match ip::parse_sloppy(wanted).filter(|address| ranges.iter().any(|range| range.contains(*address))) {
        // A dry run asks one range of the family, who can say which it is.
        None => range.map_or_else(
            || MISMATCHED.to_owned(),
            |range| format!("the provided IP ({wanted}) is not in the valid range. The range of valid IPs is {}", range.text()),
        ),
        Some(_) if dry_run => return Ok(wanted.to_owned()),
        Some(address) => match take(world, address, holder).await {
            Ok(()) => return Ok(wanted.to_owned()),
            Err(status) if status.reason == "AlreadyExists" => ALLOCATED.to_owned(),
            Err(status) => status.message,
        },
    };
    let mut errors = Errors::new();
    errors.invalid(
        &Path::new("spec.clusterIPs"),
        get::raw(spec(new), "clusterIPs"),
        format!("failed to allocate IP {wanted}: {why}"),
    );
    Err(invalid(new, &errors))
}

async fn any(
    world: &dyn World,
    new: &Value,
    family: &str,
    ranges: &[Range],
    holder: &Holder,
    dry_run: bool,
) -> Result<String, Status> {
    let addresses = GroupVersionResource::new("networking.k8s.io", "v1", "ipaddresses");
    for range in ranges.iter().filter(|range| range.family() == family) {
        if dry_run {
            // Nothing is kept, so no particular address can be promised.
            return Ok(range.network.to_string());
        }
        let candidates: Vec<IpAddr> = range.candidates().take(usize::try_from(TRIED_MAX).unwrap_or(usize::MAX)).collect();
        for address in candidates {
            // Looking first is cheaper than being refused.
            if world.get(&addresses, "", &address.to_string()).await.is_ok() {
                continue;
            }
            match take(world, address, holder).await {
                Ok(()) => return Ok(address.to_string()),
                Err(status) if status.reason == "AlreadyExists" => {}
                Err(status) => {
                    let mut errors = Errors::new();
                    errors.invalid(
                        &Path::new("spec.clusterIPs"),
                        get::raw(spec(new), "clusterIPs"),
                        format!("failed to allocate IP: {}", status.message),
                    );
                    return Err(invalid(new, &errors));
                }
            }
        }
    }
    Err(Status::internal(format!(
        "failed to allocate a serviceIP for Service {}: range is full",
        model::field::quote(meta::name(new))
    )))
}

async fn take(world: &dyn World, address: IpAddr, holder: &Holder) -> Result<(), Status> {
    world
        .create(&GroupVersionResource::new("networking.k8s.io", "v1", "ipaddresses"), "", holder.address(address))
        .await
        .map(drop)
}

/// Gives addresses back; one that has gone to another Service meanwhile is left alone.
pub(super) async fn release(world: &dyn World, ips: &[String], holder: &Holder) {
    let resource = GroupVersionResource::new("networking.k8s.io", "v1", "ipaddresses");
    for text in ips.iter().filter(|ip| *ip != NONE) {
        let Some(address) = ip::parse_sloppy(text) else { continue };
        let name = address.to_string();
        let Ok(object) = world.get(&resource, "", &name).await else { continue };
        if !holder.holds(&object) {
            continue;
        }
        let options = DeleteOptions { uid: Some(meta::uid(&object).to_owned()), ..DeleteOptions::default() };
        if let Err(status) = world.delete(&resource, "", &name, options).await
            && status.code != 404
        {
            tracing::warn!(ip = %name, %status, "cannot release cluster ip; the repair will");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_leave_out_what_is_not_given() {
        let range = Range::parse("10.0.0.0/24").unwrap();
        assert!(range.contains("10.0.0.1".parse().unwrap()) && range.contains("10.0.0.254".parse().unwrap()));
        for out in ["10.0.0.0", "10.0.0.255", "10.0.1.1", "::1"] {
            assert!(!range.contains(out.parse().unwrap()), "{out}");
        }
        assert_eq!(range.offset(), 16);
        assert_eq!(Range::parse("10.96.0.0/12").unwrap().offset(), 256);
        assert_eq!(Range::parse("fd00::/112").unwrap().family(), "IPv6");
        assert!(Range::parse("10.0.0.0/32").is_none() && Range::parse("10.0.0.0/33").is_none() && Range::parse("x").is_none());
    }

    #[test]
    fn every_address_is_tried_once_and_low_ones_last() {
        let range = Range::parse("10.0.0.0/24").unwrap();
        let tried: Vec<IpAddr> = range.candidates().collect();
        assert_eq!(tried.len(), 254);
        let low = |address: &IpAddr| *address < "10.0.0.17".parse::<IpAddr>().unwrap();
        assert!(tried[..238].iter().all(|address| !low(address)) && tried[238..].iter().all(low));
        let mut sorted = tried;
        sorted.sort();
        sorted.dedup();
        assert_eq!(sorted.len(), 254);
    }
}
