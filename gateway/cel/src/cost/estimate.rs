//! What an expression can cost at least and at most. Follows cel-go's `checker/cost.go`.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::size::Range;
use super::{LIST, MAP, MESSAGE, REGEX, TEXT, library};
use crate::ast::{ACCUMULATOR, Comprehension, Expr, Kind, Literal};
use crate::check::{Checked, Facts};
use crate::program::{Cost, Estimator};
use crate::types::Type;

/// A way to data: a variable, then fields, `@items`, `@values`, `@keys`.
pub(super) type Path = Rc<[Arc<str>]>;

/// The cost of a checked expression.
pub(crate) fn cost(checked: &Checked, estimator: &dyn Estimator) -> Cost {
    let mut coster = Coster {
        facts: &checked.facts,
        estimator,
        paths: HashMap::new(),
        sizes: HashMap::new(),
        entries: HashMap::new(),
        locals: Vec::new(),
    };
    coster.expr(&checked.root).into()
}

struct Coster<'c> {
    facts: &'c Facts,
    estimator: &'c dyn Estimator,
    paths: HashMap<u32, Path>,
    sizes: HashMap<u32, Range>,
    entries: HashMap<u32, Entries>,
    locals: Vec<Local>,
}

/// The sizes of what a list or map holds.
#[derive(Clone, Copy)]
struct Entries {
    list: bool,
    key: Range,
    value: Range,
}

impl Entries {
    fn union(self, other: Self) -> Self {
        Self { list: self.list, key: self.key.union(other.key), value: self.value.union(other.value) }
    }
}

struct Local {
    name: Arc<str>,
    path: Path,
    size: Option<Range>,
    entries: Option<Entries>,
}

/// A target or argument of a call.
pub(super) struct Part<'e> {
    pub(super) path: Path,
    pub(super) of: Type,
    pub(super) expr: Option<&'e Expr>,
    pub(super) size: Option<Range>,
}

/// What a call costs by itself, and how large its result is.
pub(super) struct Estimate {
    pub(super) cost: Range,
    pub(super) size: Option<Range>,
}

impl Estimate {
    pub(super) fn cost(cost: Range) -> Self {
        Self { cost, size: None }
    }
}

fn none() -> Path {
    Rc::from([])
}

fn joined(path: &Path, step: &str) -> Path {
    path.iter().cloned().chain([Arc::from(step)]).collect()
}

/// What the estimator says of a path.
pub(super) fn estimated(estimator: &dyn Estimator, path: &Path) -> Option<Range> {
    if path.is_empty() {
        return None;
    }
    let steps: Vec<&str> = path.iter().map(|step| &**step).collect();
    estimator.elements_max(&steps).map(|max| Range { min: 0, max })
}

