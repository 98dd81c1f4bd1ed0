//! CertificateSubjectRestriction: nobody becomes an administrator by a certificate for clients of the API server.
//! Follows `plugin/pkg/admission/certificates/subjectrestriction`.

use catalog::hooks::certificatesigningrequest::organizations;
use model::{GroupVersionResource, Status, Value, user};

use crate::builtin::{forbidden, is};
use crate::{Notes, Operation, Plugin, Review};

/// Who signs certificates for clients of the API server.
const SIGNER: &str = "kubernetes.io/kube-apiserver-client";

pub(super) struct CertificateSubjectRestriction;

#[async_trait::async_trait]
impl Plugin for CertificateSubjectRestriction {
    fn name(&self) -> &'static str {
        "CertificateSubjectRestriction"
    }

    fn handles(&self, operation: Operation, resource: &GroupVersionResource, subresource: &str) -> bool {
        operation == Operation::Create
            && is(resource, "certificates.k8s.io", "certificatesigningrequests")
            && subresource.is_empty()
    }

    async fn validate(&self, review: &Review<'_>, object: Option<&Value>, _notes: &mut Notes) -> Result<(), Status> {
        let asks = |request: &&Value| request.pointer("/spec/signerName").and_then(Value::as_str) == Some(SIGNER);
        let Some(request) = object.filter(asks) else { return Ok(()) };
        let named =
            organizations(request).map_err(|why| forbidden(review, object, format_args!("failed to parse CSR: {why}")))?;
        if named.iter().any(|organization| organization == user::MASTERS) {
            let why = format!("use of {SIGNER} signer with {} group is not allowed", user::MASTERS);
            return Err(forbidden(review, object, why));
        }
        Ok(())
    }
}
