//! The environment in which selectors of devices are compiled, as `resource.k8s.io` has them.
//! Follows `k8s.io/dynamic-resource-allocation/cel` with its features of 1.37 as they are by default. Knows no kind, and does
//! not evaluate: that is the scheduler's.

use std::sync::LazyLock;

use crate::env::{Env, Stage};
use crate::program::{Estimator, Program};
use crate::types::Type;

/// The only variable.
const DEVICE: &str = "device";
/// What one evaluation may cost (`CELSelectorExpressionMaxCost`).
const COST_MAX: u64 = 1_000_000;
/// Attributes and capacities that a device can have, and the domains in which they are.
const NAMES_MAX: u64 = 32;
const DOMAIN_CHARS_MAX: u64 = 63;
const ID_CHARS_MAX: u64 = 32;
const DRIVER_CHARS_MAX: u64 = 63;
const ATTRIBUTE_CHARS_MAX: u64 = 64;

/// Why a selector is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It does not compile, or yields no truth.
    Invalid(String),
    /// The server could not make it ready to run.
    Internal(String),
    /// It may cost more than any selector.
    TooCostly,
}

static ENV: LazyLock<Env> = LazyLock::new(|| {
    let named = |of: Type| Type::map(Type::String, Type::map(Type::String, of));
    let device = Type::record(
        "kubernetes.DRADevice",
        [
            ("driver", Type::String),
            ("allowMultipleAllocations", Type::Bool),
            ("attributes", named(Type::Any)),
            ("capacity", named(Type::object("kubernetes.Quantity"))),
        ],
    );
    Env::new(Stage::New).variable(DEVICE, device).with_bind()
});

/// Judges a selector that is written now.
///
/// # Errors
/// What is wrong with it.
pub fn check(text: &str) -> Result<(), Fault> {
    let program = compile(text)?;
    if program.cost(&Sizes).max > COST_MAX { Err(Fault::TooCostly) } else { Ok(()) }
}

fn compile(text: &str) -> Result<Program, Fault> {
    let program = ENV.compile(text).map_err(|issues| match issues.instantiation() {
        Some(_) => Fault::Internal(issues.detail()),
        None => Fault::Invalid(issues.detail()),
    })?;
    match program.output() {
        Type::Bool | Type::Any => Ok(program),
        other => Err(Fault::Invalid(format!("must evaluate to bool or the unknown type, not {}", other.go_name()))),
    }
}

/// How large what a device says can be.
struct Sizes;

impl Estimator for Sizes {
    fn elements_max(&self, path: &[&str]) -> Option<u64> {
        match path.strip_prefix(&[DEVICE])? {
            [] => Some(0),
            ["driver"] => Some(DRIVER_CHARS_MAX),
            ["allowMultipleAllocations"] => Some(1),
            ["attributes" | "capacity"] => Some(NAMES_MAX),
            ["attributes" | "capacity", "@keys"] => Some(DOMAIN_CHARS_MAX),
            ["attributes" | "capacity", "@items" | "@values"] => Some(NAMES_MAX),
            ["attributes" | "capacity", "@items" | "@values", "@keys"] => Some(ID_CHARS_MAX),
            ["capacity", "@items" | "@values", "@items" | "@values"] => Some(0),
            // Whatever an attribute is called.
            ["attributes", "@items" | "@values", _] => Some(ATTRIBUTE_CHARS_MAX),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Costs are those of upstream's own table.
    #[test]
    fn selectors_cost_what_they_cost_upstream() {
        for (text, cost) in [
            ("true", 0),
            (r#"device.attributes["no-such-domain"].noSuchAttr.isGreaterThan(quantity("0"))"#, 6),
            (r#""no-such-domain" in device.attributes"#, 3),
            (r#"device.driver == """#, 2),
            (r#"device.driver == "dra.example.com""#, 4),
            (r#"device.attributes["dra.example.com"].name"#, 4),
            (r#"device.attributes["dra.example.com"]["name"]"#, 4),
            (r#"cel.bind(dra, device.attributes["dra.example.com"], dra.name)"#, 15),
            (r#"device.attributes["dra.example.com"].name > 0"#, 5),
            (r#"device.attributes["dra.example.com"].name == "fish""#, 5),
            (r#"device.attributes["dra.example.com"].names.size() == 2"#, 6),
            (r#"device.attributes["dra.example.com"].name.isGreaterThan(semver("0.0.1"))"#, 6),
            (r#"device.capacity["dra.example.com"].name.isGreaterThan(quantity("1Ki"))"#, 6),
            (r#"device.attributes.exists_one(x, x == "dra.example.com")"#, 164),
            (r#"device.attributes["dra.example.com"].exists_one(x, x == "services")"#, 133),
            (r#"device.attributes["dra.example.com"].services.split("example").size() >= 2"#, 19),
            (r#"device.attributes["dra.example.com"].services.matches("[^a]?sym")"#, 18),
            (r#"device.capacity["dra.example.com"].exists_one(x, x == "memory")"#, 133),
            ("device.allowMultipleAllocations == true", 3),
        ] {
            let program = compile(text).unwrap_or_else(|why| panic!("{text}: {why:?}"));
            assert_eq!(program.cost(&Sizes).max, cost, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_as_upstream_tells_it() {
        let told = |text: &str| match check(text) {
            Err(Fault::Invalid(why)) => why,
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(told("1"), "must evaluate to bool or the unknown type, not int");
        assert_eq!(
            told("device.attributes"),
            "must evaluate to bool or the unknown type, not map(string, map(string, google.protobuf.Any))"
        );
        assert!(told(r#"device.attributes["a"].ids.exists(id, id == 1)"#).starts_with("compilation failed: ERROR: <input>:1:23: expression of type 'any' cannot be range of a comprehension (must be list, map, or dynamic)"));
        assert!(
            told("").starts_with("compilation failed: ERROR: <input>:1:0: Syntax error: mismatched input '<EOF>' expecting {")
        );
        assert!(told("device.size").contains("undefined field 'size'"));
        assert!(told("cel.bind(a.b, 1, true)").contains("cel.bind() variable names must be simple identifiers"));
        let ten = "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]";
        let dear = (0..7).fold("int('1'.find('[0-9]*')) < 100".to_owned(), |inner, i| format!("{ten}.all(x{i}, {inner})"));
        assert_eq!(check(&dear), Err(Fault::TooCostly));
    }

    #[test]
    fn names_are_bound_where_the_environment_has_it() {
        let program = Env::new(Stage::New).with_bind().compile("cel.bind(a, 'x', a + a) == 'xx'").expect("compiles");
        let value = program.eval(&crate::Bindings::default(), COST_MAX).result;
        assert!(matches!(value, Ok(crate::Value::Bool(true))), "{value:?}");
        assert!(Env::new(Stage::New).compile("cel.bind(a, 'x', a + a)").is_err());
    }
}
