//! The OpenAPI documents: `/openapi/v3`, `/openapi/v3/<group version>` and `/openapi/v2`, as JSON and as protobuf. Each is
//! rendered when it is first asked for, which is work for a thread that may block. Does not negotiate.

mod custom;
mod declare;
mod describe;
mod foreign;
mod gnostic;
mod lift;
mod operation;
mod path;
mod plain;
mod schema;
mod v2;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use model::gvk::join_api_version;
use model::json::{Key, Map, Value, json};
use sha2::{Digest, Sha512};

use custom::Dialect;
pub(crate) use declare::Declared;

use crate::document::Document;
use crate::services::{Service, Specification};
use crate::{Catalog, Group, Version};

/// The version of Kubernetes that the documents describe.
const KUBERNETES: &str = "v1.37.2";

/// All documents of a catalog. Those of a group's version are kept with it, for all catalogs that have it unchanged.
pub struct OpenApi {
    catalog: Arc<Catalog>,
    /// What extension servers serve, the most preferred first.
    foreign: Vec<Service>,
    /// Documents of those that have none of v3, by path: made from what they have.
    lifted: BTreeMap<String, Lifted>,
    index: OnceLock<Document>,
    v2: Rendered,
}

/// An extension server's v2 document as one of v3.
struct Lifted {
    from: Specification,
    rendered: Rendered,
}

/// How a document is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// JSON.
    Json,
    /// Messages of gnostic, which older clients and programs without much memory ask for.
    Protobuf,
}

/// A document in each form.
#[derive(Default)]
pub(crate) struct Rendered {
    json: OnceLock<Document>,
    protobuf: OnceLock<Document>,
}

impl Rendered {
    /// Both forms have one tag, as upstream; readers tell them apart by what they accept.
    fn get(&self, form: Form, message: &gnostic::Message, render: impl FnOnce() -> Document) -> &Document {
        let json = self.json.get_or_init(render);
        match form {
            Form::Json => json,
            Form::Protobuf => self.protobuf.get_or_init(|| {
                // It was rendered here, so it parses.
                let value = serde_json::from_slice(&json.body).unwrap_or_default();
                Document::new(gnostic::encode(message, &value), json.tag())
            }),
        }
    }
}

/// What is the same however many custom resources there are.
#[derive(Default)]
pub(crate) struct Builtin {
    fingerprint: OnceLock<String>,
    parts: OnceLock<Parts>,
    /// Documents about no resource, in the order of `plain`.
    plain: [Rendered; plain::COUNT],
}

/// Paths, and the schemas that they lead to.
type Parts = (Map, Map);

impl OpenApi {
    /// Renders nothing yet.
    pub fn new(catalog: Arc<Catalog>) -> Self {
        Self::with(catalog, Vec::new())
    }

    /// The same with the documents of extension servers, the most preferred first.
    pub fn with(catalog: Arc<Catalog>, foreign: Vec<Service>) -> Self {
        let lift = |service: &Service| {
            let remote = service.remote.as_ref().filter(|remote| remote.v3.is_empty())?;
            let lifted = Lifted { from: remote.v2.clone()?, rendered: Rendered::default() };
            Some((format!("apis/{}/{}", service.group, service.version), lifted))
        };
        let lifted = foreign.iter().filter_map(lift).collect();
        Self { catalog, foreign, lifted, index: OnceLock::new(), v2: Rendered::default() }
    }

    /// Documents of extension servers that are shown here.
    pub fn foreign(&self) -> &[Service] {
        &self.foreign
    }

