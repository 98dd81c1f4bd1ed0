//! Whatever a client sends: nothing panics, nothing runs without end, nothing nests deeper than the stack.

#[path = "../../mutate.rs"]
mod mutate;

use cel::{Bindings, CALL_COST_MAX, Decl, Env, Error, ListKind, Stage, Value};
use model::json::json;
use proptest::prelude::*;

fn declared() -> Decl {
    let entry = Decl::object([("key", Decl::string("", Some(10), None), true), ("value", Decl::int(), false)]);
    Decl::object([
        ("name", Decl::string("", Some(63), None), true),
        ("tags", Decl::list(Decl::string("", None, None), ListKind::Set, None), false),
        ("listed", Decl::list(entry, ListKind::Map(vec!["key".into()]), Some(5)), false),
        ("labels", Decl::map(Decl::string("", None, None), None), false),
        ("port", Decl::int_or_string(None), false),
        ("since", Decl::string("date-time", None, None), false),
    ])
}

/// Compiles, estimates and runs; all of it must end.
fn run(text: &str) {
    let decl = declared();
    let data = json!({
        "name": "web", "tags": ["a", "b"], "listed": [{"key": "k", "value": 1}], "labels": {"a": "b"}, "port": 80, "since": "never"
    });
    for stage in [Stage::New, Stage::Stored] {
        match Env::new(stage).rule(&decl, stage == Stage::New).compile(text) {
            Ok(program) => {
                let cost = program.cost(&decl);
                assert!(cost.min <= cost.max || cost.max == 0, "{text}: {cost:?}");
                let bindings = Bindings::default()
                    .set("self", Value::declared(&data, &decl))
                    .set("oldSelf", Value::optional(Some(Value::declared(&data, &decl))));
                let evaluation = program.eval(&bindings, 10_000);
                if let Ok(value) = evaluation.result {
                    value.to_literal();
                }
            }
            Err(issues) => assert!(!issues.detail().is_empty()),
        }
    }
}

/// Words that expressions are made of.
fn words() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "self",
        ".name",
        ".tags",
        ".labels",
        ".port",
        ".since",
        ".listed",
        ".?x",
        "[0]",
        "[?",
        "]",
        "(",
        ")",
        "{",
        "}",
        "[",
        ",",
        ":",
        "?",
        "+",
        "-",
        "*",
        "/",
        "%",
        "&&",
        "||",
        "!",
        "==",
        "!=",
        "<",
        ">=",
        "in",
        "1",
        "2u",
        "1.5",
        "'a'",
        "\"b\"",
        "b'c'",
        "true",
        "null",
        "x",
        ".all(x, x)",
        ".map(x, x)",
        ".exists(",
        ".filter(x,",
        "has(",
        "size(",
        "type(",
        "optional.of(",
        ".orValue(",
        "duration(",
        "timestamp(",
        "string(",
        "int(",
        ".matches(",
        "quantity(",
        "ip(",
        "cidr(",
        ".format(",
        "lists.range(",
        ".sort()",
        ".distinct()",
        ".flatten(",
        "sets.contains(",
        "sets.intersects(",
        ".replace(",
        ".indexOf(",
        ".findAll(",
        ".transformMap(k, v,",
        ".split(",
        ".join(",
        "dyn(",
        ".value",
        "oldSelf",
        "9223372036854775807",
        "'",
        "\\",
        "\u{e9}",
        "`a.b`",
        "//",
        "\n",
    ]);
    prop::collection::vec(word, 0..30).prop_map(|words| words.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_ends(text in "\\PC{0,60}") {
        run(&text);
    }

    #[test]
    fn any_words_end(text in words()) {
        run(&text);
    }
}

