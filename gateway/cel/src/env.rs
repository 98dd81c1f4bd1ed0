//! The environment: which variables, functions and macros an expression can use.

use crate::check;
use crate::decl::Decl;
use crate::functions::{Function, functions};
use crate::issue::Issues;
use crate::library::patch;
use crate::parse;
use crate::program::Program;
use crate::room::{is_deep, with_room};
use crate::types::{Object, Type};

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
    patches: bool,
    binds: bool,
}

impl Env {
    /// Kubernetes 1.37's environment without variables.
    pub fn new(stage: Stage) -> Self {
        Self { stage, variables: Vec::new(), patches: false, binds: false }
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

    /// The same with what makes patches: `Object{…}`, `JSONPatch{…}` and `jsonpatch.escapeKey`.
    pub fn with_patches(mut self) -> Self {
        self.patches = true;
        self
    }

    /// The same with `cel.bind`, which gives a value a name.
    pub fn with_bind(mut self) -> Self {
        self.binds = true;
        self
    }

    /// A function that expressions can call.
    pub(crate) fn function(&self, name: &str) -> Option<&'static Function> {
        functions(self.stage).get(name).filter(|found| self.patches || !patch::is_only_for_patches(found.name))
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Type> {
        self.variables.iter().find(|(known, _)| &**known == name).map(|(_, of)| of)
    }

    /// The declared object type of that name, where a variable's type is or holds it.
    pub(crate) fn object(&self, name: &str) -> Option<Object> {
        let declared = self.variables.iter().find_map(|(_, of)| of.object_named(name));
        declared.or_else(|| patch::object(name).filter(|_| self.patches))
    }

    /// Parses and checks a text, and makes ready to run it.
    pub fn compile(&self, text: &str) -> Result<Program, Issues> {
        let deep = is_deep(text);
        with_room(deep, || self.compile_here(text, deep))
    }

    fn compile_here(&self, text: &str, deep: bool) -> Result<Program, Issues> {
        let mut issues = Issues::new(text);
        let checked = parse::parse(text, self.binds, &mut issues).and_then(|parsed| check::check(parsed, self, &mut issues));
        match checked {
            Some(checked) => Program::new(checked, self, deep).map_err(|message| issues.with_instantiation(message)),
            None => Err(issues),
        }
    }
}
