//! Bootstrap tokens: `id.secret`, which a Secret of kube-system holds, by which machines that are to become nodes are let in.
//! Follows `plugin/pkg/auth/authenticator/token/bootstrap`. Makes and removes no Secret.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use model::json::Value;
use model::{User, meta};
use sha2::{Digest, Sha256};

use crate::service_account::{Bound, Lookup};

const NAMESPACE: &str = "kube-system";
const TYPE: &str = "bootstrap.kubernetes.io/token";
const NAME_PREFIX: &str = "bootstrap-token-";
const USER_PREFIX: &str = "system:bootstrap:";
/// The group of all of them, and how the names of the others begin.
const GROUP: &str = "system:bootstrappers";
const ID_BYTES: usize = 6;
const SECRET_BYTES: usize = 16;
/// Characters between the prefix of a group's name and its last.
const GROUP_BYTES_MAX: usize = 255;

/// The tokens that Secrets hold now.
pub struct Tokens(Arc<dyn Lookup>);

impl Tokens {
    /// Looks them up among these objects.
    pub fn new(objects: Arc<dyn Lookup>) -> Self {
        Self(objects)
    }

    /// Whose token this is. Of one that is known and does not hold, the log says why.
    pub fn find(&self, token: &str, now: Timestamp) -> Option<User> {
        let (id, secret) = token.split_once('.').filter(|(id, secret)| is_part(id, ID_BYTES) && is_part(secret, SECRET_BYTES))?;
        let object = self.0.object(Bound::Secret, NAMESPACE, &format!("{NAME_PREFIX}{id}"))?;
        match user(&object, (id, secret), now) {
            Ok(user) => Some(user),
            Err(why) => {
                tracing::info!(secret = meta::name(&object), why, "bootstrap token not accepted");
                None
            }
        }
    }
}

fn is_part(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

fn user(object: &Value, (id, secret): (&str, &str), now: Timestamp) -> Result<User, &'static str> {
    let held = |key: &str| data(object, key);
    // Digests are compared, so that the time tells nothing of the secret.
    let is_same = Sha256::digest(held("token-secret")) == Sha256::digest(secret);
    let expiration = held("expiration");
    let has_expired = || expiration.parse::<Timestamp>().map_or(true, |at| at <= now);
    let refusals: [(bool, &str); 6] = [
        (meta::deletion_timestamp(object).is_some(), "it is deleted and awaiting removal"),
        (object.get("type").and_then(Value::as_str) != Some(TYPE), "its Secret has another type"),
        (!is_same, "token-secret is another"),
        (held("token-id") != id, "token-id is another"),
        (!expiration.is_empty() && has_expired(), "it has expired"),
        (held("usage-bootstrap-authentication") != "true", "it is not marked usage-bootstrap-authentication=true"),
    ];
    if let Some((_, why)) = refusals.iter().find(|(applies, _)| *applies) {
        return Err(why);
    }
    let more = held("auth-extra-groups");
    let more: Vec<&str> = if more.is_empty() { Vec::new() } else { more.split(',').collect() };
    if !more.iter().all(|group| is_group(group)) {
        return Err("auth-extra-groups has an invalid name");
    }
    let groups: BTreeSet<&str> = more.into_iter().chain([GROUP]).collect();
    Ok(User::new(format!("{USER_PREFIX}{id}"), &groups.into_iter().collect::<Vec<_>>()))
}

/// A value of a Secret as text; empty where it is none.
fn data(object: &Value, key: &str) -> String {
    let encoded = object.get("data").and_then(|data| data.get(key)).and_then(Value::as_str).unwrap_or("");
    STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
}

/// `system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]`.
fn is_group(name: &str) -> bool {
    let Some(rest) = name.strip_prefix(GROUP).and_then(|rest| rest.strip_prefix(':')) else { return false };
    let is_end = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_within = |byte: u8| is_end(byte) || byte == b':' || byte == b'-';
    match rest.as_bytes() {
        [within @ .., last] => within.len() <= GROUP_BYTES_MAX && is_end(*last) && within.iter().copied().all(is_within),
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use model::json::{Map, json};

    use super::*;
    use crate::service_account::Found;

    const TOKEN: &str = "abcdef.0123456789abcdef";

    /// One Secret.
    struct One(Value);

    impl Lookup for One {
        fn find(&self, _: Bound, _: &str, _: &str) -> Option<Found> {
            None
        }

        fn object(&self, what: Bound, namespace: &str, name: &str) -> Option<Value> {
            (what == Bound::Secret && namespace == NAMESPACE && name == meta::name(&self.0)).then(|| self.0.clone())
        }
    }

    fn secret(more: &[(&str, &str)]) -> Value {
        let mut all = vec![
            ("token-id", "abcdef"),
            ("token-secret", "0123456789abcdef"),
            ("usage-bootstrap-authentication", "true"),
            ("expiration", "2026-06-01T00:00:01Z"),
        ];
        all.extend(more);
        let data: Map = all.into_iter().map(|(key, value)| (key, Value::from(STANDARD.encode(value)))).collect();
        json!({"metadata": {"name": "bootstrap-token-abcdef", "namespace": NAMESPACE}, "type": TYPE, "data": data})
    }

    fn found(secret: Value, token: &str) -> Option<(String, Vec<String>)> {
        let now = "2026-06-01T00:00:00Z".parse().unwrap();
        Tokens::new(Arc::new(One(secret))).find(token, now).map(|user| (user.name.to_string(), user.groups))
    }

    #[test]
    fn who_has_one_is_a_bootstrapper() {
        let groups = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(found(secret(&[]), TOKEN), Some(("system:bootstrap:abcdef".to_owned(), groups(&[GROUP]))));
        let more = "system:bootstrappers:z,system:bootstrappers:a:b-c";
        let (_, found_groups) = found(secret(&[("auth-extra-groups", more)]), TOKEN).unwrap();
        assert_eq!(found_groups, groups(&[GROUP, "system:bootstrappers:a:b-c", "system:bootstrappers:z"]));
    }

    #[test]
    fn what_does_not_hold_is_nobodys() {
        for more in [
            ("token-id", "abcdee"),
            ("token-secret", "0123456789abcdee"),
            ("usage-bootstrap-authentication", "yes"),
            ("expiration", "2026-06-01T00:00:00Z"),
            ("expiration", "tomorrow"),
            ("auth-extra-groups", "system:masters"),
            ("auth-extra-groups", "system:bootstrappers:a-"),
        ] {
            assert_eq!(found(secret(&[more]), TOKEN), None, "{more:?}");
        }
        for token in ["abcdef.0123456789abcde", "ABCDEF.0123456789abcdef", "abcdef", "abcdee.0123456789abcdef", ""] {
            assert_eq!(found(secret(&[]), token), None, "{token}");
        }
        let mut other = secret(&[]);
        other["type"] = "Opaque".into();
        assert_eq!(found(other, TOKEN), None);
        let mut ending = secret(&[]);
        ending["metadata"]["deletionTimestamp"] = "2026-06-01T00:00:00Z".into();
        assert_eq!(found(ending, TOKEN), None);
    }
}
