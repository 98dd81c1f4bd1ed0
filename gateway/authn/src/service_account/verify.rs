//! Verifies tokens of service accounts: signature, issuer, time, audience, and that what they are bound to still exists.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use model::User;
use model::json::Value;
use model::recent::Recent;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use super::keys::PublicKey;
use super::{Bound, Found, Legacy, Lookup, Reference, groups, legacy, user_name};
use crate::certificate::CREDENTIAL_ID;

/// Clocks of issuer and verifier may differ by this much, as upstream's library allows.
const LEEWAY: SignedDuration = SignedDuration::from_secs(60);
/// Signatures remembered as good, of each of two generations. A token in use costs a digest instead of a signature check;
/// with about half a kilobyte of claims each, both generations stay under ten megabytes.
const REMEMBERED_MAX: usize = 8192;
/// A token longer than this is none: ours have about one kilobyte.
const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// Why a token is not accepted. For the log: the client reads "Unauthorized".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No key of ours made the signature.
    #[error("invalid signature")]
    Signature,
    /// The claims are not those of a service account.
    #[error("service account token claims are malformed")]
    Claims,
    /// Too late.
    #[error("service account token has expired")]
    Expired,
    /// Too early.
    #[error("service account token is not valid yet")]
    NotYet,
    /// Issued later than now.
    #[error("service account token is issued in the future")]
    Future,
    /// For somebody else.
    #[error("token audiences {token:?} is invalid for the target audiences {wanted:?}")]
    Audience {
        /// For whom it is.
        token: Vec<String>,
        /// Who asks.
        wanted: Vec<String>,
    },
    /// What it names is gone or another.
    #[error("{0:?} of the token no longer exists")]
    Gone(Bound),
    /// It speaks for a webhook's configuration, which nobody may yet.
    #[error("feature gate \"APIServerWebhookAuthenticationToken\" is disabled, but token is webhook bound")]
    WebhookBound,
    /// It is one that a Secret holds, and cannot be used.
    #[error("{0}")]
    Legacy(String),
}

/// A token that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Whose it is.
    pub user: User,
    /// Those of the wanted audiences it is for.
    pub audiences: Vec<String>,
    /// Where it lies, if a Secret holds it.
    pub legacy: Option<Legacy>,
}

/// Verifies tokens of the issuers it knows.
pub struct Verifier {
    issuers: Vec<String>,
    keys: Vec<PublicKey>,
    lookup: Option<Arc<dyn Lookup>>,
    remembered: Mutex<Recent<[u8; 32], Arc<Claims>>>,
}

/// The claims of a token whose signature is good.
struct Claims {
    audiences: Vec<String>,
    expires_s: i64,
    not_before_s: i64,
    issued_s: i64,
    id: String,
    namespace: String,
    account: Reference,
    pod: Option<Reference>,
    secret: Option<Reference>,
    node: Option<Reference>,
    legacy: Option<legacy::Claims>,
}

impl Verifier {
    /// Accepts tokens of `issuers` signed by any of `keys`; without a lookup (`--service-account-lookup=false` is not
    /// offered upstream for bound tokens, but tests use it) nothing is checked to exist.
    pub fn new(issuers: Vec<String>, keys: Vec<PublicKey>, lookup: Option<Arc<dyn Lookup>>) -> Self {
        Self { issuers, keys, lookup, remembered: Mutex::new(Recent::new(REMEMBERED_MAX)) }
    }

    /// Verifies a token for these audiences. `Ok(None)` when it is not a token of these issuers.
    pub fn verify(&self, token: &str, wanted: &[String], now: Timestamp) -> Result<Option<Accepted>, Error> {
        if token.len() > TOKEN_BYTES_MAX {
            return Ok(None);
        }
        let digest = Sha256::digest(token).into();
        let known = self.remembered.lock().get(digest);
        let claims = match known {
            Some(claims) => claims,
            None => match self.signed_claims(token)? {
                Some(claims) => self.remember(digest, claims),
                None => return Ok(None),
            },
        };
        check_time(&claims, now)?;
        let own = if claims.audiences.is_empty() { wanted } else { &claims.audiences };
        let audiences: Vec<String> = own.iter().filter(|audience| wanted.contains(audience)).cloned().collect();
        if audiences.is_empty() && !wanted.is_empty() {
            return Err(Error::Audience { token: claims.audiences.clone(), wanted: wanted.to_vec() });
        }
        let legacy = match (&self.lookup, &claims.legacy) {
            (Some(lookup), Some(legacy)) => Some(legacy.check(token, lookup.as_ref())?),
            (Some(lookup), None) => check_bound(&claims, lookup.as_ref(), now).map(|()| None)?,
            (None, _) => None,
        };
        Ok(Some(Accepted { user: user(&claims), audiences, legacy }))
    }

    fn remember(&self, digest: [u8; 32], claims: Claims) -> Arc<Claims> {
        let claims = Arc::new(claims);
        self.remembered.lock().put(digest, claims.clone(), 1);
        claims
    }

