//! What changed between two objects of a type. Follows `typed/compare.go`.

use std::collections::BTreeMap;

use model::json::{Key, Map, Value};

use super::super::atoms::{AtomId, Atoms, Face, List, Member, Relationship, Table};
use super::super::set::Step;
use super::super::{Element, Set, value};
use super::{Fault, element_of, fault, items, members, under, validate};

/// The paths that differ; each is in one of the sets at most.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Comparison {
    /// Those that the second object has not.
    pub(in super::super) removed: Set,
    /// Those that both have, with different values.
    pub(in super::super) modified: Set,
    /// Those that only the second object has.
    pub(in super::super) added: Set,
}

/// The same of one level while it is compared: in the order in which its steps are met.
#[derive(Default)]
struct Found {
    removed: Vec<Step>,
    modified: Vec<Step>,
    added: Vec<Step>,
}

/// What is true of a path itself.
#[derive(Clone, Copy, Default)]
struct Marks {
    removed: bool,
    modified: bool,
    added: bool,
}

pub(super) fn of(atoms: &Atoms, in_structs: bool, root: AtomId, old: &Value, new: &Value) -> Result<Comparison, Vec<Fault>> {
    let mut found = Found::default();
    let mut faults = Vec::new();
    Walk { atoms, in_structs }.values(root, Some(old), Some(new), &mut found, &mut faults);
    let found = found.compare();
    if faults.is_empty() { Ok(found) } else { Err(faults) }
}

impl Comparison {
    /// Whether nothing differs but these paths.
    pub(in super::super) fn is_same_but(&self, ignored: &Set) -> bool {
        [&self.removed, &self.modified, &self.added].iter().all(|set| set.is_within(ignored))
    }
}

impl Found {
    fn put(&mut self, element: &Element, marks: Marks, below: Self) {
        let Comparison { removed, modified, added } = below.compare();
        for (steps, member, below) in [
            (&mut self.removed, marks.removed, removed),
            (&mut self.modified, marks.modified, modified),
            (&mut self.added, marks.added, added),
        ] {
            if member || !below.is_empty() {
                steps.push(Step { element: element.clone(), member, below });
            }
        }
    }

    /// The level as it is.
    fn compare(self) -> Comparison {
        let [removed, modified, added] = [self.removed, self.modified, self.added].map(|steps| steps.into_iter().collect());
        Comparison { removed, modified, added }
    }
}

struct Walk<'a> {
    atoms: &'a Atoms,
    in_structs: bool,
}

