//! What is served now: the catalog and what clients read of it, swapped as a whole when custom resources come, change or go.
//! A request takes one snapshot and keeps it to its end. Does not know where a change comes from (`customs`).

use std::sync::Arc;

use arc_swap::ArcSwap;
use catalog::Catalog;
use catalog::discovery::Discovery;
use catalog::openapi::OpenApi;
use jiff::Timestamp;
use schema::Types;

use crate::customs::Progress;

/// The catalog at one time, with its documents.
pub struct Snapshot {
    /// Every resource.
    pub catalog: Arc<Catalog>,
    /// Discovery, rendered as it is asked for.
    pub discovery: Discovery,
    /// OpenAPI, rendered as it is asked for.
    pub openapi: OpenApi,
    /// When it came.
    pub since: Timestamp,
}

/// The current snapshot.
pub struct Served {
    now: ArcSwap<Snapshot>,
    types: Arc<Types>,
    pub(crate) progress: Progress,
}

impl Snapshot {
    fn of(catalog: Arc<Catalog>, since: Timestamp) -> Self {
        Self { discovery: Discovery::of(&catalog), openapi: OpenApi::new(catalog.clone()), catalog, since }
    }
}

impl Served {
    /// Serves a catalog, until another one takes its place.
    pub fn new(catalog: Arc<Catalog>, now: Timestamp) -> Self {
        let types = catalog.types.clone();
        Self { now: ArcSwap::from_pointee(Snapshot::of(catalog, now)), types, progress: Progress::default() }
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
        self.now.store(Arc::new(Snapshot::of(catalog, now)));
    }
}
