//! The `scale` of a custom resource: where its numbers are, how they are read and written.
//! Follows `ScaleREST` of `apiextensions-apiserver/pkg/registry/customresource/etcd.go`.

use model::field::{Errors, Path};
use model::{Map, Value};

/// What stands for a number that the object does not have, so that a write which leaves it out is noticed.
const UNSET: i64 = i32::MIN as i64;

/// Paths to the numbers, each as the definition spells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// `specReplicasPath`
    pub spec: String,
    /// `statusReplicasPath`
    pub status: String,
    /// `labelSelectorPath`, or empty.
    pub selector: String,
}

/// What the subresource shows of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The wished number; nothing where the object has none.
    pub wanted: Option<i64>,
    /// The present number.
    pub present: i64,
    /// Text of the selector.
    pub selector: String,
}

impl Paths {
    /// From `subresources.scale`.
    pub fn of(scale: &Value) -> Self {
        let text = |field: &str| scale.get(field).and_then(Value::as_str).unwrap_or("").to_owned();
        Self { spec: text("specReplicasPath"), status: text("statusReplicasPath"), selector: text("labelSelectorPath") }
    }

    /// Reads the numbers. Fails with Go's words for a value of another type.
    pub fn read(&self, object: &Value) -> Result<Shown, String> {
        let selector = if self.selector.is_empty() { None } else { text(object, &self.selector)? };
        Ok(Shown {
            wanted: number(object, &self.spec)?,
            present: number(object, &self.status)?.unwrap_or(0),
            selector: selector.unwrap_or_default(),
        })
    }

    /// Where the wished number is, spelt `spec.replicas`.
    pub fn wanted_place(&self) -> &str {
        self.spec.trim_start_matches('.')
    }

    /// The number to show to a writer of an object that may have none.
    pub fn unset() -> i64 {
        UNSET
    }

    /// Writes the wished number. Fails with upstream's words where none was given, or something else is in the way.
    pub fn write(&self, object: &mut Value, replicas: i64) -> Result<(), String> {
        if replicas == UNSET {
            return Err(format!("the spec replicas field {} cannot be empty", model::field::quote(&self.spec)));
        }
        let names: Vec<&str> = names(&self.spec).collect();
        let Some((last, parents)) = names.split_last() else { return Ok(()) };
        let mut target = object;
        for (at, name) in parents.iter().enumerate() {
            let Some(map) = target.as_object_mut() else {
                return Err(format!("value cannot be set because .{} is not a map[string]interface{{}}", names[..at].join(".")));
            };
            target = map.entry(*name).or_insert_with(|| Value::Object(Map::new()));
        }
        let path = names[..parents.len()].join(".");
        let map = target
            .as_object_mut()
            .ok_or_else(|| format!("value cannot be set because .{path} is not a map[string]interface{{}}"))?;
        map.insert((*last).to_owned(), replicas.into());
        Ok(())
    }

    /// `ValidateScaleSpec`
    pub fn validate_spec(&self, object: &Value, errors: &mut Errors) {
        validate(object, &self.spec, errors);
    }

    /// `ValidateScaleStatus`
    pub fn validate_status(&self, object: &Value, errors: &mut Errors) {
        validate(object, &self.status, errors);
        if !self.selector.is_empty()
            && let Err(why) = text(object, &self.selector)
        {
            errors.invalid(&Path::new(&self.selector), "", why);
        }
    }
}

fn validate(object: &Value, path: &str, errors: &mut Errors) {
    let field = Path::new(path);
    match number(object, path) {
        Err(why) => errors.invalid(&field, 0, why),
        Ok(Some(number)) if number < 0 => errors.invalid(&field, number, "should be a non-negative integer"),
        Ok(Some(number)) if number > i64::from(i32::MAX) => {
            errors.invalid(&field, number, format!("should be less than or equal to {}", i32::MAX));
        }
        Ok(_) => {}
    }
}

fn names(path: &str) -> impl Iterator<Item = &str> {
    path.strip_prefix('.').unwrap_or(path).split('.')
}

/// A value down a path; nothing when a field is absent. Fails with the words of apimachinery's `NestedFieldNoCopy`.
fn at<'a>(object: &'a Value, path: &str) -> Result<Option<&'a Value>, String> {
    let (mut value, mut passed) = (object, String::new());
    for name in names(path) {
        let Some(map) = value.as_object() else {
            if value.is_null() {
                return Ok(None);
            }
            return Err(accessor(&passed, value, "map[string]interface{}"));
        };
        passed = format!("{passed}.{name}");
        match map.get(name) {
            Some(inner) => value = inner,
            None => return Ok(None),
        }
    }
    Ok(Some(value))
}

fn number(object: &Value, path: &str) -> Result<Option<i64>, String> {
    let Some(value) = at(object, path)? else { return Ok(None) };
    value.as_i64().map(Some).ok_or_else(|| accessor(&dotted(path), value, "int64"))
}

fn text(object: &Value, path: &str) -> Result<Option<String>, String> {
    let Some(value) = at(object, path)? else { return Ok(None) };
    value.as_str().map(|text| Some(text.to_owned())).ok_or_else(|| accessor(&dotted(path), value, "string"))
}

fn dotted(path: &str) -> String {
    names(path).map(|name| format!(".{name}")).collect()
}

fn accessor(path: &str, value: &Value, wanted: &str) -> String {
    let (shown, kind) = (schema::patch::go_print(value), go_type(value));
    format!("{path} accessor error: {shown} is of the type {kind}, expected {wanted}")
}

fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    fn paths() -> Paths {
        Paths::of(
            &json!({"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas", "labelSelectorPath": ".status.selector"}),
        )
    }

    #[test]
    fn numbers_are_read_and_written() {
        let mut object = json!({"spec": {"replicas": 2}, "status": {"replicas": 1, "selector": "a=b"}});
        assert_eq!(paths().read(&object), Ok(Shown { wanted: Some(2), present: 1, selector: "a=b".into() }));
        assert_eq!(paths().write(&mut object, 5), Ok(()));
        assert_eq!(object["spec"]["replicas"], 5);
        let mut bare = json!({});
        assert_eq!(paths().read(&bare), Ok(Shown { wanted: None, present: 0, selector: String::new() }));
        assert_eq!(paths().write(&mut bare, 1), Ok(()));
        assert_eq!(bare, json!({"spec": {"replicas": 1}}));
        assert_eq!(
            paths().write(&mut bare, Paths::unset()),
            Err("the spec replicas field \".spec.replicas\" cannot be empty".to_owned())
        );
    }

    #[test]
    fn faults_are_told_in_upstreams_words() {
        let mut errors = Errors::new();
        paths().validate_spec(&json!({"spec": {"replicas": -1}}), &mut errors);
        paths().validate_spec(&json!({"spec": {"replicas": "x"}}), &mut errors);
        paths().validate_status(&json!({"status": {"replicas": 4294967296_i64, "selector": 1}}), &mut errors);
        let told: Vec<String> = errors.0.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                ".spec.replicas: Invalid value: -1: should be a non-negative integer",
                ".spec.replicas: Invalid value: 0: .spec.replicas accessor error: x is of the type string, expected int64",
                ".status.replicas: Invalid value: 4294967296: should be less than or equal to 2147483647",
                ".status.selector: Invalid value: \"\": .status.selector accessor error: 1 is of the type int64, expected string",
            ]
        );
    }
}
