//! What a call did cost. Follows cel-go's `interpreter/runtimecost.go` and `CallCost` of Kubernetes' `library/cost.go`.

use super::{AUTHORIZATION, LIST, REGEX, TEXT, scaled};
use crate::library::opaque::Opaque;
use crate::value::Value;

/// The cost of a call with its arguments and what it gave.
pub(crate) fn call(function: &str, overload: &str, args: &[Value<'_>], result: Option<&Value<'_>>) -> u64 {
    extension(overload, args, result)
        .or_else(|| kubernetes(function, overload, args, result))
        .unwrap_or_else(|| standard(overload, args))
}

fn size(value: &Value<'_>) -> u64 {
    match value {
        Value::Optional(Some(inner)) => size(inner),
        other => other.size().unwrap_or(1),
    }
}

/// The size without looking into optionals, as Kubernetes' and the extensions' code does.
fn own_size(value: Option<&Value<'_>>) -> u64 {
    value.and_then(Value::size).unwrap_or(1)
}

fn standard(overload: &str, args: &[Value<'_>]) -> u64 {
    match (overload, args) {
        ("starts_with_string" | "ends_with_string", [_, part]) => scaled(size(part), TEXT),
        ("string_to_bytes" | "bytes_to_string" | "strings_quote" | "string_format", [text, ..]) => scaled(size(text), TEXT),
        ("in_list", [_, list]) => size(list),
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
            [a, b],
        ) => scaled(size(a).min(size(b)), TEXT),
        ("add_string" | "add_bytes", [a, b]) => scaled(size(a) + size(b), TEXT),
        ("matches" | "matches_string", [text, pattern]) => {
            scaled(size(text) + 1, TEXT).saturating_mul(scaled(size(pattern), REGEX))
        }
        ("contains_string", [text, part]) => scaled(size(text), TEXT).saturating_mul(scaled(size(part), TEXT)),
        _ => 1,
    }
}

/// cel-go's `ext/lists` and `ext/sets`.
fn extension(overload: &str, args: &[Value<'_>], result: Option<&Value<'_>>) -> Option<u64> {
    let allocating = |factor: f64, size: u64| ((size as f64 * factor) as u64).saturating_add(1 + LIST);
    Some(match overload {
        "list_slice" | "lists_range" | "list_reverse" => allocating(1.0, own_size(result)),
        "list_flatten" => allocating(1.0, own_size(args.first())),
        "list_flatten_int" => {
            let depth = match args.get(1) {
                Some(Value::Int(depth)) if *depth >= 0 => *depth as f64,
                _ => 1.0,
            };
            allocating(depth, own_size(args.first()))
        }
        "list_distinct" => compared(args.first()),
        "list_sets_contains_list" | "list_sets_intersects_list" => {
            1 + own_size(args.first()).saturating_mul(own_size(args.get(1)))
        }
        "list_sets_equivalent_list" => 1 + own_size(args.first()).saturating_mul(own_size(args.get(1))).saturating_mul(2),
        _ if overload.ends_with("_sortByAssociatedKeys") => compared(args.get(1)),
        _ if overload.ends_with("_sort") && overload.starts_with("list_") => compared(args.first()),
        _ => return None,
    })
}

/// A list of which each item is compared with each.
fn compared(list: Option<&Value<'_>>) -> u64 {
    let Some(Value::List(list)) = list else { return 1 + LIST };
    let text = matches!(list.get(0), Some(Ok(Value::String(_) | Value::Bytes(_))));
    let factor = if text { 2.0 + TEXT } else { 2.0 };
    let size = list.len() as u64;
    ((size.saturating_mul(size) as f64 * factor) as u64).saturating_add(1 + LIST)
}

fn kubernetes(function: &str, overload: &str, args: &[Value<'_>], result: Option<&Value<'_>>) -> Option<u64> {
    let first = || own_size(args.first());
    Some(match function {
        "check" => AUTHORIZATION,
        "serviceAccount" | "path" | "group" | "resource" | "subresource" | "namespace" | "name" | "allowed" | "reason"
        | "error" | "errored" => 1,
        "fieldSelector" | "labelSelector" => {
            let length = own_size(args.get(1));
            LIST + scaled(length, TEXT) + scaled(scaled(length, 0.5), 50.0)
        }
        "isSorted" | "sum" | "max" | "min" | "indexOf" | "lastIndexOf" | "includes" => args.first().map_or(0, traversal),
        "url" | "lowerAscii" | "upperAscii" | "substring" | "trim" | "jsonpatch.escapeKey" => scaled(first(), TEXT),
        "replace" | "split" => scaled(first(), 2.0 * TEXT),
        "join" => scaled(own_size(result), 2.0 * TEXT),
        "find" | "findAll" => scaled(first() + 1, TEXT).saturating_mul(scaled(own_size(args.get(1)), REGEX)),
        "ip" if overload == "cidr_ip" => 1,
        "cidr" | "isIP" | "isCIDR" | "ip" | "quantity" | "isQuantity" | "semver" | "isSemver" => scaled(first(), TEXT),
        "ip.isCanonical" => scaled(first(), 2.0 * TEXT),
        "containsIP" | "containsCIDR" => contains(function, overload, args),
        "validate" => match args.first() {
            Some(Value::Opaque(opaque)) => match &**opaque {
                Opaque::Format(format) => {
                    scaled(own_size(args.get(1)) + 1, TEXT).saturating_mul(scaled(format.regex_bytes, REGEX))
                }
                _ => return None,
            },
            _ => return None,
        },
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
        | "getQuery" => 1,
        "_==_" if matches!(args.first(), Some(Value::Opaque(_))) => 1,
        _ => return None,
    })
}

fn contains(function: &str, overload: &str, args: &[Value<'_>]) -> u64 {
    let cidr = own_size(args.first());
    let mut cost = scaled(cidr * 2, TEXT);
    if function == "containsCIDR" {
        cost += scaled(cidr, TEXT) + 1;
    }
    if matches!(overload, "cidr_contains_ip_string" | "cidr_contains_cidr_string") {
        cost += scaled(own_size(args.get(1)), TEXT);
    }
    cost
}

/// What going through a value costs.
fn traversal(value: &Value<'_>) -> u64 {
    match value {
        Value::String(text) => (text.len() as f64 * TEXT) as u64,
        Value::Bytes(bytes) => (bytes.len() as f64 * TEXT) as u64,
        Value::List(list) => list.iter().map(|item| item.map_or(1, |item| traversal(&item))).sum(),
        Value::Map(map) => {
            let one = |key: &Value<'_>| traversal(key) + map.find_any(key).map_or(1, |value| traversal(&value));
            map.keys().iter().map(one).sum()
        }
        _ => 1,
    }
}
