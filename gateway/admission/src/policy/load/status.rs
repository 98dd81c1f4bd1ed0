//! What the status of a PolicyModule and of a binding says. A merge patch, written only when it says something new.

use model::json::{Key, json};
use model::{Value, World, meta};
use wasm::Module;

use super::Kind;
use super::state::Said;
use crate::policy::binding::Action;
use crate::policy::set::{self, Entry};
use crate::policy::shadow::{self, Counted};

/// The status of a module.
pub(super) fn of_module(object: &Value, good: Option<&Module>, wrong: Option<&str>) -> Value {
    let message = match (wrong, good) {
        (None, _) => String::new(),
        (Some(why), None) => why.to_owned(),
        (Some(why), Some(good)) => format!("{why}; revision {} stays in force", set::revision(good)),
    };
    let mut status = json!({
        "observedGeneration": meta::generation(object),
        "ready": wrong.is_none(),
        "message": message,
    });
    if let Some(module) = good {
        status["revisions"] = revisions(object, module);
        status["world"] = module.world.as_str().into();
        status["revision"] = set::revision(module).into();
        status["digest"] = module.digest.as_str().into();
        status["imports"] = module.imports.clone().into();
        status["sizeBytes"] = module.bytes.into();
        status["settingsSchema"] = module.metadata.settings_schema.as_str().into();
        // What it took is known only when it was compiled now.
        if module.compile_ms > 0 {
            status["compileMilliseconds"] = module.compile_ms.into();
        }
    }
    status
}

/// Revisions that a status lists.
const REVISIONS_MAX: usize = 10;

/// The revisions that were in force, newest first.
fn revisions(object: &Value, module: &Module) -> Value {
    let told = object.pointer("/status/revisions").and_then(Value::as_array).cloned().unwrap_or_default();
    let revision = set::revision(module);
    if told.first().is_some_and(|newest| newest["revision"] == revision) {
        return told.into();
    }
    let newest = json!({
        "revision": revision,
        "digest": module.digest,
        "generation": meta::generation(object),
        "sizeBytes": module.bytes,
    });
    let earlier = told.into_iter().filter(|one| one["revision"] != revision);
    std::iter::once(newest).chain(earlier).take(REVISIONS_MAX).collect()
}

/// The status of a binding; `counted` is what its shadow was since it was last told.
pub(super) fn of_binding(object: &Value, good: Option<&Entry>, said: &Said<'_>, counted: Option<&Counted>) -> Value {
    let message = match (said, good) {
        (Said::Nothing, _) => String::new(),
        (Said::Deleted(module), _) => format!(
            "module {module:?} is deleted; what is in force stays until the server starts anew, and cannot judge from then on"
        ),
        (Said::Wrong(why), None) => (*why).to_owned(),
        (Said::Wrong(why), Some(good)) if good.policy.is_err() => format!("{why}; failurePolicy applies to every request"),
        (Said::Wrong(why), Some(good)) => format!("{why}; revision {} stays in force", good.revision()),
    };
    let mut status = json!({
        "observedGeneration": meta::generation(object),
        // A binding in force that fails is still one that must be in force after the next start.
        "ready": !matches!(said, Said::Wrong(_)) || good.is_some_and(|good| good.policy.is_err()),
        "message": message,
        "revision": good.map_or("", Entry::revision),
    });
    let told = object.pointer("/status/shadow").unwrap_or(&Value::Null);
    status["shadow"] = good.and_then(|good| shadow(told, good, counted)).unwrap_or_default();
    status
}

/// What a candidate, or a binding in shadow, would have done.
fn shadow(told: &Value, good: &Entry, counted: Option<&Counted>) -> Option<Value> {
    let judged = match (&good.candidate, good.binding.action) {
        (Some(candidate), _) => &candidate.entry,
        (None, Action::Shadow) => good,
        (None, _) => return good.candidate_wrong.as_ref().map(|why| shadow::wrong(why)),
    };
    Some(shadow::status(told, judged, counted))
}

/// How often a status is tried that somebody else writes at the same time.
const ATTEMPTS_MAX: usize = 5;

/// Writes what a status is to be, unless that stands there already; `status` makes it of the object as it is now, because
/// several servers add to one. Whether it stands there then. An object that was changed meanwhile is left to whoever takes that
/// change.
pub(super) async fn write(world: &dyn World, kind: Kind, object: &Value, status: impl Fn(&Value) -> Value) -> bool {
    let (resource, namespace, name) = (kind.resource(), meta::namespace(object), meta::name(object));
    let seen = |object: &Value| (meta::uid(object).to_owned(), meta::generation(object));
    let mut now = object.clone();
    for _ in 0..ATTEMPTS_MAX {
        let status = status(&now);
        if stands(now.get("status").unwrap_or(&Value::Null), &status) {
            return true;
        }
        let patch = json!({"metadata": {"resourceVersion": meta::resource_version(&now)}, "status": status});
        let written = match world.merge_patch(&resource, "status", namespace, name, patch).await {
            Err(refused) if refused.code == CONFLICT => world.get(&resource, namespace, name).await,
            Ok(_) => return true,
            Err(error) => Err(error),
        };
        match written {
            Ok(read) if seen(&read) == seen(object) => now = read,
            Ok(_) => return false,
            Err(error) => {
                tracing::warn!(%error, %name, "status of a policy could not be written");
                return false;
            }
        }
    }
    false
}

const CONFLICT: u16 = 409;

/// Whether what is stored says this. Empty fields are left out of it.
fn stands(stored: &Value, said: &Value) -> bool {
    match said {
        Value::Object(fields) if stored.is_object() => {
            fields.iter().all(|(field, said): (&Key, &Value)| stands(stored.get(field).unwrap_or(&Value::Null), said))
        }
        Value::String(text) if text.is_empty() => stored.is_null() || stored == said,
        Value::Array(items) if items.is_empty() => stored.is_null() || stored == said,
        Value::Number(number) if number.as_u64() == Some(0) => stored.is_null() || stored == said,
        said => stored == said,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_fields_need_not_be_stored() {
        let said = json!({"ready": true, "message": "", "shadow": {"revision": "a", "judged": 0, "differences": []}});
        assert!(stands(&json!({"ready": true, "shadow": {"revision": "a"}}), &said));
        for other in [
            json!({"shadow": {"revision": "a"}}),
            json!({"ready": true, "message": "m", "shadow": {"revision": "a"}}),
            json!({"ready": true, "shadow": {"revision": "b"}}),
            json!({"ready": true, "shadow": {"revision": "a", "judged": 1}}),
            json!({"ready": true}),
        ] {
            assert!(!stands(&other, &said), "{other}");
        }
    }
}
