//! Environments, composed variables, the authorizer and patches.

use std::sync::Arc;

use model::User;
use model::authorizer::{Attributes, Decision};
use model::json::{Value as Json, json};

use super::*;
use crate::{Authority, Bindings, CALL_COST_MAX, Composition, Decl, Error, Value};

const ALL: Offered = Offered { params: true, authorizer: true, patches: true };

#[derive(Debug)]
struct Listed(&'static [&'static str]);

impl Authority for Listed {
    fn authorize(&self, asked: &Attributes) -> Decision {
        let what = if asked.resource_request {
            format!("{}/{}/{}/{}", asked.group, asked.resource, asked.subresource, asked.name)
        } else {
            asked.path.clone()
        };
        let asked = format!("{} {} {} {what}", asked.user.name, asked.verb, asked.namespace);
        match self.0.iter().find(|known| **known == asked) {
            Some(known) => Decision::Allow((*known).to_owned()),
            None => Decision::NoOpinion(format!("nobody allows {asked}")),
        }
    }
}

/// What an expression yields about an object, as a literal; or its fault.
fn eval(text: &str, yields: Yields, object: &Json, allowed: &'static [&'static str]) -> Result<String, String> {
    let env = env(Stage::New, ALL, None);
    let program = compile(&env, text, yields).map_err(|fault| fault.detail)?;
    let any = Decl::any();
    let user = Arc::new(User::new("ann", &[]));
    let bindings = Bindings::default()
        .set(variable::OBJECT, Value::declared(object, &any))
        .set(variable::AUTHORIZER, crate::authorizer(user, Arc::new(Listed(allowed))));
    let value = program.eval(&bindings, CALL_COST_MAX).result.map_err(|error| error.to_string())?;
    Ok(value.to_literal())
}

#[test]
fn what_an_expression_yields_is_checked() {
    let none = json!({});
    let fault = |text, yields| eval(text, yields, &none, &[]).unwrap_err();
    assert_eq!(fault("1", Yields::Bool), "must evaluate to bool but got int");
    assert_eq!(fault("object.a", Yields::Bool), "must evaluate to bool but got dyn");
    assert_eq!(fault("true", Yields::StringOrNull), "must evaluate to one of [string null_type] but got bool");
    assert_eq!(fault("[1]", Yields::JsonPatch), "must evaluate to list(JSONPatch) but got list(int)");
    assert_eq!(fault("Object.spec{}", Yields::Object), "must evaluate to Object but got Object.spec");
    assert_eq!(fault("Object.spec", Yields::Object), "must evaluate to Object but got type(Object.spec)");
    assert!(fault("..", Yields::Object).contains("1:2: Syntax error: no viable alternative at input '..'"));
    assert!(fault(".", Yields::Object).contains("1:2: Syntax error: no viable alternative at input '.'"));
    assert_eq!(fault("now() - now()", Yields::Bool).lines().count(), 6);
    assert!(fault("request.nothing == ''", Yields::Bool).contains("undefined field 'nothing'"));
    assert!(fault("variables.a", Yields::Bool).contains("undeclared reference to 'variables'"));
    let unpatched = env(Stage::New, Offered::default(), None);
    let fault = compile(&unpatched, "jsonpatch.escapeKey('a') == 'a'", Yields::Bool).unwrap_err();
    assert!(fault.detail.contains("undeclared reference to 'jsonpatch'"), "{}", fault.detail);
    assert!(compile(&unpatched, "Object{} == null", Yields::Bool).is_err());
}

