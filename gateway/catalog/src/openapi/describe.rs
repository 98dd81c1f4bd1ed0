//! The descriptions of structs and fields: upstream's, unpacked on first use from what the build script took out of
//! `k8s-openapi`, and those of our own kinds and of queries.

use std::collections::HashMap;
use std::io::Read;
use std::sync::OnceLock;

use flate2::read::DeflateDecoder;

/// Lines of `<struct>[ <field>]<tab><description as JSON>`, deflated.
pub(super) const PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptions.deflate"));

/// Lines of `<struct>[ <field>]<tab><description>`.
const OURS: &str = include_str!("../../data/policy/descriptions.txt");

/// The same as the packed ones, as upstream's server tells of what comes in queries: the crate has none of these structs.
pub(super) const QUERIES: &str = include_str!("../../data/queries.txt");

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
    let lines = text.lines().chain(QUERIES.lines()).filter_map(|line| line.split_once('\t'));
    let upstream = lines.filter_map(|(key, text)| Some((key.to_owned(), serde_json::from_str(text).ok()?)));
    let ours = OURS.lines().filter_map(|line| line.split_once('\t')).map(|(key, text)| (key.to_owned(), text.to_owned()));
    upstream.chain(ours).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn structs_and_fields_are_described() {
        assert!(
            super::of("io.k8s.api.core.v1.Container", "").is_some_and(|text| text.starts_with("A single application container"))
        );
        assert!(super::of("io.k8s.api.core.v1.Container", "image").is_some());
        assert!(super::of("io.k8s.api.core.v1.Container", "nothing").is_none());
        assert!(super::of("io.gatehouse.policy.v1alpha1.PolicyModuleSpec", "digest").is_some());
    }

    #[test]
    fn every_field_of_ours_is_described() {
        let catalog = crate::Catalog::builtin().expect("tables");
        for (_, of) in catalog.types.iter().filter(|(_, of)| of.name.starts_with("io.gatehouse.") && !of.name.ends_with("List")) {
            assert!(super::of(of.name, "").is_some(), "{}", of.name);
            for field in of.fields.iter().filter(|f| !matches!(f.json, "kind" | "apiVersion")) {
                assert!(super::of(of.name, field.json).is_some(), "{} {}", of.name, field.json);
            }
        }
    }
}
