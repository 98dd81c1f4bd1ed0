//! A binding as it was written: which module, with what settings, for which writes, with what consequence.
//! Was validated when it was written (`catalog/src/hooks/clusterpolicybinding.rs`); does not run anything.

use std::time::Duration;

use model::{Value, meta};
use wasm::Grant;

use crate::matching::Constraints;

/// What a violation leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The write is refused; a mutator's change is made.
    Deny,
    /// The caller is warned, the write goes on.
    Warn,
    /// The audit record says so, the write goes on.
    Audit,
}

impl Action {
    /// The word in `spec.action`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deny => "Deny",
            Self::Warn => "Warn",
            Self::Audit => "Audit",
        }
    }
}

/// What it leads to that a policy could not judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// The write is refused.
    Fail,
    /// The write goes on.
    Ignore,
}

/// One ClusterPolicyBinding.
#[derive(Clone, Debug)]
pub struct Binding {
    /// Its name.
    pub name: String,
    /// The name of its PolicyModule.
    pub module: String,
    /// Settings for the module, an empty map when there are none.
    pub settings: Value,
    /// What a violation leads to.
    pub action: Action,
    /// What it leads to that the policy could not judge.
    pub on_failure: OnFailure,
    /// The guest's own running time.
    pub deadline: Duration,
    /// Place among the mutators; names decide between equals.
    pub order: i64,
    /// Abilities.
    pub grants: Vec<Grant>,
    /// Which writes.
    pub constraints: Constraints,
}

impl Binding {
    /// Reads a ClusterPolicyBinding. Fails in words for its status.
    pub fn from_object(object: &Value) -> Result<Self, String> {
        let spec = object.get("spec").unwrap_or(&Value::Null);
        let text = |field: &str| spec.get(field).and_then(Value::as_str).unwrap_or("");
        let action = match text("action") {
            "" | "Deny" => Action::Deny,
            "Warn" => Action::Warn,
            "Audit" => Action::Audit,
            other => return Err(format!("spec.action: {other:?} is none of Deny, Warn, Audit")),
        };
        let on_failure = match text("failurePolicy") {
            "" | "Fail" => OnFailure::Fail,
            "Ignore" => OnFailure::Ignore,
            other => return Err(format!("spec.failurePolicy: {other:?} is none of Fail, Ignore")),
        };
        let deadline = match spec.get("deadlineMilliseconds").and_then(Value::as_u64) {
            None | Some(0) => wasm::limits::DEADLINE_DEFAULT,
            Some(ms) => Duration::from_millis(ms).min(wasm::limits::DEADLINE_MAX),
        };
        let grants = spec.get("grants").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let grants = grants.map(|word| Grant::parse(word).ok_or_else(|| format!("spec.grants: there is no grant {word:?}")));
        Ok(Self {
            name: meta::name(object).to_owned(),
            module: text("module").to_owned(),
            settings: spec.get("settings").filter(|s| !s.is_null()).cloned().unwrap_or_else(|| serde_json::json!({})),
            action,
            on_failure,
            deadline,
            order: spec.get("order").and_then(Value::as_i64).unwrap_or(0),
            grants: grants.collect::<Result<_, _>>()?,
            constraints: Constraints::from_object(spec.get("matchConstraints").unwrap_or(&Value::Null))
                .map_err(|why| format!("spec.matchConstraints.{why}"))?,
        })
    }

    /// What the module is given.
    pub fn to_wasm(&self) -> wasm::Binding {
        wasm::Binding { settings: self.settings.to_string().into_bytes(), grants: self.grants.clone(), deadline: self.deadline }
    }
}
