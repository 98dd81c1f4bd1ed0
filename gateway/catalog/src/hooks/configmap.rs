//! ConfigMap. Upstream: `pkg/apis/core/validation` (`ValidateConfigMap`), `pkg/apis/core/v1/defaults.go`.

use model::field::{Errors, Path};
use model::{Value, name};

use super::rules::{bag, get, text};
use super::{Hooks, secret::DATA_BYTES_MAX};

pub(super) const HOOKS: Hooks = Hooks { validate: Some(validate), validate_update: Some(validate_update), ..Hooks::NONE };

fn validate(object: &Value, errors: &mut Errors) {
    let mut bytes = 0;
    let binary = get::at(object, "binaryData");
    for (key, value) in get::pairs(object, "data") {
        let data = Path::new("data");
        let path = data.key(key);
        text::invalid_each(key, name::is_config_map_key(key), &path, errors);
        if binary.get(key).is_some() {
            errors.invalid(&path, key, "duplicate of key present in binaryData");
        }
        bytes += value.len();
    }
    for (key, value) in get::pairs(object, "binaryData") {
        text::invalid_each(key, name::is_config_map_key(key), &Path::new("binaryData").key(key), errors);
        bytes += bag::decoded_bytes(value);
    }
    if bytes > DATA_BYTES_MAX {
        // The empty path says that the fault is of the whole object.
        errors.too_long(&Path::new(""), DATA_BYTES_MAX);
    }
}

fn validate_update(new: &Value, old: &Value, errors: &mut Errors) {
    bag::immutable(new, old, &["data", "binaryData"], errors);
    validate(new, errors);
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::json::json;

    fn faults(object: &Value) -> Vec<String> {
        let mut errors = Errors::new();
        validate(object, &mut errors);
        errors.0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn keys_are_file_names_and_unique_over_both_bags() {
        assert_eq!(faults(&json!({"data": {"a.conf": "x"}, "binaryData": {"b": "AA=="}})), Vec::<String>::new());
        assert_eq!(
            faults(&json!({"data": {"a": "x"}, "binaryData": {"a": "AA=="}})),
            ["data[a]: Invalid value: \"a\": duplicate of key present in binaryData"]
        );
        assert_eq!(faults(&json!({"data": {"..": "x"}})).len(), 1);
    }

    #[test]
    fn too_much_data_is_refused_as_a_whole() {
        let object = json!({"data": {"a": "x".repeat(DATA_BYTES_MAX + 1)}});
        assert_eq!(faults(&object), ["[]: Too long: may not be more than 1048576 bytes"]);
    }

    #[test]
    fn an_immutable_one_stays_as_it_is() {
        let old = json!({"immutable": true, "data": {"a": "1"}});
        let mut errors = Errors::new();
        validate_update(&json!({"data": {"a": "2"}}), &old, &mut errors);
        let fields: Vec<&str> = errors.0.iter().map(|e| e.field.as_str()).collect();
        assert_eq!(fields, ["immutable", "data"]);
    }
}
