//! What `gatehouse policy new` writes for each language and world: the policy, and the SDK that it is built with, both as this
//! program carries them. Writes nothing itself (`new`).

use wasm::World;

use super::language::Language;

/// A path in the policy's folder, and the file's text.
pub(super) type File = (&'static str, &'static str);

/// Files of this repository that go along as they are, below `.gatehouse/`.
macro_rules! carried {
    ($($file:literal,)*) => { &[$((concat!(".gatehouse/", $file), include_str!(concat!("../../../../", $file)))),*] };
}

macro_rules! template {
    ($($path:literal from $file:literal,)*) => { &[$(($path, include_str!(concat!("../../../../sdk/", $file)))),*] };
}

/// One language's.
pub(super) struct Template {
    /// A policy that judges: first the policy itself, then what belongs to it. `NAME` in a text is replaced by its name, `TYPE`
    /// by its type's, `WORLD` by what it is.
    validator: &'static [File],
    /// One that changes.
    mutator: &'static [File],
    /// What both have.
    pub(super) files: &'static [File],
    /// The SDK.
    pub(super) sdk: &'static [File],
    /// Its SDK reads the contract in `wit/` when it is built.
    pub(super) binds: bool,
}

/// The template of a language.
pub(super) fn of(language: Language) -> &'static Template {
    match language {
        Language::Rust => &RUST,
        Language::Go => &GO,
        Language::Js => &JS,
        Language::Python => &PYTHON,
        Language::Cel => &CEL,
    }
}

impl Template {
    /// The policy, and after it what only a policy of this world has.
    pub(super) fn own(&self, world: World) -> &'static [File] {
        match world {
            World::Validator => self.validator,
            World::Mutator => self.mutator,
        }
    }

    /// Where the policy is.
    pub(super) fn policy(&self, world: World) -> &'static str {
        self.own(world).first().map_or("", |(path, _)| *path)
    }
}

/// The cases, the same in every language.
pub(super) fn cases(world: World) -> &'static [File] {
    match world {
        World::Validator => template! { "cases/images.yaml" from "template/validator/cases.yaml", },
        World::Mutator => template! { "cases/labels.yaml" from "template/mutator/cases.yaml", },
    }
}

/// The binding of a policy that is built.
pub(super) fn binding(world: World) -> &'static [File] {
    match world {
        World::Validator => template! { "binding.yaml" from "template/validator/binding.yaml", },
        World::Mutator => template! { "binding.yaml" from "template/mutator/binding.yaml", },
    }
}

/// What everyone has that is built.
pub(super) const BUILT: &[File] = template! {
    ".gitignore" from "template/gitignore",
};

const CEL: Template = Template {
    validator: template! {
        "policy.yaml" from "cel/template/validator/policy.yaml",
        "binding.yaml" from "cel/template/validator/binding.yaml",
        "definition.yaml" from "cel/template/validator/definition.yaml",
    },
    mutator: template! {
        "policy.yaml" from "cel/template/mutator/policy.yaml",
        "binding.yaml" from "cel/template/mutator/binding.yaml",
        "definition.yaml" from "cel/template/mutator/definition.yaml",
    },
    files: &[],
    sdk: &[],
    binds: false,
};

const RUST: Template = Template {
    validator: template! { "src/lib.rs" from "rust/template/validator.rs.in", },
    mutator: template! { "src/lib.rs" from "rust/template/mutator.rs.in", },
    files: template! { "Cargo.toml" from "rust/template/Cargo.toml.in", },
    sdk: carried! {
        "sdk/rust/Cargo.toml",
        "sdk/rust/src/lib.rs",
        "sdk/rust/src/ability.rs",
        "sdk/rust/src/arena.rs",
        "sdk/rust/src/bindings.rs",
        "sdk/rust/src/cases.rs",
        "sdk/rust/src/guest.rs",
        "sdk/rust/src/patch.rs",
        "sdk/rust/src/policy.rs",
        "sdk/rust/src/verdict.rs",
    },
    binds: true,
};

