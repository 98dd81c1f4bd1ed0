//! What every part of Gatehouse speaks of: objects, kinds, requests, users, revisions, errors.
//! Holds no I/O and no async code; the few abilities that a lower part borrows from a higher one are traits here.

pub mod authorizer;
pub mod clock;
pub mod content;
pub mod cron;
pub mod field;
pub mod generate;
pub mod gvk;
pub mod json;
pub mod meta;
pub mod name;
pub mod quantity;
pub mod query;
pub mod recent;
pub mod repeats;
pub mod request;
pub mod selector;
pub mod status;
pub mod time;
pub mod user;
pub mod version;
pub mod world;

pub use authorizer::{Attributes, Authorizer, Decision};
pub use clock::Clock;
pub use gvk::{GroupKind, GroupResource, GroupVersionKind, GroupVersionResource};
pub use json::{Map, Value};
pub use quantity::Quantity;
pub use query::Query;
pub use repeats::repeats;
pub use request::{RequestInfo, Verb};
pub use status::Status;
pub use user::User;
pub use world::World;

/// A store revision; 0 means "none yet". Only rises, over crashes and restores too.
pub type Revision = u64;
