//! Resources that a binding or an exception names and nobody serves, in words: a misspelt one leads to nothing, in silence.
//! Pure; whether that is a warning of a server or of a command is theirs to say.

use catalog::Catalog;
use model::Value;

use super::exception::Exception;

/// Rules of a binding that name resources, and what it means for the policy where there is none such.
const RULES: [(&str, &str, &str); 2] = [
    ("/spec/matchConstraints/resourceRules", "spec.matchConstraints.resourceRules", "the policy is asked about none"),
    ("/spec/clusterReads", "spec.clusterReads", "the policy finds none"),
];

/// Those of a binding. A rule with a group that `is_known` does not know may mean anything, and is left alone.
pub fn of_binding(catalog: &Catalog, binding: &Value, is_known: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for (pointer, field, follows) in RULES {
        let rules = binding.pointer(pointer).and_then(Value::as_array);
        for (n, rule) in rules.into_iter().flatten().enumerate() {
            let groups = texts(rule, "apiGroups");
            if !groups.iter().all(|group| is_known(group)) {
                continue;
            }
            let missing = texts(rule, "resources").into_iter().enumerate().filter_map(|(m, named)| {
                let plural = named.split('/').next().unwrap_or_default();
                let why = format!("there is no {plural:?} in the API groups {groups:?}; {follows}");
                (!is_there(catalog, plural, &groups)).then(|| format!("{field}[{n}].resources[{m}]: {why}"))
            });
            found.extend(missing);
        }
    }
    found
}

/// Those of an exception's scope, which are plurals with their group or without.
pub(super) fn of_exception(catalog: &Catalog, exception: &Exception) -> Vec<String> {
    let is_there = |named: &str| {
        let is_called = |one: &catalog::Resource| *one.gvr.resource == *named || one.gvr.group_resource().to_string() == named;
        catalog.all().any(|one| is_called(one))
    };
    let missing = exception.resources().enumerate().filter(|(_, named)| !is_there(named));
    missing.map(|(n, named)| format!("spec.scope.resources[{n}]: there is no {named:?}; nothing is excepted by it")).collect()
}

fn is_there(catalog: &Catalog, plural: &str, groups: &[&str]) -> bool {
    let is_in = |group: &str| groups.contains(&"*") || groups.contains(&group);
    plural == "*" || catalog.all().any(|one| &*one.gvr.resource == plural && is_in(&one.gvr.group))
}

fn texts<'r>(rule: &'r Value, field: &str) -> Vec<&'r str> {
    rule[field].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}
