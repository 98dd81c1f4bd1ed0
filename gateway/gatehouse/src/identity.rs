//! Who the server is and whom it believes: reads the given keys and certificates, or makes its own.
//! Decides no rule of authentication (`authn`) and keeps no connection (`server`).

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use authn::roots::Bundle;
use authn::service_account::{Issuer, Lookup, PrivateKey, PublicKey, Verifier, discovery};
use authn::token_file::Tokens;
use authn::{Chain, Roots};
use jiff::Timestamp;
use server::endpoints::TokenDiscovery;
use server::files::{self, Access};
use server::kubeconfig::Kubeconfig;
use server::pki::{self, Pki};
use server::tls::{self, Certificates, Source};

use crate::config::Config;
use crate::reload::Reloads;

/// A key, certificate or token file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Pki(#[from] pki::Error),
    #[error(transparent)]
    Tls(#[from] tls::Error),
    #[error("read {path}")]
    File { path: PathBuf, source: std::io::Error },
    #[error("read {path}")]
    Key { path: PathBuf, source: authn::service_account::keys::Error },
    #[error("read {path}")]
    Tokens { path: PathBuf, source: authn::token_file::Error },
    #[error("write {path}")]
    Kubeconfig { path: PathBuf, source: std::io::Error },
}

/// Everything a server needs to show and to judge identities.
pub(crate) struct Identity {
    pub(crate) certificates: Arc<Certificates>,
    /// Authorities whose names are told in the handshake.
    pub(crate) told_roots: Vec<Roots>,
    pub(crate) authn: Chain,
    pub(crate) issuer: Issuer,
    pub(crate) discovery: TokenDiscovery,
    pub(crate) reloads: Reloads,
    pub(crate) own: Own,
    /// The certificate by which extension servers know this server.
    pub(crate) shown: Option<Arc<Certificates>>,
}

/// What is made here because nothing was given for it.
pub(crate) struct Own {
    pki: Pki,
    /// Names of the serving certificate, when that is made here.
    serving: Option<Vec<String>>,
    front_proxy: bool,
    /// Whether clients' certificates are signed here.
    clients: bool,
    /// Bundle with which pods and the administrator verify this server.
    pub(crate) server_ca: Vec<u8>,
    /// Bundles with which clients and front proxies are verified.
    pub(crate) client_ca: String,
    pub(crate) proxy_ca: String,
}

impl Identity {
    /// Reads or makes everything. `lookup` finds the objects that tokens are bound to.
    pub(crate) fn prepare(config: &Config, lookup: Arc<dyn Lookup>, now: Timestamp) -> Result<Self, Error> {
        let own = Own::prepare(config, now)?;
        let mut reloads = Reloads::default();
        let certificates = serving(config, &own.pki)?;
        reloads.add(certificates.paths(), {
            let certificates = certificates.clone();
            move || certificates.reload()
        });
        let shown = shown(config, &own.pki, &mut reloads)?;
        let settings = &config.identity;
        let client_ca = settings.client_ca.clone().unwrap_or_else(|| own.pki.path("ca.crt"));
        let client_roots = watched_roots(client_ca, &mut reloads)?;
        let proxy = front_proxy(config, &own.pki, &mut reloads)?;
        let (issuer, keys) = token_keys(config, &own.pki)?;
        let told_roots = vec![client_roots.clone(), proxy.roots.clone()];
        let authn = Chain {
            client_roots: Some(client_roots),
            tokens: settings.token_file.as_deref().map(token_file).transpose()?,
            bootstrap: settings.bootstrap_tokens.then(|| authn::bootstrap::Tokens::new(lookup.clone())),
            service_accounts: Some(Verifier::new(settings.issuers.clone(), keys.clone(), Some(lookup))),
            audiences: settings.audiences.clone(),
            anonymous: if settings.anonymous { authn::chain::Anonymous::Allowed } else { authn::chain::Anonymous::Refused },
            front_proxy: Some(proxy),
            impersonated: authn::impersonation::Last::default(),
        };
        let jwks_uri = settings
            .jwks_uri
            .clone()
            .unwrap_or_else(|| format!("{}{}", issuer.name().trim_end_matches('/'), discovery::JWKS_PATH));
        let discovery = TokenDiscovery {
            configuration: discovery::configuration(issuer.name(), &jwks_uri, &keys).to_string().into(),
            jwks: discovery::jwks(&keys).to_string().into(),
        };
        Ok(Self { certificates, told_roots, authn, issuer, discovery, reloads, own, shown })
    }
}

