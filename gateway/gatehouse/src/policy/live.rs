//! A binding of a cluster as the commands see and change it, by kubectl. Judges nothing.

use std::time::{Duration, Instant};

use model::json::{Value, json};
use model::meta;

use super::arguments::{Arguments, Known};
use super::corpus::kubectl;

/// Which namespace.
pub(super) const NAMESPACE: Known = ("namespace", "NAME", "a PolicyBinding of this namespace, instead of a ClusterPolicyBinding");
/// What was in force before the last promotion, so that a rollback knows it.
const PREVIOUS: &str = "policy.gatehouse.dev/previous";
/// How long a change is waited for; a server needs a fraction of it.
const SEEN_WAIT_MAX: Duration = Duration::from_secs(30);
/// How often it is asked meanwhile.
const SEEN_PAUSE: Duration = Duration::from_millis(200);

/// One binding.
pub(super) struct Live<'a> {
    arguments: &'a Arguments,
    pub(super) object: Value,
}

impl<'a> Live<'a> {
    /// Reads the binding that the first word names.
    pub(super) fn read(arguments: &'a Arguments) -> Result<Self, String> {
        let name = arguments.place(0, "the name of a binding")?;
        let words = [&["get"], &place(arguments, name)[..], &["--output=json"]].concat();
        Ok(Self::of(arguments, kubectl(arguments, &words)?))
    }

    /// A binding as it was read.
    pub(super) fn of(arguments: &'a Arguments, object: Value) -> Self {
        Self { arguments, object }
    }

    /// What it is called.
    pub(super) fn name(&self) -> String {
        match meta::namespace(&self.object) {
            "" => meta::name(&self.object).to_owned(),
            namespace => format!("{namespace}/{}", meta::name(&self.object)),
        }
    }

    /// A part of its spec; null when there is none.
    pub(super) fn spec(&self, field: &str) -> &Value {
        &self.object["spec"][field]
    }

    /// What a promotion replaced.
    pub(super) fn previous(&self) -> Option<Value> {
        let text = self.object["metadata"]["annotations"][PREVIOUS].as_str()?;
        serde_json::from_str(text).ok()
    }

    /// Sets fields of its spec (null takes one away), unless somebody else has changed it meanwhile, and waits until the server
    /// has put it in force.
    pub(super) fn change(&self, fields: &[(&str, Value)], previous: Option<&Value>) -> Result<Value, String> {
        let patch = Value::from(self.patch(fields, previous)).to_string();
        let place = place(self.arguments, meta::name(&self.object));
        let words = [&["patch"], &place[..], &["--type=json", "--output=json", "--patch", &patch]].concat();
        let changed = kubectl(self.arguments, &words)?;
        self.seen(meta::generation(&changed), &place)
    }

    /// The spec's generation is compared, not the revision: the server writes the status at any time.
    fn patch(&self, fields: &[(&str, Value)], previous: Option<&Value>) -> Vec<Value> {
        let mut patch = vec![json!({"op": "test", "path": "/metadata/generation", "value": meta::generation(&self.object)})];
        let mut set = |path: String, was: &Value, value: Value| match (was.is_null(), value.is_null()) {
            (_, false) => patch.push(json!({"op": "add", "path": path, "value": value})),
            (false, true) => patch.push(json!({"op": "remove", "path": path})),
            (true, true) => {}
        };
        for (field, value) in fields {
            set(format!("/spec/{field}"), self.spec(field), value.clone());
        }
        let annotations = &self.object["metadata"]["annotations"];
        if annotations.is_null() && previous.is_some() {
            set("/metadata/annotations".to_owned(), annotations, json!({}));
        }
        let value = previous.map_or(Value::Null, |previous| previous.to_string().into());
        set(format!("/metadata/annotations/{}", PREVIOUS.replace('/', "~1")), &annotations[PREVIOUS], value);
        patch
    }

    fn seen(&self, generation: i64, place: &[&str]) -> Result<Value, String> {
        let began = Instant::now();
        loop {
            let now = kubectl(self.arguments, &[&["get"], place, &["--output=json"]].concat())?;
            let status = &now["status"];
            if status["observedGeneration"].as_i64().is_some_and(|seen| seen >= generation) {
                let message = status["message"].as_str().unwrap_or_default();
                let way_back = match message.starts_with("candidate ") {
                    true => format!("; gatehouse policy rollback {} takes it back", meta::name(&now)),
                    false => String::new(),
                };
                return if status["ready"] == true && message.is_empty() {
                    Ok(now)
                } else {
                    Err(format!("{}: {message}{way_back}", self.name()))
                };
            }
            if began.elapsed() > SEEN_WAIT_MAX {
                return Err(format!(
                    "{}: the server has not put the change in force within {} s",
                    self.name(),
                    SEEN_WAIT_MAX.as_secs()
                ));
            }
            std::thread::sleep(SEEN_PAUSE);
        }
    }
}

fn place<'w>(arguments: &'w Arguments, name: &'w str) -> Vec<&'w str> {
    match arguments.option("namespace") {
        Some(namespace) => vec!["policybinding", name, "--namespace", namespace],
        None => vec!["clusterpolicybinding", name],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_holds_for_the_spec_that_was_read() {
        let arguments = Arguments::default();
        let object = json!({"metadata": {"name": "a", "generation": 3}, "spec": {"module": "m", "candidate": {"module": "n"}}});
        let live = Live::of(&arguments, object);
        let patch = live.patch(
            &[("module", "n".into()), ("settings", Value::Null), ("candidate", Value::Null)],
            Some(&json!({"module": "m"})),
        );
        assert_eq!(
            Value::from(patch),
            json!([
                {"op": "test", "path": "/metadata/generation", "value": 3},
                {"op": "add", "path": "/spec/module", "value": "n"},
                {"op": "remove", "path": "/spec/candidate"},
                {"op": "add", "path": "/metadata/annotations", "value": {}},
                {"op": "add", "path": "/metadata/annotations/policy.gatehouse.dev~1previous", "value": "{\"module\":\"m\"}"},
            ])
        );
        assert_eq!(live.patch(&[], None).len(), 1);
    }
}
