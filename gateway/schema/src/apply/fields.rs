//! A set as the value of `fieldsV1`, and back. Follows `fieldpath/serialize.go`.

use model::json::{Map, Value};

use super::set::Step;
use super::{Element, Set};

/// The key that says that the path to here belongs to the set itself.
const SELF: &str = ".";

/// Reads `fieldsV1`.
///
/// # Errors
/// Why it is malformed.
pub(super) fn read(fields: &Value) -> Result<Set, String> {
    match fields {
        Value::Null => Ok(Set::default()),
        Value::Object(map) => level(map).map(|(set, _)| set),
        _ => Err("ReadMapCB: expect { or n".to_owned()),
    }
}

/// What is below a key, and whether the key itself is a member: it is when it says so, and when nothing is below it.
fn level(map: &Map) -> Result<(Set, bool), String> {
    let (mut steps, mut member) = (Vec::with_capacity(map.len()), false);
    for (key, value) in map {
        if key == SELF {
            member = true;
            continue;
        }
        let Some(element) = Element::parse(key)? else { continue };
        let (below, member) = match value {
            Value::Null => (Set::default(), true),
            Value::Object(map) => level(map)?,
            _ => return Err("ReadMapCB: expect { or n".to_owned()),
        };
        steps.push(Step { element, member, below });
    }
    let set: Set = steps.into_iter().collect();
    let member = member || set.is_empty();
    Ok((set, member))
}

/// Writes `fieldsV1`.
pub(super) fn write(set: &Set) -> Value {
    Value::Object(write_level(set, Map::with_capacity(set.steps.len())))
}

fn write_level(set: &Set, mut map: Map) -> Map {
    for step in &set.steps {
        let mut inner = Map::with_capacity(step.below.steps.len() + usize::from(step.member));
        if step.member && !step.below.is_empty() {
            inner.insert(SELF.to_owned(), Value::Object(Map::new()));
        }
        map.insert(step.element.spelling(), Value::Object(write_level(&step.below, inner)));
    }
    map
}
