//! The server: the way of a request, its verbs and subresources, discovery, and the world that controllers see.
//! The only importer of hyper, axum and rustls. Decides nothing that a row of the catalog can say.

pub mod body;
pub mod continuation;
pub mod metadata;
pub mod options;
