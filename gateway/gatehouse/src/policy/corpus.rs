//! Requests to judge: recorded ones, objects of files as if they were made now, and what a cluster holds. Reads the cluster
//! by kubectl, which knows everybody's way to theirs.

use std::process::{Command, Stdio};

use admission::policy::trial::Trial;
use model::json::{Map, Value, json};

use super::arguments::Arguments;
use super::subject::{Asked, Bound};
use super::verdicts::{self, Verdict};
use super::{cases, document, exceptions};

/// One request.
#[derive(Clone, Debug)]
pub(super) struct Recorded {
    /// As `request` of a case.
    pub(super) request: Value,
    pub(super) object: Option<Value>,
    pub(super) old: Option<Value>,
    /// What a server said of it; null where nobody wrote that down.
    pub(super) server: Value,
}

/// Requests, and the cluster around them.
pub(super) struct Corpus {
    pub(super) requests: Vec<Recorded>,
    pub(super) cluster: Vec<Value>,
    /// PolicyExceptions among the files; where the cluster was read for what it holds, its own.
    pub(super) exceptions: Vec<Value>,
}

/// Why an object is judged.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// As if somebody wrote it now.
    Write,
    /// It is there.
    Scan,
}

/// What `--corpus` names, or what the cluster holds where it is not said, as far as it concerns a policy. Fails where that is
/// nothing; but a cluster that is scanned may hold nothing yet.
pub(super) fn read(arguments: &Arguments, bound: &Bound, origin: Origin) -> Result<Corpus, String> {
    let mut cluster = in_files(arguments)?;
    let mut exceptions: Vec<Value> = cluster.extract_if(.., |object| exceptions::is_one(object)).collect();
    let named = arguments.option("corpus");
    let all = match named {
        Some(place) => {
            let mut objects = objects(place)?;
            exceptions.extend(objects.extract_if(.., |object| exceptions::is_one(object)));
            objects.into_iter().map(|value| Recorded::of(value, origin)).collect()
        }
        None => {
            cluster.extend(namespaces(arguments, bound)?);
            if origin == Origin::Scan {
                exceptions.extend(exceptions::of_cluster(arguments, bound));
            }
            self::cluster(arguments, bound.rules(), origin)?
        }
    };
    let requests: Vec<Recorded> = all.into_iter().filter(|recorded| recorded.unmatched(bound, &cluster).is_none()).collect();
    let may_be_none = named.is_none() && origin == Origin::Scan;
    if requests.is_empty() && !may_be_none { Err(NOTHING.to_owned()) } else { Ok(Corpus { requests, cluster, exceptions }) }
}

/// What is said where a policy is asked about none of what is there.
pub(super) const NOTHING: &str = "nothing there concerns the policy; its match fields say what does";

/// The namespaces of the cluster, where match fields ask for their labels.
pub(super) fn namespaces(arguments: &Arguments, bound: &Bound) -> Result<Vec<Value>, String> {
    let selector = bound.rules()["spec"]["matchConstraints"]["namespaceSelector"].as_object();
    match selector.is_some_and(|selector| !selector.is_empty()) {
        true => kubectl(arguments, &["get", "namespaces", "--output=json"]).map(items),
        false => Ok(Vec::new()),
    }
}

/// The objects at a place, or the requests that `record` wrote there.
pub(super) fn objects(place: &str) -> Result<Vec<Value>, String> {
    let all = document::objects(place)?;
    let is_one = |value: &Value| value["request"].is_object() || (value["apiVersion"].is_string() && value["kind"].is_string());
    match all.iter().position(|value| !is_one(value)) {
        Some(n) => Err(format!("{place}: document {} is no object: it has no apiVersion and kind", n + 1)),
        None => Ok(all),
    }
}

/// What the cluster holds of the resources that are meant.
pub(super) fn cluster(arguments: &Arguments, binding: &Value, origin: Origin) -> Result<Vec<Recorded>, String> {
    let resources = match arguments.option("resources") {
        Some(list) => list.split(',').map(str::to_owned).collect(),
        None => matched(binding)?,
    };
    let mut all = Vec::new();
    for (n, resource) in resources.iter().enumerate() {
        eprintln!("reading {resource} ({} of {})", n + 1, resources.len());
        let listed = kubectl(arguments, &["get", resource, "--all-namespaces", "--ignore-not-found", "--output=json"])?;
        all.extend(items(listed).into_iter().map(|object| Recorded::of(object, origin)));
    }
    Ok(all)
}

/// The objects that `--cluster` names, for policies that read one.
pub(super) fn in_files(arguments: &Arguments) -> Result<Vec<Value>, String> {
    let files = arguments.all("cluster").iter().map(|file| document::objects(file));
    Ok(files.collect::<Result<Vec<_>, _>>()?.concat())
}

