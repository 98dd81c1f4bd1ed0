//! Makes resources of a CustomResourceDefinition object: one for each served version.

use std::cmp::Ordering;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use model::{GroupVersionKind, GroupVersionResource, Revision, Value, meta, name, version::by_maturity};
use schema::apply::Filter;
use schema::{Shape, Types};
use sha2::{Digest, Sha256};

use super::jsonpath::Path;
use super::{Conversion, Custom, Definition, Ends, Version, column, rules, scale};
use crate::resource::{Cells, REGISTRY, Resource, Storage, Subresource};
use crate::strategy::{Generation, Strategy};

/// In the order in which upstream tells them.
const VERBS: [&str; 8] = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];
const SUBRESOURCE_VERBS: [&str; 3] = ["get", "patch", "update"];

/// The resources that a definition leads to; none before its names are accepted. What `known` holds of an earlier state is
/// taken over as far as the two say the same. `at` is the newest revision at which an object may have been stored before
/// this state of the definition was known. Fails with what makes the definition unservable.
pub fn resources(
    types: &Types,
    definition: &Value,
    known: Option<&Definition>,
    at: Revision,
    ends: &Ends,
) -> Result<Vec<Resource>, String> {
    if !is_true(definition, "NamesAccepted") && !is_true(definition, "Established") {
        return Ok(Vec::new());
    }
    let names = Names::of(definition)?;
    let shared = Arc::new(shared(definition, &names, known, at, ends)?);
    let mut all = Vec::new();
    for version in versions(definition).filter(|version| flag(version, "served")) {
        all.push(resource(types, definition, &shared, &names, version)?);
    }
    Ok(all)
}

