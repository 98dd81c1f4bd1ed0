//! The cluster's own keys and certificates, made on first start and renewed before they end. Names are kubeadm's.
//! Follows the layout of `cmd/kubeadm/app/phases/certs`. Given files (`--tls-cert-file` and the like) are not touched here.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
    SerialNumber,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use time::{Duration, OffsetDateTime};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::files::{self, Access};

/// Life of an authority, as kubeadm's.
const CA_LIFE: Duration = Duration::days(3650);
/// Life of everything an authority signs, as kubeadm's.
const LEAF_LIFE: Duration = Duration::days(365);
/// A certificate that ends sooner than this is made anew.
const RENEW_BEFORE_S: i64 = 30 * 24 * 60 * 60;
/// Certificates begin this much before now: clocks of clients may be behind.
const BACKDATED: Duration = Duration::hours(1);

/// A key or certificate cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file.
    #[error("{action} {path}")]
    File {
        /// What was tried.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A certificate or key that does not parse, or cannot be made.
    #[error("{action} {path}: {source}")]
    Certificate {
        /// What was tried.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why it failed.
        source: rcgen::Error,
    },
}

/// Where everything lies.
#[derive(Clone, Debug)]
pub struct Pki {
    folder: PathBuf,
}

/// The two authorities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Authority {
    Cluster,
    FrontProxy,
}

impl Authority {
    fn file(self) -> &'static str {
        match self {
            Self::Cluster => "ca",
            Self::FrontProxy => "front-proxy-ca",
        }
    }

    fn common_name(self) -> &'static str {
        match self {
            Self::Cluster => "kubernetes",
            Self::FrontProxy => "front-proxy-ca",
        }
    }
}

/// A certificate that an authority signs.
struct Leaf<'a> {
    file: &'static str,
    common_name: &'static str,
    organization: Option<&'static str>,
    usage: ExtendedKeyUsagePurpose,
    names: &'a [String],
}

impl Pki {
    /// The keys and certificates in a folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// A file of the folder, such as `ca.crt`.
    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    /// The cluster's authority, made when absent.
    pub fn ensure_cluster_ca(&self, now: Timestamp) -> Result<(), Error> {
        self.authority(Authority::Cluster, now).map(drop)
    }

    /// The serving certificate for these DNS names and addresses, made anew when it is absent, near its end, signed by
    /// another authority or lacks a name.
    pub fn ensure_serving(&self, names: &[String], now: Timestamp) -> Result<(), Error> {
        let usage = ExtendedKeyUsagePurpose::ServerAuth;
        self.leaf(
            Authority::Cluster,
            &Leaf { file: "apiserver", common_name: "kube-apiserver", organization: None, usage, names },
            now,
        )
    }

    /// Whether a serving certificate lies here that was not made here: no authority of this folder signed it.
    pub fn holds_given_serving(&self) -> bool {
        let (certificate, key) = self.pair("apiserver");
        let (ca, _) = self.pair(Authority::Cluster.file());
        certificate.exists() && key.exists() && !(ca.exists() && is_signed(&certificate, &ca))
    }

    /// The administrator's client certificate.
    pub fn ensure_admin(&self, now: Timestamp) -> Result<(), Error> {
        let usage = ExtendedKeyUsagePurpose::ClientAuth;
        let organization = Some(model::user::MASTERS);
        self.leaf(
            Authority::Cluster,
            &Leaf { file: "admin", common_name: "kubernetes-admin", organization, usage, names: &[] },
            now,
        )
    }

    /// The front proxy's authority and client certificate.
    pub fn ensure_front_proxy(&self, now: Timestamp) -> Result<(), Error> {
        let usage = ExtendedKeyUsagePurpose::ClientAuth;
        let leaf = Leaf { file: "front-proxy-client", common_name: "front-proxy-client", organization: None, usage, names: &[] };
        self.leaf(Authority::FrontProxy, &leaf, now)
    }

    /// The key that signs service-account tokens, and its public half. Never renewed: tokens live by it.
    pub fn ensure_service_account_key(&self) -> Result<(), Error> {
        let (private, public) = (self.path("sa.key"), self.path("sa.pub"));
        let key = if private.exists() { self.read_key(&private)? } else { self.new_key(&private)? };
        if public.exists() {
            return Ok(());
        }
        write(&public, key.public_key_pem().as_bytes(), Access::Everyone)
    }

