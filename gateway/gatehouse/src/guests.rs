//! Runs policies for a server that was told to run them in processes of their own: what it starts as many times as policies
//! run at once. Not for people.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use rustix::process::Resource;

use crate::compile::{ITSELF, limit};

/// The word that means this command.
pub(crate) const COMMAND: &str = "run-guests";
/// Memory of one process: code of its modules, and one guest at a time.
const MEMORY_BYTES_MAX: u64 = 4 << 30;
/// Files: the socket, and one for the first memory of each module.
const FILES_MAX: u64 = 4_096;

/// How the server starts it.
pub(crate) fn program() -> wasm::Program {
    wasm::Program { program: ITSELF.into(), arguments: vec![COMMAND.to_owned()] }
}

/// Serves the socket that is its standard input.
pub(crate) fn run() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("policies cannot be run: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> io::Result<()> {
    limit(Resource::Data, MEMORY_BYTES_MAX)?;
    limit(Resource::Nofile, FILES_MAX)?;
    // Being ended is no reason to keep an image of the process.
    limit(Resource::Core, 0)?;
    wasm::serve(UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?))
}
