//! Runs policies: compiles components, keeps what was compiled, calls them with a deadline and a memory cap, links only
//! what was granted. The only importer of wasmtime.
//! Does not choose policies and does not know what their answers lead to (`admission`).

#![cfg_attr(test, allow(clippy::duplicate_mod, reason = "the same tests, of guests here and of guests in other processes"))]

mod apart;
mod artifacts;
mod bindings;
mod compile;
mod cut;
mod engine;
mod error;
pub mod folder;
mod guest;
mod imports;
pub mod limits;
mod module;
mod pace;
mod policy;
mod pool;
pub mod reach;
mod shown;
mod started;
mod ticker;
mod wasi;

pub use apart::{Program, serve};
pub use bindings::validator::gatehouse::policy::types::{
    GroupVersionKind, GroupVersionResource, Metadata, Mutation, Operation, Origin, Request, RequestPart, Rule, Timestamp, User,
    Verdict, Violation,
};
pub use compile::{Compiler, precompile};
pub use engine::{Options, Runtime};
pub use error::{BindError, Failure, LoadError, StartError};
pub use guest::LogLine;
pub use imports::Grant;
pub use module::{Module, World};
pub use policy::{Answer, Binding, Call, Policy};
pub use reach::Reach;
pub use started::{StartedError, started};

#[cfg(test)]
mod tests;
/// The same tests, of guests in processes of their own.
#[cfg(test)]
#[path = "tests.rs"]
mod tests_apart;
