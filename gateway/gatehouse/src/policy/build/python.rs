//! Policies in Python: pip brings componentize-py in the version that requirements.txt names, into a virtual environment
//! of the policy's own; it puts the policy and CPython into a component, as they are when the policy has been imported.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Product, Tool, entry, output, tool, ungranted, world};
use crate::policy::contract;

const PYTHON: Tool<'_> =
    Tool { program: "python3", remedy: "install Python 3.10 or newer: `apt-get install python3 python3-venv`" };

const REQUIREMENTS: &str = "requirements.txt";
/// The SDK, beside the policy or in the repository around it.
const SDK: [&str; 2] = [".gatehouse/sdk/python", "sdk/python"];

pub(super) fn build(folder: &Path) -> Result<Vec<Product>, String> {
    let (kind, _) = entry(folder, "py")?;
    let out = output(folder)?;
    let environment = install(folder, &out)?;
    let wit = out.join("wit");
    world(folder, &wit, kind)?;
    let wasm = out.join("policy.wasm");
    let componentize = environment.join("bin/componentize-py").display().to_string();
    let tool = Tool { program: &componentize, remedy: "remove target/venv and build again" };
    let mut command = tool.command(folder);
    command.arg("--quiet").arg("--wit-path").arg(&wit).args(["--world", contract::POLICY, "componentize"]);
    // CPython imports sockets and more, which no host of policies has.
    command.args(["--stub-wasi", "--python-path", "src", "--python-path"]).arg(sdk(folder)?);
    command.arg("--output").arg(&wasm).arg(kind.as_str());
    tool::told("putting the policy and CPython into a component, which takes a while");
    tool.quiet(command).map_err(|why| wrong(&why))?;
    let component = fs::read(&wasm).map_err(|error| format!("{}: {error}", wasm.display()))?;
    Ok(vec![Product { folder: folder.to_owned(), component }])
}

/// What componentize-py says goes wrong, without its own stack.
fn wrong(why: &str) -> String {
    let told = why.split("\nStack backtrace:").next().unwrap_or(why).trim_end();
    ungranted(told, "cannot import name '", "' from 'wit_world.imports'")
}

/// Makes the virtual environment, unless it has what requirements.txt asks for.
fn install(folder: &Path, out: &Path) -> Result<PathBuf, String> {
    let environment = out.join("venv");
    let wanted = fs::read(folder.join(REQUIREMENTS)).map_err(|error| format!("{REQUIREMENTS}: {error}"))?;
    let installed = environment.join(REQUIREMENTS);
    if fs::read(&installed).is_ok_and(|installed| installed == wanted) {
        return Ok(environment);
    }
    tool::told("pip installs what requirements.txt names, once");
    let mut command = PYTHON.command(folder);
    command.args(["-m", "venv", "--clear"]).arg(&environment);
    PYTHON.quiet(command)?;
    let python = environment.join("bin/python").display().to_string();
    let pip = Tool { program: &python, remedy: PYTHON.remedy };
    let mut command = pip.command(folder);
    command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", REQUIREMENTS]);
    pip.quiet(command)?;
    fs::write(&installed, wanted).map_err(|error| format!("{}: {error}", installed.display()))?;
    Ok(environment)
}

fn sdk(folder: &Path) -> Result<PathBuf, String> {
    let places = SDK.iter().flat_map(|place| folder.ancestors().map(move |above| above.join(place)));
    let found = places.into_iter().find(|place| place.join("gatehouse_policy").is_dir());
    found.ok_or_else(|| {
        format!("{}: the SDK is missing; `gatehouse policy new --lang python` writes it to .gatehouse", folder.display())
    })
}

#[cfg(test)]
mod tests {
    use super::wrong;

    #[test]
    fn an_ability_that_is_not_granted_is_named() {
        let said = "ImportError: cannot import name 'cluster' from 'wit_world.imports' (/x)\n\nStack backtrace:\n  0: main";
        let told = wrong(said);
        assert!(told.ends_with("the policy imports cluster, which spec.grants in binding.yaml does not name"), "{told}");
        assert!(!told.contains("main"));
        assert_eq!(wrong("SyntaxError: (\n"), "SyntaxError: (");
    }
}
