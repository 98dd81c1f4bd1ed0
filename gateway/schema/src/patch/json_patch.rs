//! JSON patch, RFC 6902, with the liberties of the library that upstream uses (`evanphx/json-patch` v4): negative
//! indices, `replace` of a field that is absent, `copy` of a field that is absent.

use crate::normal::strict_faults;
use codec::json::{DEPTH_MAX, STRICT_ERRORS_MAX, Spellings, type_word};
use model::Status;
use model::field::quote;
use model::json::{Map, Value};

use super::{document, rejected};

#[cfg(test)]
mod tests;

/// Most operations of one patch; upstream's `maxJSONPatchOperations`.
pub const OPERATIONS_MAX: usize = 10_000;
/// Operations, of the last ones, in which the spelling of a number is looked for: each number of an object may be asked about.
const SPELT_OPERATIONS_MAX: usize = 64;

/// How many bytes an object may reach while a patch is applied: `copy` can double it with every operation. Twice what a
/// request body may hold, so that no honest patch meets it.
const DOCUMENT_BYTES_MAX: usize = 6 * 1024 * 1024;

#[derive(Clone, Debug, PartialEq)]
struct Operation {
    op: String,
    path: Option<String>,
    from: Option<String>,
    value: Value,
}

/// A JSON patch, read.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonPatch {
    operations: Vec<Operation>,
    /// Upstream's library merges texts, not what they mean.
    spelt: Spellings<'static>,
    /// Duplicate and unknown fields of the operations, for strict decoding.
    pub strict: Vec<String>,
}

impl JsonPatch {
    /// Sorts the maps of a changed object as upstream's library writes them: those that an operation went through. What none
    /// touched stays as it was read.
    pub fn sort_touched(&self, target: &mut Value) {
        if let Value::Object(map) = target {
            map.sort_keys();
        }
        for path in self.operations.iter().flat_map(|operation| [&operation.path, &operation.from]).flatten() {
            sort_way(target, path);
        }
    }

    /// How a number of a changed object is spelt, where an operation brought it and spells it otherwise than it is printed.
    pub fn spelling(&self, path: &str) -> Option<String> {
        let mut latest_first = self.operations.iter().enumerate().rev().take(SPELT_OPERATIONS_MAX);
        latest_first.find_map(|(i, operation)| {
            let within = below(path, operation.path.as_deref()?)?;
            self.spelt.at(&format!("[{i}].value{within}"))
        })
    }

    /// Reads a body. Fails with 400 when it is no list of operations, with 413 when they are too many.
    pub fn parse(body: &[u8]) -> Result<Self, Status> {
        let bad = |why: &str| Status::bad_request(format!("error decoding patch: {why}"));
        let parsed = document(body)?;
        let items = match parsed.value {
            Value::Array(items) => items,
            Value::Null => Vec::new(),
            other => {
                let what = type_word(&other);
                return Err(bad(&format!("json: cannot unmarshal {what} into Go value of type []handlers.jsonPatchOp")));
            }
        };
        if items.len() > OPERATIONS_MAX {
            let count = items.len();
            return Err(Status::too_large(format!(
                "The allowed maximum operations in a JSON patch is {OPERATIONS_MAX}, got {count}"
            )));
        }
        let mut unknown = Vec::new();
        let mut operations = Vec::with_capacity(items.len());
        for (i, item) in items.into_iter().enumerate() {
            operations.push(operation(item, i, &mut unknown).map_err(|why| bad(&why))?);
        }
        let mut faults = strict_faults(&parsed.duplicates, &unknown);
        if !parsed.duplicates.is_empty() && !unknown.is_empty() {
            faults = codec::json::in_document_order(body, &faults);
        }
        let strict = faults.into_iter().map(|fault| format!("json patch {fault}")).collect();
        Ok(Self { operations, spelt: Spellings::of(body.to_vec()), strict })
    }