/// What is asked of objects of any shape: every way in which an expression reaches into what it is given.
const QUESTIONS: &[&str] = &[
    "self == oldSelf.orValue(self)",
    "self.name.size() + self.tags.size() + self.listed.size() + self.labels.size() > 0",
    "has(self.tags) && self.tags.all(x, x.startsWith(self.name)) && self.tags == oldSelf.value().tags",
    "self.listed.exists_one(x, x.key == 'k' && x.value >= 0) && self.listed + self.listed == self.listed",
    "self.listed.map(x, x.value).sum() == self.listed.size() && self.tags.isSorted()",
    "self.labels.all(k, k in self.labels && self.labels[k].matches('^[a-z]*$'))",
    "self.labels.transformMap(k, v, v + k) == self.labels",
    "type(self.port) == int ? self.port < 65536 : self.port.find('[0-9]+') != ''",
    "self.since.getFullYear() > 2000 && self.since + duration('1h') > self.since",
    "quantity(self.name).isGreaterThan(quantity('1')) || ip.isCanonical(self.name) || isURL(self.name)",
    "'%s %d %.2f %x'.format([self.name, self.listed[0].value, 1.5, self.name]) == self.tags.join()",
    "self.name.split('').reverse().join(',').replace('a', self.name).upperAscii() == self.name",
    "self.?labels[?self.name].hasValue() || self.?listed[?0].?value.orValue(1) / self.listed[0].value == 1",
    "self.listed[0].value * self.listed[0].value - 1 > self.listed[0].value % self.listed[0].value",
    "sets.equivalent(self.tags, self.tags + oldSelf.value().tags) && self.listed.distinct().size() == self.listed.size()",
    "[self.tags, [self.name]].flatten().sort() == self.tags.distinct() && self.name.findAll(self.name).size() > 0",
    "dyn(self).name == dyn(self.port) || dyn(self.labels) == dyn(self.tags)",
];

const OBJECTS: &[&[u8]] = &[
    br#"{"name":"web","tags":["a","b"],"listed":[{"key":"k","value":1},{"key":"l","value":-9223372036854775808}],"labels":{"a":"b","k":""},"port":80,"since":"2020-01-01T00:00:00Z"}"#,
    br#"{"name":"1Gi","port":"http","listed":[{"key":"k"}],"labels":{},"since":"never"}"#,
    br#"{"name":null,"tags":{},"listed":["x"],"labels":[],"port":1.5,"since":1}"#,
];

#[test]
fn any_object_is_judged() {
    let (decl, env) = (declared(), Env::new(Stage::Stored).rule(&declared(), true));
    let programs: Vec<_> =
        QUESTIONS.iter().map(|text| (*text, env.compile(text).unwrap_or_else(|issues| panic!("{text}: {issues}")))).collect();
    // Objects come validated, so that most of these never do; what stores hold may be older than its schema.
    let seeds: Vec<model::json::Value> = OBJECTS.iter().map(|text| serde_json::from_slice(text).expect("JSON")).collect();
    mutate::each_value(&seeds, 3_000, |object| {
        for (text, program) in &programs {
            let bindings = Bindings::default()
                .set("self", Value::declared(object, &decl))
                .set("oldSelf", Value::optional(Some(Value::declared(object, &decl))));
            let told = |limit: u64| {
                let evaluation = program.eval(&bindings, limit);
                (evaluation.result.map(|value| value.to_literal()).map_err(|error| error.to_string()), evaluation.cost)
            };
            let (answer, cost) = told(CALL_COST_MAX);
            assert_eq!(told(CALL_COST_MAX), (answer.clone(), cost), "{text}: the same object is judged alike");
            assert!(!answer.as_ref().is_err_and(String::is_empty), "{text}: a fault says nothing");
            assert!(program.eval(&bindings, CALL_COST_MAX).effort < 10_000, "{text}: little is done to little");
            if cost > 1 {
                assert_eq!(told(cost / 2).0, Err(Error::CostLimit.to_string()), "{text}: {cost} is more than half of it");
            }
        }
    });
}

