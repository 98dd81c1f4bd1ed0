//! What command lines come to, without touching any file.

use super::*;
use crate::flags::parse;

fn read(program: Program, arguments: &[&str]) -> Result<Config, Vec<String>> {
    let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
    Config::read(&parse(program.as_str(), &arguments), program)
}

#[test]
fn without_flags_all_lies_in_the_data_directory_and_nobody_else_can_connect() {
    let config = read(Program::Gatehouse, &[]).unwrap();
    assert_eq!(config.serving.address.to_string(), "127.0.0.1:6443");
    assert_eq!(config.serving.pki, PathBuf::from("gatehouse-data/pki"));
    assert_eq!(config.authorization, [authz::Mode::Rbac]);
    assert_eq!(config.network.service_ranges[0].first().to_string(), "10.0.0.1");
    assert_eq!(config.identity.audiences, [ISSUER]);
    assert!(config.audit.is_none());
    assert_eq!(read(Program::KubeApiserver, &[]).unwrap().serving.address.to_string(), "0.0.0.0:6443");
}

#[test]
fn under_the_others_name_what_is_own_lies_beside_the_keys() {
    let dir = |program, arguments: &[&str]| read(program, arguments).unwrap().data_dir;
    assert_eq!(dir(Program::KubeApiserver, &["--cert-dir=/keys"]), PathBuf::from("/keys/gatehouse-data"));
    assert_eq!(dir(Program::KubeApiserver, &["--cert-dir=/keys", "--data-dir=/data"]), PathBuf::from("/data"));
    assert_eq!(dir(Program::Gatehouse, &["--cert-dir=/keys"]), PathBuf::from("gatehouse-data"));
}

#[test]
fn where_everything_is_allowed_nobody_unknown_is_let_in() {
    let anonymous =
        |modes: &str| read(Program::Gatehouse, &[&format!("--authorization-mode={modes}")]).unwrap().identity.anonymous;
    assert!(anonymous("Node,RBAC"));
    assert!(!anonymous("RBAC,AlwaysAllow"));
    let errors = read(Program::Gatehouse, &["--authorization-mode=Node,RBAC", "--authorization-mode=RBAC"]).unwrap_err();
    assert_eq!(errors, ["authorization-mode [\"Node\" \"RBAC\" \"RBAC\"] has mode specified more than once"]);
}

#[test]
fn overrides_need_a_cluster_for_all_else() {
    let errors = read(Program::Gatehouse, &["--etcd-servers-overrides=/pods#http://a:1"]).unwrap_err();
    assert_eq!(
        errors,
        ["invalid argument \"/pods#http://a:1\" for \"--etcd-servers-overrides\" flag: --etcd-servers must be specified"]
    );
}

#[test]
fn kubeadms_command_line_is_taken() {
    let line = [
        "--advertise-address=192.168.1.10",
        "--allow-privileged=true",
        "--authorization-mode=Node,RBAC",
        "--client-ca-file=/pki/ca.crt",
        "--enable-admission-plugins=NodeRestriction",
        "--enable-bootstrap-token-auth=true",
        "--etcd-cafile=/pki/etcd/ca.crt",
        "--etcd-certfile=/pki/apiserver-etcd-client.crt",
        "--etcd-keyfile=/pki/apiserver-etcd-client.key",
        "--etcd-servers=https://127.0.0.1:2379",
        "--kubelet-client-certificate=/pki/k.crt",
        "--kubelet-client-key=/pki/k.key",
        "--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname",
        "--proxy-client-cert-file=/pki/p.crt",
        "--proxy-client-key-file=/pki/p.key",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-client-ca-file=/pki/front-proxy-ca.crt",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        "--secure-port=6443",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        "--service-account-key-file=/pki/sa.pub",
        "--service-account-signing-key-file=/pki/sa.key",
        "--service-cluster-ip-range=10.96.0.0/12",
        "--tls-cert-file=/pki/apiserver.crt",
        "--tls-private-key-file=/pki/apiserver.key",
    ];
    let config = read(Program::KubeApiserver, &line).unwrap();
    assert_eq!(config.network.service_ranges[0].first().to_string(), "10.96.0.1");
    assert!(config.controllers.is_empty(), "kube-controller-manager runs them");
    assert!(
        config.privileged && !read(Program::KubeApiserver, &[]).unwrap().privileged,
        "only who says so lets pods be privileged"
    );
    assert_eq!(config.identity.front_proxy.names, ["front-proxy-client"]);
    assert!(config.identity.front_proxy.uids.is_empty(), "with its own authority only the headers that were named count");
    let Engine::Etcd(etcd) = &config.engine else { panic!("{:?}", config.engine) };
    assert_eq!(etcd.servers.urls, ["https://127.0.0.1:2379"]);
    assert_eq!(etcd.servers.key, Some(PathBuf::from("/pki/apiserver-etcd-client.key")));
    assert_eq!((etcd.prefix.as_str(), etcd.compact_every), ("/registry", Duration::from_secs(300)));
}

#[test]
fn every_fault_is_reported_at_once() {
    let errors = read(
        Program::Gatehouse,
        &[
            "--bogus",
            "--secure-port=70000",
            "--bind-address=nowhere",
            "--tls-min-version=VersionTLS10",
            "--tls-cert-file=a",
            "--storage-engine=tape",
            "--event-ttl=soon",
            "--service-cluster-ip-range=10.0.0.0/31",
            "--service-node-port-range=9-3",
            "--authorization-mode=ABAC",
            "--audit-log-path=-",
            "--tls-sni-cert-key=only",
        ],
    )
    .unwrap_err();
    assert_eq!(errors.len(), 12, "{errors:#?}");
}

#[test]
fn ranges_start_after_the_network_address() {
    for (text, first) in [("10.96.3.4/12", "10.96.0.1"), ("192.168.0.0/30", "192.168.0.1"), ("fd00::/108", "fd00::1")] {
        assert_eq!(text.parse::<Range>().unwrap().first().to_string(), first);
    }
    assert!("10.0.0.0/8".parse::<Range>().is_err());
    assert!("10.0.0.0".parse::<Range>().is_err());
    assert_eq!(node_ports("30000-32767"), Some((30000, 32767)));
    assert_eq!(node_ports("30000+10"), Some((30000, 30010)));
    assert_eq!(node_ports("0-10"), None);
}
