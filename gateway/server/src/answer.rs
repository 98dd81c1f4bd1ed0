//! What a request is answered with, before it is bytes. Chooses no encoding (`respond`).

use std::sync::Arc;

use bytes::Bytes;
use flow::Seat;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use model::json::json;
use model::status::Details;
use model::{Status, Value};
use store::Entry;

use crate::body::Body;
use crate::conversion;
use crate::gate::Gate;
use crate::row::Row;
use crate::verbs::list::Listing;

/// An answer.
pub struct Answer {
    /// HTTP status code.
    pub code: u16,
    /// What it carries.
    pub content: Content,
    /// Given back when the answer is out.
    pub(crate) seat: Option<Seat>,
}

/// What an answer carries.
pub enum Content {
    /// One object as it is stored.
    Entry(Row, Arc<Entry>),
    /// One object that is not stored like this, in the version of the request, with `apiVersion` and `kind`: a dry run,
    /// a `Scale`.
    Object(Row, Value),
    /// Many objects.
    List(Box<Listing>),
    /// A `Status` that says that all went well, or another object without a resource.
    Status(Value),
    /// JSON that stands ready, in whatever encoding the client accepts.
    Json(Bytes),
    /// Bytes as they are.
    Raw(&'static str, Bytes),
    /// A response as it is.
    Response(http::Response<Bytes>),
    /// A response as somebody else gave it, its body still to come.
    Passed(http::Response<Body>),
    /// Bytes that come for as long as the client likes.
    Stream(&'static str, Body),
}

impl Answer {
    /// An answer.
    pub fn new(code: u16, content: Content) -> Self {
        Self { code, content, seat: None }
    }

    /// 200 with one stored object.
    pub fn entry(row: &Row, entry: Arc<Entry>) -> Self {
        Self::new(200, Content::Entry(row.clone(), entry))
    }

    /// The same with objects in the version of the request, where somebody must be asked to convert them.
    pub async fn converted(self, gate: &Gate) -> Result<Self, Status> {
        let content = match self.content {
            Content::Entry(row, entry) if row.asks_converter() => {
                let mut converted = conversion::entries(gate, &row, vec![entry.clone()]).await?;
                Content::Entry(row.of_converted(), converted.pop().unwrap_or(entry))
            }
            Content::List(listing) => Content::List(Box::new(listing.converted(gate).await?)),
            content => content,
        };
        Ok(Self { content, ..self })
    }

    /// 404 for a path where nothing is served, in the words of Go's mux.
    pub fn not_found() -> Self {
        let mut response = http::Response::new(Bytes::from_static(b"404 page not found\n"));
        *response.status_mut() = StatusCode::NOT_FOUND;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        Self::new(404, Content::Response(response))
    }

    /// The `Status` of a delete that left nothing to show.
    pub fn success(code: u16, details: Value) -> Self {
        let mut status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"});
        if details.as_object().is_some_and(|details| !details.is_empty()) {
            status["details"] = details;
        }
        Self::new(code, Content::Status(status))
    }

    /// The `Status` of a POST that made something else than what was posted; it tells its code, as upstream's does.
    pub fn done() -> Self {
        Self::new(
            201,
            Content::Status(json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201})),
        )
    }

    /// The same answer, which keeps a seat until it is out.
    pub fn holding(mut self, seat: Seat) -> Self {
        self.seat = Some(seat);
        self
    }
}

/// 405 for a verb that a path does not know.
pub fn method_not_allowed() -> Status {
    Status::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
        .with_details(Details::default())
}
