//! PolicyException. No upstream. That it expires in the future is judged where the time is known (`admission`).

use model::Value;
use model::field::{Errors, Path};
use model::time::{self, Precision};

use super::Hooks;
use super::rules::labels::{self, Values};
use super::rules::{get, text};

/// Names that one exception may list; every violation is compared with them.
const NAMES_MAX: usize = 256;

pub(super) const HOOKS: Hooks =
    Hooks { validate: Some(validate), validate_update: Some(|new, _, errors| validate(new, errors)), ..Hooks::NONE };

fn validate(object: &Value, errors: &mut Errors) {
    let (spec, path) = (get::at(object, "spec"), Path::new("spec"));
    let bindings = path.child("bindings");
    if get::list(spec, "bindings").is_empty() {
        errors.required(&bindings, "the names of ClusterPolicyBindings, or of PolicyBindings as namespace/name");
    }
    for (i, binding) in get::strings(spec, "bindings").enumerate() {
        let (namespace, name) = binding.split_once('/').unwrap_or(("default", binding));
        text::dns_label(namespace, &bindings.index(i), errors);
        text::dns_subdomain(name, &bindings.index(i), errors);
    }
    text::required(get::text(spec, "reason").trim(), &path.child("reason"), errors);
    let expires = get::text(spec, "expires");
    if time::parse(expires, Precision::Seconds).is_err() {
        errors.required(&path.child("expires"), "an exception ends, in RFC 3339: 2027-01-31T00:00:00Z");
    }
    scope(get::at(spec, "scope"), &path.child("scope"), errors);
    for field in ["bindings", "rules"] {
        let count = get::list(spec, field).len();
        if count > NAMES_MAX {
            errors.too_many(&path.child(field), count, NAMES_MAX);
        }
    }
}

fn scope(scope: &Value, path: &Path, errors: &mut Errors) {
    labels::selector(scope, "objectSelector", Values::Strict, path, errors);
    let selects = !get::at(scope, "objectSelector").as_object().is_none_or(model::Map::is_empty);
    let lists = ["namespaces", "names", "resources"];
    if !selects && lists.iter().all(|field| get::list(scope, field).is_empty()) {
        errors.required(path, "an exception is for some objects: set namespaces, resources, names or objectSelector");
    }
    for field in lists {
        let (items, path) = (get::list(scope, field), path.child(field));
        if items.len() > NAMES_MAX {
            errors.too_many(&path, items.len(), NAMES_MAX);
        }
        for (i, _) in get::strings(scope, field).enumerate().filter(|(_, item)| item.is_empty() || item.contains('*')) {
            errors.invalid(&path.index(i), items[i].clone(), "must be a name, without wildcards");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::json::json;

    fn faults(change: impl Fn(&mut Value)) -> Vec<String> {
        let mut object = json!({"spec": {"bindings": ["team", "shop/limits"], "reason": "until the migration is done",
            "expires": "2027-01-31T00:00:00Z", "scope": {"namespaces": ["legacy"]}}});
        change(&mut object);
        let mut errors = Errors::new();
        validate(&object, &mut errors);
        errors.0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_exception_says_from_what_why_until_when_and_for_which() {
        assert_eq!(faults(|_| {}), Vec::<String>::new());
        assert_eq!(
            faults(|o| o["spec"] = json!({"reason": " "})),
            [
                "spec.bindings: Required value: the names of ClusterPolicyBindings, or of PolicyBindings as namespace/name",
                "spec.reason: Required value",
                "spec.expires: Required value: an exception ends, in RFC 3339: 2027-01-31T00:00:00Z",
                "spec.scope: Required value: an exception is for some objects: set namespaces, resources, names or objectSelector",
            ]
        );
        assert_eq!(
            faults(|o| o["spec"]["scope"]["names"] = json!(["web", "*"])),
            ["spec.scope.names[1]: Invalid value: \"*\": must be a name, without wildcards"]
        );
        assert_eq!(faults(|o| o["spec"]["bindings"] = json!(["Shop/limits"])).len(), 1);
        assert_eq!(faults(|o| o["spec"]["scope"] = json!({"objectSelector": {"matchLabels": {"a": "b"}}})), Vec::<String>::new());
    }
}
