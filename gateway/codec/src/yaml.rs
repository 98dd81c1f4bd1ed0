//! Reads YAML as upstream does for request bodies: YAML 1.1 words (`on`, `yes`, `0777`), merge keys, anchors with a
//! budget, the first document only; and finds duplicate keys. Follows `sigs.k8s.io/yaml` over `yaml/v2`.
//! The grammar is `granit-parser`'s. Printing is in `print.rs`.

use std::collections::{HashMap, HashSet};

use granit_parser::{Event, Parser, ScalarStyle, Span};
use model::json::{Map, Value};

use crate::go_json;
use crate::json::{DEPTH_MAX, Parsed};

mod print;
mod resolve;
#[cfg(test)]
mod tests;

pub use print::{print, print_node};
use resolve::Scalar;

/// Text that aliases may add up to. Upstream bounds only their number; a few aliases of a long text are as bad.
const EXPANDED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Why a text is no YAML, or no YAML that JSON can say; the display is upstream's, or close where the grammar differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(String);

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

fn fail<T>(why: impl std::fmt::Display) -> Result<T, Error> {
    Err(Error(format!("yaml: {why}")))
}

/// Reads the first document; keys come out sorted, as upstream goes through a sorted JSON text.
/// `duplicates` holds at most one message, which lists every duplicate key with its line.
pub fn parse(bytes: &[u8]) -> Result<Parsed, Error> {
    let text = std::str::from_utf8(bytes).or_else(|_| fail("invalid leading UTF-8 octet"))?;
    let tree = Tree::read(text)?;
    let Some(root) = tree.root else { return Ok(Parsed::default()) };
    let mut walk = Walk { tree: &tree, within: HashSet::new(), nodes: 0, aliased: 0, bytes: 0, duplicates: Vec::new() };
    let value = walk.value(root, 0)?;
    let duplicates = match walk.duplicates.as_slice() {
        [] => Vec::new(),
        lines => vec![format!("yaml: unmarshal errors:\n{}", lines.join("\n"))],
    };
    Ok(Parsed { value, duplicates })
}

/// Prints encoded JSON as YAML.
pub fn from_json(bytes: &[u8]) -> Result<String, crate::json::Error> {
    Ok(print(&crate::json::parse(bytes)?.value))
}

enum Kind {
    Scalar { text: String, plain: bool, tag: Option<String> },
    List(Vec<usize>),
    Map(Vec<(usize, usize)>),
    Alias { anchor: usize, name: String },
}

struct Node {
    kind: Kind,
    line: usize,
}

/// A document as nodes that name each other by index.
struct Tree {
    nodes: Vec<Node>,
    anchors: HashMap<usize, usize>,
    root: Option<usize>,
}

type Events<'a> = dyn Iterator<Item = Result<(Event<'a>, Span), granit_parser::ScanError>> + 'a;

impl Tree {
    fn read(text: &str) -> Result<Self, Error> {
        let options = granit_parser::options! {
            emit_unresolved_aliases: true,
            flow_nesting_limit: DEPTH_MAX,
            block_nesting_limit: DEPTH_MAX,
        };
        let mut events = Parser::new_from_str_with_options(text, options);
        let mut tree = Self { nodes: Vec::new(), anchors: HashMap::new(), root: None };
        while let Some((event, span)) = next(&mut events, text)? {
            match event {
                Event::StreamStart | Event::DocumentStart(..) => {}
                Event::DocumentEnd | Event::StreamEnd => break,
                event => tree.root = tree.node(event, &span, &mut Source { text, events: &mut events })?,
            }
        }
        Ok(tree)
    }

    fn push(&mut self, kind: Kind, anchor: usize, span: &Span) -> usize {
        self.nodes.push(Node { kind, line: span.start.line() });
        let at = self.nodes.len() - 1;
        // Anchors count from 1.
        if anchor > 0 {
            self.anchors.insert(anchor, at);
        }
        at
    }

