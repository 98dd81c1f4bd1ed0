//! Checked tree to program: names become places, constants are folded, calls find their code.
//! Follows cel-go's `interpreter/planner.go` with its optimizations, because they decide what an evaluation costs.

use std::sync::Arc;

use crate::ast::{Comprehension, Expr, Kind, Literal, op};
use crate::check::{Facts, Reference};
use crate::library::regex::{self, Pattern};
use crate::library::{self, Code, convert};
use crate::types::Type;
use crate::value::{Made, Map, Text, Value, equal};

/// A step of a program.
#[derive(Debug)]
pub(crate) enum Node {
    Constant(Value<'static>),
    /// A variable or value with what is selected of it.
    Attribute(Box<Attribute>),
    /// `has()`: whether the last selection finds something.
    Present(Box<Attribute>),
    And(Box<[Node; 2]>),
    Or(Box<[Node; 2]>),
    Equal(Box<[Node; 2]>),
    NotEqual(Box<[Node; 2]>),
    /// True unless the value is false; errors are true.
    NotFalse(Box<Node>),
    Call(Box<Call>),
    /// A call that adds to an accumulator, which it may change in place.
    Accumulate(Box<Accumulate>),
    OptionalOr(Box<[Node; 2]>),
    OptionalOrValue(Box<[Node; 2]>),
    /// `in` over constants.
    Member(Box<Node>, Constants),
    List(Vec<(Node, bool)>),
    Map(Vec<(Node, Node, bool)>),
    Fold(Box<Fold>),
    /// A message: its type and fields, each perhaps optional.
    Message(Box<Message>),
}

#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) name: Arc<str>,
    /// Name, value, whether the value is optional.
    pub(crate) fields: Vec<(Arc<str>, Node, bool)>,
}

#[derive(Debug)]
pub(crate) struct Attribute {
    pub(crate) base: Base,
    pub(crate) qualifiers: Vec<Qualifier>,
}

#[derive(Debug)]
pub(crate) enum Base {
    Variable(Box<str>),
    /// A variable of a fold, by its place.
    Local(usize),
    Made(Node),
    /// `?:`
    Choice(Box<[Node; 3]>),
}

#[derive(Debug)]
pub(crate) struct Qualifier {
    pub(crate) key: Key,
    pub(crate) optional: bool,
}

#[derive(Debug)]
pub(crate) enum Key {
    Name(Arc<str>),
    Constant(Value<'static>),
    Attribute(Attribute),
    Made(Node),
}

#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) function: Box<str>,
    /// The overload, where there is only one that fits.
    pub(crate) overload: &'static str,
    pub(crate) code: Code,
    /// A constant regular expression, compiled.
    pub(crate) pattern: Option<Arc<Pattern>>,
    pub(crate) args: Vec<Node>,
}

/// Constants that a value is looked for in.
#[derive(Debug, Default)]
pub(crate) struct Constants {
    /// Found by their value.
    known: Made<'static>,
    /// Compared one after the other.
    rest: Vec<Value<'static>>,
}

/// So many are compared sooner than found.
const COMPARED_MAX: usize = 16;

impl Constants {
    fn of(items: Vec<Value<'static>>) -> Self {
        if items.len() <= COMPARED_MAX {
            return Self { rest: items, known: Made::default() };
        }
        let mut constants = Self::default();
        for item in items {
            if constants.known.set(item.clone(), Value::Null).is_err() {
                constants.rest.push(item);
            }
        }
        constants
    }

    pub(crate) fn holds(&self, value: &Value<'_>) -> bool {
        self.known.has(value) || self.rest.iter().any(|item| equal::equal(item, value).unwrap_or(false))
    }

    /// How many are compared one after the other.
    pub(crate) fn compared(&self) -> u64 {
        self.rest.len() as u64
    }
}

#[derive(Debug)]
pub(crate) struct Accumulate {
    pub(crate) place: usize,
    pub(crate) call: Call,
}

#[derive(Debug)]
pub(crate) struct Fold {
    pub(crate) range: Node,
    pub(crate) two: bool,
    pub(crate) accu: Node,
    pub(crate) condition: Node,
    pub(crate) step: Node,
    pub(crate) result: Node,
}

/// Plans a checked expression. Fails where a constant cannot be converted.
pub(crate) fn plan(root: &Expr, facts: &Facts) -> Result<Node, String> {
    Planner { facts, locals: Vec::new(), states: 0 }.node(root)
}

/// How large the regular expressions of one expression may be together: a place takes some 40 bytes.
const STATES_MAX: u64 = 400_000;

struct Planner<'c> {
    facts: &'c Facts,
    locals: Vec<Option<Arc<str>>>,
    /// How large all regular expressions so far are together.
    states: u64,
}