    /// `/openapi/v3`: where the documents are, with the hash of each.
    pub fn index(&self) -> &Document {
        self.index.get_or_init(|| {
            let versions = self.catalog.groups().iter().flat_map(|g| g.versions.iter().map(move |v| (path_of(g, v), v)));
            let mut hashes: Vec<(String, String)> =
                versions.map(|(path, version)| (path.clone(), self.hash_of(&path, version))).collect();
            let groups = self.builtin_groups().map(|group| format!("apis/{}", group.name));
            hashes.extend(plain::paths().map(str::to_owned).chain(groups).map(|path| (path.clone(), self.hash(&path))));
            hashes.sort();
            let url = |(path, hash): &(String, String)| {
                (path.clone(), json!({"serverRelativeURL": format!("/openapi/v3/{path}?hash={hash}")}))
            };
            let lifted = self.lifted.iter().map(|(path, lifted)| (path.clone(), self.hash(&lifted.from.tag)));
            let mut paths: BTreeMap<String, Value> = hashes.iter().map(url).collect();
            paths.extend(lifted.map(|one| url(&one)));
            let remote = self.foreign.iter().filter_map(|service| service.remote.as_ref());
            paths.extend(remote.flat_map(|remote| remote.v3.iter().cloned()));
            let paths: Map = paths.into_iter().map(|(path, of)| (Key::from(path.as_str()), of)).collect();
            let text = json!({ "paths": paths }).to_string();
            let etag = self.hash(&text);
            Document::new(text, etag)
        })
    }

    /// `/openapi/v3/<path>`, where path is `api/v1` or `apis/<group>/<version>`. Renders on first use.
    pub fn v3(&self, path: &str, form: Form) -> Option<&Document> {
        if let Some(lifted) = self.lifted.get(path) {
            let from = &lifted.from;
            let render = || Document::new(lift::document(&from.document).to_string(), self.hash(&from.tag));
            return Some(lifted.rendered.get(form, &gnostic::V3, render));
        }
        if let Some(position) = plain::position(path) {
            let render = || Document::new(self.whole(self.plain_parts(position)).to_string(), self.hash(path));
            return Some(self.catalog.builtins().openapi.plain[position].get(form, &gnostic::V3, render));
        }
        if let Some(group) = self.builtin_groups().find(|group| path.strip_prefix("apis/") == Some(&group.name)) {
            let render = || Document::new(self.whole(self.group_parts(group)).to_string(), self.hash(path));
            return Some(group.openapi.get(form, &gnostic::V3, render));
        }
        let (group, version) = path.rsplit_once('/')?;
        let group = match group {
            "api" => self.catalog.group("")?,
            named => self.catalog.group(named.strip_prefix("apis/")?).filter(|group| !group.name.is_empty())?,
        };
        let version = group.version(version)?;
        let render = || Document::new(self.version(group, version).to_string(), self.hash_of(path, version));
        Some(version.openapi.get(form, &gnostic::V3, render))
    }

    /// `/openapi/v2`. Renders on first use.
    pub fn v2(&self, form: Form) -> &Document {
        self.v2.get(form, &gnostic::V2, || {
            let builtin = self.catalog.builtins();
            let (mut paths, mut schemas) = builtin.openapi.parts.get_or_init(|| self.builtin_parts()).clone();
            let custom: Vec<Arc<Group>> = self.catalog.groups().iter().filter(|g| !is_in(&builtin.groups, g)).cloned().collect();
            let (more_paths, more_schemas) = self.all_parts(&custom);
            paths.extend(more_paths);
            schemas.extend(more_schemas);
            let mut whole = v2::render(&paths, &schemas);
            let mut tag = format!("2{}", self.index().tag());
            for (service, found) in self.foreign.iter().filter_map(|one| Some((one, one.remote.as_ref()?.v2.as_ref()?))) {
                foreign::merge(&mut whole, &found.document, &format!("/apis/{}/{}/", service.group, service.version));
                tag.push_str(&found.tag);
            }
            let tag = if self.foreign.is_empty() { tag } else { format!("2{:X}", Sha512::digest(tag)) };
            Document::new(whole.to_string(), tag)
        })
    }

    /// Those of every version of some groups, for the document of all.
    fn all_parts(&self, groups: &[Arc<Group>]) -> Parts {
        let mut all = Parts::default();
        for (group, version) in groups.iter().flat_map(|g| g.versions.iter().map(move |v| (g, v))) {
            add(&mut all, self.parts(group, version, Dialect::V2));
        }
        all
    }

