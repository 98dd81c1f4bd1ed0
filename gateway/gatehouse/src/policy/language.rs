//! The languages that policies are written in: how a folder shows which one, and what of it is where.
//! Does not build (`build`) and has no template (`new`).

use std::path::Path;

/// A language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Rust,
    Go,
    Js,
    Python,
    /// Kubernetes' own: nothing is built of it.
    Cel,
}

impl Language {
    /// All of them.
    pub(super) const ALL: &'static [Self] = &[Self::Rust, Self::Go, Self::Js, Self::Python, Self::Cel];

    /// The word after `--lang`.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Go => "go",
            Self::Js => "js",
            Self::Python => "python",
            Self::Cel => "cel",
        }
    }

    pub(super) fn parse(word: &str) -> Result<Self, String> {
        let named = Self::ALL.iter().copied().find(|language| language.as_str() == word);
        named.ok_or_else(|| format!("--lang {word:?} is none of rust, go, js, python, cel"))
    }

    /// The file that every package of the language has at its top; for CEL the one that `new` writes.
    fn manifest(self) -> &'static str {
        match self {
            Self::Rust => "Cargo.toml",
            Self::Go => "go.mod",
            Self::Js => "package.json",
            Self::Python => "pyproject.toml",
            Self::Cel => "policy.yaml",
        }
    }

    /// What a folder is written in.
    pub(super) fn of(folder: &Path) -> Result<Self, String> {
        let here = Self::ALL.iter().copied().find(|language| folder.join(language.manifest()).exists());
        here.ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.iter().map(|language| language.manifest()).collect();
            format!(
                "{} is no policy: it has none of {}, and no other policy in CEL; `gatehouse policy new NAME` makes one",
                folder.display(),
                known.join(", ")
            )
        })
    }
}
