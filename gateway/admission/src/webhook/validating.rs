//! Validating webhooks, all at once. The first refusal in the order of configurations is the answer.
//! Follows `k8s.io/apiserver/pkg/admission/plugin/webhook/validating/dispatcher.go`, whose answer is the refusal that comes
//! first in time.

use std::sync::Arc;
use std::time::Instant;

use futures::future::join_all;
use model::{GroupVersionResource, Status, Value};

use super::answer::Said;
use super::call::{self, Failed};
use super::request::Objects;
use super::{Hook, Kind, Webhooks};
use crate::expression::Sight;
use crate::matching::Matched;
use crate::{Notes, Review};

const FAILED_OPEN: &str = "failed-open.validating.webhook.admission.k8s.io/";

/// The object as each version shows it that somebody is asked about.
type Versions = Vec<(GroupVersionResource, Objects)>;

/// Calls every webhook that the write concerns.
pub(super) async fn run(
    webhooks: &Arc<Webhooks>,
    review: &Review<'_>,
    object: Option<&Value>,
    notes: &mut Notes,
) -> Result<(), Status> {
    let hooks = webhooks.validating.current().await;
    let (mut concerned, mut versions) = (Vec::new(), Versions::new());
    for hook in hooks.iter() {
        let Some(matched) = call::concerns(webhooks, hook, review, object).await? else { continue };
        if !hook.conditions.is_empty() {
            let sight = Sight::new(review, object, &matched, &webhooks.cluster).await.map_err(Status::internal)?;
            if !call::holds(webhooks, hook, Kind::Validating, review, &sight)? {
                continue;
            }
        }
        if !versions.iter().any(|(version, _)| *version == matched.resource) {
            let objects = write(webhooks, review, &matched.resource, object).await?;
            versions.push((matched.resource.clone(), objects));
        }
        concerned.push((hook, matched));
    }
    let calls = concerned.iter().map(|(hook, matched)| judged(webhooks, hook, review, matched, &versions));
    let mut refusal = Ok(());
    for (index, ((hook, _), outcome)) in concerned.iter().zip(join_all(calls).await).enumerate() {
        let (said, verdict) = outcome;
        call::note(hook, &said, notes);
        let Err(failed) = verdict else { continue };
        let opened = |notes: &mut Notes| notes.annotate(format!("{FAILED_OPEN}round_0_index_{index}"), hook.name.as_str());
        let settled = call::settle(webhooks, hook, Kind::Validating, failed, opened, notes);
        refusal = refusal.and(settled);
    }
    refusal
}

async fn write(
    webhooks: &Webhooks,
    review: &Review<'_>,
    seen: &GroupVersionResource,
    object: Option<&Value>,
) -> Result<Objects, Status> {
    let cluster = &webhooks.cluster;
    let converted = match object {
        Some(object) if seen != review.resource => {
            let converted = cluster.kinds.convert(object, review.resource, seen, review.subresource).await;
            Some(converted.map_err(Status::internal)?)
        }
        _ => None,
    };
    Objects::write(cluster, review, seen, converted.as_ref().or(object)).await
}

/// What one webhook said besides yes and no, and its verdict; counted.
async fn judged(
    webhooks: &Webhooks,
    hook: &Hook,
    review: &Review<'_>,
    matched: &Matched,
    versions: &Versions,
) -> (Said, Result<(), Failed>) {
    let begun = Instant::now();
    let objects = versions.iter().find(|(version, _)| *version == matched.resource).map(|(_, objects)| objects);
    let answer = match objects {
        Some(objects) => call::ask(hook, Kind::Validating, review, matched, objects).await,
        // Every version that somebody matched was written before.
        None => Err(Failed::Server(Status::internal("a webhook is asked about a version that was not written"))),
    };
    let (said, verdict) = match answer {
        Ok(answer) => answer.into_verdict(&hook.name),
        Err(failed) => (Said::default(), Err(failed)),
    };
    call::count(webhooks, hook, Kind::Validating, review, begun, verdict.as_ref().err());
    (said, verdict.map(drop))
}
