//! What a mutating admission policy says of an object, merged into it: an apply without owners.
//! Follows `ApplyStructuredMergeDiff` of `k8s.io/apiserver/pkg/admission/plugin/policy/mutating/patch`.

use std::borrow::Cow;

use model::json::Value;

use super::atoms::{AtomId, Atoms, Face, Relationship};
use super::{Element, Typed};
use crate::{Shape, Types};

/// An object with everything that a policy says of it.
///
/// # Errors
/// The policy says what the type does not know, or a part that is one value: what it leaves out of that would go.
pub fn merge_configuration(shape: &Shape, types: &Types, live: &Value, said: &Value) -> Result<Value, String> {
    let (atoms, root, in_structs) = shape.atoms(types);
    let said = Typed { atoms, root, value: Cow::Borrowed(said), in_structs: false };
    said.validate().map_err(|why| format!("failed to convert patch object to typed object: {why}"))?;
    let mut whole = Vec::new();
    find_atomic(atoms, root, &said.value, String::new(), &mut whole);
    if !whole.is_empty() {
        return Err(format!("invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: {}", whole.join(", ")));
    }
    let live = Typed { atoms, root, value: Cow::Borrowed(live), in_structs };
    let merged = live.merge(&said).map_err(|why| format!("failed to merge patch: {why}"))?;
    Ok(merged.value.into_owned())
}

/// The paths of everything in a value that is one value. Values of maps whose keys are free are not looked into.
fn find_atomic(atoms: &Atoms, atom: AtomId, value: &Value, path: String, found: &mut Vec<String>) {
    match (atoms.face(atom, value), value) {
        (Some(Face::Map(table)), Value::Object(map)) => {
            if table.atomic {
                found.push(path.clone());
            }
            for (name, value) in map {
                if let Some(member) = table.member(name) {
                    find_atomic(atoms, member.atom, value, format!("{path}{}", Element::field(name)), found);
                }
            }
        }
        (Some(Face::List(list)), Value::Array(items)) => {
            if list.relationship == Relationship::Atomic {
                found.push(path.clone());
            }
            for (at, item) in items.iter().enumerate() {
                find_atomic(atoms, list.item, item, format!("{path}{}", Element::Index(at as i64)), found);
            }
        }
        _ => {}
    }
}
