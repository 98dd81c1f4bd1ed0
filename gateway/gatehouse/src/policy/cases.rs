//! Cases of a policy, as `cases/*.yaml` holds them, and whether an answer is the one expected.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use admission::policy::set::{Entry, Unfit};
use admission::policy::trial::{self, Given};
use model::json::{Value, json};
use wasm::{Module, Violation};

use super::fake::Fake;
use super::{document, subject};

/// Running time in cases: a slow machine that tests must not fail them. `bench` says what a call costs.
const DEADLINE: Duration = Duration::from_secs(2);

/// One case.
pub(super) struct Case {
    /// The file's name.
    pub(super) file: String,
    /// What it is about.
    pub(super) name: String,
    /// `settings`, `request`, `object`, `old`, `params`, `cluster`, `authorizer`, `expect`.
    pub(super) body: Value,
    /// Where files are that a case names.
    folder: PathBuf,
}

/// Every case of a folder; none is an error.
pub(super) fn read(folder: &Path) -> Result<Vec<Case>, String> {
    let failed = |path: &Path, why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    let hint = "there is no case; write one into a file NAME.yaml there, `gatehouse policy new` shows the form";
    let mut cases = Vec::new();
    for path in document::files(folder).map_err(|_| failed(folder, &hint))? {
        let body = document::one(&path.display().to_string())?;
        let listed = body.get("cases").and_then(Value::as_array).cloned();
        for body in listed.ok_or_else(|| failed(&path, &"there is no list `cases`"))? {
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let name = body["name"].as_str().unwrap_or("a case without a name").to_owned();
            spread(Case { file, name, body, folder: folder.to_owned() }, &mut cases)?;
        }
    }
    if cases.is_empty() { Err(failed(folder, &hint)) } else { Ok(cases) }
}

/// A case with `each: FILES` is one case for every object in these files.
fn spread(case: Case, cases: &mut Vec<Case>) -> Result<(), String> {
    let Some(each) = case.body["each"].as_str() else {
        cases.push(case);
        return Ok(());
    };
    for file in document::files(&case.folder.join(each)).map_err(|why| format!("{}: each: {why}", case.file))? {
        for object in document::objects(&file.display().to_string())? {
            let mut body = case.body.clone();
            body["object"] = object;
            let name = format!("{}: {}", case.name, file.file_stem().unwrap_or_default().to_string_lossy());
            cases.push(Case { file: case.file.clone(), name, body, folder: case.folder.clone() });
        }
    }
    Ok(())
}

/// Cases of one policy: binds it once for all that have the same settings.
pub(super) struct Judge<'a> {
    module: &'a Arc<Module>,
    /// binding.yaml.
    binding: &'a Value,
    bound: Option<(Value, Result<Entry, Unfit>)>,
}

impl<'a> Judge<'a> {
    /// For a module with what binding.yaml grants it.
    pub(super) fn of(module: &'a Arc<Module>, binding: &'a Value) -> Self {
        Self { module, binding, bound: None }
    }

    fn bind(&mut self, settings: &Value) -> &Result<Entry, Unfit> {
        let settings = if settings.is_null() { json!({}) } else { settings.clone() };
        let (module, binding) = (self.module, self.binding);
        let again = || {
            let mut binding = binding.clone();
            binding["spec"]["settings"] = settings.clone();
            (settings.clone(), subject::bind(module, &binding, DEADLINE))
        };
        if self.bound.as_ref().is_none_or(|(known, _)| *known != settings) {
            self.bound = None;
        }
        &self.bound.get_or_insert_with(again).1
    }

    /// Runs a case. Fails with how the answer differs from the one expected.
    pub(super) fn judge(&mut self, case: &Case) -> Result<(), String> {
        let (expect, world) = (&case.body["expect"], self.module.world);
        let entry = match (self.bind(&case.body["settings"]), expect["settings"].as_str()) {
            (Ok(entry), None) => entry,
            (Ok(_), Some(field)) => {
                return Err(format!("the settings are accepted, but spec.settings.{field} should be refused"));
            }
            (Err(Unfit::Spec(errors)), Some(field)) => {
                let field = format!("spec.settings.{field}");
                return match errors.0.iter().any(|error| error.field == field) {
                    true => Ok(()),
                    false => Err(format!("{field} should be refused, but what is refused is {errors:?}")),
                };
            }
            (Err(unfit), _) => return Err(unfit.to_string()),
        };
        answer(case, entry, world)
    }
}

fn answer(case: &Case, entry: &Entry, world: wasm::World) -> Result<(), String> {
    let expect = &case.body["expect"];
    let given = |field: &str| Some(&case.body[field]).filter(|value| !value.is_null());
    let (object, old) = (given("object"), given("old"));
    let about = object.or(old).ok_or("the case has neither `object` nor `old`")?;
    let request = trial::request(&case.body["request"], about)?;
    let cluster = Fake::of(cluster(case)?, &case.body["authorizer"], &entry.binding)?;
    let tried = |object| {
        let given = Given { params: given("params"), reach: cluster.clone() };
        trial::run_with(entry, &request, object, old, given).outcome
    };
    let outcome = match (tried(object), expect["error"].as_str()) {
        (Ok(outcome), None) => outcome,
        (Err(failure), Some(part)) if failure.to_string().contains(part) => return Ok(()),
        (Err(failure), _) => return Err(failure.to_string()),
        (Ok(_), Some(part)) => return Err(format!("it judges, but should fail with {part:?}")),
    };
    each(&expect["warnings"], |wanted| outcome.warnings.iter().any(|text| text.contains(wanted.as_str().unwrap_or("\0"))))
        .map_err(|wanted| format!("expected the warning {wanted}, got {:?}", outcome.warnings))?;
    match world {
        wasm::World::Validator => verdict(expect, &outcome.violations),
        wasm::World::Mutator => {
            let before = object.unwrap_or(&Value::Null);
            let after = outcome.changed.as_ref().unwrap_or(before);
            mutation(expect, before, after)?;
            match tried(Some(after)).map_err(|failure| failure.to_string())?.changed {
                None => Ok(()),
                Some(other) => Err(format!("asked again it changes its own work: {other}")),
            }
        }
    }
}

/// `cluster` of a case: objects, or files of objects.
fn cluster(case: &Case) -> Result<Vec<Value>, String> {
    let listed = match &case.body["cluster"] {
        Value::Array(listed) => listed.clone(),
        Value::Null => Vec::new(),
        one => vec![one.clone()],
    };
    let mut objects = Vec::new();
    for one in listed {
        match one.as_str() {
            Some(file) => objects.extend(document::objects(&case.folder.join(file).display().to_string())?),
            None => objects.push(one),
        }
    }
    Ok(objects)
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
