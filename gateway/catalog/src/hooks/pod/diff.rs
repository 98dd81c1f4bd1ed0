//! The difference between two objects as lines, for people: what upstream appends where a forbidden change is refused.
//! Follows `k8s.io/apimachinery/pkg/util/diff`, which compares indented JSON by the matcher of Python's `difflib`: that one
//! looks for the longest block of equal lines, then on both sides of it, and so shows other lines than the shortest edit.

use std::collections::HashMap;
use std::ops::Range;

use model::Value;

/// Lines of context around a change.
const CONTEXT_LINES: usize = 3;
/// From so many lines on, those that stand for more than a hundredth of a text are not looked up, only met beside others.
const POPULAR_FROM_LINES: usize = 200;

/// A unified diff of the two, without file names.
pub(crate) fn unified(old: &Value, new: &Value) -> String {
    let (old, new) = (pretty(old), pretty(new));
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let mut out = String::new();
    for hunk in hunks(edits(&old, &new)) {
        let (Some(first), Some(last)) = (hunk.first(), hunk.last()) else { continue };
        let (was, is) = (first.old.start..last.old.end, first.new.start..last.new.end);
        out.push_str(&format!("@@ -{} +{} @@\n", span(&was), span(&is)));
        for edit in &hunk {
            let (old, new) = (&old[edit.old.clone()], &new[edit.new.clone()]);
            if edit.same {
                write(' ', old, &mut out);
            } else {
                write('-', old, &mut out);
                write('+', new, &mut out);
            }
        }
    }
    out
}

fn write(mark: char, lines: &[&str], out: &mut String) {
    for line in lines {
        out.extend([mark]);
        out.push_str(line);
        out.push('\n');
    }
}

/// First line and length; a length of one is left out, and nothing stands before its line.
fn span(lines: &Range<usize>) -> String {
    match lines.len() {
        0 => format!("{},0", lines.start),
        1 => format!("{}", lines.start + 1),
        length => format!("{},{length}", lines.start + 1),
    }
}

/// Go's JSON, indented by one space a level.
fn pretty(value: &Value) -> String {
    let text = format!("{value:#}");
    let lines = text.lines().map(|line| {
        let content = line.trim_start();
        format!("{}{content}", " ".repeat((line.len() - content.len()) / 2))
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    [('<', "\\u003c"), ('>', "\\u003e"), ('&', "\\u0026")].iter().fold(text, |text, (c, escape)| text.replace(*c, escape))
}

/// Lines of both texts that are the same, or take each other's place.
#[derive(Clone, Debug, PartialEq)]
struct Edit {
    same: bool,
    old: Range<usize>,
    new: Range<usize>,
}

/// Where a block of equal lines begins in both, and how long it is.
#[derive(Clone, Copy)]
struct Block {
    old: usize,
    new: usize,
    size: usize,
}

fn edits(old: &[&str], new: &[&str]) -> Vec<Edit> {
    let mut edits = Vec::new();
    let (mut i, mut j) = (0, 0);
    let end = Block { old: old.len(), new: new.len(), size: 0 };
    for block in blocks(old, new).into_iter().chain([end]) {
        if i < block.old || j < block.new {
            edits.push(Edit { same: false, old: i..block.old, new: j..block.new });
        }
        (i, j) = (block.old + block.size, block.new + block.size);
        if block.size > 0 {
            edits.push(Edit { same: true, old: block.old..i, new: block.new..j });
        }
    }
    edits
}

/// The blocks of equal lines in order, neighbours joined.
fn blocks(old: &[&str], new: &[&str]) -> Vec<Block> {
    let places = places(new);
    let mut todo = vec![(0..old.len(), 0..new.len())];
    let mut found = Vec::new();
    while let Some((of_old, of_new)) = todo.pop() {
        let block = longest(old, new, &places, of_old.clone(), of_new.clone());
        if block.size > 0 {
            todo.push((of_old.start..block.old, of_new.start..block.new));
            todo.push((block.old + block.size..of_old.end, block.new + block.size..of_new.end));
            found.push(block);
        }
    }
    found.sort_by_key(|block| (block.old, block.new));
    let mut joined: Vec<Block> = Vec::new();
    for block in found {
        match joined.last_mut() {
            Some(last) if last.old + last.size == block.old && last.new + last.size == block.new => last.size += block.size,
            _ => joined.push(block),
        }
    }
    joined
}

/// Where each line of a text stands, without the popular ones.
fn places<'a>(lines: &[&'a str]) -> HashMap<&'a str, Vec<usize>> {
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, line) in lines.iter().enumerate() {
        places.entry(line).or_default().push(at);
    }
    if lines.len() >= POPULAR_FROM_LINES {
        places.retain(|_, at| at.len() <= lines.len() / 100 + 1);
    }
    places
}

