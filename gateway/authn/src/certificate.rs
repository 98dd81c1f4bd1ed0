//! Client certificates: is this chain vouched for, and whom does it name?
//! Follows Go's `crypto/x509` verification as `k8s.io/apiserver/pkg/authentication/request/x509` uses it: version 1
//! certificates and leaves marked as authorities are accepted. Knows nothing of TLS.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use jiff::Timestamp;
use model::User;
use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::roots::{Bundle, Roots};

/// Extra key under which a credential's id is told.
pub const CREDENTIAL_ID: &str = "authentication.kubernetes.io/credential-id";
/// Attribute of the subject that carries a user's uid.
const UID_OID: &str = "1.3.6.1.4.1.57683.2";
/// Signatures checked for one chain, as Go allows: a client could otherwise send cross-signed certificates without end.
const SIGNATURES_MAX: usize = 100;
/// Certificates a client may show; real chains have two or three.
const CHAIN_MAX: usize = 16;

/// Why a chain is not vouched for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not a certificate.
    #[error("x509: certificate does not parse: {0}")]
    Malformed(String),
    /// Too early or too late.
    #[error("x509: certificate has expired or is not yet valid: {0}")]
    Expired(String),
    /// No authority in force signed it.
    #[error("x509: certificate signed by unknown authority")]
    UnknownAuthority,
    /// It is for another purpose.
    #[error("x509: certificate specifies an incompatible key usage")]
    IncompatibleUsage,
    /// A critical extension that nobody here understands.
    #[error("x509: unhandled critical extension {0}")]
    Critical(String),
    /// The subject names more than one uid, or an empty one.
    #[error("x509: the subject must name at most one uid, and not an empty one")]
    Uid,
    /// More than can be sensible.
    #[error("x509: {0} certificates shown, at most {CHAIN_MAX} are read")]
    TooMany(usize),
}

/// What a client showed in its handshake, with what was found out about it, so that signatures are checked once a connection.
#[derive(Debug, Default)]
pub struct Certificates {
    chain: Vec<CertificateDer<'static>>,
    verified: [ArcSwapOption<Verified>; 2],
}

/// What a chain is verified for; each has its own authorities.
#[derive(Clone, Copy, Debug)]
pub enum Use {
    /// The client is who the subject says.
    Client,
    /// The client speaks for others.
    FrontProxy,
}

/// A chain that was found good under one bundle.
#[derive(Debug)]
pub struct Verified {
    roots: Arc<Bundle>,
    not_before_s: i64,
    not_after_s: i64,
    /// The subject's common name.
    pub common_name: String,
    /// Whom the subject names; none without a common name.
    pub user: Option<User>,
}

impl Certificates {
    /// The chain of a handshake, leaf first; empty when the client showed none.
    pub fn new(chain: Vec<CertificateDer<'static>>) -> Self {
        Self { chain, ..Self::default() }
    }

    /// Whether the client showed none.
    pub fn is_empty(&self) -> bool {
        self.chain.is_empty()
    }

    /// Verifies the chain at this time, or remembers that it was. Fails as [`Error`] says.
    pub fn verify(&self, usage: Use, roots: &Roots, now: Timestamp) -> Result<Arc<Verified>, Error> {
        let memory = &self.verified[usage as usize];
        let bundle = roots.current();
        let now_s = now.as_second();
        if let Some(known) = memory.load_full()
            && Arc::ptr_eq(&known.roots, &bundle)
            && (known.not_before_s..=known.not_after_s).contains(&now_s)
        {
            return Ok(known);
        }
        let verified = Arc::new(verify(&self.chain, bundle, now_s)?);
        memory.store(Some(verified.clone()));
        Ok(verified)
    }
}

fn verify(chain: &[CertificateDer<'_>], bundle: Arc<Bundle>, now_s: i64) -> Result<Verified, Error> {
    if chain.len() > CHAIN_MAX {
        return Err(Error::TooMany(chain.len()));
    }
    let shown = chain.iter().map(|der| parse(der)).collect::<Result<Vec<_>, _>>()?;
    let roots = bundle.certificates.iter().map(|der| parse(der)).collect::<Result<Vec<_>, _>>()?;
    let (leaf, intermediates) = shown.split_first().ok_or(Error::UnknownAuthority)?;
    check_time(leaf, now_s)?;
    check_critical(leaf)?;
    let mut search = Search { roots: &roots, intermediates, now_s, signatures: 0, failure: Error::UnknownAuthority };
    let path = search.extend(vec![leaf]).ok_or(search.failure)?;
    let (not_before_s, not_after_s) = path.iter().fold((i64::MIN, i64::MAX), |(from, to), c| {
        (from.max(c.validity().not_before.timestamp()), to.min(c.validity().not_after.timestamp()))
    });
    let common_name = leaf.subject().iter_common_name().last().and_then(|a| a.as_str().ok()).unwrap_or("").to_owned();
    let user = user(leaf, &common_name, &chain[0])?;
    drop(path);
    Ok(Verified { not_before_s, not_after_s, common_name, user, roots: bundle.clone() })
}

fn parse<'a>(der: &'a [u8]) -> Result<X509Certificate<'a>, Error> {
    X509Certificate::from_der(der).map(|(_, c)| c).map_err(|e| Error::Malformed(e.to_string()))
}

