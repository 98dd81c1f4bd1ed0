//! What a write costs the quotas that count it, and whether they have room. Reads and writes nothing.
//! Follows `CheckRequest` of `k8s.io/apiserver/pkg/admission/plugin/resourcequota`.

use std::collections::BTreeSet;

use catalog::quota::{Amounts, Evaluator, Scope, add, masked, of_list, subtracted, to_list, without_zeros};
use jiff::Timestamp;
use model::{GroupResource, Status, Value, meta};

use super::limited::{self, Limited};

/// A write that wants room.
pub(super) struct Ask {
    pub(super) evaluator: Evaluator,
    pub(super) object: Value,
    /// What is stored now, on an update.
    pub(super) old: Option<Value>,
    pub(super) now: Timestamp,
    /// What a controller found is counted, however much it is.
    pub(super) is_status: bool,
    pub(super) dry_run: bool,
    /// For refusals.
    pub(super) resource: GroupResource,
    pub(super) name: String,
}

impl Ask {
    pub(super) fn falls_under(&self, scope: &Scope) -> bool {
        self.evaluator.is_in(std::slice::from_ref(scope), &self.object)
    }

    fn refused(&self, why: String) -> Status {
        Status::forbidden(&self.resource, &self.name, why)
    }
}

/// A quota while it is charged.
#[derive(Clone)]
pub(super) struct Quota {
    object: Value,
    scopes: Vec<Scope>,
    hard: Amounts,
    used: Amounts,
    /// Whether more is used than is stored.
    pub(super) charged: bool,
}

impl Quota {
    pub(super) fn new(object: Value) -> Self {
        let list = |path| object.pointer(path).map(of_list).unwrap_or_default();
        let (hard, used) = (list("/status/hard"), list("/status/used"));
        Self { scopes: Scope::all(&object), hard, used, charged: false, object }
    }

    pub(super) fn name(&self) -> &str {
        meta::name(&self.object)
    }

    /// The object with what is used now.
    pub(super) fn into_object(mut self) -> Value {
        self.object["status"]["used"] = to_list(&self.used);
        self.object
    }

    /// What this quota counts of a write, in order; nothing where it counts other things or has another scope.
    fn counted(&self, ask: &Ask) -> Vec<&str> {
        let named = ask.evaluator.named(self.hard.keys().map(String::as_str));
        if ask.evaluator.is_in(&self.scopes, &ask.object) { named } else { Vec::new() }
    }

    /// What is used with these amounts besides, if there is room for them.
    fn with(&self, amounts: &Amounts, ask: &Ask) -> Result<Amounts, Status> {
        let asked = masked(amounts, &self.hard);
        let mut used = self.used.clone();
        add(&mut used, &asked);
        let exceeded: Amounts = self
            .hard
            .iter()
            .filter(|(name, hard)| asked.contains_key(*name) && used.get(*name) > Some(*hard))
            .map(pair)
            .collect();
        if exceeded.is_empty() || ask.is_status {
            return Ok(used);
        }
        let told = [("requested", &asked), ("used", &self.used), ("limited", &self.hard)];
        let told = told.map(|(word, amounts)| format!("{word}: {}", listed(&masked(amounts, &exceeded))));
        Err(ask.refused(format!("exceeded quota: {}, {}", self.name(), told.join(", "))))
    }
}

fn pair<T: Clone, U: Clone>((name, amount): (&T, &U)) -> (T, U) {
    (name.clone(), amount.clone())
}

/// `cpu=1,memory=2Gi`.
fn listed(amounts: &Amounts) -> String {
    amounts.iter().map(|(name, amount)| format!("{name}={amount}")).collect::<Vec<_>>().join(",")
}

