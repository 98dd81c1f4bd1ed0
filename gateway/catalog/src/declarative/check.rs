//! Walks an object along the declared rules of its types and says which fail. What a string must look like is next door
//! (`format`).

use std::collections::HashMap;

use model::field::{Error, Errors, Fault, Path, Spelling};
use model::{Value, repeats};
use schema::equal::Empty;
use schema::{Kind, TypeId, Types};

use super::read::{Match, Member, Presence, Rule, Shape, Step, Table};
use super::{ON, format};

/// What a walk knows wherever it is.
pub(super) struct Walk<'a> {
    pub(super) table: &'a Table,
    pub(super) types: &'a Types,
    /// Whether there is a stored object, even where it has no counterpart of what is being judged.
    pub(super) updates: bool,
}

/// A value and what it was; `old` is `None` where the stored object has no counterpart.
#[derive(Clone, Copy)]
struct Pair<'a> {
    new: &'a Value,
    old: Option<&'a Value>,
    /// The struct type of the value, or of the elements of the list or map.
    ty: Option<TypeId>,
}

impl<'a> Pair<'a> {
    fn field(&self, types: &Types, name: &str) -> Self {
        let field = self.ty.and_then(|ty| types[ty].field(name));
        Self {
            new: self.new.get(name).unwrap_or(&Value::Null),
            old: self.old.map(|old| old.get(name).unwrap_or(&Value::Null)),
            ty: field.and_then(|field| struct_in(&field.kind)),
        }
    }

    /// The counterpart as a pointer: nothing where it is nil.
    fn old_given(&self) -> Option<&'a Value> {
        self.old.filter(|old| !old.is_null())
    }

    fn items(&self) -> (&'a [Value], &'a [Value]) {
        (items(self.new), self.old.map_or(&[], items))
    }
}