#[test]
fn the_authorizer_is_asked() {
    let allowed = &[
        "ann create shop apps/deployments//",
        "ann get shop /pods/log/web",
        "ann get  /healthz",
        "system:serviceaccount:shop:bot list  /nodes//",
    ];
    let none = json!({});
    for (text, expected) in [
        ("authorizer.group('apps').resource('deployments').namespace('shop').check('create').allowed()", "true"),
        ("authorizer.group('apps').resource('deployments').namespace('bank').check('create').allowed()", "false"),
        ("authorizer.group('').resource('pods').subresource('log').namespace('shop').name('web').check('get').allowed()", "true"),
        ("authorizer.path('/healthz').check('get').allowed()", "true"),
        ("authorizer.serviceAccount('shop', 'bot').group('').resource('nodes').check('list').allowed()", "true"),
        ("authorizer.group('').resource('nodes').labelSelector('a=b').check('list').errored()", "false"),
    ] {
        assert_eq!(eval(text, Yields::Bool, &none, allowed).as_deref(), Ok(expected), "{text}");
    }
    let reason = eval("authorizer.path('/metrics').check('get').reason()", Yields::String, &none, allowed);
    assert_eq!(reason.as_deref(), Ok("\"nobody allows ann get  /metrics\""));
    for (text, expected) in [
        ("authorizer.path(' ').check('get').allowed()", "path must not be empty"),
        ("authorizer.group('').resource('').check('get').allowed()", "resource must not be empty"),
        ("authorizer.serviceAccount('shop', 'B').group('').resource('x').check('get').allowed()", "Invalid service account name"),
        (
            "authorizer.serviceAccount('a.b', 'b').group('').resource('x').check('get').allowed()",
            "Invalid service account namespace",
        ),
    ] {
        assert_eq!(eval(text, Yields::Bool, &none, allowed).unwrap_err(), expected);
    }
}

#[test]
fn patches_are_made() {
    let object = json!({"spec": {"replicas": 3}, "metadata": {"labels": {"a/b": "c"}}});
    let env = env(Stage::New, ALL, None);
    let any = Decl::any();
    let bindings = Bindings::default().set(variable::OBJECT, Value::declared(&object, &any));
    let made = |text: &str, yields| {
        let program = compile(&env, text, yields).map_err(|fault| fault.detail).unwrap();
        let value = program.eval(&bindings, CALL_COST_MAX).result.unwrap();
        (value.to_json(), value.as_message().map(crate::Message::misnamed).unwrap_or_default())
    };
    let (json, misnamed) = made(
        "Object{spec: Object.spec{replicas: object.spec.replicas + 1, ?paused: optional.none(), containers: [Object.spec.containers{name: 'a'}]}}",
        Yields::Object,
    );
    assert_eq!(json, Ok(json!({"spec": {"replicas": 4, "containers": [{"name": "a"}]}})));
    assert_eq!(misnamed, [""; 0]);
    let (_, misnamed) = made("Object{spec: Object.wrong{}}", Yields::Object);
    let expected =
        "unexpected type name \"Object.wrong\", expected \"Object.spec\", which matches field name path from root Object type";
    assert_eq!(misnamed, [expected]);
    let program = compile(
        &env,
        "[JSONPatch{op: 'replace', path: '/metadata/labels/' + jsonpatch.escapeKey('a/b~c'), value: object.metadata.labels['a/b']}]",
        Yields::JsonPatch,
    )
    .unwrap();
    let value = program.eval(&bindings, CALL_COST_MAX).result.unwrap();
    assert_eq!(value.to_json(), Ok(json!([{"op": "replace", "path": "/metadata/labels/a~1b~0c", "value": "c"}])));
}

