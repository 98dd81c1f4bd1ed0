//! The words after a command: what it is about, and options by name. Which options a command has stands in its row.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// An option of a command: its name, what its value is called (nothing for one that is said or not), and what it does.
pub(super) type Known = (&'static str, &'static str, &'static str);

/// What was said.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Arguments {
    /// The words without a name, in order.
    pub(super) places: Vec<String>,
    options: BTreeMap<&'static str, Vec<String>>,
}

impl Arguments {
    /// Reads the words after a command that takes `most` words without a name and these options.
    pub(super) fn read(words: &[String], most: usize, known: &[Known]) -> Result<Self, String> {
        let mut arguments = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let Some(option) = word.strip_prefix("--").or_else(|| word.strip_prefix('-').filter(|rest| rest.len() == 1)) else {
                arguments.places.push(word.clone());
                continue;
            };
            let (name, value) = match option.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (option, None),
            };
            let (name, kind, _) = *known
                .iter()
                .find(|(known, ..)| *known == name || known.starts_with(name) && name.len() == 1)
                .ok_or_else(|| format!("unknown option {word}; --help lists those there are"))?;
            let value = match (kind, value) {
                ("", Some(_)) => return Err(format!("--{name} has no value")),
                ("", None) => String::new(),
                (_, value) => value.or_else(|| words.next().cloned()).ok_or_else(|| format!("--{name} needs a value"))?,
            };
            arguments.options.entry(name).or_default().push(value);
        }
        match arguments.places.get(most) {
            Some(word) => Err(format!("{word:?} is one word too many")),
            None => Ok(arguments),
        }
    }

    /// An option's value; the last one, when it was said more often.
    pub(super) fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name)?.last().map(String::as_str)
    }

    /// Every value of an option.
    pub(super) fn all(&self, name: &str) -> &[String] {
        self.options.get(name).map_or(&[], Vec::as_slice)
    }

    /// Whether an option was said.
    pub(super) fn has(&self, name: &str) -> bool {
        self.options.contains_key(name)
    }

    /// An option that must be said; `why` tells what it is for.
    pub(super) fn needed(&self, name: &str, why: &str) -> Result<&str, String> {
        self.option(name).ok_or_else(|| format!("--{name} is needed: {why}"))
    }

    /// A word that must be said.
    pub(super) fn place(&self, at: usize, what: &str) -> Result<&str, String> {
        self.places.get(at).map(String::as_str).ok_or_else(|| format!("nothing says {what}; --help shows how it is said"))
    }

    /// The policy or folder that is meant: the one said, or this folder.
    pub(super) fn folder(&self) -> PathBuf {
        PathBuf::from(self.places.first().map_or(".", String::as_str))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Known] = &[("out", "FOLDER", ""), ("object", "FILE", ""), ("update", "", "")];

    fn read(words: &[&str]) -> Result<Arguments, String> {
        Arguments::read(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>(), 1, KNOWN)
    }

    #[test]
    fn options_take_their_value_in_both_spellings() {
        let arguments = read(&["a", "--out", "b", "--object=c", "--update", "--object", "d"]).unwrap();
        assert_eq!(
            (&*arguments.places, arguments.option("out"), arguments.option("object")),
            (&["a".to_owned()][..], Some("b"), Some("d"))
        );
        assert_eq!((arguments.all("object").len(), arguments.has("update")), (2, true));
        assert_eq!(read(&["a", "b"]).unwrap_err(), "\"b\" is one word too many");
        assert!(read(&["--nothing=1"]).unwrap_err().starts_with("unknown option --nothing"));
        assert_eq!(read(&["--out"]).unwrap_err(), "--out needs a value");
        assert_eq!(read(&["--update=1"]).unwrap_err(), "--update has no value");
        assert_eq!(read(&["-"]).unwrap().places, ["-"]);
    }
}
