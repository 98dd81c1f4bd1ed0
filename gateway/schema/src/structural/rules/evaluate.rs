//! Runs the rules of a schema over an object, and over what it was before, within the budget of costs.
//! Follows `apiserver/schema/cel/validation.go`. Compiles nothing.

use std::collections::HashMap;

use ::cel::{Bindings, CALL_COST_MAX, Decl, EFFORT_PER_COST, Error as Failure, OBJECT_COST_MAX, Program, Value as Cel};
use model::field::{Error, Errors, Fault, Path, Spelling, quote};
use model::json::{Map, Value};

use super::{Compiled, Rule, Rules};
use crate::structural::correlate::{Correlated, Keys};
use crate::structural::shown::shown;
use crate::structural::{Additional, Structural};

/// Longest message that an expression may make.
const MESSAGE_BYTES_MAX: usize = 5 * 1024;

/// The costs are used up, or a failure ends the evaluation.
struct Exhausted;

/// The evaluation of all rules of an object.
pub(in crate::structural) struct Evaluation<'e> {
    pub errors: &'e mut Errors,
    /// What rules say of parts that an update leaves as they were.
    pub warnings: &'e mut Vec<String>,
    pub budget: i64,
    /// What may be done beyond what costs say.
    effort: u64,
}

impl<'e> Evaluation<'e> {
    pub(in crate::structural) fn new(errors: &'e mut Errors, warnings: &'e mut Vec<String>) -> Self {
        Self { errors, warnings, budget: OBJECT_COST_MAX as i64, effort: EFFORT_PER_COST * OBJECT_COST_MAX }
    }

    /// Runs the rules of a schema and of all below it; what is left of the budget, less than zero when it did not suffice.
    pub(in crate::structural) fn run(
        &mut self,
        schema: &Structural,
        new: &Value,
        old: Option<&Value>,
        correlated: Option<&Correlated<'_>>,
        path: &Path<'_>,
    ) -> i64 {
        match self.walk(schema, new, old, correlated, path) {
            Ok(()) => self.budget,
            // What ended it has been told of.
            Err(Exhausted) => -1,
        }
    }

    fn walk(
        &mut self,
        schema: &Structural,
        new: &Value,
        old: Option<&Value>,
        correlated: Option<&Correlated<'_>>,
        path: &Path<'_>,
    ) -> Result<(), Exhausted> {
        if !schema.ruled || new.is_null() {
            return Ok(());
        }
        let old = old.filter(|old| !old.is_null());
        if let Some(rules) = &schema.rules {
            let node = Node { rules, schema, new, old, correlated, path };
            self.node(&node)?;
        }
        match new {
            Value::Array(items) => self.items(schema, items, old, correlated, path),
            Value::Object(fields) => self.fields(schema, fields, old, correlated, path),
            _ => Ok(()),
        }
    }

    fn items(
        &mut self,
        schema: &Structural,
        items: &[Value],
        old: Option<&Value>,
        correlated: Option<&Correlated<'_>>,
        path: &Path<'_>,
    ) -> Result<(), Exhausted> {
        let Some(inner) = schema.items.as_deref().filter(|inner| inner.ruled) else { return Ok(()) };
        let before = Before::of(schema, old);
        for (i, item) in items.iter().enumerate() {
            let below = correlated.map(|c| c.index(item));
            self.walk(inner, item, before.find(item), below.as_ref(), &path.index(i))?;
        }
        Ok(())
    }

    fn fields(
        &mut self,
        schema: &Structural,
        fields: &Map,
        old: Option<&Value>,
        correlated: Option<&Correlated<'_>>,
        path: &Path<'_>,
    ) -> Result<(), Exhausted> {
        let correlatable = matches!(schema.map_type(), None | Some("granular" | "atomic"));
        let old = old.filter(|_| correlatable);
        for (name, value) in fields {
            let before = old.and_then(|old| old.get(name));
            // The version and kind of the whole object are not what the client changed.
            let own = correlated.filter(|c| !(c.is_root() && matches!(name.as_str(), "apiVersion" | "kind")));
            let below = own.map(|c| c.key(name, value));
            match (schema.property(name), &schema.additional) {
                (Some(property), _) => self.walk(property, value, before, below.as_ref(), &path.child(name))?,
                (None, Additional::Of(values)) => self.walk(values, value, before, below.as_ref(), &path.key(name))?,
                (None, _) => {}
            }
        }
        Ok(())
    }

