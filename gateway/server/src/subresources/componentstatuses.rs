//! `componentstatuses`, which upstream has deprecated: whether storage, the scheduler and the controllers answer, asked when it is
//! read. Nothing of it is stored. Follows `pkg/registry/core/componentstatus`.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use http::{Request, header};
use model::json::json;
use model::{GroupResource, Status, Value, Verb};

use crate::answer::{Answer, Content};
use crate::body::{self, Body};
use crate::call::Call;
use crate::client::{Connection, Lost, Target, Terms, Trust};
use crate::gate::Gate;
use crate::options::list::ListOptions;
use crate::respond::Shape;
use crate::row::Row;

/// How long a component may take; upstream waits as long.
const PROBE_MAX: Duration = Duration::from_secs(20);
/// What is read of an answer at most, and shown.
const ANSWER_BYTES_MAX: usize = 10 * 1024;

/// What is asked.
#[derive(Clone, Copy)]
enum Component {
    /// The program behind a port of this machine.
    Port(u16),
    /// What keeps the objects.
    Storage,
}

/// In the order in which lists show them; upstream's order is that in which they answer.
const COMPONENTS: [(&str, Component); 3] =
    [("controller-manager", Component::Port(10257)), ("etcd-0", Component::Storage), ("scheduler", Component::Port(10259))];

/// Serves a read.
pub(super) fn serve<'a>(
    gate: &'a Arc<Gate>,
    call: &'a mut Call,
    row: &'a Row,
    _body: Body,
) -> BoxFuture<'a, Result<Answer, Status>> {
    async move {
        call.notes.warn("v1 ComponentStatus is deprecated in v1.19+");
        // A list that selects one by its name is about that name, too.
        if call.info.verb == Verb::Get {
            let named = COMPONENTS.iter().find(|(name, _)| *name == call.info.name);
            // Upstream tells the resource in the singular here.
            let unknown =
                || Status::not_found(&GroupResource { group: "".into(), resource: "componentstatus".into() }, &call.info.name);
            let (name, component) = named.ok_or_else(unknown)?;
            return Ok(Answer::new(200, Content::Object(row.clone(), status(gate, name, *component).await)));
        }
        let mut options = ListOptions::parse(&call.query, &call.info)?;
        options.convert_fields(|field| row.stored_field(field))?;
        let selected = COMPONENTS.iter().filter(|(name, _)| is_selected(&options, name));
        let statuses = join_all(selected.map(|(name, component)| status(gate, name, *component))).await;
        Ok(Answer::new(200, Content::Json(Shape::of(call).listed(row, &statuses, call.now))))
    }
    .boxed()
}

fn is_selected(options: &ListOptions, name: &str) -> bool {
    let field = |field: &str| if field == "metadata.name" { name } else { "" };
    options.labels.matches(|_| None) && options.fields.matches(field)
}

async fn status(gate: &Gate, name: &str, component: Component) -> Value {
    let healthy = match component {
        _ if gate.components.contains(&name) => Ok("ok".to_owned()),
        Component::Storage => storage(gate).map(|()| "ok".to_owned()).map_err(Unwell::Error),
        Component::Port(port) => probe(port).await.map_err(Unwell::Message),
    };
    let condition = match healthy {
        Ok(said) => json!({"type": "Healthy", "status": "True", "message": said}),
        Err(Unwell::Message(why)) => json!({"type": "Healthy", "status": "False", "message": why}),
        Err(Unwell::Error(why)) => json!({"type": "Healthy", "status": "False", "error": why}),
    };
    json!({"metadata": {"name": name}, "conditions": [condition]})
}

/// How the cluster is that holds what no other does.
fn storage(gate: &Gate) -> Result<(), String> {
    gate.store.engine().health().into_iter().next().unwrap_or(Ok(()))
}

/// Where it is told that something is wrong.
enum Unwell {
    Message(String),
    Error(String),
}

/// What the program behind a port says of its health, whatever certificate it shows.
async fn probe(port: u16) -> Result<String, String> {
    let url = format!("https://127.0.0.1:{port}/healthz");
    let told = |why: String| format!("Get \"{url}\": {why}");
    match tokio::time::timeout(PROBE_MAX, ask(port)).await {
        Ok(Ok((200..400, body))) => Ok(body),
        Ok(Ok((code, _))) => Err(format!("HTTP probe failed with statuscode: {code}")),
        Ok(Err(why)) => Err(told(why)),
        Err(_) => Err(told("context deadline exceeded (Client.Timeout exceeded while awaiting headers)".to_owned())),
    }
}

async fn ask(port: u16) -> Result<(u16, String), String> {
    let host = "127.0.0.1".to_owned();
    let target = Target { authority: format!("{host}:{port}"), server_name: host.clone(), host, port };
    let trust = Trust::of(Terms { unverified: true, ..Terms::default() })?;
    let request = Request::get("/healthz")
        .header(header::HOST, &target.authority)
        .header(header::ACCEPT, "*/*")
        .header(header::USER_AGENT, concat!("gatehouse/", env!("CARGO_PKG_VERSION")))
        .body(body::empty())
        .map_err(|error| error.to_string())?;
    let connection = Connection::open(&target, &trust).await?;
    match connection.send_within(request, ANSWER_BYTES_MAX).await {
        Ok((answer, _)) => Ok((answer.status().as_u16(), String::from_utf8_lossy(answer.body()).into_owned())),
        Err(Lost::Closed) => Err("EOF".to_owned()),
        Err(Lost::Failed(why)) => Err(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_does_not_answer_is_told_as_go_tells_it() {
        // Nothing listens there.
        let port = 1;
        let want = format!("Get \"https://127.0.0.1:{port}/healthz\": dial tcp 127.0.0.1:{port}: connect: connection refused");
        assert_eq!(probe(port).await, Err(want));
    }
}
