//! Checks the settings of a binding against the JSON schema inside its module, in the words of Kubernetes.
//! Knows the part of JSON schema that describes settings; what it does not know it leaves to the module's `configure`.

use std::cell::Cell;

use model::field::{Errors, Fault, Path};
use model::{Map, Value};

/// Levels of settings and of references between schemas.
const DEPTH_MAX: usize = 32;
/// Values that are compared with a schema, each with each. The schema is the module's, and choices that refer to themselves
/// double the work with every level.
const STEPS_MAX: usize = 1_000_000;
/// Faults that are told at once.
const ERRORS_MAX: usize = 100;

/// Adds to `errors` whatever in `settings` the schema does not allow.
pub fn check(schema: &Value, settings: &Value, path: &Path<'_>, errors: &mut Errors) {
    let check = Check { root: schema, steps_left: Cell::new(STEPS_MAX) };
    let mut found = Errors::new();
    check.value(schema, settings, path, &mut found, 0);
    match check.is_spent() {
        true => errors.forbidden(path, "comparing it with the settings schema of the module takes too long"),
        false => errors.0.extend(found.0),
    }
}

struct Check<'s> {
    root: &'s Value,
    steps_left: Cell<usize>,
}

impl Check<'_> {
    /// Whether there was more to compare than may be; from then on nothing is.
    fn is_spent(&self) -> bool {
        self.steps_left.get() == 0
    }

    fn spend(&self, steps: usize) {
        self.steps_left.set(self.steps_left.get().saturating_sub(steps));
    }

    fn value(&self, schema: &Value, value: &Value, path: &Path<'_>, errors: &mut Errors, depth: usize) {
        self.spend(1);
        if self.is_spent() || errors.0.len() >= ERRORS_MAX {
            return;
        }
        if depth > DEPTH_MAX {
            return errors.too_many(path, depth, DEPTH_MAX);
        }
        let Some(schema) = self.resolve(schema) else { return };
        if let Some(allowed) = allowed(schema).filter(|allowed| !allowed.contains(&value)) {
            let texts: Vec<String> = allowed.into_iter().map(text).collect();
            return errors.not_supported(path, value.clone(), &texts.iter().map(|name| name.as_str()).collect::<Vec<_>>());
        }
        if let Some(wanted) = wrong_type(schema, value) {
            let detail = format!("must be of type {wanted}");
            return errors.push(Fault::TypeInvalid, path, Some(value.clone()), detail);
        }
        self.any_of(schema, value, path, errors, depth);
        match value {
            Value::Object(map) => self.object(schema, map, path, errors, depth),
            Value::Array(items) => self.list(schema, items, path, errors, depth),
            Value::String(text) => string(schema, text, path, errors),
            Value::Number(_) => number(schema, value, path, errors),
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// Follows `$ref` into `$defs`.
    fn resolve<'a>(&'a self, schema: &'a Value) -> Option<&'a Map> {
        let mut schema = schema.as_object()?;
        for _ in 0..DEPTH_MAX {
            let Some(reference) = schema.get("$ref").and_then(Value::as_str) else { return Some(schema) };
            schema = self.root.pointer(reference.strip_prefix('#')?)?.as_object()?;
        }
        None
    }

    fn any_of(&self, schema: &Map, value: &Value, path: &Path<'_>, errors: &mut Errors, depth: usize) {
        let choices = ["anyOf", "oneOf"].iter().find_map(|word| schema.get(*word)?.as_array());
        let Some(choices) = choices else { return };
        let mut best: Option<Errors> = None;
        for choice in choices {
            let mut faults = Errors::new();
            self.value(choice, value, path, &mut faults, depth + 1);
            if faults.is_empty() {
                return;
            }
            // A choice of another type is not what was meant; the one that fails deepest says most.
            if best.as_ref().is_none_or(|b| b.0.iter().any(|e| e.fault == Fault::TypeInvalid)) {
                best = Some(faults);
            }
        }
        errors.0.extend(best.unwrap_or_default().0);
    }

    fn object(&self, schema: &Map, map: &Map, path: &Path<'_>, errors: &mut Errors, depth: usize) {
        let properties = schema.get("properties").and_then(Value::as_object);
        for required in schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            if !map.contains_key(required) {
                errors.required(&path.child(required), "");
            }
        }
        for (name, value) in map {
            let field = path.child(name);
            match (properties.and_then(|p| p.get(name)), schema.get("additionalProperties")) {
                (Some(schema), _) => self.value(schema, value, &field, errors, depth + 1),
                (None, Some(Value::Bool(false))) => {
                    let known: Vec<&str> = properties.into_iter().flat_map(Map::keys).map(|name| name.as_str()).collect();
                    errors.invalid(&field, value.clone(), format!("unknown setting; the policy knows: {}", known.join(", ")));
                }
                (None, Some(schema @ Value::Object(_))) => self.value(schema, value, &path.key(name), errors, depth + 1),
                (None, _) => {}
            }
        }
    }

    fn list(&self, schema: &Map, items: &[Value], path: &Path<'_>, errors: &mut Errors, depth: usize) {
        if let Some(min) = limit(schema, "minItems").filter(|min| items.len() < *min) {
            errors.too_few(path, items.len(), min);
        }
        if let Some(max) = limit(schema, "maxItems").filter(|max| items.len() > *max) {
            errors.too_many(path, items.len(), max);
        }
        let unique = schema.get("uniqueItems") == Some(&Value::Bool(true));
        for (n, item) in items.iter().enumerate() {
            if unique {
                self.spend(n);
            }
            if self.is_spent() {
                return;
            }
            if unique && items[..n].contains(item) {
                errors.duplicate(&path.index(n), item.clone());
            }
            if let Some(schema) = schema.get("items") {
                self.value(schema, item, &path.index(n), errors, depth + 1);
            }
        }
    }
}

