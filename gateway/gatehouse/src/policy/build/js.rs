//! Policies in JavaScript: npm brings componentize-qjs in the version that the lock file names, which puts the policy and
//! the engine QuickJS into a component, as they are when the policy's modules have been loaded.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Product, Tool, entry, output, tool, ungranted, world};
use crate::policy::contract;

const NPM: Tool =
    Tool { program: "npm", remedy: "install Node.js 18 or newer: https://nodejs.org, or `apt-get install nodejs npm`" };
const NODE: Tool = Tool { program: "node", remedy: NPM.remedy };

/// Where the tool and the SDK are installed.
const MODULES: &str = "node_modules";
const COMPONENTIZE: &str = "node_modules/componentize-qjs/bin/componentize-qjs";
const SDK: &str = "node_modules/@gatehouse/policy";

pub(super) fn build(folder: &Path) -> Result<Vec<Product>, String> {
    let (kind, source) = entry(folder, "js")?;
    install(folder)?;
    let out = output(folder)?;
    let wit = out.join("wit");
    world(folder, &wit, kind)?;
    let wasm = out.join("policy.wasm");
    // The engine names no line of what it cannot read; Node.js does.
    let mut checked = NODE.command(folder);
    checked.arg("--check").arg(&source);
    NODE.quiet(checked)?;
    let mut command = NODE.command(folder);
    command.arg(COMPONENTIZE).arg("--wit").arg(&wit).args(["--world", contract::POLICY]);
    // Without --sync it wants a host of another generation of the component model.
    command.arg("--sync").arg("--js").arg(&source).arg("--module-root").arg(root(folder)).arg("--output").arg(&wasm);
    tool::told("putting the policy and QuickJS into a component");
    NODE.quiet(command).map_err(|why| ungranted(&why, "resolving module 'gatehouse:policy/", "@"))?;
    let component = fs::read(&wasm).map_err(|error| format!("{}: {error}", wasm.display()))?;
    Ok(vec![Product { folder: folder.to_owned(), component }])
}

/// Installs what the lock file names, unless that was done since it changed.
fn install(folder: &Path) -> Result<(), String> {
    let changed = |file: PathBuf| fs::metadata(file).and_then(|file| file.modified()).ok();
    let (installed, locked) =
        (changed(folder.join(MODULES).join(".package-lock.json")), changed(folder.join("package-lock.json")));
    if installed.is_some() && locked <= installed {
        return Ok(());
    }
    tool::told("npm installs what package-lock.json names, once");
    let mut command = NPM.command(folder);
    command.args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
    NPM.quiet(command)
}

/// The folder that holds both the policy and the SDK that it links to; modules are found nowhere else.
fn root(folder: &Path) -> PathBuf {
    let sdk = folder.join(SDK).canonicalize().unwrap_or_else(|_| folder.to_owned());
    folder.ancestors().find(|above| sdk.starts_with(above)).unwrap_or(folder).to_owned()
}
