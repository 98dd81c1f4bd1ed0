//! `gatehouse policy build`: the language's own tools make wasm, this makes components of it and asks each what it is.

mod go;
mod js;
mod python;
mod rust;
mod tool;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wasm::{Module, Runtime, World};

use super::arguments::Arguments;
use super::language::Language;
use super::{Outcome, contract, manifest, sdk, subject};
use tool::Tool;

/// One policy that was built.
pub(super) struct Built {
    /// Its name, as it says itself.
    pub(super) name: String,
    /// Its folder.
    pub(super) folder: PathBuf,
    /// The component.
    pub(super) component: Vec<u8>,
    /// Loaded, as a server would.
    pub(super) module: Arc<Module>,
}

/// What a language's tools made.
struct Product {
    folder: PathBuf,
    component: Vec<u8>,
}

/// Where components are put, in a policy's folder.
pub(super) const OUT: &str = "target/policies";

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let runtime = subject::runtime()?;
    let all = all(&runtime, &arguments.folder())?;
    let out = arguments.option("out").map(PathBuf::from);
    for built in &all {
        let out = out.clone().unwrap_or_else(|| built.folder.join(OUT));
        let path = out.join(format!("{}.wasm", built.name));
        let written = fs::create_dir_all(&out).and_then(|()| fs::write(&path, &built.component));
        written.map_err(|error| format!("{}: {error}", path.display()))?;
        let module = &built.module;
        println!(
            "{}: {} {} of {} KB",
            path.display(),
            module.world.as_str(),
            module.metadata.version,
            module.bytes.div_ceil(1024)
        );
    }
    Ok(())
}

/// Whether a place is a folder of some language that is built.
pub(super) fn is_package(place: &Path) -> bool {
    Language::of(place).is_ok_and(|language| language != Language::Cel)
}

/// Builds every policy of a folder; at least one, or it fails.
pub(super) fn all(runtime: &Arc<Runtime>, folder: &Path) -> Result<Vec<Built>, String> {
    let folder = folder.canonicalize().map_err(|error| format!("{}: {error}", folder.display()))?;
    let language = Language::of(&folder)?;
    if sdk::is_of_another_release(&folder, language) {
        tool::told(
            "the SDK in .gatehouse/ is of another release than this program; `gatehouse policy sdk` puts this one's there",
        );
    }
    let products = match language {
        Language::Rust => rust::build(&folder),
        Language::Go => go::build(&folder),
        Language::Js => js::build(&folder),
        Language::Python => python::build(&folder),
        Language::Cel => Err(format!("{}: a policy in CEL is not built; it is applied as it is", folder.display())),
    };
    products?.into_iter().map(|product| load(runtime, product)).collect()
}

fn load(runtime: &Arc<Runtime>, product: Product) -> Result<Built, String> {
    let Product { folder, component } = product;
    let module = runtime.load(&component).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(Built { name: module.metadata.name.clone(), folder, component, module })
}

/// Where what is made on the way lies.
fn output(folder: &Path) -> Result<PathBuf, String> {
    let out = folder.join("target");
    fs::create_dir_all(&out).map_err(|error| format!("{}: {error}", out.display()))?;
    Ok(out)
}

/// The world of a policy in an interpreted language, which its source is named after.
fn entry(folder: &Path, extension: &str) -> Result<(World, PathBuf), String> {
    let source = |world: World| folder.join(format!("src/{}.{extension}", world.as_str()));
    let both = [World::Validator, World::Mutator].map(|world| (world, source(world)));
    match both.each_ref().map(|(_, source)| source.exists()) {
        [true, false] => Ok(both[0].clone()),
        [false, true] => Ok(both[1].clone()),
        _ => Err(format!(
            "{}: the policy must be in src/validator.{extension} or in src/mutator.{extension}, and in one of them",
            folder.display()
        )),
    }
}

/// What a tool says, with the ability that it misses because binding.yaml does not grant it, where its name stands between
/// two texts.
fn ungranted(why: &str, before: &str, after: &str) -> String {
    let ability = why.split_once(before).and_then(|(_, rest)| rest.split_once(after)).map(|(ability, _)| ability);
    match ability {
        Some(name) => format!("{why}\nthe policy imports {name}, which spec.grants in binding.yaml does not name"),
        None => why.to_owned(),
    }
}

/// Writes the world of such a policy: it imports what binding.yaml grants.
fn world(folder: &Path, wit: &Path, world: World) -> Result<(), String> {
    let binding = manifest::binding(folder)?;
    let grants = binding["spec"]["grants"].as_array().into_iter().flatten();
    let grants: Vec<String> = grants.filter_map(|grant| Some(grant.as_str()?.to_owned())).collect();
    contract::write(wit, world, &grants)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ability_that_is_not_granted_is_named() {
        let said = "Error: Error resolving module 'gatehouse:policy/log@1.0.0' from 'x'";
        assert!(
            ungranted(said, "module 'gatehouse:policy/", "@")
                .ends_with("imports log, which spec.grants in binding.yaml does not name")
        );
        assert_eq!(ungranted("other", "module 'gatehouse:policy/", "@"), "other");
    }

    #[test]
    fn a_source_is_named_after_its_world() {
        let folder = tempfile::tempdir().unwrap();
        let write = |file: &str| fs::write(folder.path().join(file), "").unwrap();
        fs::create_dir(folder.path().join("src")).unwrap();
        assert!(entry(folder.path(), "js").unwrap_err().contains("src/validator.js or in src/mutator.js"));
        write("src/mutator.js");
        assert_eq!(entry(folder.path(), "js").unwrap().0, World::Mutator);
        write("src/validator.js");
        assert!(entry(folder.path(), "js").is_err());
    }
}
