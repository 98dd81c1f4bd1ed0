//! What reaches past the server to a kubelet, a pod or a service: not built yet. The checks that need no connection are
//! upstream's, so that a client reads the same about a pod that is not scheduled or a container that does not exist.

mod log;
mod options;

use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{Response, StatusCode};
use model::{Status, Value, meta};

use crate::answer::{Answer, Content};
use crate::body::Body;
use crate::call::Call;
use crate::gate::Gate;
use crate::row::Row;
use crate::write::Review;

type Served<'a> = BoxFuture<'a, Result<Answer, Status>>;

/// `pods/log`.
pub(super) fn log<'a>(gate: &'a Arc<Gate>, call: &'a mut Call, _row: &'a Row, _body: Body) -> Served<'a> {
    async move {
        log::validate(&call.info.name, &call.query)?;
        let pod = pod(gate, call)?;
        let container = container(&pod, call.query.text("container"))?;
        if pod["spec"]["nodeName"].as_str().unwrap_or("").is_empty() {
            // Nothing was ever said.
            let mut nothing = Response::new(Bytes::new());
            *nothing.status_mut() = StatusCode::NO_CONTENT;
            return Ok(Answer::new(204, Content::Response(nothing)));
        }
        find_node(gate, &pod)?;
        Err(unreachable(&pod, &format!("containerLogs/{}/{}/{container}", meta::namespace(&pod), meta::name(&pod))))
    }
    .boxed()
}

/// `pods/exec`, `pods/attach`, `pods/portforward`.
pub(super) fn to_pod<'a>(gate: &'a Arc<Gate>, call: &'a mut Call, row: &'a Row, _body: Body) -> Served<'a> {
    async move {
        let (namespace, name) = (call.info.namespace.clone(), call.info.name.clone());
        let options = admit(gate, call, row).await?;
        let pod = pod(gate, call)?;
        let container = match row.subresource() {
            "portforward" => String::new(),
            _ => container(&pod, options["container"].as_str().unwrap_or(""))?,
        };
        if pod["spec"]["nodeName"].as_str().unwrap_or("").is_empty() {
            return Err(Status::bad_request(format!("pod {name} does not have a host assigned")));
        }
        find_node(gate, &pod)?;
        Err(unreachable(&pod, &format!("{}/{namespace}/{name}/{container}", row.subresource())))
    }
    .boxed()
}

/// `proxy` of pods, services and nodes.
pub(super) fn proxy<'a>(gate: &'a Arc<Gate>, call: &'a mut Call, row: &'a Row, _body: Body) -> Served<'a> {
    async move {
        admit(gate, call, row).await?;
        let name = call.info.name.split(':').find(|part| !matches!(*part, "http" | "https" | "")).unwrap_or("").to_owned();
        let owner = Row::named(gate, "", "v1", row.plural()).ok_or_else(Status::page_not_found)?;
        let key = crate::verbs::key(&owner, &call.info.namespace, &name)?;
        if gate.store.resource(owner.prefix()).get(key.as_str()).is_none() {
            return Err(Status::not_found(&owner.group_resource(), &name));
        }
        let why = format!("proxying to {} is not supported by this server yet", owner.plural());
        Err(Status::new(501, "NotImplemented", why))
    }
    .boxed()
}

/// The options of a connection as admission leaves them, which is asked before anything is looked for.
async fn admit(gate: &Gate, call: &mut Call, row: &Row) -> Result<Value, Status> {
    if call.query.get("dryRun").is_some() {
        return Err(Status::bad_request("dryRun is not supported"));
    }
    let mut options = options::read(row.form(), &call.query, &call.info).map_err(Status::bad_request)?;
    let (namespace, name) = (call.info.namespace.clone(), call.info.name.clone());
    let review = Review::of_connect(row, &namespace, &name);
    review.mutate(gate, call, &mut options).await?;
    review.validate(gate, call, &options).await?;
    Ok(options)
}

fn pod(gate: &Gate, call: &Call) -> Result<Value, Status> {
    let pods = super::pods(gate)?;
    let key = crate::verbs::key(&pods, &call.info.namespace, &call.info.name)?;
    match gate.store.resource(pods.prefix()).get(key.as_str()) {
        Some(entry) => pods.parse(&entry),
        None => Err(Status::not_found(&pods.group_resource(), &call.info.name)),
    }
}

/// The container that is meant. Fails with upstream's 400 when none or an unknown one is.
fn container(pod: &Value, wanted: &str) -> Result<String, Status> {
    let names = |list: &str| -> Vec<String> {
        let containers = pod["spec"][list].as_array().into_iter().flatten();
        containers.filter_map(|container| Some(container["name"].as_str()?.to_owned())).collect()
    };
    let (own, name) = (names("containers"), meta::name(pod));
    let all: Vec<String> = [names("initContainers"), own.clone(), names("ephemeralContainers")].concat();
    if !wanted.is_empty() {
        let found = all.iter().any(|container| container == wanted);
        return if found {
            Ok(wanted.to_owned())
        } else {
            Err(Status::bad_request(format!("container {wanted} is not valid for pod {name}")))
        };
    }
    match &own[..] {
        [only] => Ok(only.clone()),
        [] => Err(Status::bad_request(format!("a container name must be specified for pod {name}"))),
        _ => Err(Status::bad_request(format!(
            "a container name must be specified for pod {name}, choose one of: [{}]",
            all.join(" ")
        ))),
    }
}

/// The node of a pod that has one must be there. Upstream speaks of a pod of that name.
fn find_node(gate: &Gate, pod: &Value) -> Result<(), Status> {
    let name = pod["spec"]["nodeName"].as_str().unwrap_or("");
    let nodes = Row::named(gate, "", "v1", "nodes").ok_or_else(Status::page_not_found)?;
    let key = crate::verbs::key(&nodes, "", name)?;
    match gate.store.resource(nodes.prefix()).get(key.as_str()) {
        Some(_) => Ok(()),
        None => Err(Status::not_found(&super::pods(gate)?.group_resource(), name)),
    }
}

/// 500 as upstream answers when a kubelet does not; here nobody connects to kubelets yet.
fn unreachable(pod: &Value, path: &str) -> Status {
    let node = pod["spec"]["nodeName"].as_str().unwrap_or("");
    Status::new(
        500,
        "",
        format!("Get \"https://{node}:10250/{path}\": connections to kubelets are not supported by this server yet"),
    )
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    #[test]
    fn containers_are_found_or_named() {
        let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "a"}, {"name": "b"}], "initContainers": [{"name": "i"}]}});
        assert_eq!(container(&pod, "i").unwrap(), "i");
        assert_eq!(container(&pod, "x").unwrap_err().message, "container x is not valid for pod p");
        assert_eq!(
            container(&pod, "").unwrap_err().message,
            "a container name must be specified for pod p, choose one of: [i a b]"
        );
        let one = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "a"}]}});
        assert_eq!(container(&one, "").unwrap(), "a");
    }
}
