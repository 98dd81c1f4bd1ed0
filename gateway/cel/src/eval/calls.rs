//! Calls: operands first, then what the call takes is asked for, then it is done, then it is charged.

use std::sync::Arc;

use super::{Run, SELECT, Slot};
use crate::cost::actual;
use crate::effort;
use crate::library::regex::{self, Pattern};
use crate::plan::{Accumulate, Call};
use crate::program::Error;
use crate::value::{List, Map, Outcome, Value};

impl<'a> Run<'a, '_> {
    pub(super) fn call(&mut self, call: &'a Call) -> Outcome<'a> {
        match &call.args[..] {
            [one] => match self.node(one) {
                Ok(value) => self.apply(call, &[value]),
                Err(error) => self.failed(call, &[Value::Null], error),
            },
            [first, second] => {
                let left = self.node(first);
                if matches!(left, Err(Error::CostLimit)) {
                    return left;
                }
                match (left, self.node(second)) {
                    (Ok(left), Ok(right)) => self.apply(call, &[left, right]),
                    (Err(error), right) => self.failed(call, &[Value::Null, right.unwrap_or(Value::Null)], error),
                    (Ok(left), Err(error)) => self.failed(call, &[left, Value::Null], error),
                }
            }
            args => {
                let values: Result<Vec<_>, _> = args.iter().map(|arg| self.node(arg)).collect();
                self.apply(call, &values?)
            }
        }
    }

    /// A call that an operand's error prevents costs what it would with that operand; null stands for it, whose size is an
    /// error's.
    fn failed(&mut self, call: &'a Call, args: &[Value<'a>], error: Error) -> Outcome<'a> {
        if error == Error::CostLimit {
            return Err(error);
        }
        // Upstream's counting of these takes the error for a list, and says so.
        let list = match call.overload {
            "list_distinct" => args.first(),
            overload if overload.ends_with("_sortByAssociatedKeys") => args.get(1),
            overload if overload.starts_with("list_") && overload.ends_with("_sort") => args.first(),
            _ => None,
        };
        if matches!(list, Some(Value::Null)) {
            let message = "internal error: interface conversion: *types.Err is not traits.Lister: missing method Add";
            return Err(Error::Failed(message.into()));
        }
        self.exert(effort::call(&call.function, args, self.left()))?;
        self.charge(actual::call(&call.function, call.overload, args, None))?;
        Err(error)
    }

    fn apply(&mut self, call: &'a Call, args: &[Value<'a>]) -> Outcome<'a> {
        self.exert(effort::call(&call.function, args, self.left()))?;
        let result = if regex::is_search(&call.function) { self.search(call, args)? } else { (call.code)(args) };
        let result = result.unwrap_or_else(|| Err(no_such_overload(&call.function, args)));
        self.charge(actual::call(&call.function, call.overload, args, result.as_ref().ok()))?;
        result
    }

    /// Looks for a regular expression: one that the program knows, or one that is made of data, of which the last is kept.
    fn search(&mut self, call: &'a Call, args: &[Value<'a>]) -> Result<Option<Outcome<'a>>, Error> {
        let pattern = match (&call.pattern, args.get(1)) {
            (Some(pattern), _) => pattern.clone(),
            (None, Some(Value::String(text))) => match self.pattern(text)? {
                Ok(pattern) => pattern,
                Err(message) => return Ok(Some(Err(Error::Failed(message)))),
            },
            _ => return Ok(None),
        };
        self.exert(pattern.effort(&call.function, args))?;
        Ok(regex::search(&call.function, &pattern, args))
    }

    fn pattern(&mut self, text: &str) -> Result<Result<Arc<Pattern>, String>, Error> {
        if let Some((known, pattern)) = &self.pattern
            && **known == *text
        {
            return Ok(Ok(pattern.clone()));
        }
        self.exert(effort::bytes(text.len()) * 16)?;
        self.exert(regex::compiling(text))?;
        Ok(regex::compile(text).map(|pattern| {
            let pattern = Arc::new(pattern);
            self.pattern = Some((text.into(), pattern.clone()));
            pattern
        }))
    }

    pub(super) fn accumulate(&mut self, accumulate: &'a Accumulate) -> Outcome<'a> {
        let current = self.local(accumulate.place).map(drop);
        self.charge(SELECT)?;
        let call = &accumulate.call;
        let mut rest = Vec::with_capacity(call.args.len());
        for arg in &call.args {
            match self.node(arg) {
                Ok(value) => rest.push(value),
                Err(error) => {
                    self.charge(1)?;
                    return current.and(Err(error));
                }
            }
        }
        if let Err(error) = current {
            self.charge(1)?;
            return Err(error);
        }
        let slot = std::mem::replace(&mut self.locals[accumulate.place], Slot::Ready(Ok(Value::Null)));
        let Slot::Ready(Ok(value)) = slot else { return Err(Error::no_overload()) };
        self.exert(rest.iter().map(added).sum())?;
        let result = add_to(value, &rest);
        self.charge(1)?;
        result
    }
}

/// The effort of adding to an accumulator.
fn added(value: &Value<'_>) -> u64 {
    match value {
        Value::Map(map) => 4 * map.len() as u64,
        Value::List(list) => list.len() as u64,
        value => effort::entry(value),
    }
}

/// Adds to an accumulator, in place where nobody else holds it.
fn add_to<'a>(value: Value<'a>, rest: &[Value<'a>]) -> Outcome<'a> {
    match (value, rest) {
        (Value::List(List::Made(mut items)), [Value::List(more)]) => {
            let more = more.items()?;
            std::sync::Arc::make_mut(&mut items).extend(more);
            Ok(Value::List(List::Made(items)))
        }
        (Value::Map(Map::Made(mut made)), rest) => {
            crate::library::operators::insert_into(std::sync::Arc::make_mut(&mut made), rest)?;
            Ok(Value::Map(Map::Made(made)))
        }
        _ => Err(Error::no_overload()),
    }
}

fn no_such_overload(function: &str, args: &[Value<'_>]) -> Error {
    if function == "size" {
        return Error::Failed("no such overload: size".into());
    }
    let plain = matches!(function, "startsWith" | "endsWith" | "contains" | "matches");
    if plain || !function.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Error::no_overload();
    }
    let types: Vec<&str> = args.iter().map(Value::type_name).collect();
    Error::Failed(format!("no such overload: {function}({})", types.join(", ")))
}
