//! What Kubernetes checks beyond types: literals that cannot be read, lists and maps of mixed types.
//! Follows cel-go's `cel/validator.go`.

use super::{Facts, Places};
use crate::ast::{Expr, Kind, Literal};
use crate::issue::Issues;
use crate::library::{self, format};
use crate::plan;
use crate::types::Type;

/// Adds what is wrong.
pub(super) fn validate(root: &Expr, facts: &Facts, places: &Places, issues: &mut Issues) {
    for function in ["duration", "timestamp", "matches"] {
        visit(root, &mut |expr| {
            if let Kind::Call { function: name, args, .. } = &*expr.kind
                && &**name == function
                && let Some(arg) = args.first()
                && let Kind::Literal(literal) = &*arg.kind
                && !readable(function, literal)
            {
                issues.push(places.offset(arg.id), format!("invalid {function} argument"));
            }
        });
    }
    visit(root, &mut |expr| formats(expr, facts, places, issues));
    let mut mixed = Mixed { facts, places, issues };
    outside_of_formats(root, &mut |expr| mixed.list(expr));
    outside_of_formats(root, &mut |expr| mixed.map(expr));
}

/// Whether a function can read a literal.
fn readable(function: &str, literal: &Literal) -> bool {
    match (function, literal) {
        ("matches", Literal::String(pattern)) => library::regex::compile(pattern).is_ok(),
        ("matches", _) => true,
        _ => !matches!(library::code(function).and_then(|code| code(&[plan::constant(literal)])), Some(Err(_))),
    }
}

fn visit(expr: &Expr, see: &mut dyn FnMut(&Expr)) {
    see(expr);
    for child in expr.children() {
        visit(child, see);
    }
}

/// The same without what is formatted, which may be of any types.
fn outside_of_formats(expr: &Expr, see: &mut dyn FnMut(&Expr)) {
    see(expr);
    if !matches!(&*expr.kind, Kind::Call { function, .. } if &**function == "format") {
        for child in expr.children() {
            outside_of_formats(child, see);
        }
    }
}

/// A pattern in the text against the types of what it is given.
fn formats(expr: &Expr, facts: &Facts, places: &Places, issues: &mut Issues) {
    let Kind::Call { function, target: Some(target), args } = &*expr.kind else { return };
    let (Kind::Literal(Literal::String(pattern)), [list]) = (&*target.kind, &args[..]) else { return };
    let Kind::List { elements, .. } = &*list.kind else { return };
    if &**function != "format" {
        return;
    }
    let mut bad = expr.id;
    let mut used = 0;
    let filled = format::fill(pattern, elements.len(), &mut |verb, _, at| {
        used += 1;
        match unfit(verb, &elements[at], facts) {
            None => Ok(String::new()),
            Some(unfit) => {
                bad = unfit.id;
                Err(format::unfit(verb, &runtime_name(facts.type_of(unfit))))
            }
        }
    });
    match filled {
        Err(message) => issues.push(places.offset(bad), message),
        Ok(_) if elements.len() > used => {
            let message = format!("too many arguments supplied to string.format (expected {used}, got {})", elements.len());
            issues.push(places.offset(expr.id), message);
        }
        Ok(_) => {}
    }
}

/// The argument that a verb cannot print: the one given, or one inside of it.
fn unfit<'e>(verb: char, arg: &'e Expr, facts: &Facts) -> Option<&'e Expr> {
    let of = facts.type_of(arg);
    let fits = match (verb, of) {
        (_, Type::Dyn) => true,
        ('d' | 'o', Type::Int | Type::Uint) => true,
        ('f' | 'e', Type::Double | Type::String) => true,
        ('b', Type::Int | Type::Uint | Type::Bool) => true,
        ('x' | 'X', Type::Int | Type::Uint | Type::String | Type::Bytes) => true,
        ('s', Type::Opaque(..) | Type::Object(_) | Type::Param(_) | Type::Error) => false,
        ('s', _) => true,
        _ => false,
    };
    if !fits {
        return Some(arg);
    }
    match (verb, &*arg.kind) {
        ('s', Kind::List { .. } | Kind::Map(_)) => arg.children().into_iter().find_map(|inner| unfit(verb, inner, facts)),
        _ => None,
    }
}

/// A type's name without its parameters.
fn runtime_name(of: &Type) -> String {
    match of {
        Type::List(_) => "list".into(),
        Type::Map(_) => "map".into(),
        Type::Null => "null_type".into(),
        Type::Timestamp => "google.protobuf.Timestamp".into(),
        Type::Duration => "google.protobuf.Duration".into(),
        Type::Type(_) => "type".into(),
        Type::Opaque(name, _) => name.to_string(),
        other => other.to_string(),
    }
}

struct Mixed<'c> {
    facts: &'c Facts,
    places: &'c Places,
    issues: &'c mut Issues,
}

impl Mixed<'_> {
    fn list(&mut self, expr: &Expr) {
        let Kind::List { elements, optionals } = &*expr.kind else { return };
        let mut first: Option<&Type> = None;
        for (i, element) in elements.iter().enumerate() {
            let of = held(self.facts, element, optionals.contains(&i));
            match first {
                None => first = Some(of),
                Some(first) if !equivalent(first, of) => {
                    self.mismatch(element, first, of);
                    break;
                }
                Some(_) => {}
            }
        }
    }

    fn map(&mut self, expr: &Expr) {
        let Kind::Map(entries) = &*expr.kind else { return };
        let Some(first) = entries.first() else { return };
        let (keys, values) = (held(self.facts, &first.key, false), held(self.facts, &first.value, first.optional));
        for entry in &entries[1..] {
            let (key, value) = (held(self.facts, &entry.key, false), held(self.facts, &entry.value, entry.optional));
            if !equivalent(keys, key) {
                self.mismatch(&entry.key, keys, key);
            }
            if !equivalent(values, value) {
                self.mismatch(&entry.value, values, value);
            }
        }
    }

    fn mismatch(&mut self, expr: &Expr, expected: &Type, found: &Type) {
        self.issues.push(self.places.offset(expr.id), format!("expected type '{expected}' but found '{found}'"));
    }
}

/// A node's type; of an optional element what it holds.
fn held<'f>(facts: &'f Facts, expr: &Expr, optional: bool) -> &'f Type {
    let of = facts.type_of(expr);
    if optional { of.as_optional().unwrap_or(of) } else { of }
}

/// Equal; all types of types are one.
fn equivalent(a: &Type, b: &Type) -> bool {
    match (a, b) {
        (Type::Type(_), Type::Type(_)) => true,
        _ => a == b,
    }
}
