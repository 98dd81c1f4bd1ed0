//! Validating webhooks, all at once; the refusal that comes first is the answer.
//! Follows `k8s.io/apiserver/pkg/admission/plugin/webhook/validating/dispatcher.go`.

use std::sync::Arc;
use std::time::Instant;

use futures::FutureExt;
use futures::stream::{FuturesUnordered, StreamExt};
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
    let hooks = webhooks.validating.current(review).await?;
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
    if concerned.is_empty() {
        return Ok(());
    }
    review.in_time()?;
    let calls = concerned.iter().enumerate().map(|(index, (hook, matched))| {
        let judged = judged(webhooks, hook, review, matched, &versions);
        judged.map(move |(said, verdict)| (index, hook, said, verdict))
    });
    let mut calls: FuturesUnordered<_> = calls.collect();
    let mut refusal = Ok(());
    while let Some((index, hook, said, verdict)) = calls.next().await {
        call::note(hook, &said, notes);
        let Err(failed) = verdict else { continue };
        let opened = |notes: &mut Notes| notes.annotate(format!("{FAILED_OPEN}round_0_index_{index}"), hook.name.as_str());
        let settled = call::settle(webhooks, hook, Kind::Validating, failed, opened, notes);
        refusal = refusal.and(settled);
    }
    // What was passed over because the request's time was up is not stored behind the back of who was told so.
    refusal.and_then(|()| review.in_time())
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