impl Planner<'_> {
    fn node(&mut self, expr: &Expr) -> Result<Node, String> {
        Ok(match &*expr.kind {
            Kind::Unspecified => return Err("unsupported expression".into()),
            Kind::Literal(literal) => Node::Constant(constant(literal)),
            Kind::Ident(name) => self.ident(expr, name),
            Kind::Select { operand, field, test } => {
                let mut attribute = self.attribute(operand)?;
                attribute.qualifiers.push(Qualifier { key: Key::Name(field.clone()), optional: false });
                if *test { Node::Present(attribute.into()) } else { Node::Attribute(attribute.into()) }
            }
            Kind::Call { function, target, args } => {
                let nodes: Result<Vec<Node>, String> = target.iter().chain(args).map(|arg| self.node(arg)).collect();
                self.call(expr, function, nodes?)?
            }
            Kind::List { elements, optionals } => {
                let items: Result<Vec<(Node, bool)>, String> =
                    elements.iter().enumerate().map(|(i, e)| Ok((self.node(e)?, optionals.contains(&i)))).collect();
                list(items?)
            }
            Kind::Map(entries) => {
                let entries: Result<Vec<_>, String> =
                    entries.iter().map(|e| Ok((self.node(&e.key)?, self.node(&e.value)?, e.optional))).collect();
                map(entries?)
            }
            Kind::Struct { name, fields } => {
                let fields: Result<Vec<_>, String> =
                    fields.iter().map(|f| Ok((f.name.clone(), self.node(&f.value)?, f.optional))).collect();
                let name = name.strip_prefix('.').unwrap_or(name).into();
                Node::Message(Message { name, fields: fields? }.into())
            }
            Kind::Comprehension(fold) => Node::Fold(self.fold(fold)?.into()),
        })
    }

    fn ident(&self, expr: &Expr, name: &str) -> Node {
        if let Some(Reference::Type(of)) = self.facts.reference(expr) {
            return Node::Constant(Value::Type(Text::from(type_name(of))));
        }
        let place = self.locals.iter().rposition(|local| local.as_deref() == Some(name));
        let base = match place {
            Some(place) => Base::Local(place),
            None => Base::Variable(name.strip_prefix('.').unwrap_or(name).into()),
        };
        Node::Attribute(Attribute { base, qualifiers: Vec::new() }.into())
    }

    /// An operand that something is selected of.
    fn attribute(&mut self, operand: &Expr) -> Result<Attribute, String> {
        Ok(as_attribute(self.node(operand)?))
    }

    fn call(&mut self, expr: &Expr, function: &str, mut args: Vec<Node>) -> Result<Node, String> {
        let overload = match self.facts.overloads(expr) {
            [only] => only,
            _ => "",
        };
        Ok(match (function, &mut args[..]) {
            (op::AND, [a, b]) => Node::And(pair(a, b)),
            (op::OR, [a, b]) => Node::Or(pair(a, b)),
            (op::EQUALS, [a, b]) => Node::Equal(pair(a, b)),
            (op::NOT_EQUALS, [a, b]) => Node::NotEqual(pair(a, b)),
            (op::NOT_STRICTLY_FALSE, [a]) => Node::NotFalse(take(a).into()),
            (op::CONDITIONAL, [condition, a, b]) => {
                let base = Base::Choice([take(condition), take(a), take(b)].into());
                Node::Attribute(Attribute { base, qualifiers: Vec::new() }.into())
            }
            (op::INDEX, [operand, index]) => index_of(take(operand), take(index), false),
            (op::OPT_INDEX | op::OPT_SELECT, [operand, index]) => index_of(take(operand), take(index), true),
            ("or", [a, b]) => Node::OptionalOr(pair(a, b)),
            ("orValue", [a, b]) => Node::OptionalOrValue(pair(a, b)),
            ("@in", [value, Node::Constant(Value::List(list))]) if overload == "in_list" => match constants(list) {
                Some(items) if items.is_empty() => Node::Constant(Value::Bool(false)),
                Some(items) => Node::Member(take(value).into(), Constants::of(items)),
                None => self.plain(function, overload, args)?,
            },
            (_, [Node::Constant(value)]) if convert::is_conversion(function) => {
                let value = std::slice::from_ref(value);
                match library::code(function).and_then(|code| code(value)) {
                    Some(Ok(value)) => Node::Constant(value),
                    Some(Err(error)) => return Err(error.to_string()),
                    None => return Err("no such overload".into()),
                }
            }
            _ => self.plain(function, overload, args)?,
        })
    }

    fn plain(&mut self, function: &str, overload: &'static str, mut args: Vec<Node>) -> Result<Node, String> {
        let Some(code) = library::code(function) else {
            return Err(format!("no such overload: {function}"));
        };
        let pattern = match (function, args.get(1)) {
            (function, Some(Node::Constant(Value::String(text)))) if regex::is_search(function) => {
                let pattern = regex::compile(text)?;
                self.states = self.states.saturating_add(pattern.states());
                if self.states > STATES_MAX {
                    return Err("error parsing regexp: expression too large".into());
                }
                Some(Arc::new(pattern))
            }
            _ => None,
        };
        // What a fold's step adds to its own accumulator is added in place; copies would make folds quadratic.
        let place = match args.first() {
            Some(Node::Attribute(attribute)) if attribute.qualifiers.is_empty() => match attribute.base {
                Base::Local(place) if self.locals[place].as_deref() == Some(crate::ast::ACCUMULATOR) => Some(place),
                _ => None,
            },
            _ => None,
        };
        let adds = function == "cel.@mapInsert"
            || overload == "add_list" && matches!(args.get(1), Some(Node::List(_) | Node::Constant(_)));
        if let Some(place) = place.filter(|_| adds) {
            args.remove(0);
            let call = Call { function: function.into(), overload, code, pattern, args };
            return Ok(Node::Accumulate(Accumulate { place, call }.into()));
        }
        Ok(Node::Call(Call { function: function.into(), overload, code, pattern, args }.into()))
    }

    fn fold(&mut self, fold: &Comprehension) -> Result<Fold, String> {
        let accu = self.node(&fold.accu_init)?;
        let range = self.node(&fold.range)?;
        let before = self.locals.len();
        self.locals.push(Some(fold.accu_var.clone()));
        self.locals.push(Some(fold.var.clone()));
        self.locals.extend(fold.var2.clone().map(Some));
        let condition = self.node(&fold.condition)?;
        let step = self.node(&fold.step)?;
        // The iteration variables are out of sight of the result, but keep their places.
        self.locals[before + 1..].fill(None);
        let result = self.node(&fold.result)?;
        self.locals.truncate(before);
        Ok(Fold { range, two: fold.var2.is_some(), accu, condition, step, result })
    }
}

