//! What the server and a process that runs guests say to each other. Sends nothing (`frame`).

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::GroupVersionResource;
use crate::bindings::validator::gatehouse::policy::types::{Metadata, Mutation, Request, Verdict, Violation};
use crate::error::Failure;
use crate::guest::{LEVELS, LogLine};
use crate::imports::Grant;
use crate::module::World;
use crate::reach::{Attributes, Decision, ReadError, Subject};

/// What the process is told. Numbers are the server's.
#[derive(Serialize, Deserialize)]
pub(super) enum ToChild<'a> {
    /// Machine code of a module, which describes itself.
    Load { number: u64, world: World, code: Vec<u8> },
    /// A binding of a module.
    Bind { number: u64, module: u64, settings: Cow<'a, [u8]>, grants: Cow<'a, [Grant]>, deadline: Duration },
    /// A call of a binding.
    Call(Box<Called<'a>>),
    /// The answer to a question of the guest.
    Told(Told),
    /// Nobody has these any more.
    Forget { numbers: Vec<u64> },
}

/// One call.
#[derive(Serialize, Deserialize)]
pub(super) struct Called<'a> {
    pub(super) number: u64,
    pub(super) what: What,
    pub(super) request: Cow<'a, Request>,
    pub(super) object: Option<Cow<'a, [u8]>>,
    pub(super) old: Option<Cow<'a, [u8]>>,
    pub(super) params: Option<Cow<'a, [u8]>>,
}

/// Which of a policy's functions.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) enum What {
    Validate,
    Mutate,
    Configure,
}

/// What the process says.
#[derive(Serialize, Deserialize)]
pub(super) enum FromChild {
    Described(Result<Metadata, Refusal>),
    Bound(Result<(), Refusal>),
    /// The guest wants to know something before it answers.
    Asked(Question),
    Answered(Box<Answered>),
}

impl FromChild {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Described(_) => "what a module is",
            Self::Bound(_) => "that a module is bound",
            Self::Asked(_) => "a question",
            Self::Answered(_) => "an answer",
        }
    }
}

/// Why a module cannot be used.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Refusal {
    OtherState(String),
    Link(String),
    Settings(Vec<Violation>),
    Failed(Failure),
}

/// What came of a call.
#[derive(Serialize, Deserialize)]
pub(super) struct Answered {
    pub(super) outcome: Result<Outcome, Failure>,
    /// Level and text.
    pub(super) log: Vec<(u8, String)>,
    pub(super) fuel: u64,
    pub(super) needs_user: bool,
}

#[derive(Serialize, Deserialize)]
pub(super) enum Outcome {
    Verdict(Verdict),
    Mutation(Mutation),
    Configured,
}

impl Answered {
    pub(super) fn failed(failure: Failure) -> Self {
        Self { outcome: Err(failure), log: Vec::new(), fuel: 0, needs_user: false }
    }
}

/// Log lines as the server has them.
pub(super) fn lines(said: Vec<(u8, String)>) -> Vec<LogLine> {
    let line = |(level, message): (u8, String)| Some(LogLine { level: LEVELS.get(usize::from(level)).copied()?, message });
    said.into_iter().filter_map(line).collect()
}

/// The same the other way.
pub(super) fn numbered(lines: Vec<LogLine>) -> Vec<(u8, String)> {
    let number = |level: &str| LEVELS.iter().position(|known| *known == level).unwrap_or_default() as u8;
    lines.into_iter().map(|line| (number(line.level), line.message)).collect()
}

/// What a guest asks.
#[derive(Serialize, Deserialize)]
pub(super) enum Question {
    Get { of: GroupVersionResource, namespace: String, selected: String, fields: Vec<String> },
    List { of: GroupVersionResource, namespace: String, selected: String, fields: Vec<String> },
    Check { who: Subject, what: Attributes },
}

impl Question {
    pub(super) fn grant(&self) -> Grant {
        match self {
            Self::Get { .. } | Self::List { .. } => Grant::Cluster,
            Self::Check { .. } => Grant::Authorizer,
        }
    }
}

/// What it is told.
#[derive(Serialize, Deserialize)]
pub(super) enum Told {
    Object(Result<Option<Vec<u8>>, ReadError>),
    Objects(Result<Vec<Vec<u8>>, ReadError>),
    Decision(Result<Decision, String>),
}
