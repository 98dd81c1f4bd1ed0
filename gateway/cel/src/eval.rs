//! Runs a program. Counts what each step costs as cel-go's `interpreter/runtimecost.go` does, and stops at the limit.

mod calls;

use std::sync::Arc;

use crate::composition::{self, Composition};
use crate::cost::actual;
use crate::effort::{self, EFFORT_PER_COST};
use crate::library::patch;
use crate::library::regex::Pattern;
use crate::plan::{Attribute, Base, Fold, Key, Node, Qualifier};
use crate::program::{Bindings, Error};
use crate::value::{List, Made, Map, Outcome, Value, equal};

/// What selecting a name or reading a variable costs.
const SELECT: u64 = 1;
/// What making a list costs.
const LIST: u64 = 10;
/// What making a map costs.
const MAP: u64 = 30;
/// What making a message costs.
const MESSAGE: u64 = 40;

/// Constants or fields that are compared with as much effort as one value is made.
const COMPARED: u64 = 8;

/// One evaluation.
pub(crate) struct Run<'a, 'b> {
    bindings: &'b Bindings<'a>,
    composition: Option<&'b Composition<'a>>,
    locals: Vec<Slot<'a>>,
    limit: u64,
    pub(crate) cost: u64,
    pub(crate) effort: u64,
    /// The last regular expression that was made of data.
    pattern: Option<(Box<str>, Arc<Pattern>)>,
}

