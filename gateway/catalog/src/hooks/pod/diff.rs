//! The difference between two objects as lines, for people: what upstream appends where a forbidden change is refused.
//! Upstream prints its internal types; here the lines are those of the API's JSON.

use model::Value;

/// Lines of context around a change.
const CONTEXT_LINES: usize = 3;
/// Most lines of the changed middle that are compared line by line (the table is its square); more is shown as replaced.
const MIDDLE_LINES_MAX: usize = 1000;

/// A unified diff of the two, without file names.
pub(crate) fn unified(old: &Value, new: &Value) -> String {
    let (old, new) = (pretty(old), pretty(new));
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let edits = edits(&old, &new);
    let mut out = String::new();
    for (first, last) in hunks(&edits) {
        let hunk = &edits[first..last];
        let start = |mark: char| 1 + edits[..first].iter().filter(|(m, _)| *m != mark).count();
        let length = |mark: char| hunk.iter().filter(|(m, _)| *m != mark).count();
        out.push_str(&format!("@@ -{},{} +{},{} @@\n", start('+'), length('+'), start('-'), length('-')));
        for (mark, line) in hunk {
            out.push(*mark);
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

/// Indented by one space a level, as upstream's.
fn pretty(value: &Value) -> String {
    let text = format!("{value:#}");
    let lines = text.lines().map(|line| {
        let content = line.trim_start();
        format!("{}{content}", " ".repeat((line.len() - content.len()) / 2))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Every line with ' ', '-' or '+'.
fn edits<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<(char, &'a str)> {
    let head = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let tail = old[head..].iter().rev().zip(new[head..].iter().rev()).take_while(|(a, b)| a == b).count();
    let (a, b) = (&old[head..old.len() - tail], &new[head..new.len() - tail]);
    let mut edits: Vec<(char, &str)> = old[..head].iter().map(|line| (' ', *line)).collect();
    if a.len() > MIDDLE_LINES_MAX || b.len() > MIDDLE_LINES_MAX {
        edits.extend(a.iter().map(|line| ('-', *line)));
        edits.extend(b.iter().map(|line| ('+', *line)));
    } else {
        edits.extend(middle(a, b));
    }
    edits.extend(old[old.len() - tail..].iter().map(|line| (' ', *line)));
    edits
}

/// By the longest common subsequence.
fn middle<'a>(a: &[&'a str], b: &[&'a str]) -> Vec<(char, &'a str)> {
    let width = b.len() + 1;
    let mut longest = vec![0u16; (a.len() + 1) * width];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            longest[i * width + j] = if a[i] == b[j] {
                longest[(i + 1) * width + j + 1] + 1
            } else {
                longest[(i + 1) * width + j].max(longest[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j, mut out) = (0, 0, Vec::new());
    while i < a.len() || j < b.len() {
        if i < a.len() && j < b.len() && a[i] == b[j] {
            out.push((' ', a[i]));
            (i, j) = (i + 1, j + 1);
        } else if i < a.len() && (j == b.len() || longest[(i + 1) * width + j] >= longest[i * width + j + 1]) {
            out.push(('-', a[i]));
            i += 1;
        } else {
            out.push(('+', b[j]));
            j += 1;
        }
    }
    out
}

/// Ranges of edits that have a change, with their context.
fn hunks(edits: &[(char, &str)]) -> Vec<(usize, usize)> {
    let mut hunks: Vec<(usize, usize)> = Vec::new();
    for (i, _) in edits.iter().enumerate().filter(|(_, (mark, _))| *mark != ' ') {
        let (first, last) = (i.saturating_sub(CONTEXT_LINES), (i + CONTEXT_LINES + 1).min(edits.len()));
        match hunks.last_mut() {
            Some(hunk) if first <= hunk.1 => hunk.1 = last,
            _ => hunks.push((first, last)),
        }
    }
    hunks
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn changed_lines_with_context() {
        let diff = unified(&json!({"a": 1, "b": 2, "c": 3}), &json!({"a": 1, "b": 5, "c": 3}));
        assert_eq!(diff, "@@ -1,5 +1,5 @@\n {\n  \"a\": 1,\n- \"b\": 2,\n+ \"b\": 5,\n  \"c\": 3\n }\n");
        assert_eq!(unified(&json!({}), &json!({})), "");
    }
}
