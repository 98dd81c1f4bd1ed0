//! Prints values as `sigs.k8s.io/yaml` does: block style, sorted keys, the quotes and line breaks of `yaml/v2`'s emitter; or
//! as `yaml/v3` prints nodes. Reads nothing.

use model::json::{Map, Value};

use super::resolve::needs_quotes;
use crate::go_json::{general, write_int};

/// The column behind which the emitter breaks a text at its next space.
const WIDTH: usize = 80;
/// The longest key that is written without `? `.
const SIMPLE_KEY_BYTES_MAX: usize = 128;

/// Prints a value, with a line break at its end.
pub fn print(value: &Value) -> String {
    whole(value, Dialect::Sorted)
}

/// Prints a value as `yaml/v3` prints a node at its defaults: keys as they come, four spaces, no line broken at spaces.
pub fn print_node(value: &Value) -> String {
    whole(value, Dialect::Node)
}

/// Whose habits are followed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    /// `sigs.k8s.io/yaml` on `yaml/v2`.
    Sorted,
    /// Nodes of `yaml/v3`.
    Node,
}

impl Dialect {
    /// The indentation of what lies below a key.
    fn below(self, indent: usize) -> usize {
        match self {
            Self::Sorted => indent + 2,
            // Aligned to fours, wherever the items of lists have put the key.
            Self::Node => 4 * (indent / 4 + 1),
        }
    }

    fn list_below(self, indent: usize) -> usize {
        match self {
            Self::Sorted => indent,
            Self::Node => self.below(indent),
        }
    }

    fn indent_hint(self) -> &'static str {
        match self {
            Self::Sorted => "2",
            Self::Node => "4",
        }
    }

    fn width(self) -> usize {
        match self {
            Self::Sorted => WIDTH,
            Self::Node => usize::MAX,
        }
    }
}

fn whole(value: &Value, dialect: Dialect) -> String {
    let mut printer = Printer { out: String::new(), column: 0, dialect };
    match value {
        Value::Object(map) if !map.is_empty() => printer.map(map, 0, First::Here),
        Value::Array(items) if !items.is_empty() => printer.list(items, 0, First::Here),
        value => printer.leaf(value, dialect.below(0), false),
    }
    if !printer.out.ends_with('\n') {
        printer.out.push('\n');
    }
    printer.out
}

/// Where the first entry of a map or list goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum First {
    /// On the current line, behind an indicator.
    Here,
    /// On a line of its own.
    Below,
}

struct Printer {
    out: String,
    column: usize,
    dialect: Dialect,
}

impl Printer {
    fn put(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += text.chars().count();
    }

    fn new_line(&mut self, indent: usize) {
        if !self.out.is_empty() && !self.out.ends_with('\n') {
            self.out.push('\n');
        }
        self.out.extend(std::iter::repeat_n(' ', indent));
        self.column = indent;
    }

    fn map(&mut self, map: &Map, indent: usize, first: First) {
        let mut entries: Vec<(&model::json::Key, &Value)> = map.iter().collect();
        if self.dialect == Dialect::Sorted {
            entries.sort_by(|a, b| natural_order(a.0, b.0));
        }
        for (i, (key, value)) in entries.into_iter().enumerate() {
            if i > 0 || first == First::Below {
                self.new_line(indent);
            }
            let simple = !key.contains(is_break) && key.len() <= SIMPLE_KEY_BYTES_MAX;
            if simple {
                self.text(key, indent, true);
                self.put(":");
                self.below(value, indent);
            } else {
                self.put("? ");
                self.text(key, indent + 2, false);
                self.new_line(indent);
                self.put(": ");
                self.beside(value, indent);
            }
        }
    }

    /// The value after `key:`.
    fn below(&mut self, value: &Value, indent: usize) {
        match value {
            Value::Object(map) if !map.is_empty() => self.map(map, self.dialect.below(indent), First::Below),
            Value::Array(items) if !items.is_empty() => self.list(items, self.dialect.list_below(indent), First::Below),
            value => {
                self.put(" ");
                self.leaf(value, self.dialect.below(indent), false);
            }
        }
    }

    /// A value that begins on the current line, behind `- ` or `: `.
    fn beside(&mut self, value: &Value, indent: usize) {
        match value {
            Value::Object(map) if !map.is_empty() => self.map(map, indent + 2, First::Here),
            Value::Array(items) if !items.is_empty() => self.list(items, indent + 2, First::Here),
            value => self.leaf(value, indent + 2, false),
        }
    }

