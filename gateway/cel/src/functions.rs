//! What functions exist: their names, overloads and signatures, in the order cel-go resolves them.
//! Follows `common/stdlib`, the optional types, `ext/{strings,lists,sets,comprehensions}` at the versions of Kubernetes 1.37 and
//! `k8s.io/apiserver/pkg/cel/library`. What they do is in `library`, what they cost in `cost`.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::env::Stage;
use crate::types::Type;

/// A function with its overloads.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: &'static str,
    pub(crate) overloads: Vec<Overload>,
}

/// One signature.
#[derive(Debug)]
pub(crate) struct Overload {
    pub(crate) id: &'static str,
    /// Called as a method of its first argument.
    pub(crate) member: bool,
    pub(crate) args: Vec<Type>,
    pub(crate) result: Type,
    pub(crate) params: Vec<&'static str>,
}

/// Functions without families: name, overload, signature. A signature `A.(B) C` is a method, `(A, B) C` is not.
const TABLE: &str = include_str!("functions.txt");

/// Types over which comparing functions repeat: the word in overload names, the type, and its name in ext lists.
const COMPARABLE: [(&str, &str); 8] = [
    ("int", "int"),
    ("uint", "uint"),
    ("double", "double"),
    ("bool", "bool"),
    ("duration", "duration"),
    ("timestamp", "timestamp"),
    ("string", "string"),
    ("bytes", "bytes"),
];

/// The functions of an environment by name.
pub(crate) type Functions = HashMap<&'static str, Function>;

/// Stored expressions may use what this version added; new ones only what the version before knew.
pub(crate) fn functions(stage: Stage) -> &'static Functions {
    static STORED: LazyLock<Functions> = LazyLock::new(|| build(Stage::Stored));
    static NEW: LazyLock<Functions> = LazyLock::new(|| build(Stage::New));
    match stage {
        Stage::Stored => &STORED,
        Stage::New => &NEW,
    }
}

fn build(stage: Stage) -> Functions {
    let mut functions = Functions::new();
    for line in TABLE.lines().filter(|line| !line.is_empty()) {
        let mut words = line.splitn(3, ' ');
        if let (Some(name), Some(id), Some(signature)) = (words.next(), words.next(), words.next()) {
            add(&mut functions, name, id, signature);
        }
    }
    if stage == Stage::Stored {
        add(&mut functions, "includes", "list_includes_dyn_dyn", "dyn.(dyn) bool");
    }
    for (word, of) in COMPARABLE {
        let mut family = |name: &'static str, id: String, signature: String| add(&mut functions, name, leak(id), &signature);
        family("isSorted", format!("list_{word}_is_sorted_bool"), format!("list({of}).() bool"));
        family("max", format!("list_{word}_max_{word}"), format!("list({of}).() {of}"));
        family("min", format!("list_{word}_min_{word}"), format!("list({of}).() {of}"));
        let full = match word {
            "duration" => "google.protobuf.Duration",
            "timestamp" => "google.protobuf.Timestamp",
            word => word,
        };
        family("sort", format!("list_{full}_sort"), format!("list({of}).() list({of})"));
        family("@sortByAssociatedKeys", format!("list_{full}_sortByAssociatedKeys"), format!("list(T).(list({of})) list(T)"));
        if matches!(word, "int" | "uint" | "double" | "duration") {
            family("sum", format!("list_{word}_sum_{word}"), format!("list({of}).() {of}"));
        }
    }
    for (name, word) in [("_<_", "less"), ("_<=_", "less_equals"), ("_>_", "greater"), ("_>=_", "greater_equals")] {
        for (suffix, left, right) in COMPARISONS {
            add(&mut functions, name, leak(format!("{word}_{suffix}")), &format!("({left}, {right}) bool"));
        }
    }
    functions
}

/// The pairs that compare.
const COMPARISONS: [(&str, &str, &str); 14] = [
    ("bool", "bool", "bool"),
    ("int64", "int", "int"),
    ("int64_double", "int", "double"),
    ("int64_uint64", "int", "uint"),
    ("uint64", "uint", "uint"),
    ("uint64_double", "uint", "double"),
    ("uint64_int64", "uint", "int"),
    ("double", "double", "double"),
    ("double_int64", "double", "int"),
    ("double_uint64", "double", "uint"),
    ("string", "string", "string"),
    ("bytes", "bytes", "bytes"),
    ("timestamp", "timestamp", "timestamp"),
    ("duration", "duration", "duration"),
];

