//! Real connections on a loopback socket: who gets in, what the service learns of them, how it ends.

use std::sync::atomic::{AtomicUsize, Ordering};

use authn::roots::Bundle;
use http_body_util::Full;
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, oneshot};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream as ClientStream;

use super::*;
use crate::pki::Pki;
use crate::tls;

struct Running {
    folder: tempfile::TempDir,
    address: SocketAddr,
    lifecycle: Lifecycle,
    server: tokio::task::JoinHandle<()>,
    /// Requests that are being served and wait.
    held: Arc<AtomicUsize>,
    /// Lets them go.
    release: Arc<Notify>,
}

/// Answers `/hold` when released, anything else at once with the number of certificates shown and whether they are good.
fn start() -> Running {
    start_with(Deadlines::default())
}

fn start_with(deadlines: Deadlines) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let pki = Pki::new(folder.path());
    let now = jiff::Timestamp::now();
    pki.ensure_serving(&["localhost".to_owned()], now).unwrap();
    pki.ensure_admin(now).unwrap();
    let source = tls::Source { certificate: pki.path("apiserver.crt"), key: pki.path("apiserver.key"), names: Vec::new() };
    let roots = authn::Roots::new(Bundle::from_pem(&std::fs::read(pki.path("ca.crt")).unwrap()).unwrap());
    let settings = tls::Settings {
        certificates: tls::Certificates::load(vec![source]).unwrap(),
        client_roots: vec![roots.clone()],
        lowest: tls::Lowest::V12,
        cipher_suites: Vec::new(),
        protocols: vec![b"h2".to_vec(), b"http/1.1".to_vec()],
    };
    let settings = Settings { tls: tls::server_config(settings).unwrap(), streams_max: STREAMS_MAX, deadlines };
    let listener = bind("127.0.0.1:0".parse().unwrap(), Sharing::None).unwrap();
    let (address, lifecycle) = (listener.local_addr().unwrap(), Lifecycle::default());
    let (held, release) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let service = {
        let (held, release) = (held.clone(), release.clone());
        move |peer: Arc<Peer>, request: Request<Incoming>| {
            let (held, release, roots) = (held.clone(), release.clone(), roots.clone());
            async move {
                if request.uri().path() == "/hold" {
                    let released = release.notified();
                    held.fetch_add(1, Ordering::SeqCst);
                    released.await;
                }
                let verified = peer.certificates.verify(authn::certificate::Use::Client, &roots, jiff::Timestamp::now());
                let who = verified.map_or_else(|e| format!("refused: {e}"), |v| v.common_name.clone());
                Response::new(Full::new(Bytes::from(who)))
            }
        }
    };
    let server = tokio::spawn(serve(listener, settings, lifecycle.clone(), service));
    Running { folder, address, lifecycle, server, held, release }
}

/// Shows this certificate whatever the server asks for, as curl does.
#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesClientCert for Always {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl Running {
    async fn connect(&self, shown: Option<Arc<CertifiedKey>>, protocol: &[u8]) -> ClientStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.folder.path().join("ca.crt")).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match shown {
            Some(key) => builder.with_client_cert_resolver(Arc::new(Always(key))),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![protocol.to_vec()];
        let stream = TcpStream::connect(self.address).await.unwrap();
        TlsConnector::from(Arc::new(config)).connect("localhost".try_into().unwrap(), stream).await.unwrap()
    }

    async fn ask(&self, shown: Option<Arc<CertifiedKey>>, path: &str) -> String {
        let mut stream = self.connect(shown, b"http/1.1").await;
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        // A server that drains may end TLS without a farewell; what came counts.
        let _ = stream.read_to_string(&mut answer).await;
        answer
    }

    /// A connection of HTTP/2 that has asked for a path, and nothing else.
    async fn ask_h2(&self, path: &str) -> ClientStream<TcpStream> {
        let mut stream = self.connect(None, b"h2").await;
        stream.write_all(PREFACE).await.unwrap();
        // GET and https of the static table, a path and an authority written out; the end of headers and of the stream.
        let mut block = vec![0x82, 0x87, 0x04, path.len() as u8];
        block.extend(path.bytes());
        block.extend([0x01, 9]);
        block.extend(b"localhost");
        stream.write_all(&[0, 0, block.len() as u8, 1, 5, 0, 0, 0, 1]).await.unwrap();
        stream.write_all(&block).await.unwrap();
        stream
    }

    fn key(&self, certificate: CertificateDer<'static>, key: &PrivateKeyDer<'_>) -> Arc<CertifiedKey> {
        let key = rustls::crypto::ring::sign::any_supported_type(key).unwrap();
        Arc::new(CertifiedKey::new(vec![certificate], key))
    }

    fn admin(&self) -> Arc<CertifiedKey> {
        let certificate = CertificateDer::from_pem_file(self.folder.path().join("admin.crt")).unwrap();
        self.key(certificate, &PrivateKeyDer::from_pem_file(self.folder.path().join("admin.key")).unwrap())
    }
}

