//! What a ResourceClaim counts: itself, and the devices of each class that it may be given at most.
//! Follows `pkg/quota/v1/evaluator/core/resource_claims.go`, without what it counts as extended resources.

use std::collections::BTreeMap;

use model::Value;

use super::{Amounts, add, number};
use crate::hooks::rules::get;

const COUNT: &str = "count/resourceclaims.resource.k8s.io";
const OF_CLASS: &str = ".deviceclass.resource.k8s.io/devices";
/// As many devices as a claim can be given.
const DEVICES_MAX: i64 = 32;

pub(super) fn counts(name: &str) -> bool {
    name == COUNT || name.ends_with(OF_CLASS)
}

pub(super) fn usage(claim: &Value) -> Amounts {
    let mut usage = Amounts::from([(COUNT.to_owned(), number(1))]);
    for request in get::list(get::at(claim, "spec.devices"), "requests") {
        // Of alternatives whichever takes most of a class; before v1 the only one was the request itself.
        let exactly = get::object(request, "exactly").unwrap_or(request);
        let alternatives = match get::list(request, "firstAvailable") {
            [] => std::slice::from_ref(exactly),
            alternatives => alternatives,
        };
        let mut most: BTreeMap<String, i64> = BTreeMap::new();
        for alternative in alternatives {
            let class = get::text(alternative, "deviceClassName");
            let known = most.entry(format!("{class}{OF_CLASS}")).or_default();
            *known = devices(alternative).max(*known);
        }
        let is_alternative = alternatives.len() > 1 || !get::list(request, "firstAvailable").is_empty();
        let counted = most.into_iter().filter(|(_, count)| !is_alternative || *count > 0);
        add(&mut usage, &counted.map(|(name, count)| (name, number(count))).collect());
    }
    usage
}

/// How many devices a request takes at most; one of an unknown mode takes none.
fn devices(request: &Value) -> i64 {
    match get::text(request, "allocationMode") {
        "ExactCount" => get::number(request, "count"),
        "All" => DEVICES_MAX,
        _ => 0,
    }
}