/// Names made once for the life of the process.
fn leak(name: String) -> &'static str {
    Box::leak(name.into_boxed_str())
}

fn add(functions: &mut Functions, name: &'static str, id: &'static str, signature: &str) {
    let mut params = Vec::new();
    let mut rest = signature;
    let mut args = Vec::new();
    let member = !rest.starts_with('(');
    if member {
        args.push(read(&mut rest, &mut params));
        rest = &rest[1..];
    }
    rest = &rest[1..];
    while !rest.starts_with(')') {
        args.push(read(&mut rest, &mut params));
        rest = rest.strip_prefix(", ").unwrap_or(rest);
    }
    rest = &rest[2..];
    let result = read(&mut rest, &mut params);
    let overload = Overload { id, member, args, result, params };
    functions.entry(name).or_insert_with(|| Function { name, overloads: Vec::new() }).overloads.push(overload);
}

/// Reads one type off the front of a signature.
fn read(rest: &mut &str, params: &mut Vec<&'static str>) -> Type {
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
    let word = &rest[..end];
    *rest = &rest[end..];
    let mut inner = |rest: &mut &str| {
        *rest = &rest[1..];
        let first = read(rest, params);
        let second = rest.strip_prefix(',').map(|after| {
            *rest = after;
            read(rest, params)
        });
        *rest = &rest[1..];
        (first, second)
    };
    match word {
        "list" => Type::list(inner(rest).0),
        "opt" => Type::optional(inner(rest).0),
        "type" => Type::Type(Some(inner(rest).0.into())),
        "map" => match inner(rest) {
            (keys, Some(values)) => Type::map(keys, values),
            (keys, None) => Type::map(keys, Type::Dyn),
        },
        _ => match named(word) {
            Some(found) => found,
            None => {
                let name = ["A", "B", "K", "V", "T"].into_iter().find(|name| *name == word).unwrap_or("A");
                if !params.contains(&name) {
                    params.push(name);
                }
                Type::param(name)
            }
        },
    }
}

fn named(word: &str) -> Option<Type> {
    Some(match word {
        "dyn" => Type::Dyn,
        "null" => Type::Null,
        "bool" => Type::Bool,
        "int" => Type::Int,
        "uint" => Type::Uint,
        "double" => Type::Double,
        "string" => Type::String,
        "bytes" => Type::Bytes,
        "timestamp" => Type::Timestamp,
        "duration" => Type::Duration,
        "quantity" => Type::object("kubernetes.Quantity"),
        "url" => Type::object("kubernetes.URL"),
        "semver" => Type::object("kubernetes.Semver"),
        "format" => Type::object("kubernetes.NamedFormat"),
        "ip" => Type::opaque("net.IP"),
        "cidr" => Type::opaque("net.CIDR"),
        "authorizer" => Type::object("kubernetes.authorization.Authorizer"),
        "pathcheck" => Type::object("kubernetes.authorization.PathCheck"),
        "groupcheck" => Type::object("kubernetes.authorization.GroupCheck"),
        "resourcecheck" => Type::object("kubernetes.authorization.ResourceCheck"),
        "decision" => Type::object("kubernetes.authorization.Decision"),
        _ => return None,
    })
}

/// Types that expressions can name.
pub(crate) fn type_named(name: &str) -> Option<Type> {
    Some(match name {
        "bool" => Type::Bool,
        "bytes" => Type::Bytes,
        "double" => Type::Double,
        "int" => Type::Int,
        "uint" => Type::Uint,
        "string" => Type::String,
        "list" => Type::list(Type::Dyn),
        "map" => Type::map(Type::Dyn, Type::Dyn),
        "null_type" => Type::Null,
        "type" => Type::Type(None),
        "google.protobuf.Duration" => Type::Duration,
        "google.protobuf.Timestamp" => Type::Timestamp,
        "optional_type" => Type::optional(Type::param("V")),
        "net.IP" => Type::opaque("net.IP"),
        "net.CIDR" => Type::opaque("net.CIDR"),
        _ => return None,
    })
}
