//! Mutating webhooks, one after the other: each sees what those before made of the object, in the version that its rules
//! name.
//! Follows `k8s.io/apiserver/pkg/admission/plugin/webhook/mutating/dispatcher.go`.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use codec::go_json;
use model::clock::rfc3339;
use model::field::quote;
use model::{GroupVersionResource, Status, Value, meta};
use schema::patch::JsonPatch;

use super::answer::{CODE_MIN, JSON_PATCH};
use super::call::{self, Failed};
use super::form::Form;
use super::request::Objects;
use super::{Hook, Kind, Round, Webhooks};
use crate::expression::Sight;
use crate::matching::Matched;
use crate::{Notes, Review};

const MUTATION: &str = "mutation.webhook.admission.k8s.io/";
const PATCH: &str = "patch.webhook.admission.k8s.io/";
const FAILED_OPEN: &str = "failed-open.mutation.webhook.admission.k8s.io/";

/// The object on its way from webhook to webhook.
struct Subject<'a> {
    /// The version in which it is now.
    seen: GroupVersionResource,
    object: Option<Cow<'a, Value>>,
    /// Whether anybody patched it.
    changed: bool,
}

/// Calls every webhook that the write concerns. Without an object nothing can be changed.
pub(super) async fn run(
    webhooks: &Arc<Webhooks>,
    review: &Review<'_>,
    object: Option<&mut Value>,
    notes: &mut Notes,
) -> Result<(), Status> {
    let hooks = webhooks.mutating.current(review).await?;
    if hooks.is_empty() {
        return Ok(());
    }
    let mut round = std::mem::take(&mut notes.webhooks);
    if notes.round > 0 {
        round.resume(object.as_deref());
    }
    let mut subject = Subject { seen: review.resource.clone(), object: object.as_deref().map(Cow::Borrowed), changed: false };
    let outcome = dispatch(webhooks, &hooks, review, &mut subject, &mut round, notes).await;
    let made = match outcome {
        Ok(()) => subject.into_object(webhooks, review).await,
        Err(status) => Err(status),
    };
    match (made?, object) {
        (Some(made), Some(object)) => {
            notes.replace(object, made);
            round.end(Some(object));
        }
        (_, object) => round.end(object.as_deref()),
    }
    notes.webhooks = round;
    Ok(())
}

async fn dispatch(
    webhooks: &Arc<Webhooks>,
    hooks: &[Arc<Hook>],
    review: &Review<'_>,
    subject: &mut Subject<'_>,
    round: &mut Round,
    notes: &mut Notes,
) -> Result<(), Status> {
    for (index, hook) in hooks.iter().enumerate() {
        let Some(matched) = call::concerns(webhooks, hook, review, subject.object.as_deref()).await? else { continue };
        if !hook.conditions.is_empty() {
            subject.convert(webhooks, review, &matched.resource).await?;
            let sight = Sight::of_seen(review, subject.object.as_deref(), &matched, &webhooks.cluster).await;
            if !call::holds(webhooks, hook, Kind::Mutating, review, &sight.map_err(Status::internal)?)? {
                continue;
            }
        }
        // Who was not called in the first round is not called in the second, whatever matches by now.
        if notes.round > 0 && !round.calls(&hook.uid) {
            continue;
        }
        subject.convert(webhooks, review, &matched.resource).await?;
        let place = format!("round_{}_index_{index}", notes.round);
        let begun = Instant::now();
        let outcome = one(webhooks, hook, review, &matched, subject, &place, notes).await;
        call::count(webhooks, hook, Kind::Mutating, review, begun, outcome.as_ref().err());
        if let Ok(true) = outcome {
            round.require();
            notes.reinvoke = true;
        }
        if hook.reinvoked {
            round.willing(&hook.uid);
        }
        if let Err(failed) = outcome {
            let opened = |notes: &mut Notes| notes.annotate(format!("{FAILED_OPEN}{place}"), hook.name.as_str());
            call::settle(webhooks, hook, Kind::Mutating, failed, opened, notes)?;
            // The webhook was passed over because the request's time was up, not its own.
            review.in_time()?;
        }
    }
    Ok(())
}

/// Calls one webhook and does what it says; tells whether that changed the object.
async fn one(
    webhooks: &Webhooks,
    hook: &Hook,
    review: &Review<'_>,
    matched: &Matched,
    subject: &mut Subject<'_>,
    place: &str,
    notes: &mut Notes,
) -> Result<bool, Failed> {
    let outcome = asked(webhooks, hook, review, matched, subject, notes).await;
    let (changed, patch) = match &outcome {
        Ok((changed, patch)) => (*changed, patch.as_ref()),
        Err(_) => (false, None),
    };
    if let Some(patch) = patch {
        notes.annotate_request(format!("{PATCH}{place}"), patch_annotation(hook, patch));
    }
    notes.annotate(format!("{MUTATION}{place}"), mutation_annotation(hook, changed));
    outcome.map(|(changed, _)| changed)
}

