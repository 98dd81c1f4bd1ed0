//! Requests to one registry: shows what it demands, follows where it leads within what may be reached. Does not know what
//! the answers mean.

use admission::policy::registry::Failure;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use model::Value;

use super::challenge::{self, Challenge};
use super::credentials::Credentials;
use super::place::{Place, Reach};
use super::reference::Reference;
use crate::body;
use crate::client::{Connection, Lost, Trust};

/// Redirects that are followed; a registry leads to where its blobs are, and hardly further.
const REDIRECTS_MAX: usize = 3;
/// An answer that is no blob and no manifest: errors, and tokens.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// One request.
#[derive(Clone)]
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) path: &'a str,
    pub(super) accept: &'a str,
    pub(super) content_type: &'a str,
    pub(super) body: Bytes,
    /// The most that is read of the answer.
    pub(super) bytes_max: usize,
}

impl<'a> Ask<'a> {
    /// A request without a body.
    pub(super) fn of(method: Method, path: &'a str) -> Self {
        Self { method, path, accept: "*/*", content_type: "", body: Bytes::new(), bytes_max: ANSWER_BYTES_MAX }
    }
}

/// What is known of one registry while something is pulled or pushed.
pub(super) struct Session<'a> {
    reach: &'a Reach,
    place: Place,
    trust: Trust,
    credentials: Option<Credentials>,
    authorization: Option<HeaderValue>,
}

impl<'a> Session<'a> {
    /// Fails when the registry may not be spoken to. Connects to nobody yet.
    pub(super) fn open(
        reach: &'a Reach,
        reference: &Reference,
        is_plain: bool,
        trust: Trust,
        credentials: Option<Credentials>,
    ) -> Result<Self, Failure> {
        let place = Place::of_registry(&reference.registry, is_plain)?;
        reach.check(&place)?;
        Ok(Self { reach, place, trust, credentials, authorization: None })
    }

    /// Asks, and gives the answer if its code is one of these.
    pub(super) async fn expect(&mut self, ask: &Ask<'_>, codes: &[StatusCode]) -> Result<Response<Bytes>, Failure> {
        let answer = self.ask(ask).await?;
        if codes.contains(&answer.status()) { Ok(answer) } else { Err(refusal(ask, &answer)) }
    }

    async fn ask(&mut self, ask: &Ask<'_>) -> Result<Response<Bytes>, Failure> {
        let mut answer = self.send(&self.place, ask, self.authorization.as_ref()).await?;
        if answer.status() == StatusCode::UNAUTHORIZED && self.authorize(&answer).await? {
            answer = self.send(&self.place, ask, self.authorization.as_ref()).await?;
        }
        let mut at = self.place.clone();
        for _ in 0..REDIRECTS_MAX {
            if ask.method != Method::GET || !answer.status().is_redirection() {
                return Ok(answer);
            }
            let (place, path) = at.joined(location(&answer)?)?;
            self.reach.check(&place)?;
            // What is shown to a registry is for nobody else, not even on another port.
            let shown = self.authorization.as_ref().filter(|_| place == self.place);
            answer = self.send(&place, &Ask { path: &path, ..ask.clone() }, shown).await?;
            at = place;
        }
        Err(Failure::later(format!("the registry leads on more than {REDIRECTS_MAX} times")))
    }

    /// Where a blob that is begun is to be written; always at the registry itself.
    pub(super) fn upload_place(&self, begun: &Response<Bytes>) -> Result<String, Failure> {
        let (place, path) = self.place.joined(location(begun)?)?;
        match place == self.place {
            true => Ok(path),
            false => Err(Failure::last(format!("the registry wants blobs written to {}", place.target.authority))),
        }
    }

    /// Gets what the registry demands. False when there is nothing more to show.
    async fn authorize(&mut self, answer: &Response<Bytes>) -> Result<bool, Failure> {
        let demands = answer.headers().get_all(header::WWW_AUTHENTICATE);
        let challenge = demands.iter().filter_map(|value| value.to_str().ok()).find_map(Challenge::parse);
        let shown = match challenge {
            Some(Challenge::Bearer { realm, query }) => Some(format!("Bearer {}", self.token(&realm, &query).await?)),
            Some(Challenge::Basic) => self.basic(),
            None => None,
        };
        let shown = shown.and_then(|text| HeaderValue::from_str(&text).ok());
        let is_new = shown.is_some() && shown != self.authorization;
        if is_new {
            self.authorization = shown;
        }
        Ok(is_new)
    }

