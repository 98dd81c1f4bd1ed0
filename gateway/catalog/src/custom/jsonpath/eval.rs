//! Follows the steps of a path through a value.

use std::cmp::Ordering;

use model::Value;

use super::{Node, Slice};

/// The values that the steps lead to, from these.
pub(super) fn walk(nodes: &[Node], from: Vec<Value>) -> Result<Vec<Value>, String> {
    nodes.iter().try_fold(from, |values, node| step(node, &values))
}

fn step(node: &Node, values: &[Value]) -> Result<Vec<Value>, String> {
    match node {
        Node::Field(name) => Ok(values.iter().filter_map(|value| value.get(name)).cloned().collect()),
        Node::Wildcard => Ok(values.iter().flat_map(children).cloned().collect()),
        Node::Recursive => {
            let mut found = Vec::new();
            values.iter().for_each(|value| descend(value, &mut found));
            Ok(found)
        }
        Node::Literal(value) => Ok(vec![value.clone()]),
        Node::Identifier(word) => Err(format!("unrecognized identifier {word}")),
        Node::Slice(slice) => {
            let mut found = Vec::new();
            values.iter().filter(|value| !value.is_null()).try_for_each(|value| cut(*slice, value, &mut found))?;
            Ok(found)
        }
        Node::Union(each) => {
            let mut found = Vec::new();
            for nodes in each {
                found.extend(walk(nodes, values.to_vec())?);
            }
            Ok(found)
        }
        Node::Filter(left, operator, right) => {
            let mut found = Vec::new();
            for value in values.iter().filter(|value| !value.is_null()) {
                let items = value.as_array().ok_or_else(|| format!("{value} is not array or slice and cannot be filtered"))?;
                for item in items {
                    if passes(item, left, operator, right)? {
                        found.push(item.clone());
                    }
                }
            }
            Ok(found)
        }
    }
}

fn children(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match value {
        Value::Array(items) => Box::new(items.iter()),
        Value::Object(map) => Box::new(map.values()),
        _ => Box::new(std::iter::empty()),
    }
}

/// The value and everything below it.
fn descend(value: &Value, found: &mut Vec<Value>) {
    if value.is_array() || value.is_object() {
        found.push(value.clone());
        children(value).for_each(|child| descend(child, found));
    }
}

fn cut(slice: Slice, value: &Value, found: &mut Vec<Value>) -> Result<(), String> {
    let items = value.as_array().ok_or_else(|| format!("{value} is not array or slice"))?;
    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let first = slice.first.map_or(0, |first| if first < 0 { first + length } else { first });
    let last = match slice.last {
        None => length,
        // The end of a single negative index counts from the end too: `[-1]` ends at 0.
        Some(last) if last < 0 || last == 0 && slice.single => last + length,
        Some(last) => last,
    };
    if first == last {
        return Ok(());
    }
    let outside = |index: i64| format!("array index out of bounds: index {index}, length {length}");
    if first >= length || first < 0 {
        return Err(outside(first));
    }
    if last > length || last < 0 {
        return Err(outside(last - 1));
    }
    if first > last {
        return Err(format!("starting index {first} is greater than ending index {last}"));
    }
    let step = match slice.step {
        Some(step) if step <= 0 => return Err("step must be > 0".to_owned()),
        step => step.unwrap_or(1),
    };
    // The bounds were checked against the length.
    let (first, last, step) = (first as usize, last as usize, usize::try_from(step).unwrap_or(usize::MAX));
    found.extend(items[first..last].iter().step_by(step).cloned());
    Ok(())
}

fn passes(item: &Value, left: &[Node], operator: &str, right: &[Node]) -> Result<bool, String> {
    let single = |nodes: &[Node]| match &walk(nodes, vec![item.clone()])?[..] {
        [] => Ok(None),
        [one] => Ok(Some(one.clone())),
        _ => Err("can only compare one element at a time".to_owned()),
    };
    if operator == "exists" {
        return Ok(!walk(left, vec![item.clone()])?.is_empty());
    }
    let (Some(left), Some(right)) = (single(left)?, single(right)?) else { return Ok(false) };
    let order = compare(&left, &right)?;
    match operator {
        "<" => Ok(order == Ordering::Less),
        ">" => Ok(order == Ordering::Greater),
        "==" => Ok(order == Ordering::Equal),
        "!=" => Ok(order != Ordering::Equal),
        "<=" => Ok(order != Ordering::Greater),
        ">=" => Ok(order != Ordering::Less),
        other => Err(format!("unrecognized filter operator {other}")),
    }
}

fn compare(left: &Value, right: &Value) -> Result<Ordering, String> {
    let incompatible = || "incompatible types for comparison".to_owned();
    match (left, right) {
        (Value::String(left), Value::String(right)) => Ok(left.cmp(right)),
        (Value::Bool(left), Value::Bool(right)) => Ok(left.cmp(right)),
        (Value::Number(left), Value::Number(right)) if left.is_f64() == right.is_f64() => {
            let (left, right) = (left.as_f64().unwrap_or(f64::NAN), right.as_f64().unwrap_or(f64::NAN));
            left.partial_cmp(&right).ok_or_else(incompatible)
        }
        _ => Err(incompatible()),
    }
}
