//! CEL in admission: what expressions see of a write, and their evaluation within a budget.
//! Follows `k8s.io/apiserver/pkg/admission/plugin/cel`. Compiles in the environments of `cel::admission`; decides nothing.

use std::sync::LazyLock;

use cel::admission::{Fault, Offered, Variables, Yields, variable};
use cel::{Bindings, CALL_COST_MAX, Composition, Decl, EFFORT_PER_COST, Error, OBJECT_COST_MAX, Program, Stage, Value as Cel};
use model::Value;

use crate::aside::aside;

mod conditions;
mod sight;

pub use conditions::{Conditions, OnError};
pub use sight::Sight;

/// What all expressions of one kind of a policy may cost together (upstream `RuntimeCELCostBudget`).
pub(crate) const BUDGET: u64 = OBJECT_COST_MAX;
/// What all match conditions of one policy or webhook may cost together (`RuntimeCELCostBudgetMatchConditions`).
const CONDITIONS_BUDGET: u64 = BUDGET / 4;
const OUT_OF_BUDGET: &str = "validation failed due to running out of cost budget, no further validation rules will be run";

/// What is evaluated where it is asked for, a few milliseconds at most; what needs more is evaluated anew beside requests.
const SHORT_COST: u64 = 20_000;

/// Nothing is declared of what expressions see: it is the JSON that clients see.
static ANY: LazyLock<Decl> = LazyLock::new(Decl::any);

/// An expression that is stored, ready to be evaluated; or why it cannot be.
#[derive(Debug)]
pub(crate) struct Expression {
    pub(crate) text: String,
    program: Result<Program, Fault>,
}

impl Expression {
    pub(crate) fn compile(text: &str, yields: Yields, offered: Offered, variables: Option<&Variables>) -> Self {
        let env = cel::admission::env(Stage::Stored, offered, variables);
        Self { text: text.to_owned(), program: cel::admission::compile(&env, text, yields) }
    }

    /// Whether it reads who makes the request, or what they may do.
    pub(crate) fn needs_user(&self) -> bool {
        self.program.as_ref().is_ok_and(needs_user)
    }

    /// Why it cannot be evaluated.
    pub(crate) fn fault(&self) -> Option<&str> {
        self.program.as_ref().err().map(|fault| &*fault.detail)
    }
}

/// Whether a program reads who makes the request, or what they may do.
pub(crate) fn needs_user(program: &Program) -> bool {
    program.uses(variable::AUTHORIZER) || program.uses(variable::REQUEST_RESOURCE) || program.sees(variable::REQUEST, "userInfo")
}

/// Compiles variables, each with those before it.
pub(crate) fn variables(spec: &Value, offered: Offered) -> Variables {
    let mut variables = Variables::default();
    for variable in spec.get("variables").and_then(Value::as_array).into_iter().flatten() {
        let text = |field: &str| variable.get(field).and_then(Value::as_str).unwrap_or("");
        let env = cel::admission::env(Stage::Stored, offered, Some(&variables));
        let program = cel::admission::compile(&env, text("expression"), Yields::Anything);
        variables.add(text("name"), program.map_err(|fault| fault.detail));
    }
    variables
}

/// Which variables an evaluation binds besides what every expression sees.
#[derive(Clone, Copy)]
pub(crate) struct Given<'a> {
    pub(crate) params: Option<&'a Value>,
    pub(crate) namespace: Option<&'a Value>,
    /// Messages are told without asking who may do what.
    pub(crate) authorizer: bool,
}

/// Expressions evaluated one after the other over the same data; variables are evaluated once for all of them.
pub(crate) struct Pass<'a> {
    bindings: Bindings<'a>,
    composition: Option<Composition<'a>>,
    budget: u64,
    /// What may be done beyond what costs say.
    effort: u64,
}

/// The budget is used up: nothing further is evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exhausted;

impl std::fmt::Display for Exhausted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(OUT_OF_BUDGET)
    }
}

impl<'a> Pass<'a> {
    pub(crate) fn new(sight: &'a Sight<'_>, given: Given<'a>, variables: Option<&'a Variables>, budget: u64) -> Self {
        let json = |value: Option<&'a Value>| value.map_or(Cel::Null, |value| Cel::declared(value, &ANY));
        let mut bindings = Bindings::default()
            .set(variable::OBJECT, json(sight.object()))
            .set(variable::OLD_OBJECT, json(sight.old()))
            .set(variable::REQUEST, json(Some(sight.request())))
            .set(variable::NAMESPACE, json(given.namespace))
            .set(variable::PARAMS, json(given.params));
        if given.authorizer {
            bindings =
                bindings.set(variable::AUTHORIZER, sight.authorizer()).set(variable::REQUEST_RESOURCE, sight.request_resource());
        }
        Self { bindings, composition: variables.map(Composition::new), budget, effort: EFFORT_PER_COST.saturating_mul(budget) }
    }

    /// What is left.
    pub(crate) fn budget(&self) -> u64 {
        self.budget
    }

    /// Evaluates one. The inner failure is that of this expression alone.
    pub(crate) fn eval(&mut self, expression: &'a Expression) -> Result<Result<Cel<'a>, String>, Exhausted> {
        let program = match &expression.program {
            Ok(program) => program,
            Err(fault) => return Ok(Err(format!("compilation error: {}", fault.detail))),
        };
        let with = |limit: u64| program.eval_with(&self.bindings, self.composition.as_ref(), limit);
        // A question to the authorizer costs more than that, and need not be asked twice.
        let asks = program.uses(variable::AUTHORIZER) || program.uses(variable::REQUEST_RESOURCE);
        let short = if asks { None } else { Some(with(SHORT_COST)) };
        let short = short.filter(|evaluation| !matches!(evaluation.result, Err(Error::CostLimit)));
        let evaluation = short.unwrap_or_else(|| aside(|| with(CALL_COST_MAX)));
        let composed = self.composition.as_ref().map_or(0, Composition::take_cost);
        let others = self.composition.as_ref().map_or(0, Composition::take_effort);
        self.effort = self.effort.checked_sub(others).and_then(|left| left.checked_sub(evaluation.effort)).ok_or(Exhausted)?;
        self.budget = self.budget.checked_sub(composed).and_then(|left| left.checked_sub(evaluation.cost)).ok_or(Exhausted)?;
        Ok(evaluation.result.map_err(|error| format!("expression '{}' resulted in error: {error}", expression.text)))
    }
}
