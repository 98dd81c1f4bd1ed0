//! A PolicyException as it was written: which objects are excepted from which bindings and rules, and until when.
//! Was validated when it was written (`catalog/src/hooks/policyexception.rs`).

use std::sync::Arc;

use jiff::Timestamp;
use model::selector::label::Selector;
use model::time::{self, Precision};
use model::{Value, meta};
use wasm::Violation;

use crate::Review;

/// The exceptions of these that cover a write from a binding, wholly or from some of its rules.
pub(super) fn covering(
    all: &[Arc<Exception>],
    binding: &str,
    review: &Review<'_>,
    object: Option<&Value>,
) -> Vec<Arc<Exception>> {
    all.iter().filter(|exception| exception.covers(binding, review, object)).cloned().collect()
}

/// Takes the violations away that one of these exceptions names, and tells each.
pub(super) fn excuse(covering: &[Arc<Exception>], violations: &mut Vec<Violation>, mut tell: impl FnMut(&Exception, &Violation)) {
    violations.retain(|violation| {
        let found = covering.iter().find(|exception| exception.names_rule(&violation.rule));
        if let Some(exception) = found {
            tell(exception, violation);
        }
        found.is_none()
    });
}

/// The same; the name of the exception that took the last one away, where nothing is left: that is no pass.
pub fn excused(covering: &[Arc<Exception>], violations: &mut Vec<Violation>) -> Option<String> {
    let mut excused = None;
    excuse(covering, violations, |exception, _| excused = Some(exception.name.clone()));
    excused.filter(|_| violations.is_empty())
}

/// One PolicyException.
#[derive(Clone, Debug)]
pub struct Exception {
    /// Its name.
    pub name: String,
    bindings: Vec<String>,
    rules: Vec<String>,
    expires: Timestamp,
    namespaces: Vec<String>,
    resources: Vec<String>,
    names: Vec<String>,
    objects: Selector,
}

impl Exception {
    /// Reads a PolicyException. Fails in words.
    pub fn from_object(object: &Value) -> Result<Self, String> {
        let spec = object.get("spec").unwrap_or(&Value::Null);
        let scope = spec.get("scope").unwrap_or(&Value::Null);
        let texts = |holder: &Value, field: &str| -> Vec<String> {
            let items = holder.get(field).and_then(Value::as_array).into_iter().flatten();
            items.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let expires = spec.get("expires").and_then(Value::as_str).unwrap_or("");
        let objects = scope.get("objectSelector").filter(|selector| selector.is_object());
        let objects = objects.map(Selector::from_object).transpose();
        Ok(Self {
            name: meta::name(object).to_owned(),
            bindings: texts(spec, "bindings"),
            rules: texts(spec, "rules"),
            expires: time::parse(expires, Precision::Seconds).map_err(|why| format!("spec.expires: {why}"))?,
            namespaces: texts(scope, "namespaces"),
            resources: texts(scope, "resources"),
            names: texts(scope, "names"),
            objects: objects.map_err(|why| format!("spec.scope.objectSelector: {why}"))?.flatten().unwrap_or_default(),
        })
    }

    /// When it ends.
    pub(super) fn expires(&self) -> Timestamp {
        self.expires
    }

    /// The bindings that it is about.
    pub(super) fn bindings(&self) -> impl Iterator<Item = &String> {
        self.bindings.iter()
    }

    /// The rules that it is about; all of them when there is none.
    pub(super) fn rules(&self) -> impl Iterator<Item = &String> {
        self.rules.iter()
    }

    /// The resources that it is about; all of them when there is none.
    pub(super) fn resources(&self) -> impl Iterator<Item = &String> {
        self.resources.iter()
    }

    /// Whether the exception has ended.
    pub fn is_over(&self, now: Timestamp) -> bool {
        now >= self.expires
    }

    /// Whether a write is excepted from a binding, or from some of its rules. An update must fit with its new labels: an
    /// object does not keep the exception that it no longer asks for.
    fn covers(&self, binding: &str, review: &Review<'_>, object: Option<&Value>) -> bool {
        let one_of = |list: &[String], value: &str| list.is_empty() || list.iter().any(|item| item == value);
        let plural = review.resource.group_resource().to_string();
        self.bindings.iter().any(|named| named == binding)
            && !self.is_over(review.now)
            && one_of(&self.namespaces, review.namespace)
            && (one_of(&self.resources, &plural) || one_of(&self.resources, &review.resource.resource))
            && one_of(&self.names, review.name)
            && (self.objects.is_empty() || object.or(review.old).is_some_and(|object| self.objects.matches_object(object)))
    }

    /// Whether all rules of the binding are excepted, so that it need not be asked.
    pub fn is_whole(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether a rule is excepted.
    fn names_rule(&self, rule: &str) -> bool {
        self.is_whole() || self.rules.iter().any(|named| named == rule)
    }
}