/// The objects of a list; one object is a list of itself.
pub(super) fn items(mut listed: Value) -> Vec<Value> {
    match listed.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => items,
        _ if listed.is_null() => Vec::new(),
        _ => vec![listed],
    }
}

/// The resources that a binding's rules name, as kubectl writes them; subresources hold no objects of their own.
fn matched(binding: &Value) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    for rule in binding["spec"]["matchConstraints"]["resourceRules"].as_array().into_iter().flatten() {
        let texts = |field: &str| rule[field].as_array().cloned().unwrap_or_default();
        for (group, resource) in
            texts("apiGroups").iter().flat_map(|g| texts("resources").into_iter().map(move |r| (g.clone(), r)))
        {
            let (group, resource) = (group.as_str().unwrap_or_default(), resource.as_str().unwrap_or_default());
            let name = if group.is_empty() { resource.to_owned() } else { format!("{resource}.{group}") };
            if !resource.contains(['/', '*']) && group != "*" && !names.contains(&name) {
                names.push(name);
            }
        }
    }
    if names.is_empty() { Err("binding.yaml names no resource; say --resources".to_owned()) } else { Ok(names) }
}

/// Asks kubectl for JSON.
pub(super) fn kubectl(arguments: &Arguments, words: &[&str]) -> Result<Value, String> {
    ask(arguments, words, Stdio::inherit())
}

/// The same of what a cluster need not have: nothing then.
pub(super) fn kubectl_if_served(arguments: &Arguments, words: &[&str]) -> Value {
    ask(arguments, words, Stdio::null()).unwrap_or_default()
}

fn ask(arguments: &Arguments, words: &[&str], complaints: Stdio) -> Result<Value, String> {
    let mut command = Command::new("kubectl");
    command.args(words).stdin(Stdio::null()).stderr(complaints);
    if let Some(context) = arguments.option("context") {
        command.arg(format!("--context={context}"));
    }
    let output = command.output().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            "kubectl is missing, by which clusters are read: https://kubernetes.io/docs/tasks/tools".to_owned()
        }
        _ => format!("kubectl: {error}"),
    })?;
    match output.status.success() {
        true if output.stdout.is_empty() => Ok(Value::Null),
        true => serde_json::from_slice(&output.stdout).map_err(|error| format!("kubectl {}: {error}", words.join(" "))),
        // A patch is as long as what it sets; the words before it say enough.
        false => Err(format!(
            "kubectl {} failed; what is wrong stands above (it speaks to the cluster that KUBECONFIG or --context names)",
            words.iter().take_while(|word| **word != "--patch").copied().collect::<Vec<_>>().join(" ")
        )),
    }
}

impl Recorded {
    /// A line of `record`, or an object.
    fn of(mut value: Value, origin: Origin) -> Self {
        if let Some(request) = value.get_mut("request").map(Value::take).filter(|_| value["apiVersion"].is_null()) {
            let mut taken = |field: &str| value.get_mut(field).map(Value::take).filter(|part| !part.is_null());
            let server = taken("server").unwrap_or_default();
            return Self { request, object: taken("object"), old: taken("old"), server };
        }
        let request = if origin == Origin::Scan { json!({"origin": "scan"}) } else { Value::Null };
        Self { request, object: Some(value), old: None, server: Value::Null }
    }

    /// The line that `record` writes.
    pub(super) fn line(&self) -> String {
        let mut line = Map::new();
        line.insert("request", if self.request.is_null() { json!({}) } else { self.request.clone() });
        for (field, value) in [("object", &self.object), ("old", &self.old)] {
            line.extend(value.clone().map(|value| (field.to_owned(), value)));
        }
        if !self.server.is_null() {
            line.insert("server", self.server.clone());
        }
        Value::Object(line).to_string()
    }

    fn about(&self) -> Option<&Value> {
        self.object.as_ref().or(self.old.as_ref())
    }

    /// What people call it.
    pub(super) fn called(&self) -> String {
        let Some(object) = self.about() else { return "nothing".to_owned() };
        // What was refused lies where it was to be, which only the request tells.
        let asked = self.request["namespace"].as_str().filter(|_| object["kind"] != "Namespace").unwrap_or_default();
        let namespace = model::meta::namespace(object);
        let name = match (model::meta::name(object), object["metadata"]["generateName"].as_str()) {
            ("", Some(beginning)) => format!("{beginning}*"),
            (name, _) => name.to_owned(),
        };
        let namespace = if namespace.is_empty() { asked } else { namespace };
        let place = if namespace.is_empty() { String::new() } else { format!("{namespace}/") };
        let operation = self.request["operation"].as_str().map(|word| format!("{word} ")).unwrap_or_default();
        format!("{operation}{} {place}{name}", object["kind"].as_str().unwrap_or("an object"))
    }

