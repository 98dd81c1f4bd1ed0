//! The `gatehouse` program: reads which command is meant and hands over to it. Called by the name `kube-apiserver` it is
//! the server and nothing else.

mod build;
mod compile;
mod config;
mod flags;
mod guests;
mod identity;
mod logs;
mod policy;
mod program;
mod reload;
mod run;
mod snapshot;
mod storage;
mod trust;

use std::process::ExitCode;

use crate::config::Config;
use crate::flags::value::Values;
use crate::program::Program;

/// A request on the write path makes and drops a few thousand small values. With the C library's allocator a third of the
/// CPU of a Pod's creation went there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Run = fn(&[String]) -> ExitCode;

/// The commands: name, what it does, and the code.
const COMMANDS: &[(&str, &str, Run)] = &[
    ("serve", "Runs the API server.", |arguments| serve(Program::Gatehouse, arguments)),
    ("policy", "Writes, builds, tests and ships policies.", policy::run),
    ("snapshot", "Saves, restores and looks into what the server keeps.", snapshot::run),
    ("version", "Prints the version.", version),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect();
    let (name, rest) = arguments.split_first().map_or(("gatehouse", &[][..]), |(name, rest)| (name.as_str(), rest));
    if Program::named(name.as_ref()) == Program::KubeApiserver {
        return serve(Program::KubeApiserver, rest);
    }
    match rest.split_first() {
        None => help(),
        Some((word, _)) if ["help", "--help", "-h"].contains(&word.as_str()) => help(),
        Some((word, rest)) if word == "--version" => version(rest),
        Some((word, rest)) if word == compile::COMMAND => compile::run(rest),
        Some((word, _)) if word == guests::COMMAND => guests::run(),
        Some((word, rest)) => match COMMANDS.iter().find(|(command, _, _)| command == word) {
            Some((_, _, run)) => run(rest),
            None => fail(&[format!("unknown command {word:?} for \"gatehouse\"")]),
        },
    }
}

fn help() -> ExitCode {
    println!("gatehouse: a Kubernetes 1.37 API server whose admission runs as sandboxed WebAssembly.\n\nCommands:");
    for (name, what, _) in COMMANDS {
        println!("  {name:10} {what}");
    }
    println!("\nUse \"gatehouse <command> --help\" for more about a command.");
    ExitCode::SUCCESS
}

fn version(_: &[String]) -> ExitCode {
    println!("Kubernetes {}", server::version::KUBERNETES);
    println!("Gatehouse {}", env!("CARGO_PKG_VERSION"));
    ExitCode::SUCCESS
}

fn serve(program: Program, arguments: &[String]) -> ExitCode {
    let parsed = flags::parse(program.as_str(), arguments);
    if parsed.help {
        print!("{}", flags::help::text(program));
        return ExitCode::SUCCESS;
    }
    if parsed.version {
        println!("Kubernetes {}", server::version::KUBERNETES);
        return ExitCode::SUCCESS;
    }
    if let Some(Err(reason)) = parsed.reported.as_deref().map(server::version::report) {
        let version = parsed.reported.unwrap_or_default();
        return fail(&[format!("invalid argument {version:?} for \"--version\" flag: {reason}")]);
    }
    let config = match Config::read(&parsed, program) {
        Ok(config) => config,
        Err(errors) => return fail(&errors),
    };
    let mut values = Values::new(&parsed);
    logs::start(values.number("v"), values.text("logging-format") == "json");
    for flag in &parsed.without_effect {
        tracing::warn!(flag, "flag is accepted and has no effect");
    }
    match run::run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&[chain(error.as_ref())]),
    }
}

fn fail(errors: &[String]) -> ExitCode {
    for error in errors {
        eprintln!("Error: {error}");
    }
    ExitCode::FAILURE
}

/// An error with all its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // A transparent or quoted cause would otherwise stand there twice.
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
