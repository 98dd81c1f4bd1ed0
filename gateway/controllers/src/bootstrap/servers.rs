//! Which API servers the Service `kubernetes` leads to: this one, or all that run on one storage. Writes only the record by which
//! others know this server; the Endpoints are `kubernetes_service`'s.
//! Follows `pkg/controlplane/reconcilers`.

use model::json::json;
use model::{Value, World};

use super::Settings;
use crate::runtime::{Error, step};

/// Where each server keeps a record, named by its address.
const RECORDS: &str = "/registry/masterleases/";
/// How long a record lives by itself: upstream's bound, half as long again as the pause between two renewals.
const RECORD_TTL_S: u32 = 15;

/// `--endpoint-reconciler-type`: who decides where the Service leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reconciler {
    /// Somebody else: Endpoints and slice are left as they are.
    None,
    /// This server is the only one on its storage.
    Alone,
    /// Each server keeps a record that ends soon after it.
    Lease,
    /// Each server adds itself, up to so many.
    MasterCount(usize),
}

/// Why a server's stay begins, goes on or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stay {
    Running,
    Leaving,
}

/// The addresses that the Service should lead to, in order; `told` are those of now.
pub(super) async fn wanted(world: &dyn World, settings: &Settings, stay: Stay, told: &[String]) -> Result<Vec<String>, Error> {
    let own = settings.advertise_address.to_string();
    match (settings.reconciler, stay) {
        (Reconciler::Lease, Stay::Running) => {
            renew(world, &own).await?;
            let found = recorded(world).await?;
            // This one was just written: whoever sees none sees nothing at all.
            let none =
                "no API server IP addresses were listed in storage, refusing to erase all endpoints for the kubernetes Service";
            if found.is_empty() { Err(Error::Other(none.to_owned())) } else { Ok(found) }
        }
        (Reconciler::Lease, Stay::Leaving) => {
            world.remove_record(&format!("{RECORDS}{own}")).await.map_err(step("remove the record of this server"))?;
            recorded(world).await
        }
        (Reconciler::MasterCount(count), Stay::Running) => Ok(counted(told, &own, count)),
        (Reconciler::MasterCount(_), Stay::Leaving) => Ok(told.iter().filter(|ip| **ip != own).cloned().collect()),
        (Reconciler::None | Reconciler::Alone, _) => Ok(vec![own]),
    }
}

/// Upstream's counts how often it was renewed, because a write that changes nothing is none.
async fn renew(world: &dyn World, own: &str) -> Result<(), Error> {
    let key = format!("{RECORDS}{own}");
    let before = world.record(&key).await.map_err(step("read the record of this server"))?;
    let generation = before.and_then(|(record, _)| record.pointer("/metadata/generation").and_then(Value::as_i64)).unwrap_or(0);
    let record = json!({"metadata": {"generation": generation + 1}, "subsets": [{"addresses": [{"ip": own}]}]});
    world.put_passing_record(&key, record, RECORD_TTL_S).await.map_err(step("renew the record of this server"))
}

async fn recorded(world: &dyn World) -> Result<Vec<String>, Error> {
    let records = world.records(RECORDS).await.map_err(step("list the records of API servers"))?;
    let address = |record: &Value| record.pointer("/subsets/0/addresses/0/ip").and_then(Value::as_str).map(str::to_owned);
    let mut found: Vec<String> = records.iter().filter_map(address).collect();
    found.sort();
    Ok(found)
}

/// Those told now and this one; where they are too many, those after it go.
fn counted(told: &[String], own: &str, count: usize) -> Vec<String> {
    let mut all = told.to_vec();
    if !all.iter().any(|ip| ip == own) {
        all.push(own.to_owned());
        all.sort();
    }
    while all.len() > count.max(1) {
        let at = all.iter().position(|ip| ip == own).unwrap_or(0);
        all.remove((at + 1) % all.len());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_add_themselves_up_to_their_number() {
        let told = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        for (now, own, count, want) in [
            ("", "10.0.0.2", 1, "10.0.0.2"),
            ("10.0.0.1", "10.0.0.2", 2, "10.0.0.1 10.0.0.2"),
            ("10.0.0.1 10.0.0.3", "10.0.0.2", 2, "10.0.0.1 10.0.0.2"),
            ("10.0.0.1 10.0.0.2", "10.0.0.3", 2, "10.0.0.2 10.0.0.3"),
            ("10.0.0.1 10.0.0.2", "10.0.0.2", 1, "10.0.0.2"),
            ("10.0.0.1 10.0.0.2", "10.0.0.1", 5, "10.0.0.1 10.0.0.2"),
        ] {
            assert_eq!(counted(&told(now), own, count), told(want), "{own} joins {now:?}, {count} at most");
        }
    }
}
