//! The type checker: gives each node its type and each name what it refers to. Follows cel-go's `checker`, with its messages.

mod assign;
mod validate;

use std::sync::Arc;

use self::assign::{Mapping, most_general};
use crate::ast::{Comprehension, Entry, Expr, Kind, Literal, StructField, op};
use crate::env::Env;
use crate::functions::{Function, type_named};
use crate::issue::Issues;
use crate::parse::{Parsed, Places};
use crate::types::{NoField, Type};

/// A checked expression.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) root: Expr,
    pub(crate) facts: Facts,
}

/// What is known of nodes, by their ids.
#[derive(Debug)]
pub(crate) struct Facts {
    types: Vec<Option<Type>>,
    references: Vec<Option<Reference>>,
}

/// What a node refers to.
#[derive(Clone, Debug)]
pub(crate) enum Reference {
    /// A variable.
    Variable,
    /// A type as a value.
    Type(Type),
    /// These overloads.
    Overloads(Vec<&'static str>),
}

impl Facts {
    pub(crate) fn type_of(&self, expr: &Expr) -> &Type {
        self.types.get(expr.id as usize).and_then(Option::as_ref).unwrap_or(&Type::Dyn)
    }

    pub(crate) fn reference(&self, expr: &Expr) -> Option<&Reference> {
        self.references.get(expr.id as usize).and_then(Option::as_ref)
    }

    /// The overloads a call can take.
    pub(crate) fn overloads(&self, expr: &Expr) -> &[&'static str] {
        match self.reference(expr) {
            Some(Reference::Overloads(ids)) => ids,
            _ => &[],
        }
    }
}

/// Checks a parsed text.
pub(crate) fn check(parsed: Parsed, env: &Env, issues: &mut Issues) -> Option<Checked> {
    let Parsed { mut root, places } = parsed;
    let facts = Facts { types: vec![None; places.len()], references: vec![None; places.len()] };
    let mut checker = Checker { env, issues, places: &places, facts, locals: Vec::new(), mapping: Mapping::default(), fresh: 0 };
    checker.expr(&mut root);
    let Checker { mut facts, mapping, .. } = checker;
    for known in facts.types.iter_mut().flatten() {
        *known = mapping.substitute(known, true);
    }
    if issues.is_empty() {
        validate::validate(&root, &facts, &places, issues);
    }
    issues.is_empty().then_some(Checked { root, facts })
}

struct Checker<'c> {
    env: &'c Env,
    issues: &'c mut Issues,
    places: &'c Places,
    facts: Facts,
    /// Variables of the comprehensions around, innermost last.
    locals: Vec<(Arc<str>, Type)>,
    mapping: Mapping,
    fresh: usize,
}

