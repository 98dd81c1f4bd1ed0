//! The whole server in the process: requests in, answers out. One file a topic.
#![allow(clippy::unwrap_used, reason = "a test that unwraps fails with the line it stands on")]

mod admission;
mod apply;
mod common;
mod customresources;
mod inside;
mod list;
mod path;
mod protobuf;
mod quota;
mod storage;
mod subresources;
mod unread;
#[path = "../../../upstream.rs"]
mod upstream;
mod watch;

/// Which engine the servers of the tests have, unless one brings its own; on disk they are in `on_disk`.
const ON_DISK: bool = false;
