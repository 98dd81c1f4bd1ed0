//! A checked expression: what it yields, what it costs, and its evaluation.

use std::fmt;

use crate::ast::{Expr, Kind};
use crate::check::Checked;
use crate::composition::Composition;
use crate::cost::estimate;
use crate::decl::Decl;
use crate::env::Env;
use crate::eval::Run;
use crate::plan::{self, Node};
use crate::room::with_room;
use crate::types::Type;
use crate::value::Value;

/// Expressions that nest deeper get a stack of their own where others wait for them.
const STEEP: u16 = 24;
/// So many variables that wait for each other share a stack.
const LEVELS: usize = 8;

/// A compiled expression; evaluated as often as needed without parsing again.
#[derive(Debug)]
pub struct Program {
    checked: Checked,
    node: Node,
    /// The variables of the environment that it refers to.
    variables: Vec<Box<str>>,
    /// Whether it needs more of the stack than usual.
    deep: bool,
    /// Whether it needs more of what may be left of a stack.
    steep: bool,
    /// How deep lists, maps and what holds them nest in each other in its values, at most.
    nests: usize,
}

/// The least and the most that an evaluation can cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// The least.
    pub min: u64,
    /// The most.
    pub max: u64,
}

/// Tells how large data can be.
pub trait Estimator {
    /// The most elements at a path: a variable, then field names, `@items`, `@keys`, `@values`.
    fn elements_max(&self, path: &[&str]) -> Option<u64>;
}

/// Every variable is of this declaration, as `self` and `oldSelf` are.
impl Estimator for Decl {
    fn elements_max(&self, path: &[&str]) -> Option<u64> {
        self.elements_max_at(path.get(1..)?.iter().copied())
    }
}

/// The variables' values of one evaluation.
#[derive(Clone, Debug, Default)]
pub struct Bindings<'a> {
    values: Vec<(&'a str, Value<'a>)>,
}

impl<'a> Bindings<'a> {
    /// The same with a variable bound.
    pub fn set(mut self, name: &'a str, value: Value<'a>) -> Self {
        self.values.push((name, value));
        self
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Value<'a>> {
        self.values.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }
}

/// Why an evaluation has no value; the display is cel-go's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The limit of costs is exceeded.
    CostLimit,
    /// Anything else, such as `no such key: a`.
    Failed(String),
}

