//! `cargo x`: the one door to building, checking and running. Each command is a row; the work is done by cargo, rustup
//! and go, which it calls by name. Has no dependency, so that nobody waits for it.

mod policies;
mod run;
mod summary;
mod tidy;
mod up;

use std::process::ExitCode;

use crate::run::{Failed, Step};
use crate::summary::Summary;

type Run = fn(&[String]) -> Result<(), Failed>;

/// The commands: name, what it does, and the code.
const COMMANDS: &[(&str, &str, Run)] = &[
    ("up", "builds the policies and the server, starts it, says where the kubeconfig lies; takes the server's flags", up::run),
    ("check", "formatting, lints as errors, tidy tests", |_| check(&mut Summary::default())),
    ("test", "everything: check, all tests, real clients against a running server", |_| test()),
    ("policies", "builds the policies in policies/ to .build/policies", |_| policies::build()),
    ("import", "derives the tables in gateway/catalog/data and upstream's answers in its tests again", |_| import()),
    ("bench", "measures Gatehouse on both engines beside kube-apiserver with etcd; takes the flags of conformance/bench", bench),
    ("record", "asks the real kube-apiserver everything of the corpus and writes its answers down", |_| record()),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = arguments.split_first() else {
        println!("cargo x <command>\n");
        for (name, what, _) in COMMANDS {
            println!("  {name:10} {what}");
        }
        return ExitCode::SUCCESS;
    };
    let Some((_, _, command)) = COMMANDS.iter().find(|(command, _, _)| command == name) else {
        eprintln!("error: cargo x knows no command {name:?}; `cargo x` lists them");
        return ExitCode::FAILURE;
    };
    match command(rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            eprintln!("error: {failed}");
            ExitCode::FAILURE
        }
    }
}

/// What is taken from upstream's module.
fn import() -> Result<(), Failed> {
    Step::go("run ./import").run()?;
    Step::go("run ./cases").run()?;
    Step::go("run ./cel").run()
}

/// Upstream's answers, which the corpus' test compares with. The first time it builds kube-apiserver and etcd.
fn record() -> Result<(), Failed> {
    Step::go("run ./record").run()
}

/// The comparison with kube-apiserver, on this machine.
fn bench(flags: &[String]) -> Result<(), Failed> {
    server()?;
    Step::go("run ./bench").args(flags).run()
}

/// What CI runs first and everybody before a commit.
fn check(summary: &mut Summary) -> Result<(), Failed> {
    summary.step("format", || Step::cargo("fmt --all --check").run());
    summary.step("format (policies)", || run::in_policies(|| Step::cargo("fmt --all --check").folder("policies").run()));
    summary.step("tidy", tidy::run);
    summary.step("lint", || Step::cargo("clippy --workspace --all-targets -- -D warnings").run());
    summary.finish()
}

/// Everything. Later steps run although an earlier one failed, so that one run tells all that is wrong.
fn test() -> Result<(), Failed> {
    let mut summary = Summary::default();
    let _ = check(&mut summary);
    summary.step("policies (build)", policies::build);
    // Two jobs share the machine badly while linking; doc tests would build every crate once more for a handful of lines.
    summary.tests("rust", || Step::cargo("test --workspace --no-fail-fast --all-targets").captured());
    summary.tests("policies", || {
        run::in_policies_captured(|| Step::cargo("test --workspace --no-fail-fast").folder("policies").captured())
    });
    summary.step("policies (wasm)", policies::cases);
    // The server that real clients meet is the one that users run.
    summary.step("server (release)", server);
    summary.tests("conformance", || Step::go("test -count=1 -timeout 30m -v ./...").captured());
    summary.finish()
}

/// Builds the server as users run it.
pub(crate) fn server() -> Result<(), Failed> {
    Step::cargo("build --release --package gatehouse").run()
}
