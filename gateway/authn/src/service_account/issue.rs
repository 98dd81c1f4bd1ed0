//! Issues tokens. Does not decide who may have one or for how long (`serviceaccounts/token` in `server`).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use model::json::{Map, Value, json};

use super::keys::{PrivateKey, Unsigned};
use super::{Reference, legacy, user_name};

/// Lifetime upstream gives a token that asks for exactly [`WARN_ONLY_S`], while old clients learn to reread theirs.
pub const EXTENDED_S: i64 = 24 * 365 * 60 * 60;
/// The lifetime that kubelets ask for on behalf of such clients.
pub const WARN_ONLY_S: i64 = 60 * 60 + 7;

/// What the token shall say.
#[derive(Clone, Debug, Default)]
pub struct Order<'a> {
    /// Namespace of the account.
    pub namespace: &'a str,
    /// Name of the account.
    pub name: &'a str,
    /// Uid of the account.
    pub uid: &'a str,
    /// For whom it is.
    pub audiences: &'a [String],
    /// How long it lives.
    pub lifetime_s: i64,
    /// From when on its use is noted as stale.
    pub warn_after_s: Option<i64>,
    /// The pod it is bound to.
    pub pod: Option<Reference>,
    /// The secret it is bound to.
    pub secret: Option<Reference>,
    /// The node it is bound to, or on which its pod runs.
    pub node: Option<Reference>,
}

/// A fresh token.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The token itself.
    pub token: String,
    /// When it ends.
    pub expires: Timestamp,
    /// Its id as `authentication.kubernetes.io/issued-credential-id` tells it to the audit record.
    pub credential_id: String,
}

/// Signs tokens under one issuer's name.
#[derive(Clone, Debug)]
pub struct Issuer {
    issuer: String,
    key: PrivateKey,
    header: String,
}

impl Issuer {
    /// Signs with `key` in the name of `issuer`.
    pub fn new(issuer: impl Into<String>, key: PrivateKey) -> Self {
        let header = json!({"alg": key.public.algorithm.as_str(), "kid": key.public.id});
        Self { issuer: issuer.into(), header: URL_SAFE_NO_PAD.encode(header.to_string()), key }
    }

    /// The name tokens are issued under.
    pub fn name(&self) -> &str {
        &self.issuer
    }

    /// Issues a token that a Secret shall hold. Fails only when the machine gives no randomness.
    pub fn issue_legacy(&self, account: (&str, &str, &str), secret: &str) -> Result<String, Unsigned> {
        legacy::issue(&self.key, &self.header, account, secret)
    }

    /// Issues a token. Fails only when the machine gives no randomness.
    pub fn issue(&self, order: &Order<'_>, now: Timestamp) -> Result<Issued, Unsigned> {
        let id = uuid::Uuid::new_v4().to_string();
        let issued_at = now.as_second();
        let expires_at = issued_at.saturating_add(order.lifetime_s);
        let mut claims = json!({
            "aud": order.audiences,
            "exp": expires_at,
            "iat": issued_at,
            "iss": self.issuer,
            "jti": id,
            "kubernetes.io": private(order, issued_at),
            "nbf": issued_at,
            "sub": user_name(order.namespace, order.name),
        });
        if order.audiences.is_empty()
            && let Some(claims) = claims.as_object_mut()
        {
            claims.shift_remove("aud");
        }
        let expires = now.checked_add(SignedDuration::from_secs(order.lifetime_s)).unwrap_or(Timestamp::MAX);
        Ok(Issued { token: self.signed(&claims)?, expires, credential_id: format!("JTI={id}") })
    }

    /// A token with these claims.
    pub(super) fn signed(&self, claims: &Value) -> Result<String, Unsigned> {
        let message = format!("{}.{}", self.header, URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(message.as_bytes())?);
        Ok(format!("{message}.{signature}"))
    }
}

fn private(order: &Order<'_>, issued_at: i64) -> Value {
    let mut claims = Map::new();
    claims.insert("namespace", order.namespace.into());
    for (field, object) in [("node", &order.node), ("pod", &order.pod), ("secret", &order.secret)] {
        if let Some(object) = object {
            claims.insert(field, json!({"name": object.name, "uid": object.uid}));
        }
    }
    claims.insert("serviceaccount", json!({"name": order.name, "uid": order.uid}));
    if let Some(after_s) = order.warn_after_s {
        claims.insert("warnafter", issued_at.saturating_add(after_s).into());
    }
    Value::Object(claims)
}
