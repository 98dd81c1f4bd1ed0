//! Opens the store that the settings ask for. Does not read flags (`config`).

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use admission::configuration::{Strictness, document};
use catalog::Catalog;
use model::field::quote;
use model::{Clock, Value};
use server::files::Watched;
use server::transcode::{Media, Transcode};
use server::world::Slot;
use store::{Encryption, EtcdSettings, Limits, Override, ResourceOf, Store, Transformer};

use crate::config::{Config, Engine, Etcd, Rereading};

/// What a configuration of encryption may be. The second is one that upstream's documentation once named by mistake.
const ENCRYPTION: [(&str, &str); 2] = [("apiserver.config.k8s.io/v1", "EncryptionConfiguration"), ("v1", "EncryptionConfig")];
/// How often the encryption configuration is looked at where it is to be followed: upstream's bound is a minute.
const REREAD_EVERY: Duration = Duration::from_secs(5);
/// How seldom one is tried again that cannot be used.
const RETRY_MAX: Duration = Duration::from_secs(60);

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
        Engine::Disk => {
            let (dir, media) = (config.data_dir.join("store"), Media::Json);
            match encryption(config, &Arc::new(Transcode::new(catalog.clone(), media, slot.clone())))? {
                Some(encryption) => Ok(Store::disk_behind(&dir, encryption, clock, limits).await?),
                None => Ok(Store::disk(&dir, clock, limits)?),
            }
        }
        Engine::Etcd(etcd) => {
            let transcode = Arc::new(Transcode::new(catalog.clone(), etcd.media, slot.clone()));
            let settings = settings(etcd, &transcode)?;
            let encryption = encryption(config, &transcode)?;
            Ok(Store::etcd(&settings, transcode, encryption, clock, limits).await?)
        }
    }
}

/// Encryption by its file, which is followed where that was asked for.
fn encryption(config: &Config, transcode: &Arc<Transcode>) -> Result<Option<Arc<dyn Transformer>>, String> {
    let Some((path, rereading)) = &config.encryption else { return Ok(None) };
    let of = transcode.clone();
    let resource_of: ResourceOf = Arc::new(move |prefix| of.resource_of(prefix));
    let named = |why: String| format!("--encryption-provider-config: {why}");
    let encryption = Arc::new(Encryption::new(&read(path).map_err(named)?, resource_of).map_err(named)?);
    if *rereading == Rereading::OnChange {
        tokio::spawn(follow(path.clone(), encryption.clone()));
    }
    Ok(Some(encryption))
}

/// Puts in force what the file says now, whenever it changes. What cannot be used is tried again, for its plugins may still be
/// starting.
async fn follow(path: PathBuf, encryption: Arc<Encryption>) {
    let (mut watched, mut due, mut wait) = (Watched::new(vec![path.clone()]), false, REREAD_EVERY);
    loop {
        tokio::time::sleep(wait).await;
        due |= watched.changed();
        if !due {
            continue;
        }
        let replaced = match read(&path) {
            Ok(configuration) => encryption.replace(&configuration).await,
            Err(error) => Err(error),
        };
        due = replaced.is_err();
        match replaced {
            Ok(()) => {
                wait = REREAD_EVERY;
                tracing::info!("encryption configuration replaced");
            }
            Err(error) => {
                wait = (wait * 2).min(RETRY_MAX);
                tracing::error!(error, "the replaced encryption configuration cannot be used; the old one stays");
            }
        }
    }
}

/// What encrypts, for who has a store's content and not the store.
pub(crate) fn transformer(config: &Config) -> Result<Option<Arc<dyn Transformer>>, Box<dyn Error>> {
    let transcode = Transcode::new(Arc::new(Catalog::builtin()?), Media::Json, Slot::default());
    Ok(encryption(config, &Arc::new(transcode))?)
}

/// The configuration of encryption in a file. Fails in upstream's words.
fn read(path: &Path) -> Result<Value, String> {
    let named = format!("encryption provider configuration file {}", quote(&path.display().to_string()));
    let fault = |why: String| format!("error while parsing file: {why}");
    let unread = |error| fault(format!("error while loading file: error reading {named}: {error}"));
    let text = std::fs::read_to_string(path).map_err(unread)?;
    if text.is_empty() {
        return Err(fault(format!("error while loading file: {named} is empty")));
    }
    document(&text, &ENCRYPTION, Strictness::Strict).map_err(|why| fault(format!("error decoding {named}: {why}")))
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
