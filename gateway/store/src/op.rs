//! What a write asks for and what it answers. Does not carry it out (`batch`).

use std::sync::Arc;

use model::Revision;

use crate::{Draft, Entry, Key};

/// Operations in one transaction; etcd's own default limit, so that what works here works there.
pub const TRANSACTION_OPS_MAX: usize = 128;
/// Largest body. The API's own limit on a request is 3 MiB; what admission and defaulting add must still fit.
pub const BODY_BYTES_MAX: usize = 8 << 20;

/// What must hold for an operation to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// The key must not exist.
    Absent,
    /// The key must exist at exactly this revision.
    Revision(Revision),
    /// A put: whatever is there. A delete: the key must exist.
    Any,
}

/// One operation of a transaction.
#[derive(Clone, Debug)]
pub enum Op {
    /// Creates or replaces an object.
    Put {
        /// Where.
        key: Key,
        /// Under which condition.
        expect: Expect,
        /// What.
        draft: Draft,
    },
    /// Removes an object.
    Delete {
        /// Where.
        key: Key,
        /// Under which condition.
        expect: Expect,
    },
}

impl Op {
    /// The key it is about.
    pub fn key(&self) -> &Key {
        match self {
            Self::Put { key, .. } | Self::Delete { key, .. } => key,
        }
    }

    pub(crate) fn expect(&self) -> Expect {
        match self {
            Self::Put { expect, .. } | Self::Delete { expect, .. } => *expect,
        }
    }
}

/// A transaction that happened and is durable.
#[derive(Clone, Debug)]
pub struct Committed {
    /// Revision of its last operation.
    pub revision: Revision,
    /// For each operation in order: a put's new entry; for a delete the previous entry with the delete's revision in its
    /// body, which is what the DELETED event carries too.
    pub entries: Vec<Arc<Entry>>,
}

/// Why a write did not happen, or why nobody can tell.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// An operation's condition does not hold. Nothing of the transaction happened.
    #[error("{key} is not in the expected state")]
    Conflict {
        /// The first key whose condition does not hold.
        key: Key,
        /// What is there instead.
        current: Option<Arc<Entry>>,
    },
    /// The caller built a transaction that cannot be stored.
    #[error("cannot store {key}: {reason}")]
    Invalid {
        /// The key it is about.
        key: Key,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// More writes are queued than the limit allows; try again after a moment.
    #[error("the store's write queue is full")]
    Overloaded,
    /// The store was closed in good order.
    #[error("the store is closed")]
    Closed,
    /// The storage refused, in its own words; nothing happened.
    #[error("{0}")]
    Refused(Arc<str>),
    /// Nobody can tell whether the write happened, in the storage's own words.
    #[error("{0}")]
    Unknown(Arc<str>),
    /// The storage failed. The write may or may not be on disk; nothing is acknowledged from now on and the process must
    /// end, because after a failed fsync nobody knows what the disk holds until it is read anew.
    #[error("the store failed: {0}")]
    Failed(Arc<str>),
}
