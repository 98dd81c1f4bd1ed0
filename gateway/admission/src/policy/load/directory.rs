//! `--policy-dir`: `NAME.wasm` is the module NAME, `*.yaml` holds ClusterPolicyBindings. Read once, before the first request.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::Value;
use wasm::{Module, Runtime};

use crate::policy::binding::Binding;
use crate::policy::set::Entry;

/// What the directory gave.
#[derive(Default)]
pub(in crate::policy) struct Fixed {
    /// Its bindings.
    pub(in crate::policy) entries: Vec<Arc<Entry>>,
}

/// Reads a directory. Fails on the first thing that could not be enforced.
pub(super) fn read(runtime: &Arc<Runtime>, directory: &Path) -> Result<Fixed, String> {
    let mut modules = BTreeMap::new();
    for path in files(directory, &["wasm"])? {
        let failed = |why: String| format!("{}: {why}", path.display());
        let bytes = fs::read(&path).map_err(|error| failed(error.to_string()))?;
        let module = runtime.load(&bytes).map_err(|error| failed(error.to_string()))?;
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        modules.insert(name, module);
    }
    let mut entries: Vec<Arc<Entry>> = Vec::new();
    for path in files(directory, &["yaml", "yml", "json"])? {
        for object in documents(&path)? {
            let entry = bind(&object, &modules).map_err(|why| format!("{}: {why}", path.display()))?;
            if entries.iter().any(|other| other.binding.name == entry.binding.name) {
                return Err(format!("{}: there are two bindings of the name {:?}", path.display(), entry.binding.name));
            }
            entries.push(Arc::new(entry));
        }
    }
    Ok(Fixed { entries })
}

fn bind(object: &Value, modules: &BTreeMap<String, Arc<Module>>) -> Result<Entry, String> {
    let kind = object.get("kind").and_then(Value::as_str).unwrap_or("");
    if kind != "ClusterPolicyBinding" {
        return Err(format!("{kind:?} has no place here; only ClusterPolicyBinding has"));
    }
    let binding = Binding::from_object(object)?;
    if binding.name.is_empty() {
        return Err("metadata.name: Required value".to_owned());
    }
    let name = binding.name.clone();
    let find = |module: &str| modules.get(module).cloned().ok_or_else(|| format!("there is no {module}.wasm beside it"));
    let entry = Entry::with_candidate(binding, &find).map_err(|why| format!("binding {name:?}: {why}"))?;
    match &entry.candidate_wrong {
        Some(why) => Err(format!("binding {name:?}: {why}")),
        None => Ok(entry),
    }
}

fn files(directory: &Path, endings: &[&str]) -> Result<Vec<PathBuf>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", directory.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().and_then(|ending| ending.to_str()).is_some_and(|ending| endings.contains(&ending)) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn documents(path: &Path) -> Result<Vec<Value>, String> {
    let failed = |why: String| format!("{}: {why}", path.display());
    let text = fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    let mut documents = Vec::new();
    for document in text.split("\n---") {
        let value = codec::yaml::parse(document.as_bytes()).map_err(|error| failed(error.to_string()))?.value;
        if !value.is_null() {
            documents.push(value);
        }
    }
    Ok(documents)
}
