//! Opens the store that the settings ask for. Does not read flags (`config`).

use std::error::Error;
use std::sync::Arc;

use catalog::Catalog;
use model::Clock;
use server::transcode::Transcode;
use server::world::Slot;
use store::{EtcdSettings, Limits, Override, Store};

use crate::config::{Config, Engine, Etcd};

/// The store. Fails when it cannot be had.
pub(crate) async fn open(
    config: &Config,
    catalog: &Arc<Catalog>,
    slot: &Slot,
    clock: Arc<dyn Clock>,
) -> Result<Store, Box<dyn Error>> {
    let limits = Limits::default();
    match &config.engine {
        Engine::Memory => Ok(Store::memory_with(clock, limits)?),
        Engine::Disk => Ok(Store::disk(&config.data_dir.join("store"), clock, limits)?),
        Engine::Etcd(etcd) => {
            let transcode = Transcode::new(catalog.clone(), etcd.media, slot.clone());
            let settings = settings(etcd, &transcode)?;
            Ok(Store::etcd(&settings, Arc::new(transcode), None, clock, limits).await?)
        }
    }
}

fn settings(etcd: &Etcd, transcode: &Transcode) -> Result<EtcdSettings, String> {
    let mut overrides = Vec::new();
    for (resource, urls) in &etcd.overrides {
        let prefix = transcode
            .prefix_of(&resource.group, &resource.plural)
            .ok_or_else(|| format!("--etcd-servers-overrides: no resource {}/{} is built in", resource.group, resource.plural))?;
        overrides.push(Override { prefix, urls: urls.clone() });
    }
    Ok(EtcdSettings {
        servers: etcd.servers.clone(),
        prefix: etcd.prefix.clone(),
        overrides,
        compact_every: etcd.compact_every,
        lease_reuse_s: etcd.lease_reuse_s,
        health_max: etcd.health_max,
        open_max: etcd.open_max,
    })
}
