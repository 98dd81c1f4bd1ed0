//! DefaultStorageClass and DefaultIngressClass: what names no class gets the one that is marked as default; of several, the
//! newest. Follows `plugin/pkg/admission/{storage/storageclass/setdefault,network/defaultingressclass}`.

use std::sync::Arc;

use model::{GroupVersionResource, Status, Value, World, meta};

use crate::builtin::{forbidden, is};
use crate::{Notes, Operation, Plugin, Review};

/// What the two plugins differ in.
pub(super) struct Facts {
    name: &'static str,
    /// Group and plural of what gets a class.
    of: (&'static str, &'static str),
    /// The field below `spec`.
    field: &'static str,
    /// The annotation of old that names a class.
    annotation: &'static str,
    /// Group, version and plural of the classes.
    classes: (&'static str, &'static str, &'static str),
    /// Annotations that mark the default.
    marks: &'static [&'static str],
}

pub(super) static STORAGE: Facts = Facts {
    name: "DefaultStorageClass",
    of: ("", "persistentvolumeclaims"),
    field: "storageClassName",
    annotation: "volume.beta.kubernetes.io/storage-class",
    classes: ("storage.k8s.io", "v1", "storageclasses"),
    marks: &["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"],
};

pub(super) static INGRESS: Facts = Facts {
    name: "DefaultIngressClass",
    of: ("networking.k8s.io", "ingresses"),
    field: "ingressClassName",
    annotation: "kubernetes.io/ingress.class",
    classes: ("networking.k8s.io", "v1", "ingressclasses"),
    marks: &["ingressclass.kubernetes.io/is-default-class"],
};

pub(super) struct DefaultClass {
    facts: &'static Facts,
    world: Arc<dyn World>,
    classes: GroupVersionResource,
}

impl DefaultClass {
    pub(super) fn new(facts: &'static Facts, world: Arc<dyn World>) -> Self {
        let (group, version, resource) = facts.classes;
        Self { facts, world, classes: GroupVersionResource::new(group, version, resource) }
    }
}

/// The default among classes: the newest, then the first by name.
fn choose<'a>(classes: &'a [Value], marks: &[&str]) -> Option<&'a str> {
    let marked = |class: &&Value| marks.iter().any(|mark| meta::annotation(class, mark) == Some("true"));
    let made = |class: &Value| meta::text(class, "creationTimestamp").to_owned();
    let newest_first = |a: &&Value, b: &&Value| made(b).cmp(&made(a)).then_with(|| meta::name(a).cmp(meta::name(b)));
    classes.iter().filter(marked).min_by(newest_first).map(meta::name)
}

#[async_trait::async_trait]
impl Plugin for DefaultClass {
    fn name(&self) -> &'static str {
        self.facts.name
    }

    fn handles(&self, operation: Operation, resource: &GroupVersionResource, subresource: &str) -> bool {
        let (group, plural) = self.facts.of;
        operation == Operation::Create && subresource.is_empty() && is(resource, group, plural)
    }

    async fn mutate(&self, review: &Review<'_>, object: &mut Value, _notes: &mut Notes) -> Result<(), Status> {
        let given = object.get("spec").and_then(|spec| spec.get(self.facts.field)).is_some_and(|class| !class.is_null());
        if given || meta::annotation(object, self.facts.annotation).is_some() {
            return Ok(());
        }
        let classes = self.world.list(&self.classes, "", "").await;
        let (classes, _) = classes.map_err(|status| forbidden(review, Some(object), status))?;
        let Some(class) = choose(&classes, self.facts.marks) else { return Ok(()) };
        let Some(object) = object.as_object_mut() else { return Ok(()) };
        let spec = object.entry("spec").or_insert_with(|| Value::Object(model::Map::new()));
        if let Some(spec) = spec.as_object_mut() {
            spec.insert(self.facts.field.to_owned(), class.into());
        }
        Ok(())
    }
}
