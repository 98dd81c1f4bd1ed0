//! Large objects, beside the threads that serve everybody: what is done to an object between two awaits nobody can interrupt,
//! and a client makes objects of megabytes. Bounds nothing; who writes them has a thread of his own meanwhile.

use admission::aside;
use tokio::runtime::Handle;

/// Bytes of an object beyond which it is large: some milliseconds are spent on what is smaller.
const LARGE: usize = 64 << 10;

/// Does something to an object of so many bytes.
pub(crate) fn work<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    if bytes > LARGE { aside::aside(work) } else { work() }
}

/// Whether to [`drive`] what is done to an object of so many bytes.
pub(crate) fn is_wanted(bytes: usize) -> bool {
    bytes > LARGE && aside::is_possible()
}

/// Drives a future to its end, on this thread alone; only where that [`is_wanted`].
pub(crate) fn drive<F: Future>(future: F) -> F::Output {
    tokio::task::block_in_place(|| Handle::current().block_on(future))
}
