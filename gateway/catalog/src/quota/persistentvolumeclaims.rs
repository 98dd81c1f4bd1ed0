//! What a PersistentVolumeClaim counts: itself and its storage, once more under the name of its class.
//! Follows `pkg/quota/v1/evaluator/core/persistent_volume_claims.go`.

use std::collections::BTreeSet;

use model::quantity::Quantity;
use model::{Value, meta};

use super::{Amounts, Scope, number};
use crate::hooks::podspec::resources::amount;
use crate::hooks::rules::get;

const COUNT: &str = "count/persistentvolumeclaims";
const CLAIMS: &str = "persistentvolumeclaims";
const STORAGE: &str = "requests.storage";
/// Between the name of a class and what is counted of it.
const OF_CLASS: &str = ".storageclass.storage.k8s.io/";

pub(super) fn counts(name: &str) -> bool {
    let of_class = || name.rsplit_once(OF_CLASS).is_some_and(|(_, of)| [CLAIMS, STORAGE].contains(&of));
    [COUNT, CLAIMS, STORAGE].contains(&name) || of_class()
}

pub(super) fn usage(claim: &Value) -> Amounts {
    let mut usage = Amounts::from([(COUNT.to_owned(), number(1)), (CLAIMS.to_owned(), number(1))]);
    let storage = storage(claim);
    if let Some(storage) = &storage {
        usage.insert(STORAGE.to_owned(), storage.clone());
    }
    let class = meta::annotation(claim, "volume.beta.kubernetes.io/storage-class")
        .unwrap_or_else(|| get::text(get::at(claim, "spec"), "storageClassName"));
    if !class.is_empty() {
        usage.insert(format!("{class}{OF_CLASS}{CLAIMS}"), number(1));
        usage.extend(storage.map(|storage| (format!("{class}{OF_CLASS}{STORAGE}"), storage)));
    }
    usage
}

/// What it asks for, or has been given already where that is more; in whole bytes.
fn storage(claim: &Value) -> Option<Quantity> {
    let asked = amount(get::at(claim, "spec.resources.requests").get("storage")?);
    let given = get::at(claim, "status.allocatedResources").get("storage").map(amount);
    let most = given.filter(|given| *given > asked).unwrap_or(asked);
    let whole = Quantity::new(most.value(), most.format());
    Some(if whole == most { most } else { whole })
}

pub(super) fn is_in(scope: &Scope, claim: &Value) -> bool {
    if scope.name != "VolumeAttributesClass" {
        return false;
    }
    let classes = attributes_classes(claim);
    if classes.is_empty() { scope.selects(None) } else { classes.into_iter().any(|class| scope.selects(Some(class))) }
}

/// The classes that it has, is to have, or is being changed to.
fn attributes_classes(claim: &Value) -> BTreeSet<&str> {
    let named = [
        get::text(get::at(claim, "spec"), "volumeAttributesClassName"),
        get::text(get::at(claim, "status"), "currentVolumeAttributesClassName"),
        get::text(get::at(claim, "status.modifyVolumeStatus"), "targetVolumeAttributesClassName"),
    ];
    named.into_iter().filter(|class| !class.is_empty()).collect()
}
