//! What is known of an object that lies in the storage and cannot be read: where it lies and since when, so that nobody takes its
//! name and it can be deleted, and why. Its resource is neither listed nor watched meanwhile, as upstream's are not.
//! Reads nothing: the engines do, and try again from time to time, of which the order is here.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::{Cache, Entry};

/// How often it is tried again: a key may have been added, a plugin may answer again. Upstream's caches list anew as often.
pub(crate) const RETRY_EVERY: Duration = Duration::from_secs(1);
/// After so many failures the rest waits for the next time: each may be a question to a plugin.
const FAILURES_MAX: usize = 100;

/// At which step reading failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// What was stored cannot be decrypted.
    Transform,
    /// What it was encrypted from is no object, or not one of this kind.
    Decode,
}

/// Why an object cannot be read, and what lies there.
#[derive(Debug)]
pub struct Unread {
    /// At which step it failed.
    pub step: Step,
    /// What is wrong.
    pub reason: String,
    pub(crate) stored: Bytes,
}

/// Goes through what cannot be read, a part of it each time where that is much.
#[derive(Default)]
pub(crate) struct Retry {
    /// How many were tried of a round that is not over.
    tried: usize,
}

impl Retry {
    /// What can be read by now of the resources that `mine` accepts; `read` reads an entry anew.
    pub(crate) async fn run<F: Future<Output = Arc<Entry>>>(
        &mut self,
        cache: &Cache,
        mine: impl Fn(&str) -> bool,
        read: impl Fn(Arc<Entry>) -> F,
    ) -> Vec<Arc<Entry>> {
        let resources = cache.resources();
        let snapshots = resources.iter().filter(|resource| mine(resource.prefix())).map(|resource| resource.snapshot());
        let unread: Vec<_> = snapshots.flat_map(|snapshot| snapshot.unread().cloned().collect::<Vec<_>>()).collect();
        let (mut read_now, mut failures) = (Vec::new(), 0);
        for entry in unread.into_iter().skip(self.tried) {
            self.tried += 1;
            let again = read(entry).await;
            match again.unread() {
                None => read_now.push(again),
                Some(_) => failures += 1,
            }
            if failures >= FAILURES_MAX {
                return read_now;
            }
        }
        self.tried = 0;
        read_now
    }
}
