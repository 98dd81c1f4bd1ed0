//! Macros: `has`, `all`, `exists`, `map`, `filter` and their forms with two variables, `optMap`, become folds.
//! Follows cel-go's `parser/macro.go`, `ext/comprehensions.go` and the optional library.

use std::sync::Arc;

use super::Parser;
use crate::ast::{ACCUMULATOR, Comprehension, Expr, Kind, Literal, op};

/// A chain of `optMap` doubles its target with each link; upstream lets it grow until memory is used up.
const NODES_MAX: usize = 250_000;

/// A fault of an argument: where, and what.
type Fault = (u32, String);

/// A macro: offset, name, target, arguments.
type Expand<P> = fn(&mut P, usize, &str, Expr, Vec<Expr>) -> Result<Expr, Fault>;

/// Kubernetes also refuses the older name of the accumulator.
const ACCUMULATOR_LEGACY: &str = "__result__";

impl Parser<'_, '_> {
    pub(super) fn global_call(&mut self, offset: usize, function: Arc<str>, mut args: Vec<Expr>) -> Expr {
        let depth = args.iter().map(|arg| arg.depth).max().unwrap_or(0);
        if &*function != "has" || args.len() != 1 {
            return self.call(offset, &function, args);
        }
        let arg = args.remove(0);
        let mut expanded = match *arg.kind {
            Kind::Select { operand, field, .. } => self.node(offset, Kind::Select { operand, field, test: true }),
            _ => {
                let place = self.places.offset(arg.id).unwrap_or(offset);
                self.report(place, "invalid argument to has() macro")
            }
        };
        expanded.depth = depth;
        expanded
    }

    pub(super) fn receiver_call(&mut self, offset: usize, function: Arc<str>, target: Expr, args: Vec<Expr>) -> Expr {
        let expand: Expand<Self> = match (&*function, args.len()) {
            ("all" | "exists" | "exists_one", 2) => Self::quantifier,
            ("all" | "exists" | "exists_one" | "existsOne", 3) => Self::quantifier,
            ("map", 2 | 3) | ("filter", 2) => Self::transform,
            ("transformList" | "transformMap" | "transformMapEntry", 3 | 4) => Self::transform_two,
            ("optMap" | "optFlatMap", 2) => Self::opt_map,
            ("sortBy", 2) => Self::sort_by,
            ("bind", 3) if self.binds && target.as_ident().is_some_and(|space| &**space == "cel") => Self::bind,
            _ => return self.node(offset, Kind::Call { function, target: Some(target), args }),
        };
        match expand(self, offset, &function, target, args) {
            Ok(expr) => expr,
            Err((id, message)) => {
                let place = self.places.offset(id).unwrap_or(offset);
                self.report(place, message)
            }
        }
    }

    /// `all`, `exists` and `exists_one` over one or two variables.
    fn quantifier(&mut self, offset: usize, function: &str, range: Expr, mut args: Vec<Expr>) -> Result<Expr, Fault> {
        let predicate = args.pop();
        let (var, var2) = variables(&args, "argument must be a simple name")?;
        let predicate = predicate.unwrap_or_else(|| unreachable!("the macro has arguments"));
        let (init, condition, step, result);
        match function {
            "all" => {
                init = self.literal(offset, Literal::Bool(true));
                let accu = self.accu(offset);
                condition = self.call(offset, op::NOT_STRICTLY_FALSE, vec![accu]);
                let accu = self.accu(offset);
                step = self.call(offset, op::AND, vec![accu, predicate]);
                result = self.accu(offset);
            }
            "exists" => {
                init = self.literal(offset, Literal::Bool(false));
                let accu = self.accu(offset);
                let not = self.call(offset, op::NOT, vec![accu]);
                condition = self.call(offset, op::NOT_STRICTLY_FALSE, vec![not]);
                let accu = self.accu(offset);
                step = self.call(offset, op::OR, vec![accu, predicate]);
                result = self.accu(offset);
            }
            _ => {
                init = self.literal(offset, Literal::Int(0));
                condition = self.literal(offset, Literal::Bool(true));
                let terms = vec![self.accu(offset), self.literal(offset, Literal::Int(1))];
                let next = self.call(offset, op::ADD, terms);
                let accu = self.accu(offset);
                step = self.call(offset, op::CONDITIONAL, vec![predicate, next, accu]);
                let terms = vec![self.accu(offset), self.literal(offset, Literal::Int(1))];
                result = self.call(offset, op::EQUALS, terms);
            }
        }
        Ok(self.fold(
            offset,
            Comprehension { range, var, var2, accu_var: ACCUMULATOR.into(), accu_init: init, condition, step, result },
        ))
    }

