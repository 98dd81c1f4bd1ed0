//! PodTolerationRestriction: pods get the tolerations that their namespace's annotation gives, and have none but those that another
//! annotation lists; the configuration gives and lists them for namespaces without these annotations.
//! Follows `plugin/pkg/admission/podtolerationrestriction`.

use std::sync::Arc;

use catalog::hooks::validate_tolerations;
use catalog::quota::is_best_effort;
use model::field::{Errors, Path};
use model::json::json;
use model::{GroupVersionResource, Status, Value, World, meta};

use crate::builtin::{is, items, tolerations};
use crate::configuration::{self, Strictness};
use crate::{Notes, Operation, Plugin, Review};

const DEFAULTS: &str = "scheduler.alpha.kubernetes.io/defaultTolerations";
const LISTED: &str = "scheduler.alpha.kubernetes.io/tolerationsWhitelist";

const KINDS: [(&str, &str); 1] = [("podtolerationrestriction.admission.k8s.io/v1alpha1", "Configuration")];

/// What holds in namespaces that say nothing themselves.
#[derive(Clone, Debug, Default)]
pub(super) struct Configuration {
    given: Vec<Value>,
    listed: Vec<Value>,
}

impl Configuration {
    /// Fails in upstream's words.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let document = configuration::document(text, &KINDS, Strictness::Lenient)?;
        let (given, listed) = (items(&document, "default"), items(&document, "whitelist"));
        let mut errors = Errors::new();
        let path = Path::new("podtolerationrestriction");
        validate_tolerations(given, &path.child("default"), &mut errors);
        validate_tolerations(listed, &path.child("whitelist"), &mut errors);
        if errors.is_empty() {
            return Ok(Self { given: given.to_vec(), listed: listed.to_vec() });
        }
        let told: Vec<String> = errors.0.iter().map(ToString::to_string).collect();
        Err(format!("invalid config: [{}]", told.join(" ")))
    }
}

pub(super) struct PodTolerationRestriction {
    world: Arc<dyn World>,
    namespaces: GroupVersionResource,
    configuration: Configuration,
}

impl PodTolerationRestriction {
    pub(super) fn new(world: Arc<dyn World>, configuration: Configuration) -> Self {
        Self { world, namespaces: GroupVersionResource::new("", "v1", "namespaces"), configuration }
    }

    /// The tolerations that an annotation of the namespace holds, none where it is empty; nothing where there is none.
    async fn annotated(&self, review: &Review<'_>, annotation: &str) -> Result<Option<Vec<Value>>, Status> {
        let namespace = self.world.get(&self.namespaces, "", review.namespace).await?;
        let parse = |text: &str| if text.is_empty() { Ok(Vec::new()) } else { codec::json::structs(text, "v1.Toleration") };
        meta::annotation(&namespace, annotation).map(parse).transpose().map_err(|why| Status::new(500, "", why))
    }
}

fn of_pod(pod: &Value) -> &[Value] {
    pod.get("spec").map_or(&[], |spec| items(spec, "tolerations"))
}

#[async_trait::async_trait]
impl Plugin for PodTolerationRestriction {
    fn name(&self) -> &'static str {
        "PodTolerationRestriction"
    }

    fn handles(&self, operation: Operation, resource: &GroupVersionResource, subresource: &str) -> bool {
        matches!(operation, Operation::Create | Operation::Update) && is(resource, "", "pods") && subresource.is_empty()
    }

    async fn mutate(&self, review: &Review<'_>, pod: &mut Value, notes: &mut Notes) -> Result<(), Status> {
        let mut more = Vec::new();
        if review.operation == Operation::Create {
            more = self.annotated(review, DEFAULTS).await?.unwrap_or_else(|| self.configuration.given.clone());
        }
        // What asks for memory shall not be kept from nodes for want of memory.
        if !is_best_effort(pod) {
            more.push(json!({"key": "node.kubernetes.io/memory-pressure", "operator": "Exists", "effect": "NoSchedule"}));
        }
        if !more.is_empty() {
            let mut made = pod.clone();
            if let Some(spec) = made.get_mut("spec").and_then(Value::as_object_mut) {
                spec.insert("tolerations", tolerations::merged(of_pod(pod), &more).into());
            }
            // Of what an annotation says nothing is known.
            notes.replace(pod, made);
        }
        // What is not listed is refused before the rules of Pods are asked, and once more when all are through.
        self.judge(review, pod).await
    }

    async fn validate(&self, review: &Review<'_>, object: Option<&Value>, _notes: &mut Notes) -> Result<(), Status> {
        match object {
            Some(pod) => self.judge(review, pod).await,
            None => Ok(()),
        }
    }
}

impl PodTolerationRestriction {
    /// Whether the list of the namespace, or else of the cluster, has all that a Pod tolerates.
    async fn judge(&self, review: &Review<'_>, pod: &Value) -> Result<(), Status> {
        let own = of_pod(pod);
        if own.is_empty() {
            return Ok(());
        }
        let annotated = self.annotated(review, LISTED).await?;
        let whose = if annotated.is_some() { "namespace" } else { "cluster" };
        let listed = annotated.as_ref().unwrap_or(&self.configuration.listed);
        let is_listed = |toleration: &Value| listed.iter().any(|wide| tolerations::covers(wide, toleration));
        if listed.is_empty() || own.iter().all(is_listed) {
            return Ok(());
        }
        let why =
            format!("pod tolerations (possibly merged with namespace default tolerations) conflict with its {whose} whitelist");
        // Upstream refuses with something that is no refusal.
        Err(Status::new(500, "", why))
    }
}
