//! Who set which field: `metadata.managedFields` for every writer, and apply patches, which merge by it.
//! Follows `sigs.k8s.io/structured-merge-diff/v6` (`fieldpath`, `typed`, `merge`) and
//! `k8s.io/apimachinery/pkg/util/managedfields`. Sees objects through an [`Atoms`] made from struct types or from the schema
//! of a custom resource; converts between versions by a closure that it is handed, and stores nothing.
//!
//! From below: a [`Set`] of [`Element`]s is read from and written to `fieldsV1` (`fields`); the walks in `typed` look at
//! objects by their atoms; [`Updater`] says who owns what after an update or an apply; [`FieldManager`] is that with all the
//! habits of the API server around it.

mod atoms;
mod configuration;
mod conflict;
mod element;
mod field_manager;
mod fields;
mod filter;
mod last_applied;
mod managers;
pub mod scale;
mod set;
mod structs;
mod structural;
#[cfg(test)]
mod tests;
mod typed;
mod updater;
mod value;

pub use atoms::{Atom, AtomId, Atoms, Key, List, Member, Relationship, Scalar, Table};
pub use configuration::merge_configuration;
pub use conflict::{Conflict, Conflicts};
pub use element::Element;
pub use field_manager::{FieldManager, Refused, keep_reset};
pub use filter::Filter;
pub use managers::{Entry, Manager, Managers, Operation, check};
pub use set::Set;
pub use typed::Typed;
pub use updater::{Convert, Failure, Force, Missing, Updater};
