//! Decides whether a user may do something: the chain of authorizers, RBAC and nodes over the live objects, and the check that
//! nobody grants more than they hold. Does not know who the user is (`authn`) and serves no review (`server`).

mod chain;
mod grant;
mod index;
mod live;
mod node;
mod rbac;
mod rule;

pub use chain::{Chain, Incomplete, Mode, UnknownMode, forbidden};
pub use grant::Draft;
pub use index::{Binding, Index, Kind, RoleRef, Subject};
pub use live::Live;
pub use node::Nodes;
pub use rbac::{Change, Rbac, Rules, Source};
pub use rule::{PolicyRule, covers};

#[cfg(test)]
mod tests;
