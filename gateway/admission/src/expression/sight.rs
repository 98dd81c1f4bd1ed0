//! A write as expressions see it, in the version that a rule named.
//! Follows `CreateAdmissionRequest` and `NewVersionedAttributes` of `k8s.io/apiserver/pkg/admission`.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use cel::{Authority, Value as Cel};
use futures::FutureExt;
use model::authorizer::{Attributes, Authorizer, Decision};
use model::json::json;
use model::{GroupVersionKind, GroupVersionResource, Status, User, Value};

use crate::matching::Matched;
use crate::{Cluster, Review};

/// A write in one version: its objects, the request, and who asks.
pub struct Sight<'a> {
    object: Option<Cow<'a, Value>>,
    old: Option<Cow<'a, Value>>,
    request: Value,
    user: Arc<User>,
    authority: Arc<dyn Authority>,
    resource: Attributes,
}

impl<'a> Sight<'a> {
    /// Converts the objects where a rule named another version of their resource.
    ///
    /// # Errors
    /// They cannot be converted.
    pub async fn new(
        review: &Review<'a>,
        object: Option<&'a Value>,
        matched: &Matched,
        cluster: &Cluster,
    ) -> Result<Self, Status> {
        let object = versioned(review, object, matched, cluster).await?;
        Ok(Self::of(review, object, versioned(review, review.old, matched, cluster).await?, matched, cluster))
    }

    /// The same where the object to be written is in that version already.
    ///
    /// # Errors
    /// The old one cannot be converted.
    pub(crate) async fn of_seen(
        review: &Review<'a>,
        object: Option<&'a Value>,
        matched: &Matched,
        cluster: &Cluster,
    ) -> Result<Self, Status> {
        let old = versioned(review, review.old, matched, cluster).await?;
        Ok(Self::of(review, object.map(Cow::Borrowed), old, matched, cluster))
    }

    /// The same where both objects are.
    pub(crate) fn of(
        review: &Review<'_>,
        object: Option<Cow<'a, Value>>,
        old: Option<Cow<'a, Value>>,
        matched: &Matched,
        cluster: &Cluster,
    ) -> Self {
        Self::asking(review, object, old, matched, Arc::new(Asked(cluster.authorizer.clone())))
    }

    /// The same where somebody else than the server knows who may do what.
    pub(crate) fn asking(
        review: &Review<'_>,
        object: Option<Cow<'a, Value>>,
        old: Option<Cow<'a, Value>>,
        matched: &Matched,
        authority: Arc<dyn Authority>,
    ) -> Self {
        Self {
            object,
            old,
            request: request(review, matched),
            user: Arc::new(review.user.clone()),
            authority,
            resource: Attributes {
                resource_request: true,
                group: review.resource.group.to_string(),
                version: "*".to_owned(),
                resource: review.resource.resource.to_string(),
                subresource: review.subresource.to_owned(),
                namespace: review.namespace.to_owned(),
                name: review.name.to_owned(),
                ..Attributes::default()
            },
        }
    }

    /// The object to be written.
    pub fn object(&self) -> Option<&Value> {
        self.object.as_deref()
    }

    /// The object as it is stored.
    pub fn old(&self) -> Option<&Value> {
        self.old.as_deref()
    }

    pub(super) fn request(&self) -> &Value {
        &self.request
    }

    pub(super) fn authorizer<'v>(&self) -> Cel<'v> {
        cel::authorizer(self.user.clone(), self.authority.clone())
    }

    pub(super) fn request_resource<'v>(&self) -> Cel<'v> {
        cel::resource_check(self.user.clone(), self.authority.clone(), self.resource.clone())
    }
}

/// An object of the request's version in the one that a rule named.
async fn versioned<'a>(
    review: &Review<'a>,
    object: Option<&'a Value>,
    matched: &Matched,
    cluster: &Cluster,
) -> Result<Option<Cow<'a, Value>>, Status> {
    Ok(match object {
        None => None,
        Some(object) if matched.kind == *review.kind => Some(Cow::Borrowed(object)),
        Some(object) => {
            let converted = cluster.kinds.convert(object, review.resource, &matched.resource, review.subresource).await?;
            Some(Cow::Owned(converted))
        }
    })
}

fn request(review: &Review<'_>, matched: &Matched) -> Value {
    let kind = |kind: &GroupVersionKind| json!({"group": &*kind.group, "version": &*kind.version, "kind": &*kind.kind});
    let resource = |of: &GroupVersionResource| json!({"group": &*of.group, "version": &*of.version, "resource": &*of.resource});
    let mut request = json!({
        "kind": kind(&matched.kind),
        "resource": resource(&matched.resource),
        "requestKind": kind(review.kind),
        "requestResource": resource(review.resource),
        "operation": review.operation.as_str(),
        "userInfo": review.user.to_info(),
        "dryRun": review.dry_run,
        "options": review.options,
    });
    // What is empty is not there.
    let texts = [
        ("subResource", review.subresource),
        ("requestSubResource", review.subresource),
        ("name", review.name),
        ("namespace", review.namespace),
    ];
    for (field, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
        request[field] = text.into();
    }
    request
}

/// An authorizer whose answers are at hand: an expression cannot wait.
struct Asked(Arc<dyn Authorizer>);

impl Authority for Asked {
    fn authorize(&self, asked: &Attributes) -> Decision {
        let answer = self.0.authorize(asked).now_or_never();
        answer.unwrap_or_else(|| Decision::NoOpinion("the authorizer does not answer at once".to_owned()))
    }
}

/// It is asked and kept nothing of: a panic elsewhere leaves it as it was.
impl std::panic::RefUnwindSafe for Asked {}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server's authorizer")
    }
}
