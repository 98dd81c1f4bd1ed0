//! What the stored definition excuses in a new one: rules that came later than it are not held against what it has.
//! Follows `ValidateCustomResourceDefinitionUpdate`. Judges nothing itself.

use std::collections::HashSet;

use cel::Stage;
use model::Value;
use model::field::{Errors, Path};
use schema::Structural;
use schema::structural::{Pruned, check, supported};

use super::spec::{Spec, open_api};
use super::{conversion, lists, selectable, walk};
use crate::hooks::rules::get;

/// Types that a schema may name, sorted.
pub(super) const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];

/// Which rules hold.
pub(super) struct Demands {
    pub recognized_review_version: bool,
    pub immutable_names: bool,
    pub open_api_schema: bool,
    pub valid_types: bool,
    pub structural: bool,
    pub pruned: Pruned,
    pub atomic_sets: bool,
    pub map_keys: bool,
    pub ca_bundle: bool,
    /// Versions whose schema is as it was; costs of rules that were accepted are not held against them.
    pub unchanged: HashSet<String>,
    /// Versions whose many selectable fields are as they were; the empty name is that of what all share.
    pub many_selectable: HashSet<String>,
    rules: HashSet<String>,
    messages: HashSet<String>,
}

impl Demands {
    /// Those on a new definition: all.
    pub(super) fn on_new() -> Self {
        Self {
            recognized_review_version: true,
            immutable_names: false,
            open_api_schema: true,
            valid_types: true,
            structural: true,
            pruned: Pruned::Required,
            atomic_sets: true,
            map_keys: true,
            // It is not established yet.
            ca_bundle: false,
            unchanged: HashSet::new(),
            many_selectable: HashSet::new(),
            rules: HashSet::new(),
            messages: HashSet::new(),
        }
    }

    /// Those on a definition that replaces another.
    pub(super) fn on_update(new: &Value, old: &Value) -> Self {
        let spec = Spec::of(old);
        let has = |such: fn(&Value) -> bool| spec.schemas().any(|schema| walk::has(schema, such));
        let established = is_established(old);
        let (rules, messages) = expressions(&spec);
        Self {
            recognized_review_version: conversion::has_recognized_version(old),
            immutable_names: established,
            open_api_schema: get::list(spec.written, "versions").iter().all(|v| open_api(get::at(v, "schema")).is_some()),
            valid_types: !has(|s| !get::text(s, "type").is_empty() && !TYPES.contains(&get::text(s, "type"))),
            structural: spec.schemas().all(is_structural),
            pruned: if spec.schemas().any(has_unpruned_defaults) { Pruned::Optional } else { Pruned::Required },
            atomic_sets: !has(lists::is_set_of_granular),
            map_keys: !has(lists::breaks_map_keys),
            ca_bundle: established && !conversion::has_broken_ca_bundle(old),
            unchanged: unchanged(new, old),
            many_selectable: selectable::unchanged_many(new, old),
            rules,
            messages,
        }
    }

    /// Of which stage a rule is: what is stored may use what the previous version did not know.
    pub(super) fn rule_stage(&self, text: &str) -> Stage {
        if self.rules.contains(text) { Stage::Stored } else { Stage::New }
    }

    /// Of which stage a message's expression is.
    pub(super) fn message_stage(&self, text: &str) -> Stage {
        if self.messages.contains(text) { Stage::Stored } else { Stage::New }
    }
}

fn is_established(object: &Value) -> bool {
    let conditions = get::list(get::at(object, "status"), "conditions");
    conditions.iter().any(|c| get::text(c, "type") == "Established" && get::text(c, "status") == "True")
}

fn expressions(spec: &Spec<'_>) -> (HashSet<String>, HashSet<String>) {
    let (mut rules, mut messages) = (HashSet::new(), HashSet::new());
    for schema in spec.schemas() {
        walk::any(schema, &mut |inner| {
            for rule in get::list(inner, "x-kubernetes-validations") {
                rules.insert(get::text(rule, "rule").to_owned());
                messages.extend(get::string(rule, "messageExpression").map(str::to_owned));
            }
            false
        });
    }
    (rules, messages)
}

fn is_structural(schema: &Value) -> bool {
    let mut found = Errors::new();
    if supported(schema).is_ok() {
        check::structural(schema, &Path::default(), &mut found);
        return found.is_empty();
    }
    false
}

fn has_unpruned_defaults(schema: &Value) -> bool {
    walk::has(schema, |inner| inner.get("default").is_some())
        && is_structural(schema)
        && Structural::parse(schema).is_ok_and(|parsed| parsed.has_unpruned_defaults())
}

fn unchanged(new: &Value, old: &Value) -> HashSet<String> {
    let schemas = |object| get::list(get::at(object, "spec"), "versions");
    let schema_of = |version: &Value| version.get("schema").cloned();
    let same = |version: &&Value| {
        let name = get::text(version, "name");
        schemas(old).iter().any(|old| get::text(old, "name") == name && schema_of(old) == schema_of(version))
    };
    schemas(new).iter().filter(same).map(|version| get::text(version, "name").to_owned()).collect()
}
