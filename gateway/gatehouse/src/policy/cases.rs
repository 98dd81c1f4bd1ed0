//! Cases of a policy, as `cases/*.yaml` holds them, and whether an answer is the one expected.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use admission::policy::set::{Entry, Unfit};
use admission::policy::trial::{self, Outcome, Trial};
use model::json::{Value, json};
use wasm::{Failure, Module, Violation, World};

use super::cel::Cel;
use super::corpus::changes;
use super::subject::{Asked, Policy};
use super::{document, form, manifest, subject};

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
    if !folder.exists() {
        let hint = "No such file or directory; cases lie in cases/ beside the policy, or where --cases says";
        return Err(failed(folder, &hint));
    }
    let mut cases = Vec::new();
    for path in document::files(folder).map_err(|_| failed(folder, &hint))? {
        let body = document::one(&path.display().to_string())?;
        let listed = body.get("cases").and_then(Value::as_array).cloned();
        for mut body in listed.ok_or_else(|| failed(&path, &"there is no list `cases`"))? {
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let name = body["name"].as_str().unwrap_or("a case without a name").to_owned();
            form::check(&body).map_err(|why| failed(&path, &format!("{name}: {why}")))?;
            if body["request"]["operation"].is_null() {
                let has = |field: &str| !body[field].is_null();
                body["request"]["operation"] = form::operation(has("object") || has("each"), has("old")).into();
            }
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

/// Cases of one policy.
pub(super) enum Judge {
    /// A component, bound once for all that have the same settings.
    Component {
        module: Arc<Module>,
        /// binding.yaml.
        binding: Value,
        bound: Option<Box<(Value, Result<Entry, Unfit>)>>,
    },
    /// A policy in CEL, whose settings are parameters.
    Cel(Cel),
}

impl Judge {
    /// For a policy with what its binding grants it.
    pub(super) fn of(policy: Policy) -> Result<Self, String> {
        match policy {
            Policy::Component(built) => {
                Ok(Self::Component { module: built.module, binding: manifest::binding(&built.folder)?, bound: None })
            }
            Policy::Cel(cel) => Ok(Self::Cel(cel)),
        }
    }

    /// Runs a case. Fails with how the answer differs from the one expected.
    pub(super) fn judge(&mut self, case: &Case) -> Result<(), String> {
        match self {
            Self::Component { module, binding, bound } => {
                let settings = match &case.body["settings"] {
                    Value::Null => json!({}),
                    settings => settings.clone(),
                };
                if bound.as_ref().is_none_or(|bound| bound.0 != settings) {
                    *bound = None;
                }
                let bind = || Box::new((settings.clone(), bind(module, binding, &settings)));
                component(case, &bound.get_or_insert_with(bind).1, module.world)
            }
            Self::Cel(cel) => in_cel(case, cel),
        }
    }
}

fn bind(module: &Arc<Module>, binding: &Value, settings: &Value) -> Result<Entry, Unfit> {
    let mut binding = binding.clone();
    binding["spec"]["settings"] = settings.clone();
    subject::bind(module, &binding, DEADLINE)
}

fn component(case: &Case, bound: &Result<Entry, Unfit>, world: World) -> Result<(), String> {
    let refused = match bound {
        Ok(_) => None,
        Err(Unfit::Spec(errors)) => Some(errors.0.iter().map(|error| error.field.as_str()).collect()),
        Err(Unfit::Module(why)) => return Err(why.clone()),
    };
    let told = || bound.as_ref().err().map(ToString::to_string).unwrap_or_default();
    if settled(case, "spec.settings", refused, &told)? {
        return Ok(());
    }
    let entry = bound.as_ref().map_err(ToString::to_string)?;
    let given = Given::of(case, trial::request)?;
    given.is_asked(case, |asked| subject::unmatched(entry, asked).is_none())?;
    answer(case, world, given.object, &|object| subject::judge(entry, &Asked { object, ..given.asked() }))
}

fn in_cel(case: &Case, cel: &Cel) -> Result<(), String> {
    let params = cel.params_of(&case.body["settings"]);
    let refused = params.as_ref().err().map(|unfit| unfit.fields.iter().map(String::as_str).collect());
    let told = || params.as_ref().err().map(|unfit| unfit.words.clone()).unwrap_or_default();
    if settled(case, cel.settings_field(), refused, &told)? {
        return Ok(());
    }
    let params = params.map_err(|unfit| unfit.words)?;
    let mut given = Given::of(case, |said, about| cel.request(said, about))?;
    given.params = given.params.or(params.as_ref());
    given.is_asked(case, |asked| cel.concerns(asked))?;
    if cel.world() == World::Validator {
        return answer(case, World::Validator, given.object, &|object| cel.judge(&Asked { object, ..given.asked() }));
    }
    // What a mutation leaves is in normal form, so that what is expected of it is brought there too.
    let mut case =
        Case { body: case.body.clone(), file: case.file.clone(), name: case.name.clone(), folder: case.folder.clone() };
    if !case.body["expect"]["object"].is_null() {
        case.body["expect"]["object"] = cel.settled(&case.body["expect"]["object"]);
    }
    let object = given.object.map(|object| cel.settled(object));
    answer(&case, World::Mutator, object.as_ref(), &|object| cel.judge(&Asked { object, ..given.asked() }))
}

/// Whether a case is about settings that are refused, and they are. Fails where they should not be, or should be.
fn settled(case: &Case, at: &str, refused: Option<Vec<&str>>, told: &dyn Fn() -> String) -> Result<bool, String> {
    match (refused, case.body["expect"]["settings"].as_str()) {
        (None, None) => Ok(false),
        (None, Some(field)) => Err(format!("the settings are accepted, but {at}.{field} should be refused")),
        (Some(fields), Some(field)) if fields.contains(&&*format!("{at}.{field}")) => Ok(true),
        (Some(_), Some(field)) => Err(format!("{at}.{field} should be refused, but what is refused is {}", told())),
        (Some(_), None) => Err(told()),
    }
}

/// What a case gives.
struct Given<'a> {
    request: wasm::Request,
    object: Option<&'a Value>,
    old: Option<&'a Value>,
    params: Option<&'a Value>,
    cluster: Vec<Value>,
    allowed: &'a Value,
}

impl<'a> Given<'a> {
    fn of(case: &'a Case, request: impl Fn(&Value, &Value) -> Result<wasm::Request, String>) -> Result<Self, String> {
        let given = |field: &str| Some(&case.body[field]).filter(|value| !value.is_null());
        let (object, old, params) = (given("object"), given("old"), given("params"));
        let about = object.or(old).ok_or("the case has neither `object` nor `old`")?;
        let request = request(&case.body["request"], about)?;
        Ok(Self { request, object, old, params, cluster: cluster(case)?, allowed: &case.body["authorizer"] })
    }

    fn asked(&self) -> Asked<'_> {
        let Self { request, object, old, params, cluster, allowed } = self;
        Asked { request, object: *object, old: *old, params: *params, cluster, allowed }
    }

    /// Whether the match fields ask the policy as the case expects, where it says so.
    fn is_asked(&self, case: &Case, concerns: impl Fn(&Asked<'_>) -> bool) -> Result<(), String> {
        match (case.body["expect"]["asked"].as_bool(), concerns(&self.asked())) {
            (Some(true), false) => Err("the match fields leave the request out, and should not".to_owned()),
            (Some(false), true) => Err("the match fields should leave the request out".to_owned()),
            _ => Ok(()),
        }
    }
}

/// Tries the policy on an object.
type Try<'a, T> = &'a dyn Fn(Option<&Value>) -> Result<T, String>;

/// Compares what a policy answers with what is expected. What it has logged meanwhile says why it answers so.
fn answer(case: &Case, world: World, object: Option<&Value>, judge: Try<'_, Trial>) -> Result<(), String> {
    let log = RefCell::new(Vec::new());
    let tried = |object: Option<&Value>| {
        let Trial { outcome, log: said, .. } = judge(object)?;
        log.borrow_mut().extend(said);
        Ok(outcome)
    };
    let compared = compare(&case.body["expect"], world, object, &tried);
    compared.map_err(|why| log.take().iter().fold(why, |why, line| format!("{why}\n      {}: {}", line.level, line.message)))
}

fn compare(expect: &Value, world: World, object: Option<&Value>, tried: Try<'_, Result<Outcome, Failure>>) -> Result<(), String> {
    if expect["asked"] == false {
        return Ok(());
    }
    let outcome = match (tried(object)?, expect["error"].as_str()) {
        (Ok(outcome), None) => outcome,
        (Err(failure), Some(part)) if failure.to_string().contains(part) => return Ok(()),
        (Err(failure), _) => return Err(subject::told(&failure)),
        (Ok(_), Some(part)) => return Err(format!("it judges, but should fail with {part:?}")),
    };
    each(&expect["warnings"], |wanted| outcome.warnings.iter().any(|text| text.contains(wanted.as_str().unwrap_or("\0"))))
        .map_err(|wanted| format!("expected the warning {wanted}, got {:?}", outcome.warnings))?;
    match world {
        World::Validator => verdict(expect, &outcome.violations),
        World::Mutator => {
            let before = object.unwrap_or(&Value::Null);
            let after = outcome.changed.as_ref().unwrap_or(before);
            mutation(expect, before, after)?;
            match tried(Some(after))?.map_err(|failure| failure.to_string())?.changed {
                None => Ok(()),
                Some(other) => Err(format!("asked again it changes its own work: {}", changes(after, &other))),
            }
        }
    }
}

/// `cluster` of a case: objects, or files of objects.
pub(super) fn cluster(case: &Case) -> Result<Vec<Value>, String> {
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
    if let Some(field) = ["object", "unchanged"].into_iter().find(|field| !expect[field].is_null()) {
        return Err(format!("`expect.{field}` is about mutators, and this is a validator"));
    }
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
            && wanted["code"].as_str().is_none_or(|code| violation.code.as_deref() == Some(code))
    };
    each(&expect["violations"], |wanted| violations.iter().any(|violation| fits(wanted, violation)))
        .map_err(|wanted| format!("expected {wanted}, but the violations are: {}", told()))
}

