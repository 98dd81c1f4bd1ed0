//! Every resource as a row: scope, names, verbs, schema, columns, strategy, and hooks for the few that need code.
//! Serves nothing itself (`server`).

pub mod columns;
pub mod hooks;
