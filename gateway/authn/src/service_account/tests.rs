//! Tokens issued and verified, and what keeps one from being accepted.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::json::{Value, json};

use super::verify::Error;
use super::*;

const RSA: &[u8] = include_bytes!("testdata/rsa-pkcs1.key");
const P384: &[u8] = include_bytes!("testdata/p384-sec1.key");
/// Key ids as Go derives them for these keys.
const RSA_ID: &str = "pLiUP94bBj3oCfYnF81S1yAZ_yic845-Mzr2dl1ofUc";
const P384_ID: &str = "6WSiwfZJt_D80c2rEEKnkDlP7zUyHxbDt3-qclCcpVQ";
const HERE: &str = "https://kubernetes.default.svc";

#[derive(Default)]
struct Objects(Mutex<HashMap<(Bound, String), Found>>);

impl Objects {
    fn put(&self, what: Bound, name: &str, uid: &str, deleted: Option<Timestamp>) {
        self.0.lock().unwrap().insert((what, name.to_owned()), Found { uid: uid.to_owned(), deleted });
    }
}

impl Lookup for Objects {
    fn find(&self, what: Bound, namespace: &str, name: &str) -> Option<Found> {
        let key = if namespace.is_empty() { name.to_owned() } else { format!("{namespace}/{name}") };
        self.0.lock().unwrap().get(&(what, key)).cloned()
    }

    fn object(&self, _: Bound, _: &str, _: &str) -> Option<Value> {
        None
    }
}

struct Cluster {
    issuer: Issuer,
    verifier: Verifier,
    objects: Arc<Objects>,
    audiences: Vec<String>,
}

fn now() -> Timestamp {
    "2026-06-01T00:00:00Z".parse().unwrap()
}

fn later(seconds: i64) -> Timestamp {
    Timestamp::from_second(now().as_second() + seconds).unwrap()
}

fn cluster(pem: &[u8]) -> Cluster {
    let key = PrivateKey::from_pem(pem).unwrap();
    let objects = Arc::new(Objects::default());
    objects.put(Bound::ServiceAccount, "default/builder", "sa-1", None);
    let verifier = Verifier::new(vec![HERE.to_owned()], vec![key.public.clone()], Some(objects.clone()));
    Cluster { issuer: Issuer::new(HERE, key), verifier, objects, audiences: vec![HERE.to_owned()] }
}

impl Cluster {
    fn order(&self) -> Order<'_> {
        Order {
            namespace: "default",
            name: "builder",
            uid: "sa-1",
            audiences: &self.audiences,
            lifetime_s: 3600,
            ..Order::default()
        }
    }

    fn verify_at(&self, token: &str, now: Timestamp) -> Result<Option<verify::Accepted>, Error> {
        self.verifier.verify(token, &self.audiences, now)
    }
}

fn pod() -> Option<Reference> {
    Some(Reference { name: "web".into(), uid: "pod-1".into() })
}

#[test]
fn a_token_names_its_account_pod_and_node() {
    let cluster = cluster(P384);
    cluster.objects.put(Bound::Pod, "default/web", "pod-1", None);
    let node = Some(Reference { name: "n1".into(), uid: "node-1".into() });
    let issued = cluster.issuer.issue(&Order { pod: pod(), node, warn_after_s: Some(60), ..cluster.order() }, now()).unwrap();
    assert_eq!(issued.expires, later(3600));
    let accepted = cluster.verify_at(&issued.token, later(10)).unwrap().unwrap();
    assert_eq!(accepted.audiences, [HERE]);
    let user = accepted.user;
    assert_eq!((user.name.as_str(), user.uid.as_str()), ("system:serviceaccount:default:builder", "sa-1"));
    assert_eq!(user.groups, ["system:serviceaccounts", "system:serviceaccounts:default"]);
    let extra: Vec<(&str, &str)> = user.extra.iter().map(|(k, v)| (k.rsplit('/').next().unwrap(), v[0].as_str())).collect();
    let id = issued.credential_id.as_str();
    assert_eq!(
        extra,
        [("credential-id", id), ("node-name", "n1"), ("node-uid", "node-1"), ("pod-name", "web"), ("pod-uid", "pod-1")]
    );
}

#[test]
fn the_claims_are_those_of_upstream() {
    let cluster = cluster(RSA);
    let issued = cluster.issuer.issue(&Order { pod: pod(), ..cluster.order() }, now()).unwrap();
    let part = |index: usize| -> Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(issued.token.split('.').nth(index).unwrap()).unwrap()).unwrap()
    };
    assert_eq!(part(0), json!({"alg": "RS256", "kid": RSA_ID}));
    let mut claims = part(1);
    assert_eq!(claims["jti"].as_str().map(|id| format!("JTI={id}")), Some(issued.credential_id.clone()));
    claims.as_object_mut().unwrap().remove("jti");
    let s = now().as_second();
    let private = json!({"namespace": "default", "pod": {"name": "web", "uid": "pod-1"}, "serviceaccount": {"name": "builder", "uid": "sa-1"}});
    let sub = "system:serviceaccount:default:builder";
    assert_eq!(
        claims,
        json!({"aud": [HERE], "exp": s + 3600, "iat": s, "nbf": s, "iss": HERE, "sub": sub, "kubernetes.io": private})
    );
}

