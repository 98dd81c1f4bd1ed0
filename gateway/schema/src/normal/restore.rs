//! Makes a changed object fit its type as upstream does where it goes over Go's maps instead of JSON text: after a strategic
//! merge patch and after an apply. Follows `FromUnstructured` of `k8s.io/apimachinery/pkg/runtime/converter.go`.
//! Drops nothing and fills nothing in: that is decoding's, which takes whatever fits.

use std::fmt::Write as _;

use codec::go_base64;
use model::json::{Map, Number, Value};

use super::decode;
use crate::types::{Kind, TypeId, Types};

/// From here on Go writes numbers with an exponent.
const WRITTEN_OUT_MAX: f64 = 1e21;

/// Makes an object fit a struct type: numbers become those that Go makes of them, wrapped where they are too large. Unknown
/// fields are told as the converter tells them: sorted, and without the keys of maps on the way.
///
/// # Errors
/// The converter's text of the first fault, in the order of Go's fields.
pub fn restore(types: &Types, ty: TypeId, value: &mut Value, unknown: &mut Vec<String>) -> Result<(), String> {
    let mut walk = Walk { types, path: String::new(), unknown: Vec::new() };
    walk.structure(ty, value)?;
    walk.unknown.sort_unstable();
    unknown.append(&mut walk.unknown);
    Ok(())
}

struct Walk<'a> {
    types: &'a Types,
    /// Where the walk is: fields and indexes, not the keys of maps.
    path: String,
    unknown: Vec<String>,
}

impl<'a> Walk<'a> {
    fn structure(&mut self, ty: TypeId, value: &mut Value) -> Result<(), String> {
        let Value::Object(map) = value else { return Err(format!("cannot restore struct from: {}", kind_of(value))) };
        let of = &self.types[ty];
        let length = self.path.len();
        for field in &of.fields {
            let Some(value) = map.get_mut(field.json) else { continue };
            // What has a method of its own for that reads its JSON.
            if field.holds_schemas() {
                continue;
            }
            self.enter(field.json);
            let types = self.types;
            match (&field.kind, &mut *value) {
                (Kind::List(inner), Value::Array(items)) => self.list(inner, &|| types.go_element_type(field), items)?,
                (Kind::Map(inner), Value::Object(map)) => self.map(inner, &|| types.go_element_type(field), map)?,
                (kind, _) => self.any(kind, &|| types.go_type(field), value)?,
            }
            self.path.truncate(length);
        }
        for key in map.keys().filter(|key| of.field(key).is_none()) {
            self.enter(key);
            self.unknown.push(format!("unknown field \"{}\"", self.path));
            self.path.truncate(length);
        }
        Ok(())
    }

    fn enter(&mut self, key: &str) {
        if !self.path.is_empty() {
            self.path.push('.');
        }
        self.path.push_str(key);
    }

    fn list(&mut self, inner: &'a Kind, name: &dyn Fn() -> String, items: &mut [Value]) -> Result<(), String> {
        let length = self.path.len();
        for (at, item) in items.iter_mut().enumerate() {
            // Writing to a string cannot fail.
            let _ = write!(self.path, "[{at}]");
            self.any(inner, name, item)?;
            self.path.truncate(length);
        }
        Ok(())
    }

    fn map(&mut self, inner: &'a Kind, name: &dyn Fn() -> String, map: &mut Map) -> Result<(), String> {
        map.values_mut().try_for_each(|value| self.any(inner, name, value))
    }