/// Whether a condition of the definition is true.
pub fn is_true(definition: &Value, condition: &str) -> bool {
    let conditions = definition.pointer("/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().any(|known| text(known, "type") == condition && text(known, "status") == "True")
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or("")
}

fn flag(value: &Value, field: &str) -> bool {
    value.get(field).and_then(Value::as_bool).unwrap_or(false)
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn versions(definition: &Value) -> impl Iterator<Item = &Value> {
    definition.pointer("/spec/versions").and_then(Value::as_array).into_iter().flatten()
}

/// What was accepted of the names that the definition wants.
struct Names {
    group: Arc<str>,
    plural: Arc<str>,
    singular: Arc<str>,
    kind: Arc<str>,
    list_kind: Arc<str>,
    short: Vec<Arc<str>>,
    categories: Vec<Arc<str>>,
}

impl Names {
    fn of(definition: &Value) -> Result<Self, String> {
        let accepted = definition.pointer("/status/acceptedNames").unwrap_or(&Value::Null);
        let name = |field: &str| match text(accepted, field) {
            "" => Err(format!("unexpected empty status.acceptedNames.{field}")),
            name => Ok(Arc::<str>::from(name)),
        };
        let all = |field: &str| list(accepted, field).iter().filter_map(Value::as_str).map(Arc::from).collect();
        Ok(Self {
            group: definition.pointer("/spec/group").and_then(Value::as_str).unwrap_or("").into(),
            plural: name("plural")?,
            singular: name("singular")?,
            kind: name("kind")?,
            list_kind: name("listKind")?,
            short: all("shortNames"),
            categories: all("categories"),
        })
    }
}

fn shared(
    definition: &Value,
    names: &Names,
    known: Option<&Definition>,
    at: Revision,
    ends: &Ends,
) -> Result<Definition, String> {
    let (uid, generation) = (meta::uid(definition), meta::generation(definition));
    let known = known.filter(|known| (&*known.uid, known.generation) == (uid, generation));
    let stored = versions(definition).find(|version| flag(version, "storage")).ok_or("no version is stored")?;
    let parsed = match known {
        Some(known) => known.versions.clone(),
        None => versions(definition)
            .map(|version| {
                Version::new(text(version, "name"), version.pointer("/schema/openAPIV3Schema").unwrap_or(&Value::Null))
            })
            .collect::<Result<_, _>>()?,
    };
    let conversion = definition.pointer("/spec/conversion");
    Ok(Definition {
        name: meta::name(definition).into(),
        uid: uid.into(),
        generation,
        since: known.map_or(at, |known| known.since),
        versions: parsed,
        storage: GroupVersionKind::new(&names.group, text(stored, "name"), &names.kind),
        conversion: match conversion.and_then(|conversion| conversion.get("webhook")) {
            Some(webhook) if conversion.is_some_and(|c| text(c, "strategy") == "Webhook") => {
                Conversion::Webhook(Arc::new(webhook.clone()))
            }
            _ => Conversion::None,
        },
        terminating: meta::deletion_timestamp(definition).is_some() || is_true(definition, "Terminating"),
        ends: ends.clone(),
    })
}

fn resource(
    types: &Types,
    definition: &Value,
    shared: &Arc<Definition>,
    names: &Names,
    version: &Value,
) -> Result<Resource, String> {
    let name = text(version, "name");
    let shape = |version: &str| shared.schema(version).cloned().map(Shape::Structural).ok_or("a version without a schema");
    let (columns, cells) = column::columns(list(version, "additionalPrinterColumns"));
    let subresources = version.get("subresources").unwrap_or(&Value::Null);
    let has_status = subresources.get("status").is_some_and(Value::is_object);
    let scale = subresources.get("scale").filter(|scale| scale.is_object()).map(scale::Paths::of);
    let gvk = GroupVersionKind::new(&names.group, name, &names.kind);
    let storage = Storage {
        prefix: format!("{REGISTRY}/{}/{}/", names.group, names.plural).into(),
        upstream: shared.storage.api_version().into(),
        shape: shape(&shared.storage.version)?,
        gvk: shared.storage.clone(),
    };
    let mut parts = Vec::new();
    if has_status {
        parts.push(Subresource {
            only: Some("status".into()),
            resets: Filter::except(["metadata", "spec"]),
            ..subresource("status", gvk.clone(), shape(name)?)
        });
    }
    if scale.is_some() {
        let kind = GroupVersionKind::new("autoscaling", "v1", "Scale");
        let ty = types.of_kind("autoscaling/v1", "Scale").ok_or("the type tables lack Scale")?;
        let table = crate::columns::of("autoscaling", "Scale").map(|cells| (crate::read::scale_columns(), cells));
        parts.push(Subresource { foreign: true, table, ..subresource("scale", kind, Shape::Struct(ty)) });
    }
    Ok(Resource {
        gvr: GroupVersionResource { group: names.group.clone(), version: name.into(), resource: names.plural.clone() },
        list_kind: names.list_kind.clone(),
        singular: names.singular.clone(),
        short_names: names.short.clone(),
        categories: names.categories.clone(),
        namespaced: definition.pointer("/spec/scope").and_then(Value::as_str) == Some("Namespaced"),
        verbs: VERBS.map(Arc::from).to_vec(),
        shape: shape(name)?,
        subresources: parts,
        storage_version_hash: storage_version_hash(&shared.storage).into(),
        storage: Some(storage),
        computed: None,
        columns,
        cells: Cells::Custom,
        strategy: strategy(has_status),
        hooks: &rules::HOOKS,
        custom: Some(Custom {
            definition: shared.clone(),
            cells,
            selectable: selectable(version),
            scale,
            warnings: warnings(definition, version),
        }),
        gvk,
    })
}

fn subresource(name: &str, gvk: GroupVersionKind, shape: Shape) -> Subresource {
    Subresource {
        name: name.into(),
        gvk,
        foreign: false,
        verbs: SUBRESOURCE_VERBS.map(Arc::from).to_vec(),
        shape,
        options: None,
        takes_path: false,
        connect: Vec::new(),
        keeps: Vec::new(),
        only: None,
        names_again: false,
        resets: Filter::All,
        table: None,
    }
}

fn strategy(has_status: bool) -> Strategy {
    let status: Vec<Arc<str>> = if has_status { vec!["status".into()] } else { Vec::new() };
    Strategy {
        clears: status.clone(),
        keeps: status,
        resets: Filter::except(has_status.then_some("status")),
        generation: Generation::CountsAll,
        name: name::name_is_dns_subdomain,
        ..Strategy::default()
    }
}

/// `discovery.StorageVersionHash` of upstream.
fn storage_version_hash(kind: &GroupVersionKind) -> String {
    let digest = Sha256::digest(format!("{}/{}/{}", kind.group, kind.version, kind.kind));
    BASE64_STANDARD.encode(&digest[..8])
}

fn selectable(version: &Value) -> Vec<(Arc<str>, Path)> {
    let field = |field: &Value| {
        let path = text(field, "jsonPath");
        Some((path.strip_prefix('.').unwrap_or(path).into(), Path::parse(path).ok()?))
    };
    list(version, "selectableFields").iter().filter_map(field).collect()
}

fn warnings(definition: &Value, version: &Value) -> Vec<Arc<str>> {
    if !flag(version, "deprecated") {
        return Vec::new();
    }
    let own = version.get("deprecationWarning").and_then(Value::as_str);
    vec![own.map_or_else(|| deprecation(definition, text(version, "name")).into(), Arc::from)]
}

/// What upstream says of a deprecated version that does not speak for itself.
fn deprecation(definition: &Value, version: &str) -> String {
    let group = definition.pointer("/spec/group").and_then(Value::as_str).unwrap_or("");
    let kind = definition.pointer("/spec/names/kind").and_then(Value::as_str).unwrap_or("");
    let better = versions(definition)
        .filter(|other| flag(other, "served") && !flag(other, "deprecated"))
        .map(|other| text(other, "name"))
        .filter(|other| by_maturity(version, other) == Ordering::Less)
        .max_by(|a, b| by_maturity(a, b));
    let told = format!("{group}/{version} {kind} is deprecated");
    better.map_or(told.clone(), |better| format!("{told}; use {group}/{better} {kind}"))
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;
    use crate::Catalog;

    fn crontabs() -> Value {
        let schema = json!({"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object", "properties": {"replicas": {"type": "integer"}}}, "status": {"type": "object"}}}});
        json!({
            "metadata": {"name": "crontabs.stable.example.com", "uid": "u", "generation": 1},
            "spec": {
                "group": "stable.example.com", "scope": "Namespaced",
                "names": {"plural": "crontabs", "singular": "crontab", "kind": "CronTab", "listKind": "CronTabList", "shortNames": ["ct"]},
                "versions": [
                    {"name": "v1beta1", "served": true, "storage": false, "deprecated": true, "schema": schema},
                    {"name": "v1", "served": true, "storage": true, "schema": schema,
                     "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}},
                     "selectableFields": [{"jsonPath": ".spec.replicas"}]},
                    {"name": "v0", "served": false, "storage": false, "schema": schema},
                ],
            },
            "status": {
                "acceptedNames": {"plural": "crontabs", "singular": "crontab", "kind": "CronTab", "listKind": "CronTabList", "shortNames": ["ct"]},
                "conditions": [{"type": "NamesAccepted", "status": "True"}, {"type": "Established", "status": "True"}],
            },
        })
    }

    fn ends() -> Ends {
        futures::FutureExt::shared(futures::channel::oneshot::channel().1)
    }

    fn made(definition: &Value) -> Vec<Resource> {
        let types = Catalog::builtin().expect("tables").types;
        resources(&types, definition, None, 7, &ends()).expect("a servable definition")
    }

    #[test]
    fn each_served_version_is_a_resource() {
        let all = made(&crontabs());
        assert_eq!(
            all.iter().map(Resource::api_version).collect::<Vec<_>>(),
            ["stable.example.com/v1beta1", "stable.example.com/v1"]
        );
        let v1 = &all[1];
        let storage = v1.storage.as_ref().expect("stored");
        assert_eq!(&*storage.prefix, "/registry/stable.example.com/crontabs/");
        assert_eq!((v1.subresources.len(), v1.has_status(), all[0].has_status()), (2, true, false));
        let custom = v1.custom.as_ref().expect("custom");
        assert_eq!(custom.fields(&json!({"spec": {"replicas": 3}})).collect::<Vec<_>>(), [("spec.replicas", "3".to_owned())]);
        let warned = &all[0].custom.as_ref().expect("custom").warnings;
        assert_eq!(&*warned[0], "stable.example.com/v1beta1 CronTab is deprecated; use stable.example.com/v1 CronTab");
    }

    #[test]
    fn nothing_is_served_before_names_are_accepted() {
        let mut definition = crontabs();
        definition["status"]["conditions"] = json!([{"type": "NamesAccepted", "status": "False"}]);
        assert!(made(&definition).is_empty());
    }

    #[test]
    fn what_a_new_state_leaves_alone_is_not_read_again() {
        let types = Catalog::builtin().expect("tables").types;
        let first = made(&crontabs());
        let known = &first[0].custom.as_ref().expect("custom").definition;
        let mut definition = crontabs();
        definition["status"]["conditions"][0]["message"] = json!("other");
        let second = resources(&types, &definition, Some(known), 9, &ends()).expect("servable");
        let again = &second[0].custom.as_ref().expect("custom").definition;
        assert!(Arc::ptr_eq(&known.versions, &again.versions));
        assert_eq!(again.since, 7);
        definition["metadata"]["generation"] = json!(2);
        let third = resources(&types, &definition, Some(known), 9, &ends()).expect("servable");
        assert_eq!(third[0].custom.as_ref().expect("custom").definition.since, 9);
    }
}
