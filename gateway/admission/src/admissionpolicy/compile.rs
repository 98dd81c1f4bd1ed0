//! A policy and a binding, read once when they change. What does not compile is told when it is evaluated, as upstream does.

use cel::admission::{Offered, Variables, Yields};
use model::{GroupVersionKind, Value, meta};

use super::Kind;
use crate::expression::{Conditions, Expression, OnError, variables};
use crate::matching::Constraints;

/// One policy.
pub(super) struct Policy {
    pub(super) name: String,
    pub(super) constraints: Result<Constraints, String>,
    pub(super) on_error: OnError,
    /// The kind of parameters, where the policy has some.
    pub(super) param_kind: Option<GroupVersionKind>,
    pub(super) variables: Variables,
    pub(super) conditions: Conditions,
    pub(super) validations: Vec<Validation>,
    pub(super) annotations: Vec<Annotation>,
    pub(super) mutations: Vec<Mutation>,
    /// Whether it is asked again when the object changed after it.
    pub(super) reinvoked: bool,
}

/// One validation.
pub(super) struct Validation {
    pub(super) expression: Expression,
    /// The message that an expression makes, where one does.
    pub(super) computed: Option<Expression>,
    pub(super) message: String,
    pub(super) reason: Reason,
}

/// Why a request is refused, with the code that goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reason(pub(super) &'static str, pub(super) u16);

pub(super) const INVALID: Reason = Reason("Invalid", 422);

/// One audit annotation.
pub(super) struct Annotation {
    pub(super) key: String,
    pub(super) value: Expression,
}

/// One mutation.
pub(super) enum Mutation {
    Apply(Expression),
    JsonPatch(Expression),
}

/// One binding.
pub(super) struct Binding {
    pub(super) name: String,
    pub(super) policy: String,
    /// Which requests of those that the policy is about; nothing given is all of them.
    pub(super) constraints: Option<Result<Constraints, String>>,
    pub(super) params: Option<ParamRef>,
    pub(super) actions: Vec<Action>,
}

/// Which parameters a binding gives.
pub(super) struct ParamRef {
    pub(super) name: String,
    pub(super) namespace: String,
    /// A label selector, where there is no name.
    pub(super) selector: Option<Value>,
    /// Whether a request is refused where there are none.
    pub(super) required: bool,
}

/// What a violation leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Deny,
    Warn,
    Audit,
}

impl Action {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Deny => "Deny",
            Self::Warn => "Warn",
            Self::Audit => "Audit",
        }
    }
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value.get(field).and_then(Value::as_str).unwrap_or("")
}

fn list<'v>(value: &'v Value, field: &str) -> &'v [Value] {
    value.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn object<'v>(value: &'v Value, field: &str) -> Option<&'v Value> {
    value.get(field).filter(|value| value.is_object())
}

impl Policy {
    pub(super) fn compile(kind: Kind, policy: &Value) -> Self {
        let spec = policy.get("spec").unwrap_or(&Value::Null);
        let param_kind = object(spec, "paramKind");
        let offered = Offered { params: param_kind.is_some(), authorizer: true, patches: false };
        let variables = variables(spec, offered);
        let conditions = Conditions::composed(spec, offered.params, Some(&variables));
        let (mut validations, mut annotations, mut mutations) = (Vec::new(), Vec::new(), Vec::new());
        match kind {
            Kind::Validating => {
                validations = list(spec, "validations").iter().map(|one| Validation::compile(one, offered, &variables)).collect();
                annotations = list(spec, "auditAnnotations")
                    .iter()
                    .map(|one| Annotation {
                        key: text(one, "key").to_owned(),
                        value: Expression::compile(text(one, "valueExpression"), Yields::StringOrNull, offered, Some(&variables)),
                    })
                    .collect();
            }
            Kind::Mutating => {
                mutations =
                    list(spec, "mutations").iter().filter_map(|one| Mutation::compile(one, offered, &variables)).collect();
            }
        }
        Self {
            name: meta::name(policy).to_owned(),
            constraints: match object(spec, "matchConstraints") {
                Some(constraints) => Constraints::from_object(constraints),
                None => Err("policy contained no match constraints, a required field".to_owned()),
            },
            on_error: if text(spec, "failurePolicy") == "Ignore" { OnError::Ignore } else { OnError::Fail },
            param_kind: param_kind.map(|kind| GroupVersionKind::from_api_version(text(kind, "apiVersion"), text(kind, "kind"))),
            conditions,
            validations,
            annotations,
            mutations,
            reinvoked: text(spec, "reinvocationPolicy") == "IfNeeded",
            variables,
        }
    }
}

impl Validation {
    fn compile(validation: &Value, offered: Offered, variables: &Variables) -> Self {
        let silent = Offered { authorizer: false, ..offered };
        let computed = Some(text(validation, "messageExpression")).filter(|text| !text.is_empty());
        Self {
            expression: Expression::compile(text(validation, "expression"), Yields::Bool, offered, Some(variables)),
            computed: computed.map(|text| Expression::compile(text, Yields::String, silent, Some(variables))),
            message: text(validation, "message").to_owned(),
            reason: match text(validation, "reason") {
                "Unauthorized" => Reason("Unauthorized", 401),
                "Forbidden" => Reason("Forbidden", 403),
                "RequestEntityTooLarge" => Reason("RequestEntityTooLarge", 413),
                _ => INVALID,
            },
        }
    }
}

impl Mutation {
    fn compile(mutation: &Value, offered: Offered, variables: &Variables) -> Option<Self> {
        let offered = Offered { patches: true, ..offered };
        let of = |field: &str, yields| {
            object(mutation, field).map(|patch| Expression::compile(text(patch, "expression"), yields, offered, Some(variables)))
        };
        match text(mutation, "patchType") {
            "ApplyConfiguration" => of("applyConfiguration", Yields::Object).map(Self::Apply),
            "JSONPatch" => of("jsonPatch", Yields::JsonPatch).map(Self::JsonPatch),
            _ => None,
        }
    }
}

impl Binding {
    pub(super) fn read(binding: &Value) -> Self {
        let spec = binding.get("spec").unwrap_or(&Value::Null);
        let action = |action: &Value| match action.as_str() {
            Some("Deny") => Some(Action::Deny),
            Some("Warn") => Some(Action::Warn),
            Some("Audit") => Some(Action::Audit),
            _ => None,
        };
        Self {
            name: meta::name(binding).to_owned(),
            policy: text(spec, "policyName").to_owned(),
            constraints: object(spec, "matchResources").map(Constraints::from_object),
            params: object(spec, "paramRef").map(|reference| ParamRef {
                name: text(reference, "name").to_owned(),
                namespace: text(reference, "namespace").to_owned(),
                selector: object(reference, "selector").cloned(),
                required: text(reference, "parameterNotFoundAction") == "Deny",
            }),
            actions: list(spec, "validationActions").iter().filter_map(action).collect(),
        }
    }
}
