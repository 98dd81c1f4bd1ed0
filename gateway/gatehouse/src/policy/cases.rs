//! Cases of a policy, as `cases/*.yaml` holds them, and whether an answer is the one expected.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use admission::policy::binding::Binding;
use admission::policy::set::{Entry, Unfit};
use admission::policy::trial;
use serde_json::{Value, json};
use wasm::{Module, Violation};

/// Running time in cases: a slow machine that tests must not fail them. `bench` says what a call costs.
const DEADLINE: Duration = Duration::from_secs(2);

/// One case.
pub(super) struct Case {
    /// The file's name.
    pub(super) file: String,
    /// What it is about.
    pub(super) name: String,
    /// `settings`, `request`, `object`, `old`, `expect`.
    pub(super) body: Value,
}

/// Every case of a policy's folder; none is an error.
pub(super) fn read(folder: &Path) -> Result<Vec<Case>, String> {
    let folder = folder.join("cases");
    let failed = |path: &Path, why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    let entries = fs::read_dir(&folder).map_err(|error| failed(&folder, &error))?;
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    let mut cases = Vec::new();
    for path in files {
        let text = fs::read(&path).map_err(|error| failed(&path, &error))?;
        let parsed = codec::yaml::parse(&text).map_err(|error| failed(&path, &error))?;
        let listed = parsed.value.get("cases").and_then(Value::as_array).cloned();
        for body in listed.ok_or_else(|| failed(&path, &"there is no list `cases`"))? {
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let name = body["name"].as_str().unwrap_or("a case without a name").to_owned();
            cases.push(Case { file, name, body });
        }
    }
    if cases.is_empty() { Err(failed(&folder, &"there is no case")) } else { Ok(cases) }
}

/// The policy with some settings. `granted` comes from binding.yaml.
pub(super) fn bind(module: &Arc<Module>, settings: &Value, granted: &Value) -> Result<Entry, Unfit> {
    let settings = if settings.is_null() { json!({}) } else { settings.clone() };
    let object = json!({"metadata": {"name": module.metadata.name}, "spec": {"settings": settings, "grants": granted}});
    let mut binding = Binding::from_object(&object).map_err(Unfit::Module)?;
    binding.deadline = DEADLINE;
    Entry::bind(binding, module)
}

/// Runs a case. Fails with how the answer differs from the one expected.
pub(super) fn judge(case: &Case, module: &Arc<Module>, granted: &Value) -> Result<(), String> {
    let expect = &case.body["expect"];
    let entry = match (bind(module, &case.body["settings"], granted), expect["settings"].as_str()) {
        (Ok(entry), None) => entry,
        (Ok(_), Some(field)) => return Err(format!("the settings are accepted, but spec.settings.{field} should be refused")),
        (Err(Unfit::Spec(errors)), Some(field)) => {
            let field = format!("spec.settings.{field}");
            return match errors.0.iter().any(|error| error.field == field) {
                true => Ok(()),
                false => Err(format!("{field} should be refused, but what is refused is {}", Unfit::Spec(errors))),
            };
        }
        (Err(unfit), _) => return Err(unfit.to_string()),
    };
    let given = |field: &str| Some(&case.body[field]).filter(|value| !value.is_null());
    let (object, old) = (given("object"), given("old"));
    let about = object.or(old).ok_or("the case has neither `object` nor `old`")?;
    let request = trial::request(&case.body["request"], about)?;
    let outcome = trial::run(&entry, &request, object, old).outcome.map_err(|failure| failure.to_string())?;
    each(&expect["warnings"], |wanted| outcome.warnings.iter().any(|text| text.contains(wanted.as_str().unwrap_or("\0"))))
        .map_err(|wanted| format!("expected the warning {wanted}, got {:?}", outcome.warnings))?;
    match module.world {
        wasm::World::Validator => verdict(expect, &outcome.violations),
        wasm::World::Mutator => {
            let before = object.unwrap_or(&Value::Null);
            let after = outcome.changed.as_ref().unwrap_or(before);
            mutation(expect, before, after)?;
            let again = trial::run(&entry, &request, Some(after), old).outcome.map_err(|failure| failure.to_string())?;
            match again.changed {
                None => Ok(()),
                Some(other) => Err(format!("asked again it changes its own work: {other}")),
            }
        }
    }
}

fn verdict(expect: &Value, violations: &[Violation]) -> Result<(), String> {
    let told = || violations.iter().map(tell).collect::<Vec<_>>().join("; ");
    let allowed = expect["allowed"].as_bool().ok_or("the case does not say `expect.allowed`")?;
    if allowed != violations.is_empty() {
        return Err(if allowed { format!("should be allowed, but: {}", told()) } else { "should be refused".to_owned() });
    }
    let fits = |wanted: &Value, violation: &Violation| {
        let same = |field: &str, text: &str| wanted[field].as_str().is_none_or(|wanted| wanted == text);
        same("rule", &violation.rule)
            && same("field", &violation.field)
            && wanted["message"].as_str().is_none_or(|part| violation.message.contains(part))
    };
    each(&expect["violations"], |wanted| violations.iter().any(|violation| fits(wanted, violation)))
        .map_err(|wanted| format!("expected {wanted}, but the violations are: {}", told()))
}

fn mutation(expect: &Value, before: &Value, after: &Value) -> Result<(), String> {
    let expected = match (&expect["object"], expect["unchanged"].as_bool()) {
        (_, Some(true)) => before,
        (Value::Null, _) => return Err("the case says neither `expect.object` nor `expect.unchanged`".to_owned()),
        (object, _) => object,
    };
    if after == expected { Ok(()) } else { Err(format!("expected {expected}\n      but got {after}")) }
}

/// How a violation is shown.
pub(super) fn tell(violation: &Violation) -> String {
    let field = if violation.field.is_empty() { String::new() } else { format!("{}: ", violation.field) };
    format!("{field}{} (rule {})", violation.message, violation.rule)
}

/// The first of a list that is not found.
fn each(wanted: &Value, found: impl Fn(&Value) -> bool) -> Result<(), Value> {
    match wanted.as_array().into_iter().flatten().find(|wanted| !found(wanted)) {
        Some(missing) => Err(missing.clone()),
        None => Ok(()),
    }
}
