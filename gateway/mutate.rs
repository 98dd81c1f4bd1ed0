//! Damages texts and messages: changes, cuts, repeats and splices, from a fixed beginning. Knows no format; the words that
//! formats give a meaning are listed. Crates take it into their tests by its path; it belongs to none of them.

#![allow(dead_code, reason = "each test uses its part")]

use std::panic::{AssertUnwindSafe, catch_unwind};

use model::json::Value;

/// Pieces that parsers treat in a way of their own.
const WORDS: &[&[u8]] = &[
    b"null",
    b"true",
    b"-",
    b"0",
    b"-0",
    b"1e999",
    b"1e-999",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"18446744073709551616",
    b"0.1",
    b"\"\"",
    b"[]",
    b"{}",
    b"[[[[",
    b"{\"a\":",
    b"\\u0000",
    b"\\ud800",
    b"\\",
    b"\"",
    b"'",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xe2\x80\xa8",
    b"\0",
    b"\r\n",
    b"\t",
    b"\n",
    b" ",
    b":",
    b"- ",
    b"? ",
    b"&a ",
    b"*a",
    b"<<: ",
    b"!!binary ",
    b"!!str ",
    b"|",
    b">",
    b"---\n",
    b"...\n",
    b"%YAML 1.1\n",
    b"#",
    b",",
    b"=",
    b"==",
    b"!=",
    b" in (",
    b")",
    b" notin (",
    b"!",
    b"~",
    b"~0",
    b"~1",
    b"/",
    b"/-",
    b"/-1",
    b"..",
    b"$patch",
    b"$retainKeys",
    b"$setElementOrder/containers",
    b"$deleteFromPrimitiveList/finalizers",
    b"\"$patch\":\"delete\"",
    b"f:",
    b"k:{",
    b"v:",
    b"i:",
    b".",
    b"Ki",
    b"m",
    b"E",
    b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\x0b",
    b"\x0c",
    b"k8s\0",
];
/// Damage done to one input at most.
const CHANGES_MAX: u64 = 4;
/// Longer inputs are cut: what grows must not grow without end.
const BYTES_MAX: usize = 1 << 14;

/// Gives a property its seeds and damaged copies of them; tells the one on which it panics. What it holds is not looked at
/// again after that.
pub(crate) fn each(seeds: &[&[u8]], rounds: usize, property: impl Fn(&[u8])) {
    let mut mutator = Mutator::new(seeds);
    for seed in seeds {
        property(seed);
    }
    for round in 0..rounds {
        let input = mutator.next();
        let survived = catch_unwind(AssertUnwindSafe(|| property(&input)));
        assert!(survived.is_ok(), "round {round}: {:?}", String::from_utf8_lossy(&input));
    }
}

/// The same with documents, whose damage leaves them documents: parts go, come from elsewhere, stand twice, become scalars.
pub(crate) fn each_value(seeds: &[Value], rounds: usize, property: impl Fn(&Value)) {
    let mut mutator = Mutator::new(&[]);
    for seed in seeds {
        property(seed);
    }
    for round in 0..rounds {
        let mut input = seeds[mutator.below(seeds.len())].clone();
        for _ in 0..=mutator.below(CHANGES_MAX as usize) {
            mutator.change_value(&mut input, seeds);
        }
        let survived = catch_unwind(AssertUnwindSafe(|| property(&input)));
        assert!(survived.is_ok(), "round {round}: {input}");
    }
}

/// How many values a document is made of.
fn size(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Object(map) => 1 + map.values().map(size).sum::<usize>(),
        _ => 1,
    }
}

/// One of the values that a document is made of, in its order.
fn nth(value: &mut Value, mut at: usize) -> Option<&mut Value> {
    if at == 0 {
        return Some(value);
    }
    at -= 1;
    let inner: Vec<&mut Value> = match value {
        Value::Array(items) => items.iter_mut().collect(),
        Value::Object(map) => map.values_mut().collect(),
        _ => Vec::new(),
    };
    for value in inner {
        let below = size(value);
        if at < below {
            return nth(value, at);
        }
        at -= below;
    }
    None
}

/// Gives damaged copies of its seeds without end.
struct Mutator<'a> {
    seeds: &'a [&'a [u8]],
    state: u64,
}

impl<'a> Mutator<'a> {
    /// Every run begins alike.
    fn new(seeds: &'a [&'a [u8]]) -> Self {
        Self { seeds, state: 0x9e37_79b9_7f4a_7c15 }
    }

    /// Xorshift: enough to choose by, and the same everywhere.
    fn below(&mut self, bound: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state % bound.max(1) as u64) as usize
    }

    /// The next damaged input.
    fn next(&mut self) -> Vec<u8> {
        let seed = self.below(self.seeds.len());
        let mut bytes = self.seeds[seed].to_vec();
        for _ in 0..=self.below(CHANGES_MAX as usize) {
            self.change(&mut bytes);
        }
        bytes.truncate(BYTES_MAX);
        bytes
    }

    /// A value from somewhere in the seeds.
    fn part(&mut self, seeds: &[Value]) -> Value {
        let mut seed = seeds[self.below(seeds.len())].clone();
        let at = self.below(size(&seed));
        nth(&mut seed, at).map(Value::take).unwrap_or_default()
    }

    fn change_value(&mut self, input: &mut Value, seeds: &[Value]) {
        let at = self.below(size(input));
        let Some(value) = nth(input, at) else { return };
        match (self.below(6), value) {
            (0, Value::Array(items)) if !items.is_empty() => drop(items.remove(self.below(items.len()))),
            (1, Value::Array(items)) if !items.is_empty() => items.push(items[self.below(items.len())].clone()),
            (2, Value::Array(items)) if !items.is_empty() => items.rotate_left(1),
            (0 | 1, Value::Object(map)) if !map.is_empty() => {
                let name = map.keys().nth(self.below(map.len())).cloned().unwrap_or_default();
                map.shift_remove(&name);
            }
            (2, Value::Object(map)) if !map.is_empty() => {
                let name = map.keys().nth(self.below(map.len())).cloned().unwrap_or_default();
                let part = self.part(seeds);
                map.insert(name, part);
            }
            (3, value) => *value = self.part(seeds),
            (4, Value::String(text)) => {
                let word = WORDS[self.below(WORDS.len())];
                text.push_str(&String::from_utf8_lossy(word));
            }
            (_, value) => {
                let word = WORDS[self.below(WORDS.len())];
                *value = serde_json::from_slice(word).unwrap_or_else(|_| String::from_utf8_lossy(word).into());
            }
        }
    }

    fn change(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len() + 1);
        let end = (at + 1 + self.below(16)).min(bytes.len());
        match self.below(7) {
            0 if at < bytes.len() => bytes[at] = self.below(256) as u8,
            1 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            2 => drop(bytes.drain(at.min(end)..end)),
            3 => {
                let piece = bytes[at.min(end)..end].to_vec();
                (0..=self.below(40)).for_each(|_| drop(bytes.splice(at..at, piece.iter().copied())));
            }
            4 => {
                let seed = self.seeds[self.below(self.seeds.len())];
                let from = self.below(seed.len());
                let to = (from + self.below(40)).min(seed.len());
                bytes.splice(at..at, seed[from..to].iter().copied());
            }
            5 => bytes.truncate(at),
            _ => {
                let word = WORDS[self.below(WORDS.len())];
                let over = if self.below(2) == 0 { at } else { end.max(at) };
                bytes.splice(at..over, word.iter().copied());
            }
        }
    }
}
