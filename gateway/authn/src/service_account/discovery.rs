//! What relying parties read to verify tokens: `/.well-known/openid-configuration` and `/openid/v1/jwks`.
//! Follows `k8s.io/kubernetes/pkg/serviceaccount/openidmetadata.go`. Serves nothing itself.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::json::{Value, json};
use x509_parser::prelude::FromDer;

use super::keys::{Algorithm, PublicKey};

/// Path of the key set.
pub const JWKS_PATH: &str = "/openid/v1/jwks";
/// Path of the configuration.
pub const CONFIGURATION_PATH: &str = "/.well-known/openid-configuration";
/// Media type of the key set.
pub const JWKS_MEDIA_TYPE: &str = "application/jwk-set+json";
/// `Cache-Control` of both documents.
pub const CACHE_CONTROL: &str = "public, max-age=3600";

/// The configuration document; `jwks_uri` is where clients reach the key set.
pub fn configuration(issuer: &str, jwks_uri: &str, keys: &[PublicKey]) -> Value {
    let mut algorithms: Vec<&str> = keys.iter().map(|key| key.algorithm.as_str()).collect();
    algorithms.sort_unstable();
    algorithms.dedup();
    json!({
        "issuer": issuer,
        "jwks_uri": jwks_uri,
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": algorithms,
    })
}

/// The key set.
pub fn jwks(keys: &[PublicKey]) -> Value {
    json!({"keys": keys.iter().filter_map(jwk).collect::<Vec<_>>()})
}

fn jwk(key: &PublicKey) -> Option<Value> {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let curve = match key.algorithm {
        Algorithm::Es256 => "P-256",
        Algorithm::Es384 => "P-384",
        Algorithm::Rs256 => {
            let (_, rsa) = x509_parser::public_key::RSAPublicKey::from_der(&key.bytes).ok()?;
            let (n, e) = (trim(rsa.modulus), trim(rsa.exponent));
            return Some(json!({"use": "sig", "kty": "RSA", "kid": key.id, "alg": "RS256", "n": encode(n), "e": encode(e)}));
        }
    };
    // An uncompressed point: a leading 4, then both coordinates.
    let (x, y) = key.bytes.get(1..).map(|point| point.split_at(point.len() / 2))?;
    Some(
        json!({"use": "sig", "kty": "EC", "kid": key.id, "crv": curve, "alg": key.algorithm.as_str(), "x": encode(x), "y": encode(y)}),
    )
}

fn trim(number: &[u8]) -> &[u8] {
    &number[number.iter().take_while(|byte| **byte == 0).count()..]
}
