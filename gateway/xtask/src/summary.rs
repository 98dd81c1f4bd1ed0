//! What a run of several steps came to: one line a step, and the names of the tests that failed.

use std::time::{Duration, Instant};

use crate::run::Failed;

/// The steps so far.
#[derive(Default)]
pub(crate) struct Summary {
    rows: Vec<Row>,
}

struct Row {
    name: String,
    took: Duration,
    counts: Option<Counts>,
    failed: Option<Failed>,
}

/// How many tests came to what.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: usize,
    failed: usize,
    ignored: usize,
    /// Names of those that failed.
    names: Vec<String>,
}

impl Summary {
    /// Does one step.
    pub(crate) fn step(&mut self, name: &str, work: impl FnOnce() -> Result<(), Failed>) {
        let start = Instant::now();
        let failed = work().err();
        self.rows.push(Row { name: name.to_owned(), took: start.elapsed(), counts: None, failed });
    }

    /// Does one step whose output tells of tests.
    pub(crate) fn tests(&mut self, name: &str, work: impl FnOnce() -> (Vec<String>, Result<(), Failed>)) {
        let start = Instant::now();
        let (lines, result) = work();
        self.rows.push(Row { name: name.to_owned(), took: start.elapsed(), counts: Some(count(&lines)), failed: result.err() });
    }

    /// Prints the summary; fails when a step did.
    pub(crate) fn finish(&self) -> Result<(), Failed> {
        println!("\n==> summary");
        for row in &self.rows {
            let word = if row.failed.is_some() { "FAILED" } else { "ok" };
            let tests = row
                .counts
                .as_ref()
                .map_or_else(String::new, |c| format!("{} passed, {} failed, {} ignored", c.passed, c.failed, c.ignored));
            println!("    {word:7} {:22} {:5}s  {tests}", row.name, row.took.as_secs());
        }
        let total = |pick: fn(&Counts) -> usize| self.rows.iter().filter_map(|row| row.counts.as_ref()).map(pick).sum::<usize>();
        if self.rows.iter().any(|row| row.counts.is_some()) {
            println!("    {} passed, {} failed, {} ignored", total(|c| c.passed), total(|c| c.failed), total(|c| c.ignored));
        }
        for row in self.rows.iter().filter(|row| row.failed.is_some()) {
            for name in row.counts.iter().flat_map(|counts| &counts.names) {
                println!("    FAILED {}: {name}", row.name);
            }
        }
        let failed: Vec<String> =
            self.rows.iter().filter_map(|row| row.failed.as_ref().map(|f| format!("{}: {f}", row.name))).collect();
        if failed.is_empty() { Ok(()) } else { Err(Failed(failed.join("; "))) }
    }
}

/// Reads the lines of Rust's and Go's test runners. Go's subtests are not counted: their parents are.
fn count(lines: &[String]) -> Counts {
    let mut counts = Counts::default();
    for line in lines {
        let mut words = line.split_whitespace();
        let rust = line.strip_prefix("test ").filter(|_| !line.starts_with("test result"));
        match (rust.map(|rest| rest.rsplit_once(" ... ")), words.next(), words.next()) {
            (Some(Some((_, "ok"))), _, _) => counts.passed += 1,
            (Some(Some((name, "FAILED"))), _, _) => counts.fail(name),
            (Some(Some((_, rest))), _, _) if rest.starts_with("ignored") => counts.ignored += 1,
            (None, Some("---"), Some("PASS:")) if line.starts_with('-') => counts.passed += 1,
            (None, Some("---"), Some("SKIP:")) if line.starts_with('-') => counts.ignored += 1,
            (None, Some("---"), Some("FAIL:")) if line.starts_with('-') => counts.fail(words.next().unwrap_or("?")),
            _ => {}
        }
    }
    counts
}

impl Counts {
    fn fail(&mut self, name: &str) {
        self.failed += 1;
        self.names.push(name.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_the_tests_of_both_languages() {
        let text = "running 3 tests\ntest a::b ... ok\ntest a::c ... FAILED\ntest slow ... ignored, needs a disk\ntest result: FAILED. 1 passed\n\
            === RUN   TestX\n--- PASS: TestX (0.1s)\n    --- PASS: TestX/sub (0.0s)\n--- FAIL: TestY (1.0s)\n--- SKIP: TestZ (0.0s)\nok  \tpkg 1s";
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let names = vec!["a::c".to_owned(), "TestY".to_owned()];
        assert_eq!(count(&lines), Counts { passed: 2, failed: 2, ignored: 2, names });
    }
}