    /// Reads what a webhook sends, and gives its operations as Go shows them: their own fields sorted. Fails with the words of
    /// upstream's library, which reads no more than that it is a list of objects.
    pub fn decode(body: &[u8]) -> Result<(Self, Value), String> {
        let items = match codec::json::parse(body).map_err(|error| error.to_string())?.value {
            Value::Array(items) => items,
            Value::Null => Vec::new(),
            other => return Err(format!("json: cannot unmarshal {} into Go value of type jsonpatch.Patch", type_word(&other))),
        };
        let mut operations = Vec::with_capacity(items.len());
        let mut shown = Vec::with_capacity(items.len());
        for item in items {
            let mut map = match item {
                Value::Object(map) => map,
                Value::Null => Map::new(),
                other => {
                    let what = type_word(&other);
                    return Err(format!("json: cannot unmarshal {what} into Go value of type jsonpatch.Operation"));
                }
            };
            map.sort_keys();
            let text = |field: &str| map.get(field).and_then(Value::as_str).map(str::to_owned);
            operations.push(Operation {
                op: text("op").unwrap_or_else(|| "unknown".to_owned()),
                path: text("path"),
                from: text("from"),
                value: map.get("value").cloned().unwrap_or(Value::Null),
            });
            shown.push(Value::Object(map));
        }
        Ok((Self { operations, spelt: Spellings::default(), strict: Vec::new() }, Value::Array(shown)))
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Changes an object; after an error it is half changed. Fails with 422.
    pub fn apply(&self, target: &mut Value) -> Result<(), Status> {
        self.perform(target).map_err(|_| rejected())
    }

    /// Changes an object; after an error it is half changed. Fails with what upstream's library says, which is heard of the
    /// patches of webhooks alone.
    pub fn perform(&self, target: &mut Value) -> Result<(), String> {
        let mut copied = 0;
        self.operations.iter().try_for_each(|operation| perform(operation, target, &mut copied))
    }
}

fn operation(item: Value, index: usize, unknown: &mut Vec<String>) -> Result<Operation, String> {
    let mut map = match item {
        Value::Object(map) => map,
        Value::Null => Map::new(),
        other => return Err(format!("json: cannot unmarshal {} into Go value of type handlers.jsonPatchOp", type_word(&other))),
    };
    let mut text = |field: &str| match map.shift_remove(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => {
            Err(format!("json: cannot unmarshal {} into Go struct field jsonPatchOp.{field} of type string", type_word(&other)))
        }
    };
    let (op, path, from) = (text("op")?, text("path")?, text("from")?);
    let value = map.shift_remove("value").unwrap_or(Value::Null);
    for key in map.keys().take(STRICT_ERRORS_MAX.saturating_sub(unknown.len())) {
        unknown.push(format!("unknown field {}", quote(&format!("[{index}].{key}"))));
    }
    Ok(Operation { op: op.unwrap_or_else(|| "unknown".to_owned()), path, from, value })
}

/// What a path (`spec.containers[0].x`) says beyond where a pointer ends, when it leads there.
fn below<'a>(path: &'a str, pointer: &str) -> Option<&'a str> {
    pointer.split('/').skip(1).try_fold(path, |rest, part| {
        let ends = |rest: &&str| rest.is_empty() || rest.starts_with(['.', '[']);
        if let Some(index) = rest.strip_prefix('[') {
            let (index, rest) = index.split_once(']')?;
            return (part == "-" || part == index).then_some(rest);
        }
        rest.strip_prefix('.').unwrap_or(rest).strip_prefix(decode(part).as_str()).filter(ends)
    })
}

/// Sorts the maps on the way to where a pointer ends.
fn sort_way(mut target: &mut Value, path: &str) {
    for part in path.split('/').skip(1) {
        if let Value::Object(map) = target {
            map.sort_keys();
        }
        match (Place { container: target, key: decode(part) }).into_member() {
            Some(member) => target = member,
            None => return,
        }
    }
}

/// Where a pointer ends: its container and the last key.
struct Place<'a> {
    container: &'a mut Value,
    key: String,
}

fn perform(operation: &Operation, target: &mut Value, copied: &mut usize) -> Result<(), String> {
    match operation.op.as_str() {
        "add" => add(operation, target),
        "remove" => remove(operation, target),
        "replace" => replace(operation, target),
        "move" => relocate(operation, target),
        "test" => test(operation, target),
        "copy" => copy(operation, target, copied),
        other => Err(format!("Unexpected kind: {other}")),
    }
}

