//! What functions do: one table from a function's name to its code, one module a library.
//! Signatures are in `functions`, costs in `cost`.

pub(crate) mod authz;
pub(crate) mod convert;
pub(crate) mod format;
pub(crate) mod lists;
pub(crate) mod named_format;
pub(crate) mod net;
pub(crate) mod number;
pub(crate) mod opaque;
pub(crate) mod operators;
pub(crate) mod optional;
pub(crate) mod patch;
pub(crate) mod quantity;
pub(crate) mod regex;
pub(crate) mod semver;
pub(crate) mod text;
pub(crate) mod time;
pub(crate) mod url;

use crate::program::Error;
use crate::value::{Outcome, Value};
pub(crate) use model::field::quote;

/// A function's code: nothing where no overload takes such arguments.
pub(crate) type Code = for<'a> fn(&[Value<'a>]) -> Option<Outcome<'a>>;

/// The code of a function. Operators that do not evaluate all their operands are the evaluator's.
pub(crate) fn code(function: &str) -> Option<Code> {
    let libraries: [fn(&str) -> Option<Code>; 15] = [
        operators::code,
        convert::code,
        text::code,
        time::code,
        optional::code,
        lists::code,
        regex::code,
        url::code,
        quantity::code,
        net::code,
        named_format::code,
        semver::code,
        format::code,
        authz::code,
        patch::code,
    ];
    libraries.iter().find_map(|library| library(function))
}

/// A value that is there.
pub(crate) fn some(value: Value<'_>) -> Option<Outcome<'_>> {
    Some(Ok(value))
}

/// A failure with its message.
pub(crate) fn fail<'a>(message: impl Into<String>) -> Option<Outcome<'a>> {
    Some(Err(Error::Failed(message.into())))
}
