//! The way of a request, from top to bottom. Each stage is a line here and has its module beside it.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use authn::Credentials;
use authn::impersonation::{self, Check};
use flow::{Class, Priority, Seat};
use futures::FutureExt;
use http::{Request, Response};
use model::user::{ANONYMOUS, UNAUTHENTICATED};
use model::{Attributes, Decision, Status, User, Verb};
use tracing::{error, info};

use crate::answer::Answer;
use crate::body::Body;
use crate::call::Call;
use crate::gate::Gate;
use crate::listen::Peer;
use crate::{aggregation, legacy_tokens, paths, respond, verbs};

/// Bound on a long-running request that never begins to answer: longer than any client waits.
const LONG_RUNNING_MAX: Duration = Duration::from_secs(3600);

/// Serves one request. Never fails: whatever goes wrong becomes the answer.
pub async fn run(gate: Arc<Gate>, peer: Arc<Peer>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let mut call = match Call::read(parts, gate.clock.now()) {
        Ok(call) => call,
        Err(unreadable) => return respond::unreadable(&unreadable),
    };
    match limit(&gate, &call) {
        Ok(limit) => call.wait_at_most(limit),
        Err(status) => {
            open_audit_record(&gate, peer.address.ip(), &mut call);
            call.record.failed_early(&status.message);
            return respond::send(&gate, call, Err(status)).await;
        }
    }
    let (method, uri, id, limit) = (call.method.clone(), call.uri.clone(), call.id.clone(), call.limit);
    let answered = match Ending::of(&call) {
        // Boxed: several kilobytes, which would be copied at every step further.
        Ending::Abandoned => AssertUnwindSafe(Box::pin(within(limit, gate, peer, call, body))).catch_unwind().await.ok(),
        Ending::Completed => match tokio::time::timeout(limit, tokio::spawn(answered(gate, peer, call, body))).await {
            Ok(answered) => answered.ok(),
            Err(_) => Some(respond::late(&id)),
        },
    };
    let mut response = answered.unwrap_or_else(|| {
        error!(%method, %uri, "request panicked");
        respond::panicked(&id)
    });
    if method == http::Method::HEAD {
        *response.body_mut() = crate::body::empty();
    }
    response
}

/// What becomes of a request whose client goes away or whose time is up.
enum Ending {
    /// It ends with them.
    Abandoned,
    /// It goes on to its end, which the audit log tells: a write that has allocated must give back or keep, not stop half-way.
    Completed,
}

impl Ending {
    fn of(call: &Call) -> Self {
        match call.info.verb {
            Verb::Get | Verb::List | Verb::Watch | Verb::Other(_) => Self::Abandoned,
            _ => Self::Completed,
        }
    }
}

async fn answered(gate: Arc<Gate>, peer: Arc<Peer>, mut call: Call, body: Body) -> Response<Body> {
    let outcome = stages(&gate, &peer, &mut call, body).await;
    respond::send(&gate, call, outcome).await
}

async fn within(limit: Duration, gate: Arc<Gate>, peer: Arc<Peer>, mut call: Call, body: Body) -> Response<Body> {
    match tokio::time::timeout(limit, stages(&gate, &peer, &mut call, body)).await {
        Ok(outcome) => respond::send(&gate, call, outcome).await,
        Err(_) => respond::given_up(&gate, call).await,
    }
}

/// The stages. What is built up for the rest of the request is in `call`; a seat is given back when the answer is out.
async fn stages(gate: &Arc<Gate>, peer: &Peer, call: &mut Call, body: Body) -> Result<Answer, Status> {
    let known = authenticate(gate, peer, call);
    open_audit_record(gate, peer.address.ip(), call);
    if let Err(refused) = known {
        call.record.failed_early(&attempted(peer, call));
        return Err(refused);
    }
    impersonate(gate, call)?;
    let asked = call.attributes();
    if !call.is_connected() && call.info.verb != Verb::Proxy {
        call.flow = gate.flow_schemas.classify(&asked);
    }
    let seat = take_seat(gate, call).await?;
    authorize(gate, call, &asked)?;
    if call.info.path.starts_with("//") {
        // Who asks is told what he may do of what stands behind the slashes, but upstream's mux knows no such path.
        return Ok(Answer::not_found().holding(seat));
    }
    let answer = match gate.aggregation.route(&call.info) {
        // Boxed, for the future of every request would have the room for it.
        Some(route) => Box::pin(aggregation::pass_on(gate, peer, call, (route, body))).await?,
        None if call.info.resource_request => verbs::run(gate, call, body).await?,
        None => paths::run(gate, call).await?,
    };
    Ok(answer.holding(seat))
}

/// How long the request may take. `?timeout=` is what the client is ready to wait, 0 meaning no wish.
fn limit(gate: &Gate, call: &Call) -> Result<Duration, Status> {
    if call.is_long_running() {
        // What is long-running answers soon, or is a stream that has its own end.
        return Ok(LONG_RUNNING_MAX);
    }
    let text = call.query.text("timeout");
    if text.is_empty() {
        return Ok(gate.limits.request);
    }
    match model::time::parse_duration(text) {
        Ok(nanos) => {
            let wanted = u64::try_from(nanos).ok().filter(|nanos| *nanos > 0).map(Duration::from_nanos);
            Ok(wanted.map_or(gate.limits.request, |wanted| wanted.min(gate.limits.request)))
        }
        Err(why) => Err(Status::bad_request(format!("invalid timeout specified in the request URL - {why}"))),
    }
}

