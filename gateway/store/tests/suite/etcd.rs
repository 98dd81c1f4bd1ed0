//! A real etcd for the cases, built by the Go toolchain from the module that `conformance` depends on, and the plainest form in
//! which objects can lie there. What kube-apiserver lays there is `conformance/etcd`'s matter.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use store::{Decoded, EtcdSettings, Header, Servers, Transcoder};

/// An etcd with a data directory of its own; it ends with this.
pub struct Etcd {
    process: Option<Child>,
    dir: tempfile::TempDir,
}

impl Etcd {
    /// Starts one. Whoever connects waits until it answers.
    pub fn start() -> Self {
        let mut etcd = Self { process: None, dir: tempfile::tempdir().expect("a directory") };
        etcd.run();
        etcd
    }

    /// Starts it again on the same data.
    pub fn run(&mut self) {
        let socket = |name: &str| format!("unix://{}", self.dir.path().join(name).display());
        let mut command = Command::new(program());
        command.arg("--data-dir").arg(self.dir.path().join("data"));
        command.args(["--listen-client-urls", &socket("client"), "--listen-peer-urls", &socket("peer")]);
        // Nobody connects there; etcd only wants to be told.
        let nowhere = "http://127.0.0.1:0";
        command.args(["--advertise-client-urls", nowhere, "--initial-advertise-peer-urls", nowhere]);
        command.args(["--initial-cluster", &format!("default={nowhere}")]);
        // A single member elects itself at once; a crash of the machine is not what is tested here.
        command.args(["--heartbeat-interval", "20", "--election-timeout", "200", "--unsafe-no-fsync"]);
        let log = std::fs::File::options().create(true).append(true).open(self.dir.path().join("log")).expect("a log");
        command.stdout(log.try_clone().expect("a log")).stderr(log).stdin(Stdio::null());
        self.process = Some(command.spawn().expect("etcd starts"));
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("it runs");
            process.wait().expect("it ends");
        }
        // A new one makes them again.
        let _ = std::fs::remove_file(self.socket());
        let _ = std::fs::remove_file(self.dir.path().join("peer"));
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("client")
    }

    /// How it is spoken to.
    pub fn settings(&self) -> EtcdSettings {
        settings(&self.socket())
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Settings for whatever listens on a socket.
pub fn settings(socket: &std::path::Path) -> EtcdSettings {
    EtcdSettings {
        servers: Servers { urls: vec![format!("unix://{}", socket.display())], ..Servers::default() },
        prefix: "/registry".into(),
        overrides: Vec::new(),
        compact_every: Duration::ZERO,
        lease_reuse_s: 60,
        health_max: Duration::from_secs(2),
        open_max: Duration::from_secs(120),
    }
}

fn program() -> &'static PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let program = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("etcd");
        let mut build = Command::new("go");
        build.args(["build", "-o"]).arg(&program).arg("go.etcd.io/etcd/server/v3");
        build.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../conformance"));
        let output = build.output().expect("the Go toolchain is missing; install it with 'apt-get install golang'");
        assert!(output.status.success(), "build etcd: {}", String::from_utf8_lossy(&output.stderr));
        program
    })
}

/// Objects lie as they are; what the header says is in them.
pub struct Plain;

impl Transcoder for Plain {
    fn prefix_len(&self, key: &str) -> Option<usize> {
        let end = if key.starts_with("/registry/services/") { 3 } else { 2 };
        key.match_indices('/').nth(end).map(|(at, _)| at + 1).filter(|at| *at < key.len())
    }

    fn encode(&self, _prefix: &str, body: &[u8]) -> Result<Vec<u8>, String> {
        Ok(body.to_vec())
    }

    fn decode(&self, _prefix: &str, stored: &[u8]) -> Result<Decoded, String> {
        let object: model::json::Value = serde_json::from_slice(stored).map_err(|error| error.to_string())?;
        let pairs = |member: &str| {
            let map = object.get(member).and_then(|map| map.as_object());
            let text = |value: &model::json::Value| value.as_str().unwrap_or_default().to_owned();
            map.into_iter().flatten().map(|(key, value)| (key.clone(), text(value))).collect()
        };
        let header = Header { labels: pairs("labels"), fields: pairs("fields") };
        let at = stored.windows(2).position(|two| two == b"\"\"").ok_or("no place for the revision")?;
        Ok(Decoded { header, body: Bytes::copy_from_slice(stored), revision_at: at + 1 })
    }
}

/// The one for all cases.
pub fn plain() -> Arc<dyn Transcoder> {
    Arc::new(Plain)
}
