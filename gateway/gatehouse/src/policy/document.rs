//! Files of objects: YAML or JSON, one document or several, lists taken apart. Judges nothing.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use model::json::Value;

/// The word that means standard input.
const PIPED: &str = "-";

/// The only document of a file.
pub(super) fn one(file: &str) -> Result<Value, String> {
    let text = fs::read(file).map_err(|error| format!("{file}: {error}"))?;
    codec::yaml::parse(&text).map(|parsed| parsed.value).map_err(|error| format!("{file}: {error}"))
}

/// Every object of a file, of a folder's files, or of standard input.
pub(super) fn objects(place: &str) -> Result<Vec<Value>, String> {
    if place == PIPED {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(|error| format!("read standard input: {error}"))?;
        return several(&text, "standard input");
    }
    let mut found = Vec::new();
    for file in files(Path::new(place))? {
        let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        found.extend(several(&text, &file.display().to_string())?);
    }
    Ok(found)
}

/// Every document of a file, or of a folder's files, as it is written.
pub(super) fn texts(place: &Path) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    for file in files(place)? {
        let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        found.extend(documents(&text).into_iter().map(|document| document.trim().to_owned()));
    }
    Ok(found)
}

/// A file, or the files of a folder in order; the last part of a path may hold one `*`.
pub(super) fn files(place: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", place.display());
    let pattern = place.file_name().map(|name| name.to_string_lossy().into_owned()).filter(|name| name.contains('*'));
    let (folder, pattern) = match (pattern, place.is_dir()) {
        (Some(pattern), _) => (place.parent().unwrap_or(Path::new(".")), pattern),
        (None, true) => (place, "*".to_owned()),
        (None, false) => return Ok(vec![place.to_owned()]),
    };
    let (before, after) = pattern.split_once('*').unwrap_or((&pattern, ""));
    let fits = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_document = matches!(path.extension().and_then(|e| e.to_str()), Some("yaml" | "yml" | "json" | "jsonl"));
        is_document && name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after)
    };
    let entries = fs::read_dir(folder).map_err(failed)?;
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(fits).collect();
    files.sort();
    if files.is_empty() { Err(format!("{}: there is no file", place.display())) } else { Ok(files) }
}

/// The objects of a text with several documents.
fn several(text: &str, name: &str) -> Result<Vec<Value>, String> {
    let mut objects = Vec::new();
    for document in documents(text) {
        let parsed = codec::yaml::parse(document.as_bytes()).map_err(|error| format!("{name}: {error}"))?;
        match parsed.value {
            Value::Null => {}
            Value::Object(mut list) if list.get("kind").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("List")) => {
                if let Some(Value::Array(items)) = list.remove("items") {
                    objects.extend(items);
                }
            }
            object => objects.push(object),
        }
    }
    Ok(objects)
}

/// The documents of a text: at each line that begins with three dashes another begins; what `record` writes has one a line.
fn documents(text: &str) -> Vec<&str> {
    if text.trim_start().starts_with('{') && text.trim_end().lines().count() > 1 && text.lines().all(is_whole) {
        return text.lines().collect();
    }
    let mut found = Vec::new();
    let (mut from, mut at) = (0, 0);
    for line in text.split_inclusive('\n') {
        if line.starts_with("---") {
            found.push(&text[from..at]);
            from = at + 3;
        }
        at += line.len();
    }
    found.push(&text[from..]);
    found
}

fn is_whole(line: &str) -> bool {
    line.trim().is_empty() || (line.starts_with('{') && line.trim_end().ends_with('}'))
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    #[test]
    fn documents_lists_and_lines_come_apart() {
        let read = |text: &str| several(text, "text").unwrap();
        assert_eq!(read("---\n# a comment\n---\na: 1\n--- # two\na: 2\n"), [json!({"a": 1}), json!({"a": 2})]);
        assert_eq!(read("{\"kind\": \"PodList\", \"items\": [{\"a\": 1}, {\"a\": 2}]}"), [json!({"a": 1}), json!({"a": 2})]);
        assert_eq!(read("{\"a\":1}\n{\"a\":2}\n"), [json!({"a": 1}), json!({"a": 2})]);
        assert_eq!(read("{\n\"a\": 1\n}\n"), [json!({"a": 1})]);
        assert_eq!(read(""), Vec::<Value>::new());
    }
}
