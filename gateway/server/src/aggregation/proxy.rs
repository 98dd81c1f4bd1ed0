//! Passes a request on to an extension server and its answer back, both as they come. Who asks was settled and allowed before.
//! Follows `k8s.io/kube-aggregator/pkg/apiserver/handler_proxy.go`.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use model::Status;

use super::headers::{self, Onward};
use super::{Redirects, Route, answer, tunnel};
use crate::answer::{Answer, Content};
use crate::body::{self, Body};
use crate::call::Call;
use crate::client::{Endpoint, Over};
use crate::gate::Gate;
use crate::listen::Peer;

/// Clients that look for what there is ask every server in turn: one that is slow must not hold them up. As upstream.
const DISCOVERY_MAX: Duration = Duration::from_secs(5);

/// Serves a request that an extension server answers.
pub(crate) async fn run(
    gate: &Arc<Gate>,
    peer: &Peer,
    call: &mut Call,
    (route, body): (Arc<Route>, Body),
) -> Result<Answer, Status> {
    if !route.is_available {
        return Ok(answer::unavailable());
    }
    let side = match &route.side {
        Ok(side) => side,
        Err(why) => return Ok(answer::error(StatusCode::INTERNAL_SERVER_ERROR, why)),
    };
    let within = if is_discovery(call) { DISCOVERY_MAX.min(call.limit) } else { call.limit };
    match tokio::time::timeout(within, send(gate, peer, call, (side, body))).await {
        Ok(answer) => Ok(answer),
        Err(_) if within < call.limit => Ok(answer::unreached("context deadline exceeded")),
        Err(_) => Err(Status::timeout("request did not complete within the allotted timeout", 0)),
    }
}

/// `/apis/<group>/<version>` itself.
fn is_discovery(call: &Call) -> bool {
    !call.info.resource_request && call.info.path.trim_matches('/').split('/').count() == 3
}

async fn send(gate: &Arc<Gate>, peer: &Peer, call: &mut Call, (side, body): (&Arc<Endpoint>, Body)) -> Answer {
    let target = match side.place(gate) {
        Ok(target) => target,
        Err(why) => {
            tracing::warn!(uri = %call.uri, why, "an extension server's service leads nowhere");
            return answer::unavailable();
        }
    };
    let upgrade = headers::upgrade(&call.headers).filter(|_| call.upgrade.is_some());
    let onward = Onward {
        user: &call.user,
        client: peer.address.ip(),
        authority: &target.authority,
        path: call.uri.split('?').next().unwrap_or("/"),
        audit_id: &call.id,
        upgrade: upgrade.clone(),
    };
    let headers = match headers::onward(&call.headers, onward) {
        Ok(headers) => headers,
        Err(unfit) => return answer::unreached(&unfit.to_string()),
    };
    let mut request = Request::new(body);
    *request.method_mut() = call.method.clone();
    *request.headers_mut() = headers;
    match call.uri.parse() {
        Ok(uri) => *request.uri_mut() = uri,
        Err(error) => return answer::unreached(&format!("{error}")),
    }
    let over = if upgrade.is_some() { Over::Http1 } else { Over::Any };
    match side.pass(&target, request, over).await {
        Ok(response) if upgrade.is_some() => tunnel::open(gate, call, response),
        Ok(response) => back(call, response, gate.aggregation.redirects, &target.authority),
        Err(why) => answer::unreached(&why),
    }
}

/// The answer as the client gets it. Where the server would send the client elsewhere, nobody goes.
fn back(call: &Call, response: Response<crate::client::Passing>, redirects: Redirects, authority: &str) -> Answer {
    let (mut parts, body) = response.into_parts();
    if redirects == Redirects::PassedOn {
        headers::relocate(&mut parts.headers, authority);
    } else if parts.status.is_redirection() && parts.headers.contains_key(header::LOCATION) {
        let text = "the backend attempted to redirect this request, which is not permitted";
        let mut refused = Response::new(body::full(text));
        *refused.status_mut() = StatusCode::BAD_GATEWAY;
        return Answer::new(502, Content::Passed(refused));
    }
    headers::back(&mut parts.headers);
    parts.extensions.clear();
    // The client's own connection says which HTTP it speaks.
    parts.version = http::Version::default();
    let body = if call.method == Method::HEAD { body::empty() } else { body.boxed_unsync() };
    Answer::new(parts.status.as_u16(), Content::Passed(Response::from_parts(parts, body)))
}
