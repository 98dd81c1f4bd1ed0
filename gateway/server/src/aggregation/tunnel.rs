//! Connections that become something else (`exec` and its like): what either side sends is carried to the other, unread, until
//! one of them ends or the server drains. Follows `tryUpgrade` in `k8s.io/apimachinery/pkg/util/proxy/upgradeaware.go`.

use std::sync::Arc;

use http::{Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use super::{answer, headers};
use crate::answer::{Answer, Content};
use crate::body;
use crate::call::Call;
use crate::client::Passing;
use crate::gate::Gate;
use crate::lifecycle::Stage;

/// Answers a request for an upgrade as the extension server did.
pub(super) fn open(gate: &Arc<Gate>, call: &mut Call, mut response: Response<Passing>) -> Answer {
    let code = response.status();
    if code != StatusCode::SWITCHING_PROTOCOLS {
        return match code.is_client_error() || code.is_server_error() {
            true => refused(response),
            false => {
                let why = format!("invalid upgrade response: status code {}", code.as_u16());
                answer::error(StatusCode::SERVICE_UNAVAILABLE, &why)
            }
        };
    }
    let theirs = hyper::upgrade::on(&mut response);
    let Some(ours) = call.upgrade.take() else {
        return answer::error(StatusCode::SERVICE_UNAVAILABLE, "request connection cannot be hijacked");
    };
    let (mut parts, body) = response.into_parts();
    let becomes = parts.headers.get(header::UPGRADE).cloned();
    headers::back(&mut parts.headers);
    parts.headers.insert(header::CONNECTION, header::HeaderValue::from_static("Upgrade"));
    becomes.and_then(|becomes| parts.headers.insert(header::UPGRADE, becomes));
    parts.extensions.clear();
    // The request lasts as long as the tunnel, and its record with it.
    let mut record = std::mem::replace(&mut call.record, audit::Record::none());
    if call.is_long_running() {
        record.started(code.as_u16(), gate.clock.now());
    }
    let (lifecycle, clock, counted) = (gate.lifecycle.clone(), gate.clock.clone(), crate::count::running(gate, call));
    tokio::spawn(async move {
        tokio::select! {
            () = carry(ours, theirs) => {}
            () = lifecycle.reached(Stage::Draining) => {}
        }
        drop((body, counted));
        record.close(code.as_u16(), clock.now()).await;
    });
    Answer::new(101, Content::Passed(Response::from_parts(parts, body::empty())))
}

fn refused(response: Response<Passing>) -> Answer {
    let (mut parts, body) = response.into_parts();
    headers::back(&mut parts.headers);
    parts.extensions.clear();
    Answer::new(parts.status.as_u16(), Content::Passed(Response::from_parts(parts, body.boxed_unsync())))
}

async fn carry(ours: OnUpgrade, theirs: OnUpgrade) {
    let (ours, theirs) = match tokio::try_join!(ours, theirs) {
        Ok(both) => both,
        Err(error) => return tracing::debug!(%error, "a connection did not become what both sides agreed on"),
    };
    let (mut ours, mut theirs) = (TokioIo::new(ours), TokioIo::new(theirs));
    if let Err(error) = tokio::io::copy_bidirectional(&mut ours, &mut theirs).await {
        tracing::debug!(%error, "a tunnel ended");
    }
}
