//! The expressions of a policy as a write judges them: each in its environment, those that are stored already with what only
//! this version knows. Evaluates nothing (`admission`).

use cel::admission::{Offered, Variables, Yields, compile, env};
use cel::{Env, Stage};
use model::Value;
use model::field::{Errors, Path};

use crate::hooks::rules::admission::{self, Stored, compile_fault};
use crate::hooks::rules::get;

/// What the expressions of one policy may use.
pub(super) struct Expressions<'a> {
    /// Whether there are parameters.
    params: bool,
    /// Whether there are variables, which a mutating policy always has.
    composed: bool,
    variables: Variables,
    /// Whether no match condition changes, nor what they may use.
    settled: bool,
    conditions: Stored<'a>,
    validations: Stored<'a>,
    messages: Stored<'a>,
    annotations: Stored<'a>,
    mutations: Stored<'a>,
}

impl<'a> Expressions<'a> {
    /// Those of a validating policy, and of it as it is stored.
    pub(super) fn of(spec: &'a Value, old: Option<&'a Value>) -> Self {
        let list = |field: &str| old.map_or(&[][..], |old| get::list(old, field));
        let same = |old: &Value, field: &str| get::at(spec, field) == get::at(old, field);
        let conditions = |spec: &'a Value| get::list(spec, "matchConditions");
        Self {
            params: get::object(spec, "paramKind").is_some(),
            composed: !get::list(spec, "variables").is_empty(),
            variables: Variables::default(),
            settled: old.is_some_and(|old| same(old, "paramKind") && conditions(old) == conditions(spec)),
            conditions: Stored::of(list("matchConditions"), "expression"),
            validations: Stored::of(list("validations"), "expression"),
            messages: Stored::of(list("validations"), "messageExpression"),
            annotations: Stored::of(list("auditAnnotations"), "valueExpression"),
            mutations: Stored::default(),
        }
    }

    /// Those of a mutating policy. A JSON patch counts as stored where an apply configuration is spelt like it: upstream
    /// looks there for both.
    pub(super) fn of_mutating(spec: &'a Value, old: Option<&'a Value>) -> Self {
        let mutations = old.map_or(&[][..], |old| get::list(old, "mutations"));
        let mutations = mutations.iter().filter_map(|mutation| get::object(mutation, "applyConfiguration"));
        Self { composed: true, mutations: Stored::of(mutations, "expression"), ..Self::of(spec, old) }
    }

    fn env(&self, stage: Stage, offered: Offered) -> Env {
        env(stage, Offered { params: self.params, ..offered }, self.composed.then_some(&self.variables))
    }

    pub(super) fn match_conditions(&self, spec: &Value, path: &Path, errors: &mut Errors) {
        if !self.settled {
            let offered = Offered { params: self.params, authorizer: true, patches: false };
            admission::match_conditions(spec, offered, &self.conditions, path, errors);
        }
    }

    /// A variable is known to all that follow, whether it compiles or not.
    pub(super) fn variable(&mut self, name: &str, text: &str, path: &Path, errors: &mut Errors) {
        let env = self.env(self.validations.stage(text), Offered { authorizer: true, ..Offered::default() });
        let program = compile(&env, text, Yields::Anything);
        if let Err(fault) = &program {
            compile_fault(fault, text, path, errors);
        }
        self.variables.add(name, program.map_err(|fault| fault.detail));
    }

    pub(super) fn validation(&self, text: &str, path: &Path, errors: &mut Errors) {
        let env = self.env(self.validations.stage(text), Offered { authorizer: true, ..Offered::default() });
        admission::expression(&env, text, Yields::Bool, text, path, errors);
    }

    pub(super) fn message(&self, text: &str, path: &Path, errors: &mut Errors) {
        let env = self.env(self.messages.stage(text), Offered::default());
        admission::expression(&env, text, Yields::String, text, path, errors);
    }

    pub(super) fn annotation(&self, text: &str, path: &Path, errors: &mut Errors) {
        let env = self.env(self.annotations.stage(text), Offered { authorizer: true, ..Offered::default() });
        admission::expression(&env, text.trim(), Yields::StringOrNull, text, path, errors);
    }

    pub(super) fn mutation(&self, kind: &str, text: &str, path: &Path, errors: &mut Errors) {
        let env = self.env(self.mutations.stage(text), Offered { authorizer: true, patches: true, ..Offered::default() });
        let yields = if kind == "JSONPatch" { Yields::JsonPatch } else { Yields::Object };
        admission::expression(&env, text.trim(), yields, text.trim(), path, errors);
    }
}
