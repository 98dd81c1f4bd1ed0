//! Expressions that do far more than they cost: each ends by the limit of effort, before the work is done, whatever upstream asks
//! for it. None is timed; what is counted is effort.

use cel::{Bindings, CALL_COST_MAX, CALL_EFFORT_MAX, Decl, Env, Error, Evaluation, ListKind, Stage, Type, Value};
use model::json::{Value as Json, json};

fn env() -> Env {
    Env::new(Stage::Stored).variable("object", Type::Dyn).with_patches()
}

/// A ConfigMap as large as one can be.
fn large() -> Json {
    json!({
        "x": "x".repeat(1 << 20),
        "dots": ".".repeat(1 << 20),
        "pairs": (0..100_000).map(|i| format!("a{i}=&")).collect::<String>(),
        "list": (0..20_000).collect::<Vec<i64>>(),
        "halves": (0..20_000).map(|i| f64::from(i) + 0.5).collect::<Vec<f64>>(),
        "map": (0..20_000).map(|i| (format!("key{i}"), json!(i))).collect::<model::Map>(),
    })
}

/// What came of an expression over that object, its cost and the effort.
fn eval(text: &str, object: &Json) -> (Result<String, Error>, u64, u64) {
    let program = match env().compile(text) {
        Ok(program) => program,
        Err(issues) => return (Err(Error::Failed(issues.to_string().chars().take(200).collect())), 0, 0),
    };
    let any = Decl::any();
    let bindings = Bindings::default().set("object", Value::declared(object, &any));
    let Evaluation { result, cost, effort, .. } = program.eval(&bindings, CALL_COST_MAX);
    (result.map(|value| value.to_literal()), cost, effort)
}

/// A list in a list in a list, each twice in the next: little to make, and 2³⁴ values to whoever goes through it.
fn doubled(links: usize) -> String {
    (0..links).fold("[[0,0]]".to_owned(), |text, i| format!("{text}.map(v{i},[v{i},v{i}])"))
}

/// The same expression in a loop that costs little.
fn often(times: u32, text: &str) -> String {
    format!("lists.range({times}).map(i, {text}).size() > 0")
}

