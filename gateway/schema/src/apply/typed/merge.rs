//! One object with everything that another says. Follows `typed/merge.go`: items of lists come in the order of the second
//! where it changes anything, else in that of the first.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use model::json::{Map, Value};

use super::super::Element;
use super::super::atoms::{AtomId, Atoms, Face, List, Relationship, Table};
use super::{Fault, element_of, fault, items, members, under, validate};

/// The merged value, if there is one.
pub(super) fn of(atoms: &Atoms, root: AtomId, left: &Value, right: &Value) -> Result<Option<Value>, Vec<Fault>> {
    let mut faults = Vec::new();
    let merged = Walk { atoms }.values(root, Some(left), Some(right), &mut faults);
    if faults.is_empty() { Ok(merged) } else { Err(faults) }
}

struct Walk<'a> {
    atoms: &'a Atoms,
}

impl Walk<'_> {
    fn values(&self, atom: AtomId, left: Option<&Value>, right: Option<&Value>, faults: &mut Vec<Fault>) -> Option<Value> {
        let (a, b) = (left.map(|v| self.atoms.face(atom, v)), right.map(|v| self.atoms.face(atom, v)));
        match (a, b) {
            (None, None) => None,
            (Some(a), Some(b)) if a != b => {
                // The form of the left only tells what is wrong with it.
                self.face(a, left, right, faults);
                self.face(b, left, right, faults)
            }
            (_, Some(face)) | (Some(face), None) => self.face(face, left, right, faults),
        }
    }

    fn face(
        &self,
        face: Option<Face<'_>>,
        left: Option<&Value>,
        right: Option<&Value>,
        faults: &mut Vec<Fault>,
    ) -> Option<Value> {
        let leaf = || right.or(left).cloned();
        match face {
            None => {
                faults.push(fault("schema error: invalid atom: inlined"));
                None
            }
            Some(Face::Scalar(scalar)) => {
                let wrong = [("lhs: ", left), ("rhs: ", right)]
                    .map(|(side, value)| value.and_then(|v| validate::scalar(scalar, v, side)));
                if let [Some(left), Some(right)] = wrong {
                    faults.extend([left, right]);
                    return None;
                }
                leaf()
            }
            // Of two that are empty or null the distinction is kept.
            Some(Face::List(list))
                if list.relationship == Relationship::Atomic || items(left).is_empty() && items(right).is_empty() =>
            {
                leaf()
            }
            Some(Face::List(list)) => self.list(list, items(left), items(right), faults),
            Some(Face::Map(table)) => {
                let (a, b) = (members(left), members(right));
                if table.atomic || a.is_none_or(Map::is_empty) && b.is_none_or(Map::is_empty) {
                    return leaf();
                }
                self.map(table, a, b, faults)
            }
        }
    }

    fn map(&self, table: &Table, left: Option<&Map>, right: Option<&Map>, faults: &mut Vec<Fault>) -> Option<Value> {
        let mut merged = Map::new();
        let only_right = right.into_iter().flatten().filter(|(name, _)| left.is_none_or(|left| !left.contains_key(*name)));
        for (name, _) in left.into_iter().flatten().chain(only_right) {
            let (a, b) = (left.and_then(|map| map.get(name)), right.and_then(|map| map.get(name)));
            let mut wrong = Vec::new();
            let value = match table.atom_of(name) {
                Some(atom) => self.values(atom, a, b, &mut wrong),
                None => {
                    wrong.push(fault("schema error: no type found matching: inlined type"));
                    None
                }
            };
            if !wrong.is_empty() {
                faults.extend(under(&Element::field(name), wrong));
            }
            if let Some(value) = value {
                merged.insert(name.clone(), value);
            }
        }
        if merged.is_empty() { None } else { Some(Value::Object(merged)) }
    }

    fn list(&self, list: &List, left: &[Value], right: &[Value], faults: &mut Vec<Fault>) -> Option<Value> {
        let before = faults.len();
        let (right_order, of_right) = index(list, right, Duplicates::Refused, faults);
        let (left_order, of_left) = index(list, left, Duplicates::Allowed, faults);
        if faults.len() > before {
            return None;
        }
        let shared = right_order.iter().filter(|element| of_left.contains_key(element)).collect();
        let mut weave = Weave {
            walk: self,
            list,
            of_left: &of_left,
            of_right: &of_right,
            shared,
            next: None,
            done: BTreeSet::new(),
            out: Vec::new(),
        };
        weave.advance();
        weave.run(left, &left_order, &right_order);
        let out = weave.out;
        if out.is_empty() { None } else { Some(Value::Array(out)) }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Duplicates {
    Allowed,
    Refused,
}

static NULL: Value = Value::Null;

type Index<'v> = BTreeMap<Element, &'v Value>;

/// The elements of a list in its order, and its items by them; one that stands twice is null.
fn index<'v>(list: &List, items: &'v [Value], duplicates: Duplicates, faults: &mut Vec<Fault>) -> (Vec<Element>, Index<'v>) {
    let (mut order, mut index) = (Vec::with_capacity(items.len()), Index::new());
    for (at, item) in items.iter().enumerate() {
        let element = match element_of(list, item) {
            Ok(element) => element,
            Err(why) => {
                faults.push(fault(format!("element {at}: {why}")));
                continue;
            }
        };
        let known = index.contains_key(&element);
        if known && duplicates == Duplicates::Refused {
            faults.push(fault(format!("duplicate entries for key {element}")));
            continue;
        }
        index.insert(element.clone(), if known { &NULL } else { item });
        order.push(element);
    }
    (order, index)
}

/// Two lists on their way into one.
struct Weave<'a> {
    walk: &'a Walk<'a>,
    list: &'a List,
    of_left: &'a Index<'a>,
    of_right: &'a Index<'a>,
    /// The elements of both, in the order of the right.
    shared: VecDeque<&'a Element>,
    next: Option<&'a Element>,
    /// Elements of the right that are in `out` already.
    done: BTreeSet<&'a Element>,
    out: Vec<Value>,
}

impl<'a> Weave<'a> {
    fn advance(&mut self) {
        self.next = self.shared.pop_front();
    }

    fn push(&mut self, left: Option<&Value>, right: Option<&Value>) {
        // Upstream loses the faults of items here, too.
        self.out.extend(self.walk.values(self.list.item, left, right, &mut Vec::new()));
    }

    fn push_right(&mut self, element: &'a Element) {
        self.done.insert(element);
        self.push(self.of_left.get(element).copied(), self.of_right.get(element).copied());
    }

    fn run(&mut self, left: &[Value], left_order: &'a [Element], right_order: &'a [Element]) {
        let (mut l, mut r) = (0, 0);
        while l < left_order.len() || r < right_order.len() {
            if let (Some(a), Some(b)) = (left_order.get(l), right_order.get(r)) {
                if a == b {
                    self.push_right(a);
                    (l, r) = (l + 1, r + 1);
                    self.advance();
                    continue;
                }
                // A shared item, but not the one whose turn it is.
                if self.of_right.contains_key(a) && self.next.is_some_and(|next| next != a) {
                    l += 1;
                    continue;
                }
            }
            if let Some(a) = left_order.get(l) {
                if !self.of_right.contains_key(a) {
                    self.push(left.get(l), None);
                    l += 1;
                    continue;
                }
                if self.done.contains(&a) {
                    l += 1;
                }
            }
            if let Some(b) = right_order.get(r) {
                self.push_right(b);
                r += 1;
                if self.next == Some(b) {
                    self.advance();
                }
            }
        }
    }
}