/// The values that a schema lists: as `enum`, or one by one where each has a description.
fn allowed(schema: &Map) -> Option<Vec<&Value>> {
    if let Some(listed) = schema.get("enum").and_then(Value::as_array) {
        return Some(listed.iter().collect());
    }
    let listed = ["oneOf", "anyOf"].iter().find_map(|word| schema.get(*word)?.as_array())?;
    listed.iter().map(|choice| choice.get("const")).collect()
}

fn string(schema: &Map, text: &str, path: &Path<'_>, errors: &mut Errors) {
    let length = text.chars().count();
    if let Some(min) = limit(schema, "minLength").filter(|min| length < *min) {
        errors.invalid(path, text, format!("should be at least {min} chars long"));
    }
    if let Some(max) = limit(schema, "maxLength").filter(|max| length > *max) {
        errors.too_long_characters(path, max);
    }
}

fn number(schema: &Map, value: &Value, path: &Path<'_>, errors: &mut Errors) {
    let bound = |word| schema.get(word).and_then(Value::as_f64);
    let Some(number) = value.as_f64() else { return };
    if let Some(min) = bound("minimum").filter(|min| number < *min) {
        errors.invalid(path, value.clone(), format!("should be greater than or equal to {min}"));
    }
    if let Some(max) = bound("maximum").filter(|max| number > *max) {
        errors.invalid(path, value.clone(), format!("should be less than or equal to {max}"));
    }
}

fn limit(schema: &Map, word: &str) -> Option<usize> {
    schema.get(word)?.as_u64().and_then(|n| usize::try_from(n).ok())
}

/// The types that the schema asks for, when the value has none of them.
fn wrong_type(schema: &Map, value: &Value) -> Option<String> {
    let wanted: Vec<&str> = match schema.get("type")? {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    let fits = |name: &&str| match *name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        _ => true,
    };
    (!wanted.iter().any(fits)).then(|| wanted.into_iter().filter(|name| *name != "null").collect::<Vec<_>>().join(" or "))
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::json::json;

    fn faults(schema: &Value, settings: &Value) -> Vec<String> {
        let mut errors = Errors::new();
        let spec = Path::new("spec");
        check(schema, settings, &spec.child("settings"), &mut errors);
        errors.0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn values_that_are_described_one_by_one_are_a_list_too() {
        let schema = json!({"oneOf": [{"const": "a", "description": "A."}, {"const": "b", "description": "B."}]});
        assert_eq!(faults(&schema, &json!("b")), Vec::<String>::new());
        assert_eq!(faults(&schema, &json!("c")), ["spec.settings: Unsupported value: \"c\": supported values: \"a\", \"b\""]);
    }

    #[test]
    fn says_where_and_what() {
        let schema = json!({"type": "object", "required": ["labels"], "additionalProperties": false, "properties": {
            "labels": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/Label"}},
            "mode": {"anyOf": [{"enum": ["a", "b"]}, {"type": "null"}]},
            "replicas": {"type": ["integer", "null"], "minimum": 1}},
            "$defs": {"Label": {"type": "object", "required": ["key"], "properties": {"key": {"type": "string", "minLength": 1}}}}});
        assert_eq!(faults(&schema, &json!({"labels": [{"key": "team"}], "mode": "a", "replicas": null})), Vec::<String>::new());
        assert_eq!(faults(&schema, &json!({})), ["spec.settings.labels: Required value"]);
        assert_eq!(faults(&schema, &json!([])), ["spec.settings: Invalid value: []: must be of type object"]);
        assert_eq!(
            faults(&schema, &json!({"labels": [{"key": 3}, {}], "replicas": 0, "labls": 1})),
            [
                "spec.settings.labels[0].key: Invalid value: 3: must be of type string",
                "spec.settings.labels[1].key: Required value",
                "spec.settings.replicas: Invalid value: 0: should be greater than or equal to 1",
                "spec.settings.labls: Invalid value: 1: unknown setting; the policy knows: labels, mode, replicas",
            ]
        );
        assert_eq!(
            faults(&schema, &json!({"labels": [], "mode": "c"})),
            [
                "spec.settings.labels: Too few: 0: must have at least 1 item",
                "spec.settings.mode: Unsupported value: \"c\": supported values: \"a\", \"b\"",
            ]
        );
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        assert_eq!(faults(&json!({"$ref": "#"}), &json!({})), Vec::<String>::new());
        let tree = json!({"type": "object", "properties": {"next": {"$ref": "#"}}});
        let nested = (0..100).fold(json!({}), |inner, _| json!({"next": inner}));
        assert_eq!(faults(&tree, &nested).len(), 1);
    }

    #[test]
    fn a_schema_that_doubles_the_work_with_every_level_ends() {
        let slow = ["spec.settings: Forbidden: comparing it with the settings schema of the module takes too long"];
        assert_eq!(faults(&json!({"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}), &json!({})), slow);
        let numbers = json!({"type": "array", "items": {"type": "string"}});
        assert_eq!(faults(&numbers, &json!((0..1_000).collect::<Vec<_>>())).len(), ERRORS_MAX);
        let unique = json!({"type": "array", "uniqueItems": true});
        assert_eq!(faults(&unique, &json!((0..10_000).collect::<Vec<_>>())), slow);
        assert_eq!(faults(&unique, &json!((0..1_000).collect::<Vec<_>>())), Vec::<String>::new());
    }
}
