//! Whether a PodDisruptionBudget lets a pod go, and the note in it that the pod is about to.
//! Follows `checkAndDecrement` of `pkg/registry/core/pod/storage/eviction.go`.

use std::sync::Arc;

use jiff::Timestamp;
use model::clock::rfc3339;
use model::json::json;
use model::selector::label::Selector;
use model::status::Cause;
use model::{GroupResource, Status, Value, meta};

use super::super::set_condition;
use crate::gate::Gate;
use crate::row::Row;
use crate::write;

/// Evictions that a budget's controller has not confirmed yet; more mean that it is not working.
const DISRUPTED_PODS_MAX: usize = 2000;
/// Who owns what is noted in a budget.
const OWNER: &str = "kube-apiserver";
const CAUSE: &str = "DisruptionBudget";

/// A pod may go.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Permit {
    /// It is under no budget, or its budget has counted it.
    Counted,
    /// It is unhealthy as it is, so its going disrupts nothing; by this budget.
    Unhealthy(String),
}

impl Permit {
    pub(super) fn is_unhealthy(&self) -> bool {
        matches!(self, Self::Unhealthy(_))
    }

    pub(super) fn budget(&self) -> &str {
        match self {
            Self::Counted => "",
            Self::Unhealthy(budget) => budget,
        }
    }
}

/// Asks the pod's budget. Fails with upstream's 429, and 500 when the pod has several.
pub(super) async fn permit(gate: &Arc<Gate>, pod: &Value, dry_run: bool, now: Timestamp) -> Result<Permit, Status> {
    let Some(row) = Row::named(gate, "policy", "v1", "poddisruptionbudgets") else { return Ok(Permit::Counted) };
    let budgets = of(gate, &row, pod);
    let budget = match &budgets[..] {
        [] => return Ok(Permit::Counted),
        [budget] => budget,
        _ => {
            let why = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
            return Err(Status::new(500, "", why));
        }
    };
    if !is_ready(pod) && spares_unhealthy(budget) {
        return Ok(Permit::Unhealthy(meta::name(budget).to_owned()));
    }
    let place = (meta::namespace(budget), meta::name(budget));
    let (pod, now) = (meta::name(pod), rfc3339(now));
    let catalog = gate.served.catalog();
    let status =
        catalog.resource("policy", "v1", "poddisruptionbudgets").and_then(|resource| Row::new(&catalog, resource, "status"));
    let change = |budget: &mut Value| {
        let before = budget.clone();
        decrement(budget, pod, &now)?;
        // Upstream writes this as a client of its own.
        status.iter().for_each(|status| status.track(Some(&before), budget, OWNER, &now));
        Ok(())
    };
    write::change(gate, &row, place, dry_run, change).await?;
    Ok(Permit::Counted)
}