    fn list(&mut self, items: &[Value], indent: usize, first: First) {
        for (i, item) in items.iter().enumerate() {
            if i > 0 || first == First::Below {
                self.new_line(indent);
            }
            self.put("- ");
            self.beside(item, indent);
        }
    }

    fn leaf(&mut self, value: &Value, indent: usize, is_key: bool) {
        match value {
            Value::Null => self.put("null"),
            Value::Bool(is) => self.put(if *is { "true" } else { "false" }),
            Value::Number(number) => match number.as_i64() {
                Some(int) => {
                    let mut text = Vec::new();
                    write_int(int, &mut text);
                    self.put(&String::from_utf8_lossy(&text));
                }
                None if number.is_u64() => self.put(&number.to_string()),
                None => self.put(&float(number.as_f64().unwrap_or(0.0))),
            },
            Value::String(text) => self.text(text, indent, is_key),
            Value::Array(_) => self.put("[]"),
            Value::Object(_) => self.put("{}"),
        }
    }

    fn text(&mut self, text: &str, indent: usize, is_key: bool) {
        let facts = Facts::of(text);
        let wanted = if text.contains('\n') {
            Style::Literal
        } else if needs_quotes(text) && !(self.dialect == Dialect::Node && is_old_bool(text)) {
            Style::Double
        } else {
            Style::Plain
        };
        match wanted {
            Style::Literal if facts.block_allowed && !is_key => self.literal(text, indent),
            Style::Plain if facts.plain_allowed => self.plain(text, indent, is_key),
            Style::Plain if facts.single_allowed => self.single(text, indent, is_key),
            _ => self.double(text, indent, is_key),
        }
    }

    fn plain(&mut self, text: &str, indent: usize, is_key: bool) {
        self.folded(text, indent, is_key, 0, |printer, c| printer.put(c.encode_utf8(&mut [0; 4])));
    }

    fn single(&mut self, text: &str, indent: usize, is_key: bool) {
        self.put("'");
        self.folded(text, indent, is_key, 1, |printer, c| match c {
            '\'' => printer.put("''"),
            c => printer.put(c.encode_utf8(&mut [0; 4])),
        });
        self.put("'");
    }

    /// Writes characters; a single space behind [`WIDTH`] becomes a line break. `edge` keeps that many characters at either
    /// end from being broken at.
    fn folded(&mut self, text: &str, indent: usize, is_key: bool, edge: usize, mut write: impl FnMut(&mut Self, char)) {
        let mut after_space = false;
        let mut chars = text.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            let next_is_space = chars.peek().is_some_and(|(_, c)| *c == ' ');
            let inside = at >= edge && at + edge < text.len();
            if c == ' ' && !is_key && !after_space && self.column > self.dialect.width() && !next_is_space && inside {
                self.new_line(indent);
            } else {
                write(self, c);
            }
            after_space = c == ' ';
        }
    }

    fn double(&mut self, text: &str, indent: usize, is_key: bool) {
        self.put("\"");
        let mut after_space = false;
        let mut chars = text.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            let next_is_space = chars.peek().is_some_and(|(_, c)| *c == ' ');
            if c == ' ' && !is_key && !after_space && self.column > self.dialect.width() && at > 0 && at + 1 < text.len() {
                self.new_line(indent);
                if next_is_space {
                    self.put("\\");
                }
            } else if is_printable(c) && !is_break(c) && !matches!(c, '"' | '\\') {
                self.put(c.encode_utf8(&mut [0; 4]));
            } else {
                self.put(&escape(c));
            }
            after_space = c == ' ';
        }
        self.put("\"");
    }

    fn literal(&mut self, text: &str, indent: usize) {
        self.put("|");
        if text.starts_with([' ', '\n', '\r']) {
            self.put(self.dialect.indent_hint());
        }
        if !text.ends_with('\n') {
            self.put("-");
        } else if text == "\n" || text.ends_with("\n\n") {
            self.put("+");
        }
        self.out.push('\n');
        for line in text.split_inclusive('\n') {
            if line != "\n" {
                self.out.extend(std::iter::repeat_n(' ', indent));
            }
            self.out.push_str(line);
        }
        self.column = 0;
    }
}

enum Style {
    Plain,
    Double,
    Literal,
}

