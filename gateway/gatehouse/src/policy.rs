//! `gatehouse policy …`: what an author of policies does all day. Every verdict comes from the server's own evaluator.

mod arguments;
mod build;
mod cases;
mod manifest;
mod new;
mod test;
mod trial;

use std::process::ExitCode;

use arguments::Arguments;

/// What went wrong, for a person.
type Outcome = Result<(), String>;

type Run = fn(&Arguments) -> Outcome;

/// The commands: name, arguments, what it does, and the code.
const COMMANDS: &[(&str, &str, &str, Run)] = &[
    ("new", "NAME", "makes a folder with a policy that works, its cases and its binding", new::run),
    ("build", "[FOLDER] [--out FOLDER]", "builds the policies of a folder to wasm", build::run),
    ("test", "[FOLDER]", "builds, and runs cases/*.yaml in wasm", test::run),
    ("manifest", "[FOLDER]", "builds, and prints what kubectl applies: the module and its binding", manifest::run),
    ("run", "[FOLDER] --object FILE [--settings FILE]", "builds, and judges one object", trial::run),
    ("bench", "[FOLDER] [--object FILE] [--settings FILE]", "builds, and measures calls", trial::bench),
];

/// Runs one of the commands.
pub(crate) fn run(words: &[String]) -> ExitCode {
    let command = words.first().and_then(|word| COMMANDS.iter().find(|(name, ..)| name == word));
    let Some((.., run)) = command else {
        return help(words);
    };
    match Arguments::read(&words[1..]).and_then(|arguments| run(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("Error: {why}");
            ExitCode::FAILURE
        }
    }
}

fn help(words: &[String]) -> ExitCode {
    println!("gatehouse policy: write, build, test and ship admission policies.\n");
    for (name, arguments, what, _) in COMMANDS {
        println!("  {:<58} {what}", format!("gatehouse policy {name} {arguments}"));
    }
    match words.first().map(String::as_str) {
        None | Some("help" | "--help" | "-h") => ExitCode::SUCCESS,
        Some(other) => {
            eprintln!("\nError: unknown command {other:?} for \"gatehouse policy\"");
            ExitCode::FAILURE
        }
    }
}
