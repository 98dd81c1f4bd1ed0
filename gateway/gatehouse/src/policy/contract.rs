//! The contract in `wit/` as this program knows it: what SDKs carry along, and the world of one policy for tools that make
//! components from it. Binds nothing (`wasm` does).

use std::fs;
use std::path::Path;

use wasm::World;
use wit_parser::{PackageId, Resolve, SourceMap};

/// Every file of it.
pub(super) const FILES: &[(&str, &str)] = &[
    ("authorizer.wit", include_str!("../../../../wit/authorizer.wit")),
    ("cluster.wit", include_str!("../../../../wit/cluster.wit")),
    ("log.wit", include_str!("../../../../wit/log.wit")),
    ("policy.wit", include_str!("../../../../wit/policy.wit")),
    ("types.wit", include_str!("../../../../wit/types.wit")),
    ("worlds.wit", include_str!("../../../../wit/worlds.wit")),
];

/// The world that [`write`] makes.
pub(super) const POLICY: &str = "policy";

/// The contract, parsed.
pub(super) fn parse() -> Result<(Resolve, PackageId), String> {
    let mut files = SourceMap::new();
    for (name, text) in FILES {
        files.push_str(name, *text);
    }
    let group = files.parse().map_err(|(_, error)| format!("read the contract: {error}"))?;
    let mut resolve = Resolve::default();
    let package = resolve.push_group(group).map_err(|error| format!("read the contract: {error}"))?;
    Ok((resolve, package))
}

/// Writes the world of one policy with the contract below it. Tools for languages that are interpreted import all of a
/// world, whether the policy uses it or not, so that it has no more than the policy's binding grants.
pub(super) fn write(folder: &Path, world: World, grants: &[String]) -> Result<(), String> {
    let contract = folder.join("deps/gatehouse-policy");
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    fs::create_dir_all(&contract).map_err(failed)?;
    for (name, text) in FILES {
        fs::write(contract.join(name), text).map_err(failed)?;
    }
    fs::write(folder.join("policy.wit"), text(world, grants)).map_err(failed)
}

fn text(world: World, grants: &[String]) -> String {
    let export = match world {
        World::Validator => "validation",
        World::Mutator => "mutation",
    };
    let imports: String = grants.iter().map(|grant| format!("  import gatehouse:policy/{grant}@1.0.0;\n")).collect();
    format!("package gatehouse:build;\n\nworld {POLICY} {{\n{imports}  export gatehouse:policy/{export}@1.0.0;\n}}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_known_and_a_policy_has_what_it_is_granted() {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
        for entry in fs::read_dir(top).unwrap() {
            let file = entry.unwrap().file_name().into_string().unwrap();
            assert!(file.ends_with(".md") || FILES.iter().any(|(name, _)| *name == file), "{file}");
        }
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), World::Mutator, &["cluster".to_owned()]).unwrap();
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_dir(folder.path()).unwrap();
        let world = resolve.select_world(&[package], Some(POLICY)).unwrap();
        let named = |key| resolve.name_world_key(key);
        let world = &resolve.worlds[world];
        let imports: Vec<String> = world.imports.keys().map(named).collect();
        assert_eq!(imports, ["gatehouse:policy/types@1.0.0", "gatehouse:policy/cluster@1.0.0"]);
        assert_eq!(world.exports.keys().map(named).collect::<Vec<_>>(), ["gatehouse:policy/mutation@1.0.0"]);
    }
}