#[test]
fn variables_are_evaluated_when_they_are_asked_for_and_once() {
    let mut variables = Variables::default();
    for (name, text) in [
        ("containers", "object.spec.containers"),
        ("images", "variables.containers.map(c, c.image)"),
        ("absent", "object.spec.absent"),
        ("number", "1 + 1"),
    ] {
        let env = env(Stage::Stored, ALL, Some(&variables));
        let program = compile(&env, text, Yields::Anything).map_err(|fault| fault.detail);
        variables.add(name, program);
    }
    variables.add("broken", Err("compilation failed: no".to_owned()));
    let object = json!({"spec": {"containers": [{"image": "a"}, {"image": "b"}]}});
    let any = Decl::any();
    let bindings = Bindings::default().set(variable::OBJECT, Value::declared(&object, &any));
    let env = env(Stage::Stored, ALL, Some(&variables));
    let program = |text| compile(&env, text, Yields::Anything).unwrap();
    let (first, again, absent, broken) = (
        program("variables.images == ['a', 'b']"),
        program("variables.number == 2"),
        program("variables.absent"),
        program("variables.broken"),
    );
    let composition = Composition::new(&variables);
    let eval = |program| crate::Program::eval_with(program, &bindings, Some(&composition), CALL_COST_MAX).result;
    assert_eq!(eval(&first).unwrap().as_bool(), Some(true));
    let cost = composition.take_cost();
    assert!(cost > 0);
    assert_eq!(eval(&first).unwrap().as_bool(), Some(true));
    assert_eq!(composition.take_cost(), 0, "the value is kept");
    assert_eq!(eval(&again).unwrap().as_bool(), Some(true));
    let failed = |text: &str| Error::Failed(text.to_owned());
    assert_eq!(eval(&absent).unwrap_err(), failed("composited variable \"absent\" fails to evaluate: no such key: absent"));
    assert_eq!(eval(&broken).unwrap_err(), failed("composited variable \"broken\" fails to compile: compilation failed: no"));
    let fault = compile(&env, "variables.number.size()", Yields::Anything).unwrap_err();
    assert!(fault.detail.contains("found no matching overload for 'size' applied to 'int.()'"), "{}", fault.detail);
}

/// Variables that ask for each other, each of them as often as it says.
fn chained(count: usize, text: impl Fn(&str) -> String) -> Variables {
    let mut variables = Variables::default();
    variables.add("v0", compile(&env(Stage::Stored, ALL, None), "0", Yields::Anything).map_err(|fault| fault.detail));
    for i in 1..count {
        let env = env(Stage::Stored, ALL, Some(&variables));
        let program = compile(&env, &text(&format!("variables.v{}", i - 1)), Yields::Anything);
        variables.add(&format!("v{i}"), program.map_err(|fault| fault.detail));
    }
    variables
}

/// What an expression yields with variables, and the cost of it all.
fn composed(text: &str, variables: &Variables) -> (Result<String, String>, u64) {
    let program = compile(&env(Stage::Stored, ALL, Some(variables)), text, Yields::Anything).expect("it compiles");
    let (bindings, composition) = (Bindings::default(), Composition::new(variables));
    // One that stops early keeps nothing of it, and the whole one is as if that had not been.
    let _ = program.eval_with(&bindings, Some(&composition), 3).result.map(|value| value.to_literal());
    let evaluation = program.eval_with(&bindings, Some(&composition), CALL_COST_MAX);
    let value = evaluation.result.map(|value| value.to_literal()).map_err(|error| error.to_string());
    (value, evaluation.cost + composition.take_cost())
}

#[test]
fn variables_wait_for_each_other_within_bounds() {
    let steep = |of: &str| format!("{of}{}", " + 1".repeat(200));
    let variables = chained(150, steep);
    assert_eq!(composed("variables.v149 == 149 * 200", &variables).0, Ok("true".into()));
    let too_many = composed("variables.v299", &chained(300, |of| format!("{of} + 1"))).0.unwrap_err();
    assert!(too_many.ends_with(&format!("fails to evaluate: {}", Error::CostLimit)), "{too_many}");
    // Asked for one by one none waits for long, but what they hold nests.
    let variables = chained(300, |of| format!("[[{of}]]"));
    let asked: Vec<String> = (0..300).map(|i| format!("dyn(variables.v{i}) != null")).collect();
    let too_deep = composed(&format!("[{}].size() == 300", asked.join(",")), &variables).0.unwrap_err();
    assert!(too_deep.ends_with(&format!("fails to evaluate: {}", Error::CostLimit)), "{too_deep}");
    // A name that is given another expression may ask for itself.
    let mut variables = chained(3, |of| format!("{of} + 1"));
    let own = compile(&env(Stage::Stored, ALL, Some(&variables)), "variables.v2", Yields::Anything);
    variables.add("v1", own.map_err(|fault| fault.detail));
    assert!(composed("variables.v2", &variables).0.is_err());
}
