//! Programs that a language's SDK needs, called so that a missing one is named with the way to get it.

use std::io;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// One program.
#[derive(Clone, Copy)]
pub(super) struct Tool<'a> {
    /// Its name, or where it is.
    pub(super) program: &'a str,
    /// How to get it.
    pub(super) remedy: &'a str,
}

impl Tool<'_> {
    /// A call of it, in a folder.
    pub(super) fn command(self, folder: &Path) -> Command {
        let mut command = Command::new(self.program);
        command.current_dir(folder).stdin(Stdio::null());
        command
    }

    /// Runs it. What it says goes to the terminal, but not to standard output, where reports are written.
    pub(super) fn run(self, mut command: Command) -> Result<(), String> {
        let output = command.stderr(Stdio::inherit()).output();
        self.outcome(output, |_| "what is wrong stands above".to_owned())
    }

    /// Runs it; what it says is told only when it fails.
    pub(super) fn quiet(self, mut command: Command) -> Result<(), String> {
        self.outcome(command.output(), |output| {
            let said = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).trim().to_owned());
            said.join("\n")
        })
    }

    fn outcome(self, output: io::Result<Output>, told: impl Fn(&Output) -> String) -> Result<(), String> {
        let Tool { program, remedy } = self;
        match output {
            Ok(output) if output.status.success() => Ok(()),
            Ok(output) => Err(format!("the policy does not build: {program} failed: {}", told(&output))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(format!("{program} is missing: {remedy}")),
            Err(error) => Err(format!("{program}: {error}")),
        }
    }
}

/// Says what is being done, where somebody may wait for it.
pub(super) fn told(what: &str) {
    eprintln!("{what}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_named_with_its_remedy() {
        let missing = Tool { program: "no-such-program", remedy: "install it" };
        let folder = Path::new(".");
        assert_eq!(missing.run(missing.command(folder)).unwrap_err(), "no-such-program is missing: install it");
        let shell = Tool { program: "sh", remedy: "" };
        let mut command = shell.command(folder);
        command.args(["-c", "echo wrong; exit 1"]);
        assert_eq!(shell.quiet(command).unwrap_err(), "the policy does not build: sh failed: wrong\n");
    }
}