/// What the emitter's analysis permits.
struct Facts {
    plain_allowed: bool,
    single_allowed: bool,
    block_allowed: bool,
}

impl Facts {
    fn of(text: &str) -> Self {
        if text.is_empty() {
            return Self { plain_allowed: true, single_allowed: true, block_allowed: false };
        }
        let ends = |c: fn(char) -> bool| text.starts_with(c) || text.ends_with(c);
        let chars: Vec<char> = text.chars().collect();
        let pair = |first: fn(char) -> bool, second: fn(char) -> bool| chars.windows(2).any(|w| first(w[0]) && second(w[1]));
        let space = |c: char| c == ' ';
        let special = chars.iter().any(|c| !is_printable(*c));
        let line_breaks = chars.iter().any(|c| is_break(*c));
        let (break_space, space_break) = (pair(is_break, space), pair(space, is_break));
        Self {
            plain_allowed: !has_indicators(&chars) && !ends(space) && !line_breaks && !special,
            single_allowed: !break_space && !space_break && !special,
            block_allowed: !text.ends_with(' ') && !space_break && !special,
        }
    }
}

/// What newer YAML takes for text.
fn is_old_bool(text: &str) -> bool {
    matches!(text.to_ascii_lowercase().as_str(), "y" | "n" | "yes" | "no" | "on" | "off")
}

/// Whether a text in a block could be taken for structure.
fn has_indicators(chars: &[char]) -> bool {
    let blank = |at: usize| chars.get(at).is_none_or(|c| matches!(c, ' ' | '\t'));
    let first = match chars[0] {
        '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`' => true,
        '?' | ':' | '-' => blank(1),
        _ => false,
    };
    let marker = matches!(chars, ['-', '-', '-', ..] | ['.', '.', '.', ..]);
    let later = chars.iter().enumerate().skip(1).any(|(at, c)| match c {
        ':' => blank(at + 1),
        '#' => matches!(chars[at - 1], ' ' | '\t' | '\n' | '\r'),
        _ => false,
    });
    first || marker || later
}

fn is_break(c: char) -> bool {
    matches!(c, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}')
}

fn escape(c: char) -> String {
    match c {
        '\0' => "\\0".to_owned(),
        '\u{7}' => "\\a".to_owned(),
        '\u{8}' => "\\b".to_owned(),
        '\t' => "\\t".to_owned(),
        '\n' => "\\n".to_owned(),
        '\u{b}' => "\\v".to_owned(),
        '\u{c}' => "\\f".to_owned(),
        '\r' => "\\r".to_owned(),
        '\u{1b}' => "\\e".to_owned(),
        '"' | '\\' => format!("\\{c}"),
        '\u{85}' => "\\N".to_owned(),
        '\u{2028}' => "\\L".to_owned(),
        '\u{2029}' => "\\P".to_owned(),
        c if (c as u32) <= 0xff => format!("\\x{:02X}", c as u32),
        c if (c as u32) <= 0xffff => format!("\\u{:04X}", c as u32),
        c => format!("\\U{:08X}", c as u32),
    }
}

/// Whole floats were integers before upstream printed them.
fn float(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1.8e19 { format!("{value:.0}") } else { general(value) }
}

/// Keys in upstream's order: letters after everything else, numbers within by value.
fn natural_order(a: &str, b: &str) -> std::cmp::Ordering {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let Some(i) = a.iter().zip(&b).position(|(x, y)| x != y) else { return a.len().cmp(&b.len()) };
    match (a[i].is_alphabetic(), b[i].is_alphabetic()) {
        (true, true) => return a[i].cmp(&b[i]),
        (true, false) => return std::cmp::Ordering::Greater,
        (false, true) => return std::cmp::Ordering::Less,
        (false, false) => {}
    }
    let inside_number = (a[i] == '0' || b[i] == '0') && a[..i].iter().rev().take_while(|c| c.is_ascii_digit()).any(|c| *c != '0');
    let number = |chars: &[char]| {
        let digits = chars[i..].iter().take_while(|c| c.is_ascii_digit());
        let start = i64::from(inside_number);
        digits.fold((start, 0), |(n, count): (i64, usize), c| {
            (n.wrapping_mul(10).wrapping_add(i64::from(*c as u32 - 48)), count + 1)
        })
    };
    number(&a).cmp(&number(&b)).then_with(|| a[i].cmp(&b[i]))
}
