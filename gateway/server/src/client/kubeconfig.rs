//! One side to call that a kubeconfig tells of: the cluster and the user of its current context. Connects to nobody, and writes
//! no kubeconfig (`crate::kubeconfig`). Follows client-go's `clientcmd`.

use std::path::Path;
use std::sync::Arc;

use model::Value;
use model::json::json;
use rustls::client::ResolvesClientCert;

use super::credentials::{User, config, list, text_of, unusable};
use super::{Address, Endpoint, Terms, Trust};

impl Endpoint {
    /// The side that a kubeconfig's current context means. Fails with the reason.
    pub(crate) fn of_kubeconfig(path: &Path) -> Result<Self, String> {
        let config = config(path)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let context = named(&config, "contexts", "context", text_of(&config, "current-context"));
        let cluster = named(&config, "clusters", "cluster", text_of(context, "cluster"));
        if text_of(cluster, "server").is_empty() {
            return Err(
                "invalid configuration: no configuration has been provided, try setting KUBERNETES_MASTER environment variable"
                    .to_owned(),
            );
        }
        let told = |why: String| unusable(path, &why);
        let fields = named(&config, "users", "user", text_of(context, "user"));
        let shown = User { fields, folder }.shown().map_err(told)?;
        let bundle = User { fields: cluster, folder }.held("certificate-authority").map_err(told)?.unwrap_or_default();
        let unverified = cluster.get("insecure-skip-tls-verify").and_then(Value::as_bool).unwrap_or(false);
        let certificate = shown.certificate.map(|certificate| certificate as Arc<dyn ResolvesClientCert>);
        let address = Address::of(&json!({"url": text_of(cluster, "server")}))?;
        let address = match text_of(cluster, "tls-server-name") {
            "" => address,
            name => address.named(name),
        };
        let trust = Trust::of(Terms { bundle: &bundle, unverified, shown: certificate })?;
        Ok(Self::made(address, trust, shown.authorization))
    }
}

/// What a list of the file has under a name; null where it has nothing.
fn named<'a>(config: &'a Value, all: &str, field: &str, name: &str) -> &'a Value {
    let found = list(config, all).iter().find(|one| text_of(one, "name") == name);
    found.and_then(|one| one.get(field)).unwrap_or(&Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_current_context_is_meant() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config");
        let of = |current: &str| {
            let text = format!(
                "clusters:\n- {{name: a, cluster: {{server: 'https://a.example/x'}}}}\n- {{name: b, cluster: {{server: 'https://b.example:8443', tls-server-name: c.example}}}}\n\
                 users:\n- {{name: u, user: {{token: t}}}}\ncontexts:\n- {{name: one, context: {{cluster: a, user: u}}}}\n- {{name: two, context: {{cluster: b}}}}\n\
                 current-context: {current}\n"
            );
            std::fs::write(&path, text).expect("a file");
            Endpoint::of_kubeconfig(&path)
        };
        let one = of("one").unwrap_or_else(|why| panic!("{why}"));
        assert_eq!((one.address.authority(), one.address.server_name()), ("a.example", "a.example"));
        assert_eq!(one.authorization.as_ref().map(|said| said.as_bytes()), Some(&b"Bearer t"[..]));
        let two = of("two").unwrap_or_else(|why| panic!("{why}"));
        assert_eq!((two.address.authority(), two.address.server_name()), ("b.example:8443", "c.example"));
        assert!(two.authorization.is_none());
        assert!(of("three").is_err_and(|why| why.starts_with("invalid configuration: no configuration has been provided")));
        assert!(Endpoint::of_kubeconfig(&folder.path().join("none")).is_err());
    }
}
