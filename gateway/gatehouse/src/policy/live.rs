//! A binding of a cluster as the commands see and change it, by kubectl. Judges nothing.

use std::time::{Duration, Instant};

use model::meta;
use serde_json::{Value, json};

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
        Ok(Self { arguments, object: kubectl(arguments, &words)? })
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

    /// Changes its spec, unless somebody else did so meanwhile, and waits until the server has put it in force.
    pub(super) fn change(&self, spec: &Value, previous: Option<&Value>) -> Result<Value, String> {
        let annotation = previous.map_or(Value::Null, |previous| previous.to_string().into());
        let patch = json!({
            "metadata": {"resourceVersion": meta::resource_version(&self.object), "annotations": {PREVIOUS: annotation}},
            "spec": spec,
        });
        let (name, patch) = (meta::name(&self.object), patch.to_string());
        let place = place(self.arguments, name);
        let words = [&["patch"], &place[..], &["--type=merge", "--output=json", "--patch", &patch]].concat();
        let changed = kubectl(self.arguments, &words)?;
        self.seen(meta::generation(&changed), &place)
    }

    fn seen(&self, generation: i64, place: &[&str]) -> Result<Value, String> {
        let began = Instant::now();
        loop {
            let now = kubectl(self.arguments, &[&["get"], place, &["--output=json"]].concat())?;
            let status = &now["status"];
            if status["observedGeneration"].as_i64().is_some_and(|seen| seen >= generation) {
                let message = status["message"].as_str().unwrap_or_default();
                return if status["ready"] == true && message.is_empty() {
                    Ok(now)
                } else {
                    Err(format!("{}: {message}", self.name()))
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
