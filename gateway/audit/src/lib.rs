//! The audit record: what was asked, by whom, and how it ended, as `audit.k8s.io/v1` events.
//! Follows `k8s.io/apiserver/pkg/audit`. Decides nothing about a request, and never holds the body of a secret.

pub mod event;
pub mod file;
pub mod log;
pub mod policy;
pub mod record;

pub use log::Log;
pub use policy::{Level, Policy, Stage};
pub use record::{Arrival, Record};
