//! How objects travel: JSON and YAML as Go reads and writes them, media types, the shapes around objects.
//! Knows no kind by name and no schema (`schema`).

pub mod go_base64;
pub mod go_json;
pub mod go_url;
pub mod json;
pub mod negotiate;
pub mod partial;
pub mod shape;
mod walk;
pub mod yaml;

#[cfg(test)]
#[path = "../../upstream.rs"]
mod upstream;
