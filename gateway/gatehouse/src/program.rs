//! Which program this is: `gatehouse` with its commands, or `kube-apiserver` when it is called by that name.

use std::ffi::OsStr;
use std::path::Path;

/// How the program was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// `gatehouse serve`.
    Gatehouse,
    /// `kube-apiserver`: takes that program's command line unchanged.
    KubeApiserver,
}

impl Program {
    /// By the name in the first argument.
    pub(crate) fn named(argument: &OsStr) -> Self {
        match Path::new(argument).file_name() {
            Some(name) if name == "kube-apiserver" => Self::KubeApiserver,
            _ => Self::Gatehouse,
        }
    }

    /// How it calls itself.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Gatehouse => "gatehouse serve",
            Self::KubeApiserver => "kube-apiserver",
        }
    }
}
