//! Who sends a request: client certificates, front proxies, tokens, nobody. Follows `k8s.io/apiserver/pkg/authentication`
//! and `k8s.io/kubernetes/pkg/serviceaccount`. Does not decide what a user may do (`authz`) and serves nothing (`server`).

pub mod bootstrap;
pub mod certificate;
pub mod chain;
mod der;
pub mod front_proxy;
pub mod impersonation;
pub mod roots;
pub mod service_account;
pub mod token_file;
mod websocket;

pub use certificate::Certificates;
pub use chain::{Chain, Credentials, Identity, Refused};
pub use roots::Roots;
