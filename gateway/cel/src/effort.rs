//! Effort: what an evaluation really does, where that is more than its cost says. Upstream's costs are part of the API and
//! stay what they are, but some calls do or keep far more than they cost, and costs are known only afterwards.
//!
//! The unit is one value looked at or made, or 16 bytes of text: some 20 nanoseconds and at most 32 bytes of memory. It is asked
//! for before the work is done, so that nothing needs more than [`CALL_EFFORT_MAX`] whatever an expression says.

use model::json::Value as Json;

use crate::decl::{Decl, Kind, ListKind};
use crate::library::opaque::Opaque;
use crate::value::{List, Map, Value};

/// What one evaluation may do: some 40 milliseconds and 64 MiB. Its cost is bounded beside that.
pub const CALL_EFFORT_MAX: u64 = EFFORT_PER_COST * crate::CALL_COST_MAX;
/// How much effort goes with a budget of costs.
pub const EFFORT_PER_COST: u64 = 2;

/// Bytes that are gone through with as much effort as one value.
const BYTES: u64 = 16;
/// An entry of a map that is made: key, value and place.
const ENTRY: u64 = 4;
/// A text that is made, however short.
const TEXT: u64 = 2;
/// Finding a value by its hash, or telling it in a text, for each value looked at.
const DEAR: u64 = 8;
/// Looking for a time zone by its name.
const ZONE: u64 = 20;

/// The effort of going through so many bytes.
pub(crate) fn bytes(count: usize) -> u64 {
    count as u64 / BYTES
}

/// The effort of an entry that is set.
pub(crate) fn entry(key: &Value<'_>) -> u64 {
    ENTRY + shallow(key)
}

/// The effort of a text or of bytes; what lists and maps hold does not count.
pub(crate) fn shallow(value: &Value<'_>) -> u64 {
    match value {
        Value::String(text) | Value::Type(text) => bytes(text.len()),
        Value::Bytes(held) => bytes(held.len()),
        Value::Invalid(message) => bytes(message.len()),
        Value::Opaque(opaque) => of_opaque(opaque),
        _ => 0,
    }
}

fn of_opaque(opaque: &Opaque) -> u64 {
    match opaque {
        Opaque::Url(url) => bytes(url.text.len()),
        Opaque::Semver(version) => version.parts(),
        _ => 0,
    }
}

/// The effort of going through all that a value holds, counted up to a bound. What is shared counts wherever it is found.
pub(crate) fn deep(value: &Value<'_>, bound: u64) -> u64 {
    let mut scale = Scale { sum: 0, bound };
    scale.value(value);
    scale.sum
}

/// The effort of telling a value in a fault; short ones are free.
pub(crate) fn shown(value: &Value<'_>, bound: u64) -> u64 {
    match value {
        Value::List(_) | Value::Map(_) | Value::Optional(_) | Value::Message(_) | Value::Preserved(_) => deep(value, bound),
        other => shallow(other),
    }
}

struct Scale {
    sum: u64,
    bound: u64,
}

impl Scale {
    fn add(&mut self, effort: u64) {
        self.sum = self.sum.saturating_add(effort);
    }

    fn is_full(&self) -> bool {
        self.sum > self.bound
    }

    fn value(&mut self, value: &Value<'_>) {
        self.add(1 + shallow(value));
        match value {
            Value::List(List::Json(items, decl)) => self.items(items, Some(decl)),
            Value::List(List::Made(items)) => self.each(items.iter(), Self::value),
            Value::Map(Map::Json(map, decl)) => self.fields(map, Some(decl)),
            Value::Map(Map::Made(made)) => self.each(made.entries(), |scale, (key, value)| {
                scale.value(key);
                scale.value(value);
            }),
            Value::Optional(Some(inner)) => self.value(inner),
            Value::Message(message) => {
                // Fields are looked for one after the other.
                let fields = message.values().len() as u64;
                self.add(fields.saturating_mul(fields) / BYTES);
                self.each(message.values(), Self::value);
            }
            Value::Preserved(json) => self.json(json, None),
            _ => {}
        }
    }

    fn each<T>(&mut self, items: impl Iterator<Item = T>, weigh: impl Fn(&mut Self, T)) {
        for item in items {
            if self.is_full() {
                return;
            }
            weigh(self, item);
        }
    }

