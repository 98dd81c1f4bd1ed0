//! `pods/eviction`: deletes a pod unless its disruption budget forbids it.
//! Follows `pkg/registry/core/pod/storage/eviction.go`.

mod budget;

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use model::clock::rfc3339;
use model::field::{Errors, Path};
use model::json::json;
use model::{GroupKind, Query, Status, Value, meta};

use crate::answer::Answer;
use crate::body::Body;
use crate::call::Call;
use crate::gate::Gate;
use crate::options::WriteOptions;
use crate::options::delete::{DeleteOptions, IGNORE_READ_ERROR};
use crate::removal::{self, Told};
use crate::row::Row;
use crate::verbs::{create, delete};
use crate::write::{self, Review};

/// How often a conflict with somebody else's write is tried again, as upstream.
const ATTEMPTS_MAX: usize = 20;

/// Serves an eviction.
pub(super) fn serve<'a>(
    gate: &'a Arc<Gate>,
    call: &'a mut Call,
    row: &'a Row,
    body: Body,
) -> BoxFuture<'a, Result<Answer, Status>> {
    async move {
        let (mut eviction, options) = create::read(call, row, body).await?;
        let (namespace, name) = (call.info.namespace.clone(), call.info.name.clone());
        let review = Review::of_post(row, &namespace, &name, &options);
        review.mutate(gate, call, &mut eviction).await?;
        if meta::name(&eviction) != name {
            return Err(Status::bad_request("name in URL does not match name in Eviction object"));
        }
        let wanted = delete_options(&eviction, &options, &call.query)?;
        review.validate(gate, call, &eviction).await?;
        evict(gate, call, (&namespace, &name), &wanted).await?;
        Ok(Answer::done())
    }
    .boxed()
}

/// The delete that an eviction asks for.
struct Wanted {
    options: DeleteOptions,
    /// What is wrong with them, which only the delete itself tells of: a budget speaks first.
    verdict: Result<(), Status>,
}

/// What the eviction says of the delete, and the query of whether anything is done.
fn delete_options(eviction: &Value, options: &WriteOptions, query: &Query) -> Result<Wanted, Status> {
    let (mut wanted, verdict) = match eviction.get("deleteOptions") {
        Some(said) if said.is_object() => {
            let mut said = said.clone();
            if said[IGNORE_READ_ERROR] == true {
                let mut errors = Errors::new();
                let why = "can not be set for pod eviction, try after removing the option";
                errors.invalid(&Path::new("deleteOptions").child(IGNORE_READ_ERROR), true, why);
                return Err(Status::invalid(&kind(), meta::name(eviction), &errors));
            }
            agree_on_dry_run(&said, query)?;
            // Whatever version the body calls them, they are the same options.
            if let Some(map) = said.as_object_mut() {
                map.shift_remove("kind");
            }
            DeleteOptions::heard(&said)?
        }
        _ => (delete::unsaid()?, Ok(())),
    };
    wanted.dry_run |= options.dry_run;
    Ok(Wanted { options: wanted, verdict })
}

fn kind() -> GroupKind {
    GroupKind { group: "policy".into(), kind: "Eviction".into() }
}

/// Where both speak of it, the query and the body must say the same.
fn agree_on_dry_run(said: &Value, query: &Query) -> Result<(), Status> {
    let inside: Vec<&str> = said["dryRun"].as_array().into_iter().flatten().map(|stage| stage.as_str().unwrap_or("")).collect();
    let asked: Vec<&str> = query.all("dryRun").collect();
    if inside.is_empty() || asked.is_empty() || inside == asked {
        return Ok(());
    }
    let (asked, inside) = (asked.join(" "), inside.join(" "));
    Err(Status::new(500, "", format!("Non-matching dry-run options in request and content: [{asked}] and [{inside}]")))
}