    fn node(&mut self, node: &Node<'_>) -> Result<(), Exhausted> {
        let Some(decl) = &node.rules.decl else {
            let detail = "rule compiler initialization error: failed to convert to declType for CEL validation rules";
            self.errors.invalid(node.path, node.kind(), detail);
            return Ok(());
        };
        for (rule, compiled, path) in &node.rules.rules {
            if self.budget <= 0 {
                self.errors.invalid(node.path, node.kind(), OUT_OF_BUDGET);
                return Err(Exhausted);
            }
            if let Some(words) = &compiled.error {
                self.errors.invalid(node.path, node.kind(), format!("rule compile error: {words}"));
                continue;
            }
            // Transition rules need something to compare with.
            let skipped = compiled.uses_old_self && node.old.is_none() && !rule.optional_old_self;
            match &compiled.program {
                Some(program) if !skipped => self.rule(node, decl, rule, compiled, program, path.as_deref())?,
                _ => {}
            }
        }
        Ok(())
    }

    fn rule(
        &mut self,
        node: &Node<'_>,
        decl: &Decl,
        rule: &Rule,
        compiled: &Compiled,
        program: &Program,
        field_path: Option<&str>,
    ) -> Result<(), Exhausted> {
        let evaluation = program.eval(&node.bindings(decl, rule.optional_old_self), CALL_COST_MAX);
        if !self.pay(evaluation.cost, evaluation.effort) {
            self.errors.invalid(node.path, node.kind(), OUT_OF_BUDGET);
            return Err(Exhausted);
        }
        match evaluation.result {
            Ok(value) if value.as_bool() == Some(true) => Ok(()),
            Ok(_) => self.broken(node, decl, rule, compiled, field_path),
            Err(Failure::CostLimit) => {
                let limit = Failure::CostLimit;
                let name = name_of(rule);
                let detail =
                    format!("'{limit}': no further validation rules will be run due to call cost exceeds limit for rule: {name}");
                self.errors.invalid(node.path, node.kind(), detail);
                Err(Exhausted)
            }
            Err(failure) => {
                let (words, name) = (failure.to_string(), name_of(rule));
                let detail = if words.starts_with("no such overload") {
                    format!(
                        "'{words}': call arguments did not match a supported operator, function or macro signature for rule: {name}"
                    )
                } else {
                    format!("{words} evaluating rule: {name}")
                };
                self.errors.invalid(node.path, node.kind(), detail);
                Ok(())
            }
        }
    }

    /// Takes a cost and what was done beyond it from the budget; false when it does not suffice.
    fn pay(&mut self, cost: u64, effort: u64) -> bool {
        let Some(left) = self.effort.checked_sub(effort) else { return false };
        self.effort = left;
        match i64::try_from(cost) {
            Ok(cost) if cost <= self.budget => {
                self.budget -= cost;
                true
            }
            _ => false,
        }
    }

    /// Says that a rule is broken, by its message's expression where it has one that works.
    fn broken(
        &mut self,
        node: &Node<'_>,
        decl: &Decl,
        rule: &Rule,
        compiled: &Compiled,
        field_path: Option<&str>,
    ) -> Result<(), Exhausted> {
        let own = field_path.filter(|path| !path.is_empty()).map(|path| node.path.child(path));
        let path = own.as_ref().unwrap_or(node.path);
        let message = match &compiled.message {
            None => None,
            Some(program) => match self.message(program, node, decl, &rule.message_expression) {
                Ok(message) => message,
                Err(words) => {
                    self.add(node, compiled, Fault::Invalid, path, Some(node.kind().into()), words);
                    return Err(Exhausted);
                }
            },
        };
        let message = message.unwrap_or_else(|| match rule.message.is_empty() {
            true => format!("failed rule: {}", rule.rule.trim()),
            false => rule.message.trim().to_owned(),
        });
        let value = match node.kind() {
            "object" | "array" => None,
            _ => Some(shown(node.new)),
        };
        match rule.reason.unwrap_or(Fault::Invalid) {
            fault @ (Fault::Forbidden | Fault::Required) => self.add(node, compiled, fault, path, None, message),
            Fault::Duplicate => self.add(node, compiled, Fault::Duplicate, path, value, String::new()),
            fault => self.add(node, compiled, fault, path, value, message),
        }
        Ok(())
    }

