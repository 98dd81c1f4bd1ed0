//! Documents about no resource: the versions of the API, its groups, the version of the server, and how its tokens are
//! verified. Follows `apiserver/pkg/endpoints/discovery` and `apiserver/pkg/server/routes`.

use std::collections::BTreeSet;

use model::json::{Map, Value, json};

use super::operation::Operation;
use super::path::camel_group;
use super::schema::{META, reference};

const VERSION: &str = "io.k8s.apimachinery.pkg.version.Info";
const TEXT: &str = "string";

/// What the version of a server tells, and whether always.
const VERSION_FIELDS: [(&str, bool); 13] = [
    ("buildDate", true),
    ("compiler", true),
    ("emulationMajor", false),
    ("emulationMinor", false),
    ("gitCommit", true),
    ("gitTreeState", true),
    ("gitVersion", true),
    ("goVersion", true),
    ("major", true),
    ("minCompatibilityMajor", false),
    ("minCompatibilityMinor", false),
    ("minor", true),
    ("platform", true),
];

/// A path and what can be got there.
struct Route {
    /// Without the first slash: the name of its document.
    path: &'static str,
    tag: &'static str,
    id: &'static str,
    about: &'static str,
    answer: Answer,
}

/// What is answered.
enum Answer {
    /// A kind of discovery.
    Kind(&'static str),
    /// The version of the server.
    Version,
    /// A document that others define, in this media type.
    Text(&'static str),
}

/// How many documents there are.
pub(super) const COUNT: usize = 5;

static ROUTES: [Route; COUNT] = [
    Route {
        path: ".well-known/openid-configuration",
        tag: "WellKnown",
        id: "getServiceAccountIssuerOpenIDConfiguration",
        about: "get service account issuer OpenID configuration, also known as the 'OIDC discovery doc'",
        answer: Answer::Text("application/json"),
    },
    Route {
        path: "api",
        tag: "core",
        id: "getCoreAPIVersions",
        about: "get available API versions",
        answer: Answer::Kind("APIVersions"),
    },
    Route {
        path: "apis",
        tag: "apis",
        id: "getAPIVersions",
        about: "get available API versions",
        answer: Answer::Kind("APIGroupList"),
    },
    Route {
        path: "openid/v1/jwks",
        tag: "openid",
        id: "getServiceAccountIssuerOpenIDKeyset",
        about: "get service account issuer OpenID JSON Web Key Set (contains public token verification keys)",
        answer: Answer::Text("application/jwk-set+json"),
    },
    Route {
        path: "version",
        tag: "version",
        id: "getCodeVersion",
        about: "get the version information for this server",
        answer: Answer::Version,
    },
];

/// The names of the documents.
pub(super) fn paths() -> impl Iterator<Item = &'static str> {
    ROUTES.iter().map(|route| route.path)
}

/// Where a document is among them.
pub(super) fn position(path: &str) -> Option<usize> {
    ROUTES.iter().position(|route| route.path == path)
}

/// The path of the document at a position, and the schemas that it names.
pub(super) fn of(position: usize, wanted: &mut BTreeSet<String>) -> Map {
    let Some(route) = ROUTES.get(position) else { return Map::new() };
    let operation = Operation::bare(route.tag, route.id.to_owned(), route.about);
    let operation = match route.answer {
        Answer::Kind(kind) => {
            let name = format!("{META}.{kind}");
            let operation = operation.answers(&reference(&name), &[200], false);
            wanted.insert(name);
            operation
        }
        Answer::Version => {
            wanted.insert(VERSION.to_owned());
            operation.respond(&reference(VERSION), &[200], &["application/json"])
        }
        Answer::Text(media) => operation.respond(&json!({"type": TEXT}), &[200], &[media]),
    };
    Map::from_iter([(format!("/{}/", route.path), json!({"get": operation.done()}))])
}

/// The path of a group's own document.
pub(super) fn group(name: &str, wanted: &mut BTreeSet<String>) -> Map {
    let (camel, tag) = camel_group(name);
    let answer = format!("{META}.APIGroup");
    let operation = Operation::bare(&tag, format!("get{camel}APIGroup"), "get information of a group");
    let operation = operation.answers(&reference(&answer), &[200], false).done();
    wanted.insert(answer);
    Map::from_iter([(format!("/apis/{name}/"), json!({"get": operation}))])
}

/// The schema of what `/version` tells, which is no kind.
pub(super) fn version_schema(name: &str) -> Option<Value> {
    if name != VERSION {
        return None;
    }
    let field = |(name, always): &(&str, bool)| {
        let shape = if *always { json!({"type": TEXT, "default": ""}) } else { json!({"type": TEXT}) };
        ((*name).to_owned(), shape)
    };
    // In the order of upstream's struct.
    let required =
        ["major", "minor", "gitVersion", "gitCommit", "gitTreeState", "buildDate", "goVersion", "compiler", "platform"];
    let properties: Map = VERSION_FIELDS.iter().map(field).collect();
    Some(json!({"type": "object", "required": required, "properties": properties}))
}
