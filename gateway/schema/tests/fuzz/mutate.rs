//! Damages texts and messages: changes, cuts, repeats and splices, from a fixed beginning. Knows no format; the words that
//! formats give a meaning are listed.

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

/// Gives damaged copies of its seeds without end.
pub(crate) struct Mutator<'a> {
    seeds: &'a [&'a [u8]],
    state: u64,
}

impl<'a> Mutator<'a> {
    /// Every run begins alike.
    pub(crate) fn new(seeds: &'a [&'a [u8]]) -> Self {
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
    pub(crate) fn next(&mut self) -> Vec<u8> {
        let seed = self.below(self.seeds.len());
        let mut bytes = self.seeds[seed].to_vec();
        for _ in 0..=self.below(CHANGES_MAX as usize) {
            self.change(&mut bytes);
        }
        bytes.truncate(BYTES_MAX);
        bytes
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
