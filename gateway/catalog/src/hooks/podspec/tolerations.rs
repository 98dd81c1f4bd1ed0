//! Tolerations and the effects of taints. Follows `ValidateTolerations`.

use model::Value;
use model::field::{Errors, Path};
use model::name;

use super::super::rules::{get, text};

const EFFECTS: &[&str] = &["NoSchedule", "PreferNoSchedule", "NoExecute"];

/// `ValidateTolerations`. Comparing operators (`Lt`, `Gt`) are a feature that is off.
pub fn validate(tolerations: &[Value], list: &Path, errors: &mut Errors) {
    for (i, toleration) in tolerations.iter().enumerate() {
        one(toleration, &list.index(i), errors);
    }
}

fn one(toleration: &Value, path: &Path, errors: &mut Errors) {
    let [key, operator, value, effect] = ["key", "operator", "value", "effect"].map(|field| get::text(toleration, field));
    if !key.is_empty() {
        text::qualified_name(key, &path.child("key"), errors);
    } else if operator != "Exists" {
        let detail = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
        errors.invalid_named(&path.child("operator"), operator, detail);
    }
    if get::int(toleration, "tolerationSeconds").is_some() && effect != "NoExecute" {
        errors.invalid_named(&path.child("effect"), effect, "effect must be 'NoExecute' when `tolerationSeconds` is set");
    }
    match operator {
        "Equal" | "" => {
            let wrong = name::is_valid_label_value(value);
            if !wrong.is_empty() {
                errors.invalid(&path.child("operator"), value, wrong.join(";"));
            }
        }
        "Exists" if !value.is_empty() => {
            errors.invalid(&path.child("operator"), value, "value must be empty when `operator` is 'Exists'");
        }
        "Exists" => {}
        "Lt" | "Gt" => errors.not_supported(&path.child("operator"), operator, &["Equal", "Exists", "Lt", "Gt"]),
        _ => errors.not_supported(&path.child("operator"), operator, &["Equal", "Exists"]),
    }
    if !effect.is_empty() {
        text::one_of(effect, EFFECTS, &path.child("effect"), errors);
    }
}