    /// Reads the node that begins with an event; `None` when the event ends a collection instead.
    fn node<'a>(&mut self, event: Event<'a>, span: &Span, source: &mut Source<'_, 'a>) -> Result<Option<usize>, Error> {
        Ok(Some(match event {
            Event::Alias(anchor) => {
                let name = span.slice(source.text).unwrap_or("").trim_start_matches('*').to_owned();
                self.push(Kind::Alias { anchor, name }, 0, span)
            }
            Event::UnresolvedAlias(name) => return fail(format!("unknown anchor '{name}' referenced")),
            Event::Scalar(text, style, anchor, tag) => {
                let tag = tag.map(|t| t.core_suffix().map_or_else(|| t.original(), |core| format!("!!{core}")));
                let plain = style == ScalarStyle::Plain;
                self.push(Kind::Scalar { text: text.into_owned(), plain, tag }, anchor, span)
            }
            Event::SequenceStart(_, anchor, _) => {
                let at = self.push(Kind::List(Vec::new()), anchor, span);
                let mut items = Vec::new();
                while let Some(item) = self.child(source)? {
                    items.push(item);
                }
                self.nodes[at].kind = Kind::List(items);
                at
            }
            Event::MappingStart(_, anchor, _) => {
                let at = self.push(Kind::Map(Vec::new()), anchor, span);
                let mut pairs = Vec::new();
                while let Some(key) = self.child(source)? {
                    let Some(value) = self.child(source)? else { break };
                    pairs.push((key, value));
                }
                self.nodes[at].kind = Kind::Map(pairs);
                at
            }
            _ => return Ok(None),
        }))
    }

    fn child<'a>(&mut self, source: &mut Source<'_, 'a>) -> Result<Option<usize>, Error> {
        match next(source.events, source.text)? {
            Some((event, span)) => self.node(event, &span, source),
            None => Ok(None),
        }
    }
}

/// The text and what is yet to be read of it.
struct Source<'b, 'a> {
    text: &'a str,
    events: &'b mut Events<'a>,
}

fn next<'a>(events: &mut Events<'a>, text: &str) -> Result<Option<(Event<'a>, Span)>, Error> {
    match events.next().transpose() {
        Ok(event) => Ok(event),
        Err(error) if matches!(error.kind(), granit_parser::ErrorKind::RecursionLimitExceeded) => {
            fail(format!("exceeded max depth of {DEPTH_MAX}"))
        }
        Err(error) if error.info().starts_with("unclosed bracket") => {
            // Upstream counts lines from 0, and begins a new one where a text ends within one.
            let line = text.matches('\n').count() + usize::from(!text.ends_with('\n'));
            fail(format!("line {line}: {}", unclosed(text)))
        }
        Err(error) => {
            let (message, is_grammar) = upstreams_words(&error.info());
            // Upstream counts lines from 0 in errors of the grammar, and leaves line 0 out in all of them.
            let late = usize::from(message.starts_with("could not find"));
            let line = late + error.marker().line().min(text.lines().count().max(1));
            match if is_grammar { line - 1 } else { line } {
                0 => fail(message),
                1 if !is_grammar => fail(message),
                line => fail(format!("line {line}: {message}")),
            }
        }
    }
}

/// What upstream's parser misses where a text ends within brackets: an element, or what follows one.
fn unclosed(text: &str) -> &'static str {
    let (mut open, mut quoted) = (Vec::new(), None);
    for c in text.chars() {
        match (quoted, c) {
            (Some(quote), c) if c == quote => quoted = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quoted = Some(c),
            (None, '[' | '{') => open.push(c),
            (None, ']' | '}') => drop(open.pop()),
            _ => {}
        }
    }
    match (text.trim_end().chars().last(), open.last()) {
        (Some('[' | '{' | ',' | ':'), _) => "did not find expected node content",
        (_, Some('{')) => "did not find expected ',' or '}'",
        _ => "did not find expected ',' or ']'",
    }
}

