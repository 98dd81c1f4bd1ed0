//! A cluster made of files, as a server's own parts see one: objects, what kinds there are, who may do what. Nothing in it
//! changes.

use std::sync::Arc;

use admission::{Cluster, Kinds};
use catalog::Catalog;
use catalog::custom::definition;
use futures::FutureExt;
use futures::channel::oneshot;
use futures::stream::BoxStream;
use model::authorizer::{Attributes, Authorizer, Decision};
use model::json::json;
use model::selector::label::Selector;
use model::world::{DeleteOptions, Event, ResourceFacts};
use model::{GroupVersionKind, GroupVersionResource, Revision, Status, Value, World, meta};

use crate::policy::fake;

/// What comes with the program, and what definitions add.
pub(super) fn catalog(definitions: &[Value]) -> Result<Catalog, String> {
    let mut catalog = Catalog::builtin().map_err(|error| error.to_string())?;
    let mut groups: Vec<(String, Vec<Arc<catalog::Resource>>)> = Vec::new();
    for definition in definitions {
        let (name, definition) = (meta::name(definition), established(definition));
        let ends = oneshot::channel().1.shared();
        let made = definition::resources(&catalog.types, &definition, None, 0, &ends).map_err(|why| format!("{name}: {why}"))?;
        let group = definition["spec"]["group"].as_str().unwrap_or_default().to_owned();
        let made = made.into_iter().map(Arc::new);
        match groups.iter_mut().find(|(known, _)| *known == group) {
            Some((_, resources)) => resources.extend(made),
            None => groups.push((group, made.collect())),
        }
    }
    for (group, resources) in groups {
        catalog = catalog.with_custom(&group, resources);
    }
    Ok(catalog)
}

/// A definition whose names nobody else has, as a server leaves it.
fn established(definition: &Value) -> Value {
    let mut definition = definition.clone();
    let mut names = definition["spec"]["names"].clone();
    let kind = names["kind"].as_str().unwrap_or_default().to_owned();
    for (field, unsaid) in [("singular", kind.to_lowercase()), ("listKind", format!("{kind}List"))] {
        if names[field].is_null() {
            names[field] = unsaid.into();
        }
    }
    let conditions = ["NamesAccepted", "Established"].map(|condition| json!({"type": condition, "status": "True"}));
    definition["status"] = json!({"acceptedNames": names, "conditions": conditions.to_vec()});
    definition
}

/// A cluster that holds `own` objects, before what lies in the policy's folder.
pub(super) fn cluster(catalog: Arc<Catalog>, own: Vec<Value>, shared: Arc<Vec<Value>>, allowed: Value) -> Cluster {
    Cluster {
        world: Arc::new(Files { catalog: catalog.clone(), own, shared }),
        kinds: Arc::new(Known(catalog)),
        authorizer: Arc::new(Listed(allowed)),
    }
}

struct Known(Arc<Catalog>);

#[async_trait::async_trait]
impl Kinds for Known {
    fn catalog(&self) -> Result<Arc<Catalog>, Status> {
        Ok(self.0.clone())
    }

    async fn convert(
        &self,
        object: &Value,
        from: &GroupVersionResource,
        to: &GroupVersionResource,
        subresource: &str,
    ) -> Result<Value, Status> {
        server::kinds::convert(&self.0, object, from, to, subresource)
    }
}

/// Allows what the author of a case lists.
struct Listed(Value);

#[async_trait::async_trait]
impl Authorizer for Listed {
    async fn authorize(&self, asked: &Attributes) -> Decision {
        let rules = self.0.as_array().map_or(&[][..], Vec::as_slice);
        let by = |user: &str| {
            let asked = [
                ("user", user),
                ("verb", &asked.verb),
                ("group", &asked.group),
                ("resource", &asked.resource),
                ("subresource", &asked.subresource),
                ("namespace", &asked.namespace),
                ("name", &asked.name),
            ];
            fake::allows(rules, &asked)
        };
        if by(&asked.user.name) || by(fake::REQUESTER) {
            Decision::Allow(String::new())
        } else {
            Decision::NoOpinion(String::new())
        }
    }
}

/// The objects.
struct Files {
    catalog: Arc<Catalog>,
    own: Vec<Value>,
    shared: Arc<Vec<Value>>,
}

impl Files {
    fn all(&self) -> impl Iterator<Item = &Value> {
        self.own.iter().chain(self.shared.iter())
    }

    fn is_of(&self, object: &Value, resource: &GroupVersionResource) -> bool {
        let text = |field: &str| object[field].as_str().unwrap_or_default();
        let gvk = GroupVersionKind::from_api_version(text("apiVersion"), text("kind"));
        let known = self.catalog.by_kind(&gvk.group, &gvk.version, &gvk.kind);
        known.is_some_and(|known| known.gvr.group == resource.group && known.gvr.resource == resource.resource)
    }
}

const UNCHANGED: &str = "a cluster made of files does not change";

#[async_trait::async_trait]
impl World for Files {
    async fn get(&self, resource: &GroupVersionResource, namespace: &str, name: &str) -> Result<Value, Status> {
        let same = |object: &&Value| meta::name(object) == name && meta::namespace(object) == namespace;
        match self.all().filter(same).find(|object| self.is_of(object, resource)) {
            Some(object) => Ok(object.clone()),
            // Every request is made in some namespace, whether or not its author thought of it.
            None if resource.group.is_empty() && &*resource.resource == "namespaces" => Ok(unlabelled(name)),
            None => Err(Status::not_found(&resource.group_resource(), name)),
        }
    }

    async fn list(
        &self,
        resource: &GroupVersionResource,
        namespace: &str,
        labels: &str,
    ) -> Result<(Vec<Value>, Revision), Status> {
        let selector = Selector::parse(labels).map_err(|why| Status::bad_request(why.to_string()))?;
        let inside = |object: &&Value| namespace.is_empty() || meta::namespace(object) == namespace;
        let found = self.all().filter(inside).filter(|object| selector.matches_object(object) && self.is_of(object, resource));
        Ok((found.cloned().collect(), 0))
    }

    async fn watch(&self, _: &GroupVersionResource, _: &str, _: Revision) -> Result<BoxStream<'static, Event>, Status> {
        Err(Status::internal(UNCHANGED))
    }

    async fn create(&self, _: &GroupVersionResource, _: &str, _: Value) -> Result<Value, Status> {
        Err(Status::internal(UNCHANGED))
    }

    async fn update(&self, _: &GroupVersionResource, _: &str, _: Value) -> Result<Value, Status> {
        Err(Status::internal(UNCHANGED))
    }

    async fn merge_patch(&self, _: &GroupVersionResource, _: &str, _: &str, _: &str, _: Value) -> Result<Value, Status> {
        Err(Status::internal(UNCHANGED))
    }

    async fn delete(&self, _: &GroupVersionResource, _: &str, _: &str, _: DeleteOptions) -> Result<(), Status> {
        Err(Status::internal(UNCHANGED))
    }

    async fn record(&self, _: &str) -> Result<Option<(Value, Revision)>, Status> {
        Ok(None)
    }

    async fn put_record(&self, _: &str, _: Revision, _: Value) -> Result<Revision, Status> {
        Err(Status::internal(UNCHANGED))
    }

    fn resources(&self) -> Vec<ResourceFacts> {
        Vec::new()
    }
}

/// A namespace of which nothing is known but its name.
pub(in crate::policy) fn unlabelled(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    })
}
