//! Reads the table of declared rules (`data/declarative.txt`). Applies none.
//!
//! A line is one of
//! ```text
//! kind <apiVersion> <Kind> <type> <subresources, separated by commas; the empty one is the object itself>
//! type <name>
//! <tabs>field <json, or . for the value itself>
//! <tabs>[stop] [silent] <check> [arguments…]
//! ```
//! Checks and fields belong to the type or field above them. `stop`: what follows is skipped when the check fails, after
//! the other stops beside it; `silent`: its fault is not told.

use std::collections::HashMap;

use model::json::Map;

/// A line of the table that cannot be read.
#[derive(Clone, Debug, thiserror::Error)]
#[error("table of declared rules, line {line}: {text}")]
pub struct ReadError {
    /// Counted from 1.
    pub line: usize,
    /// The line.
    pub text: String,
}

/// Declared rules by type, and which kinds begin where.
#[derive(Debug, Default)]
pub(super) struct Table {
    roots: HashMap<(&'static str, &'static str), Root>,
    types: Vec<Vec<Step>>,
}

#[derive(Debug)]
struct Root {
    of: usize,
    subresources: Vec<&'static str>,
}

/// One step of a type's rules.
#[derive(Debug)]
pub(super) enum Step {
    /// The rules of a field; the value itself when the name is a dot.
    Field(&'static str, Vec<Step>),
    /// A check.
    Check { stop: bool, silent: bool, rule: Rule },
}

/// What counts as given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Not the zero value.
    Value,
    /// Not nil.
    Pointer,
    /// At least one element.
    Items,
}

