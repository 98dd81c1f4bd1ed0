//! Reviews: resources that are only asked and answered, never stored. They are put before admission as creates, whose policies
//! and webhooks leave them out, so that nobody can lock everybody out of asking what is allowed.
//! A table; each file below is one of them.

mod access;
mod identity;
mod rules;
mod selector;
mod token;

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use model::clock::rfc3339;
use model::{Status, Value, meta};

use crate::answer::{Answer, Content};
use crate::aside;
use crate::body::Body;
use crate::call::Call;
use crate::gate::Gate;
use crate::options::WriteOptions;
use crate::row::{self, Row};
use crate::subresources::Serve;
use crate::verbs::create;
use crate::write::Review;

const AUTHORIZATION: &str = "authorization.k8s.io";
const AUTHENTICATION: &str = "authentication.k8s.io";

/// Group, plural, how it is served.
static ALL: &[(&str, &str, Serve)] = &[
    (AUTHORIZATION, "subjectaccessreviews", |gate, call, row, body| ask(gate, call, row, body, access::ANY)),
    (AUTHORIZATION, "localsubjectaccessreviews", |gate, call, row, body| ask(gate, call, row, body, access::LOCAL)),
    (AUTHORIZATION, "selfsubjectaccessreviews", |gate, call, row, body| ask(gate, call, row, body, access::OWN)),
    (AUTHORIZATION, "selfsubjectrulesreviews", |gate, call, row, body| ask(gate, call, row, body, rules::OWN)),
    (AUTHENTICATION, "selfsubjectreviews", |gate, call, row, body| ask(gate, call, row, body, identity::OWN)),
    (AUTHENTICATION, "tokenreviews", |gate, call, row, body| ask(gate, call, row, body, token::WHOSE)),
];

/// The function that serves a review.
pub fn of(row: &Row) -> Option<Serve> {
    let gvr = row.gvr();
    ALL.iter().find(|(group, plural, _)| *group == &*gvr.group && *plural == &*gvr.resource).map(|(.., serve)| *serve)
}

/// What one kind of review asks.
struct Question {
    /// What is wrong with a review of this kind.
    check: fn(&Value) -> Result<(), Status>,
    /// Turns a review with a question into one with its answer.
    reply: fn(&Gate, &Call, Value) -> Result<Value, Status>,
}

fn ask<'a>(
    gate: &'a Arc<Gate>,
    call: &'a mut Call,
    row: &'a Row,
    body: Body,
    question: Question,
) -> BoxFuture<'a, Result<Answer, Status>> {
    async move {
        let (asked, options) = create::read(call, row, body).await?;
        if aside::is_wanted(call.body_bytes) {
            return aside::drive(answer(gate, call, row, asked, &options, question));
        }
        answer(gate, call, row, asked, &options, question).await
    }
    .boxed()
}

async fn answer(
    gate: &Arc<Gate>,
    call: &mut Call,
    row: &Row,
    mut asked: Value,
    options: &WriteOptions,
    question: Question,
) -> Result<Answer, Status> {
    crate::write::wipe(&mut asked);
    let (namespace, name) = (meta::namespace(&asked).to_owned(), meta::name(&asked).to_owned());
    row.track(None, &mut asked, &row::manager(call, &options.field_manager), &rfc3339(call.now));
    let review = Review::of_post(row, &namespace, &name, options);
    review.mutate(gate, call, &mut asked).await?;
    (question.check)(&asked)?;
    review.validate(gate, call, &asked).await?;
    let answered = (question.reply)(gate, call, asked)?;
    Ok(Answer::new(201, Content::Object(row.clone(), answered)))
}
