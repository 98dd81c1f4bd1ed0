//! DenyServiceExternalIPs: a Service gets no external address that it does not have already.
//! Follows `plugin/pkg/admission/network/denyserviceexternalips`.

use model::{GroupVersionResource, Status, Value};

use crate::builtin::{forbidden, is, items};
use crate::{Notes, Operation, Plugin, Review};

pub(super) struct DenyServiceExternalIPs;

fn addresses(service: &Value) -> &[Value] {
    service.get("spec").map_or(&[], |spec| items(spec, "externalIPs"))
}

#[async_trait::async_trait]
impl Plugin for DenyServiceExternalIPs {
    fn name(&self) -> &'static str {
        "DenyServiceExternalIPs"
    }

    fn handles(&self, operation: Operation, resource: &GroupVersionResource, subresource: &str) -> bool {
        matches!(operation, Operation::Create | Operation::Update) && is(resource, "", "services") && subresource.is_empty()
    }

    async fn validate(&self, review: &Review<'_>, object: Option<&Value>, _notes: &mut Notes) -> Result<(), Status> {
        let known = review.old.map_or(&[][..], addresses);
        if object.map_or(&[][..], addresses).iter().all(|address| known.contains(address)) {
            return Ok(());
        }
        Err(forbidden(review, object, "Use of external IPs is denied by admission control"))
    }
}
