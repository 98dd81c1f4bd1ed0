//! `gatehouse policy new`: a folder that builds from the package registry alone. The SDK and the contract go with it, in
//! the version of this program, so that the policy fits the server.

use std::path::Path;

use wasm::World;

use super::arguments::Arguments;
use super::language::Language;
use super::{Outcome, sdk, template};

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
    let world = world(arguments.option("world").unwrap_or(World::Validator.as_str()))?;
    write(folder, name, language, world)?;
    println!("{name}/ is ready. Next:\n");
    println!("    cd {name}");
    if language == Language::Cel {
        println!("    gatehouse policy test                            # runs cases/*.yaml by the server's own evaluator");
        println!("    kubectl apply -f definition.yaml                 # the kind of its parameters, once and first");
    } else {
        println!("    gatehouse policy test                            # builds it and runs cases/*.yaml in wasm");
    }
    println!("{}\n", apply(name, language));
    let policy = template::of(language).policy(world);
    println!("The policy is {policy}; binding.yaml says for which requests it is asked and with what settings.");
    Ok(())
}

/// The world that a word names.
fn world(word: &str) -> Result<World, String> {
    let named = [World::Validator, World::Mutator].into_iter().find(|world| world.as_str() == word);
    named.ok_or_else(|| format!("--world {word:?} is neither validator, which judges, nor mutator, which changes"))
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

fn write(folder: &Path, name: &str, language: Language, world: World) -> Outcome {
    let template = template::of(language);
    let mut files = vec![template::cases(world), template.files, template.own(world)];
    if language != Language::Cel {
        files.extend([template::BUILT, template::binding(world)]);
    }
    let (kind, component) = (type_name(name), if world == World::Mutator { "Mutation" } else { "Validation" });
    let plural = kind.to_lowercase();
    let named =
        [("NAME", name), ("TYPE", kind.as_str()), ("PLURAL", plural.as_str()), ("WORLD", world.as_str()), ("OUTCOME", component)];
    for (file, text) in files.into_iter().flatten() {
        let text = named.iter().fold((*text).to_owned(), |text, (word, by)| text.replace(word, by));
        sdk::put(folder, file, &text)?;
    }
    sdk::write(folder, language)
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
    use std::fs;

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
        for (language, world) in Language::ALL.iter().flat_map(|one| [(*one, World::Validator), (*one, World::Mutator)]) {
            let folder = directory.path().join(language.as_str()).join(world.as_str());
            write(&folder, "no-latest", language, world).unwrap();
            assert_eq!(Language::of(&folder), Ok(language));
            let policy = fs::read_to_string(folder.join(template::of(language).policy(world))).unwrap();
            assert!(policy.contains("no-latest") && !policy.contains("TYPE"), "{policy}");
            let cases = if world == World::Mutator { "cases/labels.yaml" } else { "cases/images.yaml" };
            assert!(folder.join(cases).exists() && folder.join("binding.yaml").exists());
        }
        let written = |file: &str| fs::read_to_string(directory.path().join(file)).unwrap();
        assert!(written("rust/validator/Cargo.toml").contains("name = \"no-latest\""));
        assert!(!written("rust/validator/.gatehouse/wit/types.wit").is_empty());
        assert!(written("js/mutator/test/cases.test.js").contains("../src/mutator.js"));
        assert!(written("python/mutator/test/test_cases.py").ends_with("cases(mutator.Mutation)\n"));
        assert!(world("mutators").unwrap_err().starts_with("--world \"mutators\" is neither validator"));
    }
}
