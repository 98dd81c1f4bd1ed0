//! A ValidatingAdmissionPolicy or MutatingAdmissionPolicy as its author has it: YAML files with the policy, its bindings,
//! their parameters, and the definitions of custom resources among these. Judged by the server's own evaluator, over a
//! cluster made of the files. Components are `build`'s.

mod world;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use admission::Cluster;
use admission::admissionpolicy::Kind;
use admission::admissionpolicy::trial::Bound;
use admission::policy::trial::{self, Trial};
use catalog::{Catalog, Resource, typecheck};
use futures::FutureExt;
use model::field::Errors;
use model::json::json;
use model::{GroupVersionKind, Value, meta};
use schema::structural::Part;

use super::document;
use super::subject::Asked;

/// The folder holds what judges; what is judged lies in folders of its own.
const GROUP: &str = "admissionregistration.k8s.io/";
const DEFINITION: &str = "CustomResourceDefinition";

/// One policy with its bindings.
pub(super) struct Cel {
    pub(super) name: String,
    pub(super) folder: PathBuf,
    /// As it is applied.
    pub(super) policy: Value,
    bound: Bound,
    params: Option<Arc<Resource>>,
    /// The schema of the parameters, where their definition lies beside it.
    schema: Value,
    /// Whether every binding says what of the policy's resources it is about.
    pub(super) is_narrowed: bool,
    /// The files' other objects: parameters, namespaces.
    objects: Arc<Vec<Value>>,
    catalog: Arc<Catalog>,
    /// Settings that stand in for the parameters' own.
    settings: Option<Value>,
}

/// What a server would refuse of an object: fields, and all of it in words.
pub(super) struct Unfit {
    pub(super) fields: Vec<String>,
    pub(super) words: String,
}

impl From<Errors> for Unfit {
    fn from(errors: Errors) -> Self {
        let words: Vec<String> = errors.0.iter().map(ToString::to_string).collect();
        Self { words: words.join(", "), fields: errors.0.into_iter().map(|error| error.field).collect() }
    }
}

/// The policies in CEL at a place: a YAML file, or a folder that has some; nothing where it is something else.
pub(super) fn read(place: &Path) -> Result<Option<Vec<Cel>>, String> {
    let is_file = place.extension().is_some_and(|extension| extension == "yaml" || extension == "yml" || extension == "json");
    if !is_file && !place.is_dir() {
        return Ok(None);
    }
    let Ok(files) = document::files(place) else { return Ok(None) };
    let mut objects = Vec::new();
    for file in files {
        objects.extend(document::objects(&file.display().to_string())?.into_iter().filter(is_applied));
    }
    if !objects.iter().any(|object| kind_of(object).is_some()) {
        let hint = "it holds no ValidatingAdmissionPolicy and no MutatingAdmissionPolicy";
        return if is_file { Err(format!("{}: {hint}", place.display())) } else { Ok(None) };
    }
    let folder = if is_file { place.parent().map(Path::to_owned).unwrap_or_default() } else { place.to_owned() };
    policies(&folder, objects).map(Some).map_err(|why| format!("{}: {why}", place.display()))
}

/// Whether a document is an object that is applied. What commands write beside the policy, requests and measurements, is none.
fn is_applied(document: &Value) -> bool {
    ["apiVersion", "kind"].iter().any(|field| !document[*field].is_null())
}

/// Which of the kinds an object is.
fn kind_of(object: &Value) -> Option<Kind> {
    let group = object["apiVersion"].as_str().is_some_and(|version| version.starts_with(GROUP));
    Kind::ALL.into_iter().find(|kind| group && object["kind"] == kind.as_str())
}