#[test]
fn time_has_a_minute_of_leeway() {
    let cluster = cluster(P384);
    let token = cluster.issuer.issue(&cluster.order(), now()).unwrap().token;
    assert!(cluster.verify_at(&token, later(3600 + 59)).is_ok());
    assert_eq!(cluster.verify_at(&token, later(3600 + 61)), Err(Error::Expired));
    assert!(cluster.verify_at(&token, later(-59)).is_ok());
    assert_eq!(cluster.verify_at(&token, later(-61)), Err(Error::NotYet));
}

#[test]
fn what_a_token_is_bound_to_must_still_be_there() {
    let cluster = cluster(P384);
    let token = cluster.issuer.issue(&Order { pod: pod(), ..cluster.order() }, now()).unwrap().token;
    assert_eq!(cluster.verify_at(&token, now()), Err(Error::Gone(Bound::Pod)));
    cluster.objects.put(Bound::Pod, "default/web", "another", None);
    assert_eq!(cluster.verify_at(&token, now()), Err(Error::Gone(Bound::Pod)));
    cluster.objects.put(Bound::Pod, "default/web", "pod-1", Some(later(-59)));
    assert!(cluster.verify_at(&token, now()).unwrap().is_some(), "a pod on its way out may still speak");
    assert_eq!(cluster.verify_at(&token, later(10)), Err(Error::Gone(Bound::Pod)));
    cluster.objects.put(Bound::Pod, "default/web", "pod-1", None);
    cluster.objects.put(Bound::ServiceAccount, "default/builder", "sa-2", None);
    assert_eq!(cluster.verify_at(&token, now()), Err(Error::Gone(Bound::ServiceAccount)), "the account was made anew");
}

#[test]
fn a_token_for_somebody_else_is_refused() {
    let cluster = cluster(P384);
    let vault = vec!["vault".to_owned()];
    let token = cluster.issuer.issue(&Order { audiences: &vault, ..cluster.order() }, now()).unwrap().token;
    assert!(matches!(cluster.verify_at(&token, now()), Err(Error::Audience { .. })));
    assert_eq!(cluster.verifier.verify(&token, &vault, now()).unwrap().unwrap().audiences, vault);
}

#[test]
fn forged_and_foreign_tokens_are_refused() {
    let (ours, other) = (cluster(P384), cluster(RSA));
    let foreign = other.issuer.issue(&other.order(), now()).unwrap().token;
    assert_eq!(ours.verify_at(&foreign, now()), Err(Error::Signature), "our issuer's name, another key");
    let token = ours.issuer.issue(&ours.order(), now()).unwrap().token;
    assert!(ours.verify_at(&token, now()).is_ok());
    let parts: Vec<&str> = token.split('.').collect();
    let root = URL_SAFE_NO_PAD.encode(
        json!({"iss": HERE, "kubernetes.io": {"namespace": "kube-system", "serviceaccount": {"name": "root"}}}).to_string(),
    );
    assert_eq!(ours.verify_at(&[parts[0], &root, parts[2]].join("."), now()), Err(Error::Signature));
    for algorithm in ["none", "HS256", "RS256"] {
        let header = URL_SAFE_NO_PAD.encode(json!({"alg": algorithm}).to_string());
        assert_eq!(ours.verify_at(&[&header, parts[1], ""].join("."), now()), Err(Error::Signature), "{algorithm}");
    }
    for nothing in ["", "a", "a.b", "a.b.c", "....", "{}", &"x".repeat(1 << 20)] {
        assert_eq!(ours.verify_at(nothing, now()), Ok(None), "not a token of ours, so others may know it");
    }
}

#[test]
fn a_token_that_speaks_for_a_webhook_is_refused() {
    let cluster = cluster(P384);
    let bound = |to: &str| {
        let private =
            json!({"namespace": "default", "serviceaccount": {"name": "builder", "uid": "sa-1"}, to: {"name": "a", "uid": "u"}});
        let token = cluster.issuer.signed(&json!({"iss": HERE, "aud": [HERE], "kubernetes.io": private})).unwrap();
        cluster.verify_at(&token, now()).map(|accepted| accepted.is_some())
    };
    assert_eq!(bound("else"), Ok(true));
    assert_eq!(bound("validatingwebhookconfiguration"), Err(Error::WebhookBound));
    assert_eq!(bound("mutatingwebhookconfiguration"), Err(Error::WebhookBound));
}

