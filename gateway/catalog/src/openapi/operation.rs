//! One operation of a path in OpenAPI v3: its name, parameters, body and answers, in upstream's words. Knows no resource.

use model::json::{Map, Value, json};

use super::describe;
use super::schema::{DELETE_OPTIONS, PATCH, reference};

/// What is common to the operations of one path.
pub(super) struct Subject {
    /// `AppsV1`.
    pub(super) group_version: String,
    /// `apps_v1`.
    pub(super) tag: String,
    /// `group`, `kind`, `version` of `x-kubernetes-group-version-kind`.
    pub(super) gvk: Value,
    /// Kind of the resource: `Deployment`.
    pub(super) kind: String,
    /// `NamespacedDeploymentScale`: what stands behind the group version in an operation's id.
    pub(super) suffix: String,
    /// `status`, or empty.
    pub(super) subresource: String,
}

const PLAIN: [&str; 4] = ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf", "application/cbor"];
const STREAMS: [&str; 3] =
    ["application/json;stream=watch", "application/vnd.kubernetes.protobuf;stream=watch", "application/cbor-seq"];
const PATCHES: [&str; 5] = [
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
    "application/apply-patch+cbor",
];

/// Options that come as query parameters.
pub(super) struct Options {
    /// The struct that describes them.
    of: &'static str,
    /// Each with its type.
    fields: &'static [(&'static str, &'static str)],
}

impl Options {
    /// Of some fields of a struct.
    pub(super) const fn new(of: &'static str, fields: &'static [(&'static str, &'static str)]) -> Self {
        Self { of, fields }
    }

    /// The parameters.
    pub(super) fn parameters(&self) -> impl Iterator<Item = Value> {
        self.fields.iter().map(|(name, kind)| query(self.of, name, kind))
    }
}

/// Of lists.
pub(super) const LIST: Options = Options::new(
    "io.k8s.apimachinery.pkg.apis.meta.v1.ListOptions",
    &[
        ("allowWatchBookmarks", "boolean"),
        ("continue", "string"),
        ("fieldSelector", "string"),
        ("labelSelector", "string"),
        ("limit", "integer"),
        ("resourceVersion", "string"),
        ("resourceVersionMatch", "string"),
        ("sendInitialEvents", "boolean"),
        ("shardSelector", "string"),
        ("timeoutSeconds", "integer"),
        ("watch", "boolean"),
    ],
);
/// Of deletes.
pub(super) const DELETE: Options = Options::new(
    DELETE_OPTIONS,
    &[
        ("dryRun", "string"),
        ("gracePeriodSeconds", "integer"),
        ("ignoreStoreReadErrorWithClusterBreakingPotential", "boolean"),
        ("orphanDependents", "boolean"),
        ("propagationPolicy", "string"),
    ],
);
/// Of creates and replaces.
pub(super) const WRITE: Options = Options::new(
    "io.k8s.apimachinery.pkg.apis.meta.v1.CreateOptions",
    &[("dryRun", "string"), ("fieldManager", "string"), ("fieldValidation", "string")],
);
/// Of patches.
pub(super) const APPLY: Options = Options::new(
    "io.k8s.apimachinery.pkg.apis.meta.v1.PatchOptions",
    &[("dryRun", "string"), ("fieldManager", "string"), ("fieldValidation", "string"), ("force", "boolean")],
);

/// A query parameter, as the struct describes it whose field it is.
pub(super) fn query(of: &str, name: &str, kind: &str) -> Value {
    described(name, kind, describe::of(of, name))
}

/// The one parameter that belongs to no options: whether an answer is indented.
pub(super) fn pretty() -> Value {
    described("pretty", "string", describe::of("pretty", ""))
}

fn described(name: &str, kind: &str, about: Option<&str>) -> Value {
    let mut parameter = json!({"name": name, "in": "query", "schema": {"type": kind, "uniqueItems": true}});
    if let Some(about) = about {
        parameter["description"] = about.into();
    }
    parameter
}

/// A parameter of the path.
pub(super) fn in_path(name: &str, about: &str) -> Value {
    let schema = json!({"type": "string", "uniqueItems": true});
    json!({"name": name, "in": "path", "description": about, "required": true, "schema": schema})
}

