//! What is served now: the catalog and what clients read of it, swapped as a whole when custom resources come, change or go,
//! or extension servers tell of others. A request takes one snapshot and keeps it to its end. Does not know where a change comes
//! from (`customs`, `aggregation`).

use std::sync::Arc;

use arc_swap::ArcSwap;
use catalog::Catalog;
use catalog::discovery::Discovery;
use catalog::openapi::OpenApi;
use catalog::services::{Service, Specification};
use jiff::Timestamp;
use model::Value;
use parking_lot::Mutex;
use schema::Types;

use crate::customs::Progress;

/// The catalog at one time, with its documents.
pub struct Snapshot {
    /// Every resource.
    pub catalog: Arc<Catalog>,
    /// Discovery, rendered as it is asked for.
    pub discovery: Discovery,
    /// OpenAPI, rendered as it is asked for.
    pub openapi: Arc<OpenApi>,
    /// When it came.
    pub since: Timestamp,
    /// What APIServices say, the most preferred first.
    services: Arc<[Service]>,
}

/// The current snapshot.
pub struct Served {
    now: ArcSwap<Snapshot>,
    types: Arc<Types>,
    /// Held while one snapshot makes way for the next: each is made from the one before.
    swapping: Mutex<()>,
    pub(crate) progress: Progress,
}

impl Snapshot {
    fn of(catalog: Arc<Catalog>, services: Arc<[Service]>, since: Timestamp) -> Self {
        let described = services.iter().filter(|service| service.remote.is_some()).cloned().collect();
        Self {
            discovery: Discovery::with(&catalog, &services),
            openapi: Arc::new(OpenApi::with(catalog.clone(), described)),
            catalog,
            since,
            services,
        }
    }

    /// The same catalog where APIServices say something else. Rendering OpenAPI is much work, which is kept where it can be.
    fn told(&self, services: Arc<[Service]>, since: Timestamp) -> Self {
        if described(&services) != described(&self.services) {
            return Self::of(self.catalog.clone(), services, since);
        }
        Self {
            catalog: self.catalog.clone(),
            discovery: Discovery::with(&self.catalog, &services),
            openapi: self.openapi.clone(),
            since: self.since,
            services,
        }
    }
}

/// What OpenAPI shows of extension servers: groups, versions, where their documents are, and those themselves.
type Described<'a> = Vec<(&'a str, &'a str, &'a [(String, Value)], Option<&'a Specification>)>;

fn described(services: &[Service]) -> Described<'_> {
    let remote = services.iter().filter_map(|one| Some((one, one.remote.as_ref()?)));
    remote.map(|(one, remote)| (&*one.group, &*one.version, &remote.v3[..], remote.v2.as_ref())).collect()
}

impl Served {
    /// Serves a catalog, until another one takes its place.
    pub fn new(catalog: Arc<Catalog>, now: Timestamp) -> Self {
        let types = catalog.types.clone();
        let snapshot = Snapshot::of(catalog, Arc::default(), now);
        Self { now: ArcSwap::from_pointee(snapshot), types, swapping: Mutex::default(), progress: Progress::default() }
    }

    /// What is served now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.now.load_full()
    }

    /// Every resource that is served now.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.now.load().catalog.clone()
    }

    /// Struct types of all built-in kinds, the same in every catalog.
    pub fn types(&self) -> &Arc<Types> {
        &self.types
    }

    /// Puts another catalog in its place. What was rendered of unchanged groups comes with them.
    pub fn swap(&self, catalog: Arc<Catalog>, now: Timestamp) {
        let _turn = self.swapping.lock();
        let services = self.now.load().services.clone();
        self.now.store(Arc::new(Snapshot::of(catalog, services, now)));
    }

    /// Lets clients see what APIServices say, the most preferred first.
    pub(crate) fn tell(&self, services: Vec<Service>, now: Timestamp) {
        let _turn = self.swapping.lock();
        let before = self.now.load();
        if *before.services != services[..] {
            self.now.store(Arc::new(before.told(services.into(), now)));
        }
    }
}
