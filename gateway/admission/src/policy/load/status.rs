//! What the status of a PolicyModule and of a binding says. A merge patch, written only when it says something new.

use model::json::{Key, json};
use model::{Value, World, meta};
use wasm::Module;

use super::Kind;
use crate::policy::binding::Action;
use crate::policy::set::{self, Entry};
use crate::policy::shadow::Shadows;

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

/// The status of a binding.
pub(super) fn of_binding(object: &Value, good: Option<&Entry>, wrong: Option<&str>, shadows: &Shadows) -> Value {
    let message = match (wrong, good) {
        (None, _) => String::new(),
        (Some(why), None) => why.to_owned(),
        (Some(why), Some(good)) if good.policy.is_err() => format!("{why}; failurePolicy applies to every request"),
        (Some(why), Some(good)) => format!("{why}; revision {} stays in force", good.revision()),
    };
    let mut status = json!({
        "observedGeneration": meta::generation(object),
        // A binding in force that fails is still one that must be in force after the next start.
        "ready": wrong.is_none() || good.is_some_and(|good| good.policy.is_err()),
        "message": message,
        "revision": good.map_or("", Entry::revision),
    });
    status["shadow"] = good.and_then(|good| shadow(good, shadows)).unwrap_or_default();
    status
}

/// What a candidate, or a binding in shadow, would have done.
fn shadow(good: &Entry, shadows: &Shadows) -> Option<Value> {
    let judged = match (&good.candidate, good.binding.action) {
        (Some(candidate), _) => &candidate.entry,
        (None, Action::Shadow) => good,
        (None, _) => return good.candidate_wrong.as_ref().map(|why| json!({"message": why})),
    };
    Some(shadows.status(&good.binding.name, judged.revision()))
}

/// Writes a status unless it stands there already.
pub(super) async fn write(world: &dyn World, kind: Kind, object: &Value, status: Value) {
    let stands = |(field, value): (&Key, &Value)| {
        let old = object.get("status").and_then(|old| old.get(field)).unwrap_or(&Value::Null);
        // Empty fields are left out of what is stored.
        old == value || (old.is_null() && matches!(value, Value::String(text) if text.is_empty()))
    };
    if status.as_object().is_some_and(|fields| fields.iter().all(stands)) {
        return;
    }
    let patch = json!({ "status": status });
    if let Err(error) = world.merge_patch(&kind.resource(), "status", meta::namespace(object), meta::name(object), patch).await {
        tracing::warn!(%error, name = %meta::name(object), "status of a policy could not be written");
    }
}
