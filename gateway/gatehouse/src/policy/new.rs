//! `gatehouse policy new`: a folder that builds from the package registry alone. The SDK and the contract go with it, in
//! the version of this program, so that the policy fits the server.

use std::fs;
use std::path::Path;

use super::arguments::Arguments;
use super::contract;
use super::language::Language;
use super::{Outcome, template};

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
    let language = Language::parse(arguments.option("lang").unwrap_or(Language::Rust.as_str()))?;
    write(folder, name, language)?;
    println!("{name}/ is ready. Next:\n");
    println!("    cd {name}");
    if language == Language::Cel {
        println!("    gatehouse policy test                            # runs cases/*.yaml by the server's own evaluator");
        println!("    kubectl apply -f definition.yaml                 # the kind of its parameters, once and first");
    } else {
        println!("    gatehouse policy test                            # builds it and runs cases/*.yaml in wasm");
    }
    println!("{}\n", apply(name, language));
    let policy = template::of(language).policy;
    println!("The policy is {policy}; binding.yaml says for which requests it is asked and with what settings.");
    Ok(())
}

/// How a policy comes into force. What its language brings along decides whether kubectl can keep a copy of the module beside it,
/// or a request hold it.
fn apply(name: &str, language: Language) -> String {
    let printed = "    gatehouse policy manifest";
    match language {
        Language::Rust | Language::Cel => format!("{printed} | kubectl apply -f -   # puts it in force"),
        Language::Go | Language::Js => format!("{printed} | kubectl apply --server-side -f -   # puts it in force"),
        Language::Python => {
            let place = format!("REGISTRY/{name}:0.1.0");
            format!("    gatehouse policy push {place}\n{printed} --from {place} | kubectl apply -f -   # puts it in force")
        }
    }
}

fn write(folder: &Path, name: &str, language: Language) -> Outcome {
    let template = template::of(language);
    let built = if language == Language::Cel { &[] } else { template::BUILT };
    for (file, text) in template::COMMON.iter().chain(built).chain(template.files) {
        let kind = type_name(name);
        put(folder, file, &text.replace("NAME", name).replace("TYPE", &kind).replace("PLURAL", &kind.to_lowercase()))?;
    }
    for (file, text) in template.sdk {
        put(folder, file, text)?;
    }
    let contract = if template.binds { contract::FILES } else { &[] };
    for (file, text) in contract {
        put(folder, &format!(".gatehouse/wit/{file}"), text)?;
    }
    Ok(())
}

fn put(folder: &Path, file: &str, text: &str) -> Outcome {
    let path = folder.join(file);
    let parent = path.parent().unwrap_or(folder);
    let written = fs::create_dir_all(parent).and_then(|()| fs::write(&path, text));
    written.map_err(|error| format!("{}: {error}", path.display()))
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
    fn writes_a_whole_folder() {
        let directory = tempfile::tempdir().unwrap();
        for language in Language::ALL {
            let folder = directory.path().join(language.as_str());
            write(&folder, "no-latest", *language).unwrap();
            assert_eq!(Language::of(&folder), Ok(*language));
            let policy = fs::read_to_string(folder.join(template::of(*language).policy)).unwrap();
            assert!(policy.contains("no-latest") && !policy.contains("TYPE"), "{policy}");
            assert!(folder.join("cases/images.yaml").exists() && folder.join("binding.yaml").exists());
        }
        let manifest = fs::read_to_string(directory.path().join("rust/Cargo.toml")).unwrap();
        assert!(manifest.contains("name = \"no-latest\"") && directory.path().join("rust/.gatehouse/wit/types.wit").exists());
    }
}