#[test]
fn what_does_more_than_it_costs_is_stopped() {
    let object = large();
    let doubled = doubled(33);
    let constants = (0..9_000).map(|i| i.to_string()).collect::<Vec<_>>().join(",");
    let long = "k".repeat(50_000);
    let truths = vec!["true"; 10_000].join(" && ");
    let wide = "[ab]*a[ab]{900}";
    let table: Vec<String> = vec![
        // Comparing each with each.
        "object.halves.distinct().size() > 0".into(),
        "sets.contains(object.halves, object.halves)".into(),
        "sets.equivalent(object.halves, object.halves)".into(),
        "sets.intersects(object.halves, object.list.map(x, double(x) + 0.25))".into(),
        often(20_000, "0.25 in object.halves"),
        // Texts that grow.
        "object.x.replace('', object.x).size() > 0".into(),
        "object.x.replace('x', object.x).size() > 0".into(),
        "object.x.split('').map(x, object.x).join().size() > 0".into(),
        "object.dots.split('.').join(object.x).size() > 0".into(),
        often(10_000, "object.x + object.x"),
        often(10_000, "'%s'.format([object])"),
        often(10_000, "'%s'.format([object.map])"),
        often(10_000, "'%x'.format([object.x])"),
        often(10_000, &format!("'{}'.format([1.0,1.0,1.0,1.0,1.0,1.0,1.0,1.0,1.0,1.0])", "%.1000f".repeat(10))),
        often(10_000, "dyn([object.x, object.x, object.x, object.x]).sum()"),
        often(10_000, "bytes(object.x)"),
        often(10_000, "object.x.charAt(3)"),
        often(10_000, "base64x.size() > 0").replace("base64x", "string(bytes(object.x))"),
        // Lists that grow.
        format!("{doubled}.flatten(40).size() > 0"),
        format!("{doubled} == {doubled}"),
        format!("dyn([{doubled}]).isSorted()"),
        format!("'%s'.format([{doubled}]).size() > 0"),
        format!("{doubled} in [{doubled}]"),
        format!("[{doubled}].distinct().size() > 0"),
        format!("dyn({{'a': 1}})[dyn({doubled})] == 1 || true"),
        doubled.clone(),
        format!("optional.of({doubled})"),
        format!("Object{{spec: Object.spec{{a: {doubled}}}}}"),
        format!("JSONPatch{{op: 'add', path: '/a', value: {doubled}}}"),
        often(10_000, "object.list + object.list"),
        often(10_000, "object.x.split('')"),
        often(10_000, "[object.list, object.list].flatten()"),
        often(10_000, &format!("[i,{constants}]")),
        often(3_000, &format!("{{'a': i, {}}}", (0..5_000).map(|i| format!("'{i}': 1")).collect::<Vec<_>>().join(","))),
        // What costs nothing.
        often(80_000, &truths),
        often(80_000, &format!("{}1{}", "(true ? ".repeat(60), " : 2)".repeat(60))),
        often(80_000, &format!("has(object.{long})")),
        often(80_000, "dyn({'a': 1})[?object.x].hasValue()"),
        // Regular expressions.
        format!("object.x.matches('{wide}')"),
        format!("object.x.find('{wide}') == ''"),
        "object.x.findAll('').size() > 0".into(),
        often(1_000, "'a'.matches('[ab]{1000}' + string(i))"),
        "''.matches(object.x)".into(),
        "''.matches(object.x + '{1000}')".into(),
        // Kubernetes' libraries.
        often(1_000, "url('https://example.com/?' + object.pairs).getQuery()"),
        often(1_000, "isURL(object.x)"),
    ];
    let mut wrong = Vec::new();
    for text in &table {
        let (result, cost, effort) = eval(text, &object);
        let shown = &text[..text.len().min(80)];
        if result != Err(Error::CostLimit) || cost <= CALL_COST_MAX {
            wrong.push(format!(
                "{shown}: {:?}, cost {cost}, effort {effort}",
                result.map(|text| text.chars().take(80).collect::<String>())
            ));
        } else if effort <= CALL_EFFORT_MAX {
            wrong.push(format!("{shown}: ended by its cost {cost}, after an effort of {effort}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), table.len(), wrong.join("\n"));
}

/// What is stopped by what upstream asks for it, or before.
#[test]
fn what_costs_what_it_does_is_stopped_by_that() {
    let object = large();
    let table = [
        often(20_000, "object.halves.includes(-1.5)"),
        often(20_000, "object.list.indexOf(-1)"),
        often(20_000, "object.list.lastIndexOf(-1)"),
        often(10_000, "strings.quote(object.x)"),
        often(10_000, "object.x.substring(3)"),
        often(10_000, "jsonpatch.escapeKey(object.x)"),
        often(10_000, "lists.range(1000) + lists.range(1000)"),
        often(10_000, "object.list.slice(0, 20000)"),
        often(80_000, "object.map.map(k, k).size()"),
        often(1_000, "ip.isCanonical(object.x) || true"),
        often(1_000, "isCIDR(object.x)"),
        often(1_000, "isSemver(object.x)"),
        often(1_000, "quantity(object.x).isInteger() || true"),
        often(1_000, "format.dns1123Label().validate(object.x).hasValue()"),
    ];
    for text in table {
        let (result, cost, effort) = eval(&text, &object);
        assert_eq!(result, Err(Error::CostLimit), "{text}: cost {cost}, effort {effort}");
    }
}

/// What upstream evaluates within its cost, large as it is.
#[test]
fn what_costs_what_it_does_is_not() {
    let object = large();
    let mut wrong = Vec::new();
    for text in [
        "object == object",
        "lists.range(900000).size() == 900000",
        "lists.range(600).distinct().size() == 600",
        "sets.contains(lists.range(900), lists.range(900))",
        "sets.equivalent(lists.range(700), lists.range(700).reverse())",
        "lists.range(150000).all(x, x >= 0)",
        "lists.range(100000).all(x, x >= 0 && x < 200000 && true)",
        "lists.range(60000).map(x, x * 2).size() == 60000",
        "object.map.all(k, object.map[k] >= 0)",
        "object.x.matches('^x*$') && object.x.find('y') == ''",
        "object.list.exists(x, x == 19999) && 19999 in object.list",
        "object.x.replace('x', 'yy').size() == 2097152",
        "object.dots.replace('..', '').size() == 0",
        "object.x.upperAscii().lowerAscii() == object.x",
        "lists.range(20000).all(x, 'name-1'.matches('^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$'))",
        "lists.range(10000).all(x, '%.2f'.format([1.0]) == '1.00')",
    ] {
        let (result, cost, effort) = eval(text, &object);
        if result != Ok("true".into()) {
            wrong.push(format!("{text}: {result:?}, cost {cost}, effort {effort}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Sets and maps of a schema find their items at once.
#[test]
fn large_sets_and_maps_are_compared_without_order() {
    let entry = Decl::object([("key", Decl::string("", None, None), true), ("value", Decl::int(), false)]);
    let decl = Decl::object([
        ("set", Decl::list(Decl::string("", None, None), ListKind::Set, None), true),
        ("listed", Decl::list(entry, ListKind::Map(vec!["key".into()]), None), true),
    ]);
    let of = |range: &mut dyn Iterator<Item = u32>| {
        let all: Vec<u32> = range.collect();
        json!({
            "set": all.iter().map(u32::to_string).collect::<Vec<_>>(),
            "listed": all.iter().map(|i| json!({"key": i.to_string(), "value": i})).collect::<Vec<_>>(),
        })
    };
    let (new, old) = (of(&mut (0..20_000)), of(&mut (0..20_000).rev()));
    let bindings = Bindings::default().set("self", Value::declared(&new, &decl)).set("oldSelf", Value::declared(&old, &decl));
    for text in [
        "self.set == oldSelf.set && self.listed == oldSelf.listed && self == oldSelf",
        "(self.set + oldSelf.set).size() == 20000 && (self.listed + oldSelf.listed).size() == 20000",
    ] {
        let program = Env::new(Stage::Stored).rule(&decl, false).compile(text).expect("it compiles");
        let evaluation = program.eval(&bindings, CALL_COST_MAX);
        assert_eq!(evaluation.result.map(|value| value.as_bool()), Ok(Some(true)), "{text}: {}", evaluation.effort);
    }
}