    fn signed_claims(&self, token: &str) -> Result<Option<Claims>, Error> {
        let Some((message, signature)) = token.rsplit_once('.') else { return Ok(None) };
        let Some((header, payload)) = message.split_once('.') else { return Ok(None) };
        let (Some(header), Some(payload)) = (decode(header), decode(payload)) else { return Ok(None) };
        let issuer = payload["iss"].as_str().unwrap_or("");
        let is_legacy = issuer == legacy::ISSUER;
        if !is_legacy && !self.issuers.iter().any(|known| known == issuer) {
            return Ok(None);
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Error::Signature)?;
        let id = header["kid"].as_str().unwrap_or("");
        let good = self.keys.iter().any(|key| {
            (id.is_empty() || key.id == id)
                && header["alg"].as_str() == Some(key.algorithm.as_str())
                && key.verifies(message.as_bytes(), &signature)
        });
        if !good {
            return Err(Error::Signature);
        }
        if is_legacy {
            return legacy_claims(&payload).map(Some);
        }
        let claims = claims(&payload).ok_or(Error::Claims)?;
        if is_webhook_bound(&payload) { Err(Error::WebhookBound) } else { Ok(Some(claims)) }
    }
}

fn decode(part: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

fn claims(payload: &Value) -> Option<Claims> {
    let private = payload.get("kubernetes.io")?;
    let reference = |field: &str| -> Option<Reference> {
        let object = private.get(field)?;
        Some(Reference { name: object["name"].as_str()?.to_owned(), uid: object["uid"].as_str().unwrap_or("").to_owned() })
    };
    let audiences = match &payload["aud"] {
        Value::String(one) => vec![one.clone()],
        Value::Array(many) => many.iter().filter_map(|a| a.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    };
    Some(Claims {
        audiences,
        expires_s: seconds(&payload["exp"]).unwrap_or(i64::MAX),
        not_before_s: seconds(&payload["nbf"]).unwrap_or(i64::MIN),
        issued_s: seconds(&payload["iat"]).unwrap_or(i64::MIN),
        id: payload["jti"].as_str().unwrap_or("").to_owned(),
        namespace: private["namespace"].as_str()?.to_owned(),
        account: reference("serviceaccount")?,
        pod: reference("pod"),
        secret: reference("secret"),
        node: reference("node"),
        legacy: None,
    })
}

/// Whether a token is bound to what a gate makes of it that is off by default. Upstream: `pkg/serviceaccount/claims.go`.
fn is_webhook_bound(payload: &Value) -> bool {
    ["validatingwebhookconfiguration", "mutatingwebhookconfiguration"]
        .iter()
        .any(|bound| payload["kubernetes.io"].get(bound).is_some_and(|to| !to.is_null()))
}

/// Those of a token that a Secret holds: it is for this server, and never ends.
fn legacy_claims(payload: &Value) -> Result<Claims, Error> {
    let legacy = legacy::Claims::of(payload).map_err(|why| Error::Legacy(why.to_owned()))?;
    Ok(Claims {
        audiences: Vec::new(),
        expires_s: i64::MAX,
        not_before_s: i64::MIN,
        issued_s: i64::MIN,
        id: String::new(),
        namespace: legacy.namespace.clone(),
        account: Reference { name: legacy.account.clone(), uid: legacy.uid.clone() },
        pod: None,
        secret: None,
        node: None,
        legacy: Some(legacy),
    })
}

fn seconds(date: &Value) -> Option<i64> {
    date.as_i64().or_else(|| date.as_f64().map(|seconds| seconds as i64))
}

fn check_time(claims: &Claims, now: Timestamp) -> Result<(), Error> {
    let (now_s, leeway_s) = (now.as_second(), LEEWAY.as_secs());
    if now_s.saturating_add(leeway_s) < claims.not_before_s {
        return Err(Error::NotYet);
    }
    if now_s.saturating_sub(leeway_s) > claims.expires_s {
        return Err(Error::Expired);
    }
    if now_s.saturating_add(leeway_s) < claims.issued_s {
        return Err(Error::Future);
    }
    Ok(())
}

fn check_bound(claims: &Claims, lookup: &dyn Lookup, now: Timestamp) -> Result<(), Error> {
    let alive = |what: Bound, namespace: &str, named: &Reference| {
        // An object on its way out counts for the leeway of its deletion time, as upstream allows.
        let is = |found: &Found| {
            found.uid == named.uid && found.deleted.is_none_or(|at| at >= now.saturating_sub(LEEWAY).unwrap_or(at))
        };
        lookup.find(what, namespace, &named.name).is_some_and(|found| is(&found)).then_some(()).ok_or(Error::Gone(what))
    };
    alive(Bound::ServiceAccount, &claims.namespace, &claims.account)?;
    if let Some(secret) = &claims.secret {
        alive(Bound::Secret, &claims.namespace, secret)?;
    }
    match (&claims.pod, &claims.node) {
        // The node of a pod's token only tells where the pod runs.
        (Some(pod), _) => alive(Bound::Pod, &claims.namespace, pod),
        (None, Some(node)) => alive(Bound::Node, "", node),
        (None, None) => Ok(()),
    }
}

fn user(claims: &Claims) -> User {
    let mut user = User {
        name: user_name(&claims.namespace, &claims.account.name),
        uid: claims.account.uid.clone(),
        groups: groups(&claims.namespace),
        ..User::default()
    };
    let mut tell = |key: &str, value: &str| {
        if !value.is_empty() {
            user.extra.insert(key.to_owned(), vec![value.to_owned()]);
        }
    };
    if !claims.id.is_empty() {
        tell(CREDENTIAL_ID, &format!("JTI={}", claims.id));
    }
    if let Some(pod) = claims.pod.as_ref().filter(|pod| !pod.uid.is_empty()) {
        tell("authentication.kubernetes.io/pod-name", &pod.name);
        tell("authentication.kubernetes.io/pod-uid", &pod.uid);
    }
    if let Some(node) = &claims.node {
        tell("authentication.kubernetes.io/node-name", &node.name);
        tell("authentication.kubernetes.io/node-uid", &node.uid);
    }
    user
}
