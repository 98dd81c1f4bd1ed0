//! What calls of the libraries can cost. Follows `EstimateCallCost` of Kubernetes' `library/cost.go`, cel-go's `ext/lists` at
//! version 3 and `ext/sets`.

use std::rc::Rc;
use std::sync::Arc;

use super::estimate::{Estimate, Part, estimated};
use super::size::Range;
use super::{AUTHORIZATION, LIST, REGEX, TEXT, scaled};
use crate::ast::{Kind, Literal};
use crate::program::Estimator;
use crate::types::{Fields, Type};

/// The longest regular expression of a named format, for the estimate.
const FORMAT_REGEX_MAX: u64 = 128;
/// The longest name of a format.
const FORMAT_NAME_MAX: u64 = 64;

fn size(estimator: &dyn Estimator, part: &Part<'_>) -> Range {
    part.size.or_else(|| estimated(estimator, &part.path)).unwrap_or(Range::UNKNOWN)
}

/// The value of a whole number in the text, or what it is taken for.
fn literal(part: &Part<'_>, otherwise: u64) -> u64 {
    match part.expr.map(|expr| &*expr.kind) {
        Some(Kind::Literal(Literal::Int(number))) => u64::try_from(*number).unwrap_or(0),
        _ => otherwise,
    }
}

fn allocating(factor: f64, size: Range) -> Option<Estimate> {
    let cost = size.scaled(factor).plus(Range::fixed(1 + LIST));
    Some(Estimate { cost, size: Some(size) })
}

/// cel-go's extensions that estimate themselves.
pub(super) fn extension(
    estimator: &dyn Estimator,
    overload: &str,
    target: Option<&Part<'_>>,
    args: &[Part<'_>],
) -> Option<Estimate> {
    match (overload, target, args) {
        ("list_slice", Some(target), [start, end]) => {
            let end = literal(end, size(estimator, target).max);
            allocating(1.0, Range::fixed(end.wrapping_sub(literal(start, 0))))
        }
        ("lists_range", None, [count]) => allocating(1.0, Range::fixed(literal(count, u64::MAX))),
        ("list_reverse", Some(target), []) => allocating(1.0, size(estimator, target)),
        ("list_flatten", Some(target), []) => allocating(1.0, size(estimator, target)),
        ("list_flatten_int", Some(target), [depth]) => allocating(literal(depth, u64::MAX) as f64, size(estimator, target)),
        ("list_distinct", Some(target), []) => compared(size(estimator, target), 2.0),
        (sort, Some(target), []) if sort.starts_with("list_") && sort.ends_with("_sort") => {
            compared(size(estimator, target), sort_factor(sort))
        }
        (sort, Some(_), [keys]) if sort.ends_with("_sortByAssociatedKeys") => compared(size(estimator, keys), sort_factor(sort)),
        ("list_sets_contains_list" | "list_sets_intersects_list" | "list_sets_equivalent_list", _, [a, b]) => {
            let factor = if overload == "list_sets_equivalent_list" { 2.0 } else { 1.0 };
            let product = size(estimator, a).times(size(estimator, b)).scaled(factor);
            Some(Estimate::cost(product.plus(Range::fixed(1))))
        }
        _ => None,
    }
}

fn compared(size: Range, factor: f64) -> Option<Estimate> {
    allocating(factor, size.times(size))
}

fn sort_factor(overload: &str) -> f64 {
    let text = overload.starts_with("list_string_") || overload.starts_with("list_bytes_");
    if text { 2.0 + TEXT } else { 2.0 }
}

/// Kubernetes' own functions, and those that it estimates itself.
pub(super) fn kubernetes(
    estimator: &dyn Estimator,
    (function, overload): (&str, &str),
    target: Option<&Part<'_>>,
    args: &[Part<'_>],
) -> Option<Estimate> {
    let size = |part: &Part<'_>| size(estimator, part);
    let fixed = |cost: u64| Some(Estimate::cost(Range::fixed(cost)));
    match (function, target, args) {
        ("check", ..) => fixed(AUTHORIZATION),
        (
            "serviceAccount" | "path" | "group" | "resource" | "subresource" | "namespace" | "name" | "allowed" | "reason"
            | "error" | "errored",
            ..,
        ) => fixed(1),
        ("fieldSelector" | "labelSelector", _, [selector]) => {
            let length = size(selector);
            Some(Estimate::cost(Range::fixed(LIST).plus(length.scaled(TEXT)).plus(length.scaled(0.5).scaled(50.0))))
        }
        ("isSorted" | "sum" | "max" | "min" | "indexOf" | "lastIndexOf" | "includes", Some(target), _) => {
            Some(Estimate::cost(scan(estimator, function, target)))
        }
        ("url" | "jsonpatch.escapeKey", _, [text]) => Some(Estimate { cost: size(text).scaled(TEXT), size: Some(size(text)) }),
        ("lowerAscii" | "upperAscii" | "substring" | "trim", Some(target), _) => {
            Some(Estimate { cost: size(target).scaled(TEXT), size: Some(size(target)) })
        }
        ("replace", Some(target), [old, new, ..]) => {
            let cost = size(target).scaled(2.0 * TEXT);
            Some(Estimate { cost, size: Some(replaced(size(target), size(old), size(new))) })
        }
        ("split", Some(target), _) => {
            let text = size(target);
            let max = match args.get(1).and_then(|limit| limit.expr).map(|expr| &*expr.kind) {
                Some(Kind::Literal(Literal::Int(limit))) => *limit as u64,
                _ => text.max,
            };
            Some(Estimate { cost: text.scaled(2.0 * TEXT), size: Some(Range { min: 0, max }) })
        }
        ("join", Some(target), _) => {
            let joined = joined_size(estimator, target, args.first());
            Some(Estimate { cost: joined.scaled(TEXT), size: Some(joined) })
        }
        ("find" | "findAll", Some(target), [pattern, ..]) => {
            let text = size(target);
            let cost = text.plus(Range::fixed(1)).scaled(TEXT).times(size(pattern).scaled(REGEX));
            Some(Estimate { cost, size: Some(Range { min: 0, max: text.max }) })
        }
        ("ip", ..) if overload == "cidr_ip" => fixed(1),
        ("cidr" | "isIP" | "isCIDR" | "ip" | "quantity" | "isQuantity" | "semver" | "isSemver", _, [text, ..]) => {
            Some(Estimate::cost(size(text).scaled(TEXT)))
        }
        ("ip.isCanonical", _, [text, ..]) => Some(Estimate::cost(size(text).scaled(2.0 * TEXT))),
        ("containsIP" | "containsCIDR", _, [other, ..]) => Some(Estimate::cost(contains(function, overload, size(other)))),
        ("validate", _, [text, ..]) => {
            let regex = FORMAT_REGEX_MAX as f64 * REGEX;
            Some(Estimate::cost(size(text).scaled(TEXT).scaled(regex)))
        }
        (
            "masked"
            | "prefixLength"
            | "family"
            | "isUnspecified"
            | "isLoopback"
            | "isLinkLocalMulticast"
            | "isLinkLocalUnicast"
            | "isGlobalUnicast"
            | "format.named"
            | "sign"
            | "asInteger"
            | "isInteger"
            | "asApproximateFloat"
            | "isGreaterThan"
            | "isLessThan"
            | "compareTo"
            | "add"
            | "sub"
            | "major"
            | "minor"
            | "patch"
            | "getScheme"
            | "getHostname"
            | "getHost"
            | "getPort"
            | "getEscapedPath"
            | "getQuery",
            ..,
        ) => fixed(1),
        ("_==_", _, [a, b]) if a.of == b.of => equality(a, b),
        _ => None,
    }
}

/// The part that a list's items are.
fn items<'e>(list: &Part<'_>) -> Option<Part<'e>> {
    // Any parameter of the type counts as the items', a map's keys and what an optional holds included.
    let of = match &list.of {
        Type::List(items) => (**items).clone(),
        Type::Map(map) => map.0.clone(),
        Type::Opaque(_, params) => params.first()?.clone(),
        _ => return None,
    };
    let path = if list.path.is_empty() { Rc::from([]) } else { list.path.iter().cloned().chain([Arc::from("@items")]).collect() };
    Some(Part { path, of, expr: None, size: None })
}

