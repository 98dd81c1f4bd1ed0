//! Conversion between the versions of what is stored once and served in several: events, autoscalers.
//! A served version without a row here differs from the stored one in its `apiVersion` only.

pub mod customresourcedefinition;
mod event;
pub(crate) mod horizontalpodautoscaler;

use model::{GroupVersionKind, Value};

/// How a served version relates to the stored one. Objects are in normal form; `apiVersion` and `kind` are the caller's.
pub struct Conversion {
    /// From the served version into the stored one.
    pub to_storage: fn(&mut Value),
    /// From the stored version into the served one.
    pub from_storage: fn(&mut Value),
    /// Selectable fields of the served version and how the stored one spells them; empty when they are spelt alike.
    pub fields: &'static [(&'static str, &'static str)],
}

/// The conversion of a served version, where it needs one.
pub fn of(served: &GroupVersionKind) -> Option<&'static Conversion> {
    match (&*served.group, &*served.version, &*served.kind) {
        ("events.k8s.io", "v1", "Event") => Some(&event::CONVERSION),
        ("autoscaling", "v1", "HorizontalPodAutoscaler") => Some(&horizontalpodautoscaler::CONVERSION),
        _ => None,
    }
}

/// Moves a field to another name.
fn rename(object: &mut Value, from: &str, to: &str) {
    let Some(map) = object.as_object_mut() else { return };
    if let Some(value) = map.shift_remove(from) {
        map.insert(to.to_owned(), value);
    }
}

/// Moves a field out of an object.
fn take(object: &mut Value, field: &str) -> Option<Value> {
    object.as_object_mut()?.shift_remove(field).filter(|value| !value.is_null())
}

/// Sets a field where there is something to set.
fn put(object: &mut Value, field: &str, value: Option<Value>) {
    if let (Some(map), Some(value)) = (object.as_object_mut(), value) {
        map.insert(field.to_owned(), value);
    }
}