impl Error {
    /// What no overload of an operator or function takes.
    pub(crate) fn no_overload() -> Self {
        Self::Failed("no such overload".into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CostLimit => f.write_str("operation cancelled: actual cost limit exceeded"),
            Self::Failed(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Error {}

/// An evaluation's outcome.
#[derive(Clone, Debug)]
pub struct Evaluation<'a> {
    /// The value, or why there is none.
    pub result: Result<Value<'a>, Error>,
    /// What it cost.
    pub cost: u64,
    /// What it really did where that is more than its cost says.
    pub effort: u64,
}

impl Program {
    /// Makes a checked expression ready to run.
    pub(crate) fn new(checked: Checked, env: &Env, deep: bool) -> Result<Self, String> {
        let node = plan::plan(&checked.root, &checked.facts)?;
        let mut variables: Vec<Box<str>> = Vec::new();
        names(&checked.root, &mut |name| {
            let name = name.strip_prefix('.').unwrap_or(name);
            if env.find(name).is_some() && !variables.iter().any(|known| **known == *name) {
                variables.push(name.into());
            }
        });
        let (steep, nests) = (checked.root.depth > STEEP, nests(&checked.root));
        Ok(Self { checked, node, variables, deep, steep, nests })
    }

    /// The type of its values.
    pub fn output(&self) -> &Type {
        self.checked.facts.type_of(&self.checked.root)
    }

    /// Whether it refers to a variable.
    pub fn uses(&self, name: &str) -> bool {
        self.variables.iter().any(|known| **known == *name)
    }

    /// Whether it can see a field of a variable: it selects that, or does something else with the variable than selecting.
    pub fn sees(&self, name: &str, field: &str) -> bool {
        sees(&self.checked.root, name, field)
    }

    /// How deep its values nest at most, where what it is given does not.
    pub(crate) fn nests(&self) -> usize {
        self.nests
    }

    /// Tells which fields of a variable it sees; nothing stands for all.
    pub(crate) fn each_seen(&self, name: &str, see: &mut dyn FnMut(Option<&str>)) {
        seen(&self.checked.root, name, see);
    }

    /// What evaluations can cost at least and at most.
    pub fn cost(&self, estimator: &(dyn Estimator + Sync)) -> Cost {
        with_room(self.deep, || estimate::cost(&self.checked, estimator))
    }

    /// Evaluates; stops where the cost exceeds the limit.
    pub fn eval<'a>(&'a self, bindings: &Bindings<'a>, cost_limit: u64) -> Evaluation<'a> {
        self.eval_with(bindings, None, cost_limit)
    }

    /// The same where the expression can refer to variables that are expressions themselves.
    pub fn eval_with<'a>(
        &'a self,
        bindings: &Bindings<'a>,
        composition: Option<&Composition<'a>>,
        cost_limit: u64,
    ) -> Evaluation<'a> {
        with_room(self.deep, || {
            let mut run = Run::new(bindings, composition, cost_limit);
            let result = run.finish(&self.node);
            Evaluation { result, cost: run.cost, effort: run.effort }
        })
    }

    /// The same of a variable, whose value nobody goes through as a whole.
    /// `level` is how many others wait for it.
    pub(crate) fn eval_variable<'a>(
        &'a self,
        bindings: &Bindings<'a>,
        composition: &Composition<'a>,
        limit: u64,
        level: usize,
    ) -> Evaluation<'a> {
        let little_left = level % LEVELS == LEVELS - 1 || self.steep && level > 0;
        with_room(self.deep || little_left, || {
            let mut run = Run::new(bindings, Some(composition), limit);
            let result = run.node(&self.node);
            Evaluation { result, cost: run.cost, effort: run.effort }
        })
    }
}

/// How deep lists, maps and what holds them nest in an expression's values, at most.
fn nests(expr: &Expr) -> usize {
    let of = |parts: Vec<&Expr>| parts.into_iter().map(nests).max().unwrap_or(0);
    match &*expr.kind {
        // What a fold makes may hold items of its range.
        Kind::Comprehension(fold) => nests(&fold.range) + of(vec![&fold.accu_init, &fold.step, &fold.result]),
        Kind::List { .. } | Kind::Map(_) | Kind::Struct { .. } => 1 + of(expr.children()),
        Kind::Call { function, .. } if function.starts_with("optional.of") || **function == *"cel.@mapInsert" => {
            1 + of(expr.children())
        }
        _ => of(expr.children()),
    }
}

/// Tells which fields of a variable an expression sees: one, or all where it does something else with the variable.
fn seen(expr: &Expr, name: &str, see: &mut dyn FnMut(Option<&str>)) {
    match &*expr.kind {
        Kind::Ident(known) if &**known == name => see(None),
        Kind::Select { operand, field, .. } if matches!(&*operand.kind, Kind::Ident(known) if &**known == name) => {
            see(Some(field));
        }
        _ => expr.children().into_iter().for_each(|child| seen(child, name, see)),
    }
}

fn sees(expr: &Expr, name: &str, field: &str) -> bool {
    match &*expr.kind {
        Kind::Ident(known) => &**known == name,
        Kind::Select { operand, field: selected, .. } if matches!(&*operand.kind, Kind::Ident(known) if &**known == name) => {
            &**selected == field
        }
        _ => expr.children().into_iter().any(|child| sees(child, name, field)),
    }
}

/// Sees each name of the expression.
fn names(expr: &Expr, see: &mut dyn FnMut(&str)) {
    if let Kind::Ident(name) = &*expr.kind {
        see(name);
    }
    for child in expr.children() {
        names(child, see);
    }
}
