//! Which link speaks for a request, and what happens when none does.

use http::HeaderValue;
use rcgen::{CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::*;
use crate::roots::Bundle;

fn now() -> Timestamp {
    "2026-06-01T00:00:00Z".parse().unwrap()
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
}

struct Authority(String, Issuer<'static, KeyPair>);

fn authority() -> Authority {
    let (mut params, key) = (CertificateParams::default(), KeyPair::generate().unwrap());
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let pem = params.self_signed(&key).unwrap().pem();
    Authority(pem, Issuer::new(params, key))
}

impl Authority {
    fn roots(&self) -> Roots {
        Roots::new(Bundle::from_pem(self.0.as_bytes()).unwrap())
    }

    fn certificate(&self, common_name: &str) -> Certificates {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common_name);
        let signed = params.signed_by(&KeyPair::generate().unwrap(), &self.1).unwrap();
        Certificates::new(vec![signed.der().clone()])
    }
}

fn name(chain: &Chain, certificates: &Certificates, pairs: &[(&'static str, &'static str)]) -> Result<String, Refused> {
    let headers = headers(pairs);
    chain.authenticate(&Credentials { certificates, headers: &headers, now: now() }).map(|identity| identity.user.name)
}

fn chain(clients: &Authority, proxies: &Authority) -> Chain {
    Chain {
        client_roots: Some(clients.roots()),
        tokens: Some(Tokens::parse("secret,alice,u1,dev").unwrap()),
        front_proxy: Some(FrontProxy {
            roots: proxies.roots(),
            allowed_names: vec!["proxy".into()],
            username_headers: vec!["X-Remote-User".into()],
            group_headers: vec!["X-Remote-Group".into()],
            ..FrontProxy::default()
        }),
        ..Chain::default()
    }
}

#[test]
fn each_link_speaks_for_its_own() {
    let (clients, proxies) = (authority(), authority());
    let chain = chain(&clients, &proxies);
    let none = Certificates::default();
    assert_eq!(name(&chain, &none, &[]).unwrap(), "system:anonymous");
    assert_eq!(name(&chain, &none, &[("authorization", "Bearer secret")]).unwrap(), "alice");
    assert_eq!(
        name(&chain, &none, &[("authorization", "bearer  secret")]).unwrap(),
        "system:anonymous",
        "an empty token is none"
    );
    assert_eq!(name(&chain, &none, &[("authorization", "Basic c2VjcmV0")]).unwrap(), "system:anonymous");
    assert_eq!(name(&chain, &clients.certificate("bob"), &[("authorization", "Bearer secret")]).unwrap(), "bob");
    assert_eq!(name(&chain, &proxies.certificate("proxy"), &[("x-remote-user", "carol")]).unwrap(), "carol");
}

#[test]
fn a_credential_nobody_accepts_is_refused_and_not_anonymous() {
    let (clients, proxies) = (authority(), authority());
    let chain = chain(&clients, &proxies);
    let stranger = authority().certificate("mallory");
    assert!(name(&chain, &Certificates::default(), &[("authorization", "Bearer wrong")]).is_err());
    assert!(name(&chain, &stranger, &[]).is_err());
    assert_eq!(
        name(&chain, &stranger, &[("authorization", "Bearer secret")]).unwrap(),
        "alice",
        "a bad certificate keeps out nobody with a token"
    );
    let mut broken = HeaderMap::new();
    broken.insert("authorization", http::HeaderValue::from_bytes(b"Bearer \xff").unwrap());
    let sent = Credentials { certificates: &Certificates::default(), headers: &broken, now: now() };
    assert!(chain.authenticate(&sent).is_err(), "what is no text is a token");
    let closed = Chain { anonymous: Anonymous::Refused, ..Chain::default() };
    assert_eq!(name(&closed, &Certificates::default(), &[]).unwrap_err().to_string(), "no credential was accepted");
}

#[test]
fn only_a_trusted_proxy_speaks_for_others() {
    let (clients, proxies) = (authority(), authority());
    let chain = chain(&clients, &proxies);
    let as_admin = [("x-remote-user", "admin"), ("x-remote-group", "system:masters")];
    assert_eq!(name(&chain, &Certificates::default(), &as_admin).unwrap(), "system:anonymous");
    assert_eq!(name(&chain, &clients.certificate("bob"), &as_admin).unwrap(), "bob");
    assert!(name(&chain, &proxies.certificate("other"), &as_admin).is_err(), "a name that is not allowed");
}

#[test]
fn whoever_is_known_belongs_to_the_authenticated() {
    let chain = chain(&authority(), &authority());
    let headers = headers(&[("authorization", "Bearer secret")]);
    let certificates = Certificates::default();
    let identity = chain.authenticate(&Credentials { certificates: &certificates, headers: &headers, now: now() }).unwrap();
    assert_eq!(identity.user.groups, ["dev", AUTHENTICATED]);
    assert_eq!(chain.authenticate_token("secret", &[], now()).unwrap().unwrap().user.groups, ["dev", AUTHENTICATED]);
    assert_eq!(chain.authenticate_token("wrong", &[], now()), Ok(None));
}
