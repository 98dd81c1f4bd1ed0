//! Which plugins and policies apply to a request, in what order, and what their answers add up to.
//! Does not read requests or write objects (`server`), and does not run wasm itself (`wasm`).

pub mod admissionpolicy;
pub mod aside;
pub mod builtin;
pub mod chain;
pub mod cluster;
pub mod configuration;
pub mod expression;
pub mod followed;
pub mod matching;
pub mod plugin;
pub mod policy;
pub mod review;
pub mod webhook;

pub use chain::Chain;
pub use cluster::{Cluster, Kinds};
pub use plugin::Plugin;
pub use review::{Notes, Operation, Review};

#[cfg(test)]
#[path = "../../upstream.rs"]
mod upstream;
