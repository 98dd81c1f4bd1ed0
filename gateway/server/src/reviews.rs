//! Reviews: resources that are only asked and answered, never stored, and never sent to policies, so that nobody can lock
//! everybody out of asking what is allowed. A table; each file below is one of them.

mod access;
mod identity;
mod rules;
mod selector;
mod token;

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use model::clock::rfc3339;
use model::{Status, Value};

use crate::answer::{Answer, Content};
use crate::body::Body;
use crate::call::Call;
use crate::gate::Gate;
use crate::row::{self, Row};
use crate::subresources::Serve;
use crate::verbs::create;

const AUTHORIZATION: &str = "authorization.k8s.io";
const AUTHENTICATION: &str = "authentication.k8s.io";

/// Group, plural, how it is served.
static ALL: &[(&str, &str, Serve)] = &[
    (AUTHORIZATION, "subjectaccessreviews", |gate, call, row, body| ask(gate, call, row, body, access::any)),
    (AUTHORIZATION, "localsubjectaccessreviews", |gate, call, row, body| ask(gate, call, row, body, access::local)),
    (AUTHORIZATION, "selfsubjectaccessreviews", |gate, call, row, body| ask(gate, call, row, body, access::own)),
    (AUTHORIZATION, "selfsubjectrulesreviews", |gate, call, row, body| ask(gate, call, row, body, rules::own)),
    (AUTHENTICATION, "selfsubjectreviews", |gate, call, row, body| ask(gate, call, row, body, identity::own)),
    (AUTHENTICATION, "tokenreviews", |gate, call, row, body| ask(gate, call, row, body, token::whose)),
];

/// The function that serves a review.
pub fn of(row: &Row) -> Option<Serve> {
    let gvr = row.gvr();
    ALL.iter().find(|(group, plural, _)| *group == &*gvr.group && *plural == &*gvr.resource).map(|(.., serve)| *serve)
}

/// Turns a review with a question into one with its answer.
type Reply = fn(&Gate, &Call, Value) -> Result<Value, Status>;

fn ask<'a>(
    gate: &'a Arc<Gate>,
    call: &'a mut Call,
    row: &'a Row,
    body: Body,
    reply: Reply,
) -> BoxFuture<'a, Result<Answer, Status>> {
    async move {
        let (mut review, options) = create::read(call, row, body).await?;
        row.track(None, &mut review, &row::manager(call, &options.field_manager), &rfc3339(call.now));
        let answered = reply(gate, call, review)?;
        Ok(Answer::new(201, Content::Object(row.clone(), answered)))
    }
    .boxed()
}
