//! The languages that policies are written in: how a folder shows which one, and what of it is where.
//! Does not build (`build`) and has no template (`new`).

use std::path::Path;

/// A language with an SDK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Rust,
    Go,
    Js,
    Python,
}

impl Language {
    /// All of them, the cheapest to run first.
    pub(super) const ALL: &'static [Self] = &[Self::Rust, Self::Go, Self::Js, Self::Python];

    /// The word after `--lang`.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Go => "go",
            Self::Js => "js",
            Self::Python => "python",
        }
    }

    pub(super) fn parse(word: &str) -> Result<Self, String> {
        let named = Self::ALL.iter().copied().find(|language| language.as_str() == word);
        named.ok_or_else(|| format!("--lang {word:?} is none of rust, go, js, python"))
    }

    /// The file that every package of the language has at its top.
    fn manifest(self) -> &'static str {
        match self {
            Self::Rust => "Cargo.toml",
            Self::Go => "go.mod",
            Self::Js => "package.json",
            Self::Python => "pyproject.toml",
        }
    }

    /// What a folder is written in.
    pub(super) fn of(folder: &Path) -> Result<Self, String> {
        let here = Self::ALL.iter().copied().find(|language| folder.join(language.manifest()).exists());
        here.ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.iter().map(|language| language.manifest()).collect();
            format!(
                "{} is no policy: it has none of {} and no policy in CEL; `gatehouse policy new` makes one",
                folder.display(),
                known.join(", ")
            )
        })
    }
}
