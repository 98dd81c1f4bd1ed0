//! `quantity('1.5Gi')`: amounts as `resource.Quantity` computes with them.

use std::sync::Arc;

use model::quantity::{Format, Quantity};

use super::opaque::Opaque;
use super::{Code, fail, some};
use crate::value::{Outcome, Value};

pub(super) fn code(function: &str) -> Option<Code> {
    Some(match function {
        "quantity" => |args| match args {
            [Value::String(text)] => match Quantity::parse(text) {
                Ok(quantity) => some(made(quantity)),
                Err(error) => fail(error.to_string()),
            },
            _ => None,
        },
        "isQuantity" => |args| match args {
            [Value::String(text)] => some(Value::Bool(Quantity::parse(text).is_ok())),
            _ => None,
        },
        "sign" => |args| of(args).map(|quantity| Ok(Value::Int(quantity.sign().into()))),
        "asApproximateFloat" => |args| of(args).map(|quantity| Ok(Value::Double(quantity.to_f64()))),
        "isInteger" => |args| of(args).map(|quantity| Ok(Value::Bool(whole(quantity).is_some()))),
        "asInteger" => |args| match whole(of(args)?) {
            Some(number) => some(Value::Int(number)),
            None => fail("cannot convert value to integer"),
        },
        "add" => |args| change(args, Quantity::add),
        "sub" => |args| change(args, Quantity::sub),
        "isGreaterThan" | "isLessThan" | "compareTo" => return super::semver::comparison(function),
        _ => return None,
    })
}

fn made<'a>(quantity: Quantity) -> Value<'a> {
    Value::Opaque(Arc::new(Opaque::Quantity(quantity)))
}

fn of<'v>(args: &'v [Value<'_>]) -> Option<&'v Quantity> {
    match args.first()? {
        Value::Opaque(opaque) => match &**opaque {
            Opaque::Quantity(quantity) => Some(quantity),
            _ => None,
        },
        _ => None,
    }
}

/// A whole amount within 64 bits.
fn whole(quantity: &Quantity) -> Option<i64> {
    let number = quantity.value();
    // What has more digits than upstream computes with in 64 bits is no integer to it.
    if number.unsigned_abs() >= 1_000_000_000_000_000_000 {
        return None;
    }
    let mut rest = Quantity::new(number, Format::DecimalSi);
    rest.sub(quantity);
    rest.is_zero().then_some(number)
}

fn change<'a>(args: &[Value<'a>], by: fn(&mut Quantity, &Quantity)) -> Option<Outcome<'a>> {
    let mut result = of(args)?.clone();
    match args.get(1)? {
        Value::Int(number) => by(&mut result, &Quantity::new(*number, Format::DecimalExponent)),
        _ => by(&mut result, of(&args[1..])?),
    }
    some(made(result))
}
