//! Operators over values. `&&`, `||`, `?:`, equality and indexes are the evaluator's.
//! Follows cel-go's `common/types` and `common/stdlib`.

use std::cmp::Ordering;

use super::{Code, fail, number, some, time};
use crate::program::Error;
use crate::value::{Map, Outcome, Value};

pub(super) fn code(function: &str) -> Option<Code> {
    Some(match function {
        "_+_" => add,
        "_-_" => subtract,
        "_*_" => multiply,
        "_/_" => divide,
        "_%_" => modulo,
        "-_" => negate,
        "!_" => |args| match args {
            [Value::Bool(truth)] => some(Value::Bool(!truth)),
            _ => None,
        },
        "_<_" => |args| ordered(args, Ordering::is_lt),
        "_<=_" => |args| ordered(args, Ordering::is_le),
        "_>_" => |args| ordered(args, Ordering::is_gt),
        "_>=_" => |args| ordered(args, Ordering::is_ge),
        "@in" => contains,
        "size" => |args| match args {
            [Value::Opaque(_)] => None,
            [value] => value.size().map(|size| Ok(Value::Int(size as i64))),
            _ => None,
        },
        "cel.@mapInsert" => insert,
        _ => return None,
    })
}

fn checked<'a, T>(value: Option<T>, wrap: fn(T) -> Value<'a>, overflow: fn() -> Error) -> Option<Outcome<'a>> {
    Some(value.map(wrap).ok_or_else(overflow))
}

fn add<'a>(args: &[Value<'a>]) -> Option<Outcome<'a>> {
    match args {
        [Value::Int(a), Value::Int(b)] => checked(a.checked_add(*b), Value::Int, number::int_overflow),
        [Value::Uint(a), Value::Uint(b)] => checked(a.checked_add(*b), Value::Uint, number::uint_overflow),
        [Value::Double(a), Value::Double(b)] => some(Value::Double(a + b)),
        [Value::String(a), Value::String(b)] => {
            let mut text = String::with_capacity(a.len() + b.len());
            text.push_str(a);
            text.push_str(b);
            some(Value::text(text))
        }
        [Value::Bytes(a), Value::Bytes(b)] => some(Value::Bytes([&**a, &**b].concat().into())),
        [Value::List(a), Value::List(b)] => Some(a.concat(b)),
        [Value::Duration(a), Value::Duration(b)] => checked(a.checked_add(*b), Value::Duration, time::duration_overflow),
        [Value::Timestamp(a), Value::Duration(b)] | [Value::Duration(b), Value::Timestamp(a)] => {
            checked(time::shift(*a, i128::from(*b)), Value::Timestamp, time::timestamp_overflow)
        }
        _ => None,
    }
}

fn subtract<'a>(args: &[Value<'a>]) -> Option<Outcome<'a>> {
    match args {
        [Value::Int(a), Value::Int(b)] => checked(a.checked_sub(*b), Value::Int, number::int_overflow),
        [Value::Uint(a), Value::Uint(b)] => checked(a.checked_sub(*b), Value::Uint, number::uint_overflow),
        [Value::Double(a), Value::Double(b)] => some(Value::Double(a - b)),
        [Value::Duration(a), Value::Duration(b)] => checked(a.checked_sub(*b), Value::Duration, time::duration_overflow),
        [Value::Timestamp(a), Value::Duration(b)] => {
            checked(time::shift(*a, -i128::from(*b)), Value::Timestamp, time::timestamp_overflow)
        }
        [Value::Timestamp(a), Value::Timestamp(b)] => checked(time::between(*a, *b), Value::Duration, time::duration_overflow),
        _ => None,
    }
}

fn multiply<'a>(args: &[Value<'a>]) -> Option<Outcome<'a>> {
    match args {
        [Value::Int(a), Value::Int(b)] => checked(a.checked_mul(*b), Value::Int, number::int_overflow),
        [Value::Uint(a), Value::Uint(b)] => checked(a.checked_mul(*b), Value::Uint, number::uint_overflow),
        [Value::Double(a), Value::Double(b)] => some(Value::Double(a * b)),
        _ => None,
    }
}