fn policies(folder: &Path, objects: Vec<Value>) -> Result<Vec<Cel>, String> {
    let (definitions, objects): (Vec<_>, Vec<_>) = objects.into_iter().partition(|object| object["kind"] == DEFINITION);
    let catalog = Arc::new(world::catalog(&definitions)?);
    let binds = |object: &Value| Kind::ALL.into_iter().find(|kind| object["kind"] == format!("{}Binding", kind.as_str()));
    let (bindings, rest): (Vec<_>, Vec<_>) = objects.into_iter().partition(|object| binds(object).is_some());
    let (policies, rest): (Vec<_>, Vec<_>) = rest.into_iter().partition(|object| kind_of(object).is_some());
    let rest: Vec<Value> = rest.into_iter().map(|object| applied(&catalog, object)).collect::<Result<_, _>>()?;
    let (objects, mut made) = (Arc::new(rest), Vec::new());
    for policy in policies {
        let Some(kind) = kind_of(&policy) else { continue };
        let (name, policy) = (meta::name(&policy).to_owned(), applied(&catalog, policy)?);
        let own = bindings.iter().filter(|object| binds(object) == Some(kind) && object["spec"]["policyName"] == name.as_str());
        let own: Vec<Value> = own.map(|object| applied(&catalog, object.clone())).collect::<Result<_, _>>()?;
        if own.is_empty() {
            return Err(format!("no {}Binding names the policy {name:?}: without one it is never in force", kind.as_str()));
        }
        let params = resource(&catalog, &policy["spec"]["paramKind"])?;
        let schema = schema(&definitions, &policy["spec"]["paramKind"]);
        let bound = Bound::of(kind, &policy, &own);
        let is_narrowed = own.iter().all(|binding| !binding["spec"]["matchResources"].is_null());
        let (objects, catalog, folder) = (objects.clone(), catalog.clone(), folder.to_owned());
        made.push(Cel { name, folder, policy, bound, params, schema, is_narrowed, objects, catalog, settings: None });
    }
    Ok(made)
}