    fn add(&mut self, node: &Node<'_>, compiled: &Compiled, fault: Fault, path: &Path<'_>, value: Option<Value>, detail: String) {
        let error = Error { fault, field: path.to_string(), value, detail, spelling: Spelling::Go };
        if !compiled.uses_old_self && node.correlated.is_some_and(Correlated::ratchets) {
            self.warnings.push(error.to_string());
        } else {
            self.errors.0.push(error);
        }
    }

    /// What a message's expression says; nothing when it fails, an error when it costs too much.
    fn message(&mut self, program: &Program, node: &Node<'_>, decl: &Decl, text: &str) -> Result<Option<String>, String> {
        let evaluation = program.eval(&node.bindings(decl, false), CALL_COST_MAX);
        if !self.pay(evaluation.cost, evaluation.effort) {
            return Err(
                "messageExpression evaluation failed due to running out of cost budget, no further validation rules will be run"
                    .into(),
            );
        }
        match evaluation.result {
            Err(Failure::CostLimit) => Err(format!(
                "no further validation rules will be run due to call cost exceeds limit for messageExpression: {}",
                quote(text)
            )),
            Err(Failure::Failed(_)) => Ok(None),
            Ok(value) => {
                let message = value.as_str().map(|text| text.trim().to_owned());
                Ok(message.filter(|m| !m.is_empty() && m.len() <= MESSAGE_BYTES_MAX && !m.contains('\n')))
            }
        }
    }
}

const OUT_OF_BUDGET: &str = "validation failed due to running out of cost budget, no further validation rules will be run";

/// The rule as errors call it.
fn name_of(rule: &Rule) -> &str {
    if rule.message.is_empty() { rule.rule.trim() } else { rule.message.trim() }
}

/// A value with rules, and what they run on.
struct Node<'a> {
    rules: &'a Rules,
    schema: &'a Structural,
    new: &'a Value,
    old: Option<&'a Value>,
    correlated: Option<&'a Correlated<'a>>,
    path: &'a Path<'a>,
}

impl<'a> Node<'a> {
    fn kind(&self) -> &'static str {
        self.schema.kind.map_or("", super::super::Type::name)
    }

    fn bindings<'b>(&'b self, decl: &'b Decl, optional: bool) -> Bindings<'b> {
        let bindings = Bindings::default().set("self", Cel::declared(self.new, decl));
        let old = self.old.map(|old| Cel::declared(old, decl));
        match (self.rules.uses_old_self, optional, old) {
            (true, true, old) => bindings.set("oldSelf", Cel::optional(old)),
            (true, false, Some(old)) => bindings.set("oldSelf", old),
            _ => bindings,
        }
    }
}

/// The old items of a list of type map, by their keys.
struct Before<'a>(Option<(Keys<'a>, HashMap<String, &'a Value>)>);

impl<'a> Before<'a> {
    fn of(schema: &'a Structural, old: Option<&'a Value>) -> Self {
        let by_key = || {
            let (old, keys) = (old?.as_array()?, Keys::of(schema)?);
            let mut items = HashMap::with_capacity(old.len());
            for item in old {
                if let Some(key) = keys.joined(item) {
                    items.entry(key).or_insert(item);
                }
            }
            Some((keys, items))
        };
        Self(by_key())
    }

    fn find(&self, item: &Value) -> Option<&'a Value> {
        let (keys, items) = self.0.as_ref()?;
        items.get(&keys.joined(item)?).copied()
    }
}