impl Checker<'_> {
    fn report(&mut self, id: u32, message: String) {
        self.issues.push(self.places.offset(id), message);
    }

    fn undeclared(&mut self, id: u32, name: &str) -> Type {
        self.report(id, format!("undeclared reference to '{name}' (in container '')"));
        Type::Error
    }

    fn mismatch(&mut self, id: u32, expected: &Type, found: &Type) {
        self.report(id, format!("expected type '{expected}' but found '{found}'"));
    }

    fn refer(&mut self, expr: &Expr, reference: Reference) {
        self.facts.references[expr.id as usize] = Some(reference);
    }

    fn known(&self, expr: &Expr) -> Type {
        self.facts.type_of(expr).clone()
    }

    fn variable(&mut self) -> Type {
        self.fresh += 1;
        Type::param(&format!("_var{}", self.fresh - 1))
    }

    fn expr(&mut self, expr: &mut Expr) -> Type {
        let found = match &mut *expr.kind {
            Kind::Unspecified => Type::Error,
            Kind::Literal(literal) => literal_type(literal),
            Kind::Ident(name) => {
                let name = name.clone();
                self.ident(expr, &name)
            }
            Kind::Select { .. } => self.select(expr),
            Kind::Call { .. } => self.call(expr),
            Kind::List { elements, optionals } => self.list(elements, optionals),
            Kind::Map(entries) => self.map(entries),
            Kind::Struct { name, fields } => {
                let name = name.clone();
                self.message(expr.id, &name, fields)
            }
            Kind::Comprehension(fold) => self.comprehension(fold),
        };
        self.facts.types[expr.id as usize] = Some(found.clone());
        found
    }

    fn ident(&mut self, expr: &mut Expr, name: &str) -> Type {
        let plain = name.strip_prefix('.');
        if plain.is_none()
            && let Some((_, found)) = self.locals.iter().rev().find(|(known, _)| &**known == name)
        {
            let found = found.clone();
            self.refer(expr, Reference::Variable);
            return found;
        }
        match self.global(plain.unwrap_or(name)) {
            Some((found, reference)) => {
                self.refer(expr, reference);
                // A dot reaches past a local variable of the same name.
                let hidden = self.locals.iter().any(|(known, _)| Some(&**known) == plain);
                if let Some(plain) = plain.filter(|_| !hidden) {
                    *expr.kind = Kind::Ident(Arc::from(plain));
                }
                found
            }
            None => self.undeclared(expr.id, name),
        }
    }

    /// A variable of the environment or a type.
    fn global(&self, name: &str) -> Option<(Type, Reference)> {
        if let Some(found) = self.env.find(name) {
            return Some((found.clone(), Reference::Variable));
        }
        let named = type_named(name).or_else(|| self.env.object(name).map(Type::Object))?;
        Some((Type::Type(Some(Arc::new(named.clone()))), Reference::Type(named)))
    }

    fn select(&mut self, expr: &mut Expr) -> Type {
        let Kind::Select { operand, field, test } = &mut *expr.kind else { return Type::Error };
        // A dotted name may be that of a variable or type.
        if !*test && let Some(prefix) = operand.qualified_name() {
            let first = prefix.split('.').next().unwrap_or_default();
            let local = self.locals.iter().any(|(known, _)| &**known == first);
            let name = format!("{prefix}.{field}");
            let plain = name.strip_prefix('.').unwrap_or(&name);
            if (!local || prefix.starts_with('.'))
                && let Some((found, reference)) = self.global(plain)
            {
                *expr.kind = Kind::Ident(Arc::from(plain));
                self.refer(expr, reference);
                return found;
            }
        }
        let Kind::Select { operand, field, test } = &mut *expr.kind else { return Type::Error };
        let (test, field) = (*test, field.clone());
        let found = self.field(expr.id, operand, &field, false);
        if test { Type::Bool } else { self.mapping.substitute(&found, false) }
    }

    fn field(&mut self, id: u32, operand: &mut Expr, field: &str, optional: bool) -> Type {
        let of = self.expr(operand);
        let of = self.mapping.substitute(&of, false);
        let (target, wrapped) = match of.as_optional() {
            Some(inner) => (inner.clone(), true),
            None => (of, false),
        };
        let result = match &target {
            Type::Map(map) => map.1.clone(),
            Type::Object(object) => object.field(field).unwrap_or_else(|why| {
                self.report(
                    id,
                    match why {
                        NoField::Undefined => format!("undefined field '{field}'"),
                        NoField::Hidden => format!("unexpected failed resolution of '{}'", object.name),
                    },
                );
                Type::Error
            }),
            Type::Param(_) => {
                self.mapping.assignable(&Type::Dyn, &target);
                Type::Dyn
            }
            Type::Dyn | Type::Any | Type::Error => Type::Dyn,
            other => {
                self.report(id, format!("type '{other}' does not support field selection"));
                Type::Dyn
            }
        };
        if wrapped || optional { Type::optional(result) } else { result }
    }

    fn call(&mut self, expr: &mut Expr) -> Type {
        let id = expr.id;
        let Kind::Call { function, target, args } = &mut *expr.kind else { return Type::Error };
        let name = function.clone();
        if &*name == op::OPT_SELECT {
            let Kind::Literal(Literal::String(field)) = &*args[1].kind else { return Type::Error };
            let field = field.clone();
            self.facts.types[args[1].id as usize] = Some(Type::String);
            let found = self.field(id, &mut args[0], &field, true);
            self.refer(expr, Reference::Overloads(vec!["select_optional_field"]));
            return self.mapping.substitute(&found, false);
        }
        let mut types: Vec<Type> = args.iter_mut().map(|arg| self.expr(arg)).collect();
        if let Some(receiver) = target {
            // The target may be a namespace: `optional.of(x)`.
            let space = receiver.qualified_name().map(|prefix| format!("{prefix}.{name}"));
            if let Some(found) = space.as_deref().and_then(|name| self.env.function(name.strip_prefix('.').unwrap_or(name))) {
                *target = None;
                *function = Arc::from(found.name);
                return self.resolve(expr, found, types, false);
            }
            types.insert(0, self.expr(receiver));
            return match self.env.function(&name) {
                Some(found) => self.resolve(expr, found, types, true),
                None => self.undeclared(id, &name),
            };
        }
        match self.env.function(name.strip_prefix('.').unwrap_or(&name)) {
            Some(found) => {
                *function = Arc::from(found.name);
                self.resolve(expr, found, types, false)
            }
            None => self.undeclared(id, &name),
        }
    }

    /// The overloads that fit, and the type they give.
    fn resolve(&mut self, expr: &Expr, function: &Function, types: Vec<Type>, member: bool) -> Type {
        if matches!(function.name, op::AND | op::OR) {
            return self.logic(expr, function, &types);
        }
        let mut ids = Vec::new();
        let mut result: Option<Type> = None;
        for overload in function.overloads.iter().filter(|overload| overload.member == member) {
            let mut fresh = Mapping::default();
            for param in &overload.params {
                let variable = self.variable();
                fresh.add(Arc::from(*param), variable);
            }
            let args: Vec<Type> = overload.args.iter().map(|arg| fresh.substitute(arg, false)).collect();
            if !self.mapping.all_assignable(&types, &args) {
                continue;
            }
            ids.push(overload.id);
            let found = self.mapping.substitute(&fresh.substitute(&overload.result, false), false);
            result = Some(match result {
                None => found,
                Some(known) if known == Type::Dyn || known == found => known,
                Some(_) => Type::Dyn,
            });
        }
        let Some(result) = result else {
            let shown: Vec<Type> = types.iter().map(|of| self.mapping.substitute(of, true)).collect();
            self.no_overload(expr.id, function.name, &shown, member);
            return Type::Error;
        };
        self.refer(expr, Reference::Overloads(ids));
        result
    }

    /// `&&` and `||` say which operand is no bool.
    fn logic(&mut self, expr: &Expr, function: &Function, types: &[Type]) -> Type {
        let mut result = Type::Bool;
        for (operand, of) in expr.children().into_iter().zip(types) {
            if !self.mapping.assignable(of, &Type::Bool) {
                self.mismatch(operand.id, &Type::Bool, of);
                result = Type::Error;
            }
        }
        self.refer(expr, Reference::Overloads(function.overloads.iter().map(|overload| overload.id).collect()));
        result
    }

    fn no_overload(&mut self, id: u32, name: &str, types: &[Type], member: bool) {
        let (target, args) = if member { (format!("{}.", types[0]), &types[1..]) } else { (String::new(), types) };
        let args: Vec<String> = args.iter().map(Type::to_string).collect();
        let message = format!("found no matching overload for '{name}' applied to '{target}({})'", args.join(", "));
        self.report(id, message);
    }

    fn list(&mut self, elements: &mut [Expr], optionals: &[usize]) -> Type {
        let mut joined: Option<Type> = None;
        for (i, element) in elements.iter_mut().enumerate() {
            let mut of = self.expr(element);
            if optionals.contains(&i) {
                of = self.unwrap_optional(element.id, of);
            }
            joined = Some(self.join(joined, of));
        }
        let items = match joined {
            Some(items) => items,
            None => self.variable(),
        };
        Type::list(items)
    }

    /// What an optional element holds.
    fn unwrap_optional(&mut self, id: u32, of: Type) -> Type {
        match of.as_optional() {
            Some(inner) => inner.clone(),
            None => {
                if of != Type::Dyn {
                    self.mismatch(id, &Type::optional(of.clone()), &of);
                }
                of
            }
        }
    }

    /// The type of what stands in one list: the more general one, or dyn where they do not fit (`validate` refuses that).
    fn join(&mut self, previous: Option<Type>, current: Type) -> Type {
        let Some(previous) = previous else { return current };
        if self.mapping.assignable(&previous, &current) {
            return most_general(&previous, &current).clone();
        }
        Type::Dyn
    }

    fn map(&mut self, entries: &mut [Entry]) -> Type {
        let (mut keys, mut values) = (None, None);
        for entry in entries {
            let key = self.expr(&mut entry.key);
            keys = Some(self.join(keys, key));
            let mut value = self.expr(&mut entry.value);
            if entry.optional {
                value = self.unwrap_optional(entry.value.id, value);
            }
            values = Some(self.join(values, value));
        }
        match (keys, values) {
            (Some(keys), Some(values)) => Type::map(keys, values),
            _ => Type::map(self.variable(), self.variable()),
        }
    }

    /// Kubernetes declares no message that could be made, only types that are none.
    fn message(&mut self, id: u32, name: &str, fields: &mut [StructField]) -> Type {
        let plain = name.strip_prefix('.').unwrap_or(name);
        let object = self.env.object(plain);
        let result = match (&object, type_named(plain)) {
            (Some(object), _) => Type::Object(object.clone()),
            (None, None) => return self.undeclared(id, name),
            (None, Some(known)) => {
                self.report(id, format!("'{known}' is not a message type"));
                Type::Error
            }
        };
        for field in fields {
            let value = self.expr(&mut field.value);
            let value = if field.optional { self.unwrap_optional(field.value.id, value) } else { value };
            match object.as_ref().and_then(|object| object.field(&field.name).ok()) {
                Some(declared) if !self.mapping.assignable(&declared, &value) => {
                    let message =
                        format!("expected type of field '{}' is '{declared}' but provided type is '{value}'", field.name);
                    self.report(field.id, message);
                }
                Some(_) => {}
                // Upstream finds a field of no type in a patch.
                None if plain == crate::library::patch::JSON_PATCH => {
                    let message = format!("expected type of field '{}' is '' but provided type is '{value}'", field.name);
                    self.report(field.id, message);
                }
                None => self.report(field.id, format!("undefined field '{}'", field.name)),
            }
        }
        result
    }

    fn comprehension(&mut self, fold: &mut Comprehension) -> Type {
        let range = self.expr(&mut fold.range);
        let accu = self.expr(&mut fold.accu_init);
        let range = self.mapping.substitute(&range, false);
        let before = self.locals.len();
        self.locals.push((fold.accu_var.clone(), accu.clone()));
        let two = fold.var2.is_some();
        let (first, second) = match &range {
            Type::List(items) if two => (Type::Int, (**items).clone()),
            Type::List(items) => ((**items).clone(), Type::Dyn),
            Type::Map(map) => (map.0.clone(), map.1.clone()),
            Type::Dyn | Type::Error | Type::Param(_) => {
                self.mapping.assignable(&Type::Dyn, &range);
                (Type::Dyn, Type::Dyn)
            }
            other => {
                let message =
                    format!("expression of type '{other}' cannot be range of a comprehension (must be list, map, or dynamic)");
                self.report(fold.range.id, message);
                (Type::Error, Type::Error)
            }
        };
        let inner = self.locals.len();
        self.locals.push((fold.var.clone(), first));
        if let Some(var2) = &fold.var2 {
            self.locals.push((var2.clone(), second));
        }
        self.expr(&mut fold.condition);
        self.assert(&fold.condition, &Type::Bool);
        self.expr(&mut fold.step);
        self.assert(&fold.step, &accu);
        self.locals.truncate(inner);
        let result = self.expr(&mut fold.result);
        self.locals.truncate(before);
        self.mapping.substitute(&result, false)
    }

    fn assert(&mut self, expr: &Expr, expected: &Type) {
        let found = self.known(expr);
        if !self.mapping.assignable(expected, &found) {
            self.mismatch(expr.id, expected, &found);
        }
    }
}

fn literal_type(literal: &Literal) -> Type {
    match literal {
        Literal::Null => Type::Null,
        Literal::Bool(_) => Type::Bool,
        Literal::Int(_) => Type::Int,
        Literal::Uint(_) => Type::Uint,
        Literal::Double(_) => Type::Double,
        Literal::String(_) => Type::String,
        Literal::Bytes(_) => Type::Bytes,
    }
}
