//! Sets of fields, as policies declare what they read and write: `metadata.labels`, `spec.containers[*].image`,
//! `metadata.annotations["a.b/c"]`. Projects objects to them, and says whether a change stays within them.

use std::collections::BTreeMap;

use model::{Map, Value};

/// Levels of a field path; no Kubernetes type is nested nearly as deep.
const DEPTH_MAX: usize = 64;

/// A set of fields with everything below them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    /// This field belongs to the set with all that is below.
    whole: bool,
    /// Fields of a map by name.
    named: BTreeMap<String, Fields>,
    /// `[*]`: every item of a list, every entry of a map.
    each: Option<Box<Fields>>,
}

enum Step {
    Name(String),
    Each,
}

impl Fields {
    /// The whole object.
    pub fn whole() -> Self {
        Self { whole: true, ..Self::default() }
    }

    /// The set of these paths. Fails with what is wrong with one of them.
    pub fn parse(paths: &[String]) -> Result<Self, String> {
        let mut fields = Self::default();
        for path in paths {
            let mut at = &mut fields;
            for step in steps(path)? {
                at = match step {
                    Step::Name(name) => at.named.entry(name).or_default(),
                    Step::Each => at.each.get_or_insert_default(),
                };
            }
            at.whole = true;
        }
        Ok(fields)
    }

    /// What is handed over to a policy that names these paths: with what the object is; the whole object without any.
    pub fn handed(paths: &[String]) -> Result<Self, String> {
        match paths.is_empty() {
            true => Ok(Self::whole()),
            false => Ok(Self::parse(paths)?.with(&["apiVersion"]).with(&["kind"])),
        }
    }

    /// The set with one more field: what one name after the other leads to.
    pub fn with(mut self, names: &[&str]) -> Self {
        let field = names.iter().fold(&mut self, |at, name| at.named.entry((*name).to_owned()).or_default());
        field.whole = true;
        self
    }

    /// Adds the fields of another set.
    pub fn join(&mut self, other: &Self) {
        self.whole |= other.whole;
        for (name, below) in &other.named {
            self.named.entry(name.clone()).or_default().join(below);
        }
        if let Some(each) = &other.each {
            self.each.get_or_insert_default().join(each);
        }
    }

    /// Names joined by dots that lead to all fields of the set, and to more where names do not tell them apart; `None` is all.
    pub fn trunks(&self) -> Option<Vec<String>> {
        if self.whole || self.each.is_some() || self.named.keys().any(|name| name.contains('.')) {
            return None;
        }
        let below = self.named.iter().flat_map(|(name, fields)| match fields.trunks() {
            None => vec![name.clone()],
            Some(paths) => paths.iter().map(|path| format!("{name}.{path}")).collect(),
        });
        Some(below.collect())
    }

