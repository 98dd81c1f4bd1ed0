//! Work that takes long, beside the threads that serve everybody: whatever else such a thread serves moves to another one before.

use tokio::runtime::{Handle, RuntimeFlavor};

/// Whether there is another thread to move to.
pub fn is_possible() -> bool {
    Handle::try_current().is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread)
}

/// Does what takes long, where that is possible aside.
pub fn aside<T>(work: impl FnOnce() -> T) -> T {
    if is_possible() { tokio::task::block_in_place(work) } else { work() }
}