/// The first of the longest blocks within these ranges.
fn longest(old: &[&str], new: &[&str], places: &HashMap<&str, Vec<usize>>, of_old: Range<usize>, of_new: Range<usize>) -> Block {
    let mut best = Block { old: of_old.start, new: of_new.start, size: 0 };
    // Lengths of the blocks that end with the line before, by where they end in the new text.
    let mut lengths: HashMap<usize, usize> = HashMap::new();
    for i in of_old.clone() {
        let mut next = HashMap::new();
        for j in places.get(old[i]).into_iter().flatten().copied().filter(|j| of_new.contains(j)) {
            let size = 1 + j.checked_sub(1).and_then(|before| lengths.get(&before)).copied().unwrap_or(0);
            next.insert(j, size);
            if size > best.size {
                best = Block { old: i + 1 - size, new: j + 1 - size, size };
            }
        }
        lengths = next;
    }
    while best.old > of_old.start && best.new > of_new.start && old[best.old - 1] == new[best.new - 1] {
        best = Block { old: best.old - 1, new: best.new - 1, size: best.size + 1 };
    }
    let (mut i, mut j) = (best.old + best.size, best.new + best.size);
    while i < of_old.end && j < of_new.end && old[i] == new[j] {
        (i, j, best.size) = (i + 1, j + 1, best.size + 1);
    }
    best
}

impl Edit {
    fn first(&self, lines: usize) -> Self {
        let cut = |range: &Range<usize>| range.start..range.end.min(range.start + lines);
        Self { same: self.same, old: cut(&self.old), new: cut(&self.new) }
    }

    fn last(&self, lines: usize) -> Self {
        let cut = |range: &Range<usize>| range.start.max(range.end.saturating_sub(lines))..range.end;
        Self { same: self.same, old: cut(&self.old), new: cut(&self.new) }
    }
}

/// Groups of edits with their context; equal lines farther from a change are left out.
fn hunks(mut edits: Vec<Edit>) -> Vec<Vec<Edit>> {
    if let Some(first) = edits.first_mut().filter(|edit| edit.same) {
        *first = first.last(CONTEXT_LINES);
    }
    if let Some(last) = edits.last_mut().filter(|edit| edit.same) {
        *last = last.first(CONTEXT_LINES);
    }
    let (mut hunks, mut hunk) = (Vec::new(), Vec::new());
    for edit in edits {
        if edit.same && edit.old.len() > 2 * CONTEXT_LINES {
            hunk.push(edit.first(CONTEXT_LINES));
            hunks.push(std::mem::take(&mut hunk));
            hunk.push(edit.last(CONTEXT_LINES));
        } else {
            hunk.push(edit);
        }
    }
    hunks.push(hunk);
    hunks.retain(|hunk| hunk.iter().any(|edit| !edit.same));
    hunks
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::json::json;

    #[test]
    fn changed_lines_with_context() {
        let diff = unified(&json!({"a": 1, "b": 2, "c": 3}), &json!({"a": 1, "b": 5, "c": 3}));
        assert_eq!(diff, "@@ -1,5 +1,5 @@\n {\n  \"a\": 1,\n- \"b\": 2,\n+ \"b\": 5,\n  \"c\": 3\n }\n");
        assert_eq!(unified(&json!({}), &json!({})), "");
        assert_eq!(unified(&json!("<"), &json!("&")), "@@ -1 +1 @@\n-\"\\u003c\"\n+\"\\u0026\"\n");
    }

    #[test]
    fn changes_far_apart_are_hunks_of_their_own() {
        let lines = |first: i64, last: i64| {
            let mut all: Vec<i64> = (0..20).collect();
            (all[1], all[18]) = (first, last);
            json!(all)
        };
        let diff = unified(&lines(100, 200), &lines(101, 201));
        let expected = "@@ -1,6 +1,6 @@\n [\n  0,\n- 100,\n+ 101,\n  2,\n  3,\n  4,\n@@ -17,6 +17,6 @@\n  15,\n  16,\n  17,\n- 200,\n+ 201,\n  19\n ]\n";
        assert_eq!(diff, expected);
    }

    #[test]
    fn the_longest_block_of_equal_lines_stays() {
        let (old, new) = (["a", "b", "c", "d", "x"], ["x", "c", "d", "a", "b"]);
        let told: Vec<_> = edits(&old, &new).into_iter().map(|e| (e.same, e.old, e.new)).collect();
        assert_eq!(told, [(false, 0..0, 0..3), (true, 0..2, 3..5), (false, 2..5, 5..5)]);
        assert_eq!((span(&(3..3)), span(&(3..4)), span(&(3..5))), ("3,0".to_owned(), "4".to_owned(), "4,2".to_owned()));
    }
}