fn scan(estimator: &dyn Estimator, function: &str, target: &Part<'_>) -> Range {
    let length = size(estimator, target);
    match items(target) {
        Some(item) => {
            let mut one = Range::fixed(1);
            if matches!(item.of, Type::String | Type::Bytes) {
                one = one.plus(size(estimator, &item).scaled(TEXT));
            }
            length.times(one)
        }
        None if function == "includes" => length,
        None => length.scaled(TEXT),
    }
}

fn replaced(text: Range, old: Range, new: Range) -> Range {
    let per = |size: u64, part: u64| (size as f64 / part as f64).ceil();
    let whole = |count: f64| if count >= 2f64.powi(64) { u64::MAX } else { count as u64 };
    let (mut count, mut kept) = (Range::ZERO, Range::ZERO);
    if old.min == 0 {
        // Nothing is found around each character.
        count.max = text.max.saturating_add(1);
        kept.max = text.max;
    } else if new.max <= old.min {
        kept.max = text.max;
    } else {
        count.max = whole(per(text.max, old.min));
    }
    if old.max == 0 {
        count.min = text.min.saturating_add(1);
        kept.min = text.min;
    } else if old.max <= new.min {
        kept.min = text.min;
    } else {
        count.min = whole(per(text.min, old.max));
    }
    count.times(new).plus(kept)
}

fn joined_size(estimator: &dyn Estimator, list: &Part<'_>, separator: Option<&Part<'_>>) -> Range {
    let length = size(estimator, list);
    let mut joined = match items(list) {
        Some(item) => length.times(size(estimator, &item)),
        None => Range::ZERO,
    };
    if let Some(separator) = separator {
        let count = Range { min: length.min.saturating_sub(1), max: length.max.saturating_sub(1) };
        joined = joined.plus(size(estimator, separator).times(count));
    }
    joined
}

/// Addresses have four or sixteen bytes.
fn contains(function: &str, overload: &str, other: Range) -> Range {
    let address = Range { min: 4, max: 16 };
    let mut cost = address.plus(address).scaled(TEXT);
    if function == "containsCIDR" {
        cost = cost.plus(address.scaled(TEXT)).plus(Range::fixed(1));
    }
    if matches!(overload, "cidr_contains_ip_string" | "cidr_contains_cidr_string") {
        cost = cost.plus(other.scaled(TEXT));
    }
    cost
}

/// Values of Kubernetes' types compare at once, but for URLs and the names of formats.
fn equality(a: &Part<'_>, b: &Part<'_>) -> Option<Estimate> {
    let name = match &a.of {
        Type::Object(object) if matches!(object.fields, Fields::Hidden) => object.name(),
        Type::Opaque(name, _) if matches!(&**name, "net.IP" | "net.CIDR") => name,
        _ => return None,
    };
    let max = match name {
        "kubernetes.NamedFormat" => scaled(FORMAT_NAME_MAX, TEXT),
        // Upstream takes the second operand's size for both.
        "kubernetes.URL" => scaled(b.size.map_or(1, |size| size.max), TEXT),
        _ => 1,
    };
    Some(Estimate::cost(Range { min: 1, max }))
}
