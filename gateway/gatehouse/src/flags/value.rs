//! Reads the values of flags as Go would: durations, numbers, lists. Collects what is wrong instead of stopping at it.

use std::time::Duration;

use super::parse::switch;
use super::{Parsed, find};

/// Values by flag name, with the table's defaults; what does not parse is added to `errors`.
pub(crate) struct Values<'p> {
    parsed: &'p Parsed,
    /// Everything that is wrong so far.
    pub(crate) errors: Vec<String>,
}

impl<'p> Values<'p> {
    /// Reads from a command line.
    pub(crate) fn new(parsed: &'p Parsed) -> Self {
        Self { parsed, errors: parsed.errors.clone() }
    }

    /// Whether the flag was given.
    pub(crate) fn is_given(&self, name: &str) -> bool {
        !self.parsed.given(name).is_empty()
    }

    /// The last value given, or the default.
    pub(crate) fn text(&self, name: &str) -> &'p str {
        let default = find(name).map_or("", |flag| flag.default);
        self.parsed.given(name).last().map_or(default, String::as_str)
    }

    /// The same, absent when empty.
    pub(crate) fn optional(&self, name: &str) -> Option<&'p str> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    /// Every value given, each as it is.
    pub(crate) fn each(&self, name: &str) -> Vec<String> {
        self.parsed.given(name).to_vec()
    }

    /// Every value given, split at commas.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        self.parsed
            .given(name)
            .iter()
            .flat_map(|text| text.split(','))
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// A truth value.
    pub(crate) fn switch(&self, name: &str) -> bool {
        switch(self.text(name)).unwrap_or(false)
    }

    /// A whole number.
    pub(crate) fn number<N: std::str::FromStr + Default>(&mut self, name: &str) -> N {
        let text = self.text(name);
        text.parse().unwrap_or_else(|_| {
            self.wrong(name, &format!("strconv.ParseInt: parsing {text:?}: invalid syntax"));
            N::default()
        })
    }

    /// A duration such as `1m30s`.
    pub(crate) fn duration(&mut self, name: &str) -> Duration {
        let text = self.text(name);
        duration(text).unwrap_or_else(|| {
            self.wrong(name, &format!("time: invalid duration {text:?}"));
            Duration::ZERO
        })
    }

    /// Anything that reads itself from text.
    pub(crate) fn parsed<T: std::str::FromStr>(&mut self, name: &str, what: &str) -> Option<T> {
        let text = self.optional(name)?;
        let value = text.parse().ok();
        if value.is_none() {
            self.wrong(name, &format!("not {what}"));
        }
        value
    }

    /// Notes that a value is wrong.
    pub(crate) fn wrong(&mut self, name: &str, reason: &str) {
        let value = self.text(name);
        self.errors.push(format!("invalid argument {value:?} for \"--{name}\" flag: {reason}"));
    }
}

/// A duration as Go writes one: decimal numbers with units, or 0.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let number = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
        let (amount, after) = rest.split_at(number);
        let unit = after.len() - after.trim_start_matches(|c: char| !c.is_ascii_digit() && c != '.').len();
        let (unit, after) = after.split_at(unit);
        let unit_s = match unit {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        total += Duration::try_from_secs_f64(amount.parse::<f64>().ok()? * unit_s).ok()?;
        rest = after;
    }
    (!text.is_empty()).then_some(total)
}