fn authenticate(gate: &Arc<Gate>, peer: &Peer, call: &mut Call) -> Result<(), Status> {
    let credentials = Credentials { certificates: &peer.certificates, headers: &call.headers, now: call.now };
    match gate.authn.authenticate(&credentials) {
        Ok(identity) => {
            call.user = identity.user;
            if is_anonymous(&call.user) {
                peer.end_connection();
            }
            call.headers.remove(http::header::AUTHORIZATION);
            gate.authn.clear(&mut call.headers);
            gate.metrics.authentications.inc();
            if let Some(legacy) = identity.legacy {
                legacy_tokens::used(gate, call, legacy);
            }
            Ok(())
        }
        Err(refused) => {
            info!(address = %peer.address, reason = %refused, "authentication failed");
            gate.metrics.authentication_failures.inc();
            peer.end_connection();
            Err(Status::unauthorized())
        }
    }
}

/// How who was not authenticated tried to be. Follows `apiserver/pkg/endpoints/filters/authn_audit.go`.
fn attempted(peer: &Peer, call: &Call) -> String {
    let header = call.header("authorization").trim();
    let (scheme, rest) = header.split_once(' ').unwrap_or_default();
    let is_basic = scheme.eq_ignore_ascii_case("basic") && codec::go_base64::canonical(rest).is_ok();
    let ways = [
        (is_basic, "basic"),
        (scheme.eq_ignore_ascii_case("bearer"), "bearer"),
        (!call.query.text("access_token").trim().is_empty(), "access_token"),
        (!peer.certificates.is_empty(), "x509"),
    ];
    let tried: Vec<&str> = ways.iter().filter(|(tried, _)| *tried).map(|(_, way)| *way).collect();
    match &tried[..] {
        [] => "Authentication failed, no credentials provided".to_owned(),
        tried => format!("Authentication failed, attempted: {}", tried.join(", ")),
    }
}

/// HTTP/2 is easily abused: whom nobody knows has a connection for one request, as upstream has it.
fn is_anonymous(user: &User) -> bool {
    user.name == ANONYMOUS || user.in_group(UNAUTHENTICATED)
}

/// Opens the record of a request that came from this address.
pub(crate) fn open_audit_record(gate: &Gate, address: IpAddr, call: &mut Call) {
    if !gate.audit.is_on() {
        return;
    }
    let header = |name| call.headers.get(name).and_then(|value| value.to_str().ok());
    let source_ips = audit::record::source_ips(header("x-forwarded-for"), header("x-real-ip"), address);
    call.record = gate.audit.record(&audit::Arrival {
        request: &call.info,
        user: (!call.user.name.is_empty()).then_some(&call.user),
        request_uri: &call.uri,
        audit_id: &call.id,
        user_agent: call.header("user-agent"),
        source_ips,
        received: call.now,
    });
}

fn impersonate(gate: &Gate, call: &mut Call) -> Result<(), Status> {
    let wanted = impersonation::wanted(&call.headers);
    call.denied = wanted.is_err();
    let Some(wanted) = wanted? else { return Ok(()) };
    let mut first_refusal = None;
    let mut attempts = impersonation::attempts(&wanted, &call.attributes());
    gate.authn.impersonated.first(&call.user.name, &mut attempts);
    for attempt in attempts {
        match attempt.checks.iter().find_map(|check| refusal(gate, check)) {
            Some(refused) => {
                first_refusal.get_or_insert(refused);
            }
            None => {
                gate.authn.impersonated.succeeded(&call.user.name, &attempt);
                call.record.impersonate(&attempt.user, attempt.constraint);
                call.user = attempt.user;
                impersonation::clear(&mut call.headers);
                return Ok(());
            }
        }
    }
    call.denied = true;
    Err(first_refusal.unwrap_or_else(Status::unauthorized))
}

fn refusal(gate: &Gate, check: &Check) -> Option<Status> {
    let asked = |attributes: &Attributes| match gate.authz.decide(attributes) {
        Decision::Allow(_) => None,
        refused => Some(authz::forbidden(attributes, refused.reason())),
    };
    match check {
        Check::Allowed(attributes) => asked(attributes),
        Check::Either(one, others) => asked(one).and_then(|_| others.iter().find_map(asked)),
        Check::Never(attributes, why) => Some(authz::forbidden(attributes, why)),
    }
}

async fn take_seat(gate: &Gate, call: &Call) -> Result<Seat, Status> {
    let class = match call.info.verb {
        _ if call.is_long_running() => Class::LongRunning,
        Verb::Get | Verb::List => Class::ReadOnly,
        Verb::Other(_) if !call.info.resource_request => Class::ReadOnly,
        _ => Class::Mutating,
    };
    gate.flow.acquire(class, Priority::of(call.flow.as_ref(), &call.user), &call.user).await
}

/// Asks whether a request may be, which its record tells. Fails with 403.
pub(crate) fn authorize(gate: &Gate, call: &mut Call, asked: &Attributes) -> Result<(), Status> {
    let decision = gate.authz.decide(asked);
    let word = if decision.is_allowed() { "allow" } else { "forbid" };
    call.record.annotate("authorization.k8s.io/decision", word);
    call.record.annotate("authorization.k8s.io/reason", decision.reason());
    match decision {
        Decision::Allow(_) => {
            gate.metrics.authorizations_allowed.inc();
            Ok(())
        }
        refused => {
            call.denied = true;
            gate.metrics.authorizations_denied.inc();
            Err(authz::forbidden(asked, refused.reason()))
        }
    }
}
