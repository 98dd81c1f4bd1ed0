//! The CEL rules of a schema (`x-kubernetes-validations`): read with it, compiled when its definition changes, never on a
//! request's path. Follows `apiserver/schema/cel/compilation.go`. Does not run them (`evaluate`).

mod declare;
mod evaluate;

use ::cel::{Decl, Env, Program, Stage, Type as CelType};
use model::field::Fault;
use model::json::{Map, Value};

use super::{Additional, Structural, field_path};
pub use declare::{Root, declare};
pub(super) use evaluate::Evaluation;

/// A rule as it is written.
#[derive(Debug, Default)]
pub struct Rule {
    /// `rule`.
    pub rule: Box<str>,
    /// `message`.
    pub message: Box<str>,
    /// `messageExpression`.
    pub message_expression: Box<str>,
    /// `fieldPath`.
    pub field_path: Box<str>,
    /// `reason`.
    pub reason: Option<Fault>,
    /// `optionalOldSelf`.
    pub optional_old_self: bool,
}

impl Rule {
    /// Reads one entry of `x-kubernetes-validations`.
    pub fn read(from: &Value) -> Self {
        let text = |field: &str| from.get(field).and_then(Value::as_str).unwrap_or("").into();
        let reason = match from.get("reason").and_then(Value::as_str) {
            Some("FieldValueForbidden") => Some(Fault::Forbidden),
            Some("FieldValueRequired") => Some(Fault::Required),
            Some("FieldValueDuplicate") => Some(Fault::Duplicate),
            _ => None,
        };
        Self {
            rule: text("rule"),
            message: text("message"),
            message_expression: text("messageExpression"),
            field_path: text("fieldPath"),
            reason,
            optional_old_self: from.get("optionalOldSelf").and_then(Value::as_bool).unwrap_or(false),
        }
    }
}

/// What became of a rule's two expressions.
#[derive(Debug, Default)]
pub struct Compiled {
    /// The rule; absent when it is empty or does not compile.
    pub program: Option<Program>,
    /// Why the rule does not compile.
    pub error: Option<String>,
    /// Whether it compares with what was before.
    pub uses_old_self: bool,
    /// The most that an evaluation can cost.
    pub cost_max: u64,
    /// The message's expression.
    pub message: Option<Program>,
    /// Why the message's expression does not compile.
    pub message_error: Option<String>,
    /// The most that the message can cost.
    pub message_cost_max: u64,
}

/// For which stage an expression is compiled: new ones may use only what the previous version knows too.
pub struct Stages<'a> {
    /// Of rules.
    pub rule: &'a dyn Fn(&str) -> Stage,
    /// Of messages.
    pub message: &'a dyn Fn(&str) -> Stage,
}

/// Compiles a rule for values of a declaration.
pub fn compile(rule: &Rule, decl: &Decl, stages: &Stages<'_>) -> Compiled {
    let mut compiled = Compiled::default();
    if rule.rule.trim().is_empty() {
        return compiled;
    }
    let env = |stage| Env::new(stage).rule(decl, rule.optional_old_self);
    let program = match env((stages.rule)(&rule.rule)).compile(&rule.rule) {
        Ok(program) if *program.output() == CelType::Bool => program,
        Ok(_) => return Compiled { error: Some("cel expression must evaluate to a bool".into()), ..compiled },
        Err(issues) => return Compiled { error: Some(issues.detail()), ..compiled },
    };
    compiled.uses_old_self = program.uses("oldSelf");
    compiled.cost_max = program.cost(decl).max;
    compiled.program = Some(program);
    if rule.message_expression.is_empty() {
        return compiled;
    }
    match env((stages.message)(&rule.message_expression)).compile(&rule.message_expression) {
        Ok(program) if *program.output() == CelType::String => {
            compiled.message_cost_max = program.cost(decl).max;
            compiled.message = Some(program);
        }
        Ok(_) => compiled.message_error = Some("messageExpression must evaluate to a string".into()),
        Err(issues) => {
            let step = if issues.instantiation().is_some() { "instantiation" } else { "compilation" };
            compiled.message_error = Some(format!("messageExpression {step} failed: {issues}"));
        }
    }
    compiled
}

/// A rule, what became of it, and its field's path as errors spell it.
type Ready = (Rule, Compiled, Option<Box<str>>);

/// The rules of one schema, ready to run.
#[derive(Debug)]
pub(super) struct Rules {
    /// What the values are; absent where the schema cannot be declared, which no valid definition has.
    decl: Option<Decl>,
    rules: Box<[Ready]>,
    uses_old_self: bool,
}

/// Reads the rules of a schema, not compiled yet.
pub(super) fn read(from: &Map) -> Option<Box<Rules>> {
    let all = from.get("x-kubernetes-validations").and_then(Value::as_array).filter(|all| !all.is_empty())?;
    let rules = all.iter().map(|rule| (Rule::read(rule), Compiled::default(), None)).collect();
    Some(Box::new(Rules { decl: None, rules, uses_old_self: false }))
}

/// Compiles all rules of a tree, where it has any.
pub(super) fn compile_all(root: &mut Structural) {
    if mark(root) {
        let decl = declare(root, declare::Root::Resource);
        below(root, decl.as_ref());
    }
}

/// Notes where rules are, so that evaluation walks nowhere else.
fn mark(schema: &mut Structural) -> bool {
    let mut ruled = schema.rules.is_some();
    if let Some(items) = &mut schema.items {
        ruled |= mark(items);
    }
    if let Additional::Of(values) = &mut schema.additional {
        ruled |= mark(values);
    }
    for (_, property) in &mut schema.properties {
        ruled |= mark(property);
    }
    schema.ruled = ruled;
    ruled
}

fn below(schema: &mut Structural, decl: Option<&Decl>) {
    if !schema.ruled {
        return;
    }
    if let Some(mut rules) = schema.rules.take() {
        rules.compile(schema, decl);
        schema.rules = Some(rules);
    }
    let element = decl.and_then(|decl| match decl.kind() {
        ::cel::Kind::List(items, _) | ::cel::Kind::Map(items) => Some(items),
        _ => None,
    });
    if let Some(items) = &mut schema.items {
        below(items, element);
    }
    if let Additional::Of(values) = &mut schema.additional {
        below(values, element);
    }
    for (name, property) in &mut schema.properties {
        let field = decl.and_then(|decl| match decl.kind() {
            ::cel::Kind::Object(fields) => fields.get(name.as_ref()).map(|field| &field.decl),
            _ => None,
        });
        // What cannot be declared is left out of rules altogether.
        match field.filter(|decl| decl.exposed()) {
            Some(field) => below(property, Some(field)),
            None => property.ruled = false,
        }
    }
}

impl Rules {
    fn compile(&mut self, schema: &Structural, decl: Option<&Decl>) {
        let Some(decl) = decl.filter(|decl| decl.exposed()) else { return };
        let stored = |_: &str| Stage::Stored;
        for (rule, compiled, path) in &mut self.rules {
            *compiled = compile(rule, decl, &Stages { rule: &stored, message: &stored });
            *path = field_path::resolve(&rule.field_path, schema, field_path::Notation::Any).ok().map(|found| found.path.into());
        }
        self.uses_old_self = self.rules.iter().any(|(_, compiled, _)| compiled.uses_old_self);
        self.decl = Some(decl.clone());
    }
}