impl Own {
    fn prepare(config: &Config, now: Timestamp) -> Result<Self, Error> {
        let pki = Pki::new(&config.serving.pki);
        let given = given_serving(config, &pki);
        let mut own = Self {
            serving: given.is_none().then(|| serving_names(config)),
            pki,
            front_proxy: config.identity.front_proxy.ca.is_none(),
            clients: config.identity.client_ca.is_none(),
            server_ca: Vec::new(),
            client_ca: String::new(),
            proxy_ca: String::new(),
        };
        if config.identity.signing_key.is_none() {
            own.pki.ensure_service_account_key()?;
        }
        own.ensure(now)?;
        own.server_ca = match &given {
            // Go accepts a certificate that is itself among the trusted ones, so the given one serves as its own authority.
            Some(given) => read(&given.certificate)?,
            None => read(&own.pki.path("ca.crt"))?,
        };
        let text = |path: PathBuf| read(&path).map(|pem| String::from_utf8_lossy(&pem).into_owned());
        own.client_ca = text(config.identity.client_ca.clone().unwrap_or_else(|| own.pki.path("ca.crt")))?;
        own.proxy_ca = text(config.identity.front_proxy.ca.clone().unwrap_or_else(|| own.pki.path("front-proxy-ca.crt")))?;
        Ok(own)
    }

    /// Makes what is missing and renews what is near its end; the files' watchers take it into use.
    pub(crate) fn ensure(&self, now: Timestamp) -> Result<(), Error> {
        if let Some(names) = &self.serving {
            self.pki.ensure_serving(names, now)?;
        }
        if self.clients {
            self.pki.ensure_admin(now)?;
        }
        if self.front_proxy {
            self.pki.ensure_front_proxy(now)?;
        }
        Ok(())
    }

    /// Writes the administrator's kubeconfig, once the port is known. Nothing is written when clients' authority is given:
    /// this server could not sign a certificate for anybody then.
    pub(crate) fn write_kubeconfig(&self, path: &Path, server: SocketAddr) -> Result<bool, Error> {
        if !self.clients {
            return Ok(false);
        }
        let (certificate, key) = (read(&self.pki.path("admin.crt"))?, read(&self.pki.path("admin.key"))?);
        let text = Kubeconfig { server, authority: &self.server_ca, certificate: &certificate, key: &key }.text();
        files::replace(path, text.as_bytes(), Access::Owner)
            .map_err(|source| Error::Kubeconfig { path: path.to_owned(), source })?;
        Ok(true)
    }
}

/// The serving certificate that was not made here: named by flags, or lying in `--cert-dir` where upstream looks for it.
fn given_serving(config: &Config, pki: &Pki) -> Option<Source> {
    let adopted = || (config.serving.adopt && pki.holds_given_serving()).then(|| serving_pair(pki));
    config.serving.certificate.clone().or_else(adopted)
}

fn serving_pair(pki: &Pki) -> Source {
    Source { certificate: pki.path("apiserver.crt"), key: pki.path("apiserver.key"), names: Vec::new() }
}

fn serving(config: &Config, own: &Pki) -> Result<Arc<Certificates>, Error> {
    let mut sources = vec![config.serving.certificate.clone().unwrap_or_else(|| serving_pair(own))];
    sources.extend(config.serving.by_name.iter().cloned());
    Ok(Certificates::load(sources)?)
}

