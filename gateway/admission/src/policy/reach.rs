//! What a policy may ask while it runs, answered from the server's cache and its authorizer: as far as its binding goes,
//! and for a binding of a namespace as far as the binding's author goes. Does not count the questions (`wasm`).

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use model::authorizer::Attributes;
use model::selector::label::Selector;
use model::{GroupVersionResource, Status, User, Value};
use tokio::runtime::Handle;
use wasm::reach::{self, Decision, Place, Read, ReadError, Subject};

use super::binding::{Binding, Scope};
use super::fields::Fields;
use super::set::Entry;
use crate::Cluster;

/// Answers the questions of one call.
pub(super) struct Live {
    cluster: Cluster,
    runtime: Handle,
    entry: Arc<Entry>,
    requester: Option<User>,
}

impl Live {
    /// For one call. Must be made where the server's runtime is.
    pub(super) fn of(cluster: &Cluster, entry: &Arc<Entry>, requester: Option<&User>) -> Arc<dyn reach::Reach> {
        Arc::new(Self {
            cluster: cluster.clone(),
            runtime: Handle::current(),
            entry: entry.clone(),
            requester: requester.cloned(),
        })
    }

    /// Waits on this thread, which is one for guests and never one of the runtime.
    fn wait<T>(&self, within: Duration, answer: impl Future<Output = T>) -> Option<T> {
        self.runtime.block_on(async { tokio::time::timeout(within, answer).await.ok() })
    }

    /// Refuses what the binding or its author may not read.
    async fn may_read(&self, verb: &str, of: &GroupVersionResource, place: Place<'_>) -> Read<()> {
        let unavailable = |status: Status| ReadError::Unavailable(status.message);
        let catalog = self.cluster.kinds.catalog().map_err(unavailable)?;
        let resource = catalog.resource(&of.group, &of.version, &of.resource).ok_or(ReadError::UnknownResource)?;
        // A namespace means nothing to what is in none: it must not count as the binding's own.
        let namespace = if resource.namespaced { place.namespace } else { "" };
        self.entry.binding.may_read(&of.group, &of.resource, namespace).map_err(ReadError::Forbidden)?;
        let Scope::Namespace { author, .. } = &self.entry.binding.scope else { return Ok(()) };
        let name = if verb == "get" { place.selected } else { "" };
        let asked = attributes(author.clone(), verb, of, "", namespace, name);
        if self.cluster.authorizer.authorize(&asked).await.is_allowed() {
            return Ok(());
        }
        Err(ReadError::Forbidden(may_not(author, verb, of, namespace)))
    }

    async fn get(&self, of: &GroupVersionResource, place: Place<'_>, fields: &Fields) -> Read<Option<Vec<u8>>> {
        self.may_read("get", of, place).await?;
        match self.cluster.world.get(of, place.namespace, place.selected).await {
            Ok(object) => Ok(Some(fields.project(&object))),
            Err(status) if status.code == 404 => Ok(None),
            Err(status) => Err(ReadError::Unavailable(status.message)),
        }
    }

    async fn list(&self, of: &GroupVersionResource, place: Place<'_>, fields: &Fields) -> Read<Vec<Vec<u8>>> {
        Selector::parse(place.selected).map_err(|why| ReadError::Invalid(why.to_string()))?;
        self.may_read("list", of, place).await?;
        let listed = self.cluster.world.list(of, place.namespace, place.selected).await;
        let (objects, _) = listed.map_err(|status| ReadError::Unavailable(status.message))?;
        let (mut projected, mut bytes) = (Vec::with_capacity(objects.len()), 0);
        for object in &objects {
            let object = fields.project(object);
            bytes += object.len();
            if bytes > wasm::limits::READ_BYTES_MAX {
                return Err(ReadError::TooMuch);
            }
            projected.push(object);
        }
        Ok(projected)
    }

    async fn check(&self, who: &Subject, what: &reach::Attributes) -> Result<Decision, String> {
        let of = GroupVersionResource::new(&what.group, "*", &what.resource);
        if let Scope::Namespace { name, author } = &self.entry.binding.scope {
            if what.namespace != *name {
                return Err(format!("the binding asks about the namespace {name:?} alone"));
            }
            let reviews = GroupVersionResource::new("authorization.k8s.io", "v1", "localsubjectaccessreviews");
            let asked = attributes(author.clone(), "create", &reviews, "", name, "");
            if !self.cluster.authorizer.authorize(&asked).await.is_allowed() {
                return Err(format!("the binding's author {:?} may not create localsubjectaccessreviews", author.name));
            }
        }
        let user = match who {
            Subject::Requester => self.requester.clone().ok_or("nobody makes this request")?,
            Subject::ServiceAccount((namespace, name)) => User::of_service_account(namespace, name),
        };
        let asked = attributes(user, &what.verb, &of, &what.subresource, &what.namespace, &what.name);
        let decision = self.cluster.authorizer.authorize(&asked).await;
        Ok(Decision { allowed: decision.is_allowed(), reason: decision.reason().to_owned() })
    }
}

