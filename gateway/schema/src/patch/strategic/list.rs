//! Lists in a strategic merge patch: merged by key, deleted from, brought into the order that the patch asks for.

use std::collections::{HashMap, HashSet};

use model::json::{Key, Map, Value};
use model::repeats;

use super::{
    BAD_ORDER, DIRECTIVE, Fault, LISTS_OF_LISTS, ORDER, Shape, go_print, map, no_merge_key, unknown_directive,
    without_directives, wrong_type,
};
use crate::types::{PatchStrategy, Types};

/// Merges a list field, or replaces it when its strategy does not merge.
pub(super) fn field(
    types: &Types,
    shape: Shape,
    strategy: Option<PatchStrategy>,
    original: Vec<Value>,
    patch: Vec<Value>,
) -> Result<Vec<Value>, Fault> {
    match strategy {
        Some(strategy) if strategy.merge => merge(types, shape, strategy.key, original, patch),
        _ => Ok(patch),
    }
}

/// Takes scalars out of a list. A list of maps upstream merges instead, whatever its strategy.
pub(super) fn without(
    types: &Types,
    shape: Shape,
    strategy: Option<PatchStrategy>,
    mut original: Vec<Value>,
    gone: Vec<Value>,
) -> Result<Vec<Value>, Fault> {
    check_elements(&[&original, &gone])?;
    if original.iter().chain(&gone).next().is_some_and(Value::is_object) {
        return merge(types, shape, strategy.and_then(|strategy| strategy.key), original, gone);
    }
    let gone: HashSet<&Value> = gone.iter().collect();
    original.retain(|item| !gone.contains(item));
    Ok(original)
}

fn merge(
    types: &Types,
    shape: Shape,
    key: Option<&'static str>,
    mut original: Vec<Value>,
    mut patch: Vec<Value>,
) -> Result<Vec<Value>, Fault> {
    if original.is_empty() && patch.is_empty() {
        return Ok(original);
    }
    check_elements(&[&original, &patch])?;
    let maps = original.iter().chain(&patch).next().is_some_and(Value::is_object);
    let merged = match (maps, key) {
        (false, _) => scalars(&original, &patch),
        (true, None) => return Err(Fault::Other(format!("cannot merge lists without merge key for {}", shape_word(shape)))),
        (true, Some(key)) => {
            (original, patch) = take_directives(original, patch, key)?;
            objects(types, shape, key, original.clone(), &patch)?
        }
    };
    let key = key.filter(|_| maps);
    check_keys(&merged, key)?;
    let places = Places::of(&patch, key);
    let (named, others) = merged.into_iter().partition(|item| places.find(item).is_some());
    Ok(arrange(named, others, &patch, &original, key))
}

fn shape_word(shape: Shape) -> &'static str {
    match shape {
        Shape::Struct(_) | Shape::Opaque(_) => "struct",
        Shape::Other(word) => word,
    }
}

/// Elements must be of one type and no lists.
fn check_elements(lists: &[&[Value]]) -> Result<(), Fault> {
    let mut first: Option<&Value> = None;
    for item in lists.iter().flat_map(|l| l.iter()) {
        let before = *first.get_or_insert(item);
        if before.is_array() {
            return Err(LISTS_OF_LISTS);
        }
        if std::mem::discriminant(before) != std::mem::discriminant(item) {
            let printed: Vec<String> = lists.iter().map(|l| go_print(&Value::Array(l.to_vec()))).collect();
            return Err(Fault::Other(format!("list element types are not identical: [{}]", printed.join(" "))));
        }
    }
    Ok(())
}

/// The original's scalars and those the patch adds, each once.
fn scalars(original: &[Value], patch: &[Value]) -> Vec<Value> {
    let all = || original.iter().chain(patch);
    all().zip(repeats(all())).filter(|(_, is_repeated)| !is_repeated).map(|(item, _)| item.clone()).collect()
}

