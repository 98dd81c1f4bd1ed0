//! What is wrong with a text, where, printed with the line and a mark under it as cel-go prints it.

use std::fmt;

/// cel-go reports this many and counts the rest.
const ISSUES_MAX: usize = 100;
/// Longer lines are not repeated below a message.
const SNIPPET_BYTES_MAX: usize = 16384;

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// The line, from one; none where the fault is that of the whole text.
    pub line: Option<usize>,
    /// The column in characters, from zero.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

/// All faults of a text; the display is cel-go's.
#[derive(Clone, Debug)]
pub struct Issues {
    issues: Vec<Issue>,
    count: usize,
    source: Box<str>,
    /// Why a checked expression could not be made ready to run.
    instantiation: Option<Box<str>>,
}

impl Issues {
    pub(crate) fn new(source: &str) -> Self {
        Self { issues: Vec::new(), count: 0, source: source.into(), instantiation: None }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds a fault at an offset in characters; no offset stands for the whole text.
    pub(crate) fn push(&mut self, offset: Option<usize>, message: impl Into<String>) {
        self.count += 1;
        if self.count > ISSUES_MAX {
            return;
        }
        let (line, column) = match offset {
            Some(offset) => {
                let (line, column) = locate(&self.source, offset);
                (Some(line), column)
            }
            None => (None, 0),
        };
        self.issues.push(Issue { line, column, message: message.into() });
    }

    pub(crate) fn with_instantiation(mut self, message: String) -> Self {
        self.instantiation = Some(message.into());
        self
    }

    /// What Kubernetes writes where a rule does not compile.
    pub fn detail(&self) -> String {
        match &self.instantiation {
            Some(message) => format!("program instantiation failed: {message}"),
            None => format!("compilation failed: {self}"),
        }
    }

    /// Why a checked expression could not be made ready to run, where that is the fault.
    pub fn instantiation(&self) -> Option<&str> {
        self.instantiation.as_deref()
    }

    /// The faults in the order they stand in the text.
    pub fn sorted(&self) -> Vec<&Issue> {
        let mut sorted: Vec<_> = self.issues.iter().collect();
        sorted.sort_by_key(|issue| (issue.line, issue.column));
        sorted
    }
}

/// Line (from one) and column (from zero) of an offset in characters.
fn locate(source: &str, offset: usize) -> (usize, usize) {
    let (mut line, mut column) = (1, 0);
    for c in source.chars().take(offset) {
        if c == '\n' {
            (line, column) = (line + 1, 0);
        } else {
            column += 1;
        }
    }
    (line, column)
}

impl fmt::Display for Issues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(message) = &self.instantiation {
            return f.write_str(message);
        }
        for (i, issue) in self.sorted().into_iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            self.write(issue, f)?;
        }
        if self.count > ISSUES_MAX {
            write!(f, "\n{} more errors were truncated", self.count - ISSUES_MAX)?;
        }
        Ok(())
    }
}

impl Issues {
    fn write(&self, issue: &Issue, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(line) = issue.line else {
            // cel-go's place for "nowhere" is line and column -1, of which it shows the column one further.
            return write!(f, "ERROR: <input>:-1:0: {}", issue.message);
        };
        if self.source.is_empty() {
            // Nor does it find a column in a text without any.
            return write!(f, "ERROR: <input>:{line}:0: {}", issue.message);
        }
        write!(f, "ERROR: <input>:{line}:{}: {}", issue.column + 1, issue.message)?;
        let Some(text) = self.source.split('\n').nth(line - 1).filter(|text| text.len() <= SNIPPET_BYTES_MAX) else {
            return Ok(());
        };
        write!(f, "\n | {}\n | ", text.replace('\t', " "))?;
        let mut chars = text.chars();
        for c in chars.by_ref().take(issue.column) {
            f.write_str(if c.len_utf8() > 1 { "\u{ff0e}" } else { "." })?;
        }
        f.write_str(if chars.next().is_some_and(|c| c.len_utf8() > 1) { "\u{ff3e}" } else { "^" })
    }
}
