//! The annotation in which `kubectl apply` keeps what it applied: it lets server-side applies take over without conflicts,
//! and is kept up to date by them. Follows `managedfields/internal/lastapplied*.go`.

use codec::go_json;
use model::json::Value;
use model::meta::{self, LAST_APPLIED};

use super::{Set, Typed};

/// The field manager whose applies continue client-side ones.
pub(super) const KUBECTL: &str = "kubectl";
/// How large annotations may be, in bytes.
const ANNOTATION_BYTES_MAX: usize = 256 * 1024;

/// What was applied last, when that was in this version.
pub(super) fn read(object: &Value, version: &str) -> Option<Value> {
    let text = meta::annotation(object, LAST_APPLIED).filter(|text| !text.is_empty())?;
    let config: Value = serde_json::from_str(text).ok()?;
    (config.get("apiVersion").and_then(Value::as_str) == Some(version)).then_some(config)
}

/// The fields of a configuration that are still as it says.
pub(super) fn unchanged(config: &Typed<'_>, live: &Typed<'_>) -> Option<Set> {
    let changed = config.compare(live).ok()?;
    Some(config.field_set().difference(&changed.modified).difference(&changed.added).difference(&changed.removed))
}

/// Writes a configuration into the annotation, where there is one.
pub(super) fn refresh(object: &mut Value, config: &Value) {
    if meta::annotation(object, LAST_APPLIED).is_none_or(str::is_empty) {
        return;
    }
    let mut config = config.clone();
    if let Some(annotations) = annotations_mut(&mut config) {
        annotations.shift_remove(LAST_APPLIED);
    }
    let mut text = Vec::new();
    go_json::write_sorted(&config, &mut text);
    text.push(b'\n');
    let Some(annotations) = annotations_mut(object) else { return };
    annotations.insert(LAST_APPLIED.to_owned(), String::from_utf8_lossy(&text).into_owned().into());
    let size: usize = annotations.iter().map(|(key, value)| key.len() + value.as_str().map_or(0, str::len)).sum();
    if size > ANNOTATION_BYTES_MAX {
        annotations.shift_remove(LAST_APPLIED);
    }
}

fn annotations_mut(object: &mut Value) -> Option<&mut model::json::Map> {
    object.get_mut("metadata")?.get_mut("annotations")?.as_object_mut()
}
