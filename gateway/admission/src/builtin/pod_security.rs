//! PodSecurity: pods keep to the Pod Security Standard that the labels of their namespace name; what makes pods is told of
//! it; a namespace's labels are well-formed, and whoever makes them stricter hears which pods break them already.
//! What holds besides labels, and who is exempt, is configured. Follows `plugin/pkg/admission/security/podsecurity` and
//! `k8s.io/pod-security-admission/admission`.

use std::sync::Arc;

use model::field::Errors;
use model::{GroupVersionResource, Status, Value, World, meta};

use crate::builtin::{group_resource, is, items, text};
use crate::{Notes, Operation, Plugin, Review};
use checks::Pod;
pub(super) use configuration::Configuration;
use labels::{PREFIX, Policy, Standard};

mod baseline;
mod checks;
mod configuration;
mod labels;
mod namespace;
mod restricted;

/// Subresources of pods whose bodies are no pods, or cannot change what is judged.
const SUBRESOURCES_IGNORED: [&str; 8] = ["exec", "attach", "binding", "eviction", "log", "portforward", "proxy", "status"];

/// What makes pods, with the path of the template.
const CONTROLLERS: [(&str, &str, &str); 8] = [
    ("", "podtemplates", "/template"),
    ("", "replicationcontrollers", "/spec/template"),
    ("apps", "replicasets", "/spec/template"),
    ("apps", "deployments", "/spec/template"),
    ("apps", "statefulsets", "/spec/template"),
    ("apps", "daemonsets", "/spec/template"),
    ("batch", "jobs", "/spec/template"),
    ("batch", "cronjobs", "/spec/jobTemplate/spec/template"),
];

pub(super) struct PodSecurity {
    world: Arc<dyn World>,
    namespaces: GroupVersionResource,
    pods: GroupVersionResource,
    configuration: Configuration,
}

impl PodSecurity {
    pub(super) fn new(world: Arc<dyn World>, configuration: Configuration) -> Self {
        Self {
            configuration,
            world,
            namespaces: GroupVersionResource::new("", "v1", "namespaces"),
            pods: GroupVersionResource::new("", "v1", "pods"),
        }
    }

    async fn namespace(&self, review: &Review<'_>) -> Result<Value, Status> {
        self.world.get(&self.namespaces, "", review.namespace).await
    }

    fn policy(&self, namespace: &Value) -> (Policy, Errors) {
        Policy::of(namespace, self.configuration.defaults)
    }

    /// Whether nothing is asked in this namespace, or of this user, which is then noted.
    fn exempts(&self, review: &Review<'_>, notes: &mut Notes) -> bool {
        let why = if self.configuration.exempts_namespace(review.namespace) {
            "namespace"
        } else if self.configuration.exempts_user(&review.user.name) {
            "user"
        } else {
            return false;
        };
        annotate(notes, "exempt", why);
        true
    }

    /// The same of the class of a pod.
    fn exempts_class(&self, pod: &Value, notes: &mut Notes) -> bool {
        let exempt = self.configuration.exempts_runtime_class(pod);
        if exempt {
            annotate(notes, "exempt", "runtimeClass");
        }
        exempt
    }

    async fn pod(&self, review: &Review<'_>, pod: &Value, notes: &mut Notes) -> Result<(), Status> {
        if self.exempts(review, notes) {
            return Ok(());
        }
        let namespace = match self.namespace(review).await {
            Ok(namespace) => namespace,
            Err(error) => {
                let status = Status::internal(format!("failed to lookup namespace \"{}\"", review.namespace));
                annotate(notes, "error", format!("{}: {}", status.message, error.message));
                return Err(status);
            }
        };
        let (policy, errors) = self.policy(&namespace);
        if errors.is_empty() && policy.is_privileged() {
            annotate(notes, "enforce-policy", "privileged:latest");
            return Ok(());
        }
        if review.old.is_some_and(|old| review.operation == Operation::Update && !is_significant(pod, old)) {
            return Ok(());
        }
        if self.exempts_class(pod, notes) {
            return Ok(());
        }
        annotate_errors(notes, &errors);
        annotate(notes, "enforce-policy", policy.enforce.to_string());
        let subject = Pod::of(pod);
        let broken = told(policy.enforce, &subject);
        let refusal = broken.map(|details| {
            let name = if review.name.is_empty() { meta::name(pod) } else { review.name };
            Status::forbidden(&group_resource(review), name, format!("violates PodSecurity \"{}\": {details}", policy.enforce))
        });
        audit(&policy, &subject, notes);
        match refusal {
            // Who is refused needs no warning besides.
            Some(status) => Err(status),
            None => {
                warn(&policy, &subject, notes);
                Ok(())
            }
        }
    }

    /// What makes pods is never refused: its pods will be.
    async fn controller(&self, review: &Review<'_>, template: &Value, notes: &mut Notes) {
        if self.exempts(review, notes) {
            return;
        }
        let namespace = match self.namespace(review).await {
            Ok(namespace) => namespace,
            Err(error) => {
                let why = format!("failed to lookup namespace \"{}\": {}", review.namespace, error.message);
                return annotate(notes, "error", why);
            }
        };
        let (policy, errors) = self.policy(&namespace);
        if errors.is_empty() && policy.warn.is_privileged() && policy.audit.is_privileged() {
            return;
        }
        if self.exempts_class(template, notes) {
            return;
        }
        annotate_errors(notes, &errors);
        let subject = Pod::of(template);
        audit(&policy, &subject, notes);
        warn(&policy, &subject, notes);
    }