/// Carries out the elements that are directives; gives what is left of both lists.
fn take_directives(mut original: Vec<Value>, patch: Vec<Value>, key: &str) -> Result<(Vec<Value>, Vec<Value>), Fault> {
    let (mut kept, mut deleted) = (Vec::with_capacity(patch.len()), HashSet::new());
    let mut replace = false;
    for item in patch {
        let Some(directive) = item.get(DIRECTIVE).cloned() else {
            kept.push(item);
            continue;
        };
        let Value::Object(item) = item else { continue };
        match directive.as_str() {
            Some("delete") => {
                let value = item.get(key).ok_or_else(|| no_merge_key(&item, key))?;
                deleted.insert(value.clone());
            }
            Some("replace") => replace = true,
            Some("merge") => return Err(Fault::Other("merging lists cannot yet be specified in the patch".to_owned())),
            _ => return Err(unknown_directive(&directive, &item)),
        }
    }
    original.retain(|item| item.get(key).is_none_or(|value| !deleted.contains(value)));
    Ok(if replace { (kept, Vec::new()) } else { (original, kept) })
}

fn objects(types: &Types, shape: Shape, key: &str, mut merged: Vec<Value>, patch: &[Value]) -> Result<Vec<Value>, Fault> {
    let named = merged.iter().enumerate().rev().filter_map(|(at, item)| Some((item.get(key)?.clone(), at)));
    let mut places: HashMap<Value, usize> = named.collect();
    for item in patch {
        let Value::Object(item) = item else { continue };
        let value = item.get(key).ok_or_else(|| no_merge_key(item, key))?;
        match places.get(value).map(|at| &mut merged[*at]) {
            Some(found) => {
                let from = match found.take() {
                    Value::Object(from) => from,
                    _ => Map::new(),
                };
                *found = Value::Object(map(types, shape, from, item.clone())?);
            }
            // Upstream keeps what the patch says of a new element as it stands.
            None => {
                places.insert(value.clone(), merged.len());
                merged.push(Value::Object(item.clone()));
            }
        }
    }
    Ok(merged)
}

fn check_keys(items: &[Value], key: Option<&str>) -> Result<(), Fault> {
    let Some(key) = key else { return Ok(()) };
    for item in items {
        let map = item.as_object().ok_or_else(|| wrong_type("map[string]interface {}", item))?;
        if !map.contains_key(key) {
            return Err(no_merge_key(map, key));
        }
    }
    Ok(())
}

/// Where elements stand in a list, the first of equals: by their key or, for scalars, themselves.
struct Places<'a> {
    key: Option<&'a str>,
    first: HashMap<Option<&'a Value>, usize>,
}

impl<'a> Places<'a> {
    fn of(list: &'a [Value], key: Option<&'a str>) -> Self {
        let first = list.iter().enumerate().rev().map(|(at, item)| (identity(item, key), at)).collect();
        Self { key, first }
    }

    fn find(&self, item: &Value) -> Option<usize> {
        self.first.get(&identity(item, self.key)).copied()
    }
}

fn identity<'a>(item: &'a Value, key: Option<&str>) -> Option<&'a Value> {
    key.map_or(Some(item), |key| item.get(key))
}

/// The elements that the patch names in its order, the others in the original's, interleaved as the original has them.
fn arrange(
    mut named: Vec<Value>,
    mut others: Vec<Value>,
    named_order: &[Value],
    original: &[Value],
    key: Option<&str>,
) -> Vec<Value> {
    let original = Places::of(original, key);
    sort(&mut named, &Places::of(named_order, key));
    sort(&mut others, &original);
    let mut arranged = Vec::with_capacity(named.len() + others.len());
    let mut others = others.into_iter().peekable();
    for item in named {
        while let Some(other) = others.peek() {
            let stands_before = match (original.find(other), original.find(&item)) {
                (Some(a), Some(b)) => a < b,
                _ => false,
            };
            if !stands_before {
                break;
            }
            arranged.extend(others.next());
        }
        arranged.push(item);
    }
    arranged.extend(others);
    arranged
}

/// Go sorts lists up to this length by insertion, which shows where an element is missing from the order.
const INSERTION_MAX: usize = 20;

/// Sorts by the place in `order`. Upstream takes an element that is not there for smaller than any other, which is no
/// order; short lists come out as Go's insertion sort leaves them.
fn sort(items: &mut Vec<Value>, order: &Places<'_>) {
    let mut placed: Vec<(Option<usize>, Value)> = items.drain(..).map(|item| (order.find(&item), item)).collect();
    if placed.len() > INSERTION_MAX {
        placed.sort_by_key(|(at, _)| *at);
    } else {
        for i in 1..placed.len() {
            let mut j = i;
            while j > 0 && placed[j].0.zip(placed[j - 1].0).is_none_or(|(a, b)| a < b) {
                placed.swap(j, j - 1);
                j -= 1;
            }
        }
    }
    items.extend(placed.into_iter().map(|(_, item)| item));
}

