//! Optional values. `or` and `orValue` are the evaluator's, because they do not always look at their second operand.

use super::{Code, fail, some};
use crate::value::{Outcome, Value};

pub(super) fn code(function: &str) -> Option<Code> {
    Some(match function {
        "optional.of" => |args| some(Value::optional(args.first().cloned())),
        "optional.ofNonZeroValue" => |args| match args {
            [value] if is_zero(value) => some(Value::Optional(None)),
            [value] => some(Value::optional(Some(value.clone()))),
            _ => None,
        },
        "optional.none" => |_| some(Value::Optional(None)),
        "value" => |args| match args {
            [Value::Optional(Some(inner))] => some((**inner).clone()),
            [Value::Optional(None)] => fail("optional.none() dereference"),
            _ => None,
        },
        "hasValue" => |args| match args {
            [Value::Optional(inner)] => some(Value::Bool(inner.is_some())),
            _ => None,
        },
        "optional.unwrap" | "unwrapOpt" => unwrap,
        "first" => |args| match args {
            [Value::List(list)] => Some(list.get(0).transpose().map(Value::optional)),
            _ => None,
        },
        "last" => |args| match args {
            [Value::List(list)] => Some(list.get(list.len().wrapping_sub(1)).transpose().map(Value::optional)),
            _ => None,
        },
        _ => return None,
    })
}

fn is_zero(value: &Value<'_>) -> bool {
    match value {
        Value::Null | Value::Optional(None) => true,
        Value::Bool(truth) => !truth,
        Value::Int(number) => *number == 0,
        Value::Uint(number) => *number == 0,
        Value::Double(number) => *number == 0.0,
        Value::Duration(nanos) => *nanos == 0,
        Value::String(text) => text.is_empty(),
        Value::Bytes(bytes) => bytes.is_empty(),
        Value::Timestamp(moment) => moment.seconds == -62_135_596_800 && moment.nanos == 0,
        // Declared data does not tell whether it is zero.
        Value::List(crate::value::List::Made(items)) => items.is_empty(),
        Value::Map(map @ crate::value::Map::Made(_)) => map.len() == 0,
        _ => false,
    }
}

fn unwrap<'a>(args: &[Value<'a>]) -> Option<Outcome<'a>> {
    let [Value::List(list)] = args else { return None };
    let mut held = Vec::new();
    for item in list.iter() {
        match item {
            Ok(Value::Optional(None)) => {}
            Ok(Value::Optional(Some(inner))) => held.push((*inner).clone()),
            Ok(other) => return fail(format!("value {other} is not optional")),
            Err(error) => return Some(Err(error)),
        }
    }
    some(Value::list(held))
}