#[test]
fn keys_are_read_in_every_wrapping_and_named_as_go_names_them() {
    assert_eq!(PrivateKey::from_pem(RSA).unwrap().public.id, RSA_ID);
    assert_eq!(PrivateKey::from_pem(P384).unwrap().public.id, P384_ID);
    assert_eq!(PublicKey::all_from_pem(include_bytes!("testdata/rsa.pub")).unwrap()[0].id, RSA_ID);
    assert_eq!(PublicKey::all_from_pem(RSA).unwrap(), PublicKey::all_from_pem(include_bytes!("testdata/rsa.pub")).unwrap());
    let own = rcgen::KeyPair::generate().unwrap();
    let private = PrivateKey::from_pem(own.serialize_pem().as_bytes()).unwrap();
    assert_eq!(PublicKey::all_from_pem(own.public_key_pem().as_bytes()).unwrap(), [private.public]);
    assert!(matches!(PrivateKey::from_pem(include_bytes!("testdata/p521-sec1.key")), Err(keys::Error::Unsupported)));
    assert!(matches!(PublicKey::all_from_pem(b"no key"), Err(keys::Error::None)));
}

#[test]
fn the_published_set_lets_others_verify() {
    let keys = vec![PrivateKey::from_pem(RSA).unwrap().public, PrivateKey::from_pem(P384).unwrap().public];
    let set = discovery::jwks(&keys);
    assert_eq!(set["keys"][0]["e"], "AQAB");
    assert_eq!(set["keys"][0]["n"].as_str().unwrap().len(), 342, "2048 bits without a leading zero");
    assert_eq!(set["keys"][1]["crv"], "P-384");
    assert_eq!(set["keys"][1]["x"].as_str().unwrap().len(), 64);
    let document = discovery::configuration(HERE, "https://x/openid/v1/jwks", &keys);
    assert_eq!(document["id_token_signing_alg_values_supported"], json!(["ES384", "RS256"]));
}

/// A Secret and an account.
struct Held {
    secret: Value,
    account: Value,
}

impl Lookup for Held {
    fn find(&self, _: Bound, _: &str, _: &str) -> Option<Found> {
        None
    }

    fn object(&self, what: Bound, _: &str, _: &str) -> Option<Value> {
        match what {
            Bound::Secret => Some(self.secret.clone()),
            Bound::ServiceAccount => Some(self.account.clone()),
            _ => None,
        }
    }
}

#[test]
fn a_token_in_a_secret_holds_as_long_as_it_lies_there() {
    let key = PrivateKey::from_pem(RSA).unwrap();
    let issuer = Issuer::new(HERE, key.clone());
    let token = issuer.issue_legacy(("default", "builder", "sa-1"), "builder-token").unwrap();
    let payload: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap();
    assert_eq!(
        payload,
        json!({
            "iss": "kubernetes/serviceaccount",
            "kubernetes.io/serviceaccount/namespace": "default",
            "kubernetes.io/serviceaccount/secret.name": "builder-token",
            "kubernetes.io/serviceaccount/service-account.name": "builder",
            "kubernetes.io/serviceaccount/service-account.uid": "sa-1",
            "sub": "system:serviceaccount:default:builder",
        })
    );
    let held = base64::engine::general_purpose::STANDARD.encode(&token);
    let secret =
        |labels: Value, data: &str| json!({"metadata": {"name": "builder-token", "labels": labels}, "data": {"token": data}});
    let account = |uid: &str, secrets: Value| json!({"metadata": {"name": "builder", "uid": uid}, "secrets": secrets});
    let verify = |secret: Value, account: Value| {
        let objects = Arc::new(Held { secret, account });
        let verifier = Verifier::new(vec![HERE.to_owned()], vec![key.public.clone()], Some(objects));
        verifier.verify(&token, &[HERE.to_owned()], now()).map(|accepted| accepted.map(|a| (a.user.name.to_string(), a.legacy)))
    };
    let labels = json!({(legacy::LAST_USED): "2026-05-31"});
    let legacy = |generated: bool, last_used: &str| {
        Some(Legacy { namespace: "default".into(), secret: "builder-token".into(), generated, last_used: last_used.into() })
    };
    let name = || "system:serviceaccount:default:builder".to_owned();
    assert_eq!(verify(secret(labels, &held), account("sa-1", json!([]))), Ok(Some((name(), legacy(false, "2026-05-31")))));
    let listed = json!([{"name": "builder-token"}]);
    assert_eq!(verify(secret(json!({}), &held), account("sa-1", listed)), Ok(Some((name(), legacy(true, "")))));
    let refused = |secret, account| verify(secret, account).unwrap_err().to_string();
    assert_eq!(refused(secret(json!({}), "b3RoZXI="), account("sa-1", json!([]))), "Token does not match server's copy");
    assert_eq!(
        refused(secret(json!({}), &held), account("sa-2", json!([]))),
        "ServiceAccount UID (sa-2) does not match claim (sa-1)"
    );
    let taken_out = json!({"kubernetes.io/legacy-token-invalid-since": "2026-05-01"});
    assert!(refused(secret(taken_out, &held), account("sa-1", json!([]))).contains("has been marked invalid"));
}
