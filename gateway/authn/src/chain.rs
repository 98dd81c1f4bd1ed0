//! The links of authentication, tried in turn: front proxy, client certificate, bearer token (of a WebSocket too), nobody.
//! Follows `k8s.io/kubernetes/pkg/kubeapiserver/authenticator`. Reads no socket and writes no answer.

use http::HeaderMap;
use jiff::Timestamp;
use model::User;
use model::user::{ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED};

use crate::bootstrap;
use crate::certificate::{Certificates, Use};
use crate::front_proxy::{self, FrontProxy};
use crate::impersonation::Last;
use crate::roots::Roots;
use crate::service_account::verify::Accepted;
use crate::service_account::{Legacy, Verifier};
use crate::token_file::Tokens;
use crate::websocket;

/// What a request brings to prove who sends it.
#[derive(Clone, Copy, Debug)]
pub struct Credentials<'a> {
    /// What the client showed in the handshake of its connection.
    pub certificates: &'a Certificates,
    /// All headers of the request.
    pub headers: &'a HeaderMap,
    /// The time of the request.
    pub now: Timestamp,
}

/// Who sends a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The user.
    pub user: User,
    /// Those of the wanted audiences the credential is for; all wanted ones when it knows no audiences.
    pub audiences: Vec<String>,
    /// Where the token lies, if it is one that a Secret holds.
    pub legacy: Option<Legacy>,
}

/// Whether a request without any credential is let through as `system:anonymous`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Anonymous {
    /// It is (`--anonymous-auth`).
    #[default]
    Allowed,
    /// It is not.
    Refused,
}

/// 401: the client reads "Unauthorized", the log reads this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", if .0.is_empty() { "no credential was accepted".to_owned() } else { .0.join("; ") })]
pub struct Refused(pub Vec<String>);

/// The chain. Its parts are public: the server puts together what the flags ask for.
#[derive(Default)]
pub struct Chain {
    /// Trusted proxies.
    pub front_proxy: Option<FrontProxy>,
    /// Authorities of client certificates.
    pub client_roots: Option<Roots>,
    /// Tokens from a file.
    pub tokens: Option<Tokens>,
    /// Tokens of service accounts.
    pub service_accounts: Option<Verifier>,
    /// Tokens of machines that are to become nodes.
    pub bootstrap: Option<bootstrap::Tokens>,
    /// What this server is called in tokens (`--api-audiences`).
    pub audiences: Vec<String>,
    /// What happens without any credential.
    pub anonymous: Anonymous,
    /// How those who act as others did it last.
    pub impersonated: Last,
}

impl Chain {
    /// Says who sends a request. A credential that nobody accepts is an error, not anonymity, unless another one is accepted.
    pub fn authenticate(&self, credentials: &Credentials<'_>) -> Result<Identity, Refused> {
        let mut refusals = Vec::new();
        match self.first(credentials, &mut refusals) {
            Some(mut identity) => {
                add_authenticated(&mut identity.user);
                Ok(identity)
            }
            None if refusals.is_empty() && self.anonymous == Anonymous::Allowed => {
                Ok(self.everywhere(User::new(ANONYMOUS, &[UNAUTHENTICATED])))
            }
            None => Err(Refused(refusals)),
        }
    }

    /// Says whose token this is, for TokenReview; `Ok(None)` when nobody knows it. `wanted` empty means this server.
    pub fn authenticate_token(&self, token: &str, wanted: &[String], now: Timestamp) -> Result<Option<Identity>, Refused> {
        let mut refusals = Vec::new();
        let wanted = if wanted.is_empty() { &self.audiences } else { wanted };
        match self.token(token, wanted, now, &mut refusals) {
            Some(mut identity) => {
                add_authenticated(&mut identity.user);
                Ok(Some(identity))
            }
            None if refusals.is_empty() => Ok(None),
            None => Err(Refused(refusals)),
        }
    }