    /// Writes an object's fields of this set as JSON. Lists keep their length, so that an index means the same on both
    /// sides; items without such fields are empty maps.
    pub fn project(&self, value: &Value) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        self.write(value, &mut out);
        out
    }

    fn write(&self, value: &Value, out: &mut Vec<u8>) {
        match value {
            Value::Object(map) if !self.whole => {
                out.push(b'{');
                let mut first = true;
                for (name, value) in map {
                    let Some(fields) = self.below(name) else { continue };
                    if !std::mem::take(&mut first) {
                        out.push(b',');
                    }
                    json(&Value::String(name.to_string()), out);
                    out.push(b':');
                    fields.write(value, out);
                }
                out.push(b'}');
            }
            Value::Array(items) if !self.whole => {
                out.push(b'[');
                let none = Self::default();
                for (n, item) in items.iter().enumerate() {
                    if n > 0 {
                        out.push(b',');
                    }
                    self.each.as_deref().unwrap_or(&none).write(item, out);
                }
                out.push(b']');
            }
            _ => json(value, out),
        }
    }

    fn below(&self, name: &str) -> Option<&Self> {
        self.named.get(name).or(self.each.as_deref())
    }

    /// The first field outside of this set in which two objects differ. A map that appears or disappears with nothing but
    /// fields of the set in it does not count.
    pub fn outside(&self, before: Option<&Value>, after: Option<&Value>) -> Option<String> {
        let mut path = String::new();
        self.differs_outside(before, after, &mut path).then_some(path)
    }

    fn differs_outside(&self, before: Option<&Value>, after: Option<&Value>, path: &mut String) -> bool {
        if self.whole || before == after {
            return false;
        }
        match (before, after) {
            // A map that is no way to anything declared may not appear or disappear either.
            (None, _) | (_, None) if self.is_empty() => true,
            (Some(Value::Object(_)) | None, Some(Value::Object(_)) | None) => {
                let both = [before, after].into_iter().flatten().filter_map(Value::as_object);
                for name in both.flat_map(Map::keys) {
                    let (from, to) = (before.and_then(|map| map.get(name)), after.and_then(|map| map.get(name)));
                    if from == to {
                        continue;
                    }
                    let length = path.len();
                    let dot = if length == 0 { "" } else { "." };
                    path.push_str(&if name.contains(['.', '/']) { format!("[{name:?}]") } else { format!("{dot}{name}") });
                    let outside = Self::default();
                    if self.below(name).unwrap_or(&outside).differs_outside(from, to, path) {
                        return true;
                    }
                    path.truncate(length);
                }
                false
            }
            (Some(Value::Array(before)), Some(Value::Array(after))) if before.len() == after.len() => {
                let Some(each) = &self.each else { return true };
                for (n, (from, to)) in before.iter().zip(after).enumerate() {
                    let length = path.len();
                    path.push_str(&format!("[{n}]"));
                    if each.differs_outside(Some(from), Some(to), path) {
                        return true;
                    }
                    path.truncate(length);
                }
                false
            }
            _ => true,
        }
    }

    /// Nothing at all: what is not even the way to a field of the set.
    fn is_empty(&self) -> bool {
        !self.whole && self.named.is_empty() && self.each.is_none()
    }

    /// Whether two objects differ in a field of this set.
    pub fn touched(&self, before: Option<&Value>, after: Option<&Value>) -> bool {
        if before == after {
            return false;
        }
        if self.whole {
            return true;
        }
        for (name, fields) in &self.named {
            if fields.touched(before.and_then(|value| value.get(name)), after.and_then(|value| value.get(name))) {
                return true;
            }
        }
        let Some(each) = &self.each else { return false };
        match (before, after) {
            (Some(Value::Array(before)), Some(Value::Array(after))) => {
                before.len() != after.len() || before.iter().zip(after).any(|(from, to)| each.touched(Some(from), Some(to)))
            }
            _ => true,
        }
    }
}

fn json(value: &Value, out: &mut Vec<u8>) {
    // Writing a parsed value into memory cannot fail: every key is a string and nothing does I/O.
    let _ = serde_json::to_writer(out, value);
}