impl Walk<'_> {
    /// Judges a value by the rules of a type.
    pub(super) fn of_type(
        &self,
        of: usize,
        ty: Option<TypeId>,
        new: &Value,
        old: Option<&Value>,
        path: &Path<'_>,
        errors: &mut Errors,
    ) {
        self.steps(self.table.steps(of), Pair { new, old, ty }, path, errors);
    }

    fn steps(&self, steps: &[Step], pair: Pair<'_>, path: &Path<'_>, errors: &mut Errors) {
        let mut stopped = false;
        for step in steps {
            match step {
                Step::Check { stop: true, silent, rule } => stopped |= self.fails(rule, *silent, pair, path, errors),
                _ if stopped => return,
                Step::Check { silent, rule, .. } => drop(self.fails(rule, *silent, pair, path, errors)),
                Step::Field(".", inner) => self.steps(inner, pair, path, errors),
                // What did not change is not judged again.
                Step::Field(name, _) if self.unchanged(pair, name) => {}
                Step::Field(name, inner) => self.steps(inner, pair.field(self.types, name), &path.child(name), errors),
            }
        }
    }

    fn unchanged(&self, pair: Pair<'_>, name: &str) -> bool {
        let Some(old) = pair.old.filter(|_| self.updates) else { return false };
        let (new, old) = (pair.new.get(name), old.get(name));
        let by_type = pair.ty.and_then(|ty| schema::equal::member(self.types, ty, name, (new, old), Empty::IsAbsent));
        by_type.unwrap_or_else(|| same(new.unwrap_or(&Value::Null), old.unwrap_or(&Value::Null)))
    }

    fn fails(&self, rule: &Rule, silent: bool, pair: Pair<'_>, path: &Path<'_>, errors: &mut Errors) -> bool {
        let mut found = Errors::new();
        self.check(rule, pair, path, &mut found);
        let failed = !found.is_empty();
        if !silent {
            errors.0.append(&mut found.0);
        }
        failed
    }

    fn check(&self, rule: &Rule, pair: Pair<'_>, path: &Path<'_>, errors: &mut Errors) {
        match rule {
            Rule::If { option, on, rule } if ON.contains(option) == *on => self.check(rule, pair, path, errors),
            Rule::Type(of) => self.of_type(*of, pair.ty, pair.new, pair.old_given(), path, errors),
            Rule::Immutable if self.updates => errors.invalid(path, Value::Null, "field is immutable"),
            Rule::Update(constraints) if self.updates => update(constraints, pair, path, errors),
            Rule::If { .. } | Rule::Immutable | Rule::Update(_) => {}
            Rule::Unique(_) | Rule::Each { .. } | Rule::EachKey(_) | Rule::EachValue(_) => {
                self.elements(rule, pair, path, errors);
            }
            Rule::Subfield(..) | Rule::Discriminated { .. } => self.members(rule, pair, path, errors),
            Rule::Union(members) => self.union(members, Some("must specify one of"), pair, path, errors),
            Rule::AtMostOne(members) => self.union(members, None, pair, path, errors),
            _ => alone(rule, pair.new, path, errors),
        }
    }

    /// Checks of the elements of a list or a map.
    fn elements(&self, rule: &Rule, pair: Pair<'_>, path: &Path<'_>, errors: &mut Errors) {
        let Pair { new, old, ty } = pair;
        match rule {
            Rule::Unique(by) => self.unique(by, pair, path, errors),
            Rule::Each { by, skips_found, rule } => {
                let (new, old) = pair.items();
                let old = Standing::of(by, old);
                for (i, item) in new.iter().enumerate() {
                    let before = old.find(item);
                    if self.updates && before.is_some_and(|before| *skips_found || same(item, before)) {
                        continue;
                    }
                    self.check(rule, Pair { new: item, old: before, ty }, &path.index(i), errors);
                }
            }
            Rule::EachKey(rule) => {
                for key in entries(new).map(|(key, _)| key).filter(|key| !(self.updates && has(old, key))) {
                    self.check(rule, Pair { new: &Value::from(key), old: None, ty: None }, path, errors);
                }
            }
            Rule::EachValue(rule) => {
                for (key, item) in entries(new) {
                    let before = old.and_then(|old| old.get(key));
                    if self.updates && before.is_some_and(|before| same(item, before)) {
                        continue;
                    }
                    self.check(rule, Pair { new: item, old: before, ty }, &path.key(key), errors);
                }
            }
            _ => {}
        }
    }

    /// Checks of a struct's members that its own fields do not carry.
    fn members(&self, rule: &Rule, pair: Pair<'_>, path: &Path<'_>, errors: &mut Errors) {
        match rule {
            Rule::Subfield(name, rule) if !self.unchanged(pair, name) => {
                self.check(rule, pair.field(self.types, name), &path.child(name), errors);
            }
            Rule::Discriminated { field, by, otherwise, cases } => {
                if self.unchanged(pair, by) && self.unchanged(pair, field) {
                    return;
                }
                let (member, kind) = (pair.field(self.types, field), pair.field(self.types, by));
                let asked = cases.iter().find(|(value, _)| *value == text(kind.new)).map_or(*otherwise, |(_, asked)| *asked);
                match (asked, member.new.is_null()) {
                    (Presence::Required, true) => errors.required(&path.child(field), ""),
                    (Presence::Forbidden, false) => errors.forbidden(&path.child(field), ""),
                    _ => {}
                }
            }
            _ => {}
        }
    }

    fn unique(&self, by: &Match, pair: Pair<'_>, path: &Path<'_>, errors: &mut Errors) {
        let list = items(pair.new);
        for (i, (item, is_repeated)) in list.iter().zip(repeated(by, list)).enumerate() {
            if is_repeated {
                let shown = pair.ty.map_or_else(|| item.clone(), |ty| self.written(ty, item));
                errors.duplicate(&path.index(i), shown);
            }
        }
    }

    /// A struct as a message shows it: in Go's order.
    fn written(&self, ty: TypeId, value: &Value) -> Value {
        let mut bytes = Vec::new();
        schema::normal::encode(self.types, ty, value, Default::default(), &mut bytes);
        serde_json::from_slice(&bytes).unwrap_or(Value::Null)
    }

    fn union(&self, members: &[Member], none: Option<&str>, pair: Pair<'_>, path: &Path<'_>, errors: &mut Errors) {
        let set: Vec<&Member> = members.iter().filter(|member| is_set(member, pair.new)).collect();
        if self.updates
            && let Some(old) = pair.old_given()
            && members.iter().all(|member| is_set(member, old) == is_set(member, pair.new))
        {
            return;
        }
        let all = || members.iter().map(|member| format!("`{}`", member.name)).collect::<Vec<_>>().join(", ");
        match (set.len(), none) {
            (0, Some(words)) => errors.invalid(path, "", format!("{words}: {}", all())),
            (0 | 1, _) => {}
            (_, none) => {
                let given = set.iter().map(|member| member.name.as_str()).collect::<Vec<_>>().join(", ");
                let how = if none.is_some() { "exactly" } else { "at most" };
                errors.invalid(path, format!("{{{given}}}"), format!("must specify {how} one of: {}", all()));
            }
        }
    }
}

