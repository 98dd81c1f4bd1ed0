//! Reads a command line by the table, with the words of cobra and pflag where something is wrong.

use std::collections::BTreeMap;

use super::{CONCERNS, Flag, Status, Takes, find};

/// What a command line says.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    /// Values by flag, in the order given.
    values: BTreeMap<&'static str, Vec<String>>,
    /// Flags that were given and have no effect.
    pub(crate) without_effect: Vec<&'static str>,
    /// Everything that is wrong.
    pub(crate) errors: Vec<String>,
    /// `--help` or `-h` was given.
    pub(crate) help: bool,
    /// `--version` was given.
    pub(crate) version: bool,
    /// `--version=v1.37.2-custom` was given: what to say that one is.
    pub(crate) reported: Option<String>,
}

impl Parsed {
    /// All values of a flag, none when it was not given.
    pub(crate) fn given(&self, name: &str) -> &[String] {
        self.values.get(name).map_or(&[], Vec::as_slice)
    }

    /// Every flag with its values, or its default, by name.
    pub(crate) fn in_force(&self) -> Vec<(String, String)> {
        let flags = CONCERNS.iter().flat_map(|(_, flags)| flags.iter());
        let value = |flag: &Flag| match self.given(flag.name) {
            [] => flag.default.to_owned(),
            given => given.join(","),
        };
        let mut all: Vec<(String, String)> = flags.map(|flag| (flag.name.to_owned(), value(flag))).collect();
        all.sort();
        all
    }
}

/// Reads the arguments after the program's name and the subcommand. Never fails: everything wrong is in `errors`.
pub(crate) fn parse(program: &str, arguments: &[String]) -> Parsed {
    let mut parsed = Parsed::default();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let Some((name, value)) = split(argument) else {
            parsed.errors.push(format!("{program:?} does not take any arguments, got {argument:?}"));
            continue;
        };
        match name {
            "help" | "h" => parsed.help = true,
            "version" => match value.filter(|value| value.starts_with('v')) {
                Some(reported) => parsed.reported = Some(reported.to_owned()),
                None => parsed.version = value != Some("false"),
            },
            name => match find(name) {
                Some(flag) => parsed.take(flag, value, &mut rest),
                None if argument.starts_with("--") => parsed.errors.push(format!("unknown flag: --{name}")),
                None => {
                    parsed.errors.push(format!("unknown shorthand flag: '{}' in {argument}", name.chars().next().unwrap_or('-')))
                }
            },
        }
    }
    parsed
}

/// Name and value of a flag; `-v2` is a name and its value too. `None` when it is no flag.
fn split(argument: &str) -> Option<(&str, Option<&str>)> {
    let (name, value) = match argument.strip_prefix("--") {
        Some(long) if !long.is_empty() => long.split_once('=').map_or((long, None), |(n, v)| (n, Some(v))),
        Some(_) => return None,
        None => {
            let short = argument.strip_prefix('-').filter(|short| !short.is_empty())?;
            let (name, value) = short.split_at(short.chars().next()?.len_utf8());
            (name, (!value.is_empty()).then(|| value.strip_prefix('=').unwrap_or(value)))
        }
    };
    Some((name, value))
}

impl Parsed {
    fn take<'a>(&mut self, flag: &'static Flag, value: Option<&str>, rest: &mut impl Iterator<Item = &'a String>) {
        let value = match (value, flag.takes) {
            (Some(value), _) => value.to_owned(),
            (None, Takes::Switch) => "true".to_owned(),
            (None, Takes::Text) => match rest.next() {
                Some(value) => value.clone(),
                None if flag.name.len() == 1 => {
                    return self.errors.push(format!("flag needs an argument: '{0}' in -{0}", flag.name));
                }
                None => return self.errors.push(format!("flag needs an argument: --{}", flag.name)),
            },
        };
        if flag.takes == Takes::Switch && switch(&value).is_none() {
            let reason = format!("strconv.ParseBool: parsing {value:?}: invalid syntax");
            return self.errors.push(format!("invalid argument {value:?} for \"--{}\" flag: {reason}", flag.name));
        }
        match flag.status {
            Status::Refused if value != flag.default => self.errors.push(format!("--{} is refused: {}", flag.name, flag.help)),
            Status::Accepted => self.without_effect.push(flag.name),
            Status::Supported | Status::Refused => {}
        }
        self.values.entry(flag.name).or_default().push(value);
    }
}

/// A truth value as Go reads one.
pub(super) fn switch(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}