#[tokio::test]
async fn the_service_learns_who_the_client_is() {
    let running = start();
    assert!(running.ask(Some(running.admin()), "/").await.ends_with("\r\n\r\nkubernetes-admin"));
    assert!(running.ask(None, "/").await.ends_with("refused: x509: certificate signed by unknown authority"));
}

#[tokio::test]
async fn a_certificate_of_a_stranger_does_not_end_the_handshake() {
    let running = start();
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let pair = rcgen::KeyPair::generate().unwrap();
    let certificate = params.self_signed(&pair).unwrap().der().clone();
    let shown = running.key(certificate, &PrivateKeyDer::try_from(pair.serialize_der()).unwrap());
    let answer = running.ask(Some(shown), "/").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("unknown authority"), "{answer}");
}

#[tokio::test]
async fn a_certificate_without_its_key_ends_the_handshake() {
    let running = start();
    let certificate = CertificateDer::from_pem_file(running.folder.path().join("admin.crt")).unwrap();
    let other = rcgen::KeyPair::generate().unwrap();
    let shown = running.key(certificate, &PrivateKeyDer::try_from(other.serialize_der()).unwrap());
    assert_eq!(running.ask(Some(shown), "/").await, "", "TLS 1.3 tells the client after its own handshake is done");
}

#[tokio::test]
async fn http2_is_chosen_when_offered() {
    let running = start();
    let mut stream = running.connect(None, b"h2").await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    stream.write_all(PREFACE).await.unwrap();
    let mut frame = [0; 9];
    stream.read_exact(&mut frame).await.unwrap();
    assert_eq!(frame[3], 4, "the server's first frame is SETTINGS");
}

