//! CertificateApproval, CertificateSigning and ClusterTrustBundleAttest: whoever may change an object may not yet do so for
//! every signer. Follows `plugin/pkg/admission/certificates/{approval,signing,ctbattest}` and `pkg/certauthorization`.

use std::sync::Arc;

use model::authorizer::{Attributes, Authorizer};
use model::field::quote;
use model::{GroupVersionResource, Status, Value, meta};

use crate::builtin::{forbidden, is};
use crate::{Notes, Operation, Plugin, Review};

const GROUP: &str = "certificates.k8s.io";

/// What the plugins differ in.
pub(super) struct Facts {
    name: &'static str,
    operations: &'static [Operation],
    /// The resource and its subresource.
    of: (&'static str, &'static str),
    /// What is to be done for a signer.
    verb: &'static str,
    /// The same in a refusal.
    deed: &'static str,
    /// The signer that is asked about; none where nobody has to be.
    signer: fn(&Review<'_>, &Value) -> Option<String>,
}

pub(super) static APPROVAL: Facts = Facts {
    name: "CertificateApproval",
    operations: &[Operation::Update],
    of: ("certificatesigningrequests", "approval"),
    verb: "approve",
    deed: "approve requests with",
    // That of the request as it is stored: nobody approves for another by renaming it.
    signer: |review, _| review.old.map(signer),
};

pub(super) static SIGNING: Facts = Facts {
    name: "CertificateSigning",
    operations: &[Operation::Update],
    of: ("certificatesigningrequests", "status"),
    verb: "sign",
    deed: "sign requests with",
    signer: |review, object| review.old.filter(|old| is_signed_anew(old, object)).map(signer),
};

pub(super) static ATTEST: Facts = Facts {
    name: "ClusterTrustBundleAttest",
    operations: &[Operation::Create, Operation::Update],
    of: ("clustertrustbundles", ""),
    verb: "attest",
    deed: "attest for",
    signer: |review, object| {
        let is_same = review.old.is_some_and(|old| differs_for_collection_alone(old, object));
        Some(signer(object)).filter(|signer| !signer.is_empty() && !is_same)
    },
};

fn signer(object: &Value) -> String {
    object.pointer("/spec/signerName").and_then(Value::as_str).unwrap_or("").to_owned()
}

/// Whether the certificate or the conditions are others.
fn is_signed_anew(old: &Value, new: &Value) -> bool {
    let part = |object: &Value, field: &str| {
        let found = object.get("status").and_then(|status| status.get(field)).cloned().unwrap_or_default();
        if found == "" || found.as_array().is_some_and(Vec::is_empty) { Value::Null } else { found }
    };
    ["certificate", "conditions"].iter().any(|field| part(old, field) != part(new, field))
}

/// `IsOnlyMutatingGCFields`
fn differs_for_collection_alone(old: &Value, new: &Value) -> bool {
    let rest = |object: &Value| {
        let mut rest = object.clone();
        if let Some(metadata) = meta::metadata_mut(&mut rest) {
            for field in ["ownerReferences", "finalizers", "managedFields"] {
                metadata.shift_remove(field);
            }
        }
        rest
    };
    rest(old) == rest(new)
}

pub(super) struct SignerAccess {
    facts: &'static Facts,
    authorizer: Arc<dyn Authorizer>,
}

impl SignerAccess {
    pub(super) fn new(facts: &'static Facts, authorizer: Arc<dyn Authorizer>) -> Self {
        Self { facts, authorizer }
    }

    /// Whether the user may act for a signer, or for all of its domain.
    async fn is_allowed(&self, review: &Review<'_>, signer: &str) -> bool {
        let domain = signer.split('/').next().unwrap_or(signer);
        for name in [signer.to_owned(), format!("{domain}/*")] {
            let asked = Attributes {
                user: review.user.clone(),
                verb: self.facts.verb.to_owned(),
                name,
                group: GROUP.to_owned(),
                version: "*".to_owned(),
                resource: "signers".to_owned(),
                resource_request: true,
                ..Attributes::default()
            };
            if self.authorizer.authorize(&asked).await.is_allowed() {
                return true;
            }
        }
        false
    }
}

#[async_trait::async_trait]
impl Plugin for SignerAccess {
    fn name(&self) -> &'static str {
        self.facts.name
    }

    fn handles(&self, operation: Operation, resource: &GroupVersionResource, subresource: &str) -> bool {
        let (plural, part) = self.facts.of;
        self.facts.operations.contains(&operation) && is(resource, GROUP, plural) && subresource == part
    }

    async fn validate(&self, review: &Review<'_>, object: Option<&Value>, _notes: &mut Notes) -> Result<(), Status> {
        let Some(signer) = object.and_then(|object| (self.facts.signer)(review, object)) else { return Ok(()) };
        if self.is_allowed(review, &signer).await {
            return Ok(());
        }
        let why = format!("user not permitted to {} signerName {}", self.facts.deed, quote(&signer));
        Err(forbidden(review, object, why))
    }
}
