//! The whole server in the process, as in `api`, over the engine that keeps everything on disk: what the API shows of the
//! storage's semantics hangs on no engine.
#![allow(clippy::unwrap_used, reason = "a test that unwraps fails with the line it stands on")]

#[path = "../api/admission.rs"]
mod admission;
#[path = "../api/apply.rs"]
mod apply;
#[path = "../api/common.rs"]
mod common;
#[path = "../api/customresources.rs"]
mod customresources;
#[path = "../api/inside.rs"]
mod inside;
#[path = "../api/list.rs"]
mod list;
#[path = "../api/path.rs"]
mod path;
#[path = "../api/protobuf.rs"]
mod protobuf;
#[path = "../api/quota.rs"]
mod quota;
#[path = "../api/storage.rs"]
mod storage;
#[path = "../api/subresources.rs"]
mod subresources;
#[path = "../api/unread.rs"]
mod unread;
#[path = "../../../upstream.rs"]
mod upstream;
#[path = "../api/watch.rs"]
mod watch;

/// Which engine the servers of the tests have, unless one brings its own.
const ON_DISK: bool = true;