const TOO_LATE: &str = "the answer would come too late";

impl reach::Reach for Live {
    fn get(
        &self,
        of: &wasm::GroupVersionResource,
        place: Place<'_>,
        fields: &[String],
        within: Duration,
    ) -> Read<Option<Vec<u8>>> {
        let (of, fields) = (resource(of), Fields::handed(fields).map_err(ReadError::Invalid)?);
        let answer = self.wait(within, self.get(&of, place, &fields));
        answer.unwrap_or_else(|| Err(ReadError::Unavailable(TOO_LATE.to_owned())))
    }

    fn list(&self, of: &wasm::GroupVersionResource, place: Place<'_>, fields: &[String], within: Duration) -> Read<Vec<Vec<u8>>> {
        let (of, fields) = (resource(of), Fields::handed(fields).map_err(ReadError::Invalid)?);
        let answer = self.wait(within, self.list(&of, place, &fields));
        answer.unwrap_or_else(|| Err(ReadError::Unavailable(TOO_LATE.to_owned())))
    }

    fn check(&self, who: &Subject, what: &reach::Attributes, within: Duration) -> Result<Decision, String> {
        self.wait(within, self.check(who, what)).unwrap_or_else(|| Err(TOO_LATE.to_owned()))
    }
}

/// A binding's parameters, for one request.
pub(super) enum Params {
    /// It has none.
    None,
    /// The object.
    Object(Value),
    /// There is no such object, and the binding lets requests pass then.
    Missing,
}

/// Reads the object of a binding's parameters. Fails in words that become the reason of a failure.
pub(super) async fn params(cluster: &Cluster, binding: &Binding, namespace: &str) -> Result<Params, String> {
    let Some(reference) = &binding.params else { return Ok(Params::None) };
    let what = format!("the parameters {} {:?}", reference.kind.kind, reference.name);
    let catalog = cluster.kinds.catalog().map_err(|status| status.message)?;
    let found = catalog.all().find(|resource| resource.gvk == reference.kind);
    let resource = found.ok_or_else(|| format!("{what}: there is no such kind"))?;
    let namespace = match (resource.namespaced, reference.namespace.as_str(), binding.namespace()) {
        (false, ..) => "",
        (true, _, Some(own)) => own,
        (true, "", None) => namespace,
        (true, named, None) => named,
    };
    if let Scope::Namespace { author, .. } = &binding.scope {
        let asked = attributes(author.clone(), "get", &resource.gvr, "", namespace, &reference.name);
        if !cluster.authorizer.authorize(&asked).await.is_allowed() {
            return Err(format!("{what}: the binding's author {:?} may not read them", author.name));
        }
    }
    match cluster.world.get(&resource.gvr, namespace, &reference.name).await {
        Ok(object) => Ok(Params::Object(object)),
        Err(status) if status.code == 404 && reference.optional => Ok(Params::Missing),
        Err(status) => Err(format!("{what}: {}", status.message)),
    }
}

/// Refuses an object with which the author of a binding of a namespace may not do all of this. Fails in words that become
/// the reason of a failure.
pub(super) async fn shown(
    cluster: &Cluster,
    binding: &Binding,
    verbs: &[&str],
    of: &GroupVersionResource,
    name: &str,
) -> Result<(), String> {
    let Scope::Namespace { name: namespace, author } = &binding.scope else { return Ok(()) };
    for verb in verbs {
        let asked = attributes(author.clone(), verb, of, "", namespace, name);
        if !cluster.authorizer.authorize(&asked).await.is_allowed() {
            return Err(may_not(author, verb, of, namespace));
        }
    }
    Ok(())
}

fn may_not(author: &User, verb: &str, of: &GroupVersionResource, namespace: &str) -> String {
    format!("the binding's author {:?} may not {verb} {} in the namespace {namespace:?}", author.name, of.resource)
}

fn resource(of: &wasm::GroupVersionResource) -> GroupVersionResource {
    GroupVersionResource::new(&of.group, &of.version, &of.resource)
}

fn attributes(user: User, verb: &str, of: &GroupVersionResource, subresource: &str, namespace: &str, name: &str) -> Attributes {
    Attributes {
        user,
        verb: verb.to_owned(),
        group: of.group.to_string(),
        version: of.version.to_string(),
        resource: of.resource.to_string(),
        subresource: subresource.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        resource_request: true,
        ..Attributes::default()
    }
}
