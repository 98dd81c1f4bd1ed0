//! The whole server in the process: requests in, answers out. One file a topic.

mod admission;
mod common;
mod list;
mod path;
mod protobuf;
mod subresources;
mod watch;
