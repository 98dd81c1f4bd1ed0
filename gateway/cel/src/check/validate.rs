//! What Kubernetes checks beyond types: literals that cannot be read, lists and maps of mixed types.
//! Follows cel-go's `cel/validator.go`.

use super::{Facts, Places};
use crate::ast::{Expr, Kind, Literal};
use crate::issue::Issues;
use crate::library::time;
use crate::types::Type;

/// Adds what is wrong.
pub(super) fn validate(root: &Expr, facts: &Facts, places: &Places, issues: &mut Issues) {
    let literal: [(&str, usize, fn(&str) -> bool); 3] = [
        ("duration", 0, |text| time::parse_duration(text).is_ok()),
        ("timestamp", 0, |text| time::parse_timestamp(text).is_ok()),
        ("matches", 0, |text| crate::library::regex::compile(text).is_ok()),
    ];
    for (function, argument, readable) in literal {
        visit(root, &mut |expr| {
            if let Kind::Call { function: name, args, .. } = &*expr.kind
                && &**name == function
                && let Some(arg) = args.get(argument)
                && let Kind::Literal(Literal::String(text)) = &*arg.kind
                && !readable(text)
            {
                issues.push(places.offset(arg.id), format!("invalid {function} argument"));
            }
        });
    }
    let mut mixed = Mixed { facts, places, issues };
    visit(root, &mut |expr| mixed.list(expr));
    visit(root, &mut |expr| mixed.map(expr));
}

fn visit(expr: &Expr, see: &mut dyn FnMut(&Expr)) {
    see(expr);
    for child in expr.children() {
        visit(child, see);
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
