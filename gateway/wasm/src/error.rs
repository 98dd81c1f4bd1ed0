//! What can go wrong with a module, a binding and a call. Says nothing about what follows from it (`admission`).

use std::time::Duration;

use crate::bindings::validator::gatehouse::policy::types::Violation;

/// The runtime could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The engine refused its configuration or its memory.
    #[error("start the wasm engine: {0:#}")]
    Engine(wasmtime::Error),
    /// The directory of compiled modules cannot be used.
    #[error("use {path} for compiled modules")]
    Artifacts {
        /// The directory.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A thread could not be started.
    #[error("start a thread for guests")]
    Thread(#[source] std::io::Error),
}

/// A module that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file is too large.
    #[error("the module has {bytes} bytes, more than the {max} that are allowed")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// Not a component: text, a core module, compiled code, or damaged.
    #[error("this is not a wasm component: {0}; build it with `gatehouse policy build`")]
    NotAComponent(String),
    /// It does not compile, or exceeds a structural limit.
    #[error("compile the component: {0:#}")]
    Compile(wasmtime::Error),
    /// Compiling it was cut.
    #[error("compiling takes more than {} s of processor time", limit.as_secs())]
    CompileTime {
        /// The limit.
        limit: Duration,
    },
    /// The program that compiles gave nothing.
    #[error("the compiler failed: {0}")]
    Compiler(String),
    /// It exports neither world of the contract.
    #[error("the component exports neither `gatehouse:policy/validation@1.0.0` nor `gatehouse:policy/mutation@1.0.0`: {0}")]
    NoWorld(String),
    /// It imports what the contract does not have.
    #[error("the component imports `{import}`, which no policy can be granted")]
    UnknownImport {
        /// The import's name.
        import: String,
    },
    /// It follows another version of the contract.
    #[error(
        "the component follows version {version} of the contract, and this program knows {known}; build it again with an SDK of that version"
    )]
    OtherVersion {
        /// Its version.
        version: String,
        /// Ours.
        known: &'static str,
    },
    /// It follows this version of the contract, which is a candidate, as that was before (or will be).
    #[error(
        "the component was built for another state of the contract than this program knows, most likely an earlier one: {0}; \
         build it again with the SDK of this release, which `gatehouse policy sdk` puts into the policy's folder"
    )]
    OtherState(String),
    /// It could not say what it is.
    #[error("ask the component what it is: {0}")]
    Describe(Failure),
    /// What it says of itself makes no sense.
    #[error("what the component says of itself is wrong: {0}")]
    Metadata(String),
}

/// A module that cannot be bound with these grants and settings.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// It imports an ability that the binding does not grant.
    #[error("the module imports `{import}`, which needs the grant `{grant}`")]
    NotGranted {
        /// The import's name.
        import: String,
        /// What to write under `grants`.
        grant: &'static str,
    },
    /// It does not accept its settings.
    #[error("the module refuses its settings")]
    Settings(Vec<Violation>),
    /// It failed while it looked at its settings.
    #[error("check the settings: {0}")]
    Failed(Failure),
    /// Its imports do not have the types of the contract.
    #[error("link the component: {0:#}")]
    Link(wasmtime::Error),
}

/// A call that ended without an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, serde::Serialize, serde::Deserialize)]
pub enum Failure {
    /// The guest trapped: it panicked, ran out of stack, divided by zero.
    #[error("it trapped: {0}")]
    Trap(String),
    /// The guest used up its running time.
    #[error("it ran for more than {} ms", .deadline.as_millis())]
    Timeout {
        /// The running time it had.
        deadline: Duration,
    },
    /// The machine had no processor for the guest for so long that the request cannot wait.
    #[error("it did not finish within {} ms", .limit.as_millis())]
    WallTimeout {
        /// How long the request waited.
        limit: Duration,
    },
    /// The guest wanted more memory than it may have.
    #[error("it wanted more memory than {} MiB", crate::limits::MEMORY_BYTES_MAX >> 20)]
    OutOfMemory,
    /// The answer is too large or not what the contract says.
    #[error("its answer cannot be used: {}", unusable(.0))]
    BadAnswer(String),
    /// The guest says that it could not judge.
    #[error("{0}")]
    Refused(String),
    /// The process that runs guests ended, or cannot be started.
    #[error("the process that ran it failed: {0}")]
    Process(String),
    /// It was to take a moment only ([`crate::Call::briefly`]), and takes longer.
    #[error("it takes longer than a moment")]
    NotBrief,
    /// No place to run: too many calls wait, or the server stops.
    #[error("there was no room to run it")]
    Busy,
}

/// Why an answer cannot be used, in words of the contract where the runtime's tell of its own inside.
fn unusable(why: &str) -> String {
    match why.contains("fuel allocated for hostcalls") {
        true => format!("it is larger than {} MiB", crate::limits::ANSWER_BYTES_MAX >> 20),
        false => why.to_owned(),
    }
}

impl Failure {
    /// A word for metrics and audit.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Trap(_) => "trap",
            Self::Timeout { .. } | Self::WallTimeout { .. } => "timeout",
            Self::OutOfMemory => "out_of_memory",
            Self::BadAnswer(_) => "bad_answer",
            Self::Refused(_) => "error",
            Self::Process(_) => "process",
            Self::NotBrief => "not_brief",
            Self::Busy => "busy",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_an_answer_cannot_be_used_is_said_in_words_of_the_contract() {
        let why = "too much data is being copied between the host and the guest: fuel allocated for hostcalls has been exhausted";
        assert_eq!(Failure::BadAnswer(why.to_owned()).to_string(), "its answer cannot be used: it is larger than 1 MiB");
        assert_eq!(Failure::BadAnswer("no JSON".to_owned()).to_string(), "its answer cannot be used: no JSON");
    }
}