fn add(operation: &Operation, target: &mut Value) -> Result<(), String> {
    let path = operation.path.as_deref().ok_or("add operation failed to decode path: missing value")?;
    let place = find(target, path)
        .ok_or_else(|| format!("add operation does not apply: doc is missing path: \"{path}\": missing value"))?;
    fits(path, &operation.value)?;
    place.add(operation.value.clone()).map_err(|e| format!("error in add for path: '{path}': {e}"))
}

fn remove(operation: &Operation, target: &mut Value) -> Result<(), String> {
    let path = operation.path.as_deref().ok_or("remove operation failed to decode path: missing value")?;
    let place = find(target, path)
        .ok_or_else(|| format!("remove operation does not apply: doc is missing path: \"{path}\": missing value"))?;
    place.remove().map(drop).map_err(|e| format!("error in remove for path: '{path}': {e}"))
}

fn replace(operation: &Operation, target: &mut Value) -> Result<(), String> {
    let path = operation
        .path
        .as_deref()
        .ok_or("replace operation failed to decode path: operation missing path field: missing value")?;
    if path.is_empty() {
        if !operation.value.is_object() && !operation.value.is_array() {
            return Err("replace operation value must be object or array: %!w(<nil>)".to_owned());
        }
        *target = operation.value.clone();
        return Ok(());
    }
    let place = find(target, path)
        .ok_or_else(|| format!("replace operation does not apply: doc is missing path: {path}: missing value"))?;
    fits(path, &operation.value)?;
    place
        .replace(operation.value.clone())
        .map_err(|_| format!("replace operation does not apply: doc is missing key: {path}: missing value"))
}

fn relocate(operation: &Operation, target: &mut Value) -> Result<(), String> {
    let from =
        operation.from.as_deref().ok_or("move operation failed to decode from: operation, missing from field: missing value")?;
    let place = find(target, from)
        .ok_or_else(|| format!("move operation does not apply: doc is missing from path: {from}: missing value"))?;
    let key = place.key.clone();
    let value = place.remove().map_err(|e| format!("error in move for path: '{key}': {e}"))?;
    let path =
        operation.path.as_deref().ok_or("move operation failed to decode path: operation missing path field: missing value")?;
    let place = find(target, path)
        .ok_or_else(|| format!("move operation does not apply: doc is missing destination path: {path}: missing value"))?;
    // Where it was it fitted; large values that stay as deep are not walked through.
    if levels(path) > levels(from) {
        fits(path, &value)?;
    }
    place.add(value).map_err(|e| format!("error in move for path: '{path}': {e}"))
}

fn test(operation: &Operation, target: &mut Value) -> Result<(), String> {
    let path =
        operation.path.as_deref().ok_or("test operation failed to decode path: operation missing path field: missing value")?;
    let found = if path.is_empty() {
        &*target
    } else {
        let place =
            find(target, path).ok_or_else(|| format!("test operation does not apply: is missing path: {path}: missing value"))?;
        place.get().map_err(|e| format!("error in test for path: '{path}': {e}"))?
    };
    if *found == operation.value { Ok(()) } else { Err(format!("testing value {path} failed: test failed")) }
}

fn copy(operation: &Operation, target: &mut Value, copied: &mut usize) -> Result<(), String> {
    let from =
        operation.from.as_deref().ok_or("copy operation failed to decode from: operation, missing from field: missing value")?;
    let place = find(target, from)
        .ok_or_else(|| format!("copy operation does not apply: doc is missing from path: {from}: missing value"))?;
    let value = place.get().map_err(|e| format!("error in copy for from: '{from}': {e}"))?.clone();
    *copied += size(&value);
    if *copied > DOCUMENT_BYTES_MAX {
        let limit = DOCUMENT_BYTES_MAX;
        return Err(format!(
            "Unable to complete the copy, the accumulated size increase of copy is {copied}, exceeding the limit {limit}"
        ));
    }
    let path = operation.path.as_deref().ok_or("copy operation failed to decode path: missing value")?;
    let place = find(target, path)
        .ok_or_else(|| format!("copy operation does not apply: doc is missing destination path: {path}: missing value"))?;
    fits(path, &value)?;
    place.add(value).map_err(|e| format!("error while adding value during copy: {e}"))
}

