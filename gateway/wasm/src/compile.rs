//! Compiles modules, where a program for it is given in a process of its own, which is ended when its time is used up: how
//! long compiling takes is the module's doing, and nobody can interrupt it within a process. Does not keep what it
//! compiled (`artifacts`).

use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::artifacts;
use crate::engine::config;
use crate::error::LoadError;

/// The signal that ends a process whose processor time is used up, on every Linux.
const SIGXCPU: i32 = 24;
/// What is read of a compiler's complaint.
const COMPLAINT_BYTES_MAX: u64 = 4 << 10;
/// What is read of what a compiler makes: some fifty times what the largest module comes to.
const CODE_BYTES_MAX: u64 = 1 << 30;

/// A program that compiles: it reads a component from its input and writes what [`precompile`] makes of it. It must limit
/// its own processor time.
#[derive(Clone, Debug)]
pub struct Compiler {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// The processor time that it grants itself.
    pub limit: Duration,
}

/// What the program of a [`Compiler`] does.
pub fn precompile(component: &[u8]) -> Result<Vec<u8>, String> {
    let engine = Engine::new(&config()).map_err(|error| format!("{error:#}"))?;
    engine.precompile_component(component).map_err(|error| format!("{error:#}"))
}

/// Compiles a component.
pub(crate) fn compile(engine: &Engine, compiler: Option<&Compiler>, component: &[u8]) -> Result<Component, LoadError> {
    let Some(compiler) = compiler else { return Component::new(engine, component).map_err(LoadError::Compile) };
    let code = compiler.run(component)?;
    artifacts::trusted(engine, &code).ok_or_else(|| LoadError::Compiler("what it made cannot be read".to_owned()))
}

impl Compiler {
    fn run(&self, component: &[u8]) -> Result<Vec<u8>, LoadError> {
        let failed = |error: io::Error| LoadError::Compiler(error.to_string());
        let mut command = Command::new(&self.program);
        // It needs nothing of what the server has: no variables and no folder.
        command
            .args(&self.arguments)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().map_err(failed)?;
        let talked = talk(&mut child, component);
        let status = child.wait().map_err(failed)?;
        let (code, complaint) = talked.map_err(failed)?;
        if status.success() { Ok(code) } else { Err(self.ended(status, &complaint)) }
    }

    fn ended(&self, status: ExitStatus, complaint: &str) -> LoadError {
        match (status.signal(), complaint.trim()) {
            (Some(SIGXCPU), _) => LoadError::CompileTime { limit: self.limit },
            (_, "") => LoadError::Compiler(format!("it ended early ({status}); the module may need too much memory")),
            (_, complaint) => LoadError::Compiler(complaint.to_owned()),
        }
    }
}

/// Writes and reads at once: either side would wait for the other for ever.
fn talk(child: &mut Child, component: &[u8]) -> io::Result<(Vec<u8>, String)> {
    let (input, output, complaints) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    std::thread::scope(|scope| {
        // Who ends early leaves the rest unread; its status says why.
        scope.spawn(move || input.map(|mut input| input.write_all(component)));
        let complaint = scope.spawn(move || {
            let mut text = String::new();
            complaints.map(|complaints| complaints.take(COMPLAINT_BYTES_MAX).read_to_string(&mut text));
            text
        });
        let mut code = Vec::new();
        output.map_or(Ok(0), |output| output.take(CODE_BYTES_MAX).read_to_end(&mut code))?;
        Ok((code, complaint.join().unwrap_or_default()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compiler(script: &str) -> Compiler {
        Compiler { program: "/bin/sh".into(), arguments: vec!["-c".to_owned(), script.to_owned()], limit: Duration::from_secs(7) }
    }

    #[test]
    fn what_the_program_writes_is_taken_and_its_end_is_told() {
        assert_eq!(compiler("cat").run(b"component").unwrap_or_default(), b"component");
        let told =
            |script: &str| compiler(script).run(&vec![0; 1 << 20]).err().map(|error| error.to_string()).unwrap_or_default();
        assert_eq!(told("kill -XCPU $$"), "compiling takes more than 7 s of processor time");
        assert_eq!(told("echo 'no wasm' >&2; exit 1"), "the compiler failed: no wasm");
        assert!(told("kill -KILL $$").contains("may need too much memory"));
    }
}