    /// `map` with or without a predicate, `filter`.
    fn transform(&mut self, offset: usize, function: &str, range: Expr, mut args: Vec<Expr>) -> Result<Expr, Fault> {
        let (var, _) = variables(&args[..1], "argument is not an identifier")?;
        let last = args.pop().unwrap_or_else(|| unreachable!("the macro has arguments"));
        let (value, filter) = match (function, args.len()) {
            ("filter", _) => (args.remove(0), Some(last)),
            (_, 2) => (last, args.pop()),
            _ => (last, None),
        };
        let init = self.node(offset, Kind::List { elements: Vec::new(), optionals: Vec::new() });
        let one = self.node(offset, Kind::List { elements: vec![value], optionals: Vec::new() });
        Ok(self.collect(offset, range, (var, None), init, op::ADD, vec![one], filter))
    }

    /// `transformList`, `transformMap`, `transformMapEntry`.
    fn transform_two(&mut self, offset: usize, function: &str, range: Expr, mut args: Vec<Expr>) -> Result<Expr, Fault> {
        let vars = variables(&args[..2], "argument must be a simple name")?;
        let value = args.pop().unwrap_or_else(|| unreachable!("the macro has arguments"));
        let filter = if args.len() == 3 { args.pop() } else { None };
        if function == "transformList" {
            let init = self.node(offset, Kind::List { elements: Vec::new(), optionals: Vec::new() });
            let one = self.node(offset, Kind::List { elements: vec![value], optionals: Vec::new() });
            return Ok(self.collect(offset, range, vars, init, op::ADD, vec![one], filter));
        }
        let init = self.node(offset, Kind::Map(Vec::new()));
        let more = if function == "transformMap" {
            let key = self.node(offset, Kind::Ident(vars.0.clone()));
            vec![key, value]
        } else {
            vec![value]
        };
        Ok(self.collect(offset, range, vars, init, "cel.@mapInsert", more, filter))
    }

    /// A fold that adds to what it has, where the filter lets it.
    #[allow(clippy::too_many_arguments)] // The parts of one fold; a struct would only name them twice.
    fn collect(
        &mut self,
        offset: usize,
        range: Expr,
        (var, var2): (Arc<str>, Option<Arc<str>>),
        accu_init: Expr,
        function: &str,
        more: Vec<Expr>,
        filter: Option<Expr>,
    ) -> Expr {
        let condition = self.literal(offset, Literal::Bool(true));
        let mut args = vec![self.accu(offset)];
        args.extend(more);
        let mut step = self.call(offset, function, args);
        if let Some(filter) = filter {
            let accu = self.accu(offset);
            step = self.call(offset, op::CONDITIONAL, vec![filter, step, accu]);
        }
        let result = self.accu(offset);
        self.fold(offset, Comprehension { range, var, var2, accu_var: ACCUMULATOR.into(), accu_init, condition, step, result })
    }

    /// `optMap` and `optFlatMap`: the value bound to a name where there is one.
    fn opt_map(&mut self, offset: usize, function: &str, target: Expr, mut args: Vec<Expr>) -> Result<Expr, Fault> {
        let Some(var) = args[0].as_ident().cloned() else {
            return Err((args[0].id, format!("{function}() variable name must be a simple identifier")));
        };
        let body = args.pop().unwrap_or_else(|| unreachable!("the macro has arguments"));
        if self.places.len() > NODES_MAX {
            return Err((args[0].id, format!("expression expands to more than {NODES_MAX} nodes")));
        }
        let copied = self.copy(&target);
        let has = self.member_call(offset, "hasValue", target);
        let value = self.member_call(offset, "value", copied);
        let mut bound = self.bound(offset, var, value, body);
        if function == "optMap" {
            bound = self.call(offset, "optional.of", vec![bound]);
        }
        let none = self.call(offset, "optional.none", Vec::new());
        Ok(self.call(offset, op::CONDITIONAL, vec![has, bound, none]))
    }

