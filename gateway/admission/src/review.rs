//! What admission is asked about: one write, its author and its objects; and what admission says besides yes and no.
//! Decides nothing.

use std::time::{Duration, Instant};

use model::{GroupVersionKind, GroupVersionResource, RequestInfo, Status, User, Value, content, meta, name};

/// What the write does, as `admission.k8s.io` spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// An object is made.
    Create,
    /// An object is replaced, patched or applied.
    Update,
    /// An object is deleted.
    Delete,
    /// A subresource is reached through (`pods/exec`, `services/proxy`).
    Connect,
}

impl Operation {
    /// The operation in upper case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Connect => "CONNECT",
        }
    }
}

/// One write under review. The object itself is an argument of its own, because mutation changes it.
/// Objects are in normal form, in the version of the request, with `apiVersion` and `kind`.
#[derive(Clone, Copy)]
pub struct Review<'a> {
    /// The request as it was read.
    pub request: &'a RequestInfo,
    /// Who asks, after impersonation.
    pub user: &'a User,
    /// What the write does; a patch that creates is a `Create`.
    pub operation: Operation,
    /// The resource in the version of the request.
    pub resource: &'a GroupVersionResource,
    /// The kind of the object in the request: `Scale` for `deployments/scale`, `Binding` for `pods/binding`.
    pub kind: &'a GroupVersionKind,
    /// Subresource or empty.
    pub subresource: &'a str,
    /// Namespace or empty. For a Namespace itself it is that namespace's own name, as upstream has it.
    pub namespace: &'a str,
    /// Object name; empty on a create with `generateName` before the name is made.
    pub name: &'a str,
    /// What is stored now; `None` on create and connect.
    pub old: Option<&'a Value>,
    /// `CreateOptions`, `UpdateOptions` or `DeleteOptions` of the request; `Null` where there are none.
    pub options: &'a Value,
    /// Nothing will be stored.
    pub dry_run: bool,
    /// Identifies the request; the audit id.
    pub uid: &'a str,
    /// When the request arrived.
    pub now: jiff::Timestamp,
    /// When nobody waits for its answer any more; `None` for what comes from inside.
    pub deadline: Option<Instant>,
}

impl Review<'_> {
    /// How much of this long a wait the request has left.
    pub fn left_of(&self, wait: Duration) -> Duration {
        self.deadline.map_or(wait, |deadline| wait.min(deadline.saturating_duration_since(Instant::now())))
    }

    /// Fails once nobody waits for the answer any more.
    pub fn in_time(&self) -> Result<(), Status> {
        if self.left_of(Duration::MAX).is_zero() {
            return Err(Status::timeout("request did not complete within requested timeout", 0));
        }
        Ok(())
    }
}

/// What admission has to say besides its answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// For the `Warning:` headers of the answer, without code and agent.
    pub warnings: Vec<String>,
    /// For the audit record: key, value.
    pub annotations: Vec<(String, String)>,
    /// The same, for records that hold the request's body too.
    pub request_annotations: Vec<(String, String)>,
    /// A mutator that ran late changed the object, so that earlier plugins must look once more.
    pub reinvoke: bool,
    /// The owners of fields before somebody outside of this program first changed the object; `None` while it is in normal form.
    pub owners_before: Option<Option<Value>>,
    /// Which round of mutation this is, from 0.
    pub round: u32,
    /// What mutating webhooks must know of the round before.
    pub webhooks: crate::webhook::Round,
    /// The same of mutating policies.
    pub policies: crate::webhook::Round,
    /// The policies in wasm that this attempt meets.
    pub policy_set: crate::policy::set::Met,
}

impl Notes {
    /// Adds a warning unless the same was said before.
    pub fn warn(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !self.warnings.contains(&text) {
            self.warnings.push(text);
        }
    }

    /// Mutation begins, perhaps anew after somebody else was faster.
    pub fn begin(&mut self) {
        (self.reinvoke, self.round, self.owners_before) = (false, 0, None);
        (self.webhooks, self.policies, self.policy_set) = Default::default();
    }

    /// Takes in what was said of one of the objects that a request is about.
    pub fn add(&mut self, one: Self) {
        one.warnings.into_iter().for_each(|warning| self.warn(warning));
        self.annotations.extend(one.annotations);
        self.request_annotations.extend(one.request_annotations);
    }

    /// Puts what a webhook or a policy made of the object in its place. What built-in plugins write is in normal form and leaves
    /// owners alone; of this nothing is known.
    pub fn replace(&mut self, object: &mut Value, made: Value) {
        let before = std::mem::replace(object, made);
        self.owners_before.get_or_insert_with(|| meta::metadata(&before).and_then(|of| of.get("managedFields")).cloned());
    }

    /// Adds an audit annotation whose key somebody outside has chosen; a malformed one is left out, as upstream does.
    pub fn annotate_checked(&mut self, key: String, value: impl Into<String>) {
        let well_formed = key.split_once('/').is_some_and(|(prefix, name)| {
            name::is_dns1123_subdomain(prefix).is_empty() && !name.contains('/') && content::label_key(&key).is_empty()
        });
        if well_formed {
            self.annotate(key, value);
        } else {
            tracing::warn!(%key, "audit annotation with a malformed key left out");
        }
    }

    /// Adds an audit annotation that tells of the request's body.
    pub fn annotate_request(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.request_annotations.push((key.into(), value.into()));
    }

    /// Adds an audit annotation.
    pub fn annotate(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.annotations.push((key.into(), value.into()));
    }
}