    /// A value of any kind; `name` is its Go type.
    fn any(&mut self, kind: &'a Kind, name: &dyn Fn() -> String, value: &mut Value) -> Result<(), String> {
        let types = self.types;
        match (kind, &mut *value) {
            (_, Value::Null) => Ok(()),
            (Kind::Struct(id), _) => self.structure(*id, value),
            (Kind::List(inner), Value::Array(items)) => self.list(inner, &|| types.go_type_of(inner), items),
            (Kind::Map(inner), Value::Object(map)) => self.map(inner, &|| types.go_type_of(inner), map),
            (Kind::Bytes, Value::String(text)) => match go_base64::canonical(text) {
                Ok(_) => Ok(()),
                Err(why) => Err(format!("error decoding from json: {why}")),
            },
            // What is no byte decoding refuses.
            (Kind::Bytes, Value::Array(items)) => match items.iter().find(|item| !item.is_number() && !item.is_null()) {
                None => Ok(()),
                Some(_) => Err("unrecognized type: uint8".to_owned()),
            },
            (Kind::List(_) | Kind::Bytes, _) => Err(format!("cannot restore slice from {}", kind_of(value))),
            (Kind::Map(_), _) => Err(format!("cannot restore map from {}", kind_of(value))),
            // Go's zero time stays what was said, for decoding to tell from none.
            (Kind::Time | Kind::MicroTime, _) => {
                let mut read = value.clone();
                decode::alone(types, kind, &mut read)?;
                if !read.is_null() {
                    *value = read;
                }
                Ok(())
            }
            (Kind::Quantity | Kind::Duration | Kind::IntOrString, _) => {
                write_out(value);
                decode::alone(types, kind, value)
            }
            _ => scalar(kind, name, value),
        }
    }
}

/// A whole number as Go writes it for those who read JSON: without a fraction.
fn write_out(value: &mut Value) {
    if let Value::Number(number) = value
        && let Some(float) =
            number.as_f64().filter(|float| number.is_f64() && float.fract() == 0.0 && float.abs() < WRITTEN_OUT_MAX)
        && let Some(whole) = in_64_bits(float)
    {
        *value = whole.into();
    }
}

fn scalar(kind: &Kind, name: &dyn Fn() -> String, value: &mut Value) -> Result<(), String> {
    let word = match kind {
        Kind::String => "string",
        Kind::Bool => "bool",
        Kind::Int32 => "int32",
        Kind::Int64 => "int64",
        Kind::Float64 => "float64",
        _ => return Ok(()),
    };
    match (kind, &*value) {
        (Kind::String, Value::String(_)) | (Kind::Bool, Value::Bool(_)) | (Kind::Float64, Value::Number(_)) => Ok(()),
        (Kind::Int32 | Kind::Int64, Value::Number(number)) => match whole(number) {
            Some(whole) if *kind == Kind::Int64 => set(value, whole),
            // What is beyond 32 bits is cut off.
            Some(whole) => set(value, i64::from(whole as i32)),
            // What Go could convert, JSON does not.
            None => Err(format!("cannot convert float64 to {}", name())),
        },
        (Kind::String, Value::Number(number)) if number.is_i64() => Err(format!("cannot convert int64 to {}", name())),
        _ => Err(format!("unrecognized type: {word}")),
    }
}

fn set(value: &mut Value, number: i64) -> Result<(), String> {
    *value = number.into();
    Ok(())
}

/// The integer that Go makes of a number without a fraction.
fn whole(number: &Number) -> Option<i64> {
    number.as_i64().or_else(|| {
        let float = number.as_f64().filter(|float| float.fract() == 0.0)?;
        // What no register holds becomes the least number.
        Some(in_64_bits(float).unwrap_or(i64::MIN))
    })
}

fn in_64_bits(float: f64) -> Option<i64> {
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    (-BEYOND..BEYOND).contains(&float).then_some(float as i64)
}