#[tokio::test]
async fn clients_that_stall_are_in_nobodys_way() {
    let running = start();
    let _silent = TcpStream::connect(running.address).await.unwrap();
    let mut headerless = running.connect(None, b"http/1.1").await;
    headerless.write_all(b"GET / HTTP/1.1\r\nHost: lo").await.unwrap();
    assert!(running.ask(None, "/").await.starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn a_client_that_stalls_its_handshake_is_cut() {
    let running = start_with(Deadlines { handshake: Duration::from_millis(50), ..Deadlines::default() });
    let mut silent = TcpStream::connect(running.address).await.unwrap();
    let mut nothing = Vec::new();
    silent.read_to_end(&mut nothing).await.unwrap();
    assert!(nothing.is_empty());
}

#[tokio::test]
async fn a_client_that_stalls_its_headers_is_cut() {
    let running = start_with(Deadlines { header_read: Duration::from_millis(50), ..Deadlines::default() });
    let mut headerless = running.connect(None, b"http/1.1").await;
    headerless.write_all(b"GET / HTTP/1.1\r\nHost: lo").await.unwrap();
    let mut answer = Vec::new();
    // The server may end TLS without a farewell.
    let _ = headerless.read_to_end(&mut answer).await;
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 408"));
}

#[tokio::test]
async fn a_connection_may_wait_longer_for_a_head_than_a_head_may_take() {
    let moment = Duration::from_millis(50);
    let running = start_with(Deadlines { header_read: moment, ..Deadlines::default() });
    let mut client = running.connect(None, b"http/1.1").await;
    let mut answered = async |path: &str| {
        client.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n").as_bytes()).await.unwrap();
        if path == "/stalled" {
            return client.read_to_end(&mut Vec::new()).await.is_ok_and(|read| read > 0);
        }
        client.write_all(b"\r\n").await.unwrap();
        let mut answer = Vec::new();
        while !String::from_utf8_lossy(&answer).contains("unknown authority") {
            assert_ne!(client.read_buf(&mut answer).await.unwrap(), 0);
        }
        tokio::time::sleep(moment * 3).await;
        true
    };
    assert!(answered("/first").await && answered("/second").await);
    assert!(!answered("/stalled").await);

    let running = start_with(Deadlines { idle: moment, ..Deadlines::default() });
    let mut idle = running.connect(None, b"http/1.1").await;
    idle.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = idle.read_to_end(&mut answer).await;
    assert!(answer.starts_with(b"HTTP/1.1 200"), "its answer, and then the end");
}

#[tokio::test]
async fn who_carries_no_stream_is_told_goodbye_and_who_carries_one_is_not() {
    let moment = Duration::from_millis(100);
    let running = Arc::new(start_with(Deadlines { idle: moment, goodbye: moment, ..Deadlines::default() }));
    let mut busy = running.ask_h2("/hold").await;
    let answer = tokio::spawn(async move {
        let mut answer = Vec::new();
        drop(busy.read_to_end(&mut answer).await);
        answer
    });
    while running.held.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    // These come after the one that holds: once they are gone, it has been silent for longer than they.
    let (mut idle, mut mute) = (running.connect(None, b"h2").await, running.connect(None, b"h2").await);
    idle.write_all(PREFACE).await.unwrap();
    let mut farewell = Vec::new();
    let _ = idle.read_to_end(&mut farewell).await;
    assert!(frames(&farewell).contains(&GOAWAY), "{farewell:?}");
    let _ = mute.read_to_end(&mut Vec::new()).await;
    assert!(!answer.is_finished());
    running.release.notify_waiters();
    let answer = answer.await.unwrap();
    assert!(String::from_utf8_lossy(&answer).contains("unknown authority"), "the stream that was held is answered");
    assert!(frames(&answer).contains(&GOAWAY), "and then its connection carries none");
}

/// What every client of HTTP/2 begins with: the preface, and settings of which none is another than usual.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const GOAWAY: u8 = 7;

/// The types of the frames that came.
fn frames(mut bytes: &[u8]) -> Vec<u8> {
    let mut types = Vec::new();
    while let [a, b, c, of_type, _, _, _, _, _, rest @ ..] = bytes {
        types.push(*of_type);
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        bytes = rest.get(length..).unwrap_or_default();
    }
    types
}

#[tokio::test]
async fn oversized_headers_are_refused_and_the_server_lives() {
    let running = start();
    let path = format!("/?{}", "x".repeat(HEADER_BYTES_MAX));
    let answer = running.ask(None, &path).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431") || answer.starts_with("HTTP/1.1 414"), "{answer}");
    assert!(running.ask(None, "/").await.starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn draining_finishes_what_runs_and_takes_nothing_new() {
    let running = Arc::new(start());
    let (done, answer) = oneshot::channel();
    let asking = running.clone();
    tokio::spawn(async move {
        let _ = done.send(asking.ask(None, "/hold").await);
    });
    while running.held.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    running.lifecycle.advance(Stage::Draining);
    while TcpStream::connect(running.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!running.server.is_finished());
    running.release.notify_waiters();
    assert!(answer.await.unwrap().starts_with("HTTP/1.1 200 OK"));
    while !running.server.is_finished() {
        tokio::task::yield_now().await;
    }
}
