//! RuntimeClass. Upstream: `pkg/apis/node/validation`, `pkg/api/node`, `pkg/registry/node/runtimeclass/strategy.go`.

use model::Value;
use model::field::{Errors, Path};
use model::json::json;

use super::Hooks;
use super::podspec::{resources, tolerations, warnings::deprecated_node_label};
use super::rules::{get, internal, labels, number, text};

pub(super) const HOOKS: Hooks = Hooks {
    validate: Some(validate),
    validate_update: Some(|new, old, errors| {
        validate(new, errors);
        number::immutable_text(new, old, "handler", &Path::default(), errors);
    }),
    warnings: Some(|new, _old| warnings(new)),
    ..Hooks::NONE
};

fn validate(object: &Value, errors: &mut Errors) {
    let handler = get::text(object, "handler");
    if handler.is_empty() {
        errors.required(&Path::new("handler"), "");
    } else {
        text::dns_label(handler, &Path::new("handler"), errors);
    }
    if let Some(overhead) = get::object(object, "overhead") {
        // Judged as if they were the limits of a container.
        let limits = json!({"limits": get::raw(overhead, "podFixed")});
        resources::of_runtime(&limits, &Path::new("overhead"), errors);
    }
    if let Some(scheduling) = get::object(object, "scheduling") {
        let path = Path::new("scheduling");
        labels::labels(scheduling, "nodeSelector", &path, errors);
        validate_tolerations(get::list(scheduling, "tolerations"), &path.child("tolerations"), errors);
    }
}

fn validate_tolerations(list: &[Value], path: &Path, errors: &mut Errors) {
    tolerations::validate(list, path, errors);
    let key = |toleration: &Value| ["key", "operator", "value", "effect"].map(|field| get::text(toleration, field).to_owned());
    let mut seen = Vec::new();
    for (i, toleration) in list.iter().enumerate() {
        if seen.contains(&key(toleration)) {
            errors.duplicate(&path.index(i), internal::show(toleration, internal::TOLERATION));
        } else {
            seen.push(key(toleration));
        }
    }
}

fn warnings(object: &Value) -> Vec<String> {
    get::pairs(get::at(object, "scheduling"), "nodeSelector")
        .filter_map(|(key, _)| deprecated_node_label(key))
        .map(|message| format!("scheduling.nodeSelector: {message}"))
        .collect()
}