    /// Removes from the headers whatever proved the identity, so that nothing later passes it on or logs it.
    pub fn clear(&self, headers: &mut HeaderMap) {
        front_proxy::clear_standard(headers);
        websocket::clear(headers);
        if let Some(proxy) = &self.front_proxy {
            proxy.clear(headers);
        }
    }

    fn first(&self, credentials: &Credentials<'_>, refusals: &mut Vec<String>) -> Option<Identity> {
        let Credentials { certificates, headers, now } = *credentials;
        if let Some(proxy) = &self.front_proxy {
            match proxy.authenticate(certificates, headers, now) {
                Ok(Some(user)) => return Some(self.everywhere(user)),
                Ok(None) => {}
                Err(error) => refusals.push(error.to_string()),
            }
        }
        if let Some(roots) = self.client_roots.as_ref().filter(|_| !certificates.is_empty()) {
            match certificates.verify(Use::Client, roots, now) {
                Ok(verified) => {
                    if let Some(user) = &verified.user {
                        return Some(self.everywhere(user.clone()));
                    }
                }
                Err(error) => refusals.push(error.to_string()),
            }
        }
        let sent = bearer(headers);
        if let Some(identity) = sent.and_then(|token| self.accepted(&token, now, refusals)) {
            return Some(identity);
        }
        match websocket::token(headers) {
            Ok(token) => self.accepted(&token?, now, refusals),
            Err(why) => {
                refusals.push(why.to_owned());
                None
            }
        }
    }

    /// Whose token this is; a token that nobody knows is a refusal.
    fn accepted(&self, token: &str, now: Timestamp, refusals: &mut Vec<String>) -> Option<Identity> {
        let identity = self.token(token, &self.audiences, now, refusals);
        if identity.is_none() && refusals.is_empty() {
            refusals.push("invalid bearer token".to_owned());
        }
        identity
    }

    fn token(&self, token: &str, wanted: &[String], now: Timestamp, refusals: &mut Vec<String>) -> Option<Identity> {
        if let Some(user) = self.tokens.as_ref().and_then(|tokens| tokens.find(token)) {
            return self.for_us(user.clone(), wanted);
        }
        match self.service_accounts.as_ref().map(|verifier| verifier.verify(token, wanted, now)) {
            Some(Ok(Some(Accepted { user, legacy: legacy @ Some(_), .. }))) => {
                return self.for_us(user, wanted).map(|identity| Identity { legacy, ..identity });
            }
            Some(Ok(Some(accepted))) => {
                return Some(Identity { user: accepted.user, audiences: accepted.audiences, legacy: None });
            }
            Some(Ok(None)) | None => {}
            Some(Err(error)) => refusals.push(error.to_string()),
        }
        let user = self.bootstrap.as_ref()?.find(token, now)?;
        self.for_us(user, wanted)
    }

    /// A token that names nobody is for this server, under whatever name.
    fn for_us(&self, user: User, wanted: &[String]) -> Option<Identity> {
        let audiences: Vec<String> = wanted.iter().filter(|wanted| self.audiences.contains(wanted)).cloned().collect();
        let is_for_us = !audiences.is_empty() || self.audiences.is_empty();
        is_for_us.then_some(Identity { user, audiences, legacy: None })
    }

    fn everywhere(&self, user: User) -> Identity {
        Identity { user, audiences: self.audiences.clone(), legacy: None }
    }
}

fn add_authenticated(user: &mut User) {
    if user.name != ANONYMOUS && !user.in_group(AUTHENTICATED) && !user.in_group(UNAUTHENTICATED) {
        user.groups.push(AUTHENTICATED.to_owned());
    }
}

/// The bearer token, if the request brings one; other schemes are nobody's business here.
fn bearer(headers: &HeaderMap) -> Option<String> {
    // What is no text is a token all the same, and one that nobody knows.
    let sent = String::from_utf8_lossy(headers.get("authorization")?.as_bytes());
    let mut parts = sent.trim().splitn(3, ' ');
    let scheme = parts.next()?;
    parts.next().filter(|token| scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests;