    fn json(&mut self, json: &Json, decl: Option<&Decl>) {
        match json {
            Json::String(text) => self.add(1 + bytes(text.len())),
            Json::Array(items) => self.items(items, decl),
            Json::Object(map) => self.fields(map, decl),
            _ => self.add(1),
        }
    }

    /// A list of JSON. Of sets and maps each item is looked for in the other list.
    fn items(&mut self, items: &[Json], decl: Option<&Decl>) {
        let before = self.sum;
        self.add(1);
        let (inner, kind) = match decl.map(Decl::kind) {
            Some(Kind::List(inner, kind)) => (Some(inner), kind),
            _ => (None, &ListKind::Atomic),
        };
        self.each(items.iter(), |scale, item| scale.json(item, inner));
        let found_at_once = match kind {
            ListKind::Atomic => true,
            ListKind::Set => items.iter().all(|item| item.is_string() || item.is_boolean() || item.is_i64()),
            ListKind::Map(_) => items.iter().all(Json::is_object),
        };
        if !found_at_once {
            self.add((self.sum - before).saturating_mul(items.len() as u64));
        }
    }

    fn fields(&mut self, map: &model::Map, decl: Option<&Decl>) {
        self.add(1);
        self.each(map.iter(), |scale, (key, value)| {
            let below = match decl.map(Decl::kind) {
                Some(Kind::Object(fields)) => fields.get(key.as_str()).map(|field| &field.decl),
                Some(Kind::Map(values)) => Some(values),
                _ => None,
            };
            scale.add(1 + bytes(key.len()));
            scale.json(value, below);
        });
    }
}

/// The effort of comparing two values: no more than the first holds, and little where they differ at first sight.
pub(crate) fn equal(a: &Value<'_>, b: &Value<'_>, bound: u64) -> u64 {
    match (a, b) {
        (Value::String(a), Value::String(b)) => 1 + bytes(a.len() + b.len()),
        (Value::Bytes(a), Value::Bytes(b)) => 1 + bytes(a.len() + b.len()),
        (Value::List(own), Value::List(other)) if own.len() == other.len() => deep(a, bound),
        (Value::Map(own), Value::Map(other)) if own.len() == other.len() => deep(a, bound),
        (Value::Optional(Some(_)), Value::Optional(Some(_)))
        | (Value::Message(_), Value::Message(_))
        | (Value::Preserved(_), Value::Preserved(_)) => deep(a, bound),
        _ => 1 + shallow(a) + shallow(b),
    }
}

