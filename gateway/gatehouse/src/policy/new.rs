//! `gatehouse policy new`: a folder that builds from the package registry alone. The SDK and the contract go with it, in
//! the version of this program, so that the policy fits the server.

use std::fs;
use std::path::Path;

use super::Outcome;
use super::arguments::Arguments;

/// File and text; `NAME` in a text is replaced by the policy's name, `TYPE` by its type's.
const TEMPLATE: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("../../../../sdk/rust/template/Cargo.toml.in")),
    ("src/lib.rs", include_str!("../../../../sdk/rust/template/lib.rs.in")),
    ("cases/images.yaml", include_str!("../../../../sdk/rust/template/cases.yaml")),
    ("binding.yaml", include_str!("../../../../sdk/rust/template/binding.yaml")),
    (".gitignore", "target/\n"),
];

/// The SDK and the contract as they are.
const CARRIED: &[(&str, &str)] = &[
    (".gatehouse/sdk/rust/Cargo.toml", include_str!("../../../../sdk/rust/Cargo.toml")),
    (".gatehouse/sdk/rust/src/lib.rs", include_str!("../../../../sdk/rust/src/lib.rs")),
    (".gatehouse/sdk/rust/src/arena.rs", include_str!("../../../../sdk/rust/src/arena.rs")),
    (".gatehouse/sdk/rust/src/bindings.rs", include_str!("../../../../sdk/rust/src/bindings.rs")),
    (".gatehouse/sdk/rust/src/cases.rs", include_str!("../../../../sdk/rust/src/cases.rs")),
    (".gatehouse/sdk/rust/src/guest.rs", include_str!("../../../../sdk/rust/src/guest.rs")),
    (".gatehouse/sdk/rust/src/patch.rs", include_str!("../../../../sdk/rust/src/patch.rs")),
    (".gatehouse/sdk/rust/src/policy.rs", include_str!("../../../../sdk/rust/src/policy.rs")),
    (".gatehouse/sdk/rust/src/verdict.rs", include_str!("../../../../sdk/rust/src/verdict.rs")),
    (".gatehouse/wit/authorizer.wit", include_str!("../../../../wit/authorizer.wit")),
    (".gatehouse/wit/cluster.wit", include_str!("../../../../wit/cluster.wit")),
    (".gatehouse/wit/log.wit", include_str!("../../../../wit/log.wit")),
    (".gatehouse/wit/policy.wit", include_str!("../../../../wit/policy.wit")),
    (".gatehouse/wit/types.wit", include_str!("../../../../wit/types.wit")),
    (".gatehouse/wit/worlds.wit", include_str!("../../../../wit/worlds.wit")),
];

/// Longest name; it becomes part of names of objects.
const NAME_BYTES_MAX: usize = 63;

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let name = arguments.place(0, "the policy's name")?;
    if !is_name(name) {
        return Err(format!("{name:?} cannot be a name: lower-case letters, digits and dashes, beginning with a letter"));
    }
    let folder = Path::new(name);
    if folder.exists() {
        return Err(format!("{name} exists already"));
    }
    write(folder, name)?;
    println!("{name}/ is ready. Next:\n");
    println!("    cd {name}");
    println!("    gatehouse policy test                            # builds it and runs cases/*.yaml in wasm");
    println!("    gatehouse policy manifest | kubectl apply -f -   # puts it in force\n");
    println!("The policy is src/lib.rs; binding.yaml says for which requests it is asked and with what settings.");
    Ok(())
}

fn write(folder: &Path, name: &str) -> Outcome {
    for (file, text) in TEMPLATE.iter().chain(CARRIED) {
        let path = folder.join(file);
        let failed = |error: std::io::Error| format!("{}: {error}", path.display());
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        let is_template = TEMPLATE.iter().any(|(template, _)| template == file);
        let text = if is_template { text.replace("NAME", name).replace("TYPE", &type_name(name)) } else { (*text).to_owned() };
        fs::write(&path, text).map_err(failed)?;
    }
    Ok(())
}

fn is_name(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn type_name(name: &str) -> String {
    let capitalized = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
    };
    name.split('-').map(capitalized).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_types() {
        assert_eq!(type_name("no-latest-2"), "NoLatest2");
        for (name, good) in
            [("a", true), ("a-b2", true), ("A", false), ("2a", false), ("a-", false), ("a/b", false), ("..", false)]
        {
            assert_eq!(is_name(name), good, "{name}");
        }
    }

    #[test]
    fn carries_every_file_of_the_sdk_and_the_contract() {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for folder in ["sdk/rust/src", "wit"] {
            for entry in fs::read_dir(top.join(folder)).unwrap() {
                let file = entry.unwrap().file_name().into_string().unwrap();
                let carried = format!(".gatehouse/{folder}/{file}");
                assert!(file.ends_with(".md") || CARRIED.iter().any(|(path, _)| *path == carried), "{carried}");
            }
        }
    }

    #[test]
    fn writes_a_whole_folder() {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join("no-latest");
        write(&folder, "no-latest").unwrap();
        let library = fs::read_to_string(folder.join("src/lib.rs")).unwrap();
        assert!(library.contains("pub struct NoLatest;") && !library.contains("TYPE"), "{library}");
        assert!(fs::read_to_string(folder.join("Cargo.toml")).unwrap().contains("name = \"no-latest\""));
    }
}
