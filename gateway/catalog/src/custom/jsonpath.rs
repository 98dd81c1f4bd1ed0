//! kubectl's dialect of JSONPath, by which custom resources name the values of columns, selectable fields and replicas.
//! Follows `k8s.io/client-go/util/jsonpath` with missing keys allowed, as far as one path goes: no templates, no ranges.

mod eval;
mod parse;

use model::Value;

/// A path, parsed once.
#[derive(Clone, Debug, PartialEq)]
pub struct Path(Vec<Node>);

/// A step of a path.
#[derive(Clone, Debug, PartialEq)]
enum Node {
    /// `.name` or `['name']`.
    Field(String),
    /// `[first:last:step]`, `[index]` or `[*]`.
    Slice(Slice),
    /// `.*`
    Wildcard,
    /// `..`
    Recursive,
    /// `[0,2]`
    Union(Vec<Vec<Node>>),
    /// `[?(@.a == "b")]`
    Filter(Vec<Node>, String, Vec<Node>),
    /// A text, number or boolean that stands for itself, as in a filter.
    Literal(Value),
    /// A word alone, such as kubectl's `range`: it can be read, and leads nowhere.
    Identifier(String),
}

/// The bounds of a slice, each where it is said.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Slice {
    first: Option<i64>,
    last: Option<i64>,
    step: Option<i64>,
    /// `last` follows from a single index.
    single: bool,
}

impl Path {
    /// Reads `.spec.replicas`; what stands between the braces of kubectl's templates. Fails with the reason.
    pub fn parse(text: &str) -> Result<Self, String> {
        parse::path(text).map(Self)
    }

    /// All values that the path leads to; what is not there is no fault. Fails where upstream's evaluation does: an index
    /// out of bounds, a step into a scalar, values that cannot be compared.
    pub fn find(&self, value: &Value) -> Result<Vec<Value>, String> {
        eval::walk(&self.0, vec![value.clone()])
    }

    /// The names of a path that is nothing but fields: `.spec.replicas`.
    pub fn fields(&self) -> Option<Vec<&str>> {
        let name = |node: &Node| matches!(node, Node::Field(_)).then_some(());
        self.0.iter().try_for_each(name)?;
        Some(self.0.iter().filter_map(|node| if let Node::Field(name) = node { Some(&**name) } else { None }).collect())
    }
}

/// A value as the path language prints it.
pub fn print(value: &Value) -> String {
    match value {
        // Go's text/template has this word for what is nil.
        Value::Null => "<no value>".to_owned(),
        Value::Array(_) | Value::Object(_) => {
            let mut out = Vec::new();
            codec::go_json::write_sorted(value, &mut out);
            String::from_utf8_lossy(&out).into_owned()
        }
        scalar => schema::patch::go_print(scalar),
    }
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    fn found(path: &str, value: &Value) -> Result<Vec<Value>, String> {
        Path::parse(path).expect(path).find(value)
    }

    #[test]
    fn paths_lead_where_kubectls_do() {
        let object = json!({
            "spec": {"replicas": 3, "a.b": "dotted", "list": [{"n": 1, "t": "x"}, {"n": 2, "t": "y"}, {"n": 3, "t": "x"}]},
            "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Done", "status": "False"}]},
        });
        for (path, want) in [
            (".spec.replicas", json!([3])),
            ("$.spec.replicas", json!([3])),
            (".spec.nothing.more", json!([])),
            (".spec.a\\.b", json!(["dotted"])),
            (".spec['a\\.b']", json!(["dotted"])),
            (".spec.list[0].n", json!([1])),
            (".spec.list[-1].n", json!([3])),
            (".spec.list[1:].n", json!([2, 3])),
            (".spec.list[*].n", json!([1, 2, 3])),
            (".spec.list[0,2].n", json!([1, 3])),
            (".spec.list[?(@.t==\"x\")].n", json!([1, 3])),
            (".spec.list[?(@.n > 1)].n", json!([2, 3])),
            (".status.conditions[?(@.type=='Ready')].status", json!(["True"])),
            (".status.conditions[?(@.nothing)].status", json!([])),
            ("..type", json!(["Ready", "Done"])),
        ] {
            assert_eq!(found(path, &object).map(Value::from), Ok(want), "{path}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for path in [".spec[", ".list[a]", "[?(@.a==\"b\"]", "#", ".a['b"] {
            assert!(Path::parse(path).is_err(), "{path}");
        }
        for index in ["5", "9223372036854775807"] {
            assert!(found(&format!(".list[{index}]"), &json!({"list": [1]})).is_err(), "{index}");
        }
        assert_eq!(found("a", &json!({"a": 1})), Err("unrecognized identifier a".to_owned()));
        for (path, why) in [
            ("a\nb", "unclosed action"),
            ("010.0.0.0/8", "cannot parse number 010.0.0.0"),
            ("a\tb", "unrecognized character in action: U+0009"),
            ("[1\n]", "unterminated array"),
            ("/", "unrecognized character in action: U+002F '/'"),
        ] {
            assert_eq!(Path::parse(path), Err(why.to_owned()), "{path}");
        }
        assert!(found(".a[0]", &json!({"a": "text"})).is_err());
    }

    #[test]
    fn values_print_as_go_prints_them() {
        for (value, text) in [
            (json!("a"), "a"),
            (json!(1.5), "1.5"),
            (json!(true), "true"),
            (json!({"b": 1, "a": "<"}), r#"{"a":"\u003c","b":1}"#),
        ] {
            assert_eq!(print(&value), text);
        }
    }
}
