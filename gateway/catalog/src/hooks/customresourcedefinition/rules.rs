//! The CEL rules of a written schema: their texts, and whether they compile and what they cost. Upstream: the last part of
//! `ValidateCustomResourceDefinitionOpenAPISchema`. Runs none.

use model::Value;
use model::field::{Errors, Path};
use schema::Structural;
use schema::structural::rules::{Compiled, Root, Rule, Stages, compile, declare};
use schema::structural::{field_path, supported};

use super::cost::{self, Cardinality, Costs, EXPRESSION_COST_MAX};
use super::internal;
use super::old::Demands;
use crate::hooks::rules::get;

/// The keyword.
pub(super) const RULES: &str = "x-kubernetes-validations";
/// Reasons a rule may give, sorted.
const REASONS: [&str; 4] = ["FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"];

fn has_line_breaks(text: &str) -> bool {
    text.contains(['\n', '\r'])
}

/// Judges the texts.
pub(super) fn texts(schema: &Value, path: &Path<'_>, errors: &mut Errors) {
    let list = path.child(RULES);
    for (i, rule) in get::list(schema, RULES).iter().enumerate() {
        let here = list.index(i);
        expression(rule, &here, errors);
        if let Some(reason) = get::string(rule, "reason").filter(|reason| !REASONS.contains(reason)) {
            errors.not_supported(&here.child("reason"), reason, &REASONS);
        }
        let (text, field) = (get::text(rule, "fieldPath"), here.child("fieldPath"));
        if text.is_empty() {
            continue;
        }
        if text.trim().is_empty() {
            errors.invalid(&field, text, "must be non-empty if specified");
        }
        if has_line_breaks(text) {
            errors.invalid(&field, text, "must not contain line breaks");
        }
        if !leads_somewhere(schema, text) {
            errors.invalid(&field, text, "must be a valid path");
        }
    }
}

fn expression(rule: &Value, here: &Path<'_>, errors: &mut Errors) {
    let (text, message) = (get::text(rule, "rule").trim(), get::text(rule, "message"));
    let field = here.child("message");
    if text.is_empty() {
        errors.required(&here.child("rule"), "rule is not specified");
    } else if !message.is_empty() && message.trim().is_empty() {
        errors.invalid(&field, message, "must be non-empty if specified");
    } else if has_line_breaks(message.trim()) {
        errors.invalid(&field, message, "must not contain line breaks");
    } else if has_line_breaks(text) && message.trim().is_empty() {
        errors.required(&field, "message must be specified if rule contains line breaks");
    }
    let expression = get::text(rule, "messageExpression");
    if !expression.is_empty() && expression.trim().is_empty() {
        errors.required(&here.child("messageExpression"), "messageExpression must be non-empty if specified");
    }
}

/// Whether a path leads to a field; what cannot be parsed is told of elsewhere.
fn leads_somewhere(schema: &Value, path: &str) -> bool {
    if supported(schema).is_err() {
        return true;
    }
    let without_rules = |schema: &Value| {
        let mut bare = schema.clone();
        get::remove(&mut bare, RULES);
        Structural::parse(&bare)
    };
    without_rules(schema).is_ok_and(|parsed| field_path::resolve(path, &parsed, field_path::Notation::Any).is_ok())
}

/// What is known where rules are compiled.
pub(super) struct Scope<'a> {
    pub structural: Option<&'a Structural>,
    /// Whether values have `apiVersion`, `kind` and `metadata`.
    pub root: Root,
    pub cardinality: Cardinality,
    /// Where values cannot be told apart from what they were before.
    pub uncorrelatable: Option<&'a str>,
    /// Whether each expression's cost is judged.
    pub bounded: bool,
}

/// Compiles the rules and judges their costs.
pub(super) fn expressions(
    schema: &Value,
    scope: &Scope<'_>,
    demands: &Demands,
    costs: &mut Costs,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let list = path.child(RULES);
    let Some(decl) = scope.structural.and_then(|structural| declare(structural, scope.root)).filter(cel::Decl::exposed) else {
        let detail = "internal error: failed to construct type information for x-kubernetes-validations rules: unable to convert structural schema to CEL declarations";
        return errors.internal(&list, detail);
    };
    let (rule_stage, message_stage) = (|text: &str| demands.rule_stage(text), |text: &str| demands.message_stage(text));
    let stages = Stages { rule: &rule_stage, message: &message_stage };
    for (i, written) in get::list(schema, RULES).iter().enumerate() {
        let here = list.index(i);
        let compiled = compile(&Rule::read(written), &decl, &stages);
        let cost = cost::total(compiled.cost_max, scope.cardinality, decl.bytes_min());
        let field = here.child("rule");
        if scope.bounded && cost > EXPRESSION_COST_MAX {
            errors.forbidden(&field, cost::exceeds("estimated rule cost", cost, EXPRESSION_COST_MAX));
        }
        costs.add(&field, cost);
        if let Some(words) = &compiled.error {
            errors.invalid(&field, internal::rule(written), words);
        }
        message(written, &compiled, costs, scope.bounded, &here, errors);
        transition(written, &compiled, scope, &here, errors);
    }
}

fn message(written: &Value, compiled: &Compiled, costs: &mut Costs, bounded: bool, here: &Path<'_>, errors: &mut Errors) {
    let field = here.child("messageExpression");
    if let Some(words) = &compiled.message_error {
        return errors.invalid(&field, internal::rule(written), words);
    }
    if compiled.message.is_some() {
        let cost = compiled.message_cost_max;
        if bounded && cost > EXPRESSION_COST_MAX {
            errors.forbidden(&field, cost::exceeds("estimated messageExpression cost", cost, EXPRESSION_COST_MAX));
        }
        costs.add(&field, cost);
    }
}

/// A rule may compare with what was before only where that can be found.
fn transition(written: &Value, compiled: &Compiled, scope: &Scope<'_>, here: &Path<'_>, errors: &mut Errors) {
    match (compiled.uses_old_self, scope.uncorrelatable, get::flag(written, "optionalOldSelf")) {
        (true, Some(within), _) => {
            let detail = format!("oldSelf cannot be used on the uncorrelatable portion of the schema within {within}");
            errors.invalid(&here.child("rule"), get::text(written, "rule"), detail);
        }
        (false, _, Some(optional)) => {
            errors.invalid(&here.child("optionalOldSelf"), optional, "may not be set if oldSelf is not used in rule");
        }
        _ => {}
    }
}