/// `$setElementOrder/<key>`: merges each list that the patch orders, and takes both out of the patch.
pub(super) fn order_all(types: &Types, shape: Shape, original: &mut Map, patch: &mut Map) -> Result<(), Fault> {
    let directives: Vec<Key> = patch.keys().filter(|key| key.starts_with(ORDER)).cloned().collect();
    for directive in directives {
        let order = match patch.shift_remove(&directive) {
            Some(Value::Array(order)) => order,
            Some(other) => return Err(wrong_type("[]interface {}", &other)),
            None => continue,
        };
        let key = directive[ORDER.len()..].strip_prefix('/').ok_or(BAD_ORDER)?;
        order_one(types, shape, key, order, original, patch)?;
    }
    Ok(())
}

fn order_one(
    types: &Types,
    shape: Shape,
    key: &str,
    order: Vec<Value>,
    original: &mut Map,
    patch: &mut Map,
) -> Result<(), Fault> {
    if let Some(value) = [original.get(key), patch.get(key)].into_iter().flatten().find(|v| !v.is_array()) {
        return Err(wrong_type("[]interface {}", value));
    }
    let taken = |map: &mut Map| match map.get_mut(key).map(Value::take) {
        Some(Value::Array(items)) => Some(items),
        _ => None,
    };
    let (from, with) = (taken(original), taken(patch));
    let (inner, strategy) = shape.field(types, key)?;
    let merge_key = strategy.and_then(|s| s.key);
    patch.shift_remove(key);
    check_order(with.as_deref().unwrap_or(&[]), &order, merge_key)?;
    let before = standing_order(from.as_deref().unwrap_or(&[]), with.as_deref().unwrap_or(&[]), merge_key);
    let merged = match (from, with) {
        (Some(from), None) => from,
        (None, Some(with)) => with.into_iter().filter_map(without_directives).collect(),
        (Some(from), Some(with)) => field(types, inner, strategy, from, with)?,
        (None, None) => return Ok(()),
    };
    let arranged = if merged.is_empty() {
        merged
    } else {
        check_elements(&[&merged])?;
        check_keys(&merged, merge_key)?;
        check_keys(&order, merge_key)?;
        let places = Places::of(&order, merge_key);
        let (named, others) = merged.into_iter().partition(|item| places.find(item).is_some());
        arrange(named, others, &order, &before, merge_key)
    };
    original.insert(key.to_owned(), Value::Array(arranged));
    Ok(())
}

/// The order of the original against which others are placed. Upstream deletes in place and appends new elements into the
/// room that this leaves, so that those count as standing at the original's end.
fn standing_order(original: &[Value], patch: &[Value], key: Option<&str>) -> Vec<Value> {
    let Some(key) = key else { return original.to_vec() };
    let is_delete = |item: &&Value| item.get(DIRECTIVE).and_then(Value::as_str) == Some("delete");
    let deleted: HashSet<Option<&Value>> = patch.iter().filter(is_delete).map(|item| item.get(key)).collect();
    let mut order: Vec<Value> = original.iter().filter(|item| !deleted.contains(&item.get(key))).cloned().collect();
    let room = original.len() - order.len();
    let places = Places::of(&order, Some(key));
    let is_new = |item: &&Value| item.get(DIRECTIVE).is_none() && places.find(item).is_none();
    let appended: Vec<Value> = patch.iter().filter(is_new).take(room).cloned().collect();
    order.extend(appended);
    order
}

/// The patch's list must be part of the order and in it.
fn check_order(patch: &[Value], order: &[Value], key: Option<&str>) -> Result<(), Fault> {
    if patch.is_empty() || order.is_empty() {
        return Ok(());
    }
    let mut wanted = order.iter();
    for item in patch.iter().filter(|item| item.get(DIRECTIVE).is_none()) {
        loop {
            let Some(other) = wanted.next() else {
                let (patch, order) = (go_print(&Value::Array(patch.to_vec())), go_print(&Value::Array(order.to_vec())));
                return Err(Fault::Other(format!("The order in patch list:\n{patch}\n doesn't match {ORDER} list:\n{order}\n")));
            };
            check_keys(std::slice::from_ref(item), key)?;
            check_keys(std::slice::from_ref(other), key)?;
            if key.map_or(other == item, |key| other.get(key) == item.get(key)) {
                break;
            }
        }
    }
    Ok(())
}
