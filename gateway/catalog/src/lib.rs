//! Every resource as a row: scope, names, verbs, schema, columns, strategy, and hooks for the few that need code.
//! Serves nothing itself (`server`).

pub mod bootstrap;
pub mod catalog;
pub mod columns;
pub mod convert;
pub mod custom;
pub mod declarative;
pub mod default;
pub mod discovery;
pub mod document;
pub mod facts;
pub mod hooks;
pub mod openapi;
pub mod quota;
mod read;
pub mod resource;
pub mod services;
pub mod strategy;
pub mod typecheck;
#[cfg(test)]
#[path = "../../upstream.rs"]
mod upstream;

pub use catalog::{Catalog, Error, Group, Version};
pub use document::Document;
pub use read::ReadError;
pub use resource::{Cells, Column, Resource, Storage, Subresource};
pub use strategy::{Garbage, Generation, Strategy};
