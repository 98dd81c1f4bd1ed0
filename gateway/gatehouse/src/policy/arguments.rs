//! The words after a command: one for its place, the others by name.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Options that the commands know; each has a value.
const KNOWN: &[&str] = &["object", "out", "settings"];

/// What was said.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Arguments {
    /// The word without a name.
    pub(super) place: Option<String>,
    options: BTreeMap<String, String>,
}

impl Arguments {
    pub(super) fn read(words: &[String]) -> Result<Self, String> {
        let mut arguments = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let Some(option) = word.strip_prefix("--") else {
                if arguments.place.replace(word.clone()).is_some() {
                    return Err(format!("{word:?} is one word too many"));
                }
                continue;
            };
            let (name, value) = match option.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (option, None),
            };
            if !KNOWN.contains(&name) {
                return Err(format!("unknown option --{name}"));
            }
            let value = value.or_else(|| words.next().cloned()).ok_or_else(|| format!("--{name} needs a value"))?;
            arguments.options.insert(name.to_owned(), value);
        }
        Ok(arguments)
    }

    /// An option's value.
    pub(super) fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    /// The folder that is meant: the one said, or this one.
    pub(super) fn folder(&self) -> PathBuf {
        PathBuf::from(self.place.as_deref().unwrap_or("."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Arguments, String> {
        Arguments::read(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn options_take_their_value_in_both_spellings() {
        let arguments = read(&["a", "--out", "b", "--object=c"]).unwrap();
        assert_eq!(
            (arguments.place.as_deref(), arguments.option("out"), arguments.option("object")),
            (Some("a"), Some("b"), Some("c"))
        );
        assert!(read(&["a", "b"]).is_err());
        assert_eq!(read(&["--nothing=1"]).unwrap_err(), "unknown option --nothing");
        assert_eq!(read(&["--out"]).unwrap_err(), "--out needs a value");
    }
}
