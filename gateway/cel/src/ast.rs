//! The tree of an expression after macros were expanded.

use std::sync::Arc;

/// A node. Small, because trees are walked recursively.
#[derive(Clone, Debug)]
pub(crate) struct Expr {
    /// Names the node in the tables of positions, types and references.
    pub(crate) id: u32,
    /// How deep the text nests here, as cel-go counts it.
    pub(crate) depth: u16,
    pub(crate) kind: Box<Kind>,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// Stands where an error was.
    Unspecified,
    Literal(Literal),
    Ident(Arc<str>),
    Select {
        operand: Expr,
        field: Arc<str>,
        test: bool,
    },
    Call {
        function: Arc<str>,
        target: Option<Expr>,
        args: Vec<Expr>,
    },
    List {
        elements: Vec<Expr>,
        optionals: Vec<usize>,
    },
    Map(Vec<Entry>),
    Struct {
        name: Arc<str>,
        fields: Vec<StructField>,
    },
    Comprehension(Comprehension),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Literal {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    String(Arc<str>),
    Bytes(Arc<[u8]>),
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: Expr,
    pub(crate) value: Expr,
    pub(crate) optional: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct StructField {
    pub(crate) id: u32,
    pub(crate) name: Arc<str>,
    pub(crate) value: Expr,
    pub(crate) optional: bool,
}

/// A fold over a list or map, which the macros `all`, `map` and their siblings become.
#[derive(Clone, Debug)]
pub(crate) struct Comprehension {
    pub(crate) range: Expr,
    pub(crate) var: Arc<str>,
    pub(crate) var2: Option<Arc<str>>,
    pub(crate) accu_var: Arc<str>,
    pub(crate) accu_init: Expr,
    pub(crate) condition: Expr,
    pub(crate) step: Expr,
    pub(crate) result: Expr,
}

/// The accumulator that macros fold into; no text can name it.
pub(crate) const ACCUMULATOR: &str = "@result";

/// Operators as functions, named as cel-go names them.
pub(crate) mod op {
    pub(crate) const CONDITIONAL: &str = "_?_:_";
    pub(crate) const AND: &str = "_&&_";
    pub(crate) const OR: &str = "_||_";
    pub(crate) const NOT: &str = "!_";
    pub(crate) const NEGATE: &str = "-_";
    pub(crate) const EQUALS: &str = "_==_";
    pub(crate) const NOT_EQUALS: &str = "_!=_";
    pub(crate) const ADD: &str = "_+_";
    pub(crate) const INDEX: &str = "_[_]";
    pub(crate) const OPT_INDEX: &str = "_[?_]";
    pub(crate) const OPT_SELECT: &str = "_?._";
    pub(crate) const NOT_STRICTLY_FALSE: &str = "@not_strictly_false";
}

impl Expr {
    pub(crate) fn as_ident(&self) -> Option<&Arc<str>> {
        match &*self.kind {
            Kind::Ident(name) => Some(name),
            _ => None,
        }
    }

    /// The dotted name, where the expression is one.
    pub(crate) fn qualified_name(&self) -> Option<String> {
        match &*self.kind {
            Kind::Ident(name) => Some(name.to_string()),
            Kind::Select { operand, field, test: false } => Some(format!("{}.{field}", operand.qualified_name()?)),
            _ => None,
        }
    }

    /// The direct parts, in the order they stand.
    pub(crate) fn children(&self) -> Vec<&Expr> {
        match &*self.kind {
            Kind::Unspecified | Kind::Literal(_) | Kind::Ident(_) => Vec::new(),
            Kind::Select { operand, .. } => vec![operand],
            Kind::Call { target, args, .. } => target.iter().chain(args).collect(),
            Kind::List { elements, .. } => elements.iter().collect(),
            Kind::Map(entries) => entries.iter().flat_map(|entry| [&entry.key, &entry.value]).collect(),
            Kind::Struct { fields, .. } => fields.iter().map(|field| &field.value).collect(),
            Kind::Comprehension(c) => vec![&c.range, &c.accu_init, &c.condition, &c.step, &c.result],
        }
    }
}