    fn authority(&self, authority: Authority, now: Timestamp) -> Result<Issuer<'static, KeyPair>, Error> {
        let (certificate, key) = self.pair(authority.file());
        if !certificate.exists() {
            let pair = if key.exists() { self.read_key(&key)? } else { self.new_key(&key)? };
            let mut params = params(authority.common_name(), None, now, CA_LIFE);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages =
                vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment, KeyUsagePurpose::KeyCertSign];
            let signed = params.self_signed(&pair).map_err(|source| made("sign", &certificate, source))?;
            write(&certificate, signed.pem().as_bytes(), Access::Everyone)?;
        }
        let pem = read(&certificate)?;
        Issuer::from_ca_cert_pem(&pem, self.read_key(&key)?).map_err(|source| made("read", &certificate, source))
    }

    fn leaf(&self, authority: Authority, leaf: &Leaf<'_>, now: Timestamp) -> Result<(), Error> {
        let (certificate, key) = self.pair(leaf.file);
        let (ca, _) = self.pair(authority.file());
        if certificate.exists() && key.exists() && ca.exists() && self.is_good(&certificate, &ca, leaf.names, now) {
            return Ok(());
        }
        let issuer = self.authority(authority, now)?;
        let mut params = params(leaf.common_name, leaf.organization, now, LEAF_LIFE);
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.extended_key_usages = vec![leaf.usage.clone()];
        params.subject_alt_names = leaf.names.iter().filter_map(|name| alternative_name(name)).collect();
        let pair = KeyPair::generate().map_err(|source| made("generate", &key, source))?;
        let signed = params.signed_by(&pair, &issuer).map_err(|source| made("sign", &certificate, source))?;
        write(&key, pair.serialize_pem().as_bytes(), Access::Owner)?;
        write(&certificate, signed.pem().as_bytes(), Access::Everyone)
    }

    fn is_good(&self, certificate: &Path, ca: &Path, names: &[String], now: Timestamp) -> bool {
        let Ok(leaf) = CertificateDer::from_pem_file(certificate) else { return false };
        let Ok((_, leaf)) = X509Certificate::from_der(&leaf) else { return false };
        let lasts = leaf.validity().not_after.timestamp() - now.as_second() > RENEW_BEFORE_S;
        let has = subject_names(&leaf);
        lasts && is_signed(certificate, ca) && names.iter().all(|name| has.contains(name))
    }

    fn pair(&self, file: &str) -> (PathBuf, PathBuf) {
        (self.path(&format!("{file}.crt")), self.path(&format!("{file}.key")))
    }

    fn new_key(&self, path: &Path) -> Result<KeyPair, Error> {
        let pair = KeyPair::generate().map_err(|source| made("generate", path, source))?;
        write(path, pair.serialize_pem().as_bytes(), Access::Owner)?;
        Ok(pair)
    }

    fn read_key(&self, path: &Path) -> Result<KeyPair, Error> {
        KeyPair::from_pem(&read(path)?).map_err(|source| made("read", path, source))
    }
}

fn is_signed(certificate: &Path, ca: &Path) -> bool {
    let (Ok(leaf), Ok(ca)) = (CertificateDer::from_pem_file(certificate), CertificateDer::from_pem_file(ca)) else {
        return false;
    };
    let (Ok((_, leaf)), Ok((_, ca))) = (X509Certificate::from_der(&leaf), X509Certificate::from_der(&ca)) else {
        return false;
    };
    leaf.verify_signature(Some(ca.public_key())).is_ok()
}

fn params(common_name: &str, organization: Option<&str>, now: Timestamp, life: Duration) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    if let Some(organization) = organization {
        params.distinguished_name.push(DnType::OrganizationName, organization);
    }
    params.distinguished_name.push(DnType::CommonName, common_name);
    let now = OffsetDateTime::from_unix_timestamp(now.as_second()).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    params.not_before = now - BACKDATED;
    params.not_after = now + life;
    // 63 random bits: positive in DER, and never the same twice under one authority.
    params.serial_number = Some(SerialNumber::from(rand::random::<u64>() >> 1));
    params
}

