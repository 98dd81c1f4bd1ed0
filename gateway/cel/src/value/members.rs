//! Whether a value is in a list, found at once where its like can be: set functions and lists that are sets ask for each item.

use std::collections::HashSet;

use super::{Value, equal};

/// Values that others are looked for in.
#[derive(Default)]
pub(crate) struct Members<'v, 'a> {
    marks: HashSet<Mark<'v>>,
    /// Those that have a mark.
    marked: Vec<&'v Value<'a>>,
    /// Those that must be compared one after the other.
    rest: Vec<&'v Value<'a>>,
}

/// What tells a value from all that are not equal to it.
#[derive(PartialEq, Eq, Hash)]
enum Mark<'v> {
    Bool(bool),
    Number(i128),
    Text(&'v str),
    Bytes(&'v [u8]),
    Moment(i64, u32),
    Span(i64),
}

/// Doubles from here on equal several whole numbers.
const EXACT: f64 = 9_007_199_254_740_992.0;

impl<'v> Mark<'v> {
    fn of(value: &'v Value<'_>) -> Option<Self> {
        Some(match value {
            Value::Bool(truth) => Self::Bool(*truth),
            Value::Int(number) => Self::Number((*number).into()),
            Value::Uint(number) => Self::Number((*number).into()),
            Value::Double(number) if number.fract() == 0.0 && number.abs() < EXACT => Self::Number(*number as i128),
            Value::String(text) => Self::Text(text),
            Value::Bytes(bytes) => Self::Bytes(bytes),
            Value::Timestamp(moment) => Self::Moment(moment.seconds, moment.nanos),
            Value::Duration(nanos) => Self::Span(*nanos),
            _ => return None,
        })
    }
}

impl<'v, 'a> Members<'v, 'a> {
    /// Those of a list.
    pub(crate) fn of(items: &'v [Value<'a>]) -> Self {
        let mut members = Self::default();
        items.iter().for_each(|item| members.add(item));
        members
    }

    /// Whether a value is found without comparing it with each.
    pub(crate) fn finds_at_once(value: &Value<'_>) -> bool {
        Mark::of(value).is_some()
    }

    pub(crate) fn add(&mut self, value: &'v Value<'a>) {
        match Mark::of(value) {
            Some(mark) => {
                self.marks.insert(mark);
                self.marked.push(value);
            }
            None => self.rest.push(value),
        }
    }

    /// Whether one equals the value; those that cannot be compared do not.
    pub(crate) fn holds(&self, value: &Value<'a>) -> bool {
        let one = |known: &&Value<'a>| equal::equal(known, value).unwrap_or(false);
        match Mark::of(value) {
            Some(mark) => self.marks.contains(&mark) || self.rest.iter().any(one),
            None => self.marked.iter().any(one) || self.rest.iter().any(one),
        }
    }

    /// Whether each of them is found at once, so that no comparison can fail.
    pub(crate) fn all_marked(&self) -> bool {
        self.rest.is_empty()
    }
}