#[test]
fn what_nests_too_deep_is_refused() {
    let nested = |open: &str, close: &str, times: usize| format!("{}1{}", open.repeat(times), close.repeat(times));
    let chained = |part: &str, times: usize| format!("self{}", part.repeat(times));
    for (text, message) in [
        (nested("(", ")", 300), "expression recursion limit exceeded: 250"),
        (nested("[", "]", 300), "expression recursion limit exceeded: 250"),
        (nested("{1:", "}", 300), "expression recursion limit exceeded: 250"),
        (chained(".x", 300), "expression recursion limit exceeded: 250"),
        (format!("1{}", "+1".repeat(300)), "expression recursion limit exceeded: 250"),
        (format!("1{}", "==1".repeat(300)), "expression recursion limit exceeded: 250"),
        (format!("'{}'", "a".repeat(100_001)), "expression code point size exceeds limit: size: 100003, limit 100000"),
    ] {
        let issues = Env::new(Stage::Stored).compile(&text).expect_err("it is too large");
        assert_eq!(issues.to_string(), format!("ERROR: <input>:-1:0: {message}"));
    }
    // As deep as allowed.
    let folds = |macro_name: &str| format!("{}true{}", format!("[1].{macro_name}(x, ").repeat(120), ")".repeat(120));
    run(&folds("all"));
    run(&folds("map"));
    run(&format!("{}1{}", "!(1 + -(".repeat(100), "))".repeat(100)));
    run(&format!("optional.of(1){}", ".optMap(x, x)".repeat(200)));
    run(&format!("has({}.x)", nested("{'x':", "}", 200)));
    run(&nested("(", ")", 240));
    run(&nested("[", "]", 240));
    run(&format!("1{}", "+1".repeat(240)));
    run(&format!("true{}", " && true".repeat(10_000)));
    run(&"!".repeat(10_000));
    run(&"(".repeat(100_000));
    run(&format!("[[self.name]]{}.flatten(40).size() > 0", ".map(x, [x, x])".repeat(40)));
}

#[test]
fn what_costs_too_much_is_stopped() {
    let decl = Decl::int();
    let data = json!(1);
    let text = "lists.range(5000).all(x, lists.range(5000).all(y, x + y >= 0))";
    let program = Env::new(Stage::Stored).rule(&decl, false).compile(text).expect("it compiles");
    let bindings = Bindings::default().set("self", Value::declared(&data, &decl));
    let evaluation = program.eval(&bindings, CALL_COST_MAX);
    assert_eq!(evaluation.result.map(|value| value.to_literal()), Err(Error::CostLimit));
    assert!(evaluation.cost > CALL_COST_MAX);
    assert_eq!(Error::CostLimit.to_string(), "operation cancelled: actual cost limit exceeded");
}

#[test]
fn a_map_of_many_is_made_in_place() {
    // A copy for each item would need 800 million steps.
    let program = Env::new(Stage::Stored).compile("lists.range(40000).map(x, x).size() == 40000").expect("it compiles");
    let evaluation = program.eval(&Bindings::default(), CALL_COST_MAX);
    assert_eq!(evaluation.result.map(|value| value.as_bool()), Ok(Some(true)));
}

#[test]
fn new_expressions_know_what_the_version_before_knew() {
    let text = "[1].includes(1)";
    assert!(Env::new(Stage::Stored).compile(text).is_ok());
    assert!(Env::new(Stage::New).compile(text).is_err());
}

#[test]
fn a_program_tells_what_it_sees_of_a_variable() {
    let env = Env::new(Stage::Stored).variable("request", cel::Type::Dyn);
    let sees = |text: &str| env.compile(text).expect("it compiles").sees("request", "userInfo");
    assert!(sees("has(request.userInfo) && request.userInfo.username == 'a'") && sees("[1].exists(x, request == x)"));
    assert!(!sees("request.operation == 'CREATE' && [1].exists(x, request.name == x)"));
}

#[test]
fn rules_with_optional_old_values() {
    let decl = Decl::int();
    let data = json!(5);
    let program = Env::new(Stage::Stored).rule(&decl, true).compile("oldSelf.hasValue() ? self > oldSelf.value() : self == 5");
    let program = program.expect("it compiles");
    assert!(program.uses("oldSelf") && program.uses("self") && !program.uses("other"));
    let own = Bindings::default().set("self", Value::declared(&data, &decl));
    let first = program.eval(&own.clone().set("oldSelf", Value::optional(None)), CALL_COST_MAX);
    assert_eq!(first.result.map(|value| value.as_bool()), Ok(Some(true)));
    let later = program.eval(&own.set("oldSelf", Value::optional(Some(Value::declared(&data, &decl)))), CALL_COST_MAX);
    assert_eq!(later.result.map(|value| value.as_bool()), Ok(Some(false)));
}
