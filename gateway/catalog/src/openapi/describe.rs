//! The descriptions of structs and fields, unpacked on first use from what the build script took out of `k8s-openapi`.

use std::collections::HashMap;
use std::io::Read;
use std::sync::OnceLock;

use flate2::read::DeflateDecoder;

/// Lines of `<struct>[ <field>]<tab><description as JSON>`, deflated.
pub(super) const PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptions.deflate"));

/// The description of a struct (empty field) or of one of its fields.
pub(super) fn of(name: &str, field: &str) -> Option<&'static str> {
    static ALL: OnceLock<HashMap<String, String>> = OnceLock::new();
    let key = if field.is_empty() { name.to_owned() } else { format!("{name} {field}") };
    ALL.get_or_init(unpack).get(&key).map(String::as_str)
}

fn unpack() -> HashMap<String, String> {
    let mut text = String::new();
    // The build script made the text in this very program, so it unpacks; were it damaged, schemas would lack their prose.
    if DeflateDecoder::new(PACKED).read_to_string(&mut text).is_err() {
        return HashMap::new();
    }
    let lines = text.lines().filter_map(|line| line.split_once('\t'));
    lines.filter_map(|(key, text)| Some((key.to_owned(), serde_json::from_str(text).ok()?))).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn structs_and_fields_are_described() {
        assert!(super::of("io.k8s.api.core.v1.Container", "").is_some_and(|text| text.starts_with("A single application container")));
        assert!(super::of("io.k8s.api.core.v1.Container", "image").is_some());
        assert!(super::of("io.k8s.api.core.v1.Container", "nothing").is_none());
    }
}
