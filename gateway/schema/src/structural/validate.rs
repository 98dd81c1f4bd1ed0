//! All that is judged about a custom object, in upstream's order: values, embedded objects, lists' types, rules.
//! Follows `pkg/registry/customresource/strategy.go`. Leaves `metadata` of the root and the scale to the write path.

use model::field::{Errors, Fault, Path};
use model::json::Value;

use super::correlate::{Correlated, Tables};
use super::rules::Evaluation;
use super::{Structural, embedded, list_type, openapi};

/// What stands in the way of rules: they would run on values that are not what they were compiled for.
const BLOCKED: &str =
    "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation";

/// What part of the object a write may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// `status` alone.
    Status,
}

impl Structural {
    /// OpenAPI validation, embedded metadata, list types, CEL rules; with `old` ratcheting and transition rules.
    pub fn validate(&self, new: &Value, old: Option<&Value>, errors: &mut Errors) {
        self.validate_values(Part::Whole, new, old, errors);
        self.validate_invariants(Part::Whole, new, old, errors, &mut Vec::new());
    }

    /// The first half: OpenAPI validation. What is to be said of the scale comes after it.
    pub fn validate_values(&self, part: Part, new: &Value, old: Option<&Value>, errors: &mut Errors) {
        let tables = Tables::default();
        match part {
            Part::Whole => {
                let correlated = old.map(|old| Correlated::root(self, new, old, &tables));
                openapi::run(self, new, correlated.as_ref()).report(&Path::default(), errors);
            }
            Part::Status => {
                let (Some(schema), Some(status)) = (self.property("status"), new.get("status")) else { return };
                let before = old.and_then(|old| old.get("status")).unwrap_or(&Value::Null);
                let correlated = Correlated::root(schema, status, before, &tables);
                openapi::run(schema, status, Some(&correlated)).report(&Path::new("status"), errors);
            }
        }
    }

    /// The second half: embedded objects, lists' types, and rules unless `errors` already has what keeps them from
    /// running. What rules say of unchanged parts are warnings.
    pub fn validate_invariants(
        &self,
        part: Part,
        new: &Value,
        old: Option<&Value>,
        errors: &mut Errors,
        warnings: &mut Vec<String>,
    ) {
        let root = Path::default();
        if part == Part::Whole {
            embedded::validate(self, new, embedded::Root::Value, &root, errors);
        }
        // An object that was stored with duplicates may keep them.
        if old.is_none_or(|old| self.has_unique_lists(old)) {
            list_type::validate(self, new, &root, errors);
        }
        if !self.ruled {
            return;
        }
        if errors.0.iter().any(|error| blocks(error.fault)) {
            return errors.push(Fault::Invalid, &root, Some(Value::Null), BLOCKED);
        }
        let tables = Tables::default();
        let correlated = old.map(|old| Correlated::root(self, new, old, &tables));
        Evaluation::new(errors, warnings).run(self, new, old, correlated.as_ref(), &root);
    }

    fn has_unique_lists(&self, object: &Value) -> bool {
        let mut found = Errors::new();
        list_type::validate(self, object, &Path::default(), &mut found);
        found.is_empty()
    }
}

fn blocks(fault: Fault) -> bool {
    matches!(fault, Fault::NotSupported | Fault::Required | Fault::TooLong | Fault::TooMany | Fault::TypeInvalid)
}