/// What upstream's parser calls the same fault, and whether it is one of the grammar rather than of a token.
fn upstreams_words(info: &str) -> (String, bool) {
    const NO_TOKEN: &str = "found character that cannot start any token";
    match info {
        _ if info.starts_with("unclosed quote") => ("found unexpected end of stream".to_owned(), false),
        _ if info.starts_with("misplaced bracket") => ("did not find expected node content".to_owned(), true),
        _ if info.starts_with("simple key expected") => ("could not find expected ':'".to_owned(), false),
        _ if info.starts_with("unexpected character") || info.starts_with("tabs disallowed") => (NO_TOKEN.to_owned(), false),
        _ => match info.split_once(", ") {
            Some((context, problem)) if context.starts_with("while parsing") => (problem.to_owned(), true),
            _ => (info.to_owned(), false),
        },
    }
}

struct Walk<'a> {
    tree: &'a Tree,
    /// The aliases that the walk is inside of.
    within: HashSet<usize>,
    nodes: usize,
    aliased: usize,
    bytes: usize,
    duplicates: Vec<String>,
}

impl Walk<'_> {
    fn value(&mut self, at: usize, depth: usize) -> Result<Value, Error> {
        self.spend(at)?;
        if depth > DEPTH_MAX {
            return fail(format!("exceeded max depth of {DEPTH_MAX}"));
        }
        let tree = self.tree;
        match &tree.nodes[at].kind {
            Kind::Scalar { .. } => match self.scalar(at)? {
                Scalar::Null => Ok(Value::Null),
                Scalar::Bool(is) => Ok(is.into()),
                Scalar::Int(int) => Ok(int.into()),
                Scalar::Unsigned(int) => Ok(int.into()),
                Scalar::Float(float) => number(float),
                Scalar::Text(text) => Ok(text.into()),
            },
            Kind::List(items) => {
                items.iter().map(|item| self.value(*item, depth + 1)).collect::<Result<_, _>>().map(Value::Array)
            }
            Kind::Map(pairs) => {
                let mut map = Map::new();
                self.fill(pairs, &mut map, depth)?;
                map.sort_keys();
                Ok(Value::Object(map))
            }
            Kind::Alias { anchor, name } => {
                if !self.within.insert(at) {
                    return fail(format!("anchor '{name}' value contains itself"));
                }
                let target = tree.anchors.get(anchor).copied();
                let value =
                    target.map_or(fail(format!("unknown anchor '{name}' referenced")), |target| self.value(target, depth + 1));
                self.within.remove(&at);
                value
            }
        }
    }

    /// Upstream's guard against documents that are mostly aliases.
    fn spend(&mut self, at: usize) -> Result<(), Error> {
        self.nodes += 1;
        if let (Kind::Scalar { text, .. }, false) = (&self.tree.nodes[at].kind, self.within.is_empty()) {
            self.bytes += text.len();
        }
        self.aliased += usize::from(!self.within.is_empty());
        let ratio = self.aliased as f64 / self.nodes as f64;
        if self.bytes > EXPANDED_BYTES_MAX || self.aliased > 100 && self.nodes > 1000 && ratio > allowed_alias_ratio(self.nodes) {
            return fail("document contains excessive aliasing");
        }
        Ok(())
    }

    fn scalar(&self, at: usize) -> Result<Scalar, Error> {
        match &self.tree.nodes[at].kind {
            Kind::Scalar { text, plain, tag } => resolve::scalar(text, *plain, tag.as_deref()).or_else(fail),
            _ => fail("invalid map key"),
        }
    }

    fn fill(&mut self, pairs: &[(usize, usize)], map: &mut Map, depth: usize) -> Result<(), Error> {
        for &(key, value) in pairs {
            if self.is_merge(key) {
                self.merge(value, map, depth)?;
                continue;
            }
            let name = self.key(key)?;
            let line = self.tree.nodes[value].line;
            let value = self.value(value, depth + 1)?;
            if map.contains_key(&name.text) {
                self.duplicates.push(format!("  line {line}: key {} already set in map", name.go));
            }
            map.insert(name.text, value);
        }
        Ok(())
    }

    fn is_merge(&self, at: usize) -> bool {
        matches!(&self.tree.nodes[at].kind, Kind::Scalar { text, plain: true, .. } if text == "<<")
    }

    /// `<<`: the keys of a map, or of several of which earlier ones win.
    fn merge(&mut self, at: usize, map: &mut Map, depth: usize) -> Result<(), Error> {
        if depth > DEPTH_MAX {
            return fail(format!("exceeded max depth of {DEPTH_MAX}"));
        }
        let tree = self.tree;
        match &tree.nodes[at].kind {
            Kind::List(items) => {
                for item in items.iter().rev() {
                    self.merge_one(*item, map, depth + 1)?;
                }
                Ok(())
            }
            _ => self.merge_one(at, map, depth),
        }
    }

    fn merge_one(&mut self, at: usize, map: &mut Map, depth: usize) -> Result<(), Error> {
        const WRONG: &str = "map merge requires map or sequence of maps as the value";
        self.spend(at)?;
        let tree = self.tree;
        match &tree.nodes[at].kind {
            Kind::Map(pairs) => self.fill(pairs, map, depth + 1),
            Kind::Alias { anchor, name } => {
                let Some(Node { kind: Kind::Map(pairs), .. }) = tree.anchors.get(anchor).map(|target| &tree.nodes[*target])
                else {
                    return fail(WRONG);
                };
                if !self.within.insert(at) {
                    return fail(format!("anchor '{name}' value contains itself"));
                }
                let outcome = self.fill(pairs, map, depth + 1);
                self.within.remove(&at);
                outcome
            }
            _ => fail(WRONG),
        }
    }

    fn key(&mut self, at: usize) -> Result<Key, Error> {
        self.spend(at)?;
        let at = match &self.tree.nodes[at].kind {
            Kind::Alias { anchor, .. } => self.tree.anchors.get(anchor).copied().unwrap_or(at),
            _ => at,
        };
        let plain = |text: String| Key { go: text.clone(), text };
        Ok(match self.scalar(at)? {
            Scalar::Text(text) => Key { go: model::field::quote(&text), text },
            Scalar::Int(int) => plain(int.to_string()),
            Scalar::Unsigned(int) => return Err(Error(format!("unsupported map key of type: uint64, key: {int:#x}"))),
            Scalar::Float(float) => plain(match float {
                _ if float.is_nan() => ".nan".to_owned(),
                _ if float.is_infinite() => if float > 0.0 { ".inf" } else { "-.inf" }.to_owned(),
                _ => go_json::general(float),
            }),
            Scalar::Bool(is) => plain(is.to_string()),
            Scalar::Null => return Err(Error("unsupported map key of type: %!s(<nil>), key: <nil>".to_owned())),
        })
    }
}

/// A key as JSON spells it, and as Go prints it in messages.
struct Key {
    text: String,
    go: String,
}

/// A float as it comes back from the JSON that upstream makes of it: whole ones become integers.
fn number(float: f64) -> Result<Value, Error> {
    let mut text = Vec::new();
    match float {
        _ if float.is_nan() => Err(Error("json: unsupported value: NaN".to_owned())),
        _ if float.is_infinite() => Err(Error(format!("json: unsupported value: {}Inf", if float > 0.0 { '+' } else { '-' }))),
        _ => {
            go_json::write_float(float, &mut text);
            crate::json::parse(&text).map(|p| p.value).or_else(fail)
        }
    }
}

/// The share of a document that may come from aliases: much in small ones, little in large ones.
fn allowed_alias_ratio(nodes: usize) -> f64 {
    const LOW: f64 = 400_000.0;
    const HIGH: f64 = 4_000_000.0;
    0.99 - 0.89 * ((nodes as f64 - LOW) / (HIGH - LOW)).clamp(0.0, 1.0)
}
