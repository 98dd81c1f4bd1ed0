//! One watch a resource, shared by all controllers: lists, follows, lists again when the watch ends, and tells every
//! listener what changed, deletions that fell into the gap included. Keeps names and uids, not objects.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use model::json::json;
use model::world::Event;
use model::{GroupVersionResource, Revision, Status, Value, World, meta};
use tokio::sync::watch;

/// Wait before the next try when a resource cannot be listed.
const RELIST_WAIT: Duration = Duration::from_secs(1);

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It is there and was not known.
    Added,
    /// It changed.
    Modified,
    /// It is gone. Where the watch missed it, only name, namespace and uid are known.
    Deleted,
}

/// One change as listeners hear of it.
pub struct Change<'a> {
    /// The resource.
    pub resource: &'a GroupVersionResource,
    /// What happened.
    pub what: What,
    /// The object as it is, or as it was last.
    pub object: &'a Value,
}

/// Fields that listeners read of objects, as [`World::watch_fields`] takes them; empty: all.
pub type Reads = &'static [&'static str];

/// All of an object.
pub const WHOLE: Reads = &[];

/// Which object it is: what the feed itself must know.
pub const IDENTITY: Reads = &["metadata.name", "metadata.namespace", "metadata.uid"];

/// Hears of every change of a resource, in order. Must be quick: it holds up the resource's other listeners.
pub type Listener = Arc<dyn Fn(&Change<'_>) + Send + Sync>;

/// Follows one resource until the returned future is dropped. `synced` turns true once the first list was told. Of each object
/// its metadata and what listeners read is there.
pub(crate) async fn follow(
    world: Arc<dyn World>,
    (resource, reads): (GroupVersionResource, Reads),
    listeners: Vec<Listener>,
    synced: watch::Sender<bool>,
) {
    let mut feed = Feed { resource, reads, listeners, known: HashMap::new() };
    loop {
        match feed.relist(&*world).await {
            Ok(revision) => {
                let _ = synced.send(true);
                if let Err(status) = feed.watch(&*world, revision).await {
                    tracing::debug!(resource = %feed.resource.resource, %status, "watch ended");
                }
            }
            Err(status) => {
                tracing::warn!(resource = %feed.resource.resource, %status, "cannot list for controllers");
                tokio::time::sleep(RELIST_WAIT).await;
            }
        }
    }
}

struct Feed {
    resource: GroupVersionResource,
    reads: Reads,
    listeners: Vec<Listener>,
    /// Uid by namespace and name.
    known: HashMap<(Box<str>, Box<str>), Box<str>>,
}

impl Feed {
    async fn relist(&mut self, world: &dyn World) -> Result<Revision, Status> {
        let (mut objects, revision) = world.list_fields(&self.resource, self.reads).await?;
        let mut gone = self.known.clone();
        while let Some(object) = objects.next().await {
            if gone.remove(&place(&object)).is_some_and(|uid| *uid != *meta::uid(&object)) {
                self.forget(&object);
            }
            self.saw(&object);
        }
        for ((namespace, name), uid) in gone {
            self.forget(&json!({"metadata": {"namespace": namespace, "name": name, "uid": uid}}));
        }
        Ok(revision)
    }

    async fn watch(&mut self, world: &dyn World, from: Revision) -> Result<(), Status> {
        let mut events = world.watch_fields(&self.resource, self.reads, from).await?;
        while let Some(event) = events.next().await {
            match event {
                Event::Added(object) | Event::Modified(object) => self.saw(&object),
                Event::Deleted(object) => self.forget(&object),
            }
        }
        Ok(())
    }

    fn saw(&mut self, object: &Value) {
        let before = self.known.insert(place(object), meta::uid(object).into());
        self.tell(if before.is_some() { What::Modified } else { What::Added }, object);
    }

    /// Says goodbye to an object that was known at this place.
    fn forget(&mut self, object: &Value) {
        let Some(uid) = self.known.remove(&place(object)) else { return };
        if *uid == *meta::uid(object) {
            return self.tell(What::Deleted, object);
        }
        let last = json!({"metadata": {"namespace": meta::namespace(object), "name": meta::name(object), "uid": uid}});
        self.tell(What::Deleted, &last);
    }

    fn tell(&self, what: What, object: &Value) {
        let change = Change { resource: &self.resource, what, object };
        for listener in &self.listeners {
            listener(&change);
        }
    }
}

fn place(object: &Value) -> (Box<str>, Box<str>) {
    (meta::namespace(object).into(), meta::name(object).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{Fake, gvr};
    use std::sync::Mutex;

    #[tokio::test]
    async fn what_a_gap_hid_is_told() {
        let world = Fake::new(&[]);
        let pod = |name: &str, uid: &str| json!({"metadata": {"namespace": "a", "name": name, "uid": uid}});
        for (name, uid) in [("stays", "1"), ("goes", "2"), ("replaced", "3")] {
            world.seed("v1/pods", pod(name, uid));
        }
        let told = Arc::new(Mutex::new(Vec::new()));
        let listener: Listener = Arc::new({
            let told = told.clone();
            move |change| {
                told.lock().unwrap().push(format!("{:?} {} {}", change.what, meta::name(change.object), meta::uid(change.object)))
            }
        });
        let mut feed = Feed { resource: gvr("v1/pods"), reads: WHOLE, listeners: vec![listener], known: HashMap::new() };
        feed.relist(&world).await.unwrap();
        assert_eq!(told.lock().unwrap().split_off(0), ["Added goes 2", "Added replaced 3", "Added stays 1"]);

        world.delete(&gvr("v1/pods"), "a", "goes", Default::default()).await.unwrap();
        world.seed("v1/pods", pod("replaced", "4"));
        feed.relist(&world).await.unwrap();
        assert_eq!(
            told.lock().unwrap().split_off(0),
            ["Deleted replaced 3", "Added replaced 4", "Modified stays 1", "Deleted goes 2"]
        );
    }
}