impl Coster<'_> {
    fn expr(&mut self, expr: &Expr) -> Range {
        match &*expr.kind {
            Kind::Unspecified | Kind::Literal(_) => Range::ZERO,
            Kind::Ident(name) => {
                let path = match self.local(name) {
                    Some(local) => local.path.clone(),
                    None => Rc::from([name.clone()]),
                };
                self.paths.insert(expr.id, path);
                Range::fixed(1)
            }
            Kind::Select { operand, test: true, .. } => self.expr(operand),
            Kind::Select { operand, field, .. } => {
                let mut sum = self.expr(operand);
                if matches!(self.facts.type_of(operand), Type::Map(_) | Type::Object(_) | Type::Param(_)) {
                    sum = sum.plus(Range::fixed(1));
                }
                let path = joined(&self.path(operand), field);
                self.paths.insert(expr.id, path);
                sum
            }
            Kind::Call { function, target, args } => self.call(expr, function, target.as_ref(), args),
            Kind::List { elements, .. } => {
                let mut items = None;
                let mut sum = Range::fixed(LIST);
                for element in elements {
                    sum = sum.plus(self.expr(element));
                    let size = self.size_or_unknown(element);
                    items = Some(items.map_or(size, |known: Range| known.union(size)));
                }
                let value = items.unwrap_or(Range::ZERO);
                self.entries.insert(expr.id, Entries { list: true, key: Range::fixed(1), value });
                sum
            }
            Kind::Map(entries) => {
                let mut held = None;
                let mut sum = Range::fixed(MAP);
                for entry in entries {
                    sum = sum.plus(self.expr(&entry.key)).plus(self.expr(&entry.value));
                    let (key, value) = (self.size_or_unknown(&entry.key), self.size_or_unknown(&entry.value));
                    let one = Entries { list: false, key, value };
                    held = Some(held.map_or(one, |known: Entries| known.union(one)));
                }
                let empty = Entries { list: false, key: Range::ZERO, value: Range::ZERO };
                self.entries.insert(expr.id, held.unwrap_or(empty));
                sum
            }
            Kind::Struct { fields, .. } => {
                fields.iter().fold(Range::fixed(MESSAGE), |sum, field| sum.plus(self.expr(&field.value)))
            }
            Kind::Comprehension(fold) if is_bind(fold) => self.bind(expr, fold),
            Kind::Comprehension(fold) => self.fold(expr, fold),
        }
    }

    fn local(&self, name: &str) -> Option<&Local> {
        self.locals.iter().rev().find(|local| &*local.name == name)
    }

    fn path(&self, expr: &Expr) -> Path {
        if let Some(local) = expr.as_ident().and_then(|name| self.local(name)) {
            return local.path.clone();
        }
        self.paths.get(&expr.id).cloned().unwrap_or_else(none)
    }

    fn size(&mut self, expr: &Expr) -> Option<Range> {
        if let Some(size) = self.sizes.get(&expr.id) {
            return Some(*size);
        }
        if let Some(size) = literal_size(expr) {
            return Some(Range::fixed(size));
        }
        if let Some(size) = estimated(self.estimator, &self.path(expr)) {
            self.sizes.insert(expr.id, size);
            return Some(size);
        }
        if is_scalar(self.facts.type_of(expr)) {
            return Some(Range::fixed(1));
        }
        expr.as_ident().and_then(|name| self.local(name)).and_then(|local| local.size)
    }

    fn size_or_unknown(&mut self, expr: &Expr) -> Range {
        self.size(expr).unwrap_or(Range::UNKNOWN)
    }

    fn entries(&self, expr: &Expr) -> Option<Entries> {
        if let Some(entries) = self.entries.get(&expr.id) {
            return Some(*entries);
        }
        expr.as_ident().and_then(|name| self.local(name)).and_then(|local| local.entries)
    }

    fn part<'e>(&mut self, expr: &'e Expr) -> Part<'e> {
        let mut path = self.path(expr);
        if path.first().is_some_and(|first| &**first == ACCUMULATOR) {
            path = none();
        }
        Part { path, of: self.facts.type_of(expr).clone(), expr: Some(expr), size: self.size(expr) }
    }

    fn push(&mut self, name: &Arc<str>, path: Path, size: Option<Range>, entries: Option<Entries>) {
        self.locals.push(Local { name: name.clone(), path, size, entries });
    }

    /// The variable that a fold's accumulator or a bound name is.
    fn push_bound(&mut self, name: &Arc<str>, init: &Expr) {
        let (path, entries, size) = (self.path(init), self.entries(init), self.size(init));
        self.push(name, path, size, entries);
    }

    fn push_iteration(&mut self, fold: &Comprehension) {
        let entries = self.entries(&fold.range);
        let list = entries.map_or(matches!(self.facts.type_of(&fold.range), Type::List(_)), |entries| entries.list);
        let path = self.path(&fold.range);
        let (keys, values) = if list { ("@indices", "@items") } else { ("@keys", "@values") };
        let (key, value) = (entries.map(|e| e.key), entries.map(|e| e.value));
        match &fold.var2 {
            Some(second) => {
                self.push(&fold.var, joined(&path, keys), key, None);
                self.push(second, joined(&path, values), value, None);
            }
            None if list => self.push(&fold.var, joined(&path, values), value, None),
            None => self.push(&fold.var, joined(&path, keys), key, None),
        }
    }

    fn fold(&mut self, expr: &Expr, fold: &Comprehension) -> Range {
        let mut sum = self.expr(&fold.range).plus(self.expr(&fold.accu_init));
        let before = self.locals.len();
        self.push_bound(&fold.accu_var, &fold.accu_init);
        self.push_iteration(fold);
        let round = self.expr(&fold.condition).plus(self.expr(&fold.step));
        self.locals.truncate(before + 1);
        sum = sum.plus(self.expr(&fold.result));
        self.locals.truncate(before);
        let count = self.size_or_unknown(&fold.range);
        match &*fold.accu_init.kind {
            Kind::Literal(_) => {
                if let Some(size) = self.size(&fold.accu_init) {
                    self.sizes.insert(expr.id, size);
                }
            }
            Kind::List { .. } | Kind::Map(_) => {
                self.sizes.insert(expr.id, count);
                if let Some(entries) = self.entries(&fold.step) {
                    self.entries.insert(expr.id, entries);
                }
            }
            _ => {}
        }
        sum.plus(count.times(round))
    }

    fn bind(&mut self, expr: &Expr, fold: &Comprehension) -> Range {
        let mut sum = self.expr(&fold.range).plus(self.expr(&fold.accu_init));
        self.push_bound(&fold.accu_var, &fold.accu_init);
        sum = sum.plus(self.expr(&fold.result));
        self.locals.pop();
        self.copy_sizes(expr, &fold.result);
        sum
    }

    fn copy_sizes(&mut self, to: &Expr, from: &Expr) {
        if let Some(size) = self.size(from) {
            self.sizes.insert(to.id, size);
        }
        if let Some(entries) = self.entries(from) {
            self.entries.insert(to.id, entries);
        }
    }

    fn call(&mut self, expr: &Expr, function: &str, target: Option<&Expr>, args: &[Expr]) -> Range {
        if function == "dyn" && args.len() == 1 {
            let cost = self.expr(&args[0]).plus(Range::fixed(1));
            self.copy_sizes(expr, &args[0]);
            return cost;
        }
        let mut costs = Vec::with_capacity(args.len());
        let mut parts = Vec::with_capacity(args.len());
        for arg in args {
            costs.push(self.expr(arg));
            parts.push(self.part(arg));
        }
        let overloads = self.facts.overloads(expr).to_vec();
        if overloads.is_empty() {
            return Range::ZERO;
        }
        let mut sum = Range::ZERO;
        let target = target.map(|target| {
            sum = self.expr(target);
            self.part(target)
        });
        let mut cost = Range { min: u64::MAX, max: 0 };
        let mut size: Option<Range> = None;
        for overload in overloads {
            let one = self.overload(expr, (function, overload), target.as_ref(), &parts, &costs);
            cost = cost.union(one.cost);
            size = match (size, one.size) {
                (Some(known), Some(size)) => Some(known.union(size)),
                (known, size) => known.or(size),
            };
            let step = match overload {
                "index_list" => Some("@items"),
                "index_map" => Some("@values"),
                _ => None,
            };
            if let (Some(step), Some(operand)) = (step, args.first()) {
                size = self.entries(operand).map(|entries| entries.value);
                let path = joined(&self.path(operand), step);
                self.paths.insert(expr.id, path);
            }
            if size.is_none() {
                size = self.size(expr);
            }
        }
        if let Some(size) = size {
            self.sizes.insert(expr.id, size);
        }
        sum.plus(cost)
    }

    fn overload(
        &mut self,
        expr: &Expr,
        (function, overload): (&str, &str),
        target: Option<&Part<'_>>,
        args: &[Part<'_>],
        costs: &[Range],
    ) -> Estimate {
        let operands = costs.iter().fold(Range::ZERO, |sum, cost| sum.plus(*cost));
        let known = library::extension(self.estimator, overload, target, args)
            .or_else(|| library::kubernetes(self.estimator, (function, overload), target, args));
        if let Some(known) = known {
            return Estimate { cost: known.cost.plus(operands), size: known.size };
        }
        self.standard(expr, overload, target, args, costs, operands)
    }

    fn standard(
        &mut self,
        expr: &Expr,
        overload: &str,
        target: Option<&Part<'_>>,
        args: &[Part<'_>],
        costs: &[Range],
        operands: Range,
    ) -> Estimate {
        let size = |part: &Part<'_>| part.size.unwrap_or(Range::UNKNOWN);
        let own = match (overload, target, args) {
            ("string_format", Some(target), _) => Estimate::cost(size(target).scaled(TEXT)),
            ("string_to_bytes", _, [text]) => {
                let text = size(text);
                Estimate { cost: text.scaled(TEXT), size: Some(Range { min: text.min, max: text.max.wrapping_mul(4) }) }
            }
            ("bytes_to_string", _, [bytes]) => {
                let bytes = size(bytes);
                Estimate { cost: bytes.scaled(TEXT), size: Some(Range { min: bytes.min / 4, max: bytes.max }) }
            }
            ("strings_quote", _, [text]) => {
                let text = size(text);
                let quoted = Range { min: text.min.wrapping_add(2), max: text.max.wrapping_mul(2).wrapping_add(2) };
                Estimate { cost: text.scaled(TEXT), size: Some(quoted) }
            }
            ("starts_with_string" | "ends_with_string", _, [part]) => Estimate::cost(size(part).scaled(TEXT)),
            ("in_list", _, [_, list]) => Estimate::cost(size(list)),
            ("matches_string", Some(text), [pattern]) | ("matches", None, [text, pattern]) => {
                let text = size(text).plus(Range::fixed(1)).scaled(TEXT);
                Estimate::cost(text.times(size(pattern).scaled(REGEX)))
            }
            ("contains_string", Some(text), [part]) => Estimate::cost(size(text).scaled(TEXT).times(size(part).scaled(TEXT))),
            ("logical_or" | "logical_and", _, [_, _]) => {
                // The second operand may not be looked at.
                return Estimate::cost(Range { min: costs[0].min, max: costs[0].plus(costs[1]).max });
            }
            ("conditional", _, [_, truthy, falsy]) => {
                if let (Some(a), Some(b)) = (truthy.expr, falsy.expr)
                    && let (Some(a), Some(b)) = (self.entries(a), self.entries(b))
                {
                    self.entries.insert(expr.id, a.union(b));
                }
                let cost = costs[0].plus(costs[1].union(costs[2]));
                return Estimate { cost, size: Some(size(truthy).union(size(falsy))) };
            }
            ("add_string" | "add_bytes" | "add_list", _, [a, b]) => {
                if let (Some(a), Some(b)) = (a.expr, b.expr)
                    && let (Some(a), Some(b)) = (self.entries(a), self.entries(b))
                {
                    self.entries.insert(expr.id, a.union(b));
                }
                let sum = size(a).plus(size(b));
                let cost = if overload == "add_list" { Range::fixed(1) } else { sum.scaled(TEXT) };
                Estimate { cost, size: Some(sum) }
            }
            (
                "less_string"
                | "greater_string"
                | "less_equals_string"
                | "greater_equals_string"
                | "less_bytes"
                | "greater_bytes"
                | "less_equals_bytes"
                | "greater_equals_bytes"
                | "equals"
                | "not_equals",
                _,
                [a, b],
            ) => {
                let max = size(a).max.min(size(b).max);
                Estimate::cost(Range { min: u64::from(max > 0), max }.scaled(TEXT))
            }
            _ => Estimate::cost(Range::fixed(1)),
        };
        Estimate { cost: own.cost.plus(operands), size: own.size }
    }
}

/// A name bound by a macro: a fold over nothing.
fn is_bind(fold: &Comprehension) -> bool {
    let empty = matches!(&*fold.range.kind, Kind::List { elements, .. } if elements.is_empty());
    let never = matches!(&*fold.condition.kind, Kind::Literal(Literal::Bool(false)));
    empty && never
}

fn literal_size(expr: &Expr) -> Option<u64> {
    Some(match &*expr.kind {
        Kind::Literal(Literal::String(text)) => text.chars().count() as u64,
        Kind::Literal(Literal::Bytes(bytes)) => bytes.len() as u64,
        Kind::Literal(_) => 1,
        Kind::List { elements, .. } => elements.len() as u64,
        Kind::Map(entries) => entries.len() as u64,
        _ => return None,
    })
}

fn is_scalar(of: &Type) -> bool {
    match of {
        Type::Bool | Type::Double | Type::Duration | Type::Int | Type::Timestamp | Type::Uint => true,
        other => other.as_optional().is_some_and(is_scalar),
    }
}