/// What Go calls the kind of a parsed value.
fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "invalid",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_i64() => "int64",
        Value::Number(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => "slice",
        Value::Object(_) => "map",
    }
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    #[test]
    fn the_first_fault_is_told_in_the_converters_words() {
        let types = Types::parse(&[include_str!("../../../catalog/data/types.txt")]).expect("the committed table is readable");
        let told = |spec: Value| {
            let ty = types.of_kind("v1", "Pod").expect("known");
            restore(&types, ty, &mut json!({"spec": spec}), &mut Vec::new()).err().unwrap_or_default()
        };
        for (spec, fault) in [
            (json!({"containers": {}}), "cannot restore slice from map"),
            (json!({"containers": ["a"]}), "cannot restore struct from: string"),
            (json!({"nodeSelector": []}), "cannot restore map from slice"),
            (json!({"nodeSelector": {"a": 1}}), "cannot convert int64 to string"),
            (json!({"containers": [{"args": [true]}]}), "unrecognized type: string"),
            (json!({"containers": [{"imagePullPolicy": 1}]}), "cannot convert int64 to v1.PullPolicy"),
            (json!({"priority": "x"}), "unrecognized type: int32"),
            (json!({"priority": 1.5}), "cannot convert float64 to int32"),
            (json!({"hostNetwork": 1}), "unrecognized type: bool"),
            (json!({"priority": "x", "containers": {}}), "cannot restore slice from map"),
            (json!({"volumes": [{"name": "a", "hostPath": {"path": ["x"]}}]}), "unrecognized type: string"),
            (json!({"priority": 2, "containers": [{"name": "a", "resources": {"limits": {"cpu": 1}}}]}), ""),
            (
                json!({"containers": [{"livenessProbe": {"httpGet": {"port": []}}}]}),
                "json: cannot unmarshal array into Go value of type int32",
            ),
            (json!({"tolerations": [{"tolerationSeconds": 1.5}]}), "cannot convert float64 to int64"),
        ] {
            assert_eq!(told(spec.clone()), fault, "{spec}");
        }
    }

    #[test]
    fn numbers_are_what_go_makes_of_them() {
        let types = Types::parse(&[include_str!("../../../catalog/data/types.txt")]).expect("the committed table is readable");
        let ty = types.of_kind("v1", "Pod").expect("known");
        for (sent, kept) in [
            (json!({"priority": 1.0}), json!({"priority": 1})),
            (json!({"priority": 2_147_483_648_i64}), json!({"priority": -2_147_483_648_i64})),
            (json!({"priority": 1_099_511_627_776_i64}), json!({"priority": 0})),
            (json!({"priority": 1e30}), json!({"priority": 0})),
            (json!({"activeDeadlineSeconds": 1e30}), json!({"activeDeadlineSeconds": i64::MIN})),
            (json!({"activeDeadlineSeconds": 1e3}), json!({"activeDeadlineSeconds": 1000})),
        ] {
            let mut object = json!({"spec": sent});
            restore(&types, ty, &mut object, &mut Vec::new()).expect("they fit");
            assert_eq!(object["spec"], kept, "{sent}");
        }
    }

    #[test]
    fn a_pointer_to_gos_zero_time_is_no_absent_one() {
        let types = Types::parse(&[include_str!("../../../catalog/data/types.txt")]).expect("the committed table is readable");
        let ty = types.of_kind("v1", "Pod").expect("known");
        let zero = "0001-01-01T00:00:00Z";
        let mut object = json!({"metadata": {"deletionTimestamp": zero, "creationTimestamp": zero}});
        restore(&types, ty, &mut object, &mut Vec::new()).expect("they fit");
        decode::decode(&types, ty, &mut object, &mut Vec::new()).expect("they fit");
        assert_eq!(object, json!({"metadata": {"deletionTimestamp": zero}}));
    }

    #[test]
    fn unknown_fields_are_sorted_and_pass_over_the_keys_of_maps() {
        let types = Types::parse(&[include_str!("../../../catalog/data/types.txt")]).expect("the committed table is readable");
        let ty = types.of_kind("resource.k8s.io/v1", "ResourceSlice").expect("known");
        let mut unknown = Vec::new();
        let mut object = json!({"spec": {"x": 1, "devices": [{"name": "a", "attributes": {"k": {"int": 5, "y": 1}}}]}});
        restore(&types, ty, &mut object, &mut unknown).expect("they fit");
        assert_eq!(unknown, ["unknown field \"spec.devices[0].attributes.y\"", "unknown field \"spec.x\""]);
    }
}
