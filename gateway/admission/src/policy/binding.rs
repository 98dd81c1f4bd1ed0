//! A binding as it was written: which module, with what settings, for which writes, with what consequence.
//! Was validated when it was written (`catalog/src/hooks/policybinding.rs`); does not run anything.

use std::sync::Arc;
use std::time::Duration;

use model::selector::label::Selector;
use model::{GroupVersionKind, User, Value, meta};
use wasm::Grant;

use crate::expression::Conditions;
use crate::matching::Constraints;

/// What a violation leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The write is refused; a mutator's change is made.
    Deny,
    /// The caller is warned, the write goes on.
    Warn,
    /// The audit record says so, the write goes on.
    Audit,
    /// The binding's status counts it, the write goes on.
    Shadow,
}

impl Action {
    /// The word in `spec.action`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deny => "Deny",
            Self::Warn => "Warn",
            Self::Audit => "Audit",
            Self::Shadow => "Shadow",
        }
    }

    fn parse(word: &str) -> Result<Self, String> {
        Ok(match word {
            "" | "Deny" => Self::Deny,
            "Warn" => Self::Warn,
            "Audit" => Self::Audit,
            "Shadow" => Self::Shadow,
            other => return Err(format!("spec.action: {other:?} is none of Deny, Warn, Audit, Shadow")),
        })
    }
}

/// What it leads to that a policy could not judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// The write is refused.
    Fail,
    /// The write goes on.
    Ignore,
}

/// Where a binding holds, and with whose rights it reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everywhere, with the server's rights as far as `clusterReads` goes.
    Cluster,
    /// In one namespace, with the rights of whoever wrote it last.
    Namespace {
        /// The namespace.
        name: String,
        /// The author.
        author: User,
    },
}

/// Resources that the grant `cluster` may read.
#[derive(Clone, Debug)]
pub struct ClusterRead {
    groups: Vec<String>,
    resources: Vec<String>,
}

/// The object of a binding's parameters.
#[derive(Clone, Debug)]
pub struct ParamRef {
    /// Its kind.
    pub kind: GroupVersionKind,
    /// Its namespace; that of the request when empty.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// A request passes unjudged when there is no such object.
    pub optional: bool,
}

/// What is to be in force later.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The name of its PolicyModule.
    pub module: String,
    /// Its settings, where they are others.
    pub settings: Option<Value>,
    /// Namespaces in which it is in force already; none when there is no selector.
    pub namespaces: Option<Selector>,
}

/// One ClusterPolicyBinding or PolicyBinding.
#[derive(Clone, Debug)]
pub struct Binding {
    /// Its name; `namespace/name` in a namespace.
    pub name: String,
    /// Its uid; empty for one of `--policy-dir`.
    pub uid: String,
    /// How often its spec was written.
    pub generation: i64,
    /// Where it holds.
    pub scope: Scope,
    /// The name of its PolicyModule.
    pub module: String,
    /// Settings for the module, an empty map when there are none.
    pub settings: Value,
    /// What a violation leads to.
    pub action: Action,
    /// What it leads to that the policy could not judge.
    pub on_failure: OnFailure,
    /// The guest's own running time.
    pub deadline: Duration,
    /// Place among the mutators; names decide between equals.
    pub order: i64,
    /// Abilities.
    pub grants: Vec<Grant>,
    /// What it may read.
    pub reads: Vec<ClusterRead>,
    /// Its parameters.
    pub params: Option<ParamRef>,
    /// What is to come after it.
    pub candidate: Option<Candidate>,
    /// Which writes.
    pub constraints: Constraints,
    /// Which of those, by CEL.
    pub conditions: Arc<Conditions>,
}

/// Where a Secret is one among many resources it is not meant: `*` does not name it.
const SECRETS: &str = "secrets";

impl Binding {
    /// Reads a ClusterPolicyBinding or a PolicyBinding. Fails in words for its status.
    pub fn from_object(object: &Value) -> Result<Self, String> {
        let spec = object.get("spec").unwrap_or(&Value::Null);
        let text = |field: &str| spec.get(field).and_then(Value::as_str).unwrap_or("");
        let on_failure = match text("failurePolicy") {
            "" | "Fail" => OnFailure::Fail,
            "Ignore" => OnFailure::Ignore,
            other => return Err(format!("spec.failurePolicy: {other:?} is none of Fail, Ignore")),
        };
        let deadline = match spec.get("deadlineMilliseconds").and_then(Value::as_u64) {
            None | Some(0) => wasm::limits::DEADLINE_DEFAULT,
            Some(ms) => Duration::from_millis(ms).min(wasm::limits::DEADLINE_MAX),
        };
        let grants = texts(spec, "grants").into_iter();
        let grants = grants.map(|word| Grant::parse(&word).ok_or_else(|| format!("spec.grants: there is no grant {word:?}")));
        let settings = |holder: &Value| holder.get("settings").filter(|s| !s.is_null()).cloned();
        let reads = spec.get("clusterReads").and_then(Value::as_array).into_iter().flatten();
        let candidate = spec.get("candidate").filter(|candidate| candidate.is_object());
        let constraints = spec.get("matchConstraints").unwrap_or(&Value::Null);
        let reference = spec.get("paramRef").filter(|reference| reference.is_object());
        Ok(Self {
            name: key(object),
            uid: meta::uid(object).to_owned(),
            generation: meta::generation(object),
            scope: scope(object),
            module: text("module").to_owned(),
            settings: settings(spec).unwrap_or_else(|| model::json::json!({})),
            action: Action::parse(text("action"))?,
            on_failure,
            deadline,
            order: spec.get("order").and_then(Value::as_i64).unwrap_or(0),
            grants: grants.collect::<Result<_, _>>()?,
            reads: reads.map(|one| ClusterRead { groups: texts(one, "apiGroups"), resources: texts(one, "resources") }).collect(),
            conditions: Arc::new(Conditions::compile(spec, reference.is_some())),
            params: reference.map(ParamRef::from_object),
            candidate: candidate.map(|one| Candidate::from_object(one, settings(one))).transpose()?,
            constraints: Constraints::from_object(constraints).map_err(|why| format!("spec.matchConstraints.{why}"))?,
        })
    }

