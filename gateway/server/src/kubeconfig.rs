//! The administrator's kubeconfig. Holds a private key: it is written for its owner only.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What goes into a kubeconfig.
#[derive(Clone, Copy, Debug)]
pub struct Kubeconfig<'a> {
    /// Address of the server.
    pub server: SocketAddr,
    /// Authorities of the server's certificate, in PEM.
    pub authority: &'a [u8],
    /// The client's certificate, in PEM.
    pub certificate: &'a [u8],
    /// The client's key, in PEM.
    pub key: &'a [u8],
}

impl Kubeconfig<'_> {
    /// The file's text.
    pub fn text(&self) -> String {
        let encode = |bytes: &[u8]| STANDARD.encode(bytes);
        format!(
            "apiVersion: v1\n\
             kind: Config\n\
             clusters:\n\
             - name: gatehouse\n  cluster:\n    certificate-authority-data: {}\n    server: https://{}\n\
             contexts:\n\
             - name: kubernetes-admin@gatehouse\n  context:\n    cluster: gatehouse\n    user: kubernetes-admin\n\
             current-context: kubernetes-admin@gatehouse\n\
             users:\n\
             - name: kubernetes-admin\n  user:\n    client-certificate-data: {}\n    client-key-data: {}\n",
            encode(self.authority),
            reachable(self.server),
            encode(self.certificate),
            encode(self.key),
        )
    }
}

/// An address a client on this machine can connect to: the loopback one when the server listens everywhere.
pub fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_port_that_was_picked() {
        let config = Kubeconfig { server: "0.0.0.0:40123".parse().unwrap(), authority: b"ca", certificate: b"crt", key: b"key" };
        let text = config.text();
        assert!(text.contains("    server: https://127.0.0.1:40123\n"));
        assert!(text.contains("    client-key-data: a2V5\n"));
        assert_eq!(reachable("[::]:1".parse().unwrap()).to_string(), "[::1]:1");
    }
}