fn alternative_name(name: &str) -> Option<SanType> {
    match name.parse::<IpAddr>() {
        Ok(address) => Some(SanType::IpAddress(address)),
        Err(_) => name.try_into().ok().map(SanType::DnsName),
    }
}

/// The names a certificate is for, addresses in text.
pub(crate) fn subject_names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return Vec::new() };
    let address = |bytes: &[u8]| match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(|four| IpAddr::from(four).to_string()),
        _ => <[u8; 16]>::try_from(bytes).ok().map(|sixteen| IpAddr::from(sixteen).to_string()),
    };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => address(bytes),
        _ => None,
    };
    names.value.general_names.iter().filter_map(name).collect()
}

fn made(action: &'static str, path: &Path, source: rcgen::Error) -> Error {
    Error::Certificate { action, path: path.to_owned(), source }
}

fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|source| Error::File { action: "read", path: path.to_owned(), source })
}

fn write(path: &Path, bytes: &[u8], access: Access) -> Result<(), Error> {
    files::replace(path, bytes, access).map_err(|source| Error::File { action: "write", path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serving(pki: &Pki, names: &[&str], now: &str) -> Vec<u8> {
        let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        pki.ensure_serving(&names, now.parse().unwrap()).unwrap();
        fs::read(pki.path("apiserver.crt")).unwrap()
    }

    #[test]
    fn makes_once_and_again_when_a_name_is_missing_or_the_end_is_near() {
        let folder = tempfile::tempdir().unwrap();
        let pki = Pki::new(folder.path().join("pki"));
        let first = serving(&pki, &["localhost", "127.0.0.1", "::1"], "2026-01-01T00:00:00Z");
        assert_eq!(first, serving(&pki, &["localhost"], "2026-06-01T00:00:00Z"));
        let second = serving(&pki, &["localhost", "10.0.0.1"], "2026-06-01T00:00:00Z");
        assert_ne!(first, second);
        assert_ne!(second, serving(&pki, &["localhost"], "2027-05-15T00:00:00Z"));
        let (_, pem) = x509_parser::pem::parse_x509_pem(&first).unwrap();
        assert_eq!(subject_names(&pem.parse_x509().unwrap()), ["localhost", "127.0.0.1", "::1"]);
    }

    #[test]
    fn another_authority_means_other_certificates() {
        let folder = tempfile::tempdir().unwrap();
        let pki = Pki::new(folder.path());
        let first = serving(&pki, &[], "2026-01-01T00:00:00Z");
        for file in ["ca.crt", "ca.key"] {
            fs::remove_file(pki.path(file)).unwrap();
        }
        assert_ne!(first, serving(&pki, &[], "2026-01-01T00:00:00Z"));
    }

    #[test]
    fn a_pair_of_somebody_elses_is_told_from_our_own() {
        let folder = tempfile::tempdir().unwrap();
        let pki = Pki::new(folder.path());
        assert!(!pki.holds_given_serving());
        pki.ensure_serving(&[], Timestamp::UNIX_EPOCH).unwrap();
        assert!(!pki.holds_given_serving());
        fs::remove_file(pki.path("ca.crt")).unwrap();
        assert!(pki.holds_given_serving());
    }

    #[test]
    fn keys_are_for_their_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let pki = Pki::new(folder.path());
        let now = Timestamp::UNIX_EPOCH;
        pki.ensure_serving(&[], now).unwrap();
        pki.ensure_admin(now).unwrap();
        pki.ensure_front_proxy(now).unwrap();
        pki.ensure_service_account_key().unwrap();
        for file in ["ca.key", "apiserver.key", "admin.key", "front-proxy-ca.key", "front-proxy-client.key", "sa.key"] {
            assert_eq!(fs::metadata(pki.path(file)).unwrap().permissions().mode() & 0o777, 0o600, "{file}");
        }
        assert!(authn::service_account::PrivateKey::from_pem(&fs::read(pki.path("sa.key")).unwrap()).is_ok());
    }
}
