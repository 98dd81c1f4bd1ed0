//! Calls other programs from the right folder and says which one failed and how to get it.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A step failed; says what a person can do.
#[derive(Debug)]
pub(crate) struct Failed(pub(crate) String);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The repository's top folder.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |folder| root().join(folder))
}

/// One call of a program.
pub(crate) struct Step {
    program: String,
    arguments: Vec<String>,
    folder: PathBuf,
    remedy: &'static str,
}

impl Step {
    /// Cargo, in the top folder.
    pub(crate) fn cargo(arguments: &str) -> Self {
        Self::new("cargo", arguments, "", "install Rust by rustup: https://rustup.rs")
    }

    /// Go, in `conformance/`.
    pub(crate) fn go(arguments: &str) -> Self {
        Self::new("go", arguments, "conformance", "install Go 1.26 or newer: https://go.dev/dl")
    }

    /// The server as users run it, with one of its commands, in the top folder.
    pub(crate) fn gatehouse(arguments: &str) -> Self {
        Self::new(&target().join("release/gatehouse").to_string_lossy(), arguments, "", "`cargo x policies` builds it")
    }

    fn new(program: &str, arguments: &str, folder: &str, remedy: &'static str) -> Self {
        Self {
            program: program.to_owned(),
            arguments: arguments.split(' ').map(str::to_owned).collect(),
            folder: root().join(folder),
            remedy,
        }
    }

    /// The same in another folder of the repository.
    pub(crate) fn folder(mut self, folder: &str) -> Self {
        self.folder = root().join(folder);
        self
    }

    /// The same with further arguments, as they were given.
    pub(crate) fn args(mut self, more: &[String]) -> Self {
        self.arguments.extend_from_slice(more);
        self
    }

    /// Runs it; its output goes to the terminal.
    pub(crate) fn run(self) -> Result<(), Failed> {
        let status = self.command().status();
        self.outcome(status)
    }

    /// Runs it; its output goes to the terminal and is returned too.
    pub(crate) fn captured(self) -> (Vec<String>, Result<(), Failed>) {
        let mut lines = Vec::new();
        let status = self.command().stdout(Stdio::piped()).spawn().and_then(|mut child| {
            for line in child.stdout.take().into_iter().flat_map(|out| BufReader::new(out).lines()) {
                let line = line?;
                println!("{line}");
                lines.push(line);
            }
            child.wait()
        });
        (lines, self.outcome(status))
    }

    fn command(&self) -> Command {
        println!("\n==> {} {}", self.program, self.arguments.join(" "));
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).current_dir(&self.folder);
        // The server under test is the one this run built, wherever that lies.
        command.env("GATEHOUSE", target().join("release/gatehouse"));
        command.env("GATEHOUSE_POLICIES", policies_folder());
        command
    }

    fn outcome(&self, status: std::io::Result<std::process::ExitStatus>) -> Result<(), Failed> {
        let what = format!("{} {}", self.program, self.arguments.join(" "));
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(Failed(format!("{what} failed ({status})"))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(Failed(format!("{} is missing: {}", self.program, self.remedy)))
            }
            Err(error) => Err(Failed(format!("{what}: {error}"))),
        }
    }
}

/// Where built policies lie.
pub(crate) fn policies_folder() -> PathBuf {
    root().join(".build/policies")
}

/// Does something with the policies' workspace.
pub(crate) fn in_policies(work: impl FnOnce() -> Result<(), Failed>) -> Result<(), Failed> {
    if root().join("policies/Cargo.toml").exists() { work() } else { Err(Failed("policies/Cargo.toml is missing".to_owned())) }
}

/// The same for a step whose output is wanted.
pub(crate) fn in_policies_captured(
    work: impl FnOnce() -> (Vec<String>, Result<(), Failed>),
) -> (Vec<String>, Result<(), Failed>) {
    match in_policies(|| Ok(())) {
        Ok(()) => work(),
        failed => (Vec::new(), failed),
    }
}
