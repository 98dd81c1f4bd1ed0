//! Chains made for the test, verified at chosen times.

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use time::OffsetDateTime;

use super::*;

const NOW: &str = "2026-06-01T00:00:00Z";

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    der: CertificateDer<'static>,
    pem: String,
}

fn at(text: &str) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(text.parse::<Timestamp>().unwrap().as_second()).unwrap()
}

fn params(common_name: &str, organizations: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    if !common_name.is_empty() {
        params.distinguished_name.push(DnType::CommonName, common_name);
    }
    for organization in organizations {
        params.distinguished_name.push(DnType::OrganizationName, *organization);
    }
    params.not_before = at("2026-01-01T00:00:00Z");
    params.not_after = at("2027-01-01T00:00:00Z");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

fn authority(common_name: &str, change: impl FnOnce(&mut CertificateParams), parent: Option<&Authority>) -> Authority {
    let mut params = params(common_name, &[]);
    params.extended_key_usages.clear();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    let certificate = match parent {
        Some(parent) => params.signed_by(&key, &parent.issuer).unwrap(),
        None => params.self_signed(&key).unwrap(),
    };
    Authority { der: certificate.der().clone(), pem: certificate.pem(), issuer: Issuer::new(params, key) }
}

fn leaf(params: CertificateParams, authority: &Authority) -> CertificateDer<'static> {
    params.signed_by(&KeyPair::generate().unwrap(), &authority.issuer).unwrap().der().clone()
}

fn verify_at(chain: Vec<CertificateDer<'static>>, root: &Authority, now: &str) -> Result<Arc<Verified>, Error> {
    let roots = Roots::new(Bundle::from_pem(root.pem.as_bytes()).unwrap());
    Certificates::new(chain).verify(Use::Client, &roots, now.parse().unwrap())
}

#[test]
fn the_subject_names_user_and_groups() {
    let root = authority("root", |_| (), None);
    let verified = verify_at(vec![leaf(params("alice", &["dev"]), &root)], &root, NOW).unwrap();
    let user = verified.user.as_ref().unwrap();
    assert_eq!((user.name.as_str(), user.uid.as_str()), ("alice", ""));
    assert_eq!(user.groups, ["dev"]);
    assert!(user.extra[CREDENTIAL_ID][0].starts_with("X509SHA256="));
    assert_eq!(user.extra[CREDENTIAL_ID][0].len(), "X509SHA256=".len() + 64);
    assert!(verify_at(vec![leaf(params("", &["dev"]), &root)], &root, NOW).unwrap().user.is_none(), "no name, no user");
}

#[test]
fn time_counts_for_every_certificate_of_the_chain() {
    let root = authority("root", |_| (), None);
    let chain = vec![leaf(params("alice", &[]), &root)];
    assert!(matches!(verify_at(chain.clone(), &root, "2025-12-31T23:59:59Z"), Err(Error::Expired(_))));
    assert!(matches!(verify_at(chain.clone(), &root, "2027-01-01T00:00:01Z"), Err(Error::Expired(_))));
    let old = authority("root", |p| p.not_after = at("2026-02-01T00:00:00Z"), None);
    assert!(matches!(verify_at(vec![leaf(params("alice", &[]), &old)], &old, NOW), Err(Error::Expired(_))));
}

#[test]
fn a_foreign_authority_of_the_same_name_vouches_for_nobody() {
    let (root, impostor) = (authority("root", |_| (), None), authority("root", |_| (), None));
    assert_eq!(
        verify_at(vec![leaf(params("alice", &["system:masters"]), &impostor)], &root, NOW).unwrap_err(),
        Error::UnknownAuthority
    );
    let both = vec![leaf(params("alice", &[]), &impostor), impostor.der.clone()];
    assert_eq!(verify_at(both, &root, NOW).unwrap_err(), Error::UnknownAuthority);
}