    /// The match field that leaves it out.
    pub(super) fn unmatched(&self, bound: &Bound, cluster: &[Value]) -> Option<&'static str> {
        let request = self.request(bound).ok();
        request.map_or(Some("what it is"), |request| bound.unmatched(&self.asked(&request, cluster, None)))
    }

    /// The request as a policy is given it.
    pub(super) fn request(&self, bound: &Bound) -> Result<wasm::Request, String> {
        bound.request(&self.request, self.about().ok_or("a request without an object")?)
    }

    /// What a policy is asked.
    pub(super) fn asked<'a>(&'a self, request: &'a wasm::Request, cluster: &'a [Value], params: Option<&'a Value>) -> Asked<'a> {
        Asked { request, object: self.object.as_ref(), old: self.old.as_ref(), params, cluster, allowed: &Value::Null }
    }

    /// Tries a policy on it.
    pub(super) fn judge(&self, bound: &Bound, cluster: &[Value], params: Option<&Value>) -> Result<Trial, String> {
        bound.judge(&self.asked(&self.request(bound)?, cluster, params))
    }

    /// What a policy says of it, in a word or a line: what `replay` writes and `diff` compares.
    pub(super) fn verdict(&self, bound: &Bound, cluster: &[Value]) -> Result<String, String> {
        self.judge(bound, cluster, None).map(|trial| self.tell(&trial))
    }

    /// The same of a trial.
    pub(super) fn tell(&self, trial: &Trial) -> String {
        let outcome = match &trial.outcome {
            Ok(outcome) => outcome,
            Err(failure) => return format!("no verdict: {failure}"),
        };
        let mut told: Vec<String> = outcome.violations.iter().map(cases::tell).collect();
        told.sort();
        match (&outcome.changed, told.is_empty()) {
            (Some(changed), _) => format!("changed: {}", changes(self.object.as_ref().unwrap_or(&Value::Null), changed)),
            (None, true) => "allowed".to_owned(),
            (None, false) => format!("refused: {}", told.join("; ")),
        }
    }

    /// What the server said of a policy, where it was written down.
    pub(super) fn server_said(&self, policy: &str) -> Option<Verdict> {
        verdicts::of(&self.server, policy)
    }
}

/// The fields in which two objects differ, with their new values.
pub(super) fn changes(before: &Value, after: &Value) -> String {
    let mut found = Vec::new();
    differences("", before, after, &mut found);
    found.join(", ")
}

fn differences(path: &str, before: &Value, after: &Value, found: &mut Vec<String>) {
    match (before, after) {
        (before, after) if before == after => {}
        (Value::Object(old), Value::Object(new)) => {
            let names: std::collections::BTreeSet<&model::json::Key> = old.keys().chain(new.keys()).collect();
            for name in names {
                let dot = if path.is_empty() { "" } else { "." };
                let of = |map: &Map| map.get(name).cloned().unwrap_or_default();
                differences(&format!("{path}{dot}{name}"), &of(old), &of(new), found);
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (n, (old, new)) in old.iter().zip(new).enumerate() {
                differences(&format!("{path}[{n}]"), old, new, found);
            }
        }
        (_, after) => found.push(format!("{path} = {after}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_line_reads_back() {
        let request = json!({"operation": "UPDATE", "user": "jane"});
        let recorded =
            Recorded { request, object: Some(json!({"kind": "Pod", "metadata": {"name": "a"}})), old: None, server: json!({}) };
        let again = Recorded::of(serde_json::from_str(&recorded.line()).unwrap(), Origin::Write);
        assert_eq!((again.called(), again.line()), ("UPDATE Pod a".to_owned(), recorded.line()));
    }

    #[test]
    fn changes_are_told_by_field() {
        let (before, after) = (json!({"a": {"b": 1}, "c": [{"d": 1}]}), json!({"a": {"b": 1, "e": 2}, "c": [{"d": 2}]}));
        assert_eq!(changes(&before, &after), "a.e = 2, c[0].d = 2");
    }

    #[test]
    fn a_binding_says_what_to_read() {
        let binding = json!({"spec": {"matchConstraints": {"resourceRules": [
            {"apiGroups": ["", "apps"], "resources": ["pods", "pods/scale"]}, {"apiGroups": [""], "resources": ["pods", "*"]}]}}});
        assert_eq!(matched(&binding).unwrap(), ["pods", "pods.apps"]);
        assert!(matched(&Value::Null).is_err());
    }
}