/// The names under which clients and pods reach this server.
fn serving_names(config: &Config) -> Vec<String> {
    let mut names: Vec<String> =
        ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "localhost"]
            .map(str::to_owned)
            .into();
    let host = rustix::system::uname().nodename().to_string_lossy().to_lowercase();
    if !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.') {
        names.push(host);
    }
    let mut addresses: Vec<IpAddr> =
        vec![[127, 0, 0, 1].into(), std::net::Ipv6Addr::LOCALHOST.into(), config.serving.address.ip()];
    addresses.extend(config.network.advertise);
    addresses.extend(config.network.service_ranges.iter().map(crate::config::Range::first));
    for address in addresses.into_iter().filter(|ip| !ip.is_unspecified()) {
        let text = address.to_string();
        if !names.contains(&text) {
            names.push(text);
        }
    }
    names
}

fn front_proxy(config: &Config, own: &Pki, reloads: &mut Reloads) -> Result<authn::front_proxy::FrontProxy, Error> {
    let settings = &config.identity.front_proxy;
    let path = settings.ca.clone().unwrap_or_else(|| own.path("front-proxy-ca.crt"));
    Ok(authn::front_proxy::FrontProxy {
        roots: watched_roots(path, reloads)?,
        allowed_names: settings.names.clone(),
        username_headers: settings.usernames.clone(),
        uid_headers: settings.uids.clone(),
        group_headers: settings.groups.clone(),
        extra_header_prefixes: settings.extras.clone(),
    })
}

/// The one that `--proxy-client-*` names; without it the one that was made here, where the authority was, too: extension
/// servers learn that one from us.
fn shown(config: &Config, own: &Pki, reloads: &mut Reloads) -> Result<Option<Arc<Certificates>>, Error> {
    let made =
        || Source { certificate: own.path("front-proxy-client.crt"), key: own.path("front-proxy-client.key"), names: Vec::new() };
    let trusted_here = config.identity.front_proxy.ca.is_none();
    let Some(source) = config.identity.proxy_client.clone().or_else(|| trusted_here.then(made)) else { return Ok(None) };
    let certificates = Certificates::load(vec![source])?;
    reloads.add(certificates.paths(), {
        let certificates = certificates.clone();
        move || certificates.reload()
    });
    Ok(Some(certificates))
}

fn watched_roots(path: PathBuf, reloads: &mut Reloads) -> Result<Roots, Error> {
    let bundle: Bundle = tls::read_roots(&path)?;
    let roots = Roots::new(bundle);
    reloads.add(vec![path.clone()], {
        let roots = roots.clone();
        move || tls::read_roots(&path).map(|bundle| roots.replace(bundle))
    });
    Ok(roots)
}

fn token_keys(config: &Config, own: &Pki) -> Result<(Issuer, Vec<PublicKey>), Error> {
    let settings = &config.identity;
    let signing = settings.signing_key.clone().unwrap_or_else(|| own.path("sa.key"));
    let key = PrivateKey::from_pem(&read(&signing)?).map_err(|source| Error::Key { path: signing, source })?;
    let mut keys = vec![key.public.clone()];
    for path in &settings.verifying_keys {
        let found = PublicKey::all_from_pem(&read(path)?).map_err(|source| Error::Key { path: path.clone(), source })?;
        keys.extend(found);
    }
    let mut seen = Vec::new();
    keys.retain(|key| {
        !seen.contains(&key.id) && {
            seen.push(key.id.clone());
            true
        }
    });
    Ok((Issuer::new(settings.issuers[0].clone(), key), keys))
}

fn token_file(path: &Path) -> Result<Tokens, Error> {
    let text = fs::read_to_string(path).map_err(|source| Error::File { path: path.to_owned(), source })?;
    Tokens::parse(&text).map_err(|source| Error::Tokens { path: path.to_owned(), source })
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|source| Error::File { path: path.to_owned(), source })
}