async fn evict(gate: &Arc<Gate>, call: &mut Call, (namespace, name): (&str, &str), wanted: &Wanted) -> Result<(), Status> {
    let pods = super::pods(gate)?;
    let mut overtaken = None;
    for _ in 0..ATTEMPTS_MAX {
        let pod = find(gate, &pods, namespace, name)?;
        if !needs_budget(&pod) {
            let mut options = wanted.options.clone();
            if is_alive(&pod) && options.resource_version.is_none() {
                // Nobody may make the pod ready meanwhile, which would put it under a budget.
                options.resource_version = Some(meta::resource_version(&pod).to_owned());
            }
            match remove(gate, call, &pods, (namespace, name), options, &wanted.verdict).await {
                Err(status) if status.code == 409 && wanted.options.resource_version.is_none() => {
                    overtaken = Some(status);
                    continue;
                }
                done => return done,
            }
        }
        return within_budget(gate, call, &pods, &pod, wanted).await;
    }
    Err(overtaken.unwrap_or_else(|| Status::modified(&pods.group_resource(), name)))
}

async fn within_budget(gate: &Arc<Gate>, call: &mut Call, pods: &Row, pod: &Value, wanted: &Wanted) -> Result<(), Status> {
    let (namespace, name) = (meta::namespace(pod), meta::name(pod));
    let permit = budget::permit(gate, pod, wanted.options.dry_run, call.now).await?;
    let mut options = wanted.options.clone();
    if permit.is_unhealthy() {
        options.resource_version = Some(meta::resource_version(pod).to_owned());
    }
    match remove(gate, call, pods, (namespace, name), options, &wanted.verdict).await {
        Err(status) if status.code == 409 && permit.is_unhealthy() && wanted.options.resource_version.is_none() => {
            Err(budget::still_processed(permit.budget()))
        }
        done => done,
    }
}

fn find(gate: &Gate, pods: &Row, namespace: &str, name: &str) -> Result<Value, Status> {
    let key = crate::verbs::key(pods, namespace, name)?;
    match gate.store.resource(pods.prefix()).get(key.as_str()) {
        Some(entry) => pods.parse(&entry),
        None => Err(Status::not_found(&pods.group_resource(), name)),
    }
}

fn phase(pod: &Value) -> &str {
    pod["status"]["phase"].as_str().unwrap_or("")
}

fn is_alive(pod: &Value) -> bool {
    !matches!(phase(pod), "Succeeded" | "Failed") && meta::deletion_timestamp(pod).is_none()
}

/// A pod that runs nothing disturbs nobody when it goes.
fn needs_budget(pod: &Value) -> bool {
    is_alive(pod) && phase(pod) != "Pending"
}

/// Says why the pod goes, then deletes it.
async fn remove(
    gate: &Arc<Gate>,
    call: &mut Call,
    pods: &Row,
    place: (&str, &str),
    mut options: DeleteOptions,
    verdict: &Result<(), Status>,
) -> Result<(), Status> {
    if !options.dry_run {
        let condition = json!({
            "type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI", "message": "Eviction API: evicting"
        });
        let now = rfc3339(call.now);
        let stored = write::change(gate, pods, place, false, |pod| {
            removal::check(pod, &options, &Told::OfRecord(pods.kind_as_resource()))?;
            super::set_condition(pod, condition.clone(), &now);
            Ok(())
        })
        .await?;
        if let (Some(revision), write::Stored::Entry(entry)) = (&mut options.resource_version, stored) {
            *revision = entry.revision.to_string();
        }
    }
    verdict.clone()?;
    delete::object(gate, call, pods, place, &options, delete::Admission::Passed).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_and_the_body_agree_on_dry_runs() {
        let agree = |inside: Value, query: &str| {
            agree_on_dry_run(&json!({"dryRun": inside}), &Query::parse(query)).map_err(|s| s.message)
        };
        assert_eq!(agree(json!(["All"]), "dryRun=All"), Ok(()));
        assert_eq!(agree(json!(["All"]), ""), Ok(()));
        assert_eq!(agree(json!([]), "dryRun=All"), Ok(()));
        let refused = "Non-matching dry-run options in request and content: [All] and [All All]";
        assert_eq!(agree(json!(["All", "All"]), "dryRun=All"), Err(refused.to_owned()));
    }
}
