//! What came of cases, for people, for programs (JSON) and for what shows test results (JUnit). Runs nothing.

use std::fmt::Write;
use std::time::Duration;

use model::json::json;

/// One case that was run.
pub(super) struct Ran {
    pub(super) policy: String,
    pub(super) file: String,
    pub(super) name: String,
    pub(super) took: Duration,
    /// How the answer differs from the one expected.
    pub(super) failure: Option<String>,
}

/// How a report is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Human,
    Json,
    Junit,
}

impl Form {
    pub(super) fn parse(word: Option<&str>) -> Result<Self, String> {
        match word {
            None | Some("human") => Ok(Self::Human),
            Some("json") => Ok(Self::Json),
            Some("junit") => Ok(Self::Junit),
            Some(other) => Err(format!("--output {other:?} is none of human, json, junit")),
        }
    }
}

/// The whole report. What is for people was told case by case already, but for the sum.
pub(super) fn write(form: Form, all: &[Ran]) -> String {
    let failed = all.iter().filter(|ran| ran.failure.is_some()).count();
    match form {
        Form::Human => format!("\n{} of {} cases passed", all.len() - failed, all.len()),
        Form::Json => as_json(all, failed),
        Form::Junit => as_junit(all, failed),
    }
}

fn as_json(all: &[Ran], failed: usize) -> String {
    let cases: Vec<_> = all
        .iter()
        .map(|Ran { policy, file, name, took, failure }| {
            let passed = failure.is_none();
            json!({"policy": policy, "file": file, "name": name, "passed": passed, "failure": failure, "microseconds": took.as_micros() as u64})
        })
        .collect();
    json!({"cases": cases, "passed": all.len() - failed, "failed": failed}).to_string()
}

fn as_junit(all: &[Ran], failed: usize) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing into a String cannot fail.
    let _ = writeln!(out, "<testsuites tests=\"{}\" failures=\"{failed}\">", all.len());
    for suite in all.chunk_by(|a, b| a.policy == b.policy) {
        let failures = suite.iter().filter(|ran| ran.failure.is_some()).count();
        let _ =
            writeln!(out, "  <testsuite name={} tests=\"{}\" failures=\"{failures}\">", quoted(&suite[0].policy), suite.len());
        for Ran { policy, file, name, took, failure } in suite {
            let seconds = took.as_secs_f64();
            let class = quoted(&format!("{policy}/{file}"));
            let _ = write!(out, "    <testcase classname={class} name={} time=\"{seconds:.6}\"", quoted(name));
            let _ = match failure {
                None => writeln!(out, "/>"),
                Some(why) => writeln!(out, "><failure message={}/></testcase>", quoted(why)),
            };
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>");
    out
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            // XML 1.0 has no other control characters, not even escaped.
            letter if letter.is_control() => out.push(' '),
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_say_the_same_in_each_form() {
        let ran = |policy: &str, name: &str, failure: Option<&str>| Ran {
            policy: policy.to_owned(),
            file: "a.yaml".to_owned(),
            name: name.to_owned(),
            took: Duration::from_micros(1_500),
            failure: failure.map(str::to_owned),
        };
        let all = [ran("p", "fine", None), ran("p", "not <fine>", Some("a & \"b\"\nc")), ran("q", "fine", None)];
        assert_eq!(write(Form::Human, &all), "\n2 of 3 cases passed");
        let json: model::json::Value = serde_json::from_str(&write(Form::Json, &all)).unwrap();
        assert_eq!((json["failed"].as_u64(), json["cases"][1]["failure"].as_str()), (Some(1), Some("a & \"b\"\nc")));
        let junit = write(Form::Junit, &all);
        assert!(junit.contains("<testsuite name=\"p\" tests=\"2\" failures=\"1\">"), "{junit}");
        assert!(
            junit.contains("name=\"not &lt;fine&gt;\" time=\"0.001500\"><failure message=\"a &amp; &quot;b&quot;&#10;c\"/>"),
            "{junit}"
        );
    }
}
