//! Priority: a pod's priority is what its PriorityClass says, and only one class is the default.

use std::sync::Arc;

use model::json::json;
use model::{GroupVersionResource, Status, Value, World, meta};

use crate::builtin::{forbidden, is, is_path_segment, text};
use crate::{Notes, Operation, Plugin, Review};

pub(super) struct Priority {
    world: Arc<dyn World>,
    classes: GroupVersionResource,
}

/// What a class gives a pod.
struct Granted {
    class: String,
    priority: i64,
    preemption: Option<String>,
}

impl Granted {
    fn by(class: &Value) -> Self {
        let preemption = text(class, "preemptionPolicy");
        Self {
            class: meta::name(class).to_owned(),
            priority: value(class),
            preemption: (!preemption.is_empty()).then(|| preemption.to_owned()),
        }
    }
}

fn value(class: &Value) -> i64 {
    class.get("value").and_then(Value::as_i64).unwrap_or(0)
}

impl Priority {
    pub(super) fn new(world: Arc<dyn World>) -> Self {
        Self { world, classes: GroupVersionResource::new("scheduling.k8s.io", "v1", "priorityclasses") }
    }

    /// The default class; of several that a race left, the lowest.
    async fn default_class(&self) -> Result<Option<Arc<Value>>, Status> {
        let classes = self.world.look_all(&self.classes, "").await?;
        let defaults = classes.into_iter().filter(|c| c.get("globalDefault").and_then(Value::as_bool) == Some(true));
        Ok(defaults.min_by_key(|class| value(class)))
    }

    async fn granted(&self, review: &Review<'_>, pod: &Value) -> Result<Granted, Status> {
        let name = pod.pointer("/spec/priorityClassName").and_then(Value::as_str).unwrap_or("");
        if name.is_empty() {
            let unclassed = Granted { class: String::new(), priority: 0, preemption: Some("PreemptLowerPriority".to_owned()) };
            return Ok(self.default_class().await?.as_ref().map_or(unclassed, |class| Granted::by(class)));
        }
        match self.world.look(&self.classes, "", name).await {
            Ok(class) => Ok(Granted::by(&class)),
            // Upstream looks into its cache, where no name is wrong.
            Err(status) if status.code == 404 || !is_path_segment(name) => {
                Err(forbidden(review, Some(pod), format!("no PriorityClass with name {name} was found")))
            }
            Err(status) => Err(status),
        }
    }

    async fn admit_pod(&self, review: &Review<'_>, pod: &mut Value) -> Result<(), Status> {
        let granted = self.granted(review, pod).await?;
        let given = pod.pointer("/spec/priority").and_then(Value::as_i64);
        if let Some(given) = given.filter(|given| *given != granted.priority) {
            let why = format!(
                "the integer value of priority ({given}) must not be provided in pod spec; priority admission controller computed {} from the given PriorityClass name",
                granted.priority
            );
            return Err(forbidden(review, Some(pod), why));
        }
        let given = pod.pointer("/spec/preemptionPolicy").and_then(Value::as_str);
        if let (Some(given), Some(policy)) = (given, granted.preemption.as_deref().filter(|policy| given != Some(policy))) {
            let why = format!(
                "the string value of PreemptionPolicy ({given}) must not be provided in pod spec; priority admission controller computed {policy} from the given PriorityClass name"
            );
            return Err(forbidden(review, Some(pod), why));
        }
        let Some(spec) = pod.get_mut("spec").and_then(Value::as_object_mut) else { return Ok(()) };
        if !granted.class.is_empty() {
            spec.insert("priorityClassName", granted.class.into());
        }
        spec.insert("priority", granted.priority.into());
        if let Some(policy) = granted.preemption {
            spec.insert("preemptionPolicy", policy.into());
        }
        Ok(())
    }
}

/// What an update leaves out stays: clients that read an old version would drop it.
fn keep(new: &mut Value, old: &Value) {
    let Some(spec) = new.get_mut("spec").and_then(Value::as_object_mut) else { return };
    for field in ["priority", "preemptionPolicy"] {
        if let (None, Some(value)) = (spec.get(field), old.pointer(&format!("/spec/{field}"))) {
            spec.insert(field.to_owned(), value.clone());
        }
    }
}

#[async_trait::async_trait]
impl Plugin for Priority {
    fn name(&self) -> &'static str {
        "Priority"
    }

    fn handles(&self, operation: Operation, resource: &GroupVersionResource, subresource: &str) -> bool {
        matches!(operation, Operation::Create | Operation::Update)
            && subresource.is_empty()
            && (is(resource, "", "pods") || is(resource, "scheduling.k8s.io", "priorityclasses"))
    }

    async fn mutate(&self, review: &Review<'_>, object: &mut Value, _notes: &mut Notes) -> Result<(), Status> {
        if !is(review.resource, "", "pods") {
            return Ok(());
        }
        match review.old {
            None => self.admit_pod(review, object).await,
            Some(old) => {
                keep(object, old);
                Ok(())
            }
        }
    }

    async fn validate(&self, review: &Review<'_>, object: Option<&Value>, _notes: &mut Notes) -> Result<(), Status> {
        let Some(class) = object.filter(|_| is(review.resource, "scheduling.k8s.io", "priorityclasses")) else { return Ok(()) };
        if class.get("globalDefault") != Some(&json!(true)) {
            return Ok(());
        }
        match self.default_class().await? {
            Some(other) if review.old.is_none() || meta::name(&other) != meta::name(class) => {
                let why =
                    format!("PriorityClass {} is already marked as default. Only one default can exist", meta::name(&other));
                Err(forbidden(review, Some(class), why))
            }
            _ => Ok(()),
        }
    }
}
