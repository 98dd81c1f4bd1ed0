//! The program as its users call it: help, version, refusals, a start and an end. Real clients are in `conformance/`.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must say where")]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

const GATEHOUSE: &str = env!("CARGO_BIN_EXE_gatehouse");

fn call(program: &Path, arguments: &[&str]) -> (Output, String, String) {
    let output = Command::new(program).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    (output, out, err)
}

fn gatehouse(arguments: &[&str]) -> (Output, String, String) {
    call(Path::new(GATEHOUSE), arguments)
}

/// Waits for what the server does on its own; the harness' own time limit ends a wait in vain.
fn until(what: impl Fn() -> bool) {
    while !what() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn tells_what_it_can_do() {
    let (output, out, _) = gatehouse(&["serve", "--help"]);
    assert!(output.status.success());
    assert!(out.contains("--data-dir value") && out.contains("[refused]") && out.contains("[accepted]"));
    assert_eq!(gatehouse(&["serve", "--version"]).1, "Kubernetes v1.37.2\n");
    assert!(gatehouse(&[]).1.contains("serve"));
}

#[test]
fn refuses_with_every_reason_at_once() {
    let (output, _, err) = gatehouse(&["serve", "--tracing-config-file=t", "--no-such-flag", "--secure-port=many"]);
    assert_eq!(output.status.code(), Some(1));
    let lines: Vec<&str> = err.lines().collect();
    assert_eq!(lines.len(), 3, "{err}");
    assert!(lines[0].starts_with("Error: --tracing-config-file is refused: traces are not sent anywhere yet"));
    assert_eq!(lines[1], "Error: unknown flag: --no-such-flag");
    assert!(lines[2].contains("--secure-port"));
    assert_eq!(gatehouse(&["fly"]).2, "Error: unknown command \"fly\" for \"gatehouse\"\n");
}

#[test]
fn called_kube_apiserver_it_takes_flags_without_a_command() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("kube-apiserver");
    std::os::unix::fs::symlink(GATEHOUSE, &program).unwrap();
    assert_eq!(call(&program, &["--version"]).1, "Kubernetes v1.37.2\n");
    assert!(call(&program, &["--help"]).1.contains("\n  kube-apiserver [flags]\n"));
    assert_eq!(call(&program, &["serve"]).2, "Error: \"kube-apiserver\" does not take any arguments, got \"serve\"\n");
}

#[test]
fn starts_writes_the_kubeconfig_and_ends_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let kubeconfig = data_dir.join("admin.kubeconfig");
    let start = || {
        Command::new(GATEHOUSE)
            .args(["serve", "--secure-port=0", "--data-dir"])
            .arg(&data_dir)
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    for round in 0..2 {
        let mut server = start();
        until(|| kubeconfig.exists());
        assert_eq!(std::fs::metadata(&kubeconfig).unwrap().permissions().mode() & 0o777, 0o600);
        let text = std::fs::read_to_string(&kubeconfig).unwrap();
        assert!(text.contains("server: https://127.0.0.1:") && !text.contains("127.0.0.1:0\n"));
        signal(&server, if round == 0 { "-TERM" } else { "-INT" });
        assert!(server.wait().unwrap().success());
        std::fs::remove_file(&kubeconfig).unwrap();
    }
}

#[test]
fn a_data_directory_has_one_server() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().display().to_string();
    let mut server = Command::new(GATEHOUSE)
        .args(["serve", "--secure-port=0", "--data-dir", &data_dir])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until(|| folder.path().join("admin.kubeconfig").exists());
    let (output, _, err) = gatehouse(&["serve", "--secure-port=0", "--data-dir", &data_dir]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err.contains("in use by another process"), "{err}");
    signal(&server, "-TERM");
    assert!(server.wait().unwrap().success());
}
