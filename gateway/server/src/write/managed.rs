//! Owners of fields on the way of a write: computed before admission, kept from what admission does to them, and no reason
//! to write an object that stays as it is. Follows `apiserver/pkg/endpoints/handlers/fieldmanager`.

use admission::Notes;
use model::clock::rfc3339;
use model::{Value, meta};
use schema::apply;

use super::{Owners, Write};
use crate::call::Call;
use crate::row;

/// Writes the owners into what was drafted.
pub(super) fn track(write: &Write<'_>, owners: Owners, call: &Call, live: Option<&Value>, object: &mut Value) {
    match owners {
        Owners::Tracked => {
            let manager = row::manager(call, &write.options.field_manager);
            write.row.track(live, object, &manager, &rfc3339(call.now));
        }
        Owners::LeftOut => drop(meta::remove(object, "managedFields")),
        Owners::Drafted => {}
    }
}

/// Takes back what mutating admission made of the owners when it cannot be read; `before` is what they were.
pub(super) fn restore(before: Option<Value>, object: &mut Value, notes: &mut Notes) {
    let after = owners(object);
    if after == before.as_ref() {
        return;
    }
    let Err(why) = apply::check(after) else { return };
    notes.warn(format!(".metadata.managedFields was in an invalid state after admission; this could be caused by an outdated mutating admission controller; please fix your requests: {why}"));
    match before {
        Some(owners) => meta::set(object, "managedFields", owners),
        None => drop(meta::remove(object, "managedFields")),
    }
}

/// Takes the times of the stored owners where nothing else differs, so that a write that changes nothing is none.
pub(super) fn keep_times(write: &Write<'_>, new: &mut Value, old: &Value) {
    let (Some(before), Some(after)) = (owners(old).and_then(Value::as_array), owners(new).and_then(Value::as_array)) else {
        return;
    };
    if after.is_empty()
        || before == after
        || before.len() != after.len()
        || !before.iter().zip(after).all(|(a, b)| same_but_time(a, b))
    {
        return;
    }
    let after = meta::remove(new, "managedFields");
    meta::set(new, "managedFields", before.clone());
    if let (false, Some(after)) = (write.row.is_same_stored(new, old), after) {
        meta::set(new, "managedFields", after);
    }
}

fn same_but_time(a: &Value, b: &Value) -> bool {
    let (Some(a), Some(b)) = (a.as_object(), b.as_object()) else { return false };
    let said = |map: &model::Map| map.keys().filter(|key| *key != "time").count();
    said(a) == said(b) && a.iter().filter(|(key, _)| *key != "time").all(|(key, value)| b.get(key) == Some(value))
}

fn owners(object: &Value) -> Option<&Value> {
    meta::metadata(object)?.get("managedFields")
}