/// Charges the quotas for a write, where the configuration limits what they must cover. Nothing where it hangs on them whether it may go on; otherwise the answer, and the quotas
/// are as they were.
pub(super) fn take(quotas: &mut [Quota], ask: &Ask, limits: &[Limited]) -> Option<Result<(), Status>> {
    let charges = match charges(quotas, ask, limits) {
        Ok(charges) => charges,
        Err(refusal) => return Some(Err(refusal)),
    };
    if ask.dry_run || charges.is_empty() {
        return Some(Ok(()));
    }
    for (at, used) in charges {
        (quotas[at].used, quotas[at].charged) = (used, true);
    }
    None
}

/// What would be used of each quota that the write costs anything.
fn charges(quotas: &[Quota], ask: &Ask, limits: &[Limited]) -> Result<Vec<(usize, Amounts)>, Status> {
    let mut counting = Vec::new();
    let mut covered = BTreeSet::new();
    for (at, quota) in quotas.iter().enumerate() {
        let counted = quota.counted(ask);
        if counted.is_empty() {
            continue;
        }
        if let Some(missing) = ask.evaluator.missing(&counted, &ask.object) {
            return Err(ask.refused(format!("failed quota: {}: {missing}", quota.name())));
        }
        if counted.iter().any(|name| !quota.used.contains_key(*name)) {
            let counted = counted.join(",");
            return Err(ask.refused(format!("status unknown for quota: {}, resources: {counted}", quota.name())));
        }
        covered.extend(counted);
        counting.push(at);
    }
    let usage = ask.evaluator.usage(&ask.object, ask.now);
    let negative: Vec<&str> = usage.iter().filter(|(_, amount)| amount.sign() < 0).map(|(name, _)| name.as_str()).collect();
    if !negative.is_empty() {
        return Err(ask.refused(format!("quota usage is negative for resource(s): {}", negative.join(","))));
    }
    let more = ask.old.as_ref().map(|old| subtracted(&usage, &ask.evaluator.usage(old, ask.now)));
    let mut costs = Vec::new();
    for at in counting {
        // What a quota did not count before costs it all.
        let counted_before = |old: &Value| ask.evaluator.is_in(&quotas[at].scopes, old);
        let more = more.as_ref().filter(|_| ask.old.as_ref().is_some_and(counted_before));
        costs.push((at, without_zeros(more.unwrap_or(&usage).clone())));
    }
    let costs_any = match &costs[..] {
        [] => !without_zeros(more.as_ref().unwrap_or(&usage).clone()).is_empty(),
        costs => costs.iter().any(|(_, cost)| !cost.is_empty()),
    };
    if costs_any {
        cover(quotas, ask, limits, (&usage, &covered))?;
    }
    let mut charges = Vec::new();
    for (at, cost) in costs {
        let amounts = masked(&cost, &quotas[at].hard);
        if !amounts.is_empty() {
            charges.push((at, quotas[at].with(&amounts, ask)?));
        }
    }
    Ok(charges)
}

/// Refuses what the configuration limits and no quota covers.
fn cover(quotas: &[Quota], ask: &Ask, limits: &[Limited], (usage, covered): (&Amounts, &BTreeSet<&str>)) -> Result<(), Status> {
    let names = limited::names(limits, ask, usage);
    let lacking: Vec<&str> = names.into_iter().filter(|name| !covered.contains(name)).collect();
    if !lacking.is_empty() {
        return Err(ask.refused(format!("insufficient quota to consume: {}", lacking.join(","))));
    }
    let limited = limited::scopes(limits, ask);
    let covering: Vec<&Scope> = quotas.iter().flat_map(|quota| &quota.scopes).filter(|scope| ask.falls_under(scope)).collect();
    let lacking: Vec<String> = limited::uncovered(limited, &covering).iter().map(ToString::to_string).collect();
    match &lacking[..] {
        [] => Ok(()),
        // Upstream refuses with something that is no refusal.
        lacking => Err(Status::new(500, "", format!("insufficient quota to match these scopes: [{}]", lacking.join(" ")))),
    }
}
