//! Whether the defaults of a schema are valid values of it, which is judged when its definition is written. Follows
//! `apiserver/schema/defaulting/validation.go`. Fills in nothing.

use ::cel::OBJECT_COST_MAX;
use model::field::{Error, Errors, Path};
use model::json::{Map, Value};

use crate::structural::rules::Evaluation;
use crate::structural::shown::shown;
use crate::structural::{Structural, embedded, openapi};

/// Whether defaults may hold what pruning would drop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pruned {
    /// They may not.
    Required,
    /// They may: the stored definition has such already.
    Optional,
}

impl Structural {
    /// Judges all defaults of the schema of a whole object.
    pub fn validate_defaults(&self, pruned: Pruned, path: &Path<'_>, errors: &mut Errors) {
        let mut check = Check { pruned, budget: OBJECT_COST_MAX as i64, errors };
        check.walk(self, Place { root: self, steps: None, within_meta: false }, path);
    }
}

/// A step from an object to a value within.
#[derive(Clone, Copy)]
struct Step<'a> {
    before: Option<&'a Step<'a>>,
    /// A field; none is an item.
    field: Option<&'a str>,
}

/// Where a schema stands in the nearest object around it.
#[derive(Clone, Copy)]
struct Place<'a> {
    root: &'a Structural,
    steps: Option<&'a Step<'a>>,
    /// Whether that is within what every object has.
    within_meta: bool,
}

struct Check<'e> {
    pruned: Pruned,
    budget: i64,
    errors: &'e mut Errors,
}

impl Check<'_> {
    fn walk(&mut self, schema: &Structural, place: Place<'_>, path: &Path<'_>) {
        let whole = schema.embedded_resource || std::ptr::eq(schema, place.root);
        let place = if whole { Place { root: schema, steps: None, within_meta: false } } else { place };
        if let Some(default) = &schema.default {
            self.judge(schema, default, place, &path.child("default"));
        }
        if self.budget < 0 {
            return;
        }
        if let Some(items) = schema.items.as_deref() {
            let step = Step { before: place.steps, field: None };
            self.walk(items, Place { steps: Some(&step), ..place }, &path.child("items"));
        }
        let below = path.child("properties");
        for (name, property) in schema.properties() {
            let step = Step { before: place.steps, field: Some(name) };
            let within_meta = place.within_meta || (whole && matches!(name, "metadata" | "apiVersion" | "kind"));
            self.walk(property, Place { root: place.root, steps: Some(&step), within_meta }, &below.key(name));
        }
    }

    fn judge(&mut self, schema: &Structural, default: &Value, place: Place<'_>, path: &Path<'_>) {
        let mut found = Errors::new();
        if place.within_meta {
            let object = surround(default.clone(), place.steps);
            embedded::validate(place.root, &object, embedded::Root::Resource, &Path::default(), &mut found);
            if !found.is_empty() {
                let detail = format!("must result in valid metadata: {}", aggregate(&found.0));
                return self.errors.invalid(path, shown(default), detail);
            }
        } else {
            if self.pruned == Pruned::Required && !schema.is_pruned(default) {
                self.errors.invalid(path, shown(default), "must not have unknown fields");
            }
            let whole = schema.embedded_resource || std::ptr::eq(schema, place.root);
            let root = if whole { embedded::Root::Resource } else { embedded::Root::Value };
            embedded::validate(schema, default, root, path, &mut found);
        }
        if found.is_empty() {
            openapi::run_default(schema, default).report(path, &mut found);
        }
        if found.is_empty() {
            self.rules(schema, default, path, &mut found);
        }
        self.errors.0.append(&mut found.0);
    }

    /// Rules see the default unchanged, and then as new; what costs more counts.
    fn rules(&mut self, schema: &Structural, default: &Value, path: &Path<'_>, found: &mut Errors) {
        let run = |old: Option<&Value>, budget: i64, found: &mut Errors| {
            let mut warnings = Vec::new();
            let mut evaluation = Evaluation::new(found, &mut warnings);
            evaluation.budget = budget;
            evaluation.run(schema, default, old, None, path)
        };
        let left = run(Some(default), self.budget, found);
        let left_as_new = if found.is_empty() { run(None, self.budget, found) } else { left };
        self.budget = left.min(left_as_new);
    }
}

impl Structural {
    /// Whether any default holds what pruning would drop.
    pub fn has_unpruned_defaults(&self) -> bool {
        let own = self.default.as_ref().is_some_and(|default| !self.is_pruned(default));
        own || self.items.as_ref().is_some_and(|items| items.has_unpruned_defaults())
            || self.properties().any(|(_, property)| property.has_unpruned_defaults())
    }

    fn is_pruned(&self, value: &Value) -> bool {
        let mut copy = value.clone();
        self.prune_value(&mut copy);
        copy == *value
    }
}

/// The object that has a value where the steps lead to, and nothing else but a type.
fn surround(value: Value, steps: Option<&Step<'_>>) -> Value {
    let mut value = value;
    let mut next = steps;
    while let Some(step) = next {
        value = match step.field {
            Some(name) => Value::Object([(name.to_owned(), value)].into_iter().collect::<Map>()),
            None => Value::Array(vec![value]),
        };
        next = step.before;
    }
    if let Some(fields) = value.as_object_mut() {
        fields.entry("kind").or_insert_with(|| "Validation".into());
        fields.entry("apiVersion").or_insert_with(|| "validation/v1".into());
    }
    value
}

/// Several errors in one text, as upstream prints aggregates: equal ones once.
fn aggregate(errors: &[Error]) -> String {
    let mut texts: Vec<String> = Vec::new();
    for error in errors {
        let text = error.to_string();
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    if let [only] = &texts[..] { only.clone() } else { format!("[{}]", texts.join(", ")) }
}
