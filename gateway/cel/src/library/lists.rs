//! Lists: cel-go's `ext/lists` at version 3 and `ext/sets`, Kubernetes' `isSorted`, `sum`, `max` and their siblings.

use std::cmp::Ordering;

use super::operators::compare;
use super::{Code, fail, some};
use crate::program::Error;
use crate::value::{List, Members, Outcome, Value, equal};

/// The longest list that `lists.range` makes.
const RANGE_MAX: i64 = 1_000_000;

pub(super) fn code(function: &str) -> Option<Code> {
    Some(match function {
        "isSorted" => is_sorted,
        "sum" => sum,
        "max" => |args| extreme(args, "max", Ordering::Less),
        "min" => |args| extreme(args, "min", Ordering::Greater),
        "includes" => includes,
        "slice" => slice,
        "flatten" => flatten,
        "sort" => |args| sort_by(args.first()?, args.first()?),
        "@sortByAssociatedKeys" => |args| sort_by(args.first()?, args.get(1)?),
        "lists.range" => range,
        "reverse" => |args| match args {
            [Value::List(list)] => Some(list.items().map(|items| Value::list(items.into_iter().rev().collect()))),
            _ => None,
        },
        "distinct" => distinct,
        "sets.contains" => |args| sets(args, covers),
        "sets.equivalent" => |args| sets(args, |a, b| covers(a, b) && covers(b, a)),
        "sets.intersects" => |args| {
            sets(args, |a, b| {
                let known = Members::of(b);
                a.iter().any(|item| known.holds(item))
            })
        },
        _ => return None,
    })
}

/// The items of the list that is the first argument.
fn items<'a>(args: &[Value<'a>]) -> Option<Result<Vec<Value<'a>>, Error>> {
    match args.first()? {
        Value::List(list) => Some(list.items()),
        _ => None,
    }
}

fn sets<'a>(args: &[Value<'a>], holds: fn(&[Value<'a>], &[Value<'a>]) -> bool) -> Option<Outcome<'a>> {
    let [Value::List(a), Value::List(b)] = args else { return None };
    Some(a.items().and_then(|a| b.items().map(|b| Value::Bool(holds(&a, &b)))))
}

/// Whether each of the second is one of the first.
fn covers<'a>(a: &[Value<'a>], b: &[Value<'a>]) -> bool {
    let known = Members::of(a);
    b.iter().all(|item| known.holds(item))
}

fn is_sorted<'a>(args: &[Value<'a>]) -> Option<Outcome<'a>> {
    let items = match items(args)? {
        Ok(items) => items,
        Err(error) => return Some(Err(error)),
    };
    for pair in items.windows(2) {
        match compare(&pair[0], &pair[1])? {
            Ok(Ordering::Greater) => return some(Value::Bool(false)),
            _ => continue,
        }
    }
    some(Value::Bool(true))
}

fn sum<'a>(args: &[Value<'a>]) -> Option<Outcome<'a>> {
    let items = match items(args)? {
        Ok(items) => items,
        Err(error) => return Some(Err(error)),
    };
    // Upstream begins with the zero of the static type; an empty list of dyn is int's.
    let add = super::code("_+_")?;
    let mut total: Option<Value<'a>> = None;
    for item in items {
        total = Some(match total {
            None => item,
            Some(total) => match add(&[total, item])? {
                Ok(total) => total,
                Err(error) => return Some(Err(error)),
            },
        });
    }
    some(total.unwrap_or(Value::Int(0)))
}

fn extreme<'a>(args: &[Value<'a>], name: &str, worse: Ordering) -> Option<Outcome<'a>> {
    let mut items = match items(args)? {
        Ok(items) => items.into_iter(),
        Err(error) => return Some(Err(error)),
    };
    let Some(mut best) = items.next() else { return fail(format!("{name} called on empty list")) };
    for item in items {
        if compare(&best, &item)?.is_ok_and(|order| order == worse) {
            best = item;
        }
    }
    some(best)
}

pub(super) fn index_of<'a>(args: &[Value<'a>]) -> Option<Outcome<'a>> {
    let items = items(args)?;
    Some(items.map(|items| {
        let at = items.iter().position(|item| equal::equal(item, &args[1]).unwrap_or(false));
        Value::Int(at.map_or(-1, |at| at as i64))
    }))
}

