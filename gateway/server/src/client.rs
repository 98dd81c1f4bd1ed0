//! Calls webhooks: one request over TLS to an address that was settled before, one answer. Never follows a redirect, never
//! looks for another address, and knows no kind. `conversion` says whom to call and what for.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How long a call may take, from the connection to the last byte; upstream's clients wait as long.
pub const CALL_MAX: Duration = Duration::from_secs(30);
/// An answer may be as large as a list of objects that a request may hold, and a little more for what surrounds them.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Where systems keep the roots that everybody trusts.
const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Whom to call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Host and port as they stand in the address: `hooks.default.svc:443`.
    pub authority: String,
    /// Name that the certificate must have.
    pub server_name: String,
    /// Path and query.
    pub path: String,
    /// Where to connect: names are looked up once, and only what was found is connected to.
    pub host: String,
    /// Port to connect to.
    pub port: u16,
}

impl Target {
    /// The whole address.
    pub fn url(&self) -> String {
        format!("https://{}{}", self.authority, self.path)
    }
}

/// Who is trusted to be the other side.
#[derive(Clone)]
pub struct Trust(Arc<ClientConfig>);

impl Trust {
    /// Certificates in PEM; the system's where there are none. Fails with the reason.
    pub fn new(bundle: &[u8]) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        if bundle.iter().all(u8::is_ascii_whitespace) {
            let system =
                CertificateDer::pem_file_iter(SYSTEM_ROOTS).map(|all| all.flatten().collect::<Vec<_>>()).unwrap_or_default();
            roots.add_parsable_certificates(system);
        } else {
            for certificate in CertificateDer::pem_slice_iter(bundle) {
                let certificate = certificate.map_err(|error| format!("unable to load root certificates: {error}"))?;
                roots.add(certificate).map_err(|error| format!("unable to load root certificates: {error}"))?;
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }
}

/// Posts JSON and gives the answer's body. Fails with a text in the manner of Go's client.
pub async fn post(target: &Target, trust: &Trust, body: Bytes) -> Result<Bytes, String> {
    let named = |why: String| format!("Post \"{}\": {why}", target.url());
    match tokio::time::timeout(CALL_MAX, exchange(target, trust, body)).await {
        Ok(answer) => answer.map_err(named)?,
        Err(_) => Err(named("context deadline exceeded".to_owned())),
    }
}

/// Fails within when the other side answered, and not well.
async fn exchange(target: &Target, trust: &Trust, body: Bytes) -> Result<Result<Bytes, String>, String> {
    let stream = connect(target).await?;
    let name = ServerName::try_from(target.server_name.clone()).map_err(|error| error.to_string())?;
    let stream = TlsConnector::from(trust.0.clone()).connect(name, stream).await.map_err(|error| format!("tls: {error}"))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    let connection = tokio::spawn(connection);
    let request = Request::builder()
        .method(Method::POST)
        .uri(&target.path)
        .header(header::HOST, &target.authority)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/json, */*")
        .header(header::USER_AGENT, concat!("gatehouse/", env!("CARGO_PKG_VERSION")))
        .body(Full::new(body))
        .map_err(|error| error.to_string())?;
    let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
    let status = answer.status();
    let bytes = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await.map_err(|error| error.to_string())?.to_bytes();
    connection.abort();
    Ok(accept(status, bytes))
}

/// A redirect is no answer.
fn accept(status: StatusCode, bytes: Bytes) -> Result<Bytes, String> {
    if status.is_success() {
        return Ok(bytes);
    }
    let text = String::from_utf8_lossy(&bytes);
    Err(match status {
        StatusCode::NOT_FOUND => "the server could not find the requested resource".to_owned(),
        status if status.is_server_error() => {
            format!("an error on the server ({}) has prevented the request from succeeding", quoted(text.trim()))
        }
        status => format!("the server responded with the status code {} but did not return more information", status.as_u16()),
    })
}

fn quoted(text: &str) -> String {
    model::field::quote(if text.is_empty() { "unknown" } else { text })
}

async fn connect(target: &Target) -> Result<TcpStream, String> {
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host((target.host.as_str(), target.port))
        .await
        .map_err(|_| format!("dial tcp: lookup {}: no such host", target.host))?
        .collect();
    let mut last = format!("dial tcp: lookup {}: no such host", target.host);
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = format!("dial tcp {address}: connect: {}", words(&error)),
        }
    }
    Err(last)
}

fn words(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        std::io::ErrorKind::NetworkUnreachable => "network is unreachable".to_owned(),
        std::io::ErrorKind::HostUnreachable => "no route to host".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_is_no_answer() {
        let refused = accept(StatusCode::FOUND, Bytes::new());
        assert_eq!(refused, Err("the server responded with the status code 302 but did not return more information".to_owned()));
        assert_eq!(accept(StatusCode::OK, Bytes::from_static(b"{}")), Ok(Bytes::from_static(b"{}")));
    }

    #[tokio::test]
    async fn nobody_there_is_told_as_go_tells_it() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let target = Target {
            authority: format!("127.0.0.1:{port}"),
            server_name: "127.0.0.1".into(),
            path: "/convert?timeout=30s".into(),
            host: "127.0.0.1".into(),
            port,
        };
        let trust = Trust::new(b"").expect("no roots at all will do");
        let told = post(&target, &trust, Bytes::from_static(b"{}")).await.expect_err("nobody listens");
        assert_eq!(
            told,
            format!(
                "Post \"https://127.0.0.1:{port}/convert?timeout=30s\": dial tcp 127.0.0.1:{port}: connect: connection refused"
            )
        );
    }
}
