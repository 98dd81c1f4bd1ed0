//! The OpenAPI documents: `/openapi/v3`, `/openapi/v3/<group version>` and `/openapi/v2`. Each is rendered when it is first
//! asked for, which is work for a thread that may block. Does not negotiate; v2 exists as JSON only.

mod describe;
mod operation;
mod path;
mod schema;
mod v2;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use model::gvk::join_api_version;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha512};

use crate::discovery::Document;
use crate::{Catalog, Group, Version};

/// The version of Kubernetes that the documents describe.
const KUBERNETES: &str = "v1.37.2";

/// All documents of a catalog.
pub struct OpenApi {
    catalog: Arc<Catalog>,
    /// What the documents are made from, so that their hash is known before they are rendered.
    fingerprint: String,
    versions: BTreeMap<String, OnceLock<Document>>,
    v2: OnceLock<Document>,
}

impl OpenApi {
    /// Renders nothing yet.
    pub fn new(catalog: Arc<Catalog>) -> Self {
        let mut seed = Sha512::new();
        seed.update(env!("CARGO_PKG_VERSION"));
        seed.update(KUBERNETES);
        seed.update(describe::PACKED);
        for resource in catalog.all() {
            seed.update(format!("{}/{} {:?}", resource.api_version(), resource.gvr.resource, resource.verbs));
        }
        for (_, of) in catalog.types.iter() {
            seed.update(format!("{of:?}"));
        }
        let fingerprint = format!("{:X}", seed.finalize());
        let versions =
            catalog.groups().iter().flat_map(|g| g.versions.iter().map(|v| (path_of(g, v), OnceLock::new()))).collect();
        Self { catalog, fingerprint, versions, v2: OnceLock::new() }
    }

    /// `/openapi/v3`: where the documents are, with the hash of each.
    pub fn index(&self) -> Document {
        let paths: Map<String, Value> = self
            .versions
            .keys()
            .map(|path| (path.clone(), json!({"serverRelativeURL": format!("/openapi/v3/{path}?hash={}", self.hash(path))})))
            .collect();
        Document { body: format!("{}\n", json!({"paths": paths})).into(), etag: format!("\"{}\"", self.hash("")) }
    }

    /// `/openapi/v3/<path>`, where path is `api/v1` or `apis/<group>/<version>`. Renders on first use.
    pub fn v3(&self, path: &str) -> Option<&Document> {
        let cell = self.versions.get(path)?;
        let (group, version) = path.rsplit_once('/')?;
        let group = self.catalog.group(group.strip_prefix("apis/").unwrap_or(""))?;
        let version = group.version(version)?;
        Some(cell.get_or_init(|| Document {
            body: self.version(group, version).to_string().into(),
            etag: format!("\"{}\"", self.hash(path)),
        }))
    }

    /// `/openapi/v2` as JSON. Renders on first use.
    pub fn v2(&self) -> &Document {
        self.v2.get_or_init(|| {
            let mut paths = Map::new();
            let mut schemas = Map::new();
            for (group, version) in self.catalog.groups().iter().flat_map(|g| g.versions.iter().map(move |v| (g, v))) {
                let (more_paths, more_schemas) = self.parts(group, version);
                paths.extend(more_paths);
                schemas.extend(more_schemas);
            }
            Document { body: v2::render(&paths, &schemas).to_string().into(), etag: format!("\"{}\"", self.hash("v2")) }
        })
    }

    /// The value that changes with a document's content.
    pub fn hash(&self, path: &str) -> String {
        format!("{:X}", Sha512::digest(format!("{}{path}", self.fingerprint)))
    }

    fn version(&self, group: &Group, version: &Version) -> Value {
        let (paths, schemas) = self.parts(group, version);
        json!({
            "openapi": "3.0.0",
            "info": info(),
            "paths": paths,
            "components": {
                "schemas": schemas,
                "securitySchemes": {"BearerToken": {"type": "apiKey", "description": "Bearer Token authentication", "name": "authorization", "in": "header"}},
            },
        })
    }

    /// Paths of a version, and the schemas that they lead to.
    fn parts(&self, group: &Group, version: &Version) -> (Map<String, Value>, Map<String, Value>) {
        let mut wanted = BTreeSet::new();
        let paths = path::of(&self.catalog, group, version, &mut wanted);
        (paths, schema::components(&self.catalog, wanted))
    }
}

fn path_of(group: &Group, version: &Version) -> String {
    let prefix = if group.name.is_empty() { "api" } else { "apis" };
    format!("{prefix}/{}", join_api_version(&group.name, &version.name))
}

fn info() -> Value {
    json!({"title": "Kubernetes", "version": KUBERNETES})
}
