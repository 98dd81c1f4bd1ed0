//! What every file must keep to, as checks that `cargo x check` and the tests run: layers, headers, size, nothing unfinished.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::run::{Failed, root};

/// Files longer than this need a place in [`LONG`].
const LINES_MAX: usize = 600;
/// Files that are longer, each with the lines it may have. This list may only shrink.
const LONG: &[(&str, usize)] = &[];
/// Marks of unfinished work, in pieces so that this file does not find itself.
const UNFINISHED: &[&str] =
    &[concat!("FIX", "ME"), concat!("TO", "DO"), concat!("XX", "X:"), concat!("to", "do!("), concat!("unimple", "mented!(")];
/// Folders with sources that people write.
const SOURCES: &[&str] = &["gateway", "sdk", "policies", "examples", "conformance", "wit"];
/// Tables that `cargo x import` and other tools write.
const GENERATED: &[&str] = &[
    "gateway/catalog/data/",
    "conformance/go.sum",
    "conformance/corpus/answers/",
    "conformance/operators/answers/",
    "conformance/gaps/corpus.txt",
];

/// Every check; fails with all that is wrong.
pub(crate) fn run() -> Result<(), Failed> {
    let files = sources();
    let mut faults = Vec::new();
    faults.extend(layers());
    for (path, text) in &files {
        faults.extend(header(path, text));
        faults.extend(size(path, text));
        faults.extend(unfinished(path, text));
        faults.extend(machine(path, text));
    }
    println!("\n==> tidy: {} files", files.len());
    if faults.is_empty() { Ok(()) } else { Err(Failed(format!("not tidy:\n    {}", faults.join("\n    ")))) }
}

/// Every source, by its path from the top folder.
fn sources() -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for folder in SOURCES {
        collect(&root().join(folder), &mut files);
    }
    files
}

fn collect(folder: &Path, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path: PathBuf = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && name != "node_modules" && !name.starts_with('.') {
                collect(&path, files);
            }
        } else if let (Ok(text), Ok(relative)) = (fs::read_to_string(&path), path.strip_prefix(root())) {
            let relative = relative.to_string_lossy().into_owned();
            if !GENERATED.iter().any(|generated| relative.starts_with(generated)) {
                files.insert(relative, text);
            }
        }
    }
}

/// A crate imports crates of lower layers only, as the table of gateway/ARCHITECTURE.md says.
fn layers() -> Vec<String> {
    let table = fs::read_to_string(root().join("gateway/ARCHITECTURE.md")).unwrap_or_default();
    let layers = read_table(&table);
    let mut faults = Vec::new();
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join("gateway")).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Ok(manifest) = fs::read_to_string(entry.path().join("Cargo.toml")) else { continue };
        found.push(name.clone());
        let Some(layer) = layers.get(&name) else {
            faults.push(format!("gateway/{name}: not in the table of gateway/ARCHITECTURE.md"));
            continue;
        };
        for import in imports(&manifest, &layers) {
            if layer.is_some() && layers[&import] >= *layer {
                faults.push(format!("gateway/{name} imports {import}, which does not lie below it"));
            }
        }
    }
    faults.extend(
        layers.keys().filter(|name| !found.contains(name)).map(|name| format!("gateway/{name}: in the table, but no such crate")),
    );
    faults
}

/// Crates by layer, from lines such as "| 3 | `authn` | who speaks | decide |". A dash means outside of all layers.
fn read_table(text: &str) -> BTreeMap<String, Option<u8>> {
    let mut layers = BTreeMap::new();
    for line in text.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, layer, crates, _, ..] = cells.as_slice() else { continue };
        let layer = match layer.parse() {
            Ok(number) => Some(number),
            Err(_) if *layer == "–" => None,
            Err(_) => continue,
        };
        for name in crates.split('`').skip(1).step_by(2) {
            layers.insert(name.to_owned(), layer);
        }
    }
    layers
}

/// The crates of this workspace that a manifest names outside of its tests.
fn imports(manifest: &str, layers: &BTreeMap<String, Option<u8>>) -> Vec<String> {
    let mut section = "";
    let mut imports = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
        } else if section == "[dependencies]" {
            let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
            if layers.contains_key(name) {
                imports.push(name.to_owned());
            }
        }
    }
    imports
}

/// A Rust file says at its head what it is.
fn header(path: &str, text: &str) -> Option<String> {
    let wanted = path.ends_with(".rs") && !text.starts_with("//!");
    wanted.then(|| format!("{path}: must open with //! and say what it is and what it is not"))
}

fn size(path: &str, text: &str) -> Option<String> {
    let code = [".rs", ".go", ".wit"].iter().any(|extension| path.ends_with(extension));
    let lines = text.lines().count();
    let max = LONG.iter().find(|(long, _)| *long == path).map_or(LINES_MAX, |(_, lines)| *lines);
    (code && lines > max).then(|| format!("{path}: {lines} lines, at most {max}: split it by what it holds"))
}

fn unfinished(path: &str, text: &str) -> Vec<String> {
    let code = [".rs", ".go", ".wit", ".toml"].iter().any(|extension| path.ends_with(extension));
    let lines = text.lines().enumerate().filter(|_| code);
    lines
        .filter_map(|(index, line)| {
            UNFINISHED.iter().find(|mark| line.contains(**mark)).map(|mark| format!("{path}:{}: {mark}", index + 1))
        })
        .collect()
}

/// No path of the machine it was written on, and no name of a private registry.
fn machine(path: &str, text: &str) -> Vec<String> {
    const MARKS: &[&str] = &[concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/wo", "rk/"), concat!("/Use", "rs/")];
    let lines = text.lines().enumerate();
    lines
        .filter_map(|(index, line)| {
            MARKS
                .iter()
                .find(|mark| line.contains(**mark))
                .map(|mark| format!("{path}:{}: names {mark} of some machine", index + 1))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_tidy() {
        if let Err(failed) = run() {
            panic!("{failed}");
        }
    }

    #[test]
    fn reads_layers_and_imports() {
        let table = "| layer | crate | holds |\n|---|---|---|\n| 0 | `model` | x | y |\n| 3 | `authn`, `authz` | x | y |\n| – | `xtask` | x | y |\n";
        let layers = read_table(table);
        assert_eq!(layers["authz"], Some(3));
        assert_eq!(layers["xtask"], None);
        assert_eq!(layers.len(), 4);
        let manifest = "[package]\nname = \"authn\"\n[dependencies]\nmodel.workspace = true\nserde = \"1\"\n[dev-dependencies]\nauthz.workspace = true\n";
        assert_eq!(imports(manifest, &layers), ["model"]);
    }

    #[test]
    fn finds_what_it_looks_for() {
        assert!(header("a.rs", "use x;\n").is_some());
        assert!(header("a.rs", "//! A.\n").is_none());
        assert!(size("a.rs", &"x\n".repeat(LINES_MAX + 1)).is_some());
        assert_eq!(unfinished("a.rs", &format!("ok\n// {}: later\n", UNFINISHED[0])).len(), 1);
        assert!(unfinished("a.md", UNFINISHED[0]).is_empty());
        assert_eq!(machine("a.rs", &format!("\"{}x\"\n", concat!("/ho", "me/"))).len(), 1);
    }
}
