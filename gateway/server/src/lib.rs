//! The server: the way of a request, its verbs and subresources, discovery, and the world that controllers see.
//! The only importer of hyper, axum and rustls. Decides nothing that a row of the catalog can say.

pub mod accounts;
pub mod body;
pub mod continuation;
pub mod endpoints;
pub mod files;
pub mod health;
pub mod kubeconfig;
pub mod lifecycle;
pub mod listen;
pub mod metadata;
pub mod metrics;
pub mod options;
pub mod pki;
pub mod tls;
pub mod version;
