//! One request on its way: what it asks for, who asks, and what has been noted so far.
//! Decides nothing; the stages of `path` fill it and the verbs read it.

use std::time::{Duration, Instant};

use admission::Notes;
use bytes::Bytes;
use codec::negotiate::{self, Endpoint, Output};
use http::{HeaderMap, Method};
use hyper::upgrade::OnUpgrade;
use jiff::Timestamp;
use model::field::quote;
use model::selector::field::Selector;
use model::{Attributes, Query, RequestInfo, Status, User};

use crate::body::{self, Body};
use crate::options::table::IncludeObject;

/// How long a request may take until its own wish and the flags are known.
const LIMIT_DEFAULT: Duration = Duration::from_secs(60);

/// One request.
pub struct Call {
    /// HTTP method.
    pub method: Method,
    /// Path and query as sent.
    pub uri: String,
    /// What it asks for.
    pub info: RequestInfo,
    /// Its parameters.
    pub query: Query,
    /// Its headers; what proved the identity is removed once it did.
    pub headers: HeaderMap,
    /// Who asks; after authentication and impersonation.
    pub user: User,
    /// Identifies the request.
    pub id: String,
    /// When it arrived.
    pub now: Timestamp,
    /// How long it may take.
    pub limit: Duration,
    /// How many bytes its body has, once that was read.
    pub body_bytes: usize,
    /// When nobody waits for its answer any more; `None` where somebody may wait for ever, and for calls from inside.
    pub deadline: Option<Instant>,
    /// Warnings for the client and annotations for the audit record.
    pub notes: Notes,
    /// Where it belongs among the flow schemas, once it came so far.
    pub flow: Option<flow::Flow>,
    /// Whether authorization refused it.
    pub denied: bool,
    /// The open audit record.
    pub record: audit::Record,
    /// How the answer is written.
    pub output: Output,
    /// What the rows of a Table carry.
    pub include: IncludeObject,
    /// The client's connection, if it can become something else.
    pub upgrade: Option<OnUpgrade>,
}

/// Why not even what a request asks for could be told.
pub enum Unreadable {
    /// Its path is no text.
    Path(Status),
    /// Its path begins like a resource's and is none: what stands before upstream's handlers says so, in text.
    Request {
        /// Identifies the request.
        id: String,
        /// What was asked for and what is wrong with it.
        why: String,
    },
}

impl Call {
    /// Reads method, path and query.
    pub fn read(mut parts: http::request::Parts, now: Timestamp) -> Result<Self, Unreadable> {
        if model::query::decode_path(parts.uri.path()).is_none() {
            return Err(Unreadable::Path(Status::bad_request("the path is not a sequence of percent-encoded UTF-8")));
        }
        let query = Query::parse(parts.uri.query().unwrap_or(""));
        let info = RequestInfo::parse(parts.method.as_str(), parts.uri.path(), &query).map_err(|why| Unreadable::Request {
            id: audit::record::audit_id(text(&parts.headers, "audit-id")),
            why: format!(
                "{}: failed to create RequestInfo: {why}",
                quote(parts.uri.path_and_query().map_or("", |sent| sent.as_str()))
            ),
        })?;
        Ok(Self {
            uri: parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
            info,
            query,
            user: User::default(),
            id: audit::record::audit_id(text(&parts.headers, "audit-id")),
            method: parts.method,
            headers: parts.headers,
            now,
            limit: LIMIT_DEFAULT,
            body_bytes: 0,
            deadline: None,
            notes: Notes::default(),
            flow: None,
            denied: false,
            record: audit::Record::none(),
            output: plain(),
            include: IncludeObject::default(),
            upgrade: parts.extensions.remove(),
        })
    }

    /// A call from inside the process.
    pub fn local(user: User, info: RequestInfo, now: Timestamp) -> Self {
        Self {
            method: Method::GET,
            uri: String::new(),
            info,
            query: Query::default(),
            headers: HeaderMap::new(),
            user,
            id: String::new(),
            now,
            limit: LIMIT_DEFAULT,
            body_bytes: 0,
            deadline: None,
            notes: Notes::default(),
            flow: None,
            denied: false,
            record: audit::Record::none(),
            output: plain(),
            include: IncludeObject::default(),
            upgrade: None,
        }
    }

    /// Reads the body to its end.
    pub(crate) async fn read_body(&mut self, body: Body) -> Result<Bytes, Status> {
        let bytes = body::read(body, self.limit).await?;
        self.body_bytes = bytes.len();
        Ok(bytes)
    }

    /// Says how long the request may take from now on.
    pub fn wait_at_most(&mut self, limit: Duration) {
        self.limit = limit;
        self.deadline = if self.is_long_running() { None } else { Instant::now().checked_add(limit) };
    }

    /// Settles how the answer is written, before anything is done. Fails with 406, and 400 for bad Table options.
    pub fn negotiate(&mut self, endpoint: Endpoint) -> Result<(), Status> {
        let accept = self.header("accept");
        let streams = matches!(self.info.verb, model::Verb::List | model::Verb::Watch);
        // What is connected to answers in its own way, and custom resources are served past the router.
        if !self.is_connected() && endpoint != Endpoint::Custom {
            negotiate::route(accept, &negotiate::STREAMED[..if streams { 5 } else { 3 }])?;
        }
        self.output = negotiate::output(accept, endpoint)?;
        if self.output.convert.as_ref().is_some_and(|convert| convert.is_meta("Table")) {
            self.include = IncludeObject::parse(&self.query)?;
        }
        Ok(())
    }

    /// A header's value, empty when absent or no text.
    pub fn header(&self, name: &str) -> &str {
        text(&self.headers, name)
    }

    /// Whether the answer may last as long as the client likes.
    pub fn is_long_running(&self) -> bool {
        self.info.resource_request && (matches!(self.info.verb, model::Verb::Watch | model::Verb::Proxy) || self.is_connected())
    }

    /// Whether the request reaches through to something that answers in its own way.
    pub fn is_connected(&self) -> bool {
        ["attach", "exec", "proxy", "log", "portforward", "debug"].contains(&self.info.subresource.as_str())
    }

    /// The question for authorization.
    pub fn attributes(&self) -> Attributes {
        let info = &self.info;
        Attributes {
            user: self.user.clone(),
            verb: info.verb.as_str().to_owned(),
            group: info.group.clone(),
            version: info.version.clone(),
            resource: info.resource.clone(),
            subresource: info.subresource.clone(),
            namespace: info.namespace.clone(),
            name: info.name.clone(),
            resource_request: info.resource_request,
            path: info.path.clone(),
            fields: Selector::heard(&info.field_selector),
        }
    }
}

/// JSON, when nothing was negotiated yet.
fn plain() -> Output {
    Output { media: negotiate::Media::Json, pretty: false, convert: None, stream: String::new(), profile: String::new() }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
}
