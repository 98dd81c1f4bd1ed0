//! What create and update do to the fields of every kind alike, told by rows: the status is not a client's to set, the
//! spec is not the status writer's, generation counts changes of the wish. Follows the `PrepareFor…` of upstream's
//! strategies where these do nothing else; what is particular to a kind is in its hooks. System metadata is the path's.

use std::sync::Arc;

use model::name::{self, NameRule};
use model::{Value, meta};
use schema::apply::Filter;

use crate::resource::Subresource;

/// When `metadata.generation` moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Generation {
    /// The kind has none.
    Never,
    /// 1 from creation on.
    Fixed,
    /// 1 at creation, one more whenever one of these fields changes.
    Counts(Vec<Arc<str>>),
    /// 1 at creation, one more whenever anything but `metadata` changes.
    CountsAll,
}

/// What a delete does to dependants unless it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Garbage {
    /// They are deleted in the background.
    Background,
    /// They are left behind.
    Orphan,
    /// The kind takes no part in garbage collection (events).
    Unsupported,
}

/// Says whether two values of a field, whose name is dotted, mean the same.
pub type Same<'a> = &'a dyn Fn(&str, Option<&Value>, Option<&Value>) -> bool;

/// The strategy of a kind, as far as it is data.
#[derive(Clone, Debug)]
pub struct Strategy {
    /// Fields emptied on create.
    pub clears: Vec<Arc<str>>,
    /// Fields that an update of the main resource leaves as stored.
    pub keeps: Vec<Arc<str>>,
    /// Fields that nobody comes to own by a write of the main resource.
    pub resets: Filter,
    /// When generation moves.
    pub generation: Generation,
    /// Whether it is counted from what a client says of a new object.
    pub generation_given: bool,
    /// What `metadata.name` must look like.
    pub name: NameRule,
    /// Whether an update judges `metadata.name` and `metadata.generateName` again by that rule.
    pub names_again: bool,
    /// Whether an update of an absent object creates it.
    pub allow_create_on_update: bool,
    /// Whether an update may leave `resourceVersion` out.
    pub allow_unconditional_update: bool,
    /// Whether deletes may wait for a grace period (`hooks.grace` says how long).
    pub graceful: bool,
    /// Whether a delete answers with the object rather than a Status.
    pub returns_deleted: bool,
    /// What happens to dependants by default.
    pub garbage: Garbage,
}

impl Default for Strategy {
    fn default() -> Self {
        Self {
            clears: Vec::new(),
            keeps: Vec::new(),
            resets: Filter::All,
            generation: Generation::Never,
            generation_given: false,
            name: name::name_is_path_segment,
            names_again: false,
            allow_create_on_update: false,
            allow_unconditional_update: false,
            graceful: false,
            returns_deleted: false,
            garbage: Garbage::Background,
        }
    }
}

impl Strategy {
    /// What create does before the hook `prepare_create`.
    pub fn prepare_create(&self, object: &mut Value) {
        for field in &self.clears {
            take(object, field);
        }
        match self.generation {
            // Upstream lets a client's number stand here, and never moves it.
            Generation::Never => {}
            _ if self.generation_given => {}
            Generation::Fixed | Generation::Counts(_) | Generation::CountsAll => meta::set(object, "generation", 1),
        }
    }

    /// What an update of the main resource does before the hook `prepare_update`. [`Strategy::count`] comes after it.
    pub fn prepare_update(&self, new: &mut Value, old: &Value) {
        keep(&self.keeps, new, old);
    }

    /// Sets generation, after the hooks had their say about the fields it counts. `same` says of a field whether two values
    /// of it mean the same.
    pub fn count(&self, new: &mut Value, old: &Value, same: Same<'_>) {
        let before = meta::generation(old);
        let changed = match &self.generation {
            Generation::Counts(fields) => fields.iter().any(|field| !same(field, at(new, field), at(old, field))),
            Generation::CountsAll => differs_beside_metadata(new, old, same),
            Generation::Never | Generation::Fixed => false,
        };
        match before + i64::from(changed) {
            0 => drop(meta::remove(new, "generation")),
            generation => meta::set(new, "generation", generation),
        }
    }
}

impl Subresource {
    /// What a write through the subresource leaves as stored; generation among it.
    pub fn prepare_update(&self, new: &mut Value, old: &Value) {
        if let Some(only) = &self.only {
            return change_only(only, new, old);
        }
        keep(&self.keeps, new, old);
        match meta::generation(old) {
            0 => drop(meta::remove(new, "generation")),
            generation => meta::set(new, "generation", generation),
        }
    }
}

/// Takes one field of the new object, and who manages what; everything else is as it was.
fn change_only(field: &str, new: &mut Value, old: &Value) {
    let changed = new.as_object_mut().and_then(|map| map.shift_remove(field));
    let managed = meta::remove(new, "managedFields");
    *new = old.clone();
    match (changed, new.as_object_mut()) {
        (Some(value), Some(map)) => drop(map.insert(field.to_owned(), value)),
        (None, Some(map)) => drop(map.shift_remove(field)),
        _ => {}
    }
    match managed {
        Some(managed) => meta::set(new, "managedFields", managed),
        None => drop(meta::remove(new, "managedFields")),
    }
}

fn differs_beside_metadata(new: &Value, old: &Value, same: Same<'_>) -> bool {
    let (Some(new), Some(old)) = (new.as_object(), old.as_object()) else { return new != old };
    new.keys().chain(old.keys()).filter(|key| *key != "metadata").any(|key| !same(key, new.get(key), old.get(key)))
}