/// Looks for a path from a leaf to an authority, depth first, as Go builds its chains.
struct Search<'s, 'a> {
    roots: &'s [X509Certificate<'a>],
    intermediates: &'s [X509Certificate<'a>],
    now_s: i64,
    signatures: usize,
    failure: Error,
}

impl<'s, 'a> Search<'s, 'a> {
    fn extend(&mut self, path: Vec<&'s X509Certificate<'a>>) -> Option<Vec<&'s X509Certificate<'a>>> {
        let last = *path.last()?;
        if self.roots.iter().any(|root| root.as_raw() == last.as_raw()) {
            return self.complete(path);
        }
        let (roots, intermediates) = (self.roots, self.intermediates);
        for root in roots {
            if self.vouches(root, last, path.len() - 1) {
                let mut whole = path.clone();
                whole.push(root);
                if let Some(found) = self.complete(whole) {
                    return Some(found);
                }
            }
        }
        for next in intermediates {
            if !path.iter().any(|c| c.as_raw() == next.as_raw()) && self.vouches(next, last, path.len() - 1) {
                let mut longer = path.clone();
                longer.push(next);
                if let Some(found) = self.extend(longer) {
                    return Some(found);
                }
            }
        }
        None
    }

    fn complete(&mut self, path: Vec<&'s X509Certificate<'a>>) -> Option<Vec<&'s X509Certificate<'a>>> {
        if permits_client_auth(&path) {
            return Some(path);
        }
        self.failure = Error::IncompatibleUsage;
        None
    }

    /// Whether `parent` may sign, and did sign, `child`; `below` counts the authorities between it and the leaf.
    fn vouches(&mut self, parent: &X509Certificate<'_>, child: &X509Certificate<'_>, below: usize) -> bool {
        if parent.subject().as_raw() != child.issuer().as_raw() || !may_sign(parent, below) {
            return false;
        }
        if let Err(error) = check_time(parent, self.now_s).and_then(|()| check_critical(parent)) {
            self.failure = error;
            return false;
        }
        self.signatures += 1;
        self.signatures <= SIGNATURES_MAX && child.verify_signature(Some(parent.public_key())).is_ok()
    }
}

fn may_sign(parent: &X509Certificate<'_>, below: usize) -> bool {
    let Ok(constraints) = parent.basic_constraints() else { return false };
    let authority = match constraints {
        Some(found) => found.value.ca && found.value.path_len_constraint.is_none_or(|max| below <= max as usize),
        // A version 1 certificate has no extensions: a root of that age is trusted for being in the bundle.
        None => parent.version().0 < 2,
    };
    let signs = match parent.key_usage() {
        Ok(Some(usage)) => usage.value.key_cert_sign(),
        Ok(None) => true,
        Err(_) => false,
    };
    authority && signs
}

fn check_time(certificate: &X509Certificate<'_>, now_s: i64) -> Result<(), Error> {
    let validity = certificate.validity();
    if now_s < validity.not_before.timestamp() {
        return Err(Error::Expired(format!("current time is before {}", validity.not_before)));
    }
    if now_s > validity.not_after.timestamp() {
        return Err(Error::Expired(format!("current time is after {}", validity.not_after)));
    }
    Ok(())
}

/// Name constraints count as not understood: client certificates carry names that they do not speak of, so a chain that
/// needs them is refused rather than read too widely.
fn check_critical(certificate: &X509Certificate<'_>) -> Result<(), Error> {
    for extension in certificate.extensions() {
        let known = matches!(
            extension.parsed_extension(),
            ParsedExtension::BasicConstraints(_)
                | ParsedExtension::KeyUsage(_)
                | ParsedExtension::ExtendedKeyUsage(_)
                | ParsedExtension::SubjectAlternativeName(_)
                | ParsedExtension::CertificatePolicies(_)
                | ParsedExtension::AuthorityKeyIdentifier(_)
                | ParsedExtension::SubjectKeyIdentifier(_)
        );
        if extension.critical && !known {
            return Err(Error::Critical(extension.oid.to_id_string()));
        }
    }
    Ok(())
}

/// Every certificate of the path must leave room for client authentication; one without extended usages leaves all.
fn permits_client_auth(path: &[&X509Certificate<'_>]) -> bool {
    path.iter().all(|certificate| match certificate.extended_key_usage() {
        Ok(Some(usage)) => usage.value.any || usage.value.client_auth,
        Ok(None) => true,
        Err(_) => false,
    })
}

fn user(leaf: &X509Certificate<'_>, common_name: &str, der: &[u8]) -> Result<Option<User>, Error> {
    if common_name.is_empty() {
        return Ok(None);
    }
    let groups = leaf.subject().iter_organization().filter_map(|a| a.as_str().ok().map(str::to_owned)).collect();
    let mut uids = leaf.subject().iter_attributes().filter(|a| a.attr_type().to_id_string() == UID_OID);
    let uid = match (uids.next(), uids.next()) {
        (None, _) => String::new(),
        (Some(one), None) => one.as_str().ok().filter(|text| !text.is_empty()).ok_or(Error::Uid)?.to_owned(),
        (Some(_), Some(_)) => return Err(Error::Uid),
    };
    let id = Sha256::digest(der).iter().fold(String::from("X509SHA256="), |id, byte| format!("{id}{byte:02x}"));
    let extra = [(CREDENTIAL_ID.to_owned(), vec![id])].into();
    Ok(Some(User { name: common_name.to_owned(), uid, groups, extra }))
}

#[cfg(test)]
mod tests;
