//! Which IP families a Service has: what it asks for, made to agree with its addresses and with what the cluster has.
//! Follows `initIPFamilyFields`.

use model::field::{Errors, Path};
use model::json::json;
use model::{Status, Value};

use super::super::rules::get;
use super::{NONE, cluster_ips, family_of, invalid, ip_families, needs_cluster_ip, spec, validate};

/// Settles `ipFamilyPolicy` and `ipFamilies`. `configured` are the cluster's families, its first one first.
/// Fails with 422 when they contradict each other or the cluster.
pub(super) fn settle(new: &mut Value, old: Option<&Value>, configured: &[&'static str]) -> Result<(), Status> {
    if !needs_cluster_ip(new) || is_unchanged_preference(new, old) {
        return Ok(());
    }
    let selectorless = get::text(spec(new), "clusterIP") == NONE && get::entries(spec(new), "selector").next().is_none();
    let inherited = old.map(|old| get::text(spec(old), "ipFamilyPolicy").to_owned()).filter(|policy| !policy.is_empty());
    let Some(inner) = new.get_mut("spec") else { return Ok(()) };
    // Without a selector nobody knows what the endpoints will be.
    let fallback = if selectorless { "RequireDualStack" } else { "SingleStack" };
    get::default_pointer(inner, "ipFamilyPolicy", inherited.as_deref().unwrap_or(fallback));

    let mut errors = Errors::new();
    validate::cluster_ips_and_families(new, old, &mut errors);
    refuse(new, &errors)?;
    if let Some(old) = old {
        release(new, old);
    }
    agree(new, old, &mut errors);
    let families = infer(new, configured, &mut errors);
    refuse(new, &errors)?;
    let families = complete(new, families, selectorless, configured, &mut errors);
    refuse(new, &errors)?;
    if let Some(inner) = new.get_mut("spec") {
        get::set(inner, "ipFamilies", json!(families));
    }
    Ok(())
}

fn refuse(service: &Value, errors: &Errors) -> Result<(), Status> {
    if errors.is_empty() { Ok(()) } else { Err(invalid(service, errors)) }
}

/// A Service that prefers two families stays as it is when the cluster gains or loses one.
pub(super) fn is_unchanged_preference(new: &Value, old: Option<&Value>) -> bool {
    let Some(old) = old else { return false };
    let prefers = |service| get::text(spec(service), "ipFamilyPolicy") == "PreferDualStack";
    prefers(new)
        && prefers(old)
        && get::text(spec(new), "type") == get::text(spec(old), "type")
        && cluster_ips(new) == cluster_ips(old)
        && ip_families(new) == ip_families(old)
}

/// Asking for one family lets go of the second, unless the lists were changed too.
fn release(new: &mut Value, old: &Value) {
    if get::text(spec(new), "ipFamilyPolicy") != "SingleStack" {
        return;
    }
    for (field, is_same) in
        [("clusterIPs", cluster_ips(old) == cluster_ips(new)), ("ipFamilies", ip_families(old) == ip_families(new))]
    {
        let first = get::list(spec(new), field).first().cloned();
        let several = get::list(spec(new), field).len() > 1;
        if let (true, true, Some(first), Some(inner)) = (is_same, several, first, new.get_mut("spec")) {
            get::set(inner, field, json!([first]));
        }
    }
}

/// Whether the policy agrees with how many addresses and families are given.
fn agree(new: &Value, old: Option<&Value>, errors: &mut Errors) {
    let (path, policy) = (Path::new("spec.ipFamilyPolicy"), get::text(spec(new), "ipFamilyPolicy"));
    if policy == "SingleStack" {
        if cluster_ips(new).len() == 2 {
            errors.invalid(
                &path,
                policy,
                "must be 'RequireDualStack' or 'PreferDualStack' when multiple cluster IPs are specified",
            );
        }
        if ip_families(new).len() == 2 {
            errors.invalid(
                &path,
                policy,
                "must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified",
            );
        }
        return;
    }
    let Some(old) = old else { return };
    let reduced = |new: usize, old: usize| new != 0 && new < old;
    if reduced(cluster_ips(new).len(), cluster_ips(old).len()) {
        errors.invalid_named(&path, policy, "must be 'SingleStack' to release the secondary cluster IP");
    }
    if reduced(ip_families(new).len(), ip_families(old).len()) {
        errors.invalid_named(&path, policy, "must be 'SingleStack' to release the secondary IP family");
    }
}

/// The given families, and those of addresses beyond them.
fn infer(new: &Value, configured: &[&'static str], errors: &mut Errors) -> Vec<String> {
    let mut families: Vec<String> = ip_families(new).into_iter().map(str::to_owned).collect();
    let path = Path::new("spec.clusterIPs");
    for (i, ip) in cluster_ips(new).into_iter().enumerate() {
        if ip == NONE {
            break;
        }
        if i < families.len() {
            continue;
        }
        let family = family_of(ip);
        if configured.contains(&family) {
            families.push(family.to_owned());
        } else {
            errors.invalid(
                &path.index(i),
                get::raw(spec(new), "clusterIPs"),
                format!("{family} is not configured on this cluster"),
            );
        }
    }
    families
}

fn complete(
    new: &Value,
    mut families: Vec<String>,
    selectorless: bool,
    configured: &[&'static str],
    errors: &mut Errors,
) -> Vec<String> {
    let policy = get::text(spec(new), "ipFamilyPolicy");
    if !selectorless {
        if policy == "RequireDualStack" && configured.len() < 2 {
            errors.invalid(&Path::new("spec.ipFamilyPolicy"), policy, "this cluster is not configured for dual-stack services");
        }
        let path = Path::new("spec.ipFamilies");
        for (i, family) in families.iter().enumerate().filter(|(_, family)| !configured.contains(&family.as_str())) {
            errors.invalid_named(&path.index(i), family.as_str(), "not configured on this cluster");
        }
    }
    if families.is_empty() {
        families.extend(configured.first().map(|family| (*family).to_owned()));
    }
    if policy != "SingleStack" && families.len() == 1 && (selectorless || configured.len() == 2) {
        families.push(if families[0] == "IPv4" { "IPv6" } else { "IPv4" }.to_owned());
    }
    families
}