fn take(node: &mut Node) -> Node {
    std::mem::replace(node, Node::Constant(Value::Null))
}

fn pair(a: &mut Node, b: &mut Node) -> Box<[Node; 2]> {
    Box::new([take(a), take(b)])
}

fn as_attribute(node: Node) -> Attribute {
    match node {
        Node::Attribute(attribute) => *attribute,
        node => Attribute { base: Base::Made(node), qualifiers: Vec::new() },
    }
}

fn index_of(operand: Node, index: Node, optional: bool) -> Node {
    let mut attribute = as_attribute(operand);
    let key = match index {
        Node::Constant(Value::String(name)) => Key::Name(Arc::from(&*name)),
        Node::Constant(value) => Key::Constant(value),
        Node::Attribute(inner) => Key::Attribute(*inner),
        node => Key::Made(node),
    };
    attribute.qualifiers.push(Qualifier { key, optional });
    Node::Attribute(attribute.into())
}

/// The items of a constant list of plain values.
fn constants(list: &crate::value::List<'static>) -> Option<Vec<Value<'static>>> {
    let items = list.items().ok()?;
    let plain =
        |item: &Value<'_>| matches!(item, Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Double(_) | Value::String(_));
    items.iter().all(plain).then_some(items)
}

fn list(items: Vec<(Node, bool)>) -> Node {
    if items.iter().all(|(item, optional)| matches!(item, Node::Constant(_)) && !optional) {
        let values = items.into_iter().filter_map(|(item, _)| constant_of(item)).collect();
        return Node::Constant(Value::list(values));
    }
    Node::List(items)
}

fn map(entries: Vec<(Node, Node, bool)>) -> Node {
    let fixed = |(key, value, optional): &(Node, Node, bool)| {
        matches!((key, value), (Node::Constant(key), Node::Constant(_)) if Made::default().set(key.clone(), Value::Null).is_ok())
            && !optional
    };
    if !entries.iter().all(fixed) {
        return Node::Map(entries);
    }
    let mut made = Made::default();
    for (key, value, _) in entries {
        if let (Some(key), Some(value)) = (constant_of(key), constant_of(value)) {
            // Keys that cannot be set were excluded above.
            let _ = made.set(key, value);
        }
    }
    Node::Constant(Value::Map(Map::Made(made.into())))
}

fn constant_of(node: Node) -> Option<Value<'static>> {
    match node {
        Node::Constant(value) => Some(value),
        _ => None,
    }
}

pub(crate) fn constant(literal: &Literal) -> Value<'static> {
    match literal {
        Literal::Null => Value::Null,
        Literal::Bool(truth) => Value::Bool(*truth),
        Literal::Int(number) => Value::Int(*number),
        Literal::Uint(number) => Value::Uint(*number),
        Literal::Double(number) => Value::Double(*number),
        Literal::String(text) => Value::String(Text::Shared(text.clone())),
        Literal::Bytes(bytes) => Value::Bytes(bytes.clone()),
    }
}

/// The name of a type while a program runs.
fn type_name(of: &Type) -> String {
    match of {
        Type::List(_) => "list".into(),
        Type::Map(_) => "map".into(),
        Type::Null => "null_type".into(),
        Type::Timestamp => "google.protobuf.Timestamp".into(),
        Type::Duration => "google.protobuf.Duration".into(),
        Type::Opaque(name, _) => name.to_string(),
        other => other.to_string(),
    }
}