pub(super) fn last_index_of<'a>(args: &[Value<'a>]) -> Option<Outcome<'a>> {
    let items = items(args)?;
    Some(items.map(|items| {
        let at = items.iter().rposition(|item| equal::equal(item, &args[1]).unwrap_or(false));
        Value::Int(at.map_or(-1, |at| at as i64))
    }))
}

fn includes<'a>(args: &[Value<'a>]) -> Option<Outcome<'a>> {
    let [target, value] = args else { return None };
    match target {
        Value::List(list) => Some(list.items().map(|items| {
            let one = |item: &Value<'a>| equal::equal(item, value).unwrap_or(false);
            Value::Bool(items.iter().any(one))
        })),
        other => some(Value::Bool(equal::equal(other, value).unwrap_or(false))),
    }
}

fn slice<'a>(args: &[Value<'a>]) -> Option<Outcome<'a>> {
    let [Value::List(list), Value::Int(start), Value::Int(end)] = args else { return None };
    let length = list.len() as i64;
    let wrong = if *start < 0 || *end < 0 {
        "negative indexes not supported".to_owned()
    } else if start > end {
        "start index must be less than or equal to end index".to_owned()
    } else if length < *end {
        format!("list is length {length}")
    } else {
        let parts: Result<Vec<_>, _> = (*start as usize..*end as usize).filter_map(|at| list.get(at)).collect();
        return Some(parts.map(Value::list));
    };
    fail(format!("cannot slice({start}, {end}), {wrong}"))
}

fn flatten<'a>(args: &[Value<'a>]) -> Option<Outcome<'a>> {
    let (list, depth) = match args {
        [Value::List(list)] => (list, 1),
        [Value::List(list), Value::Int(depth)] => (list, *depth),
        _ => return None,
    };
    if depth < 0 {
        return fail("level must be non-negative");
    }
    let mut out = Vec::new();
    Some(flatten_into(list, depth, &mut out).map(|()| Value::list(out)))
}

fn flatten_into<'a>(list: &List<'a>, depth: i64, out: &mut Vec<Value<'a>>) -> Result<(), Error> {
    for item in list.iter() {
        match item? {
            Value::List(inner) if depth > 0 => flatten_into(&inner, depth - 1, out)?,
            other => out.push(other),
        }
    }
    Ok(())
}

fn sort_by<'a>(list: &Value<'a>, keys: &Value<'a>) -> Option<Outcome<'a>> {
    let (Value::List(list), Value::List(keys)) = (list, keys) else { return None };
    let (items, keys) = match (list.items(), keys.items()) {
        (Ok(items), Ok(keys)) => (items, keys),
        (Err(error), _) | (_, Err(error)) => return Some(Err(error)),
    };
    if items.len() != keys.len() {
        return fail(format!(
            "@sortByAssociatedKeys() expected a list of the same size as the associated keys list, but got {} and {} elements respectively",
            items.len(),
            keys.len()
        ));
    }
    let Some(first) = keys.first() else { return some(Value::list(items)) };
    if compare(first, first).is_none() {
        return fail("list elements must be comparable");
    }
    if keys.iter().any(|key| key.type_name() != first.type_name()) {
        return fail("list elements must have the same type");
    }
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by(|&a, &b| match compare(&keys[a], &keys[b]) {
        Some(Ok(order)) => order,
        _ => Ordering::Equal,
    });
    some(Value::list(order.into_iter().map(|at| items[at].clone()).collect()))
}

fn range<'a>(args: &[Value<'a>]) -> Option<Outcome<'a>> {
    let [Value::Int(count)] = args else { return None };
    if *count < 0 {
        return fail(format!("lists.range: size must be non-negative, got {count}"));
    }
    if *count > RANGE_MAX {
        return fail(format!("lists.range: size {count} exceeds maximum allowed ({RANGE_MAX})"));
    }
    some(Value::list((0..*count).map(Value::Int).collect()))
}

fn distinct<'a>(args: &[Value<'a>]) -> Option<Outcome<'a>> {
    let items = items(args)?;
    Some(items.map(|items| {
        let mut known = Members::default();
        let mut unique = Vec::new();
        for item in &items {
            if !known.holds(item) {
                known.add(item);
                unique.push(item.clone());
            }
        }
        Value::list(unique)
    }))
}