    /// What the module is given.
    pub fn to_wasm(&self) -> wasm::Binding {
        wasm::Binding { settings: self.settings.to_string().into_bytes(), grants: self.grants.clone(), deadline: self.deadline }
    }

    /// Whether the binding reaches a namespace's objects (`""`: all of them, or what is in none).
    pub fn may_read(&self, group: &str, resource: &str, namespace: &str) -> Result<(), String> {
        if !self.reads.iter().any(|read| read.names(group, resource)) {
            let dot = if group.is_empty() { "" } else { "." };
            return Err(format!("clusterReads does not name {resource}{dot}{group}"));
        }
        match &self.scope {
            Scope::Namespace { name, .. } if name != namespace => {
                Err(format!("the binding reads in the namespace {name:?} alone"))
            }
            _ => Ok(()),
        }
    }

    /// Whether `clusterReads` calls a resource by its name, and not by `*`.
    pub fn names_read(&self, group: &str, resource: &str) -> bool {
        self.reads.iter().any(|read| read.resources.iter().any(|named| named == resource) && read.names(group, resource))
    }

    /// The namespace of a PolicyBinding.
    pub fn namespace(&self) -> Option<&str> {
        match &self.scope {
            Scope::Cluster => None,
            Scope::Namespace { name, .. } => Some(name),
        }
    }
}

impl ClusterRead {
    fn names(&self, group: &str, resource: &str) -> bool {
        let one_of = |list: &[String], value: &str| list.iter().any(|item| item == value);
        let any_resource = one_of(&self.resources, "*") && !(group.is_empty() && resource == SECRETS);
        (one_of(&self.groups, "*") || one_of(&self.groups, group)) && (any_resource || one_of(&self.resources, resource))
    }
}

impl ParamRef {
    fn from_object(reference: &Value) -> Self {
        let text = |field: &str| reference.get(field).and_then(Value::as_str).unwrap_or("");
        Self {
            kind: GroupVersionKind::from_api_version(text("apiVersion"), text("kind")),
            namespace: text("namespace").to_owned(),
            name: text("name").to_owned(),
            optional: text("parameterNotFoundAction") == "Allow",
        }
    }
}

impl Candidate {
    fn from_object(candidate: &Value, settings: Option<Value>) -> Result<Self, String> {
        let selector = candidate.get("namespaceSelector").filter(|selector| selector.is_object());
        let selector = selector.map(Selector::from_object).transpose();
        Ok(Self {
            module: candidate.get("module").and_then(Value::as_str).unwrap_or("").to_owned(),
            settings,
            namespaces: selector.map_err(|why| format!("spec.candidate.namespaceSelector: {why}"))?.flatten(),
        })
    }
}

/// What a binding is known by: `name`, or `namespace/name`. No name has a slash.
pub(super) fn key(object: &Value) -> String {
    match meta::namespace(object) {
        "" => meta::name(object).to_owned(),
        namespace => format!("{namespace}/{}", meta::name(object)),
    }
}

fn scope(object: &Value) -> Scope {
    match meta::namespace(object) {
        "" => Scope::Cluster,
        namespace => {
            let author = object.pointer("/spec/author").unwrap_or(&Value::Null);
            Scope::Namespace { name: namespace.to_owned(), author: user(author) }
        }
    }
}

fn user(author: &Value) -> User {
    let text = |field: &str| author.get(field).and_then(Value::as_str).unwrap_or("").to_owned();
    let extra = author.get("extra").and_then(Value::as_object).into_iter().flatten();
    User {
        name: text("username"),
        uid: text("uid"),
        groups: texts(author, "groups"),
        extra: extra.map(|(key, values)| (key.to_string(), strings(values))).collect(),
    }
}

fn texts(value: &Value, field: &str) -> Vec<String> {
    value.get(field).map(strings).unwrap_or_default()
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::json::json;

    fn reads(namespace: &str, resources: &[&str]) -> Binding {
        let object = json!({"metadata": {"name": "b", "namespace": namespace},
            "spec": {"clusterReads": [{"apiGroups": ["", "apps"], "resources": resources}]}});
        Binding::from_object(&object).unwrap()
    }

    #[test]
    fn secrets_are_read_only_when_they_are_named() {
        let all = reads("", &["*"]);
        assert!(all.may_read("", "pods", "").is_ok() && all.may_read("apps", "deployments", "x").is_ok());
        assert_eq!(all.may_read("", "secrets", "x").unwrap_err(), "clusterReads does not name secrets");
        assert_eq!(all.may_read("batch", "jobs", "x").unwrap_err(), "clusterReads does not name jobs.batch");
        assert!(reads("", &["secrets"]).may_read("", "secrets", "x").is_ok());
    }

    #[test]
    fn a_namespaced_binding_reads_in_its_namespace() {
        let shop = reads("shop", &["*"]);
        assert_eq!(shop.name, "shop/b");
        assert!(shop.may_read("", "pods", "shop").is_ok());
        for elsewhere in ["", "other"] {
            assert_eq!(shop.may_read("", "pods", elsewhere).unwrap_err(), r#"the binding reads in the namespace "shop" alone"#);
        }
    }
}
