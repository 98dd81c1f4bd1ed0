//! The environments in which admission's expressions are compiled: which variables they see and what they must yield.
//! Follows `k8s.io/apiserver/pkg/admission/plugin/cel/compile.go`. Evaluates nothing.

use std::sync::LazyLock;

use crate::env::{Env, Stage};
use crate::library::patch;
use crate::program::Program;
use crate::types::Type;

pub use crate::composition::Variables;

/// Names of the variables.
pub mod variable {
    /// The object of the request, null on a delete.
    pub const OBJECT: &str = "object";
    /// The object as it is stored, null on a create.
    pub const OLD_OBJECT: &str = "oldObject";
    /// What the binding gives the policy, perhaps null.
    pub const PARAMS: &str = "params";
    /// The request.
    pub const REQUEST: &str = "request";
    /// The namespace of the request, null where there is none.
    pub const NAMESPACE: &str = "namespaceObject";
    /// Who may do what, for the author of the request.
    pub const AUTHORIZER: &str = "authorizer";
    /// The same for the resource of the request.
    pub const REQUEST_RESOURCE: &str = "authorizer.requestResource";
    /// Named expressions.
    pub const VARIABLES: &str = crate::composition::VARIABLES;
}

/// Which variables are there besides `object`, `oldObject`, `request` and `namespaceObject`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offered {
    /// `params`
    pub params: bool,
    /// `authorizer`
    pub authorizer: bool,
    /// `Object{}` and `JSONPatch{}`
    pub patches: bool,
}

/// What an expression must yield.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Yields {
    /// Anything: a variable.
    Anything,
    /// A truth: a condition, a validation.
    Bool,
    /// Text: a message.
    String,
    /// Text or null: the value of an audit annotation.
    StringOrNull,
    /// What is to change of the object.
    Object,
    /// A JSON patch.
    JsonPatch,
}

/// Why an expression cannot be used; the display is the detail of upstream's error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub detail: String,
    /// Whether it is the server's fault rather than the author's, which upstream tells apart.
    pub internal: bool,
}

/// The environment of an expression; `variables` where others can be referred to.
pub fn env(stage: Stage, offered: Offered, variables: Option<&Variables>) -> Env {
    let mut env = Env::new(stage)
        .variable(variable::OBJECT, Type::Dyn)
        .variable(variable::OLD_OBJECT, Type::Dyn)
        .variable(variable::NAMESPACE, NAMESPACE.clone())
        .variable(variable::REQUEST, REQUEST.clone());
    if offered.params {
        env = env.variable(variable::PARAMS, Type::Dyn);
    }
    if offered.authorizer {
        env = env
            .variable(variable::AUTHORIZER, Type::object("kubernetes.authorization.Authorizer"))
            .variable(variable::REQUEST_RESOURCE, Type::object("kubernetes.authorization.ResourceCheck"));
    }
    if let Some(variables) = variables {
        env = env.variable(variable::VARIABLES, variables.to_type());
    }
    if offered.patches { env.with_patches() } else { env }
}

/// What is known of the variables that hold objects, where expressions are only checked.
#[derive(Clone, Debug)]
pub struct Known {
    /// `object` and `oldObject`
    pub object: Type,
    /// `params`, where there are some
    pub params: Option<Type>,
}

/// The environment of an expression that is checked against what is known and never evaluated. The resource of the request is
/// unknown there, as it is upstream.
pub fn known_env(known: &Known, variables: &Variables) -> Env {
    let mut env = Env::new(Stage::Stored)
        .variable(variable::OBJECT, known.object.clone())
        .variable(variable::OLD_OBJECT, known.object.clone())
        .variable(variable::NAMESPACE, NAMESPACE.clone())
        .variable(variable::REQUEST, REQUEST.clone())
        .variable(variable::AUTHORIZER, Type::object("kubernetes.authorization.Authorizer"))
        .variable(variable::VARIABLES, variables.to_type());
    if let Some(params) = &known.params {
        env = env.variable(variable::PARAMS, params.clone());
    }
    env
}