impl Walk<'_> {
    /// Compares two values, one of which may be absent. What is below goes into `found`.
    fn values(
        &self,
        atom: AtomId,
        old: Option<&Value>,
        new: Option<&Value>,
        found: &mut Found,
        faults: &mut Vec<Fault>,
    ) -> Marks {
        let (left, right) = (old.map(|v| self.atoms.face(atom, v)), new.map(|v| self.atoms.face(atom, v)));
        let mut marks = Marks::default();
        let (first, second) = match (left, right) {
            (None, None) => return marks,
            (Some(left), Some(right)) if left != right => (left, Some(right)),
            (_, Some(one)) | (Some(one), None) => (one, None),
        };
        let mut in_leaf = self.face(first, old, new, &mut marks, found, faults);
        if let Some(second) = second {
            in_leaf = self.face(second, old, new, &mut marks, found, faults);
        }
        if !in_leaf {
            marks.added |= old.is_none();
            marks.removed |= new.is_none();
        }
        marks
    }

    /// Compares by one form of the type; tells whether that was as one value.
    fn face(
        &self,
        face: Option<Face<'_>>,
        old: Option<&Value>,
        new: Option<&Value>,
        marks: &mut Marks,
        found: &mut Found,
        faults: &mut Vec<Fault>,
    ) -> bool {
        match face {
            None => faults.push(fault("schema error: invalid atom: inlined")),
            Some(Face::Scalar(scalar)) => {
                let wrong =
                    [("lhs: ", old), ("rhs: ", new)].map(|(side, value)| value.and_then(|v| validate::scalar(scalar, v, side)));
                if let [Some(left), Some(right)] = wrong {
                    faults.extend([left, right]);
                    return false;
                }
                self.leaf(old, new, marks, value::equal);
                return true;
            }
            Some(Face::List(list)) => {
                if list.relationship == Relationship::Atomic || items(old).is_empty() && items(new).is_empty() {
                    self.leaf(old, new, marks, |a, b| self.equal_lists(list, a, b));
                    return true;
                }
                self.list(list, items(old), items(new), found, faults);
            }
            Some(Face::Map(table)) => {
                if table.atomic || self.has_nothing(table, old) && self.has_nothing(table, new) {
                    self.leaf(old, new, marks, |a, b| self.equal_maps(table, a, b));
                    return true;
                }
                self.map(table, old, new, found, faults);
            }
        }
        false
    }

    fn leaf(&self, old: Option<&Value>, new: Option<&Value>, marks: &mut Marks, equal: impl Fn(&Value, &Value) -> bool) {
        match (old, new) {
            (None, _) => marks.added = true,
            (_, None) => marks.removed = true,
            (Some(old), Some(new)) => marks.modified |= !equal(old, new),
        }
    }

    fn has_nothing(&self, table: &Table, value: Option<&Value>) -> bool {
        let Some(map) = members(value) else { return true };
        if !self.in_structs {
            return map.is_empty();
        }
        let held = map.iter().any(|(name, value)| table.member(name).is_none_or(|member| member.of(Some(value)).is_some()));
        !held && !table.members.iter().any(|member| member.zero.is_some())
    }

    fn map(&self, table: &Table, old: Option<&Value>, new: Option<&Value>, found: &mut Found, faults: &mut Vec<Fault>) {
        let (old, new) = (members(old), members(new));
        for name in old.into_iter().flatten().map(|(name, _)| name) {
            self.member(table, name, old, new, found, faults);
        }
        let only_new = new.into_iter().flatten().filter(|(name, _)| old.is_none_or(|old| !old.contains_key(*name)));
        for (name, _) in only_new {
            self.member(table, name, old, new, found, faults);
        }
        // Where one side is absent as a whole, the zero values of the other count.
        if self.in_structs && old.is_none() != new.is_none() {
            let held = old.or(new);
            let unset = |member: &&Member| member.zero.is_some() && held.is_none_or(|held| !held.contains_key(&*member.name));
            for member in table.members.iter().filter(unset) {
                self.child(
                    Element::Field(member.name.clone()),
                    member.atom,
                    member.in_struct(old).filter(|_| old.is_some()),
                    member.in_struct(new).filter(|_| new.is_some()),
                    found,
                    faults,
                );
            }
        }
    }

    fn member(
        &self,
        table: &Table,
        name: &str,
        old: Option<&Map>,
        new: Option<&Map>,
        found: &mut Found,
        faults: &mut Vec<Fault>,
    ) {
        let member = table.member(name);
        let Some(atom) = member.map_or(table.rest, |member| Some(member.atom)) else {
            return faults.push(fault("schema error: no type found matching: inlined type"));
        };
        let element = member.map_or_else(|| Element::field(name), |member| Element::Field(member.name.clone()));
        match member.filter(|_| self.in_structs) {
            Some(member) => {
                let (old, new) = (old.map(|map| member.in_struct(Some(map))), new.map(|map| member.in_struct(Some(map))));
                self.child(element, atom, old.flatten(), new.flatten(), found, faults);
            }
            None => {
                self.child(element, atom, old.and_then(|map| map.get(name)), new.and_then(|map| map.get(name)), found, faults)
            }
        }
    }

    fn child(
        &self,
        element: Element,
        atom: AtomId,
        old: Option<&Value>,
        new: Option<&Value>,
        found: &mut Found,
        faults: &mut Vec<Fault>,
    ) {
        // Most of an object stays as it is; this comparison is cheaper than the walk.
        if old == new {
            return;
        }
        let (mut below, mut wrong) = (Found::default(), Vec::new());
        let marks = self.values(atom, old, new, &mut below, &mut wrong);
        if !wrong.is_empty() {
            faults.extend(under(&element, wrong));
        }
        found.put(&element, marks, below);
    }

    /// Items that stand more than once count as one value together.
    fn list(&self, list: &List, old: &[Value], new: &[Value], found: &mut Found, faults: &mut Vec<Fault>) {
        let (old, new) = (index(list, old, faults), index(list, new, faults));
        let mut all: Vec<&Element> = old.elements().collect();
        all.extend(new.elements().filter(|element| old.of(element).is_empty()));
        for element in all {
            let (left, right) = (old.of(element), new.of(element));
            let one = |found: &mut Found, faults: &mut Vec<Fault>, old, new| {
                self.child(element.clone(), list.item, old, new, found, faults)
            };
            match (left, right) {
                ([] | [_], [] | [_]) => one(found, faults, left.first().copied(), right.first().copied()),
                ([_, _, ..], [_, _, ..]) => {
                    let same = left.len() == right.len() && left.iter().zip(right).all(|(a, b)| self.equal(list.item, a, b));
                    found.put(element, Marks { modified: !same, ..Marks::default() }, Found::default());
                }
                ([_, _, ..], _) => {
                    if let Some(new) = right.first() {
                        one(found, faults, None, Some(new));
                    }
                    found.put(element, Marks { removed: true, ..Marks::default() }, Found::default());
                }
                (_, _) => {
                    if let Some(old) = left.first() {
                        one(found, faults, Some(old), None);
                    }
                    found.put(element, Marks { added: true, ..Marks::default() }, Found::default());
                }
            }
        }
    }

    /// Whether two values mean the same, zero values of structs included.
    fn equal(&self, atom: AtomId, a: &Value, b: &Value) -> bool {
        if a == b || !self.in_structs {
            return a == b || value::equal(a, b);
        }
        match (self.atoms.face(atom, a), self.atoms.face(atom, b)) {
            (Some(Face::Map(table)), Some(Face::Map(_))) => self.equal_maps(table, a, b),
            (Some(Face::List(list)), Some(Face::List(_))) => self.equal_lists(list, a, b),
            _ => value::equal(a, b),
        }
    }

    fn equal_lists(&self, list: &List, a: &Value, b: &Value) -> bool {
        match (a, b) {
            (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| self.equal(list.item, a, b)),
            (a, b) => value::equal(a, b),
        }
    }

    fn equal_maps(&self, table: &Table, a: &Value, b: &Value) -> bool {
        let (Value::Object(a), Value::Object(b)) = (a, b) else { return value::equal(a, b) };
        if !self.in_structs {
            return value::equal_maps(a, b);
        }
        let same = |name: &Key| match table.member(name) {
            Some(member) => match (member.in_struct(Some(a)), member.in_struct(Some(b))) {
                (Some(a), Some(b)) => self.equal(member.atom, a, b),
                (a, b) => a.is_none() && b.is_none(),
            },
            None => match (a.get(name), b.get(name), table.rest) {
                (Some(a), Some(b), Some(rest)) => self.equal(rest, a, b),
                (a, b, _) => a == b,
            },
        };
        a.keys().all(same) && b.keys().filter(|name| !a.contains_key(*name)).all(same)
    }
}

