//! The flags as a table: kube-apiserver's of 1.37.2 and our own, by concern, each with what becomes of it.
//! Parsing, help and the log all read these rows; what a value means is `config`'s. A flag is added by adding a row.

mod cluster;
pub(crate) mod help;
mod identity;
mod parse;
mod serving;
pub(crate) mod value;

pub(crate) use parse::{Parsed, parse};

/// What a flag takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// Nothing, or `=true` and `=false`.
    Switch,
    /// A value.
    Text,
}

const SWITCH: Takes = Takes::Switch;
const TEXT: Takes = Takes::Text;

/// What becomes of a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// It has its effect.
    Supported,
    /// It is taken so that command lines work unchanged; the log says that it has no effect.
    Accepted,
    /// It ends the program unless it has upstream's default value.
    Refused,
}

/// One flag.
#[derive(Debug)]
pub(crate) struct Flag {
    pub(crate) name: &'static str,
    pub(crate) takes: Takes,
    pub(crate) default: &'static str,
    pub(crate) status: Status,
    /// What it does, or why it is refused.
    pub(crate) help: &'static str,
}

const fn supported(name: &'static str, takes: Takes, default: &'static str, help: &'static str) -> Flag {
    Flag { name, takes, default, status: Status::Supported, help }
}

const fn accepted(name: &'static str, takes: Takes, default: &'static str, help: &'static str) -> Flag {
    Flag { name, takes, default, status: Status::Accepted, help }
}

const fn refused(name: &'static str, takes: Takes, default: &'static str, reason: &'static str) -> Flag {
    Flag { name, takes, default, status: Status::Refused, help: reason }
}

/// The concerns in the order of the help, each with its flags.
pub(crate) const CONCERNS: &[(&str, &[Flag])] = &[
    ("Gatehouse", cluster::GATEHOUSE),
    ("Generic", serving::GENERIC),
    ("Storage", cluster::STORAGE),
    ("Secure serving", serving::SECURE),
    ("Auditing", identity::AUDITING),
    ("Features", serving::FEATURES),
    ("Authentication", identity::AUTHENTICATION),
    ("Authorization", identity::AUTHORIZATION),
    ("API enablement", serving::APIS),
    ("Egress selector", serving::EGRESS),
    ("Admission", identity::ADMISSION),
    ("Metrics", serving::METRICS),
    ("Logs", serving::LOGS),
    ("Traces", serving::TRACES),
    ("Misc", cluster::MISC),
];

/// A flag by its name.
pub(crate) fn find(name: &str) -> Option<&'static Flag> {
    CONCERNS.iter().flat_map(|(_, flags)| flags.iter()).find(|flag| flag.name == name)
}

#[cfg(test)]
mod tests;
