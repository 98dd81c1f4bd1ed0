//! Reads a few fields of an object from JSON and passes the rest without building it: for readers that follow many large
//! objects and need little of each. Not strict: what it reads was encoded by this server (`json` reads bodies of clients).

use model::{Map, Value};
use serde::de::Error as _;
use serde_json::Error;

use crate::walk::Walk;

/// Which fields to read, as a tree: `metadata`, `spec.volumes`. A list on the way stands for its elements.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    /// Nothing below: the whole value is read.
    children: Vec<(Box<str>, Fields)>,
}

impl Fields {
    /// Everything.
    pub const ALL: Self = Self { children: Vec::new() };

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

    /// Reads these fields, and no further than to the last of them. Fails for what is no JSON as far as it is read, and for
    /// text or a number in the place of an object.
    pub fn read(&self, json: &[u8]) -> Result<Value, Error> {
        if self.is_whole() {
            return serde_json::from_slice(json);
        }
        let mut walk = Walk::new(json);
        match walk.peek() {
            Some(b'{') => self.members(&mut walk).map(Value::Object),
            _ => self.value(&mut walk),
        }
    }

    fn value(&self, walk: &mut Walk<'_>) -> Result<Value, Error> {
        let first = walk.peek().ok_or_else(ends)?;
        if self.is_whole() || first == b'n' {
            return serde_json::from_slice(walk.pass().ok_or_else(ends)?);
        }
        match first {
            b'[' => self.elements(walk),
            _ => self.object(walk),
        }
    }

    fn object(&self, walk: &mut Walk<'_>) -> Result<Value, Error> {
        if walk.peek() != Some(b'{') {
            return Err(Error::custom("expected an object, or null"));
        }
        let read = self.members(walk)?;
        if read.len() == self.children.len() {
            walk.leave().ok_or_else(ends)?;
        }
        Ok(Value::Object(read))
    }

    /// Enters an object and reads what is wanted of it; it is left where something of that is not there.
    fn members(&self, walk: &mut Walk<'_>) -> Result<Map, Error> {
        let mut read = Map::new();
        walk.enter();
        while read.len() < self.children.len() && walk.more().ok_or_else(ends)? {
            let name = walk.name().ok_or_else(ends)?;
            match self.children.iter().find(|(child, _)| child.as_bytes() == name) {
                Some((name, below)) => drop(read.insert(&**name, below.value(walk)?)),
                None => drop(walk.pass().ok_or_else(ends)?),
            }
        }
        Ok(read)
    }

    fn elements(&self, walk: &mut Walk<'_>) -> Result<Value, Error> {
        let mut read = Vec::new();
        walk.enter();
        while walk.more().ok_or_else(ends)? {
            read.push(match walk.peek() {
                Some(b'n') => serde_json::from_slice(walk.pass().ok_or_else(ends)?)?,
                _ => self.object(walk)?,
            });
        }
        Ok(Value::Array(read))
    }
}

fn ends() -> Error {
    Error::custom("the text ends too early")
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
    fn what_comes_after_and_between_is_passed() {
        let fields = Fields::new(&["a.b", "c"]);
        for json in [
            r#"{"x":"}\\\"","a":{"y":[{"b":1},"]"],"b":2,"z":{"b":[3]}},"c":4,"d":{}}"#,
            r#" { "x" : [ ] , "a" : { "b" : 2 , "q" : -1e3 } , "c" : 4 } "#,
            r#"{"c":4,"a":{"b":2}"#,
        ] {
            assert_eq!(fields.read(json.as_bytes()).unwrap(), json!({"a": {"b": 2}, "c": 4}), "{json}");
        }
        assert_eq!(fields.read(br#"{"a":[{"b":1,"c":2},null,{}]}"#).unwrap(), json!({"a": [{"b": 1}, null, {}]}));
        assert_eq!(fields.read(b"null").unwrap(), json!(null));
        assert_eq!(fields.read(b"{}").unwrap(), json!({}));
    }

    #[test]
    fn what_is_no_json_where_it_is_read_fails() {
        for json in [
            r#"{"a":{"b":tru}}"#,
            r#"{"a":7}"#,
            r#"{"a":[7]}"#,
            r#"{"a":[[]]}"#,
            "7",
            "",
            "{",
            r#"{"a"#,
            r#"{"a":"#,
            r#"{"x":"\"#,
        ] {
            assert!(Fields::new(&["a.b", "c"]).read(json.as_bytes()).is_err(), "{json}");
        }
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let fields = Fields::new(&["metadata.name", "spec.volumes.name", "status.phase"]);
        for cut in 0..POD.len() {
            drop(fields.read(&POD[..cut]));
            let mut other = POD.to_vec();
            for byte in *b"\"\\{}[],:n1 " {
                other[cut] = byte;
                drop(fields.read(&other));
            }
        }
    }
}
