//! Tokens that Secrets hold (`kubernetes.io/service-account-token`): without an end, valid as long as the Secret holds exactly
//! them and their account is there. Follows `pkg/serviceaccount/legacy.go`. Writes no Secret (`controllers`).

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use model::json::{Value, json};
use model::meta;
use sha2::{Digest, Sha256};

use super::keys::{PrivateKey, Unsigned};
use super::verify::Error;
use super::{Bound, Lookup, user_name};

/// Who issues them, whatever the others' issuer is called.
pub const ISSUER: &str = "kubernetes/serviceaccount";
/// Tells when one was last used.
pub const LAST_USED: &str = "kubernetes.io/legacy-token-last-used";
/// Takes a token out of use.
const INVALID_SINCE: &str = "kubernetes.io/legacy-token-invalid-since";
/// How the claims about the account and its Secret begin.
const CLAIM: &str = "kubernetes.io/serviceaccount";

/// Where a token that was accepted lies, and what is to be said of its use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Legacy {
    /// Namespace of the Secret.
    pub namespace: String,
    /// Its name.
    pub secret: String,
    /// Whether the account lists the Secret, as accounts did when tokens were made for each of them.
    pub generated: bool,
    /// The day on which it was last used, if that is known.
    pub last_used: String,
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Claims {
    pub(super) namespace: String,
    pub(super) account: String,
    pub(super) uid: String,
    secret: String,
}

impl Claims {
    /// Fails in upstream's words.
    pub(super) fn of(payload: &Value) -> Result<Self, &'static str> {
        let claim = |name: &str| payload.get(format!("{CLAIM}/{name}").as_str()).and_then(Value::as_str).unwrap_or("").to_owned();
        let subject = payload.get("sub").and_then(Value::as_str).unwrap_or("");
        let claims = Self {
            namespace: claim("namespace"),
            secret: claim("secret.name"),
            account: claim("service-account.name"),
            uid: claim("service-account.uid"),
        };
        let missing = [
            (subject, "sub claim is missing"),
            (&claims.namespace, "namespace claim is missing"),
            (&claims.secret, "secretName claim is missing"),
            (&claims.account, "serviceAccountName claim is missing"),
            (&claims.uid, "serviceAccountUID claim is missing"),
        ];
        if let Some((_, why)) = missing.iter().find(|(claim, _)| claim.is_empty()) {
            return Err(why);
        }
        if subject != user_name(&claims.namespace, &claims.account) { Err("sub claim is invalid") } else { Ok(claims) }
    }

    /// Judges a token by its Secret and its account. Fails in upstream's words.
    pub(super) fn check(&self, token: &str, objects: &dyn Lookup) -> Result<Legacy, Error> {
        let Self { namespace, account, uid, secret } = self;
        let refused = |why: String| Err(Error::Legacy(why));
        let found = objects.object(Bound::Secret, namespace, secret).filter(|found| meta::deletion_timestamp(found).is_none());
        let Some(found) = found else { return refused("Token has been invalidated".to_owned()) };
        let held = found.pointer("/data/token").and_then(Value::as_str).unwrap_or("");
        // Digests are compared, so that the time tells nothing of the token.
        if !STANDARD.decode(held).is_ok_and(|held| Sha256::digest(held) == Sha256::digest(token)) {
            return refused("Token does not match server's copy".to_owned());
        }
        let Some(owner) = objects.object(Bound::ServiceAccount, namespace, account) else {
            return refused(format!("serviceaccounts \"{account}\" not found"));
        };
        if meta::deletion_timestamp(&owner).is_some() {
            return refused(format!("ServiceAccount {namespace}/{account} has been deleted"));
        }
        if meta::uid(&owner) != uid {
            return refused(format!("ServiceAccount UID ({}) does not match claim ({uid})", meta::uid(&owner)));
        }
        if meta::label(&found, INVALID_SINCE).is_some_and(|since| !since.is_empty()) {
            return refused(format!(
                "the token in secret {namespace}/{secret} for service account {namespace}/{account} has been marked invalid. Use tokens from the TokenRequest API or manually created secret-based tokens, or remove the '{INVALID_SINCE}' label from the secret to temporarily allow use of this token"
            ));
        }
        let listed = owner.get("secrets").and_then(Value::as_array).into_iter().flatten();
        let generated = listed.into_iter().any(|one| one.get("name").and_then(Value::as_str) == Some(secret));
        let last_used = meta::label(&found, LAST_USED).unwrap_or("").to_owned();
        Ok(Legacy { namespace: namespace.clone(), secret: secret.clone(), generated, last_used })
    }
}

/// A token for an account that a Secret shall hold. Fails only when the machine gives no randomness.
pub fn issue(
    key: &PrivateKey,
    header: &str,
    (namespace, account, uid): (&str, &str, &str),
    secret: &str,
) -> Result<String, Unsigned> {
    let claims = json!({
        "iss": ISSUER,
        (format!("{CLAIM}/namespace")): namespace,
        (format!("{CLAIM}/secret.name")): secret,
        (format!("{CLAIM}/service-account.name")): account,
        (format!("{CLAIM}/service-account.uid")): uid,
        "sub": user_name(namespace, account),
    });
    let message = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let signature = URL_SAFE_NO_PAD.encode(key.sign(message.as_bytes())?);
    Ok(format!("{message}.{signature}"))
}
