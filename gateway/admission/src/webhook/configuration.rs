//! One webhook of a configuration, read once when the configuration changes. Checks nothing: what is stored was checked when
//! it was written (`catalog::hooks::webhookconfiguration`).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use model::{Value, meta};

use super::{Caller, Endpoint};
use crate::expression::{Conditions, OnError};
use crate::matching::Constraints;

/// Versions of AdmissionReview that are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// `admission.k8s.io/v1`.
    V1,
    /// `admission.k8s.io/v1beta1`.
    V1Beta1,
}

impl Version {
    /// As `apiVersion` says it.
    pub fn api_version(self) -> &'static str {
        match self {
            Self::V1 => "admission.k8s.io/v1",
            Self::V1Beta1 => "admission.k8s.io/v1beta1",
        }
    }
}

/// Whether a webhook has effects beside its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SideEffects {
    /// Nothing is said.
    Unsaid,
    /// None, or none when nothing will be stored.
    NoneOnDryRun,
    /// Some, or nobody knows.
    Some,
}

/// One webhook.
pub struct Hook {
    /// Its name within the configuration.
    pub name: String,
    /// The configuration's name.
    pub configuration: String,
    /// Tells it from all others: configuration, name, and which one of that name.
    pub uid: String,
    /// Which writes it is about; or the fault of a selector.
    pub constraints: Result<Constraints, String>,
    /// Which of those, by CEL.
    pub conditions: Conditions,
    /// What a failure leads to, of a condition or of a call.
    pub failure_policy: OnError,
    /// Whether it can be asked about a dry run.
    pub side_effects: SideEffects,
    /// How long its answer is waited for.
    pub timeout: Duration,
    /// The first version in its list that is spoken.
    pub version: Option<Version>,
    /// Whether it is called once more when a later one changed the object.
    pub reinvoked: bool,
    /// Whom to call; or why nobody can be.
    pub endpoint: Result<Arc<dyn Endpoint>, String>,
}

/// How long an answer is waited for when nothing is said: upstream writes this default into what is stored.
const TIMEOUT_DEFAULT_S: u64 = 10;

/// The webhooks of a configuration, in order.
pub(super) fn hooks(configuration: &Value, caller: &dyn Caller) -> Vec<Arc<Hook>> {
    let mut known: HashMap<&str, usize> = HashMap::new();
    let mut hooks = Vec::new();
    for hook in configuration.get("webhooks").and_then(Value::as_array).into_iter().flatten() {
        let name = text(hook, "name");
        let count = known.entry(name).or_default();
        hooks.push(Arc::new(Hook::of(meta::name(configuration), name, *count, hook, caller)));
        *count += 1;
    }
    hooks
}

impl Hook {
    fn of(configuration: &str, name: &str, count: usize, hook: &Value, caller: &dyn Caller) -> Self {
        let versions = hook.get("admissionReviewVersions").and_then(Value::as_array).into_iter().flatten();
        Self {
            name: name.to_owned(),
            configuration: configuration.to_owned(),
            uid: format!("{configuration}/{name}/{count}"),
            constraints: Constraints::from_webhook(hook),
            conditions: Conditions::compile(hook, false),
            failure_policy: if text(hook, "failurePolicy") == "Ignore" { OnError::Ignore } else { OnError::Fail },
            side_effects: match text(hook, "sideEffects") {
                "" => SideEffects::Unsaid,
                "None" | "NoneOnDryRun" => SideEffects::NoneOnDryRun,
                _ => SideEffects::Some,
            },
            timeout: Duration::from_secs(hook.get("timeoutSeconds").and_then(Value::as_u64).unwrap_or(TIMEOUT_DEFAULT_S)),
            version: versions.filter_map(Value::as_str).find_map(|version| match version {
                "v1" => Some(Version::V1),
                "v1beta1" => Some(Version::V1Beta1),
                _ => None,
            }),
            reinvoked: text(hook, "reinvocationPolicy") == "IfNeeded",
            endpoint: caller.endpoint(hook.get("clientConfig").unwrap_or(&Value::Null)),
        }
    }
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or("")
}
