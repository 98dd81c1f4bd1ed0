//! `managedFields` of a scale, which are a part of those of the object that is scaled.
//! Follows `managedfields/scalehandler.go`.

use model::json::Value;

use super::managers::{Entry, Managers};
use super::{Element, Set};

/// The version in which scales are spelt.
const SCALE: &str = "autoscaling/v1";
/// Where a scale has its number.
const REPLICAS: &str = "spec.replicas";

/// Where objects of a version have their number, spelt `spec.replicas`; `None` for a version that does not exist, an empty
/// path for one without a scale.
pub type Places<'a> = &'a dyn Fn(&str) -> Option<&'a str>;

fn path(text: &str) -> Vec<Element> {
    text.split('.').map(Element::field).collect()
}

/// The `managedFields` of a scale, from those of its object.
pub fn to_scale(parent: Option<&Value>, places: Places<'_>) -> Option<Value> {
    let mut scale = Managers::default();
    for entry in Managers::read(parent).ok()?.entries {
        let owns = places(&entry.version).filter(|place| !place.is_empty()).is_some_and(|place| entry.set.has(&path(place)));
        if owns {
            scale.put(Entry::new(entry.manager, SCALE, entry.applied, Set::of_fields(REPLICAS)).at(entry.time));
        }
    }
    scale.write()
}

/// The `managedFields` of the object, after its scale was written; `version` is that of the request for the object.
pub fn to_parent(parent: Option<&Value>, scale: Option<&Value>, version: &str, places: Places<'_>) -> Option<Value> {
    let (Ok(before), Ok(mut scale)) = (Managers::read(parent), Managers::read(scale)) else { return parent.cloned() };
    let mut after = Managers::default();
    for mut entry in before.entries {
        let Some(place) = places(&entry.version) else { continue };
        let owns = !place.is_empty() && entry.set.has(&path(place));
        // Who lost the number in the scale loses it here. As upstream, an update's owner is known by its version, which is
        // another one in the scale, so it counts as lost and is given its number as an owner of its own below.
        if owns && scale.take(&entry.manager).is_none() {
            let set = std::mem::take(&mut entry.set);
            entry.own(set.difference(&Set::of_fields(place)));
        }
        if !entry.set.is_empty() {
            after.put(entry);
        }
    }
    let place = places(version).unwrap_or(REPLICAS);
    let replicas = path(REPLICAS);
    for entry in scale.entries.into_iter().filter(|entry| entry.set.has(&replicas)) {
        // Upstream gives these no time.
        after.put(Entry::new(entry.manager, version, entry.applied, Set::of_fields(place)));
    }
    after.write()
}