#[test]
fn intermediates_are_followed_when_they_may_sign() {
    let root = authority("root", |_| (), None);
    let middle = authority("middle", |_| (), Some(&root));
    let chain = |middle: &Authority| vec![leaf(params("alice", &[]), middle), middle.der.clone()];
    assert!(verify_at(chain(&middle), &root, NOW).is_ok());
    let no_authority = authority("middle", |p| p.is_ca = IsCa::ExplicitNoCa, Some(&root));
    assert!(verify_at(chain(&no_authority), &root, NOW).is_err());
    let no_signing = authority("middle", |p| p.key_usages = vec![KeyUsagePurpose::DigitalSignature], Some(&root));
    assert!(verify_at(chain(&no_signing), &root, NOW).is_err());
    let short = authority("root", |p| p.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)), None);
    let too_deep = authority("middle", |_| (), Some(&short));
    assert!(verify_at(chain(&too_deep), &short, NOW).is_err());
}

#[test]
fn the_purpose_must_allow_clients() {
    let root = authority("root", |_| (), None);
    let with = |usages: Vec<ExtendedKeyUsagePurpose>| {
        let mut params = params("alice", &[]);
        params.extended_key_usages = usages;
        verify_at(vec![leaf(params, &root)], &root, NOW)
    };
    assert_eq!(with(vec![ExtendedKeyUsagePurpose::ServerAuth]).unwrap_err(), Error::IncompatibleUsage);
    assert!(with(vec![ExtendedKeyUsagePurpose::Any]).is_ok());
    assert!(with(Vec::new()).is_ok());
    let servers = authority("root", |p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth], None);
    assert_eq!(verify_at(vec![leaf(params("alice", &[]), &servers)], &servers, NOW).unwrap_err(), Error::IncompatibleUsage);
}

#[test]
fn leaves_that_are_authorities_or_roots_themselves_are_accepted_as_go_does() {
    let root = authority("root", |_| (), None);
    let mut marked = params("alice", &[]);
    marked.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    assert_eq!(verify_at(vec![leaf(marked, &root)], &root, NOW).unwrap().common_name, "alice");
    assert_eq!(verify_at(vec![root.der.clone()], &root, NOW).unwrap().common_name, "root");
}

#[test]
fn a_replaced_bundle_counts_from_the_next_request() {
    let (root, other) = (authority("root", |_| (), None), authority("root", |_| (), None));
    let bundle = |authority: &Authority| Bundle::from_pem(authority.pem.as_bytes()).unwrap();
    let roots = Roots::new(bundle(&root));
    let shown = Certificates::new(vec![leaf(params("alice", &[]), &root)]);
    let now = NOW.parse().unwrap();
    assert!(shown.verify(Use::Client, &roots, now).is_ok());
    assert!(shown.verify(Use::Client, &roots, now).is_ok());
    assert!(
        shown.verify(Use::Client, &roots, "2027-06-01T00:00:00Z".parse().unwrap()).is_err(),
        "memory ends with the certificate"
    );
    roots.replace(bundle(&other));
    assert_eq!(shown.verify(Use::Client, &roots, now).unwrap_err(), Error::UnknownAuthority);
}

#[test]
fn junk_is_an_error_and_no_panic() {
    let root = authority("root", |_| (), None);
    assert!(matches!(verify_at(vec![vec![0x30, 0x03, 1, 2].into()], &root, NOW), Err(Error::Malformed(_))));
    assert_eq!(verify_at(Vec::new(), &root, NOW).unwrap_err(), Error::UnknownAuthority);
    let leaf = leaf(params("alice", &[]), &root);
    assert_eq!(verify_at(vec![leaf; CHAIN_MAX + 1], &root, NOW).unwrap_err(), Error::TooMany(CHAIN_MAX + 1));
}

#[test]
fn version_1_certificates_are_accepted() {
    // Made with `openssl x509 -req` without extensions, which yields version 1, for a century.
    let root = Bundle::from_pem(include_bytes!("testdata/root.crt")).unwrap();
    let leaf = Bundle::from_pem(include_bytes!("testdata/version1.crt")).unwrap().certificates.remove(0);
    assert_eq!(X509Certificate::from_der(&leaf).unwrap().1.version().0, 0);
    let verified =
        Certificates::new(vec![leaf]).verify(Use::Client, &Roots::new(root), "2030-01-01T00:00:00Z".parse().unwrap()).unwrap();
    let user = verified.user.as_ref().unwrap();
    assert_eq!((user.name.as_str(), user.groups.as_slice()), ("old-timer", &["dev".to_owned(), "ops".to_owned()][..]));
}