/// Checks that need nothing but the value.
fn alone(rule: &Rule, new: &Value, path: &Path<'_>, errors: &mut Errors) {
    match rule {
        Rule::Optional(shape) | Rule::Required(shape) if !given(new, *shape) => errors.required(path, ""),
        Rule::Forbidden(shape) if given(new, *shape) => errors.forbidden(path, ""),
        Rule::Enum(values) => {
            if let Some(text) = new.as_str().filter(|text| !values.contains(text)) {
                errors.not_supported(path, text, values);
            }
        }
        Rule::Format(name) => {
            if let Some(text) = new.as_str() {
                format::check(name, text, path, errors);
            }
        }
        Rule::MaxItems(max) if items(new).len() > *max => errors.too_many(path, items(new).len(), *max),
        Rule::MaxLength(max) if text(new).chars().count() > *max => errors.too_long_characters(path, *max),
        Rule::MaxBytes(max) if text(new).len() > *max => errors.too_long(path, *max),
        Rule::Min(min) => {
            if let Some(number) = number(new).filter(|number| number < min) {
                errors.invalid(path, number, format!("must be greater than or equal to {min}"));
            }
        }
        Rule::Max(max) => {
            if let Some(number) = number(new).filter(|number| number > max) {
                errors.invalid(path, number, format!("must be less than or equal to {max}"));
            }
        }
        _ => {}
    }
}

/// `UpdatePointer` and `UpdateValueByCompare`.
fn update(constraints: &[&str], pair: Pair<'_>, path: &Path<'_>, errors: &mut Errors) {
    let had = pair.old.is_some_and(|old| given(old, Shape::Pointer));
    let has = given(pair.new, Shape::Pointer);
    for constraint in constraints {
        let why = match (*constraint, had, has) {
            ("set", false, true) => "field cannot be set once created",
            ("unset", true, false) => "field cannot be cleared once set",
            ("modify", true, true) => "field cannot be modified once set",
            _ => continue,
        };
        let (field, detail) = (path.to_string(), why.to_owned());
        errors.0.push(Error { fault: Fault::Invalid, field, value: Some(Value::Null), detail, spelling: Spelling::Go });
    }
}

fn is_set(member: &Member, holder: &Value) -> bool {
    match &member.element {
        Some(element) => items(holder).iter().any(|item| element.iter().all(|(key, value)| item.get(key) == Some(value))),
        None => holder.get(&member.name).is_some_and(|value| !value.is_null()),
    }
}

fn given(value: &Value, shape: Shape) -> bool {
    match (value, shape) {
        (Value::Null, _) => false,
        (_, Shape::Pointer) => true,
        (Value::String(text), Shape::Value) => !text.is_empty(),
        (Value::Number(number), Shape::Value) => number.as_f64() != Some(0.0),
        (Value::Bool(yes), Shape::Value) => *yes,
        (Value::Array(list), Shape::Items) => !list.is_empty(),
        (Value::Object(map), Shape::Items) => !map.is_empty(),
        _ => true,
    }
}

/// Whether two values mean the same: no elements are as good as no list.
fn same(a: &Value, b: &Value) -> bool {
    let none = |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            a.iter().all(|(key, value)| same(value, b.get(key).unwrap_or(&Value::Null)))
                && b.iter().all(|(key, value)| a.contains_key(key) || none(value))
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        _ => a == b || none(a) && none(b),
    }
}

/// What tells the items of a list apart, and nothing where each stands for itself.
fn identity<'a>(by: &Match, item: &'a Value) -> Option<Vec<Option<&'a Value>>> {
    match by {
        Match::Never => None,
        Match::Alike => Some(vec![Some(item)]),
        Match::Keys(keys) => Some(keys.iter().map(|key| item.get(key)).collect()),
    }
}

/// The items of a list that is there already, to be found by those that belong to them.
struct Standing<'a> {
    by: &'a Match,
    first: HashMap<Vec<Option<&'a Value>>, &'a Value>,
}

impl<'a> Standing<'a> {
    fn of(by: &'a Match, list: &'a [Value]) -> Self {
        let items = list.iter().rev().filter_map(|item| Some((identity(by, item)?, item)));
        Self { by, first: items.collect() }
    }

    fn find(&self, item: &Value) -> Option<&'a Value> {
        if self.first.is_empty() {
            return None;
        }
        self.first.get(&identity(self.by, item)?).copied()
    }
}

/// For each item whether one that it belongs to stands before it.
fn repeated(by: &Match, list: &[Value]) -> Vec<bool> {
    repeats(list.iter().enumerate().map(|(at, item)| identity(by, item).ok_or(at)))
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn entries(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(key, value)| (key.as_str(), value))
}

fn has(map: Option<&Value>, key: &str) -> bool {
    map.is_some_and(|map| map.get(key).is_some())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

/// A number; a plain field that is absent is zero, and a pointer's absence was found before.
fn number(value: &Value) -> Option<i64> {
    if value.is_null() { Some(0) } else { value.as_i64() }
}

fn struct_in(kind: &Kind) -> Option<TypeId> {
    match kind {
        Kind::Struct(id) => Some(*id),
        Kind::List(inner) | Kind::Map(inner) => struct_in(inner),
        _ => None,
    }
}