    fn basic(&self) -> Option<String> {
        match &self.credentials {
            Some(Credentials::Password(password)) => Some(format!("Basic {password}")),
            Some(Credentials::Identity(_)) | None => None,
        }
    }

    /// Asks whoever gives tokens for one. Who has an identity token shows that in a form, as OAuth2 has it.
    async fn token(&self, realm: &str, query: &str) -> Result<String, Failure> {
        let (place, path) = self.place.joined(realm)?;
        if place != self.place {
            self.reach.check(&place)?;
        }
        let joint = if path.contains('?') { '&' } else { '?' };
        let asked = format!("{path}{joint}{query}");
        let basic = self.basic().and_then(|basic| HeaderValue::from_str(&basic).ok());
        let ask = match &self.credentials {
            Some(Credentials::Identity(token)) => Ask {
                content_type: "application/x-www-form-urlencoded",
                body: Bytes::from(challenge::form(token, query)),
                accept: "application/json",
                ..Ask::of(Method::POST, &path)
            },
            Some(Credentials::Password(_)) | None => Ask { accept: "application/json", ..Ask::of(Method::GET, &asked) },
        };
        let answer = self.send(&place, &ask, basic.as_ref()).await?;
        if answer.status() != StatusCode::OK {
            return Err(refusal(&Ask { path: realm, ..ask }, &answer));
        }
        let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        let text = |field: &str| body.get(field).and_then(Value::as_str).map(str::to_owned);
        text("token").or_else(|| text("access_token")).ok_or_else(|| Failure::later(format!("{realm} gave no token")))
    }

    async fn send(&self, place: &Place, ask: &Ask<'_>, shown: Option<&HeaderValue>) -> Result<Response<Bytes>, Failure> {
        let failed = |why: String| Failure::later(format!("{} {}: {why}", ask.method, place.target.authority));
        let opened = match place.is_plain {
            true => Connection::open_plain(&place.target).await,
            false => Connection::open(&place.target, &self.trust).await,
        };
        let connection = opened.map_err(failed)?;
        let mut request = Request::builder()
            .method(&ask.method)
            .uri(ask.path)
            .header(header::HOST, &place.target.authority)
            .header(header::ACCEPT, ask.accept)
            .header(header::USER_AGENT, concat!("gatehouse/", env!("CARGO_PKG_VERSION")));
        if !ask.content_type.is_empty() {
            request = request.header(header::CONTENT_TYPE, ask.content_type);
        }
        if let Some(shown) = shown {
            request = request.header(header::AUTHORIZATION, shown);
        }
        let request = request.body(body::full(ask.body.clone())).map_err(|error| failed(error.to_string()))?;
        match connection.send_within(request, ask.bytes_max).await {
            Ok((answer, _)) => Ok(answer),
            Err(Lost::Closed) => Err(failed("EOF".to_owned())),
            Err(Lost::Failed(why)) => Err(failed(why)),
        }
    }
}

fn location(answer: &Response<Bytes>) -> Result<&str, Failure> {
    let location = answer.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
    location.ok_or_else(|| Failure::later(format!("the registry answered {} and did not say where", answer.status().as_u16())))
}

/// What a registry said instead of what was asked for.
fn refusal(ask: &Ask<'_>, answer: &Response<Bytes>) -> Failure {
    let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    let first = body.pointer("/errors/0").unwrap_or(&Value::Null);
    let said = ["code", "message"].iter().filter_map(|field| first.get(field)?.as_str()).collect::<Vec<_>>().join(": ");
    let said = if said.is_empty() { String::new() } else { format!(" ({said})") };
    let advice = match answer.status() {
        StatusCode::UNAUTHORIZED => "; log in by docker login, or name a file of credentials",
        StatusCode::NOT_FOUND => "; is it pushed there?",
        _ => "",
    };
    Failure::later(format!("{} {}: the registry answered {}{said}{advice}", ask.method, ask.path, answer.status()))
}
