//! Reads a few fields of an object from JSON and skips the rest without building it: for readers that follow many large
//! objects and need little of each. Not strict: what it reads was encoded by this server (`json` reads bodies of clients).

use std::fmt;

use model::{Map, Value};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Which fields to read, as a tree: `metadata`, `spec.volumes`. A list on the way stands for its elements.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    /// Nothing below: the whole value is read.
    children: Vec<(Box<str>, Fields)>,
}

impl Fields {
    /// The fields at these paths, names joined by dots. No path at all means everything.
    pub fn new(paths: &[&str]) -> Self {
        let mut root = Self::default();
        for path in paths {
            let mut at = &mut root;
            for name in path.split('.') {
                let known = at.children.iter().position(|(child, _)| **child == *name);
                let index = known.unwrap_or_else(|| {
                    at.children.push((name.into(), Self::default()));
                    at.children.len() - 1
                });
                at = &mut at.children[index].1;
            }
        }
        root
    }

    /// Whether everything is read.
    pub fn is_whole(&self) -> bool {
        self.children.is_empty()
    }

    /// Reads these fields. Fails for what is no JSON.
    pub fn read(&self, json: &[u8]) -> Result<Value, serde_json::Error> {
        let mut reader = serde_json::Deserializer::from_slice(json);
        let value = self.deserialize(&mut reader)?;
        reader.end()?;
        Ok(value)
    }

    fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|(child, _)| **child == *name).map(|(_, below)| below)
    }
}

impl<'de> DeserializeSeed<'de> for &Fields {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        if self.is_whole() {
            return serde::Deserialize::deserialize(reader);
        }
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &Fields {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object, or null")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut read = Map::new();
        while let Some(name) = entries.next_key::<std::borrow::Cow<'de, str>>()? {
            match self.child(&name) {
                Some(below) => drop(read.insert(name.into_owned(), entries.next_value_seed(below)?)),
                None => drop(entries.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Value::Object(read))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut read = Vec::new();
        while let Some(element) = elements.next_element_seed(self)? {
            read.push(element);
        }
        Ok(Value::Array(read))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    const POD: &[u8] = br#"{"metadata":{"name":"a\"b","labels":{"x":"1"}},"spec":{"volumes":[{"name":"v","secret":{"a":[1,{}]}},{"name":"w"}],"nodeName":"n"},"status":null}"#;

    #[test]
    fn only_what_is_asked_for_is_read() {
        let fields = Fields::new(&["metadata", "spec.volumes.name", "status.phase"]);
        let want = json!({"metadata": {"name": "a\"b", "labels": {"x": "1"}}, "spec": {"volumes": [{"name": "v"}, {"name": "w"}]}, "status": null});
        assert_eq!(fields.read(POD).unwrap(), want);
    }

    #[test]
    fn no_fields_are_all_fields() {
        assert_eq!(Fields::new(&[]).read(POD).unwrap(), serde_json::from_slice::<Value>(POD).unwrap());
    }

    #[test]
    fn what_is_skipped_must_be_json_too() {
        assert!(Fields::new(&["metadata"]).read(br#"{"spec":{"a":tru},"metadata":{}}"#).is_err());
        assert!(Fields::new(&["metadata"]).read(br#"{"metadata":{}} x"#).is_err());
        assert!(Fields::new(&["metadata.name"]).read(br#"{"metadata":7}"#).is_err());
    }
}
