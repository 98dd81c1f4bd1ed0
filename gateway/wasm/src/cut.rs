//! Cuts the words of an answer to what people read. How many things are wrong stays, because some of them may be excepted.

use crate::bindings::validator::gatehouse::policy::types::{Mutation, Verdict, Violation};
use crate::error::Failure;
use crate::limits::{MESSAGE_BYTES_MAX, NAME_BYTES_MAX, WARNINGS_MAX};

pub(crate) fn verdict(verdict: Verdict) -> Verdict {
    Verdict { violations: violations(verdict.violations), warnings: warnings(verdict.warnings) }
}

pub(crate) fn mutation(mutation: Mutation) -> Mutation {
    Mutation { warnings: warnings(mutation.warnings), ..mutation }
}

impl Failure {
    /// A policy could not be asked, or could not judge; the words are for people.
    pub fn refused(why: String) -> Self {
        Self::Refused(message(why))
    }
}

pub(crate) fn failure(failure: Failure) -> Failure {
    match failure {
        Failure::Refused(why) => Failure::refused(why),
        Failure::BadAnswer(why) => Failure::BadAnswer(message(why)),
        Failure::Trap(why) => Failure::Trap(message(why)),
        other => other,
    }
}

pub(crate) fn violations(all: Vec<Violation>) -> Vec<Violation> {
    let violation = |Violation { rule, message, field, code }| Violation {
        rule: cut(rule, NAME_BYTES_MAX),
        message: self::message(message),
        field: cut(field, NAME_BYTES_MAX),
        code: code.map(|code| cut(code, NAME_BYTES_MAX)),
    };
    all.into_iter().map(violation).collect()
}

fn warnings(mut all: Vec<String>) -> Vec<String> {
    all.truncate(WARNINGS_MAX);
    all.into_iter().map(message).collect()
}

fn message(text: String) -> String {
    cut(text, MESSAGE_BYTES_MAX)
}

fn cut(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary(bytes_max));
        text.shrink_to_fit();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_cut_and_nothing_wrong_is_lost() {
        let long = || "ü".repeat(MESSAGE_BYTES_MAX);
        let one = || Violation { rule: long(), message: long(), field: long(), code: Some(long()) };
        let all: Vec<Violation> = std::iter::repeat_with(one).take(1_000).collect();
        let Verdict { violations, warnings } = verdict(Verdict { violations: all, warnings: vec![long(); 1_000] });
        assert_eq!((violations.len(), warnings.len()), (1_000, WARNINGS_MAX));
        let Violation { rule, message, field, code } = &violations[0];
        assert_eq!((rule.len(), message.len(), field.len()), (NAME_BYTES_MAX, MESSAGE_BYTES_MAX, NAME_BYTES_MAX));
        assert_eq!(code.as_ref().map(String::len), Some(NAME_BYTES_MAX));
        assert_eq!(warnings[0].len(), MESSAGE_BYTES_MAX);
    }
}
