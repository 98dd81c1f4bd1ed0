//! What `--help` prints: the table, by concern, in which no word stands that the table could say; and to who calls the program
//! kube-apiserver what that prints.

use std::fmt::Write;

use crate::program::Program;

use super::{CONCERNS, Flag, Status, Takes};

/// Width of the column of names.
const NAMES: usize = 48;

/// What kube-apiserver 1.37.2 prints; `conformance/commandlines` compares it and writes it anew.
const UPSTREAM: &str = include_str!("help.txt");

/// The help of `serve`, or of the program when it is called kube-apiserver.
pub(crate) fn text(program: Program) -> String {
    match program {
        Program::Gatehouse => own(program.as_str()),
        Program::KubeApiserver => UPSTREAM.to_owned(),
    }
}

fn own(program: &str) -> String {
    let mut text = format!(
        "{program}: a Kubernetes 1.37 API server whose admission runs as sandboxed WebAssembly.\n\n\
         Usage:\n  {program} [flags]\n\n\
         Every flag of kube-apiserver is known. One marked \"accepted\" has no effect; one marked \"refused\" ends the program,\n\
         for the reason given. The others are supported.\n"
    );
    for (concern, flags) in CONCERNS {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n{concern} flags:\n\n");
        for flag in *flags {
            let _ = writeln!(text, "{}", line(flag));
        }
    }
    text.push_str("\nGlobal flags:\n\n");
    let _ = writeln!(text, "  {:NAMES$} Prints this.", "-h, --help");
    let _ = writeln!(
        text,
        "  {:NAMES$} Prints the version of Kubernetes that is served; --version=v1.37.2-name has it reported as that.",
        "    --version"
    );
    text
}

fn line(flag: &Flag) -> String {
    let dashes = if flag.name.len() == 1 { format!("-{0}, --{0}", flag.name) } else { format!("    --{}", flag.name) };
    let takes = match flag.takes {
        Takes::Switch => "",
        Takes::Text => " value",
    };
    let status = match flag.status {
        Status::Supported => "",
        Status::Accepted => "[accepted] ",
        Status::Refused => "[refused] ",
    };
    let default = match (flag.default, flag.takes, flag.status) {
        ("", _, _) | ("false", Takes::Switch, _) | (_, _, Status::Refused) => String::new(),
        (default, _, _) => format!(" (default {default})"),
    };
    format!("  {:NAMES$} {status}{}{default}", format!("{dashes}{takes}"), flag.help)
}