/// How elements of lists belong together.
#[derive(Debug)]
pub(super) enum Match {
    /// They do not.
    Never,
    /// They are alike.
    Alike,
    /// These fields are alike.
    Keys(Vec<&'static str>),
}

/// A member of a union.
#[derive(Debug)]
pub(super) struct Member {
    /// As messages name it.
    pub(super) name: String,
    /// For a member that is an element of a list: what it looks like.
    pub(super) element: Option<Map>,
}

/// A check, named as in the table.
#[derive(Debug)]
pub(super) enum Rule {
    Optional(Shape),
    Required(Shape),
    Forbidden(Shape),
    Immutable,
    Enum(Vec<&'static str>),
    Format(&'static str),
    MaxItems(usize),
    MaxLength(usize),
    MaxBytes(usize),
    Min(i64),
    Max(i64),
    Unique(Match),
    Each { by: Match, skips_found: bool, rule: Box<Rule> },
    EachKey(Box<Rule>),
    EachValue(Box<Rule>),
    Update(Vec<&'static str>),
    If { option: &'static str, on: bool, rule: Box<Rule> },
    Subfield(&'static str, Box<Rule>),
    Union(Vec<Member>),
    AtMostOne(Vec<Member>),
    Discriminated { field: &'static str, by: &'static str, otherwise: Presence, cases: Vec<(&'static str, Presence)> },
    Type(usize),
}

/// What a discriminator's value asks of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    Any,
    Required,
    Forbidden,
}

impl Table {
    /// The type at which the rules of a kind begin, if it has some for this subresource.
    pub(super) fn root(&self, api_version: &str, kind: &str, subresource: &str) -> Option<usize> {
        let root = self.roots.get(&(api_version, kind))?;
        root.subresources.contains(&subresource).then_some(root.of)
    }

    /// The rules of a type.
    pub(super) fn steps(&self, of: usize) -> &[Step] {
        self.types.get(of).map_or(&[], Vec::as_slice)
    }

    pub(super) fn parse(text: &'static str) -> Result<Self, ReadError> {
        let lines: Vec<(usize, &'static str)> =
            text.lines().enumerate().map(|(at, line)| (at + 1, line)).filter(|(_, line)| !line.starts_with('#')).collect();
        let names = lines.iter().filter_map(|(_, line)| line.strip_prefix("type "));
        let reader = Reader { types: names.enumerate().map(|(at, name)| (name, at)).collect() };
        let mut table = Self::default();
        let mut rest = lines.as_slice();
        while let Some(((number, line), after)) = rest.split_first() {
            let fail = || ReadError { line: *number, text: (*line).to_owned() };
            let words: Vec<&'static str> = line.split(' ').collect();
            rest = match words.as_slice() {
                ["kind", api_version, kind, of, subresources] => {
                    let of = *reader.types.get(of).ok_or_else(fail)?;
                    let root = Root { of, subresources: subresources.split(',').collect() };
                    table.roots.insert((api_version, kind), root);
                    after
                }
                ["type", _] => {
                    let (inner, after) = inside(after, 1);
                    table.types.push(reader.steps(inner, 1)?);
                    after
                }
                _ => return Err(fail()),
            };
        }
        Ok(table)
    }
}

/// Lines with their numbers.
type Lines = [(usize, &'static str)];

/// The lines at the front that stand at least this deep, and those after them.
fn inside(lines: &Lines, depth: usize) -> (&Lines, &Lines) {
    let deep = |line: &str| line.bytes().take_while(|b| *b == b'\t').count() >= depth;
    lines.split_at(lines.iter().position(|(_, line)| !deep(line)).unwrap_or(lines.len()))
}

struct Reader {
    types: HashMap<&'static str, usize>,
}

impl Reader {
    fn steps(&self, mut rest: &Lines, depth: usize) -> Result<Vec<Step>, ReadError> {
        let mut steps = Vec::new();
        while let Some(((number, line), after)) = rest.split_first() {
            rest = after;
            let words = line.trim_start_matches('\t');
            if let Some(name) = words.strip_prefix("field ") {
                let (inner, after) = inside(after, depth + 1);
                steps.push(Step::Field(name, self.steps(inner, depth + 1)?));
                rest = after;
                continue;
            }
            let (stop, words) = words.strip_prefix("stop ").map_or((false, words), |words| (true, words));
            let (silent, words) = words.strip_prefix("silent ").map_or((false, words), |words| (true, words));
            let rule = self.rule(&words.split(' ').collect::<Vec<_>>());
            let rule = rule.ok_or_else(|| ReadError { line: *number, text: (*line).to_owned() })?;
            steps.push(Step::Check { stop, silent, rule });
        }
        Ok(steps)
    }

    fn rule(&self, words: &[&'static str]) -> Option<Rule> {
        let boxed = |words: &[&'static str]| self.rule(words).map(Box::new);
        Some(match words {
            ["optional", given] => Rule::Optional(shape(given)?),
            ["required", given] => Rule::Required(shape(given)?),
            ["forbidden", given] => Rule::Forbidden(shape(given)?),
            ["immutable"] => Rule::Immutable,
            ["enum", values] => Rule::Enum(values.split(',').collect()),
            ["format", name] => Rule::Format(name),
            ["max-items", max] => Rule::MaxItems(max.parse().ok()?),
            ["max-length", max] => Rule::MaxLength(max.parse().ok()?),
            ["max-bytes", max] => Rule::MaxBytes(max.parse().ok()?),
            ["min", min] => Rule::Min(min.parse().ok()?),
            ["max", max] => Rule::Max(max.parse().ok()?),
            ["unique", by] => Rule::Unique(matching(by)),
            ["each", by, skips, rule @ ..] => Rule::Each { by: matching(by), skips_found: *skips == "found", rule: boxed(rule)? },
            ["each-key", rule @ ..] => Rule::EachKey(boxed(rule)?),
            ["each-value", rule @ ..] => Rule::EachValue(boxed(rule)?),
            ["update", constraints @ ..] => Rule::Update(constraints.to_vec()),
            ["if", option, state, rule @ ..] => Rule::If { option, on: *state == "on", rule: boxed(rule)? },
            ["subfield", name, rule @ ..] => Rule::Subfield(name, boxed(rule)?),
            ["union", members @ ..] => Rule::Union(members.iter().map(|text| member(text)).collect::<Option<_>>()?),
            ["at-most-one", members @ ..] => Rule::AtMostOne(members.iter().map(|text| member(text)).collect::<Option<_>>()?),
            ["discriminated", field, by, otherwise, cases @ ..] => {
                let cases = cases.chunks_exact(2).map(|pair| Some((pair[0], presence(pair[1])?)));
                Rule::Discriminated { field, by, otherwise: presence(otherwise)?, cases: cases.collect::<Option<_>>()? }
            }
            ["type", name] => Rule::Type(*self.types.get(name)?),
            _ => return None,
        })
    }
}

fn shape(word: &str) -> Option<Shape> {
    Some(match word {
        "value" => Shape::Value,
        "pointer" => Shape::Pointer,
        "items" => Shape::Items,
        _ => return None,
    })
}

fn presence(word: &str) -> Option<Presence> {
    Some(match word {
        "-" => Presence::Any,
        "required" => Presence::Required,
        "forbidden" => Presence::Forbidden,
        _ => return None,
    })
}

fn matching(word: &'static str) -> Match {
    match word {
        "-" => Match::Never,
        "=" => Match::Alike,
        keys => Match::Keys(keys.split(',').collect()),
    }
}

/// A member is a field, or `conditions[{"type": "Approved"}]` with its blanks unbreakable.
fn member(word: &str) -> Option<Member> {
    let name = word.replace('\u{a0}', " ");
    let element = match name.split_once('[') {
        Some((_, element)) => Some(serde_json::from_str(element.strip_suffix(']')?).ok()?),
        None => None,
    };
    Some(Member { name, element })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_table_is_read() {
        let table = Table::parse(include_str!("../../data/declarative.txt")).expect("every line is understood");
        assert!(table.root("resource.k8s.io/v1", "ResourceClaim", "status").is_some());
        assert!(table.root("resource.k8s.io/v1", "ResourceClaimTemplate", "status").is_none());
        assert!(table.types.iter().all(|steps| !steps.is_empty()));
    }

    #[test]
    fn a_line_that_is_not_understood_is_named() {
        let error = Table::parse("type a\n\tfield b\n\t\tguess 3\n").expect_err("no such check");
        assert_eq!(error.to_string(), "table of declared rules, line 3: \t\tguess 3");
    }
}
