//! A resource as it was at a revision that only the cluster still knows: of a continue token that another server gave, or this one
//! before it was started anew. Keeps nothing.

use std::sync::Arc;

use model::Revision;
use tonic::Code;

use super::Cluster;
use super::follow::list;
use crate::snapshot::State;
use crate::{Error, ResourceCache, Snapshot};

/// `None` when the cluster has compacted it.
pub(super) async fn read(cluster: &Cluster, resource: &ResourceCache, revision: Revision) -> Result<Option<Snapshot>, Error> {
    let Ok(at) = i64::try_from(revision) else { return Ok(None) };
    let pairs = match list(&cluster.client, cluster.form.range_of(resource.prefix()), at).await {
        Ok((_, pairs)) => pairs,
        Err(failure) if failure.status().code() == Code::OutOfRange => return Ok(None),
        Err(failure) => return Err(failure.into()),
    };
    let mut state = State { revision, ..State::default() };
    for kv in pairs {
        let Some(key) = cluster.form.inside(&kv.key).filter(|key| key.prefix() == resource.prefix()) else { continue };
        // What has not changed since is shared.
        let known = resource.get(&key).filter(|known| i64::try_from(known.revision) == Ok(kv.mod_revision));
        state.insert(match known {
            Some(known) => known,
            None => cluster.form.entry(&key, &kv).await,
        });
    }
    Ok(Some(Snapshot::new(revision, Arc::new(state))))
}
