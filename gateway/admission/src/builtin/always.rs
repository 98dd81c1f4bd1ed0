//! AlwaysAdmit and AlwaysDeny: one answer to everything. Follows `plugin/pkg/admission/{admit,deny}`.

use model::{GroupVersionResource, Status, Value};

use crate::builtin::forbidden;
use crate::{Notes, Operation, Plugin, Review};

pub(super) struct AlwaysAdmit;

#[async_trait::async_trait]
impl Plugin for AlwaysAdmit {
    fn name(&self) -> &'static str {
        "AlwaysAdmit"
    }

    fn handles(&self, _: Operation, _: &GroupVersionResource, _: &str) -> bool {
        false
    }
}

pub(super) struct AlwaysDeny;

const WHY: &str = "admission control is denying all modifications";

#[async_trait::async_trait]
impl Plugin for AlwaysDeny {
    fn name(&self) -> &'static str {
        "AlwaysDeny"
    }

    fn handles(&self, _: Operation, _: &GroupVersionResource, _: &str) -> bool {
        true
    }

    async fn mutate(&self, review: &Review<'_>, object: &mut Value, _notes: &mut Notes) -> Result<(), Status> {
        Err(forbidden(review, Some(object), WHY))
    }

    async fn precede(&self, review: &Review<'_>, _notes: &mut Notes) -> Result<(), Status> {
        Err(forbidden(review, None, WHY))
    }

    async fn validate(&self, review: &Review<'_>, object: Option<&Value>, _notes: &mut Notes) -> Result<(), Status> {
        Err(forbidden(review, object, WHY))
    }
}
