//! Stored objects that a plugin keeps compiled: told of every change, and of how far it has been told.
//! Does not read the store (`server::following` does).

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use model::{Revision, Status, Value, meta};
use tokio::sync::watch;

use crate::Review;

/// How long a request waits for what is stored and not in force yet. Compiling takes milliseconds; who waits longer than
/// this gets what is in force.
const BEHIND_MAX: Duration = Duration::from_secs(5);

/// Tells the revision up to which there is something to follow.
pub type Newest = Box<dyn Fn() -> Revision + Send + Sync>;

/// Who is told of the objects of one resource.
pub trait Followed: Send + Sync {
    /// Somebody follows them from now on; `newest` tells up to where there is something to follow.
    fn followed(&self, newest: Newest);
    /// These are all there are.
    fn replace(&self, objects: &[Value]);
    /// One is new or changed.
    fn put(&self, object: &Value);
    /// One is gone.
    fn remove(&self, name: &str);
    /// Everything up to this revision was told.
    fn reach(&self, revision: Revision);
}

/// What was made of each object, by name.
pub(crate) struct Kept<T> {
    known: Mutex<BTreeMap<String, T>>,
    reached: watch::Sender<Revision>,
    newest: OnceLock<Newest>,
}

impl<T: Clone> Kept<T> {
    pub(crate) fn new() -> Self {
        Self { known: Mutex::default(), reached: watch::Sender::new(0), newest: OnceLock::new() }
    }

    pub(crate) fn followed(&self, newest: Newest) {
        let _ = self.newest.set(newest);
    }

    pub(crate) fn replace(&self, objects: &[Value], make: impl Fn(&Value) -> T) {
        let made = objects.iter().map(|object| (meta::name(object).to_owned(), make(object))).collect();
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = made;
    }

    pub(crate) fn put(&self, object: &Value, make: impl Fn(&Value) -> T) {
        let made = make(object);
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(meta::name(object).to_owned(), made);
    }

    pub(crate) fn remove(&self, name: &str) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    pub(crate) fn reach(&self, revision: Revision) {
        self.reached.send_replace(revision);
    }

    /// All, by name.
    pub(crate) fn all(&self) -> Vec<T> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Waits until everything that is stored now is in force: who was told that an object is stored can rely on it. Fails with
    /// upstream's refusal while it was never known what is stored, as when a part of it cannot be read.
    pub(crate) async fn settled(&self, review: &Review<'_>) -> Result<(), Status> {
        let Some(newest) = self.newest.get() else { return Ok(()) };
        let wanted = newest();
        if *self.reached.borrow() >= wanted {
            return Ok(());
        }
        let mut reached = self.reached.subscribe();
        // The sender lives as long as this.
        let waiting = reached.wait_for(|reached| *reached >= wanted);
        if tokio::time::timeout(BEHIND_MAX, waiting).await.is_ok() {
            return Ok(());
        }
        tracing::warn!(wanted, "what admission asks lags behind the store");
        if *self.reached.borrow() > 0 {
            return Ok(());
        }
        Err(Status::forbidden(&review.resource.group_resource(), review.name, "not yet ready to handle request"))
    }
}