fn mutation(expect: &Value, before: &Value, after: &Value) -> Result<(), String> {
    if let Some(field) = ["allowed", "violations"].into_iter().find(|field| !expect[field].is_null()) {
        return Err(format!("`expect.{field}` is about validators, and this is a mutator"));
    }
    let expected = match (&expect["object"], expect["unchanged"].as_bool()) {
        (_, Some(true)) => before,
        (Value::Null, _) => return Err("the case says neither `expect.object` nor `expect.unchanged`".to_owned()),
        (object, _) => object,
    };
    match after == expected {
        true => Ok(()),
        // Whole objects side by side would leave it to the reader to find what differs.
        false => Err(format!("expected {}\n      but got  {}", changes(after, expected), changes(expected, after))),
    }
}

/// How a violation is shown.
pub(super) fn tell(violation: &Violation) -> String {
    let field = if violation.field.is_empty() { String::new() } else { format!("{}: ", violation.field) };
    let rule = if violation.rule.is_empty() { String::new() } else { format!(" (rule {})", violation.rule) };
    format!("{field}{}{rule}", violation.message)
}

/// The first of a list that is not found.
fn each(wanted: &Value, found: impl Fn(&Value) -> bool) -> Result<(), Value> {
    match wanted.as_array().into_iter().flatten().find(|wanted| !found(wanted)) {
        Some(missing) => Err(missing.clone()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use wasm::LogLine;

    use super::*;

    /// What a case says of a mutator that puts a label there, each time another one, and logs.
    fn judged(expect: Value) -> String {
        let case = Case { file: String::new(), name: String::new(), body: json!({ "expect": expect }), folder: PathBuf::new() };
        let calls = RefCell::new(0);
        let judge = |object: Option<&Value>| {
            *calls.borrow_mut() += 1;
            let mut changed = object.unwrap().clone();
            changed["metadata"]["labels"]["team"] = json!(format!("t{}", calls.borrow()));
            let outcome = Outcome { violations: Vec::new(), warnings: Vec::new(), changed: Some(changed) };
            let log = vec![LogLine { level: "info", message: "looking".to_owned() }];
            Ok(Trial { outcome: Ok(outcome), took: Duration::ZERO, log, fuel: 0 })
        };
        let object = json!({"kind": "Pod", "metadata": {"labels": {"app": "web"}}});
        answer(&case, World::Mutator, Some(&object), &judge).unwrap_err()
    }

    #[test]
    fn who_fails_is_told_what_differs_and_what_the_policy_said() {
        let wanted = json!({"kind": "Pod", "metadata": {"labels": {"app": "web", "team": "x"}}});
        let told = judged(json!({ "object": wanted }));
        assert_eq!(
            told,
            "expected metadata.labels.team = \"x\"\n      but got  metadata.labels.team = \"t1\"\n      info: looking"
        );
        let told = judged(json!({"unchanged": true}));
        assert!(told.starts_with("expected metadata.labels.team = null\n"), "{told}");
        let right = json!({"kind": "Pod", "metadata": {"labels": {"app": "web", "team": "t1"}}});
        let told = judged(json!({ "object": right }));
        assert!(told.starts_with("asked again it changes its own work: metadata.labels.team = \"t2\"\n"), "{told}");
    }
}
