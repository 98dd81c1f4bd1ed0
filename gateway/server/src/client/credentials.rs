//! What is shown to webhooks of who calls: a kubeconfig whose users are named after those to whom they are shown
//! (`hooks.default.svc`, `hooks.example.com:8443`, `*.example.com`, `*`). Connects to nobody.
//! Follows `k8s.io/apiserver/pkg/util/webhook/authentication.go`.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::HeaderValue;
use model::Value;
use rustls::sign::SingleCertAndKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// The users of a kubeconfig.
#[derive(Debug, Default)]
pub struct Credentials {
    users: HashMap<String, Shown>,
    /// Who is shown where no name fits.
    current: Option<String>,
}

/// What one of them shows.
#[derive(Clone, Default)]
pub(super) struct Shown {
    /// The header `Authorization`.
    pub(super) authorization: Option<HeaderValue>,
    /// The certificate, if it is asked for.
    pub(super) certificate: Option<Arc<SingleCertAndKey>>,
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither tokens nor keys go into a log.
        f.debug_struct("Shown").finish_non_exhaustive()
    }
}

impl Credentials {
    /// Reads the kubeconfig at a path and the files that it names, which lie beside it. Fails with the reason.
    pub fn read(path: &Path) -> Result<Self, String> {
        let named = |why: String| unusable(path, &why);
        let config = config(path)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut users = HashMap::new();
        for entry in list(&config, "users") {
            let user = User { fields: entry.get("user").unwrap_or(&Value::Null), folder };
            users.insert(text_of(entry, "name").to_owned(), user.shown().map_err(named)?);
        }
        let context = list(&config, "contexts").iter().find(|one| text_of(one, "name") == text_of(&config, "current-context"));
        let current = context.and_then(|one| one.pointer("/context/user")).and_then(Value::as_str).map(str::to_owned);
        Ok(Self { users, current })
    }

    /// Whether nobody is shown anything.
    pub(super) fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// What is shown to a host and port.
    pub(super) fn of(&self, host: &str, port: u16) -> Shown {
        let with_port = format!("{host}:{port}");
        let plain = if port == 443 { host } else { "" };
        let named =
            [with_port.as_str(), plain].into_iter().filter(|target| !target.is_empty()).find_map(|target| self.named(target));
        let otherwise = || self.users.get("*").or_else(|| self.users.get(self.current.as_ref()?));
        named.or_else(otherwise).cloned().unwrap_or_default()
    }

    /// The user of this name, or of all names below a part of it.
    fn named(&self, target: &str) -> Option<&Shown> {
        let below = target.match_indices('.').map(|(dot, _)| format!("*{}", &target[dot..]));
        std::iter::once(target.to_owned()).chain(below).find_map(|name| self.users.get(&name))
    }
}

/// A kubeconfig, read. Fails with the reason.
pub(super) fn config(path: &Path) -> Result<Value, String> {
    let text = std::fs::read(path).map_err(|error| format!("open {}: {error}", path.display()))?;
    codec::yaml::parse(&text).map(|parsed| parsed.value).map_err(|error| unusable(path, &error.to_string()))
}

pub(super) fn unusable(path: &Path, why: &str) -> String {
    format!("error loading config file \"{}\": {why}", path.display())
}

/// A user or a cluster of a kubeconfig, with the folder in which what they name lies.
pub(super) struct User<'a> {
    pub(super) fields: &'a Value,
    pub(super) folder: &'a Path,
}