    /// `sortBy`: the list is bound to a name, so that its items and their keys come from the same value.
    fn sort_by(&mut self, offset: usize, _: &str, target: Expr, args: Vec<Expr>) -> Result<Expr, Fault> {
        if matches!(&*target.kind, Kind::Literal(_) | Kind::Map(_) | Kind::Struct { .. } | Kind::Unspecified) {
            let message = "sortBy can only be applied to a list, identifier, comprehension, call or select expression";
            return Err((target.id, message.to_owned()));
        }
        let input: Arc<str> = "@__sortBy_input__".into();
        let items = self.node(offset, Kind::Ident(input.clone()));
        let keys = self.transform(offset, "map", items, args)?;
        let list = self.node(offset, Kind::Ident(input.clone()));
        let sorted = Kind::Call { function: "@sortByAssociatedKeys".into(), target: Some(list), args: vec![keys] };
        let result = self.node(offset, sorted);
        Ok(self.bound(offset, input, target, result))
    }

    /// `cel.bind(name, value, result)`.
    fn bind(&mut self, offset: usize, _: &str, _: Expr, args: Vec<Expr>) -> Result<Expr, Fault> {
        let [name, value, result] = <[Expr; 3]>::try_from(args).unwrap_or_else(|_| unreachable!("the macro has three arguments"));
        match name.as_ident().cloned() {
            Some(var) => Ok(self.bound(offset, var, value, result)),
            None => Err((name.id, "cel.bind() variable names must be simple identifiers".to_owned())),
        }
    }

    /// A result in which a name stands for a value: a fold over nothing that begins with it.
    fn bound(&mut self, offset: usize, name: Arc<str>, value: Expr, result: Expr) -> Expr {
        let range = self.node(offset, Kind::List { elements: Vec::new(), optionals: Vec::new() });
        let condition = self.literal(offset, Literal::Bool(false));
        let step = self.node(offset, Kind::Ident(name.clone()));
        let unused = "#unused".into();
        self.fold(
            offset,
            Comprehension { range, var: unused, var2: None, accu_var: name, accu_init: value, condition, step, result },
        )
    }

    fn member_call(&mut self, offset: usize, function: &str, target: Expr) -> Expr {
        self.node(offset, Kind::Call { function: function.into(), target: Some(target), args: Vec::new() })
    }

    fn accu(&mut self, offset: usize) -> Expr {
        self.node(offset, Kind::Ident(ACCUMULATOR.into()))
    }

    fn fold(&mut self, offset: usize, fold: Comprehension) -> Expr {
        self.node(offset, Kind::Comprehension(fold))
    }

    /// The same tree with ids of its own.
    fn copy(&mut self, expr: &Expr) -> Expr {
        let mut copy = expr.clone();
        self.renumber(&mut copy);
        copy
    }

    fn renumber(&mut self, expr: &mut Expr) {
        expr.id = self.places.id(self.places.offset(expr.id).unwrap_or(0));
        match &mut *expr.kind {
            Kind::Unspecified | Kind::Literal(_) | Kind::Ident(_) => {}
            Kind::Select { operand, .. } => self.renumber(operand),
            Kind::Call { target, args, .. } => target.iter_mut().chain(args).for_each(|part| self.renumber(part)),
            Kind::List { elements, .. } => elements.iter_mut().for_each(|part| self.renumber(part)),
            Kind::Map(entries) => {
                for entry in entries {
                    self.renumber(&mut entry.key);
                    self.renumber(&mut entry.value);
                }
            }
            Kind::Struct { fields, .. } => fields.iter_mut().for_each(|field| self.renumber(&mut field.value)),
            Kind::Comprehension(c) => {
                for part in [&mut c.range, &mut c.accu_init, &mut c.condition, &mut c.step, &mut c.result] {
                    self.renumber(part);
                }
            }
        }
    }
}

/// The names of one or two iteration variables.
fn variables(args: &[Expr], no_name: &str) -> Result<(Arc<str>, Option<Arc<str>>), Fault> {
    let mut names = Vec::with_capacity(2);
    for arg in args {
        names.push(arg.as_ident().cloned().ok_or_else(|| (arg.id, no_name.to_owned()))?);
    }
    if let [first, second] = &names[..]
        && first == second
    {
        return Err((args[1].id, format!("duplicate variable name: {first}")));
    }
    if let Some(at) = names.iter().position(|name| &**name == ACCUMULATOR_LEGACY) {
        return Err((args[at].id, "iteration variable overwrites accumulator variable".to_owned()));
    }
    let second = names.get(1).cloned();
    Ok((names.swap_remove(0), second))
}
