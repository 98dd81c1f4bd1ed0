//! `gatehouse policy sdk`: the SDK and the contract as this program carries them, in a policy's folder, in place of those that
//! another release put there. Touches nothing else of the policy.

use std::fs;
use std::path::Path;

use super::arguments::Arguments;
use super::language::Language;
use super::{Outcome, contract, template};

/// Where both lie in a policy's folder.
const PLACE: &str = ".gatehouse";

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let folder = arguments.folder();
    let language = Language::of(&folder)?;
    if language == Language::Cel {
        return Err(format!("{}: a policy in CEL is built with no SDK", folder.display()));
    }
    let place = folder.join(PLACE);
    if !place.is_dir() {
        return Err(format!(
            "there is no {}: the policy takes its SDK from elsewhere, and is brought up to date there",
            place.display()
        ));
    }
    if is_of_this_program(&folder, language) {
        println!("{} has the SDK of this program", place.display());
        return Ok(());
    }
    // What the other release had and this one has not would be built, too.
    for part in ["sdk", "wit"].map(|part| place.join(part)).iter().filter(|part| part.is_dir()) {
        fs::remove_dir_all(part).map_err(|error| format!("{}: {error}", part.display()))?;
    }
    write(&folder, language)?;
    println!("{} has the SDK of this program now. Next:\n", place.display());
    println!("    gatehouse policy test   # builds the policy with it, and runs its cases");
    Ok(())
}

/// Puts them into a folder.
pub(super) fn write(folder: &Path, language: Language) -> Outcome {
    files(language).try_for_each(|(file, text)| put(folder, &file, text))
}

/// Whether a folder's are those of another release; false where there are none.
pub(super) fn is_of_another_release(folder: &Path, language: Language) -> bool {
    folder.join(PLACE).is_dir() && !is_of_this_program(folder, language)
}

fn is_of_this_program(folder: &Path, language: Language) -> bool {
    files(language).all(|(file, text)| fs::read_to_string(folder.join(file)).is_ok_and(|there| there == text))
}

fn files(language: Language) -> impl Iterator<Item = (String, &'static str)> {
    let template = template::of(language);
    let contract = if template.binds { contract::FILES } else { &[] };
    let sdk = template.sdk.iter().map(|(file, text)| ((*file).to_owned(), *text));
    sdk.chain(contract.iter().map(|(file, text)| (format!("{PLACE}/wit/{file}"), *text)))
}

/// Writes one file of a policy's folder.
pub(super) fn put(folder: &Path, file: &str, text: &str) -> Outcome {
    let path = folder.join(file);
    let parent = path.parent().unwrap_or(folder);
    let written = fs::create_dir_all(parent).and_then(|()| fs::write(&path, text));
    written.map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_in(folder: &Path) -> Outcome {
        run(&Arguments::read(&[folder.display().to_string()], 1, &[]).unwrap())
    }

    #[test]
    fn another_releases_sdk_gives_place_to_this_ones() {
        let directory = tempfile::tempdir().unwrap();
        for (language, manifest) in [(Language::Rust, "Cargo.toml"), (Language::Go, "go.mod")] {
            let folder = directory.path().join(language.as_str());
            put(&folder, manifest, "mine").unwrap();
            assert!(!is_of_another_release(&folder, language));
            assert!(run_in(&folder).unwrap_err().contains("takes its SDK from elsewhere"));
            write(&folder, language).unwrap();
            assert!(!is_of_another_release(&folder, language));
            let (one, _) = files(language).next().unwrap();
            put(&folder, &one, "of before").unwrap();
            put(&folder, &format!(".gatehouse/sdk/{}/gone.rs", language.as_str()), "of before").unwrap();
            assert!(is_of_another_release(&folder, language));
            run_in(&folder).unwrap();
            assert!(!is_of_another_release(&folder, language));
            assert!(!folder.join(format!(".gatehouse/sdk/{}/gone.rs", language.as_str())).exists());
            assert_eq!(fs::read_to_string(folder.join(manifest)).unwrap(), "mine");
        }
        put(directory.path(), "policy.yaml", "").unwrap();
        assert!(run_in(directory.path()).unwrap_err().contains("with no SDK"));
    }
}
