//! The environment: which variables, functions and macros an expression can use.

use crate::decl::Decl;
use crate::issue::Issues;
use crate::program::Program;
use crate::types::Type;

/// For which expressions the environment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Expressions that a request writes: only what the previous minor version knows too, so that it can be rolled back.
    New,
    /// Expressions that are stored already.
    Stored,
}

/// Variables over Kubernetes' libraries.
#[derive(Clone, Debug)]
pub struct Env {
    stage: Stage,
    variables: Vec<(Box<str>, Type)>,
}

impl Env {
    /// Kubernetes 1.37's environment without variables.
    pub fn new(stage: Stage) -> Self {
        Self { stage, variables: Vec::new() }
    }

    /// The same with a variable.
    pub fn variable(mut self, name: &str, of: Type) -> Self {
        self.variables.push((name.into(), of));
        self
    }

    /// The same with `self` and `oldSelf` as a CRD's rule sees them; `optional_old` where `optionalOldSelf` is set.
    pub fn rule(self, decl: &Decl, optional_old: bool) -> Self {
        let own = decl.to_type("selfType");
        let old = if optional_old { Type::optional(own.clone()) } else { own.clone() };
        self.variable("self", own).variable("oldSelf", old)
    }

    /// Parses and checks a text.
    pub fn compile(&self, text: &str) -> Result<Program, Issues> {
        let mut issues = Issues::new(text);
        issues.push(None, format!("expressions are not evaluated yet ({:?}, {} variables)", self.stage, self.variables.len()));
        if issues.is_empty() { Ok(Program::default()) } else { Err(issues) }
    }
}