fn steps(path: &str) -> Result<Vec<Step>, String> {
    let wrong = |why: &str| format!("the field path {path:?} {why}");
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if steps.len() == DEPTH_MAX {
            return Err(wrong("is too deep"));
        }
        rest = if let Some(after) = rest.strip_prefix("[*]") {
            steps.push(Step::Each);
            after
        } else if let Some(after) = rest.strip_prefix("[\"") {
            let (name, after) = after.split_once("\"]").ok_or_else(|| wrong("has a quote that does not end"))?;
            steps.push(Step::Name(name.to_owned()));
            after
        } else {
            let start = if steps.is_empty() { rest } else { rest.strip_prefix('.').ok_or_else(|| wrong("lacks a dot"))? };
            let end = start.find(['.', '[']).unwrap_or(start.len());
            if end == 0 {
                return Err(wrong("has an empty name"));
            }
            steps.push(Step::Name(start[..end].to_owned()));
            &start[end..]
        };
    }
    if steps.is_empty() { Err(wrong("is empty")) } else { Ok(steps) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::json::json;

    fn fields(paths: &[&str]) -> Fields {
        Fields::parse(&paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    fn projected(paths: &[&str], value: &Value) -> Value {
        serde_json::from_slice(&fields(paths).project(value)).unwrap()
    }

    #[test]
    fn keeps_what_is_named_and_the_length_of_lists() {
        let pod = json!({"metadata": {"name": "a", "labels": {"x": "y"}, "annotations": {"a.b/c": "1", "d": "2"}},
            "spec": {"containers": [{"name": "c", "image": "i"}, {"name": "d"}], "volumes": [1, 2]}});
        assert_eq!(
            projected(&["metadata.labels", "spec.containers[*].image"], &pod),
            json!({"metadata": {"labels": {"x": "y"}}, "spec": {"containers": [{"image": "i"}, {}]}})
        );
        assert_eq!(projected(&["metadata.annotations[\"a.b/c\"]"], &pod), json!({"metadata": {"annotations": {"a.b/c": "1"}}}));
        assert_eq!(serde_json::from_slice::<Value>(&Fields::whole().project(&pod)).unwrap(), pod);
        assert_eq!(projected(&["spec.containers"], &pod)["spec"]["containers"], pod["spec"]["containers"]);
    }

    #[test]
    fn trunks_lead_to_everything() {
        let mut all = fields(&["metadata.annotations[\"a.b/c\"]", "spec.containers[*].image"]);
        assert_eq!(all.trunks().unwrap(), ["metadata.annotations", "spec.containers"]);
        all.join(&fields(&["spec.hostNetwork", "metadata"]));
        assert_eq!(all.trunks().unwrap(), ["metadata", "spec.containers", "spec.hostNetwork"]);
        all.join(&fields(&["spec"]));
        assert_eq!(all.trunks().unwrap(), ["metadata", "spec"]);
        all.join(&Fields::whole());
        assert_eq!(all.trunks(), None);
    }

    #[test]
    fn refuses_paths_that_mean_nothing() {
        for path in ["", ".a", "a..b", "a[", "a[\"x", "a[*]b", "a."] {
            assert!(Fields::parse(&[path.to_owned()]).is_err(), "{path}");
        }
    }

    #[test]
    fn a_change_stays_within_or_not() {
        let writes = fields(&["spec.securityContext.seccompProfile", "spec.containers[*].image"]);
        let before = json!({"spec": {"containers": [{"name": "a", "image": "x"}]}});
        let outside = |after: &Value| writes.outside(Some(&before), Some(after));
        assert_eq!(outside(&before), None);
        assert_eq!(
            outside(
                &json!({"spec": {"containers": [{"name": "a", "image": "y"}], "securityContext": {"seccompProfile": {"type": "x"}}}})
            ),
            None
        );
        assert_eq!(
            outside(&json!({"spec": {"containers": [{"name": "b", "image": "x"}]}})).as_deref(),
            Some("spec.containers[0].name")
        );
        assert_eq!(outside(&json!({"spec": {"containers": []}})).as_deref(), Some("spec.containers"));
        assert_eq!(
            outside(&json!({"spec": {"containers": [{"name": "a", "image": "x"}], "securityContext": {"runAsUser": 0}}}))
                .as_deref(),
            Some("spec.securityContext.runAsUser")
        );
        assert_eq!(outside(&json!({})).as_deref(), Some("spec.containers"));
        assert_eq!(
            outside(&json!({"spec": {"containers": [{"name": "a", "image": "x"}]}, "metadata": {"labels": {"a.b/c": "d"}}}))
                .as_deref(),
            Some("metadata")
        );
    }

    #[test]
    fn says_whether_a_reader_is_concerned() {
        let reads = fields(&["metadata.labels", "spec.containers[*].image"]);
        let before = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"image": "x", "name": "n"}]}});
        let touched = |after: &Value| reads.touched(Some(&before), Some(after));
        assert!(!touched(&before));
        assert!(touched(&json!({"metadata": {"labels": {"a": "c"}}, "spec": {"containers": [{"image": "x", "name": "n"}]}})));
        assert!(touched(&json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"image": "x", "name": "n"}, {}]}})));
        assert!(!touched(&json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"image": "x", "name": "m"}]}})));
    }
}