    async fn labels(&self, review: &Review<'_>, namespace: &Value, notes: &mut Notes) -> Result<(), Status> {
        let (policy, errors) = self.policy(namespace);
        let before = review.old.map(|old| self.policy(old));
        // What an older server let in may stay as it is.
        if !errors.is_empty() && before.as_ref().is_none_or(|(_, before)| before.0 != errors.0) {
            return Err(Status::invalid(&review.kind.group_kind(), review.name, &errors));
        }
        let asks_more = before.as_ref().is_none_or(|(before, _)| namespace::is_stricter(policy.enforce, before.enforce));
        if asks_more && self.configuration.exempts_namespace(meta::name(namespace)) {
            if let Some(ignored) = policy.ignored(namespace, &self.configuration.defaults) {
                let name = meta::name(namespace);
                notes.warn(format!(
                    "namespace \"{name}\" is exempt from Pod Security, and the policy ({ignored}) will be ignored"
                ));
            }
            return Ok(());
        }
        if asks_more && before.is_some() {
            let pods = self.world.list(&self.pods, meta::name(namespace), "").await;
            let pods =
                pods.map(|(pods, _)| pods.into_iter().filter(|pod| !self.configuration.exempts_runtime_class(pod)).collect());
            let judging_max = review.left_of(namespace::JUDGING_MAX * 2) / 2;
            let warnings = namespace::warnings(meta::name(namespace), policy.enforce, pods, judging_max);
            warnings.into_iter().for_each(|warning| notes.warn(warning));
        }
        Ok(())
    }
}

/// What a pod breaks of a standard, in full; nothing if it keeps to it.
fn told(standard: Standard, pod: &Pod<'_>) -> Option<String> {
    let faults = checks::faults(standard, pod);
    (!faults.is_empty()).then(|| checks::details(&faults))
}

fn audit(policy: &Policy, pod: &Pod<'_>, notes: &mut Notes) {
    if let Some(details) = told(policy.audit, pod) {
        annotate(notes, "audit-violations", format!("would violate PodSecurity \"{}\": {details}", policy.audit));
    }
}

fn warn(policy: &Policy, pod: &Pod<'_>, notes: &mut Notes) {
    if let Some(details) = told(policy.warn, pod) {
        notes.warn(format!("would violate PodSecurity \"{}\": {details}", policy.warn));
    }
}

fn annotate(notes: &mut Notes, key: &str, value: impl Into<String>) {
    notes.annotate(format!("{PREFIX}{key}"), value);
}

fn annotate_errors(notes: &mut Notes, errors: &Errors) {
    let told: Vec<String> = errors.0.iter().map(ToString::to_string).collect();
    match &told[..] {
        [] => {}
        [one] => annotate(notes, "error", format!("Failed to parse policy: {one}")),
        several => annotate(notes, "error", format!("Failed to parse policy: [{}]", several.join(", "))),
    }
}

/// Whether an update changes what is judged: of what can change in a pod, only images and ephemeral containers do.
fn is_significant(pod: &Value, old: &Value) -> bool {
    let list = |pod, list| pod_list(pod, list);
    let images = |pod, name| list(pod, name).iter().map(|container| text(container, "image"));
    let differ = |name| images(pod, name).ne(images(old, name));
    let known = |name: &str| list(old, "ephemeralContainers").iter().find(|container| text(container, "name") == name);
    let is_new =
        |container: &Value| known(text(container, "name")).is_none_or(|known| text(known, "image") != text(container, "image"));
    differ("containers") || differ("initContainers") || list(pod, "ephemeralContainers").iter().any(is_new)
}

fn pod_list<'a>(pod: &'a Value, list: &str) -> &'a [Value] {
    items(checks::field(pod, "spec"), list)
}

fn template_path(resource: &GroupVersionResource) -> Option<&'static str> {
    CONTROLLERS.iter().find(|(group, plural, _)| is(resource, group, plural)).map(|(_, _, path)| *path)
}

#[async_trait::async_trait]
impl Plugin for PodSecurity {
    fn name(&self) -> &'static str {
        "PodSecurity"
    }

    fn handles(&self, operation: Operation, resource: &GroupVersionResource, subresource: &str) -> bool {
        matches!(operation, Operation::Create | Operation::Update)
            && match subresource {
                "" => is(resource, "", "pods") || is(resource, "", "namespaces") || template_path(resource).is_some(),
                subresource => is(resource, "", "pods") && !SUBRESOURCES_IGNORED.contains(&subresource),
            }
    }

    async fn validate(&self, review: &Review<'_>, object: Option<&Value>, notes: &mut Notes) -> Result<(), Status> {
        let Some(object) = object else { return Ok(()) };
        if is(review.resource, "", "pods") {
            return self.pod(review, object, notes).await;
        }
        if is(review.resource, "", "namespaces") {
            return self.labels(review, object, notes).await;
        }
        let template = template_path(review.resource).and_then(|path| object.pointer(path));
        if let Some(template) = template.filter(|template| template.is_object()) {
            self.controller(review, template, notes).await;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
