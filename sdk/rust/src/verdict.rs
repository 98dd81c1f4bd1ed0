//! What is wrong with an object, as a policy collects it.

use crate::bindings::validator::gatehouse::policy::types;

/// The violations and warnings found so far.
#[derive(Debug, Default)]
pub struct Verdict {
    pub(crate) violations: Vec<types::Violation>,
    pub(crate) warnings: Vec<String>,
    pub(crate) unjudged: Option<String>,
}

impl Verdict {
    /// A rule is broken: its name, the field (`spec.containers[0].image`, or empty), and what is wrong and would be right.
    pub fn violation(&mut self, rule: &str, field: impl Into<String>, message: impl Into<String>) -> &mut Self {
        self.violations.push(types::Violation {
            rule: rule.to_owned(),
            message: message.into(),
            field: field.into(),
            code: None,
        });
        self
    }

    /// Gives the last violation a machine-readable code.
    pub fn code(&mut self, code: impl Into<String>) -> &mut Self {
        if let Some(violation) = self.violations.last_mut() {
            violation.code = Some(code.into());
        }
        self
    }

    /// Tells the caller something although nothing is wrong.
    pub fn warning(&mut self, message: impl Into<String>) -> &mut Self {
        self.warnings.push(message.into());
        self
    }

    /// The policy cannot judge, and says why: that is the binding's `failurePolicy`, whatever else was found.
    pub fn cannot_judge(&mut self, why: impl ToString) -> &mut Self {
        self.unjudged = Some(why.to_string());
        self
    }

    /// Whether no rule is broken.
    pub fn is_allowed(&self) -> bool {
        self.violations.is_empty()
    }
}
