//! A JSON patch, written with field paths. Does not apply it (the server does).

use serde_json::{Map, Value, json};

/// The changes a mutator wants.
#[derive(Debug, Default)]
pub struct Patch {
    object: Value,
    operations: Vec<Value>,
    pub(crate) warnings: Vec<String>,
    pub(crate) unjudged: Option<String>,
}

impl Patch {
    /// A patch of this object; made by the SDK, and by tests of a policy.
    pub fn of(object: Value) -> Self {
        Self { object, ..Self::default() }
    }

    /// Sets a field given by its segments, such as `["spec", "containers", "0", "image"]`, making the maps above it that
    /// are missing. Does nothing when the field has that value already, or lies below something that is no map.
    pub fn set(&mut self, path: &[&str], value: impl Into<Value>) -> &mut Self {
        let value = value.into();
        let present = path.iter().scan(&self.object, |at, name| {
            *at = child(at, name)?;
            Some(())
        });
        let depth = present.count();
        if depth == path.len() {
            let pointer = pointer(path);
            if self.object.pointer(&pointer) != Some(&value) {
                self.add("replace", &pointer, value);
            }
            return self;
        }
        let above = self.object.pointer(&pointer(&path[..depth]));
        if !above.is_some_and(Value::is_object) {
            return self;
        }
        let nested = path[depth + 1..]
            .iter()
            .rev()
            .fold(value, |inner, name| Value::Object(Map::from_iter([((*name).to_owned(), inner)])));
        self.add("add", &pointer(&path[..=depth]), nested);
        self
    }

    /// Removes a field, if it is there.
    pub fn remove(&mut self, path: &[&str]) -> &mut Self {
        let pointer = pointer(path);
        let (above, name) = pointer.rsplit_once('/').unwrap_or(("", ""));
        let name = name.replace("~1", "/").replace("~0", "~");
        let removed = match self.object.pointer_mut(above) {
            Some(Value::Object(map)) => map.remove(&name).is_some(),
            Some(Value::Array(list)) => name.parse().ok().filter(|n| *n < list.len()).map(|n: usize| list.remove(n)).is_some(),
            _ => false,
        };
        if removed {
            self.operations.push(json!({"op": "remove", "path": pointer}));
        }
        self
    }

    /// Tells the caller something.
    pub fn warning(&mut self, message: impl Into<String>) -> &mut Self {
        self.warnings.push(message.into());
        self
    }

    /// The policy cannot judge, and says why: that is the binding's `failurePolicy`, whatever else was to change.
    pub fn cannot_judge(&mut self, why: impl ToString) -> &mut Self {
        self.unjudged = Some(why.to_string());
        self
    }

    /// The operations so far.
    pub fn operations(&self) -> &[Value] {
        &self.operations
    }

    /// The object with the operations so far.
    pub fn object(&self) -> &Value {
        &self.object
    }

    fn add(&mut self, op: &str, pointer: &str, value: Value) {
        let (above, name) = pointer.rsplit_once('/').unwrap_or(("", ""));
        let name = name.replace("~1", "/").replace("~0", "~");
        match self.object.pointer_mut(above) {
            Some(Value::Object(map)) => {
                map.insert(name, value.clone());
            }
            Some(Value::Array(list)) => {
                if let Some(item) = name.parse().ok().and_then(|n: usize| list.get_mut(n)) {
                    *item = value.clone();
                }
            }
            _ => return,
        }
        self.operations.push(json!({"op": op, "path": pointer, "value": value}));
    }
}

fn child<'a>(at: &'a Value, name: &str) -> Option<&'a Value> {
    match at {
        Value::Object(map) => map.get(name),
        Value::Array(list) => list.get(name.parse::<usize>().ok()?),
        _ => None,
    }
}

fn pointer(path: &[&str]) -> String {
    path.iter().map(|name| format!("/{}", name.replace('~', "~0").replace('/', "~1"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_what_is_missing_above_a_field() {
        let mut patch = Patch::of(json!({"spec": {}}));
        patch.set(&["spec", "a", "b"], 1).set(&["spec", "a", "c"], 2);
        assert_eq!(
            patch.operations(),
            [json!({"op": "add", "path": "/spec/a", "value": {"b": 1}}), json!({"op": "add", "path": "/spec/a/c", "value": 2}),]
        );
    }

    #[test]
    fn leaves_what_is_right_already() {
        let mut patch = Patch::of(json!({"spec": {"a": 1, "list": [{"x": 1}]}}));
        patch.set(&["spec", "a"], 1).remove(&["spec", "nothing"]).set(&["spec", "a", "below"], 1);
        assert!(patch.operations().is_empty());
        patch.set(&["spec", "list", "0", "x"], 2).remove(&["spec", "a"]);
        assert_eq!(patch.object(), &json!({"spec": {"list": [{"x": 2}]}}));
    }

    #[test]
    fn escapes_keys() {
        let mut patch = Patch::of(json!({"metadata": {"annotations": {}}}));
        patch.set(&["metadata", "annotations", "a.b/c~d"], "x");
        assert_eq!(patch.operations()[0]["path"], "/metadata/annotations/a.b~1c~0d");
        assert_eq!(patch.object()["metadata"]["annotations"]["a.b/c~d"], "x");
    }
}
