//! What can be done with a resource. Finds the row and the verb; each verb is a module.

mod apply;
pub mod create;
pub mod delete;
pub mod deletecollection;
pub mod get;
pub mod list;
pub mod patch;
pub mod update;
pub mod watch;
mod websocket;

use std::sync::Arc;

use catalog::Catalog;
use model::name::path_parameter;
use model::{RequestInfo, Revision, Status, Verb};
use store::ResourceCache;

use crate::answer::{Answer, method_not_allowed};
use crate::body::Body;
use crate::call::Call;
use crate::customs;
use crate::gate::Gate;
use crate::row::Row;
use crate::subresources;

/// Serves a request about a resource.
pub async fn run(gate: &Arc<Gate>, call: &mut Call, body: Body) -> Result<Answer, Status> {
    let served = customs::snapshot(gate, &call.info).await;
    // What was reached through `/proxy/` paths is reached through subresources since.
    let found = Row::find(&served.catalog, &call.info).filter(|_| call.info.verb != Verb::Proxy);
    let Some(row) = found else {
        refuse_unheard_part(&served.catalog, &call.info)?;
        return nothing_served(&served.catalog, &call.info.path);
    };
    if !row.is_in_place(&call.info) {
        // A namespaced object without its namespace, or the other way round; a verb of objects on a collection, or the other
        // way round.
        // Objects of all namespaces have a path where they can be listed.
        let (named, creates) = (!call.info.name.is_empty(), call.info.verb == Verb::Create);
        let is_collection = row.serves(Verb::List) && (!named || creates);
        // What can only be created lies in its namespace alone.
        let is_created = row.serves(Verb::Create) && !named && row.is_namespaced() != call.info.namespace.is_empty();
        return if is_collection || is_created {
            Err(method_not_allowed())
        } else {
            nothing_served(&served.catalog, &call.info.path)
        };
    }
    if call.info.verb == Verb::Watch && !row.serves(Verb::Watch) && row.serves(Verb::List) {
        // The route of lists takes it, and finds out.
        row.deprecation().into_iter().for_each(|warning| call.notes.warn(warning));
        return Err(Status::method_not_supported(&row.group_resource(), "watch"));
    }
    let of_object = [Verb::Get, Verb::Update, Verb::Patch, Verb::Delete];
    if !call.info.name.is_empty() && row.subresource().is_empty() && !of_object.iter().any(|verb| row.serves(*verb)) {
        // What can only be created has no path of its own.
        return nothing_served(&served.catalog, &call.info.path);
    }
    if !row.serves(call.info.verb) || call.method == http::Method::HEAD && !call.is_connected() {
        return Err(method_not_allowed());
    }
    if let Some(warning) = row.deprecation() {
        call.notes.warn(warning);
    }
    let negotiated = call.negotiate(row.endpoint());
    if call.info.verb == Verb::Patch {
        // What a patch cannot be is told before how an answer cannot be written.
        patch::kind(call, &row)?;
    }
    negotiated?;
    catch_up(gate, call, &row).await?;
    row.warnings().for_each(|warning| call.notes.warn(warning));
    if let Some(serve) = subresources::of(&row) {
        return serve(gate, call, &row, body).await;
    }
    match call.info.verb {
        Verb::Get => get::run(gate, call, &row).await,
        Verb::List => list::run(gate, call, &row).await,
        Verb::Watch => watch::run(gate, call, &row).await,
        Verb::Create => create::run(gate, call, &row, body).await,
        Verb::Update => update::run(gate, call, &row, body).await,
        Verb::Patch => patch::run(gate, call, &row, body).await,
        Verb::Delete => delete::run(gate, call, &row, body).await,
        Verb::DeleteCollection => deletecollection::run(gate, call, &row, body).await,
        Verb::Proxy | Verb::Other(_) => Err(method_not_allowed()),
    }
}

/// What others wrote to a shared storage before the request came must be seen by it, unless it says which revision will do.
async fn catch_up(gate: &Gate, call: &Call, row: &Row) -> Result<(), Status> {
    let asked = call.query.text("resourceVersion");
    if row.is_computed() {
        return of_this_process(gate, row, asked.parse().unwrap_or(0));
    }
    if !row.is_stored() {
        return Ok(());
    }
    let prefix = row.prefix();
    let reads = matches!(call.info.verb, Verb::Get | Verb::List | Verb::Watch);
    // A revision that is none is refused where it is read.
    let will_do = reads && !asked.is_empty() && asked.parse().unwrap_or(0) <= gate.store.resource(prefix).revision();
    let ready = if will_do { gate.store.ready(prefix) } else { gate.store.fresh(prefix).await };
    ready.map_err(|error| gate.store_failed(&row.group_resource(), call.info.verb.as_str(), &error))
}

/// Every process counts what it computes for itself: a revision that is not reached here is another server's, and never will be.
/// Who asks for it begins anew, as for one from before a restart.
fn of_this_process(gate: &Gate, row: &Row, asked: Revision) -> Result<(), Status> {
    let reached = gate.store_of(row).revision();
    if asked > reached {
        return Err(Status::expired(format!("too old resource version: {asked} ({reached})")));
    }
    Ok(())
}

/// Waits for a revision that was told elsewhere before it is visible here; who asks for one that never comes is told so
/// after a while.
async fn arrival(gate: &Gate, resource: &ResourceCache, wanted: Revision) {
    if wanted > resource.revision() {
        let _ = tokio::time::timeout(gate.limits.revision_wait, resource.reached(wanted)).await;
    }
}

/// Below the paths of groups that are built in upstream's router answers, elsewhere Go's mux. `path` is as it was asked for,
/// though what lies there may have been found with fewer slashes.
pub(crate) fn nothing_served(catalog: &Catalog, path: &str) -> Result<Answer, Status> {
    let mut segments = path.split('/').skip(1);
    let group = match segments.next() {
        Some("api") => "",
        Some("apis") => segments.next().unwrap_or("-"),
        _ => "-",
    };
    let versions = catalog.group(group).into_iter().flat_map(|group| &group.versions);
    let is_builtin = versions.into_iter().any(|version| catalog.is_builtin(group, &version.name));
    if is_builtin { Err(Status::page_not_found()) } else { Ok(Answer::not_found()) }
}

/// Of a custom resource upstream says that the object is not there, when it is a part that its definition does not have.
fn refuse_unheard_part(catalog: &Catalog, info: &RequestInfo) -> Result<(), Status> {
    let resource = catalog.resource(&info.group, &info.version, &info.resource);
    match resource.filter(|resource| resource.custom.is_some() && !info.subresource.is_empty()) {
        Some(resource) => Err(Status::not_found(&resource.gvr.group_resource(), &info.name)),
        None => Ok(()),
    }
}

/// The key of the object a request names. Fails with upstream's 400 for a name that fits no path.
pub(crate) fn key(row: &Row, namespace: &str, name: &str) -> Result<store::Key, Status> {
    if row.is_namespaced() && namespace.is_empty() {
        return Err(Status::bad_request("Namespace parameter required."));
    }
    if name.is_empty() {
        return Err(Status::bad_request("Name parameter required."));
    }
    path_parameter("Namespace", namespace)?;
    path_parameter("Name", name)?;
    Ok(row.key(namespace, name))
}
