//! Compiles one policy module: what the server starts for each, so that a module which takes too long, or too much memory,
//! ends nothing but its own compiling. Not for people.

use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, nice, setrlimit};
use wasm::Compiler;
use wasm::limits::MODULE_BYTES_MAX;

/// The word that means this command.
pub(crate) const COMMAND: &str = "compile-module";
/// Memory of one compiling process. The largest modules of a real language need less than 1 GiB.
const MEMORY_BYTES_MAX: u64 = 4 << 30;
/// How far it steps back behind requests.
const NICE: i32 = 5;
/// This program, also when its file was replaced since it started.
pub(crate) const ITSELF: &str = "/proc/self/exe";

/// How the server starts it.
pub(crate) fn compiler(limit: Duration) -> Compiler {
    // The kernel counts in whole seconds.
    let limit = Duration::from_secs(limit.as_secs().max(1));
    Compiler { program: ITSELF.into(), arguments: vec![COMMAND.to_owned(), limit.as_secs().to_string()], limit }
}

/// Reads a component from standard input and writes machine code.
pub(crate) fn run(words: &[String]) -> ExitCode {
    match compile(words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn compile(words: &[String]) -> Result<(), String> {
    let seconds = words.first().and_then(|word| word.parse().ok()).ok_or("how many seconds it may take is missing")?;
    let failed = |error: io::Error| error.to_string();
    limit(Resource::Cpu, seconds).map_err(failed)?;
    limit(Resource::Data, MEMORY_BYTES_MAX).map_err(failed)?;
    // Being cut is no reason to keep an image of the process.
    limit(Resource::Core, 0).map_err(failed)?;
    nice(NICE).map_err(|error| failed(error.into()))?;
    let mut component = Vec::new();
    io::stdin().take(MODULE_BYTES_MAX as u64).read_to_end(&mut component).map_err(failed)?;
    io::stdout().write_all(&wasm::precompile(&component)?).map_err(failed)
}

/// The hard limit stays as it is: whoever may not raise it must not try.
pub(crate) fn limit(resource: Resource, most: u64) -> io::Result<()> {
    let maximum = getrlimit(resource).maximum;
    let current = Some(maximum.map_or(most, |maximum| most.min(maximum)));
    Ok(setrlimit(resource, Rlimit { current, maximum })?)
}
