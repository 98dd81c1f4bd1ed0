//! AlwaysPullImages: images are pulled whenever a container starts, so that who may not pull one cannot run what somebody
//! else pulled. Follows `plugin/pkg/admission/alwayspullimages`.

use std::collections::BTreeSet;

use model::field::{Errors, Path};
use model::{GroupVersionResource, Status, Value};

use crate::builtin::{forbidden, is, items, text};
use crate::{Notes, Operation, Plugin, Review};

const ALWAYS: &str = "Always";
const CONTAINERS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

pub(super) struct AlwaysPullImages;

fn images(pod: &Value) -> BTreeSet<&str> {
    let spec = pod.get("spec").unwrap_or(&Value::Null);
    CONTAINERS.iter().flat_map(|list| items(spec, list)).map(|container| text(container, "image")).collect()
}

/// An update that names no image which the pod did not have.
fn is_settled(review: &Review<'_>, pod: &Value) -> bool {
    review.operation == Operation::Update && review.old.is_some_and(|old| images(pod).is_subset(&images(old)))
}

#[async_trait::async_trait]
impl Plugin for AlwaysPullImages {
    fn name(&self) -> &'static str {
        "AlwaysPullImages"
    }

    fn handles(&self, operation: Operation, resource: &GroupVersionResource, subresource: &str) -> bool {
        matches!(operation, Operation::Create | Operation::Update) && is(resource, "", "pods") && subresource.is_empty()
    }

    async fn mutate(&self, review: &Review<'_>, pod: &mut Value, _notes: &mut Notes) -> Result<(), Status> {
        if is_settled(review, pod) {
            return Ok(());
        }
        let Some(spec) = pod.get_mut("spec") else { return Ok(()) };
        for list in CONTAINERS {
            for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                container["imagePullPolicy"] = ALWAYS.into();
            }
        }
        for volume in spec.get_mut("volumes").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(image) = volume.get_mut("image").filter(|image| image.is_object()) {
                image["pullPolicy"] = ALWAYS.into();
            }
        }
        Ok(())
    }

    async fn validate(&self, review: &Review<'_>, object: Option<&Value>, _notes: &mut Notes) -> Result<(), Status> {
        let Some(pod) = object.filter(|pod| !is_settled(review, pod)) else { return Ok(()) };
        let (spec, path) = (pod.get("spec").unwrap_or(&Value::Null), Path::new("spec"));
        let mut errors = Errors::new();
        for list in CONTAINERS {
            for (i, container) in items(spec, list).iter().enumerate().filter(|(_, one)| text(one, "imagePullPolicy") != ALWAYS) {
                let list = path.child(list);
                errors.not_supported(&list.index(i).child("imagePullPolicy"), text(container, "imagePullPolicy"), &[ALWAYS]);
            }
        }
        for (i, volume) in items(spec, "volumes").iter().enumerate() {
            if let Some(image) = volume.get("image").filter(|image| image.is_object() && text(image, "pullPolicy") != ALWAYS) {
                let list = path.child("volumes");
                let volume = list.index(i);
                errors.not_supported(&volume.child("image").child("pullPolicy"), text(image, "pullPolicy"), &[ALWAYS]);
            }
        }
        let faults: Vec<String> = errors.0.iter().map(|error| forbidden(review, object, error).message).collect();
        // Upstream adds the refusals up to something that is none itself.
        match &faults[..] {
            [] => Ok(()),
            [one] => Err(Status::new(500, "", one.clone())),
            several => Err(Status::new(500, "", format!("[{}]", several.join(", ")))),
        }
    }
}
