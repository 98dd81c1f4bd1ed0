//! Variables that are expressions themselves: `variables.name`, evaluated when an expression first asks for one, and once.
//! Follows `k8s.io/apiserver/pkg/admission/plugin/cel/composition.go` and `pkg/cel/lazy`.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::effort::EFFORT_PER_COST;
use crate::library::quote;
use crate::program::{Bindings, Error, Program};
use crate::types::Type;
use crate::value::{Outcome, Value};
use crate::{CALL_COST_MAX, OBJECT_COST_MAX};

/// What expressions call them.
pub(crate) const VARIABLES: &str = "variables";
/// The name of their type.
pub(crate) const VARIABLES_TYPE: &str = "kubernetes.variables";

/// How many variables may wait for one another: each is evaluated on the stack of who asks for it.
const LEVELS_MAX: usize = 200;
/// How deep values of variables may nest: whoever goes through them needs a stack that is as deep.
const NESTS_MAX: usize = 500;
/// What all variables of one object may do together.
const EFFORT_MAX: u64 = EFFORT_PER_COST * OBJECT_COST_MAX;

/// Adds without wrapping around; only one evaluation runs at a time.
fn add(sum: &AtomicU64, more: u64) {
    sum.store(sum.load(Ordering::Relaxed).saturating_add(more), Ordering::Relaxed);
}

/// Named expressions, in an order in which each may use those before it.
#[derive(Debug, Default)]
pub struct Variables(Vec<Variable>);

#[derive(Debug)]
struct Variable {
    name: Box<str>,
    /// Why an expression cannot be evaluated is told when it is asked for.
    program: Result<Program, String>,
    /// How deep its values nest at most.
    nests: usize,
    /// Its type as others see it.
    of: Type,
}

impl Variables {
    /// Adds one; a name that is there is given its new expression, as upstream's map of them does.
    pub fn add(&mut self, name: &str, program: Result<Program, String>) {
        let mut nests = 0;
        if let Ok(program) = &program {
            program.each_seen(VARIABLES, &mut |field| {
                let others = self.0.iter().filter(|known| field.is_none_or(|field| *known.name == *field));
                nests = others.map(|known| known.nests).fold(nests, usize::max);
            });
            nests = nests.saturating_add(program.nests());
        }
        let of = match &program {
            Ok(program) if nests <= NESTS_MAX => declared(program.output()),
            _ => Type::Dyn,
        };
        let variable = Variable { name: name.into(), program, nests, of };
        match self.0.iter_mut().find(|known| *known.name == *name) {
            Some(known) => *known = variable,
            None => self.0.push(variable),
        }
    }

    /// Those that can be evaluated.
    pub fn programs(&self) -> impl Iterator<Item = &Program> {
        self.0.iter().filter_map(|variable| variable.program.as_ref().ok())
    }

    /// The type of `variables` as far as they are known.
    pub fn to_type(&self) -> Type {
        Type::record(VARIABLES_TYPE, self.0.iter().map(|variable| (variable.name.clone(), variable.of.clone())))
    }
}

/// The type under which an expression's value is seen by others: what is neither plain data nor made of it is anything.
fn declared(output: &Type) -> Type {
    match output {
        Type::Null
        | Type::Bool
        | Type::Int
        | Type::Uint
        | Type::Double
        | Type::String
        | Type::Bytes
        | Type::Timestamp
        | Type::Duration => output.clone(),
        Type::List(items) => Type::list(declared(items)),
        Type::Map(map) => Type::map(declared(&map.0), declared(&map.1)),
        _ => Type::Dyn,
    }
}

/// Variables in one evaluation of some expressions over the same data.
#[derive(Debug)]
pub struct Composition<'a> {
    variables: &'a Variables,
    values: Vec<OnceLock<Outcome<'a>>>,
    cost: AtomicU64,
    effort: AtomicU64,
    /// How many variables wait for one another.
    level: AtomicUsize,
}

impl<'a> Composition<'a> {
    /// Nothing is evaluated yet.
    pub fn new(variables: &'a Variables) -> Self {
        let values = variables.0.iter().map(|_| OnceLock::new()).collect();
        Self { variables, values, cost: AtomicU64::new(0), effort: AtomicU64::new(0), level: AtomicUsize::new(0) }
    }

    /// What evaluating variables cost since this was asked last.
    pub fn take_cost(&self) -> u64 {
        self.cost.swap(0, Ordering::Relaxed)
    }

    /// The effort of evaluating variables since this was asked last.
    pub fn take_effort(&self) -> u64 {
        self.effort.swap(0, Ordering::Relaxed)
    }

    /// The value of a variable; nothing where there is none of that name. The limit is that of who asks.
    pub(crate) fn find(&self, name: &str, bindings: &Bindings<'a>, limit: u64) -> Result<Option<Value<'a>>, Error> {
        let Some(at) = self.variables.0.iter().position(|variable| *variable.name == *name) else { return Ok(None) };
        if let Some(known) = self.values[at].get() {
            return known.clone().map(Some);
        }
        let level = self.level.fetch_add(1, Ordering::Relaxed);
        let value = self.evaluate(&self.variables.0[at], bindings, limit, level);
        self.level.fetch_sub(1, Ordering::Relaxed);
        // Who has no more than that asks again with all that a call may cost.
        if limit < CALL_COST_MAX && matches!(value, Err(Error::CostLimit)) {
            return Err(Error::CostLimit);
        }
        self.values[at].get_or_init(|| value).clone().map(Some)
    }

    fn evaluate(&self, variable: &'a Variable, bindings: &Bindings<'a>, limit: u64, level: usize) -> Outcome<'a> {
        let name = quote(&variable.name);
        let program = match &variable.program {
            Ok(program) => program,
            Err(why) => return Err(Error::Failed(format!("composited variable {name} fails to compile: {why}"))),
        };
        let failed = |error: Error| Error::Failed(format!("composited variable {name} fails to evaluate: {error}"));
        // Whoever counts these stops then; in between one variable may ask for any number of others.
        let spent = self.cost.load(Ordering::Relaxed) > OBJECT_COST_MAX || self.effort.load(Ordering::Relaxed) > EFFORT_MAX;
        if spent || level >= LEVELS_MAX || variable.nests > NESTS_MAX {
            return Err(failed(Error::CostLimit));
        }
        let evaluation = program.eval_variable(bindings, self, limit, level);
        if limit < CALL_COST_MAX && matches!(evaluation.result, Err(Error::CostLimit)) {
            return Err(Error::CostLimit);
        }
        add(&self.cost, evaluation.cost);
        add(&self.effort, evaluation.effort);
        evaluation.result.map_err(failed)
    }
}