impl User<'_> {
    pub(super) fn shown(&self) -> Result<Shown, String> {
        if ["auth-provider", "exec"].iter().any(|field| self.fields.get(field).is_some_and(|value| !value.is_null())) {
            return Err("auth provider not supported".to_owned());
        }
        let (user, password) = (text_of(self.fields, "username"), text_of(self.fields, "password"));
        let token = match (text_of(self.fields, "token"), text_of(self.fields, "tokenFile")) {
            ("", "") => None,
            ("", _) => self.file("tokenFile")?.map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned()),
            (token, _) => Some(token.to_owned()),
        };
        let said = match token {
            Some(token) => Some(format!("Bearer {token}")),
            None if user.is_empty() && password.is_empty() => None,
            None => Some(format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))),
        };
        let authorization = said.map(|said| HeaderValue::from_str(&said)).transpose();
        let mut authorization = authorization.map_err(|_| "a credential holds what no header can".to_owned())?;
        if let Some(value) = &mut authorization {
            value.set_sensitive(true);
        }
        Ok(Shown { authorization, certificate: self.certificate()? })
    }

    fn certificate(&self) -> Result<Option<Arc<SingleCertAndKey>>, String> {
        let (chain, key) = match (self.held("client-certificate")?, self.held("client-key")?) {
            (None, None) => return Ok(None),
            (Some(chain), Some(key)) => (chain, key),
            _ => return Err("client-certificate and client-key need each other".to_owned()),
        };
        let told = |error: &dyn fmt::Display| format!("client certificate: {error}");
        let chain = CertificateDer::pem_slice_iter(&chain).collect::<Result<Vec<_>, _>>().map_err(|error| told(&error))?;
        let key = PrivateKeyDer::from_pem_slice(&key).map_err(|error| told(&error))?;
        let pair = crate::tls::pair(chain, key).map_err(|error| told(&error))?;
        Ok(Some(Arc::new(SingleCertAndKey::from(pair))))
    }

    /// What a field holds itself, or the file that it names.
    pub(super) fn held(&self, field: &str) -> Result<Option<Vec<u8>>, String> {
        match text_of(self.fields, &format!("{field}-data")) {
            "" => self.file(field),
            data => BASE64_STANDARD.decode(data).map(Some).map_err(|error| format!("{field}-data: {error}")),
        }
    }

    fn file(&self, field: &str) -> Result<Option<Vec<u8>>, String> {
        match text_of(self.fields, field) {
            "" => Ok(None),
            path => std::fs::read(self.folder.join(path)).map(Some).map_err(|error| format!("open {path}: {error}")),
        }
    }
}

pub(super) fn text_of<'a>(map: &'a Value, field: &str) -> &'a str {
    map.get(field).and_then(Value::as_str).unwrap_or("")
}

pub(super) fn list<'a>(map: &'a Value, field: &str) -> &'a [Value] {
    map.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(credentials: &Credentials, host: &str, port: u16) -> String {
        let shown = credentials.of(host, port).authorization;
        shown.map_or_else(String::new, |value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    }

    #[test]
    fn who_is_shown_hangs_on_the_name() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("token"), "from a file\n").expect("a file");
        let path = folder.path().join("config");
        let users = [
            ("hooks.default.svc", "{token: one}"),
            ("hooks.default.svc:8443", "{tokenFile: token}"),
            ("*.default.svc", "{username: a, password: b}"),
        ];
        let users: String = users.iter().map(|(name, user)| format!("- name: '{name}'\n  user: {user}\n")).collect();
        let more = "- {name: other, user: {token: two}}\ncontexts:\n- {name: c, context: {user: other}}\ncurrent-context: c\n";
        std::fs::write(&path, format!("users:\n{users}{more}")).expect("a file");
        let credentials = Credentials::read(&path).expect("credentials");
        for (host, port, want) in [
            ("hooks.default.svc", 443, "Bearer one"),
            ("hooks.default.svc", 8443, "Bearer from a file"),
            ("others.default.svc", 443, "Basic YTpi"),
            ("others.default.svc", 8443, "Bearer two"),
            ("example.com", 443, "Bearer two"),
        ] {
            assert_eq!(told(&credentials, host, port), want, "{host}:{port}");
        }
        assert_eq!(told(&Credentials::default(), "example.com", 443), "");
        std::fs::write(&path, "users: [{name: a, user: {exec: {command: b}}}]").expect("a file");
        assert!(Credentials::read(&path).is_err_and(|why| why.ends_with("auth provider not supported")));
    }
}