/// The documents at a place as they can be applied one after the other: definitions, policies, parameters, bindings.
pub(super) fn documents(place: &Path) -> Result<Vec<String>, String> {
    let rank = |object: &Value| match object["kind"].as_str().unwrap_or_default() {
        DEFINITION => 0,
        _ if kind_of(object).is_some() => 1,
        kind if kind.ends_with("PolicyBinding") => 3,
        _ => 2,
    };
    let mut ranked = Vec::new();
    for text in document::texts(place)? {
        let object = codec::yaml::parse(text.as_bytes()).map_err(|error| format!("{}: {error}", place.display()))?.value;
        if is_applied(&object) {
            ranked.push((rank(&object), text));
        }
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    Ok(ranked.into_iter().map(|(_, text)| text).collect())
}

/// The schema that a definition gives to a kind.
fn schema(definitions: &[Value], kind: &Value) -> Value {
    let gvk = GroupVersionKind::from_api_version(
        kind["apiVersion"].as_str().unwrap_or_default(),
        kind["kind"].as_str().unwrap_or_default(),
    );
    let is_it =
        |definition: &&Value| definition["spec"]["group"] == *gvk.group && definition["spec"]["names"]["kind"] == *gvk.kind;
    let versions = definitions.iter().find(is_it).map(|definition| &definition["spec"]["versions"]);
    let version = versions.and_then(Value::as_array).into_iter().flatten().find(|one| one["name"] == *gvk.version);
    version.map(|version| version["schema"]["openAPIV3Schema"].clone()).unwrap_or_default()
}

/// The resource of a policy's parameters.
fn resource(catalog: &Catalog, kind: &Value) -> Result<Option<Arc<Resource>>, String> {
    let text = |field: &str| kind[field].as_str().unwrap_or_default();
    if kind.is_null() {
        return Ok(None);
    }
    let gvk = GroupVersionKind::from_api_version(text("apiVersion"), text("kind"));
    let found = catalog.by_kind(&gvk.group, &gvk.version, &gvk.kind).cloned();
    let missing =
        || format!("spec.paramKind: there is no {} {}; put its {DEFINITION} beside it", text("apiVersion"), text("kind"));
    found.map(Some).ok_or_else(missing)
}

/// An object as a server would store it, or why it would refuse it.
pub(super) fn applied(catalog: &Catalog, object: Value) -> Result<Value, String> {
    let called = format!("{} {:?}", object["kind"].as_str().unwrap_or("an object"), meta::name(&object));
    fit(catalog, object).map_err(|unfit| format!("{called}: {}", unfit.words))
}

/// The same by fields. What no definition is known of stays as it is.
fn fit(catalog: &Catalog, mut object: Value) -> Result<Value, Unfit> {
    let text = |field: &str| object[field].as_str().unwrap_or_default();
    let gvk = GroupVersionKind::from_api_version(text("apiVersion"), text("kind"));
    let Some(resource) = catalog.by_kind(&gvk.group, &gvk.version, &gvk.kind) else { return Ok(object) };
    let mut unknown = Vec::new();
    let decoded = resource.shape.decode(&catalog.types, &mut object, &mut unknown);
    decoded.map_err(|words| Unfit { words, fields: Vec::new() })?;
    if !unknown.is_empty() {
        let field = |told: &String| told.split('"').nth(1).unwrap_or_default().to_owned();
        return Err(Unfit { words: unknown.join(", "), fields: unknown.iter().map(field).collect() });
    }
    catalog.fill_in(&resource.shape, &mut object);
    if let Some(default) = resource.hooks.default {
        default(&mut object);
    }
    let mut errors = Errors::new();
    if let Some(custom) = &resource.custom {
        catalog::custom::rules::validate(custom, &resource.gvk, Part::Whole, (&object, None), &mut errors);
    } else if let Some(validate) = resource.hooks.validate {
        validate(&object, &mut errors);
    }
    if errors.is_empty() { Ok(object) } else { Err(errors.into()) }
}

impl Cel {
    /// The policy with other settings than those in its parameters' file.
    pub(super) fn with(self, settings: Option<Value>) -> Self {
        Self { settings, ..self }
    }

    /// What an author calls it: what it does with objects.
    pub(super) fn world(&self) -> wasm::World {
        if self.bound.kind() == Kind::Mutating { wasm::World::Mutator } else { wasm::World::Validator }
    }

    /// What a server tells of the types of its expressions, in the policy's status.
    pub(super) fn warnings(&self) -> Vec<typecheck::Warning> {
        let is_told = self.bound.kind() != Kind::Mutating;
        let mut found = if is_told { typecheck::warnings(&self.catalog, &self.policy) } else { Vec::new() };
        found.extend(typecheck::of_variables(&self.catalog, &self.policy));
        found
    }

    /// The schema of what is set.
    pub(super) fn settings_schema(&self) -> &Value {
        &self.schema["properties"][self.settings_field()]
    }

    /// Names of parameters that a binding wants and no file has.
    pub(super) fn missing_params(&self) -> Vec<String> {
        let Some(params) = &self.params else { return Vec::new() };
        let is_there = |name: &str| self.objects.iter().any(|one| one["kind"] == *params.gvk.kind && meta::name(one) == name);
        let named = self.bound.params().filter(|reference| !reference.name.is_empty() && !is_there(reference.name));
        named.map(|reference| format!("{} {:?}", params.gvk.kind, reference.name)).collect()
    }

    /// Whether nobody can be told a verdict in a scan.
    pub(super) fn needs_user(&self) -> bool {
        self.bound.needs_user()
    }

    /// The field of the parameters that holds what a policy in another language calls its settings.
    pub(super) fn settings_field(&self) -> &'static str {
        let configmap = |params: &Arc<Resource>| params.custom.is_none() && &*params.gvk.kind == "ConfigMap";
        if self.params.as_ref().is_some_and(configmap) { "data" } else { "spec" }
    }

    /// The parameters made of settings, as a server takes them: nothing where there are none, of the policy or at all.
    pub(super) fn params_of(&self, settings: &Value) -> Result<Option<Value>, Unfit> {
        let Some(params) = &self.params else {
            let says_something = settings.as_object().is_some_and(|fields| !fields.is_empty());
            let words = "the policy has no paramKind, so that nothing can be set".to_owned();
            return if says_something { Err(Unfit { words, fields: Vec::new() }) } else { Ok(None) };
        };
        if settings.is_null() {
            return Ok(None);
        }
        let mut object =
            json!({"apiVersion": params.gvk.api_version(), "kind": &*params.gvk.kind, "metadata": {"name": "params"}});
        object[self.settings_field()] = settings.clone();
        fit(&self.catalog, object).map(Some)
    }

    /// A request as a case or a line tells it; its resource is that of the object's kind.
    pub(super) fn request(&self, said: &Value, about: &Value) -> Result<wasm::Request, String> {
        let mut request = trial::request(said, about)?;
        let kind = &request.kind;
        if let (Some(resource), None) = (self.catalog.by_kind(&kind.group, &kind.version, &kind.kind), said["resource"].as_str())
        {
            request.resource.resource = resource.gvr.resource.to_string();
        }
        Ok(request)
    }

    /// An object in normal form, with its defaults, which is what a mutation leaves.
    pub(super) fn settled(&self, object: &Value) -> Value {
        fit(&self.catalog, object.clone()).unwrap_or_else(|_| object.clone())
    }

    /// Whether a request concerns it.
    pub(super) fn concerns(&self, asked: &Asked<'_>) -> bool {
        let cluster = self.cluster(asked, None);
        let told = self.bound.concerns(&cluster, asked.request, asked.object, asked.old).now_or_never();
        told.unwrap_or(true)
    }

    /// Judges a request.
    pub(super) fn judge(&self, asked: &Asked<'_>) -> Result<Trial, String> {
        let params = match (asked.params, &self.settings) {
            (Some(params), _) => Some(params.clone()),
            (None, Some(settings)) => self.params_of(settings).map_err(|unfit| unfit.words)?,
            (None, None) => None,
        };
        let cluster = self.cluster(asked, params);
        let settled = asked.object.filter(|_| self.bound.kind() == Kind::Mutating).map(|object| self.settled(object));
        let object = settled.as_ref().or(asked.object);
        let trial = self.bound.run(&cluster, asked.request, object, asked.old).now_or_never();
        trial.ok_or_else(|| "the evaluator waits for something, and there is nothing to wait for".to_owned())
    }

    /// The cluster as a request finds it; the parameters lie wherever a binding looks for them.
    fn cluster(&self, asked: &Asked<'_>, params: Option<Value>) -> Cluster {
        let mut own = asked.cluster.to_vec();
        for reference in self.bound.params().filter(|_| params.is_some()) {
            let mut object = params.clone().unwrap_or_default();
            let is_namespaced = self.params.as_ref().is_some_and(|params| params.namespaced);
            reference.place(&mut object, if is_namespaced { &asked.request.namespace } else { "" });
            own.push(object);
        }
        world::cluster(self.catalog.clone(), own, self.objects.clone(), asked.allowed.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_commands_write_beside_a_policy_is_none_of_it() {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/required-labels/cel");
        let folder = tempfile::tempdir().unwrap();
        for file in document::files(&example).unwrap() {
            fs::copy(&file, folder.path().join(file.file_name().unwrap())).unwrap();
        }
        let told = || (read(folder.path()).map(|found| found.map(|found| found.len())), documents(folder.path()).unwrap().len());
        let before = told();
        assert!(before.0 == Ok(Some(1)) && before.1 > 1, "{before:?}");
        fs::write(folder.path().join("before.json"), r#"{"policy": "a", "fuel": 1}"#).unwrap();
        fs::write(folder.path().join("requests.jsonl"), "{\"request\":{}}\n{\"request\":{}}\n").unwrap();
        assert_eq!(told(), before);
    }
}
