//! What is wrong with a pattern in Go's words: `error parsing regexp: missing closing ): …`.
//! Follows the grammar of Go's `regexp/syntax` (Perl's dialect of RE2) without building anything from it.

/// Largest count of a repetition, nested ones multiplied.
const REPEAT_MAX: u64 = 1000;
/// Deepest nesting of groups.
const DEPTH_MAX: usize = 1000;

/// The classes that have names.
const POSIX: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word", "xdigit",
];

type Step<'a> = Result<&'a str, String>;

/// The first fault of a pattern; none when Go would compile it.
pub fn fault(pattern: &str) -> Option<String> {
    let mut reader = Reader { whole: pattern, open: Vec::new(), operand: None, names: Vec::new() };
    reader.run().err().map(|words| format!("error parsing regexp: {words}"))
}

fn error<T>(words: &str, part: &str) -> Result<T, String> {
    Err(format!("{words}: `{part}`"))
}

/// What stands between `text` and its rest.
fn upto<'a>(text: &'a str, rest: &str) -> &'a str {
    &text[..text.len() - rest.len()]
}

/// What a repetition would repeat: how often it repeats already.
type Operand = Option<u64>;

struct Reader<'a> {
    whole: &'a str,
    /// Of each open group, the most repetitions seen within.
    open: Vec<u64>,
    operand: Operand,
    names: Vec<&'a str>,
}

impl<'a> Reader<'a> {
    fn run(&mut self) -> Result<(), String> {
        let mut text = self.whole;
        let mut repeated: &str = "";
        let mut inner = 1;
        while let Some(c) = text.chars().next() {
            let mut repeat = "";
            let after = &text[c.len_utf8()..];
            text = match c {
                '(' if after.starts_with('?') => self.flags(text, &mut inner)?,
                '(' => self.enter(after, &mut inner)?,
                '|' => {
                    self.operand = None;
                    after
                }
                ')' => {
                    let Some(outer) = self.open.pop() else { return error("unexpected )", self.whole) };
                    self.operand = Some(inner);
                    inner = inner.max(outer);
                    after
                }
                '[' => {
                    self.operand = Some(1);
                    class(text)?
                }
                '*' | '+' | '?' => {
                    repeat = text;
                    self.repeat(text, after, repeated, 1)?
                }
                '{' => match counts(text) {
                    None => {
                        self.operand = Some(1);
                        after
                    }
                    Some((min, max, after)) => {
                        let most = if max < 0 { min } else { max };
                        if !(0..=REPEAT_MAX as i64).contains(&min) || max > REPEAT_MAX as i64 || (max >= 0 && min > max) {
                            return error("invalid repeat count", upto(text, after));
                        }
                        repeat = text;
                        let rest = self.repeat(text, after, repeated, most.unsigned_abs().max(1))?;
                        inner = inner.max(self.operand.unwrap_or(1));
                        rest
                    }
                },
                '\\' => {
                    self.operand = Some(1);
                    escape(text)?
                }
                _ => {
                    self.operand = Some(1);
                    after
                }
            };
            repeated = repeat;
        }
        if self.open.is_empty() { Ok(()) } else { error("missing closing )", self.whole) }
    }

    fn enter(&mut self, after: &'a str, inner: &mut u64) -> Step<'a> {
        if self.open.len() >= DEPTH_MAX {
            return error("expression nests too deeply", self.whole);
        }
        self.open.push(std::mem::replace(inner, 1));
        self.operand = None;
        Ok(after)
    }

    fn repeat(&mut self, before: &'a str, after: &'a str, last: &str, times: u64) -> Step<'a> {
        let after = after.strip_prefix('?').unwrap_or(after);
        if !last.is_empty() {
            return error("invalid nested repetition operator", upto(last, after));
        }
        let Some(inner) = self.operand else {
            return error("missing argument to repetition operator", upto(before, after));
        };
        if times > 1 && inner * times > REPEAT_MAX {
            return error("invalid repeat count", upto(before, after));
        }
        self.operand = Some(inner * times);
        Ok(after)
    }