/// A variable of a fold.
enum Slot<'a> {
    /// An accumulator that nobody has looked at yet.
    Pending(&'a Node),
    Ready(Outcome<'a>),
}

/// What a selection found, and under which name it looked.
type Found<'a> = Result<Option<Value<'a>>, Error>;

impl<'a, 'b> Run<'a, 'b> {
    pub(crate) fn new(bindings: &'b Bindings<'a>, composition: Option<&'b Composition<'a>>, limit: u64) -> Self {
        Self { bindings, composition, locals: Vec::new(), limit, cost: 0, effort: 0, pattern: None }
    }

    fn charge(&mut self, cost: u64) -> Result<(), Error> {
        self.cost = self.cost.saturating_add(cost);
        if self.cost > self.limit { Err(Error::CostLimit) } else { Ok(()) }
    }

    /// How much effort is left.
    fn left(&self) -> u64 {
        self.effort_limit().saturating_sub(self.effort)
    }

    fn effort_limit(&self) -> u64 {
        self.limit.saturating_mul(EFFORT_PER_COST)
    }

    /// Asks for effort before something is done. Who needs too much has used up the whole call, so that budgets count it.
    fn exert(&mut self, effort: u64) -> Result<(), Error> {
        self.effort = self.effort.saturating_add(effort);
        if self.effort <= self.effort_limit() {
            return Ok(());
        }
        self.cost = self.cost.max(self.limit.saturating_add(1));
        Err(Error::CostLimit)
    }

    /// The value of a whole expression, which may be gone through by who asked for it.
    pub(crate) fn finish(&mut self, node: &'a Node) -> Outcome<'a> {
        let value = self.node(node)?;
        self.exert(effort::deep(&value, self.left()))?;
        Ok(value)
    }

    pub(crate) fn node(&mut self, node: &'a Node) -> Outcome<'a> {
        match node {
            Node::Constant(value) => Ok(value.clone()),
            Node::Attribute(attribute) => {
                let found = self.attribute(attribute);
                // The branches of `?:` were charged where they were taken.
                if !matches!(attribute.base, Base::Choice(_)) {
                    self.charge(SELECT)?;
                }
                found
            }
            Node::Present(attribute) => self.present(attribute).map(Value::Bool),
            Node::And(terms) => self.logic(terms, false),
            Node::Or(terms) => self.logic(terms, true),
            Node::Equal(sides) => self.equal("_==_", sides, false),
            Node::NotEqual(sides) => self.equal("_!=_", sides, true),
            Node::NotFalse(inner) => {
                let value = self.node(inner);
                self.charge(1)?;
                match value {
                    Err(Error::CostLimit) => Err(Error::CostLimit),
                    Ok(Value::Bool(truth)) => Ok(Value::Bool(truth)),
                    _ => Ok(Value::Bool(true)),
                }
            }
            Node::Call(call) => self.call(call),
            Node::Accumulate(accumulate) => self.accumulate(accumulate),
            Node::OptionalOr(sides) => match self.node(&sides[0])? {
                Value::Optional(None) => self.node(&sides[1]),
                found @ Value::Optional(Some(_)) => Ok(found),
                _ => Err(Error::no_overload()),
            },
            Node::OptionalOrValue(sides) => match self.node(&sides[0])? {
                Value::Optional(None) => self.node(&sides[1]),
                Value::Optional(Some(inner)) => Ok((*inner).clone()),
                _ => Err(Error::no_overload()),
            },
            Node::Member(value, items) => {
                let value = self.node(value)?;
                self.exert(items.compared() / COMPARED + effort::shallow(&value))?;
                Ok(Value::Bool(items.holds(&value)))
            }
            Node::List(items) => {
                self.exert(items.len() as u64)?;
                let made = self.list(items);
                self.charge(LIST)?;
                made
            }
            Node::Map(entries) => {
                let made = self.map(entries);
                self.charge(MAP)?;
                made
            }
            Node::Fold(fold) => self.fold(fold),
            Node::Message(message) => {
                self.exert(message.fields.len() as u64)?;
                let fields = self.fields(&message.fields);
                self.charge(MESSAGE)?;
                patch::message(&message.name, fields?)
            }
        }
    }

    /// `&&` and `||`: one side that decides hides an error of the other.
    fn logic(&mut self, terms: &'a [Node; 2], decides: bool) -> Outcome<'a> {
        // Costs nothing, however many there are.
        self.exert(1)?;
        let mut failed = None;
        for term in terms {
            match self.node(term) {
                Ok(Value::Bool(truth)) if truth == decides => return Ok(Value::Bool(decides)),
                Ok(Value::Bool(_)) => {}
                Err(Error::CostLimit) => return Err(Error::CostLimit),
                Ok(_) => failed = failed.or(Some(Error::no_overload())),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(Value::Bool(!decides)), Err)
    }

    /// Both operands, of which the first error counts after both were evaluated.
    fn both(&mut self, sides: &'a [Node; 2]) -> Result<[Value<'a>; 2], Error> {
        let left = self.node(&sides[0]);
        if matches!(left, Err(Error::CostLimit)) {
            return Err(Error::CostLimit);
        }
        let right = self.node(&sides[1]);
        match (left, right) {
            (Ok(left), Ok(right)) => Ok([left, right]),
            (Err(error), _) | (_, Err(error)) => {
                self.charge(1)?;
                Err(error)
            }
        }
    }

    fn equal(&mut self, function: &str, sides: &'a [Node; 2], negated: bool) -> Outcome<'a> {
        let sides = self.both(sides)?;
        self.exert(effort::equal(&sides[0], &sides[1], self.left()))?;
        let result = equal::equal(&sides[0], &sides[1]).map(|same| Value::Bool(same != negated));
        let overload = if negated { "not_equals" } else { "equals" };
        self.charge(actual::call(function, overload, &sides, result.as_ref().ok()))?;
        result
    }

    fn list(&mut self, items: &'a [(Node, bool)]) -> Outcome<'a> {
        let mut made = Vec::with_capacity(items.len());
        for (item, optional) in items {
            match (self.node(item)?, optional) {
                (value, false) => made.push(value),
                (Value::Optional(Some(inner)), true) => made.push((*inner).clone()),
                (Value::Optional(None), true) => {}
                (value, true) => {
                    self.exert(effort::deep(&value, self.left()))?;
                    let message = format!("cannot initialize optional list element from non-optional value {value}");
                    return Err(Error::Failed(message));
                }
            }
        }
        Ok(Value::list(made))
    }

    fn map(&mut self, entries: &'a [(Node, Node, bool)]) -> Outcome<'a> {
        let mut made = Made::default();
        for (key, value, optional) in entries {
            let key = self.node(key)?;
            self.exert(effort::entry(&key))?;
            match (self.node(value)?, optional) {
                (value, false) => drop(made.set(key, value)?),
                (Value::Optional(Some(inner)), true) => drop(made.set(key, (*inner).clone())?),
                (Value::Optional(None), true) => {
                    self.exert(made.entries().len() as u64)?;
                    made.remove(&key);
                }
                (value, true) => {
                    self.exert(effort::deep(&value, self.left()))?;
                    let message = format!("cannot initialize optional entry '{key}' from non-optional value {value}");
                    return Err(Error::Failed(message));
                }
            }
        }
        Ok(Value::Map(Map::Made(made.into())))
    }

    fn fields(&mut self, fields: &'a [(std::sync::Arc<str>, Node, bool)]) -> Result<Vec<(&'a str, Value<'a>)>, Error> {
        let mut made = Vec::with_capacity(fields.len());
        for (name, value, optional) in fields {
            match (self.node(value)?, optional) {
                (value, false) => made.push((&**name, value)),
                (Value::Optional(Some(inner)), true) => made.push((&**name, (*inner).clone())),
                (Value::Optional(None), true) => {}
                (value, true) => {
                    self.exert(effort::deep(&value, self.left()))?;
                    let message = format!("cannot initialize optional entry '{name}' from non-optional value {value}");
                    return Err(Error::Failed(message));
                }
            }
        }
        Ok(made)
    }

    fn fold(&mut self, fold: &'a Fold) -> Outcome<'a> {
        let range = self.node(&fold.range)?;
        let base = self.locals.len();
        self.locals.push(Slot::Pending(&fold.accu));
        self.locals.push(Slot::Ready(Ok(Value::Null)));
        if fold.two {
            self.locals.push(Slot::Ready(Ok(Value::Null)));
        }
        let looped = self.fold_range(fold, &range, base);
        let result = looped.and_then(|()| self.node(&fold.result));
        self.locals.truncate(base);
        result
    }

    fn fold_range(&mut self, fold: &'a Fold, range: &Value<'a>, base: usize) -> Result<(), Error> {
        match range {
            Value::List(list) => {
                for at in 0..list.len() {
                    let item = list.get(at).unwrap_or(Ok(Value::Null));
                    let pair = if fold.two { (Ok(Value::Int(at as i64)), Some(item)) } else { (item, None) };
                    if !self.fold_step(fold, base, pair)? {
                        break;
                    }
                }
            }
            Value::Map(map) => {
                self.exert(2 * map.len() as u64)?;
                for key in map.keys() {
                    let value = fold.two.then(|| map.find(&key).map(|found| found.unwrap_or(Value::Null)));
                    if !self.fold_step(fold, base, (Ok(key), value))? {
                        break;
                    }
                }
            }
            other => return Err(Error::Failed(format!("got '{}', expected iterable type", go_type(other)))),
        }
        Ok(())
    }

    /// One round; says whether to go on.
    fn fold_step(
        &mut self,
        fold: &'a Fold,
        base: usize,
        (first, second): (Outcome<'a>, Option<Outcome<'a>>),
    ) -> Result<bool, Error> {
        self.exert(1)?;
        if let Ok(value) = &first {
            self.read(value)?;
        }
        self.locals[base + 1] = Slot::Ready(first);
        if let Some(second) = second {
            self.locals[base + 2] = Slot::Ready(second);
        }
        match self.node(&fold.condition) {
            Err(Error::CostLimit) => return Err(Error::CostLimit),
            Ok(Value::Bool(false)) => return Ok(false),
            _ => {}
        }
        let next = self.node(&fold.step);
        if matches!(next, Err(Error::CostLimit)) {
            return Err(Error::CostLimit);
        }
        self.locals[base] = Slot::Ready(next);
        Ok(true)
    }

    fn local(&mut self, place: usize) -> Outcome<'a> {
        if let Slot::Pending(node) = self.locals[place] {
            let value = self.node(node);
            self.locals[place] = Slot::Ready(value);
        }
        match &self.locals[place] {
            Slot::Ready(value) => value.clone().and_then(Value::checked),
            Slot::Pending(_) => Err(Error::no_overload()),
        }
    }

    fn base(&mut self, base: &'a Base) -> Outcome<'a> {
        match base {
            Base::Variable(name) => match self.bindings.get(name) {
                Some(value) => value.clone().checked(),
                None if self.composition.is_some() && **name == *composition::VARIABLES => Ok(Value::Variables),
                None => Err(Error::Failed(format!("no such attribute(s): {name}"))),
            },
            Base::Local(place) => self.local(*place),
            Base::Made(node) => self.node(node),
            Base::Choice(nodes) => {
                self.exert(1)?;
                let [condition, truthy, falsy] = &**nodes;
                let branch = match self.node(condition)? {
                    Value::Bool(true) => truthy,
                    Value::Bool(false) => falsy,
                    _ => return Err(Error::no_overload()),
                };
                match branch {
                    // An attribute is the choice's own: only its selections cost.
                    Node::Attribute(attribute) => self.attribute(attribute),
                    node => self.node(node),
                }
            }
        }
    }

    fn attribute(&mut self, attribute: &'a Attribute) -> Outcome<'a> {
        let value = self.base(&attribute.base)?;
        match self.qualified(value, &attribute.qualifiers)? {
            (value, true) => Ok(Value::optional(value)),
            (value, false) => Ok(value.unwrap_or(Value::Null)),
        }
    }

    /// A value with selections applied: what was found, and whether the chain is optional.
    fn qualified(&mut self, value: Value<'a>, qualifiers: &'a [Qualifier]) -> Result<(Option<Value<'a>>, bool), Error> {
        let (mut value, mut optional) = match value {
            Value::Optional(None) => return Ok((None, true)),
            Value::Optional(Some(inner)) => ((*inner).clone(), true),
            value => (value, false),
        };
        for qualifier in qualifiers {
            optional = optional || qualifier.optional;
            if optional {
                match self.look_up(qualifier, &value)? {
                    Some(found) => {
                        self.charge(SELECT)?;
                        value = found;
                    }
                    None => return Ok((None, true)),
                }
            } else {
                let found = self.select(qualifier, &value);
                self.charge(SELECT)?;
                value = found?;
            }
        }
        Ok((Some(value), optional))
    }

    /// `has()`. The last selection costs, the variable does not.
    fn present(&mut self, attribute: &'a Attribute) -> Result<bool, Error> {
        let value = self.base(&attribute.base)?;
        let Some((last, before)) = attribute.qualifiers.split_last() else { return Ok(true) };
        let Some(value) = self.qualified(value, before)?.0 else { return Ok(false) };
        let found = self.look_up(last, &value).map(|found| found.is_some());
        self.charge(SELECT)?;
        found
    }

    fn look_up(&mut self, qualifier: &'a Qualifier, value: &Value<'a>) -> Found<'a> {
        match &qualifier.key {
            Key::Name(name) => self.find_name(value, name),
            Key::Constant(key) => self.find(value, key),
            Key::Attribute(attribute) => {
                let key = self.attribute(attribute)?;
                self.find(value, &key)
            }
            Key::Made(node) => {
                let key = self.node(node)?;
                self.find(value, &key)
            }
        }
    }

    /// A field or an entry by its name, for which no key value is made.
    fn find_name(&mut self, value: &Value<'a>, name: &str) -> Found<'a> {
        let fields = if let Value::Message(message) = value { message.values().len() as u64 } else { 0 };
        self.exert(effort::bytes(name.len()) + fields / COMPARED)?;
        let found = match value {
            Value::Map(map) => map.find_text(name),
            Value::Variables => match self.composition {
                Some(composition) => composition.find(name, self.bindings, self.limit),
                None => Ok(None),
            },
            Value::Message(message) => Ok(message.field(name)),
            Value::List(_) => Err(Error::Failed("unsupported index type 'string' in list".into())),
            _ => Ok(None),
        }?;
        found.iter().try_for_each(|found| self.read(found))?;
        Ok(found)
    }

    /// The same by any key, which a fault shows.
    fn find(&mut self, value: &Value<'a>, key: &Value<'a>) -> Found<'a> {
        self.exert(effort::shown(key, self.left()))?;
        let found = find(value, key)?;
        found.iter().try_for_each(|found| self.read(found))?;
        Ok(found)
    }

    /// Bytes are read of their text each time, and what is wrong with data is told.
    fn read(&mut self, found: &Value<'_>) -> Result<(), Error> {
        match found {
            Value::Bytes(_) | Value::Invalid(_) => self.exert(effort::shallow(found)),
            _ => Ok(()),
        }
    }

    /// A selection that must find something.
    fn select(&mut self, qualifier: &'a Qualifier, value: &Value<'a>) -> Outcome<'a> {
        let (found, key) = match &qualifier.key {
            Key::Name(name) => match self.find_name(value, name)? {
                Some(found) => return Ok(found),
                None => (None, Value::text(&**name)),
            },
            Key::Constant(key) => (self.find(value, key)?, key.clone()),
            Key::Attribute(attribute) => {
                let key = self.attribute(attribute)?;
                (self.find(value, &key)?, key)
            }
            Key::Made(node) => {
                let key = self.node(node)?;
                (self.find(value, &key)?, key)
            }
        };
        found.ok_or_else(|| match value {
            Value::List(_) => Error::Failed(format!("index out of bounds: {key}")),
            _ => Error::Failed(format!("no such key: {key}")),
        })
    }
}

fn find<'a>(value: &Value<'a>, key: &Value<'a>) -> Found<'a> {
    match value {
        Value::Map(map) => map.find(key),
        Value::List(list) => {
            let at = index(key)?;
            match (list, key) {
                // Declared lists know whole numbers with a sign only.
                (List::Json(..), Value::Uint(_) | Value::Double(_)) if (0..list.len() as i64).contains(&at) => {
                    Err(Error::Failed(format!("unsupported index: {key}")))
                }
                _ => usize::try_from(at).ok().and_then(|at| list.get(at)).transpose(),
            }
        }
        _ => Ok(None),
    }
}

fn index(key: &Value<'_>) -> Result<i64, Error> {
    match key {
        Value::Int(at) => Ok(*at),
        Value::Uint(at) => Ok(i64::try_from(*at).unwrap_or(i64::MAX)),
        Value::Double(at) if at.fract() == 0.0 => Ok(*at as i64),
        Value::Double(at) => Err(Error::Failed(format!("unsupported index value {at} in list"))),
        other => Err(Error::Failed(format!("unsupported index type '{}' in list", other.type_name()))),
    }
}

/// The name of a value's type in Go, which upstream shows here.
fn go_type<'v>(value: &'v Value<'_>) -> &'v str {
    match value {
        Value::Null => "types.Null",
        Value::Bool(_) => "types.Bool",
        Value::Int(_) => "types.Int",
        Value::Uint(_) => "types.Uint",
        Value::Double(_) => "types.Double",
        Value::String(_) => "types.String",
        Value::Bytes(_) => "types.Bytes",
        Value::Timestamp(_) => "types.Timestamp",
        Value::Duration(_) => "types.Duration",
        Value::Optional(_) => "*types.Optional",
        Value::Type(_) => "*types.Type",
        other => other.type_name(),
    }
}