async fn asked(
    webhooks: &Webhooks,
    hook: &Hook,
    review: &Review<'_>,
    matched: &Matched,
    subject: &mut Subject<'_>,
    notes: &mut Notes,
) -> Result<(bool, Option<Value>), Failed> {
    let objects = Objects::write(&webhooks.cluster, review, &subject.seen, subject.object.as_deref()).await;
    let objects = objects.map_err(Failed::Server)?;
    let answer = call::ask(hook, Kind::Mutating, review, matched, &objects).await?;
    let (said, verdict) = answer.into_verdict(&hook.name);
    call::note(hook, &said, notes);
    let Some((patch, kind)) = verdict? else { return Ok((false, None)) };
    let undecodable =
        |why: String| Failed::Calling { reason: format!("received undecodable patch in webhook response: {why}"), code: 503 };
    let (patch, shown) = JsonPatch::decode(&patch).map_err(undecodable)?;
    if patch.is_empty() {
        return Ok((false, None));
    }
    if subject.object.is_none() {
        return Err(Failed::Server(Status::internal(format_args!(
            "admission webhook {} attempted to modify the object, which is not supported for this operation",
            quote(&hook.name)
        ))));
    }
    if kind != JSON_PATCH {
        return Err(Failed::Calling { reason: format!("unsupported patch type {}", quote(&kind)), code: CODE_MIN });
    }
    let changed = subject.patch(webhooks, review, &patch).map_err(Failed::Server)?;
    Ok((changed, Some(shown)))
}

impl Subject<'_> {
    /// Brings the object into another version of its resource.
    async fn convert(&mut self, webhooks: &Webhooks, review: &Review<'_>, to: &GroupVersionResource) -> Result<(), Status> {
        if self.seen == *to {
            return Ok(());
        }
        if let Some(object) = &self.object {
            let kinds = &webhooks.cluster.kinds;
            let converted = kinds.convert(object, &self.seen, to, review.subresource).await;
            self.object = Some(Cow::Owned(converted.map_err(Status::internal)?));
        }
        self.seen = to.clone();
        Ok(())
    }

    /// Applies a patch to what Go would have written of the object, and reads it as Go would; tells whether it is another
    /// object now.
    fn patch(&mut self, webhooks: &Webhooks, review: &Review<'_>, patch: &JsonPatch) -> Result<bool, Status> {
        let (Some(before), catalog) = (&self.object, webhooks.cluster.kinds.catalog()?) else { return Ok(false) };
        let form = Form::of(&catalog, &self.seen, review.subresource)
            .ok_or_else(|| Status::internal(format_args!("unable to convert to {}: unknown kind", self.seen.resource)))?;
        let mut after: Value = serde_json::from_slice(&form.encode(before)).map_err(Status::internal)?;
        patch.perform(&mut after).map_err(Status::internal)?;
        form.read(&mut after).map_err(Status::internal)?;
        let changed = !self.changed && has_fresh_owners(before, review.now) || form.encode(before) != form.encode(&after);
        self.object = Some(Cow::Owned(after));
        self.changed = true;
        Ok(changed)
    }

    /// The object in the version of the request, where anybody patched it.
    async fn into_object(mut self, webhooks: &Webhooks, review: &Review<'_>) -> Result<Option<Value>, Status> {
        if !self.changed {
            return Ok(None);
        }
        self.convert(webhooks, review, review.resource).await?;
        Ok(self.object.map(Cow::into_owned))
    }
}

/// Whether this request wrote owners of fields. Upstream gives them a time with fractions of a second, which the first patch
/// takes away: to those who compare, the object is another one.
fn has_fresh_owners(object: &Value, now: jiff::Timestamp) -> bool {
    let now = rfc3339(now);
    let owners = meta::metadata(object).and_then(|metadata| metadata.get("managedFields")).and_then(Value::as_array);
    owners.into_iter().flatten().any(|owner| owner.get("time").and_then(Value::as_str) == Some(&now))
}

fn mutation_annotation(hook: &Hook, changed: bool) -> String {
    written(hook, |out| out.extend(format!(",\"mutated\":{changed}").bytes()))
}

fn patch_annotation(hook: &Hook, patch: &Value) -> String {
    written(hook, |out| {
        out.extend(b",\"patch\":");
        go_json::write(patch, out);
        out.extend(format!(",\"patchType\":\"{JSON_PATCH}\"").bytes());
    })
}

fn written(hook: &Hook, rest: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = b"{\"configuration\":".to_vec();
    go_json::write_string(&hook.configuration, &mut out);
    out.extend(b",\"webhook\":");
    go_json::write_string(&hook.name, &mut out);
    rest(&mut out);
    out.push(b'}');
    String::from_utf8_lossy(&out).into_owned()
}