    /// What follows `(?`.
    fn flags(&mut self, text: &'a str, inner: &mut u64) -> Step<'a> {
        let named = [("(?P<", 5), ("(?<", 4)].into_iter().find(|(start, min)| text.len() >= *min && text.starts_with(start));
        if let Some((start, _)) = named {
            let Some(end) = text.find('>') else { return error("invalid named capture", text) };
            let name = &text[start.len()..end];
            if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
                return error("invalid named capture", &text[..=end]);
            }
            if self.names.contains(&name) {
                return error("duplicate capture group name", name);
            }
            self.names.push(name);
            return self.enter(&text[end + 1..], inner);
        }
        let (mut negated, mut flag) = (false, false);
        let mut rest = &text[2..];
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            match c {
                'i' | 'm' | 's' | 'U' => flag = true,
                '-' if !negated => (negated, flag) = (true, false),
                ':' | ')' if negated && !flag => break,
                ':' => return self.enter(rest, inner),
                ')' => return Ok(rest),
                _ => break,
            }
        }
        error("invalid or unsupported Perl syntax", upto(text, rest))
    }
}

/// Whether a brace begins a repetition.
pub(super) fn is_repetition(text: &str) -> bool {
    counts(text).is_some()
}

/// `{2}`, `{2,}`, `{2,3}`: least, most (-1 for no limit, and numbers too large), and what follows; none when it is no repetition.
fn counts(text: &str) -> Option<(i64, i64, &str)> {
    let (min, rest) = integer(&text[1..])?;
    let (min, max, rest) = match rest.strip_prefix(',') {
        None => (min, min, rest),
        Some(rest) if rest.starts_with('}') => (min, -1, rest),
        Some(rest) => {
            let (max, rest) = integer(rest)?;
            (if max < 0 { -1 } else { min }, max, rest)
        }
    };
    Some((min, max, rest.strip_prefix('}')?))
}

fn integer(text: &str) -> Option<(i64, &str)> {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = upto(text, rest);
    if digits.is_empty() || (digits.len() > 1 && digits.starts_with('0')) {
        return None;
    }
    Some((digits.parse().ok().filter(|n| *n < 100_000_000).unwrap_or(-1), rest))
}

/// An escape outside of a class.
fn escape(text: &str) -> Step<'_> {
    let after = &text[1..];
    match after.bytes().next() {
        Some(b'A' | b'b' | b'B' | b'z' | b'd' | b's' | b'w' | b'D' | b'S' | b'W') => Ok(&after[1..]),
        Some(b'C') => error("invalid escape sequence", &text[..2]),
        Some(b'Q') => Ok(after.find(r"\E").map_or("", |end| &after[end + 2..])),
        Some(b'p' | b'P') if after.len() > 1 => unicode(text),
        _ => character(text).map(|(_, rest)| rest),
    }
}

/// `\pL`, `\p{Greek}`.
fn unicode(text: &str) -> Step<'_> {
    let inner = &text[2..];
    let rest = match inner.strip_prefix('{') {
        Some(_) => match text.find('}') {
            Some(end) => &text[end + 1..],
            None => return error("invalid character class range", text),
        },
        None => &inner[inner.chars().next().map_or(0, char::len_utf8)..],
    };
    let sequence = upto(text, rest);
    if regex::Regex::new(sequence).is_ok() { Ok(rest) } else { error("invalid character class range", sequence) }
}

/// One escaped character and what follows.
fn character(text: &str) -> Result<(char, &str), String> {
    let mut chars = text[1..].chars();
    let Some(c) = chars.next() else { return error("trailing backslash at end of expression", "") };
    let rest = chars.as_str();
    let octal = |c: char| c.is_digit(8);
    match c {
        '0'..='7' if c == '0' || rest.starts_with(octal) => {
            let digits: String = text[1..].chars().take(3).take_while(|c| octal(*c)).collect();
            let code = u32::from_str_radix(&digits, 8).ok().and_then(char::from_u32).unwrap_or('\0');
            Ok((code, &text[1 + digits.len()..]))
        }
        'x' => hexadecimal(text, rest),
        'a' => Ok(('\u{7}', rest)),
        'f' => Ok(('\u{c}', rest)),
        'n' => Ok(('\n', rest)),
        'r' => Ok(('\r', rest)),
        't' => Ok(('\t', rest)),
        'v' => Ok(('\u{b}', rest)),
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => Ok((c, rest)),
        _ => error("invalid escape sequence", upto(text, rest)),
    }
}