fn of(gate: &Gate, row: &Row, pod: &Value) -> Vec<Value> {
    let snapshot = gate.store.resource(row.prefix()).snapshot();
    let under = format!("{}{}/", row.prefix(), meta::namespace(pod));
    let fits = |budget: &Value| {
        // A selector that cannot be read matches nothing.
        let selector = Selector::from_object(&budget["spec"]["selector"]).ok().flatten();
        selector.is_some_and(|selector| selector.matches_object(pod))
    };
    snapshot.range("", &under).filter_map(|entry| row.parse(entry).ok()).filter(fits).collect()
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

fn count(budget: &Value, field: &str) -> i64 {
    budget["status"][field].as_i64().unwrap_or(0)
}

fn spares_unhealthy(budget: &Value) -> bool {
    let (current, desired) = (count(budget, "currentHealthy"), count(budget, "desiredHealthy"));
    budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow" || current >= desired && desired > 0
}

/// 429 while the budget's controller has not seen the latest wish.
pub(super) fn still_processed(budget: &str) -> Status {
    Status::too_many_requests("Cannot evict pod as it would violate the pod's disruption budget.", 10)
        .with_cause(cause(format!("The disruption budget {budget} is still being processed by the server.")))
}

fn cause(message: String) -> Cause {
    Cause { reason: CAUSE.to_owned(), message, ..Cause::default() }
}

fn decrement(budget: &mut Value, pod: &str, now: &str) -> Result<(), Status> {
    let name = meta::name(budget).to_owned();
    let allowed = count(budget, "disruptionsAllowed");
    if count(budget, "observedGeneration") < meta::generation(budget) {
        return Err(still_processed(&name));
    }
    let forbidden = |why: &str, told: &str| {
        Status::forbidden(&GroupResource::new("policy", "poddisruptionbudget"), &name, why)
            .with_cause(cause(format!("The disruption budget {name} does not allow evicting pods currently: {told}")))
    };
    if allowed < 0 {
        let why = "pdb disruptions allowed is negative";
        return Err(forbidden(why, why));
    }
    if budget["status"]["disruptedPods"].as_object().is_some_and(|pods| pods.len() > DISRUPTED_PODS_MAX) {
        return Err(forbidden(
            "DisruptedPods map too big - too many evictions not confirmed by PDB controller",
            "too many pending evictions not confirmed by PDB controller",
        ));
    }
    if allowed == 0 {
        return Err(exhausted(budget));
    }
    let status = &mut budget["status"];
    status["disruptionsAllowed"] = (allowed - 1).into();
    if !status["disruptedPods"].is_object() {
        status["disruptedPods"] = json!({});
    }
    status["disruptedPods"][pod] = now.into();
    if allowed == 1 {
        let observed = status["observedGeneration"].clone();
        let condition = json!({
            "type": "DisruptionAllowed", "status": "False", "observedGeneration": observed, "reason": "InsufficientPods", "message": ""
        });
        set_condition(budget, condition, now);
    }
    Ok(())
}

fn exhausted(budget: &Value) -> Status {
    let name = meta::name(budget);
    let (current, desired) = (count(budget, "currentHealthy"), count(budget, "desiredHealthy"));
    let conditions = budget["status"]["conditions"].as_array();
    let condition = conditions.into_iter().flatten().find(|condition| condition["type"] == "DisruptionAllowed");
    let told = condition.filter(|c| c["status"] == "False").and_then(|c| Some((c["reason"].as_str()?, c["message"].as_str()?)));
    let told = told.filter(|(_, message)| !message.is_empty());
    let message = match told {
        Some(("SyncFailed", message)) => {
            format!("The disruption budget {name} does not allow evicting pods currently because it failed sync: {message}")
        }
        _ if current <= desired => {
            format!("The disruption budget {name} needs {desired} healthy pods and has {current} currently")
        }
        Some((reason, message)) => {
            format!("The disruption budget {name} does not allow evicting pods currently ({reason}): {message}")
        }
        None => format!("The disruption budget {name} does not allow evicting pods currently"),
    };
    Status::too_many_requests("Cannot evict pod as it would violate the pod's disruption budget.", 0).with_cause(cause(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(allowed: i64) -> Value {
        json!({"metadata": {"name": "b", "generation": 1},
            "status": {"observedGeneration": 1, "disruptionsAllowed": allowed, "currentHealthy": 2, "desiredHealthy": 2}})
    }

    #[test]
    fn a_budget_counts_and_refuses() {
        let mut one = budget(1);
        decrement(&mut one, "p", "2030-01-01T00:00:00Z").unwrap();
        assert_eq!(one["status"]["disruptionsAllowed"], 0);
        assert_eq!(one["status"]["disruptedPods"], json!({"p": "2030-01-01T00:00:00Z"}));
        assert_eq!(one["status"]["conditions"][0]["reason"], "InsufficientPods");
        assert_eq!(one["status"]["conditions"][0]["lastTransitionTime"], "2030-01-01T00:00:00Z");
        let refused = decrement(&mut one, "q", "").unwrap_err();
        assert_eq!(
            (refused.code, refused.message.as_str()),
            (429, "Cannot evict pod as it would violate the pod's disruption budget.")
        );
        assert_eq!(
            refused.details.unwrap().causes[0].message,
            "The disruption budget b needs 2 healthy pods and has 2 currently"
        );
        let mut stale = budget(1);
        stale["metadata"]["generation"] = 2.into();
        assert_eq!(decrement(&mut stale, "p", "").unwrap_err().retry_after_seconds(), Some(10));
    }

    #[test]
    fn unhealthy_pods_go_where_nothing_is_disrupted() {
        assert!(spares_unhealthy(&budget(0)));
        let mut short = budget(0);
        short["status"]["currentHealthy"] = 1.into();
        assert!(!spares_unhealthy(&short));
        short["spec"] = json!({"unhealthyPodEvictionPolicy": "AlwaysAllow"});
        assert!(spares_unhealthy(&short));
    }
}
