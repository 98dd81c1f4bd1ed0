//! Whether an extension server answers: asked what it serves, as its APIService has it. Sets no condition (`controllers`).
//! Follows the discovery check in `k8s.io/kube-aggregator/pkg/controllers/status/remote`.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use model::user::MASTERS;
use model::{User, Value};

use super::ask::{self, Ask};
use super::text;
use crate::client::Endpoint;
use crate::gate::Gate;

/// A server that discovery waits for longer is of no use to clients.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// Asked so often at once, a server behind an address that sometimes leads nowhere is found.
const ATTEMPTS: usize = 5;
/// Of the answer only its code counts.
const BYTES_MAX: usize = 4 << 20;

/// Whether the server of an APIService answers; fails with what its condition says.
pub async fn check(gate: &Gate, service: &Value) -> Result<(), String> {
    let spec = service.get("spec").unwrap_or(&Value::Null);
    let path = format!("/apis/{}/{}", text(spec, "group"), text(spec, "version"));
    let side = gate.aggregation.side(spec)?;
    let mut attempts: FuturesUnordered<_> = (0..ATTEMPTS).map(|_| attempt(gate, &side, &path)).collect();
    let mut last = Ok(());
    while let Some(outcome) = attempts.next().await {
        match outcome {
            Ok(()) => return Ok(()),
            failed => last = failed,
        }
    }
    last
}

async fn attempt(gate: &Gate, side: &Arc<Endpoint>, path: &str) -> Result<(), String> {
    let url = format!("https://{}{path}", side.place(gate)?.authority);
    let user = User::new("system:kube-aggregator", &[MASTERS]);
    let ask = Ask { path, user, accept: "*/*", etag: "", within: ANSWER_MAX, bytes_max: BYTES_MAX };
    let failed = match ask::get(gate, side, &ask).await {
        Ok(answer) if answer.status().is_success() => return Ok(()),
        Ok(answer) => format!("bad status from {url}: {}", answer.status().as_u16()),
        Err(why) => format!("Get \"{url}\": {why}"),
    };
    Err(format!("failing or missing response from {url}: {failed}"))
}