/// Up to so many items are looked through one by one, which is faster than a table.
const FEW: usize = 16;

/// The items of a list by what tells them apart.
struct Items<'v> {
    all: Vec<(Element, Vec<&'v Value>)>,
    /// Where each stands, while there are many.
    places: Option<BTreeMap<Element, usize>>,
}

impl<'v> Items<'v> {
    fn elements(&self) -> impl Iterator<Item = &Element> {
        self.all.iter().map(|(element, _)| element)
    }

    fn place(&self, element: &Element) -> Option<usize> {
        match &self.places {
            Some(places) => places.get(element).copied(),
            None => self.elements().position(|known| known == element),
        }
    }

    fn of(&self, element: &Element) -> &[&'v Value] {
        self.place(element).map_or(&[], |at| &self.all[at].1)
    }

    fn add(&mut self, element: Element, item: &'v Value) {
        if let Some(at) = self.place(&element) {
            return self.all[at].1.push(item);
        }
        if let Some(places) = &mut self.places {
            places.insert(element.clone(), self.all.len());
        }
        self.all.push((element, vec![item]));
    }
}

/// The items of a list by their elements, in order of first occurrence. Items without an element are faults.
fn index<'v>(list: &List, items: &'v [Value], faults: &mut Vec<Fault>) -> Items<'v> {
    let mut found = Items { all: Vec::with_capacity(items.len()), places: (items.len() > FEW).then(BTreeMap::new) };
    for (at, item) in items.iter().enumerate() {
        match element_of(list, item) {
            Ok(element) => found.add(element, item),
            Err(why) => faults.push(fault(format!("element {at}: {why}"))),
        }
    }
    found
}
