//! Follows every resource whose objects come and go, those of custom resources too as they are defined, and those of extension
//! servers as they tell of them, with one watch for all who want to hear of everything. Decides nothing.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use model::world::{Extensions, ResourceFacts};
use model::{GroupVersionResource, World};
use tokio::sync::{Notify, watch};
use tokio::task::{AbortHandle, JoinSet};

use crate::feed::{self, Listener, Reads};
use crate::runtime::Runtime;

/// How long resources may take to settle after their definitions changed; upstream looks every 30 s.
const SETTLE: Duration = Duration::from_secs(1);

/// How often extension servers' resources are looked at: they change without a word. Upstream asks every 30 s.
const LOOK: Duration = Duration::from_secs(5);

/// What is there of each object.
const READS: Reads = &[
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "metadata.ownerReferences",
    "metadata.deletionTimestamp",
    "metadata.finalizers",
];

/// Hears which resources there are, whenever that changes.
type Census = Box<dyn Fn(&[ResourceFacts]) + Send + Sync>;

/// Who wants to hear of everything.
#[derive(Default)]
pub(crate) struct Everything {
    listeners: Vec<Listener>,
    census: Vec<Census>,
}

impl Everything {
    /// Hears of every object.
    pub(crate) fn listen(&mut self, listener: Listener) {
        self.listeners.push(listener);
    }

    /// Hears which resources there are when some came or went.
    pub(crate) fn count(&mut self, census: impl Fn(&[ResourceFacts]) + Send + Sync + 'static) {
        self.census.push(Box::new(census));
    }

    /// Puts the watches into a runtime; only before [`Runtime::follow`].
    pub(crate) fn follow(self, runtime: &mut Runtime) {
        if self.listeners.is_empty() {
            return;
        }
        // Nobody waits for extension servers, which may not answer.
        let stored = runtime.context().world.resources().into_iter().filter(takes_part);
        let known: HashSet<GroupVersionResource> = stored.map(|facts| facts.resource).collect();
        for resource in &known {
            self.listeners.iter().for_each(|listener| runtime.listen_to(resource.clone(), READS, listener.clone()));
        }
        self.follow_others(runtime, known);
    }

    /// Follows resources that come after the start, and leaves those that go: custom ones, and those of extension servers.
    fn follow_others(self, runtime: &mut Runtime, known: HashSet<GroupVersionResource>) {
        let changed = Arc::new(Notify::new());
        let heard = changed.clone();
        let definitions = GroupVersionResource::new("apiextensions.k8s.io", "v1", "customresourcedefinitions");
        runtime.listen(definitions, Arc::new(move |_| heard.notify_one()));
        let world = runtime.context().world.clone();
        runtime.spawn(async move {
            let (mut followed, mut feeds): (HashMap<GroupVersionResource, AbortHandle>, _) = (HashMap::new(), JoinSet::new());
            let mut extensions = Extensions::default();
            loop {
                let is_told = tokio::select! {
                    () = changed.notified() => true,
                    () = tokio::time::sleep(LOOK) => false,
                };
                let before = std::mem::replace(&mut extensions, world.extensions());
                if !is_told && before == extensions {
                    continue;
                }
                // Several definitions come together, and each changes several times until it is served.
                tokio::time::sleep(SETTLE).await;
                let now = resources(&*world);
                self.census.iter().for_each(|census| census(&now));
                followed.retain(|resource, feed| {
                    let version = format!("{}/{}", resource.group, resource.version);
                    // Of whom cannot be asked nobody knows that it serves less than before.
                    let stays = extensions.unknown.contains(&version) || now.iter().any(|facts| facts.resource == *resource);
                    if !stays {
                        feed.abort();
                    }
                    stays
                });
                for facts in now.into_iter().filter(|facts| !known.contains(&facts.resource)) {
                    followed.entry(facts.resource).or_insert_with_key(|resource| {
                        let followed = (resource.clone(), READS);
                        feeds.spawn(feed::follow(world.clone(), followed, self.listeners.clone(), watch::channel(false).0))
                    });
                }
            }
        });
    }
}

/// The resources whose objects come and go, those of extension servers too.
pub(crate) fn resources(world: &dyn World) -> Vec<ResourceFacts> {
    world.resources().into_iter().chain(world.extensions().resources).filter(takes_part).collect()
}

/// Without events, of which there are too many.
fn takes_part(facts: &ResourceFacts) -> bool {
    let serves = |verb: &&str| facts.verbs.iter().any(|served| served == verb);
    &*facts.resource.resource != "events" && ["list", "watch", "delete"].iter().all(serves)
}