fn hexadecimal<'a>(text: &'a str, rest: &'a str) -> Result<(char, &'a str), String> {
    let (digits, after) = match rest.strip_prefix('{') {
        Some(inner) => {
            let end = inner.trim_start_matches(|c: char| c.is_ascii_hexdigit());
            match end.strip_prefix('}') {
                Some(after) => (upto(inner, end), after),
                None => {
                    let past = end.chars().next().map_or(0, char::len_utf8);
                    return error("invalid escape sequence", upto(text, &end[past..]));
                }
            }
        }
        None => {
            let end = rest.char_indices().nth(2).map_or(rest.len(), |(end, _)| end);
            rest.split_at(end)
        }
    };
    let code = u32::from_str_radix(digits, 16).ok().filter(|_| rest.starts_with('{') || digits.len() == 2);
    match code.and_then(char::from_u32) {
        Some(c) => Ok((c, after)),
        None => error("invalid escape sequence", upto(text, after)),
    }
}

/// A class from its bracket on; what follows it.
fn class(whole: &str) -> Step<'_> {
    let mut text = &whole[1..];
    text = text.strip_prefix('^').unwrap_or(text);
    let mut first = true;
    while first || !text.starts_with(']') {
        first = false;
        if text.len() > 2
            && text.starts_with("[:")
            && let Some(end) = text[2..].find(":]")
        {
            let name = &text[..end + 4];
            let plain = text[2..end + 2].trim_start_matches('^');
            if !POSIX.contains(&plain) {
                return error("invalid character class range", name);
            }
            text = &text[end + 4..];
            continue;
        }
        if let Some(after) = text.strip_prefix('\\') {
            match after.bytes().next() {
                Some(b'p' | b'P') => {
                    text = unicode(text)?;
                    continue;
                }
                Some(b'd' | b's' | b'w' | b'D' | b'S' | b'W') => {
                    text = &after[1..];
                    continue;
                }
                _ => {}
            }
        }
        let range = text;
        let (low, rest) = member(text, whole)?;
        text = rest;
        if text.len() >= 2 && text.starts_with('-') && !text[1..].starts_with(']') {
            let (high, rest) = member(&text[1..], whole)?;
            text = rest;
            if high < low {
                return error("invalid character class range", upto(range, text));
            }
        }
    }
    Ok(&text[1..])
}

fn member<'a>(text: &'a str, whole: &str) -> Result<(char, &'a str), String> {
    match text.chars().next() {
        None => error("missing closing ]", whole),
        Some('\\') => character(text),
        Some(c) => Ok((c, &text[c.len_utf8()..])),
    }
}

#[cfg(test)]
mod tests {
    use super::fault;

    #[test]
    fn faults_are_worded_as_gos() {
        for (pattern, words) in [
            ("a(", "missing closing ): `a(`"),
            ("a)", "unexpected ): `a)`"),
            ("a**", "invalid nested repetition operator: `**`"),
            ("*", "missing argument to repetition operator: `*`"),
            ("(*", "missing argument to repetition operator: `*`"),
            ("|+?", "missing argument to repetition operator: `+?`"),
            ("a{1001}", "invalid repeat count: `{1001}`"),
            ("a{2,1}", "invalid repeat count: `{2,1}`"),
            ("[a", "missing closing ]: `[a`"),
            ("x[z-a]", "invalid character class range: `z-a`"),
            ("[[:foo:]]", "invalid character class range: `[:foo:]`"),
            (r"\pX", r"invalid character class range: `\pX`"),
            (r"\8", r"invalid escape sequence: `\8`"),
            (r"\", "trailing backslash at end of expression: ``"),
            ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
            ("(?P<n", "invalid named capture: `(?P<n`"),
            ("(?P<a-b>x)", "invalid named capture: `(?P<a-b>`"),
        ] {
            assert_eq!(fault(pattern), Some(format!("error parsing regexp: {words}")), "{pattern}");
        }
        for pattern in ["", "a{", "a{,2}", "[]a]", "(?i:a)|b", r"\Qa(", r"\x{1F600}\n", "(?i)a*", "((a{10}){10}){10}", "a{2}?"] {
            assert_eq!(fault(pattern), None, "{pattern}");
        }
        assert_eq!(fault("((a{100}){10}){10}").as_deref(), Some("error parsing regexp: invalid repeat count: `{10}`"));
    }
}