const GO: Template = Template {
    validator: template! { "policy.go" from "go/template/validator.go.in", },
    mutator: template! { "policy.go" from "go/template/mutator.go.in", },
    files: template! {
        "go.mod" from "go/template/go.mod.in",
        "policy_test.go" from "go/template/policy_test.go.in",
    },
    sdk: carried! {
        "sdk/go/go.mod",
        "sdk/go/authorizer/authorizer.go",
        "sdk/go/authorizer/native.go",
        "sdk/go/authorizer/wasip1.go",
        "sdk/go/cluster/cluster.go",
        "sdk/go/cluster/native.go",
        "sdk/go/cluster/wasip1.go",
        "sdk/go/internal/abi/guest.go",
        "sdk/go/internal/abi/read.go",
        "sdk/go/internal/abi/write.go",
        "sdk/go/internal/native/native.go",
        "sdk/go/log/log.go",
        "sdk/go/log/native.go",
        "sdk/go/log/wasip1.go",
        "sdk/go/mutator/mutator.go",
        "sdk/go/mutator/native.go",
        "sdk/go/mutator/serve.go",
        "sdk/go/patch.go",
        "sdk/go/policy.go",
        "sdk/go/policytest/policytest.go",
        "sdk/go/schema.go",
        "sdk/go/serve.go",
        "sdk/go/validator/native.go",
        "sdk/go/validator/serve.go",
        "sdk/go/validator/validator.go",
        "sdk/go/verdict.go",
    },
    binds: false,
};

const JS: Template = Template {
    validator: template! { "src/validator.js" from "js/template/validator.js", },
    mutator: template! { "src/mutator.js" from "js/template/mutator.js", },
    files: template! {
        "package.json" from "js/template/package.json",
        "package-lock.json" from "js/template/package-lock.json",
        "test/cases.test.js" from "js/template/cases.test.js",
    },
    sdk: carried! {
        "sdk/js/package.json",
        "sdk/js/src/authorizer.js",
        "sdk/js/src/cases.js",
        "sdk/js/src/cluster.js",
        "sdk/js/src/guest.js",
        "sdk/js/src/index.d.ts",
        "sdk/js/src/index.js",
        "sdk/js/src/json.js",
        "sdk/js/src/log.js",
        "sdk/js/src/patch.js",
        "sdk/js/src/verdict.js",
    },
    binds: false,
};

const PYTHON: Template = Template {
    validator: template! { "src/validator.py" from "python/template/validator.py", },
    mutator: template! { "src/mutator.py" from "python/template/mutator.py", },
    files: template! {
        "pyproject.toml" from "python/template/pyproject.toml",
        "requirements.txt" from "python/template/requirements.txt",
        "test/test_cases.py" from "python/template/test_cases.py",
    },
    sdk: carried! {
        "sdk/python/gatehouse_policy/__init__.py",
        "sdk/python/gatehouse_policy/_native.py",
        "sdk/python/gatehouse_policy/authorizer.py",
        "sdk/python/gatehouse_policy/cases.py",
        "sdk/python/gatehouse_policy/cluster.py",
        "sdk/python/gatehouse_policy/guest.py",
        "sdk/python/gatehouse_policy/log.py",
        "sdk/python/gatehouse_policy/patch.py",
        "sdk/python/gatehouse_policy/verdict.py",
    },
    binds: false,
};

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    fn files(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true if path.ends_with("node_modules") || path.ends_with("__pycache__") => {}
                true => files(&path, found),
                false => found.push(path),
            }
        }
    }

    #[test]
    fn carries_every_file_of_the_sdks() {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for (language, folder) in [
            (Language::Rust, "sdk/rust/src"),
            (Language::Go, "sdk/go"),
            (Language::Js, "sdk/js/src"),
            (Language::Python, "sdk/python/gatehouse_policy"),
        ] {
            let mut found = Vec::new();
            files(&top.join(folder), &mut found);
            for path in found {
                let file = path.strip_prefix(&top).unwrap().display().to_string();
                let stays = file.contains("/template/") || file.ends_with("_test.go") || file.ends_with(".md");
                let is_carried = of(language).sdk.iter().any(|(carried, _)| *carried == format!(".gatehouse/{file}"));
                assert!(stays || is_carried, "{file}");
            }
        }
    }
}