/// Refuses a value that would nest deeper than what can be read: ten thousand operations put values into each other until no
/// thread's stack holds a walk over them.
fn fits(path: &str, value: &Value) -> Result<(), String> {
    match nests_deeper(value, DEPTH_MAX.saturating_sub(levels(path))) {
        true => Err(format!("the value at {path} would nest deeper than {DEPTH_MAX} levels")),
        false => Ok(()),
    }
}

/// How many maps and lists are around the place where a pointer ends.
fn levels(path: &str) -> usize {
    path.bytes().filter(|byte| *byte == b'/').count()
}

fn nests_deeper(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels == 0 || items.iter().any(|item| nests_deeper(item, levels - 1)),
        Value::Object(map) => levels == 0 || map.values().any(|member| nests_deeper(member, levels - 1)),
        _ => false,
    }
}

/// About how many bytes a value takes.
fn size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 4,
        Value::Number(_) => 8,
        Value::String(text) => text.len() + 2,
        Value::Array(items) => 2 + items.iter().map(size).sum::<usize>() + items.len(),
        Value::Object(map) => 2 + map.iter().map(|(key, value)| key.len() + 4 + size(value)).sum::<usize>(),
    }
}

fn find<'a>(target: &'a mut Value, path: &str) -> Option<Place<'a>> {
    let (_, path) = path.split_once('/')?;
    let (parents, key) = path.rsplit_once('/').map_or((None, path), |(parents, key)| (Some(parents), key));
    let mut container = target;
    for part in parents.into_iter().flat_map(|p| p.split('/')) {
        container = Place { container, key: decode(part) }.into_member()?;
    }
    (container.is_object() || container.is_array()).then(|| Place { container, key: decode(key) })
}

/// `~1` stands for `/`, `~0` for `~`.
fn decode(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

/// An index into `length` items; negative ones count from the end.
fn index(key: &str, length: usize) -> Result<usize, String> {
    let number: i64 = key.parse().map_err(|_| format!("strconv.Atoi: parsing {}: invalid syntax", quote(key)))?;
    let at = if number < 0 { number + length as i64 } else { number };
    usize::try_from(at)
        .ok()
        .filter(|at| *at < length)
        .ok_or_else(|| format!("Unable to access invalid index: {number}: invalid index referenced"))
}

impl<'a> Place<'a> {
    fn into_member(self) -> Option<&'a mut Value> {
        match self.container {
            Value::Object(map) => map.get_mut(&self.key),
            Value::Array(items) => index(&self.key, items.len()).ok().map(|at| &mut items[at]),
            _ => None,
        }
    }

    /// A field that is absent reads as null.
    fn get(self) -> Result<&'a Value, String> {
        match self.container {
            Value::Array(items) => index(&self.key, items.len()).map(|at| &items[at]),
            container => Ok(container.get(&self.key).unwrap_or(&Value::Null)),
        }
    }

    fn add(self, value: Value) -> Result<(), String> {
        match self.container {
            Value::Array(items) if self.key == "-" => items.push(value),
            Value::Array(items) => {
                let at = match index(&self.key, items.len() + 1) {
                    Err(why) if why.starts_with("strconv") => {
                        return Err(format!("value was not a proper array index: '{}': {why}", self.key));
                    }
                    at => at?,
                };
                items.insert(at, value);
            }
            container => return set(container, self.key, value),
        }
        Ok(())
    }

    fn replace(self, value: Value) -> Result<(), String> {
        match self.container {
            Value::Array(items) => {
                let at = index(&self.key, items.len())?;
                items[at] = value;
                Ok(())
            }
            container => set(container, self.key, value),
        }
    }

    fn remove(self) -> Result<Value, String> {
        match self.container {
            Value::Array(items) => index(&self.key, items.len()).map(|at| items.remove(at)),
            container => {
                let removed = container.as_object_mut().and_then(|map| map.shift_remove(&self.key));
                removed.ok_or_else(|| format!("Unable to remove nonexistent key: {}: missing value", self.key))
            }
        }
    }
}

fn set(container: &mut Value, key: String, value: Value) -> Result<(), String> {
    if let Value::Object(map) = container {
        map.insert(key, value);
    }
    Ok(())
}