fn divide<'a>(args: &[Value<'a>]) -> Option<Outcome<'a>> {
    match args {
        [Value::Int(_), Value::Int(0)] | [Value::Uint(_), Value::Uint(0)] => fail("division by zero"),
        [Value::Int(a), Value::Int(b)] => checked(a.checked_div(*b), Value::Int, number::int_overflow),
        [Value::Uint(a), Value::Uint(b)] => some(Value::Uint(a / b)),
        [Value::Double(a), Value::Double(b)] => some(Value::Double(a / b)),
        _ => None,
    }
}

fn modulo<'a>(args: &[Value<'a>]) -> Option<Outcome<'a>> {
    match args {
        [Value::Int(_), Value::Int(0)] | [Value::Uint(_), Value::Uint(0)] => fail("modulus by zero"),
        [Value::Int(a), Value::Int(b)] => checked(a.checked_rem(*b), Value::Int, number::int_overflow),
        [Value::Uint(a), Value::Uint(b)] => some(Value::Uint(a % b)),
        _ => None,
    }
}

fn negate<'a>(args: &[Value<'a>]) -> Option<Outcome<'a>> {
    match args {
        [Value::Int(a)] => checked(a.checked_neg(), Value::Int, number::int_overflow),
        [Value::Double(a)] => some(Value::Double(-a)),
        [Value::Duration(a)] => checked(a.checked_neg(), Value::Duration, time::duration_overflow),
        _ => None,
    }
}

/// How two values of an ordered type compare.
pub(super) fn compare(a: &Value<'_>, b: &Value<'_>) -> Option<Result<Ordering, Error>> {
    Some(Ok(match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::String(a), Value::String(b)) => (**a).cmp(&**b),
        (Value::Bytes(a), Value::Bytes(b)) => a.cmp(b),
        (Value::Timestamp(a), Value::Timestamp(b)) => a.cmp(b),
        (Value::Duration(a), Value::Duration(b)) => a.cmp(b),
        _ => {
            let numbers = [a, b].into_iter().all(|v| matches!(v, Value::Int(_) | Value::Uint(_) | Value::Double(_)));
            if !numbers {
                return None;
            }
            return Some(number::compare(a, b).ok_or_else(|| Error::Failed("NaN values cannot be ordered".into())));
        }
    }))
}

fn ordered<'a>(args: &[Value<'a>], holds: fn(Ordering) -> bool) -> Option<Outcome<'a>> {
    let [a, b] = args else { return None };
    Some(compare(a, b)?.map(|order| Value::Bool(holds(order))))
}

fn contains<'a>(args: &[Value<'a>]) -> Option<Outcome<'a>> {
    match args {
        [value, Value::List(list)] => Some(list.contains(value).map(Value::Bool)),
        [key, Value::Map(map)] => Some(map.find(key).map(|found| Value::Bool(found.is_some()))),
        _ => None,
    }
}

/// `cel.@mapInsert`, which `transformMap` folds with.
fn insert<'a>(args: &[Value<'a>]) -> Option<Outcome<'a>> {
    let Value::Map(map) = &args[0] else { return None };
    let mut made = match copied(map) {
        Ok(made) => made,
        Err(error) => return Some(Err(error)),
    };
    Some(insert_into(&mut made, &args[1..]).map(|()| Value::Map(Map::Made(made.into()))))
}

fn copied<'a>(map: &Map<'a>) -> Result<crate::value::Made<'a>, Error> {
    if let Map::Made(made) = map {
        return Ok((**made).clone());
    }
    let mut made = crate::value::Made::default();
    for key in map.keys() {
        if let Some(value) = map.find(&key)? {
            made.set(key, value)?;
        }
    }
    Ok(made)
}

/// Adds a key with its value, or all entries of a map; none may be there already.
pub(crate) fn insert_into<'a>(made: &mut crate::value::Made<'a>, args: &[Value<'a>]) -> Result<(), Error> {
    match args {
        [key, value] => made.insert(key.clone(), value.clone()),
        [Value::Map(more)] => {
            for key in more.keys() {
                if let Some(value) = more.find(&key)? {
                    made.insert(key, value)?;
                }
            }
            Ok(())
        }
        _ => Err(Error::no_overload()),
    }
}