/// Compiles an expression that must yield something.
///
/// # Errors
/// It does not compile, or yields something else.
pub fn compile(env: &Env, text: &str, yields: Yields) -> Result<Program, Fault> {
    let program =
        env.compile(text).map_err(|issues| Fault { detail: issues.detail(), internal: issues.instantiation().is_some() })?;
    let wanted = yields.types();
    if wanted.is_empty() || wanted.contains(program.output()) {
        return Ok(program);
    }
    let got = program.output().go_name();
    let detail = match &wanted[..] {
        [only] => format!("must evaluate to {} but got {got}", only.go_name()),
        several => {
            let names: Vec<String> = several.iter().map(Type::go_name).collect();
            format!("must evaluate to one of [{}] but got {got}", names.join(" "))
        }
    };
    Err(Fault { detail, internal: false })
}

impl Yields {
    /// The types that are taken; none at all takes any.
    fn types(self) -> Vec<Type> {
        match self {
            Self::Anything => Vec::new(),
            Self::Bool => vec![Type::Bool],
            Self::String => vec![Type::String],
            Self::StringOrNull => vec![Type::String, Type::Null],
            Self::Object => vec![patch::object_type()],
            Self::JsonPatch => vec![patch::json_patch_type()],
        }
    }
}

fn texts<const N: usize>(names: [&'static str; N]) -> impl Iterator<Item = (&'static str, Type)> {
    names.into_iter().map(|name| (name, Type::String))
}

/// `BuildRequestType`
static REQUEST: LazyLock<Type> = LazyLock::new(|| {
    let strings = || Type::list(Type::String);
    let kind = Type::record("kubernetes.GroupVersionKind", texts(["group", "version", "kind"]));
    let resource = Type::record("kubernetes.GroupVersionResource", texts(["group", "version", "resource"]));
    let extra = Type::map(Type::String, strings());
    let user = texts(["username", "uid"]).chain([("groups", strings()), ("extra", extra)]);
    let user = Type::record("kubernetes.UserInfo", user);
    let plain = texts(["subResource", "requestSubResource", "name", "namespace", "operation"]);
    let fields = plain.chain([
        ("kind", kind.clone()),
        ("resource", resource.clone()),
        ("requestKind", kind),
        ("requestResource", resource),
        ("userInfo", user),
        ("dryRun", Type::Bool),
        ("options", Type::Dyn),
    ]);
    Type::record("kubernetes.AdmissionRequest", fields)
});

/// `BuildNamespaceType`
static NAMESPACE: LazyLock<Type> = LazyLock::new(|| {
    let strings = || Type::list(Type::String);
    let map = || Type::map(Type::String, Type::String);
    let spec = Type::record("kubernetes.NamespaceSpec", [("finalizers", strings())]);
    let condition = texts(["status", "type", "message", "reason"]).chain([("lastTransitionTime", Type::Timestamp)]);
    let condition = Type::record("kubernetes.NamespaceCondition", condition);
    let status = [("conditions", Type::list(condition)), ("phase", Type::String)];
    let status = Type::record("kubernetes.NamespaceStatus", status);
    let metadata = texts(["name", "generateName", "namespace", "UID", "resourceVersion"]).chain([
        ("labels", map()),
        ("annotations", map()),
        ("creationTimestamp", Type::Timestamp),
        ("deletionGracePeriodSeconds", Type::Int),
        ("deletionTimestamp", Type::Timestamp),
        ("generation", Type::Int),
        ("finalizers", strings()),
    ]);
    let metadata = Type::record("kubernetes.NamespaceMetadata", metadata);
    Type::record("kubernetes.Namespace", [("metadata", metadata), ("spec", spec), ("status", status)])
});

#[cfg(test)]
mod tests;
