//! What the server does to every object before it is judged: system metadata, fields a client may not set, generation.
//! Follows `k8s.io/apiserver/pkg/registry/rest/{create,update,meta}.go`. What a kind does is its row's and its hook's.

use jiff::Timestamp;
use model::clock::rfc3339;
use model::{User, Value, generate, meta};

use super::Write;
use crate::row::Discipline;

/// Metadata that only the server sets.
const SYSTEM: [&str; 5] = ["creationTimestamp", "uid", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"];

/// Removes what a client cannot say about a new object.
pub(crate) fn wipe(object: &mut Value) {
    for field in SYSTEM {
        meta::remove(object, field);
    }
}

/// Makes a new object of what was drafted, in the storage version.
pub(super) fn create(write: &Write<'_>, new: &mut Value, author: &User, now: Timestamp) {
    wipe(new);
    meta::set(new, "creationTimestamp", rfc3339(now));
    meta::set(new, "uid", generate::uid());
    let base = meta::text(new, "generateName").to_owned();
    let hooks = write.row.hooks();
    if !base.is_empty() && meta::name(new).is_empty() {
        meta::set(new, "name", hooks.generate_name.unwrap_or(generate::name)(&base));
    }
    place(write, new);
    write.row.prepare_create(new);
    if let Some(hook) = hooks.prepare_create {
        hook(new);
    }
    if let Some(hook) = hooks.author {
        hook(new, author);
    }
    if let Some(hook) = hooks.stamp {
        hook(new, None, &rfc3339(now));
    }
}

/// Makes the next state of an object of what was drafted, in the storage version.
pub(super) fn update(write: &Write<'_>, new: &mut Value, old: &Value, now: Timestamp) {
    let row = write.row;
    place(write, new);
    row.prepare_update(new, old);
    let early = row.hooks().counts_unprepared;
    if early {
        row.count_generation(new, old);
    }
    match row.discipline() {
        Discipline::Whole => {
            if let Some(hook) = row.hooks().prepare_update {
                hook(new, old);
            }
        }
        Discipline::Status => {
            if let Some(hook) = row.hooks().prepare_status {
                hook(new, old);
            }
        }
        Discipline::Part => {
            if let Some(part) = row.part() {
                (part.prepare)(new, old);
            }
        }
    }
    let stamp = if row.is_whole() { row.hooks().stamp_update } else { row.hooks().stamp };
    if let Some(hook) = stamp {
        hook(new, Some(old), &rfc3339(now));
    }
    if !early {
        row.count_generation(new, old);
    }
    keep_system_fields(new, old);
    if !write.options.dry_run {
        // It is the store that takes it out of whatever it keeps.
        meta::remove(new, "selfLink");
    }
}

fn place(write: &Write<'_>, new: &mut Value) {
    if write.row.is_namespaced() && !write.namespace.is_empty() {
        meta::set(new, "namespace", write.namespace.as_str());
    } else if !write.row.is_namespaced() {
        meta::remove(new, "namespace");
    }
}

fn keep_system_fields(new: &mut Value, old: &Value) {
    let field = |name: &str| meta::metadata(old).and_then(|m| m.get(name)).filter(|value| !value.is_null()).cloned();
    if meta::uid(new).is_empty() {
        meta::set(new, "uid", field("uid"));
    }
    if let Some(created) = field("creationTimestamp") {
        meta::set(new, "creationTimestamp", created);
    }
    if let Some(deleted) = field("deletionTimestamp") {
        meta::set(new, "deletionTimestamp", deleted);
    }
    let has_grace = meta::metadata(new).is_some_and(|m| m.get("deletionGracePeriodSeconds").is_some_and(|v| !v.is_null()));
    if let (false, Some(seconds)) = (has_grace, field("deletionGracePeriodSeconds")) {
        meta::set(new, "deletionGracePeriodSeconds", seconds);
    }
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    #[test]
    fn system_fields_survive_an_update() {
        let old = json!({"metadata": {"uid": "u", "creationTimestamp": "t", "deletionTimestamp": "d", "deletionGracePeriodSeconds": 5}});
        let mut new = json!({"metadata": {"creationTimestamp": "x"}});
        keep_system_fields(&mut new, &old);
        assert_eq!(new, old);
    }
}
