//! One call of one webhook: may it be called at all, is there an answer, can that be used. Decides nothing about the write
//! beyond that (`mutating`, `validating`).

use std::time::Instant;

use model::field::quote;
use model::{Status, Value};

use super::answer::{self, Answer, Fault, Said};
use super::configuration::{Hook, SideEffects};
use super::metrics;
use super::request::{self, Objects};
use super::{Kind, Webhooks};
use crate::expression::{OnError, Sight};
use crate::matching::Matched;
use crate::{Notes, Review};

/// Why a call led to no verdict, or to a bad one.
#[derive(Debug)]
pub(super) enum Failed {
    /// The webhook could not be called, or its answer could not be used: its `failurePolicy` decides.
    Calling {
        /// What happened.
        reason: String,
        /// What metrics say.
        code: u16,
    },
    /// The webhook said no.
    Rejected(Status),
    /// What was made of its answer failed, whatever its `failurePolicy`.
    Server(Status),
}

impl Failed {
    fn calling(code: u16, reason: impl Into<String>) -> Self {
        Self::Calling { reason: reason.into(), code }
    }
}

/// Calls a webhook. Fails where there is no answer that can be used.
pub(super) async fn ask(
    hook: &Hook,
    kind: Kind,
    review: &Review<'_>,
    matched: &Matched,
    objects: &Objects,
) -> Result<Answer, Failed> {
    if review.dry_run {
        match hook.side_effects {
            SideEffects::Unsaid => return Err(Failed::calling(400, "Webhook SideEffects is nil")),
            SideEffects::Some => {
                let why = format!("admission webhook {} does not support dry run", quote(&hook.name));
                return Err(Failed::Server(Status::bad_request(why)));
            }
            SideEffects::NoneOnDryRun => {}
        }
    }
    let version = hook.version.ok_or_else(|| {
        let why = "webhook does not accept known AdmissionReview versions (v1, v1beta1)";
        Failed::calling(400, format!("could not create admission objects: {why}"))
    })?;
    let endpoint = hook.endpoint.as_ref().map_err(|why| Failed::calling(500, format!("could not get REST client: {why}")))?;
    let uid = uuid::Uuid::new_v4().to_string();
    let body = request::body(version, &uid, review, matched, objects);
    let posted = endpoint.post(body, review.left_of(hook.timeout)).await;
    let unanswered = |code: u16, why: &str| Failed::calling(code, format!("failed to call webhook: {why}"));
    let body = posted.map_err(|failure| unanswered(failure.code, &failure.message))?;
    answer::read(&body, kind, version, &uid).map_err(|fault| match fault {
        Fault::Unreadable(why) => unanswered(503, &why),
        Fault::Invalid(why) => Failed::calling(503, format!("received invalid webhook response: {why}")),
    })
}

/// Keeps what a webhook said besides yes and no.
pub(super) fn note(hook: &Hook, said: &Said, notes: &mut Notes) {
    for (key, value) in &said.annotations {
        notes.annotate_checked(format!("{}/{key}", hook.name), value.as_str());
    }
    for warning in &said.warnings {
        notes.warn(warning.as_str());
    }
}

/// Counts a call.
pub(super) fn count(webhooks: &Webhooks, hook: &Hook, kind: Kind, review: &Review<'_>, begun: Instant, failed: Option<&Failed>) {
    let ignored = hook.failure_policy == OnError::Ignore;
    let (code, rejected) = match failed {
        None => (200, None),
        Some(Failed::Calling { code, .. }) => (*code, (!ignored).then_some(metrics::Error::Calling)),
        Some(Failed::Rejected(status)) => (status.code, Some(metrics::Error::None)),
        Some(Failed::Server(_)) => (0, Some(metrics::Error::Server)),
    };
    let (operation, took) = (review.operation, begun.elapsed());
    webhooks.metrics.observe(metrics::Call { webhook: &hook.name, kind, operation, took, code, rejected });
}

/// What a failed call leads to: nothing where it is ignored, else the answer of the write.
pub(super) fn settle(
    webhooks: &Webhooks,
    hook: &Hook,
    kind: Kind,
    failed: Failed,
    opened: impl FnOnce(&mut Notes),
    notes: &mut Notes,
) -> Result<(), Status> {
    match failed {
        Failed::Rejected(status) | Failed::Server(status) => Err(status),
        Failed::Calling { reason, .. } => {
            let told = format!("failed calling webhook {}: {reason}", quote(&hook.name));
            if hook.failure_policy == OnError::Fail {
                tracing::warn!(webhook = %hook.name, %reason, "webhook failed, the write is refused");
                return Err(Status::internal(told));
            }
            tracing::warn!(webhook = %hook.name, %reason, "webhook failed and is passed over");
            webhooks.metrics.failed_open(&hook.name, kind);
            opened(notes);
            Ok(())
        }
    }
}

/// As what a webhook is called about a write, if it is and its conditions hold (`holds`).
pub(super) async fn concerns(
    webhooks: &Webhooks,
    hook: &Hook,
    review: &Review<'_>,
    object: Option<&Value>,
) -> Result<Option<Matched>, Status> {
    let constraints = hook.constraints.as_ref().map_err(Status::internal)?;
    constraints.matches(review, object, &webhooks.cluster).await
}

/// Whether a webhook's conditions hold of what it would be shown. The request is refused where they cannot be evaluated and
/// failures are not ignored.
pub(super) fn holds(
    webhooks: &Webhooks,
    hook: &Hook,
    kind: Kind,
    review: &Review<'_>,
    sight: &Sight<'_>,
) -> Result<bool, Status> {
    let begun = Instant::now();
    let evaluated = hook.conditions.evaluate(sight, None, None, hook.failure_policy);
    let excluded = evaluated.holds == Ok(false);
    webhooks.metrics.conditions(metrics::Evaluation {
        webhook: &hook.name,
        kind,
        operation: review.operation,
        took: begun.elapsed(),
        errors: evaluated.errors,
        excluded,
    });
    evaluated.holds.map_err(|why| {
        tracing::warn!(webhook = %hook.name, %why, "match conditions failed, the write is refused");
        Status::forbidden(&review.resource.group_resource(), review.name, why)
    })
}
