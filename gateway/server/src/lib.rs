//! The server: the way of a request, its verbs and subresources, discovery, and the world that controllers see.
//! The only importer of hyper and rustls. Decides nothing that a row of the catalog can say.

pub mod accounts;
pub mod aggregation;
pub mod answer;
mod aside;
pub mod body;
pub mod call;
pub mod client;
pub mod continuation;
pub mod conversion;
mod count;
pub mod customs;
pub mod decode;
mod documents;
pub mod endpoints;
pub mod files;
pub mod following;
pub mod gate;
pub mod health;
pub mod kinds;
pub mod kubeconfig;
mod legacy_tokens;
pub mod lifecycle;
pub mod listen;
pub mod looked;
pub mod metrics;
#[cfg(test)]
#[path = "../../mutate.rs"]
mod mutate;
pub mod options;
pub mod pages;
pub mod path;
pub mod paths;
pub mod pki;
pub mod registry;
pub mod removal;
pub mod respond;
pub mod reviews;
pub mod row;
pub mod select;
pub mod served;
pub mod subresources;
pub mod tls;
pub mod transcode;
mod unread;
pub mod verbs;
pub mod version;
pub mod webhooks;
pub mod world;
pub mod write;