    /// Built-in groups but for the core, which has no name to be described by.
    fn builtin_groups(&self) -> impl Iterator<Item = &Group> {
        self.catalog.builtins().groups.iter().map(|group| &**group).filter(|group| !group.name.is_empty())
    }

    fn plain_parts(&self, position: usize) -> Parts {
        let mut wanted = BTreeSet::new();
        let paths = plain::of(position, &mut wanted);
        (paths, schema::components(&self.catalog, None, wanted))
    }

    fn group_parts(&self, group: &Group) -> Parts {
        let mut wanted = BTreeSet::new();
        let paths = plain::group(&group.name, &mut wanted);
        (paths, schema::components(&self.catalog, None, wanted))
    }

    /// Those of everything that comes with the program.
    fn builtin_parts(&self) -> Parts {
        let mut all = self.all_parts(&self.catalog.builtins().groups);
        (0..plain::COUNT).for_each(|position| add(&mut all, self.plain_parts(position)));
        self.builtin_groups().for_each(|group| add(&mut all, self.group_parts(group)));
        all.0.sort_keys();
        all
    }

    /// The value that changes with the content of a version's document.
    fn hash_of(&self, path: &str, version: &Version) -> String {
        let custom = version.resources.iter().filter_map(|resource| resource.custom.as_ref().map(|custom| (resource, custom)));
        let mut text = path.to_owned();
        for (resource, custom) in custom {
            let definition = &custom.definition;
            text.push_str(&format!(" {} {} {}", resource.gvk.kind, definition.uid, definition.generation));
        }
        self.hash(&text)
    }

    /// A hash of a text and of everything that comes with the program, which is known before anything is rendered.
    fn hash(&self, text: &str) -> String {
        let fingerprint = self.catalog.builtins().openapi.fingerprint.get_or_init(|| fingerprint(&self.catalog));
        format!("{:X}", Sha512::digest(format!("{fingerprint}{text}")))
    }

    fn version(&self, group: &Group, version: &Version) -> Value {
        let (paths, mut schemas) = self.parts(group, version, Dialect::V3);
        schema::narrow(&mut schemas, &group.name, &version.name);
        self.whole((paths, schemas))
    }

    fn whole(&self, (paths, schemas): Parts) -> Value {
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

    fn parts(&self, group: &Group, version: &Version, dialect: Dialect) -> Parts {
        let mut wanted = BTreeSet::new();
        let paths = path::of(&self.catalog, group, version, &mut wanted);
        (paths, schema::components(&self.catalog, Some((version, dialect)), wanted))
    }
}

fn add(all: &mut Parts, (paths, schemas): Parts) {
    all.0.extend(paths);
    all.1.extend(schemas);
}

/// What the documents of built-in resources are made from.
fn fingerprint(catalog: &Catalog) -> String {
    let mut seed = Sha512::new();
    seed.update(env!("CARGO_PKG_VERSION"));
    seed.update(KUBERNETES);
    seed.update(describe::PACKED);
    seed.update(describe::QUERIES);
    for resource in catalog.builtins().groups.iter().flat_map(|group| &group.versions).flat_map(|version| &version.resources) {
        seed.update(format!("{}/{} {:?}", resource.api_version(), resource.gvr.resource, resource.verbs));
    }
    for (_, of) in catalog.types.iter() {
        seed.update(format!("{of:?}"));
    }
    format!("{:X}", seed.finalize())
}

fn is_in(groups: &[Arc<Group>], group: &Arc<Group>) -> bool {
    groups.iter().any(|known| Arc::ptr_eq(known, group))
}

fn path_of(group: &Group, version: &Version) -> String {
    let prefix = if group.name.is_empty() { "api" } else { "apis" };
    format!("{prefix}/{}", join_api_version(&group.name, &version.name))
}

fn info() -> Value {
    json!({"title": "Kubernetes", "version": KUBERNETES})
}