/// An operation under construction.
pub(super) struct Operation(Map);

impl Operation {
    /// `action` is upstream's word (`list`), `verb` that of the operation's id (`readAppsV1…`).
    pub(super) fn new(subject: &Subject, action: &str, verb: &str, description: String) -> Self {
        let mut new = Self::bare(&subject.tag, operation_id(subject, verb), &description);
        new.0.insert("x-kubernetes-action", action.into());
        new.0.insert("x-kubernetes-group-version-kind", subject.gvk.clone());
        new
    }

    /// An operation on no kind.
    pub(super) fn bare(tag: &str, id: String, description: &str) -> Self {
        let mut map = Map::new();
        map.insert("tags", json!([tag]));
        map.insert("description", description.into());
        map.insert("operationId", id.into());
        Self(map)
    }

    /// Adds query parameters.
    pub(super) fn with(mut self, parameters: impl IntoIterator<Item = Value>) -> Self {
        let all: Vec<Value> = parameters.into_iter().collect();
        if !all.is_empty() {
            self.0.insert("parameters", all.into());
        }
        self
    }

    /// Adds a body of this schema; `required` as upstream says of all but deletes.
    pub(super) fn body(mut self, name: &str, required: bool) -> Self {
        let mut body = json!({"content": {"*/*": {"schema": reference(name)}}});
        if let Some(map) = body.as_object_mut().filter(|_| required) {
            map.insert("required", true.into());
        }
        self.0.insert("requestBody", body);
        self
    }

    /// Adds a body of this schema in these media types.
    pub(super) fn body_in(mut self, name: &str, required: bool, kinds: &[&str]) -> Self {
        let content: Map = kinds.iter().map(|kind| ((*kind).to_owned(), json!({"schema": reference(name)}))).collect();
        let mut body = json!({"content": content});
        if required {
            body["required"] = true.into();
        }
        self.0.insert("requestBody", body);
        self
    }

    /// Adds a patch as the body.
    pub(super) fn patch_body(mut self, strategic: bool) -> Self {
        let kinds = PATCHES.iter().filter(|kind| strategic || !kind.contains("strategic"));
        let content: Map = kinds.map(|kind| (*kind, json!({"schema": reference(PATCH)}))).collect();
        self.0.insert("requestBody", json!({"content": content, "required": true}));
        self
    }

    /// Answers with this schema under these statuses.
    pub(super) fn answers(self, schema: &Value, statuses: &[u16], streams: bool) -> Self {
        let kinds: Vec<&str> = PLAIN.into_iter().chain(STREAMS.into_iter().filter(|_| streams)).collect();
        self.respond(schema, statuses, &kinds)
    }

    /// Answers with whatever the other end says.
    pub(super) fn answers_anything(self) -> Self {
        self.respond(&json!({"type": "string"}), &[200], &["*/*"])
    }

    /// Answers a log: text in any clothing.
    pub(super) fn answers_text(self) -> Self {
        let kinds: Vec<&str> = PLAIN.into_iter().chain(["text/plain"]).collect();
        self.respond(&json!({"type": "string"}), &[200], &kinds)
    }

    /// Answers with this schema under these statuses, in these media types.
    pub(super) fn respond(mut self, schema: &Value, statuses: &[u16], kinds: &[&str]) -> Self {
        let content: Map = kinds.iter().map(|kind| ((*kind).to_owned(), json!({"schema": schema}))).collect();
        let mut responses = Map::new();
        for status in statuses {
            let word = match status {
                201 => "Created",
                202 => "Accepted",
                _ => "OK",
            };
            responses.insert(status.to_string(), json!({"description": word, "content": content}));
        }
        responses.insert("401", json!({"description": "Unauthorized"}));
        self.0.insert("responses", responses.into());
        self
    }

    /// The finished value.
    pub(super) fn done(self) -> Value {
        self.0.into()
    }
}

/// `readAppsV1NamespacedDeployment`; the words of a verb (`delete Collection`) enclose the group version.
fn operation_id(subject: &Subject, verb: &str) -> String {
    let (verb, rest) = verb.split_once(' ').unwrap_or((verb, ""));
    format!("{verb}{}{rest}{}", subject.group_version, subject.suffix)
}