fn keep(fields: &[Arc<str>], new: &mut Value, old: &Value) {
    for field in fields {
        match at(old, field) {
            // To compare is far cheaper than to copy, and a status seldom comes with another spec.
            Some(value) if at(new, field) == Some(value) => {}
            Some(value) => put(new, field, value.clone()),
            None => take(new, field),
        }
    }
}

fn at<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(object, |value, part| value.get(part))
}

fn put(object: &mut Value, path: &str, value: Value) {
    let (parent, last) = path.rsplit_once('.').map_or((None, path), |(parent, last)| (Some(parent), last));
    let mut target = object;
    for part in parent.into_iter().flat_map(|p| p.split('.')) {
        if !target.get(part).is_some_and(Value::is_object) {
            let Some(map) = target.as_object_mut() else { return };
            map.insert(part.to_owned(), Value::Object(model::Map::new()));
        }
        let Some(inner) = target.get_mut(part) else { return };
        target = inner;
    }
    if let Some(map) = target.as_object_mut() {
        map.insert(last.to_owned(), value);
    }
}

fn take(object: &mut Value, path: &str) {
    let (parent, last) = path.rsplit_once('.').map_or(("", path), |(parent, last)| (parent, last));
    let target = parent.split('.').filter(|part| !part.is_empty()).try_fold(object, |value, part| value.get_mut(part));
    if let Some(map) = target.and_then(Value::as_object_mut) {
        map.shift_remove(last);
    }
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    const SPELT: Same<'_> = &|_, a, b| a == b;

    fn counting(fields: &[&str]) -> Strategy {
        let fields = fields.iter().map(|f| Arc::from(*f)).collect();
        Strategy {
            clears: vec!["status".into()],
            keeps: vec!["status".into()],
            generation: Generation::Counts(fields),
            ..Strategy::default()
        }
    }

    #[test]
    fn create_starts_without_status_at_generation_one() {
        let mut object = json!({"metadata": {"name": "a", "generation": 7}, "spec": {}, "status": {"x": 1}});
        counting(&["spec"]).prepare_create(&mut object);
        assert_eq!(object, json!({"metadata": {"name": "a", "generation": 1}, "spec": {}}));
    }

    #[test]
    fn a_kind_without_generation_keeps_what_it_was_given() {
        let strategy = Strategy::default();
        let mut object = json!({"metadata": {"generation": 5}, "data": {}});
        strategy.prepare_create(&mut object);
        assert_eq!(meta::generation(&object), 5);
        let mut new = json!({"metadata": {"generation": 9}, "data": {"a": "1"}});
        strategy.count(&mut new, &object, SPELT);
        assert_eq!(meta::generation(&new), 5);
    }

    #[test]
    fn generation_can_be_counted_from_what_was_given() {
        let mut object = json!({"metadata": {"generation": 5}, "spec": {}});
        Strategy { generation_given: true, ..counting(&["spec"]) }.prepare_create(&mut object);
        assert_eq!(meta::generation(&object), 5);
    }

    #[test]
    fn generation_counts_changes_of_its_fields_only() {
        let strategy = counting(&["spec", "metadata.annotations"]);
        let old = json!({"metadata": {"generation": 3, "annotations": {"a": "1"}}, "spec": {"n": 1}, "status": {"s": 1}});
        for (new, generation) in [
            (json!({"metadata": {"annotations": {"a": "1"}}, "spec": {"n": 1}, "status": {"s": 2}}), 3),
            (json!({"metadata": {"annotations": {"a": "2"}}, "spec": {"n": 1}}), 4),
            (json!({"metadata": {"annotations": {"a": "1"}, "generation": 9}, "spec": {"n": 2}}), 4),
        ] {
            let mut new = new;
            strategy.prepare_update(&mut new, &old);
            strategy.count(&mut new, &old, SPELT);
            assert_eq!(meta::generation(&new), generation, "{new}");
            assert_eq!(new["status"], old["status"]);
        }
    }

    #[test]
    fn everything_but_metadata_can_count() {
        let strategy = Strategy { generation: Generation::CountsAll, ..Strategy::default() };
        let old = json!({"metadata": {"generation": 3, "labels": {}}, "spec": {"n": 1}, "data": 1});
        for (new, generation) in [
            (json!({"metadata": {"labels": {"a": "b"}}, "data": 1, "spec": {"n": 1}}), 3),
            (json!({"metadata": {}, "spec": {"n": 1}}), 4),
            (json!({"metadata": {}, "spec": {"n": 2}, "data": 1}), 4),
        ] {
            let mut new = new;
            strategy.count(&mut new, &old, SPELT);
            assert_eq!(meta::generation(&new), generation, "{new}");
        }
    }

    #[test]
    fn one_field_can_change_alone() {
        let old = json!({"metadata": {"labels": {"a": "b"}, "managedFields": [1]}, "spec": 1, "status": 1});
        let mut new = json!({"metadata": {"labels": {}, "managedFields": [2]}, "spec": 2, "status": 2});
        change_only("status", &mut new, &old);
        assert_eq!(new, json!({"metadata": {"labels": {"a": "b"}, "managedFields": [2]}, "spec": 1, "status": 2}));
        let mut gone = json!({"metadata": {}, "spec": 2});
        change_only("status", &mut gone, &old);
        assert_eq!(gone, json!({"metadata": {"labels": {"a": "b"}}, "spec": 1}));
    }

    #[test]
    fn a_kept_field_comes_back_at_any_depth() {
        let old = json!({"metadata": {"labels": {"a": "1"}}, "status": {"conditions": [1]}});
        let mut new = json!({"metadata": {}, "spec": {"late": true}});
        keep(&["metadata.labels".into(), "status.conditions".into(), "spec".into()], &mut new, &old);
        assert_eq!(new, json!({"metadata": {"labels": {"a": "1"}}, "status": {"conditions": [1]}}));
    }
}