/// The effort of a call, counted up to a bound. Regular expressions count theirs themselves.
pub(crate) fn call(function: &str, args: &[Value<'_>], bound: u64) -> u64 {
    let texts = args.iter().map(shallow).fold(0, u64::saturating_add);
    let first = |bound: u64| args.first().map_or(0, |value| deep(value, bound));
    let second = |bound: u64| args.get(1).map_or(0, |value| deep(value, bound));
    let special = match (function, args) {
        ("_+_", [Value::List(a), Value::List(b)]) => match (a, b) {
            // Looked for one after the other, or at once where that can be.
            (List::Json(_, decl), _) if !matches!(decl.kind(), Kind::List(_, ListKind::Atomic) | Kind::Dyn) => {
                let pairs = if matches!(b, List::Json(..)) { 1 } else { a.len() as u64 + 1 };
                first(bound).saturating_add(second(bound).saturating_mul(pairs))
            }
            _ => (a.len() + b.len()) as u64,
        },
        ("@in", [value, Value::List(list)]) => member(list, value, bound),
        ("isSorted" | "max" | "min" | "indexOf" | "lastIndexOf" | "includes", [Value::List(_), ..]) => {
            first(bound).saturating_add(second(bound))
        }
        ("sum", [Value::List(list)]) => sum(list, first(bound)),
        ("sort" | "@sortByAssociatedKeys", [Value::List(list), ..]) => {
            let keys = if args.len() > 1 { second(bound) } else { first(bound) };
            keys.saturating_mul(u64::from(list.len().max(2).ilog2())).saturating_add(list.len() as u64)
        }
        ("slice", [_, Value::Int(start), Value::Int(end)]) => u64::try_from(end.saturating_sub(*start)).unwrap_or(0),
        ("flatten", [Value::List(list), rest @ ..]) => match rest {
            [Value::Int(depth)] => flat(list, *depth, bound),
            _ => flat(list, 1, bound),
        },
        ("lists.range", [Value::Int(count)]) => u64::try_from(*count).unwrap_or(0),
        ("reverse", [Value::List(list)]) => 2 * list.len() as u64,
        ("optional.unwrap" | "unwrapOpt", _) => first(bound),
        ("distinct", [Value::List(list)]) => first(bound).saturating_mul(DEAR + unmarked(list)),
        ("sets.contains" | "sets.equivalent" | "sets.intersects", [Value::List(a), Value::List(b)]) => {
            let (a_all, b_all) =
                (first(bound).saturating_mul(DEAR + unmarked(b)), second(bound).saturating_mul(DEAR + unmarked(a)));
            a_all.saturating_add(b_all)
        }
        ("join", [Value::List(list), ..]) => {
            let separators = args.get(1).map_or(0, shallow).saturating_mul(list.len() as u64);
            first(bound).saturating_mul(2).saturating_add(separators)
        }
        ("split", [Value::String(text), Value::String(separator), rest @ ..]) => {
            let parts = 1 + if separator.is_empty() { text.len() } else { text.matches(&**separator).count() };
            (TEXT + 1).saturating_mul(limited(parts, rest))
        }
        ("replace", [Value::String(text), Value::String(old), Value::String(new), rest @ ..]) => {
            let found = if old.is_empty() { text.len() + 1 } else { text.matches(&**old).count() };
            limited(found, rest)
                .saturating_mul(1 + bytes(2 * new.len()))
                .saturating_add(limited(found, rest) * new.len() as u64 / 8)
        }
        ("format", [Value::String(pattern), _]) => second(bound).saturating_mul(DEAR).saturating_add(digits(pattern)),
        ("size", [Value::Map(_) | Value::List(_)]) => 0,
        ("cel.@mapInsert", [Value::Map(map), rest @ ..]) => {
            let more = rest.iter().map(|more| if let Value::Map(more) = more { more.len() } else { 1 }).sum::<usize>();
            ENTRY.saturating_mul((map.len() + more) as u64)
        }
        ("getQuery", _) => texts.saturating_mul(BYTES),
        (_, [Value::Timestamp(_), Value::String(_)]) => ZONE,
        _ => 0,
    };
    // Texts are gone through and copied a few times over, and faults quote them.
    texts.saturating_mul(2).saturating_add(special)
}

/// What an argument lets pass of so many.
fn limited(count: usize, rest: &[Value<'_>]) -> u64 {
    match rest {
        [Value::Int(limit)] if *limit >= 0 => (count as u64).min(*limit as u64),
        _ => count as u64,
    }
}

/// The effort of looking for a value in a list.
fn member(list: &List<'_>, value: &Value<'_>, bound: u64) -> u64 {
    let mut sum = 0u64;
    for item in list.iter() {
        if sum > bound {
            break;
        }
        sum = sum.saturating_add(item.map_or(1, |item| equal(&item, value, bound)));
    }
    sum
}

/// Sums of texts and lists are made anew with each item.
fn sum(list: &List<'_>, held: u64) -> u64 {
    match list.get(0) {
        Some(Ok(Value::String(_) | Value::Bytes(_) | Value::List(_))) => held.saturating_mul(list.len() as u64),
        _ => held,
    }
}

/// How many values a list that is made flat holds, and how many lists are gone through for that.
fn flat(list: &List<'_>, depth: i64, bound: u64) -> u64 {
    let mut sum = 1u64;
    for item in list.iter() {
        if sum > bound {
            break;
        }
        sum = sum.saturating_add(match item {
            Ok(Value::List(inner)) if depth > 0 => flat(&inner, depth - 1, bound - sum),
            _ => 1,
        });
    }
    sum
}

/// How many items of a list are not found at once.
fn unmarked(list: &List<'_>) -> u64 {
    list.iter().filter(|item| item.as_ref().is_ok_and(|item| !crate::value::Members::finds_at_once(item))).count() as u64
}

/// The effort of the digits that a pattern asks for.
fn digits(pattern: &str) -> u64 {
    let precision = |after: &str| {
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        after[..digits].parse::<usize>().map_or(0, bytes)
    };
    pattern.split("%.").skip(1).map(precision).fold(pattern.matches('%').count() as u64, u64::saturating_add)
}
