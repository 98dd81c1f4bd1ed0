//! `gatehouse policy check`: what a server would refuse, and what a reviewer would ask. Runs no case.

mod cel;

use std::path::Path;

use catalog::Catalog;
use model::GroupVersionKind;
use model::json::Value;
use wasm::{Grant, World};

use super::arguments::Arguments;
use super::build::Built;
use super::subject::Policy;
use super::{Outcome, document, manifest, subject};

/// The version of bindings.
const VERSION: &str = "policy.gatehouse.dev/v1alpha1";

/// How much one finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weight {
    /// A server would refuse it.
    Refused,
    /// It works; somebody will ask.
    Asked,
}

type Finding = (Weight, String);

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let runtime = subject::runtime()?;
    let mut refused = 0;
    for policy in subject::policies(&runtime, &arguments.folder())? {
        let findings = match &policy {
            Policy::Component(built) => {
                let module = &built.module;
                let (world, version, size) = (module.world.as_str(), &module.metadata.version, module.bytes.div_ceil(1024));
                let compiled = match module.compile_ms {
                    0 => "compiled before".to_owned(),
                    ms => format!("compiled in {ms} ms"),
                };
                println!("\n{} ({world} {version}, {size} KB, {compiled})", built.name);
                findings(built, &manifest::binding(&built.folder)?)
            }
            Policy::Cel(found) => {
                println!("\n{} ({}, {} KB)", found.name, policy.world(), policy.bytes().div_ceil(1024));
                cel::findings(found)
            }
        };
        for (weight, finding) in &findings {
            println!("  {}  {finding}", if *weight == Weight::Refused { "FAILED " } else { "warning" });
        }
        match &policy {
            Policy::Component(built) if findings.is_empty() => println!("  ok       imports: {}", named(&built.module.imports)),
            Policy::Cel(_) if findings.is_empty() => println!("  ok       the types of its expressions fit"),
            _ => {}
        }
        refused += findings.iter().filter(|(weight, _)| *weight == Weight::Refused).count();
    }
    match refused {
        0 => Ok(()),
        1 => Err("a server would refuse this".to_owned()),
        count => Err(format!("a server would refuse this, for {count} reasons")),
    }
}

/// What a module imports of the contract; of WASI, which languages bring along, how much, for there is nothing in it.
fn named(imports: &[String]) -> String {
    let (wasi, mut named): (Vec<String>, Vec<String>) = imports.iter().cloned().partition(|import| import.starts_with("wasi:"));
    if !wasi.is_empty() {
        named.push(format!("{} empty interfaces of WASI", wasi.len()));
    }
    if named.is_empty() { "none".to_owned() } else { named.join(", ") }
}

fn findings(built: &Built, binding: &Value) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut add = |weight, text: String| found.push((weight, text));
    let metadata = &built.module.metadata;
    if binding.is_null() {
        add(Weight::Asked, "there is no binding.yaml beside it; nothing says for which requests it is asked".to_owned());
    } else {
        let bound = || subject::bind(&built.module, binding, wasm::limits::DEADLINE_MAX).map(drop);
        if let Err(unfit) = applied(binding).and_then(|()| bound().map_err(|unfit| unfit.to_string())) {
            add(Weight::Refused, format!("binding.yaml: {unfit}"));
        }
        for unserved in unserved(binding) {
            add(Weight::Asked, format!("binding.yaml: {unserved}"));
        }
        let module = binding["spec"]["module"].as_str().unwrap_or_default();
        if module != built.name {
            let told = format!("binding.yaml: spec.module is {module:?}, and the policy calls itself {:?}", built.name);
            add(Weight::Asked, format!("{told}; the PolicyModule that manifest prints is called so"));
        }
        for grant in binding["spec"]["grants"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !built.module.imports.iter().any(|import| import.contains(&format!("/{grant}@"))) {
                add(Weight::Asked, format!("binding.yaml grants {grant}, which the module does not import"));
            }
        }
    }
    if let Some(too_large) = manifest::beyond_a_request(&built.component) {
        add(Weight::Asked, format!("the module is too large to stand in an object: {too_large}"));
    }
    if metadata.description.is_empty() || metadata.rules.is_empty() {
        add(Weight::Asked, "it does not say what it demands: a description and rules".to_owned());
    }
    if metadata.reads.is_empty() {
        add(Weight::Asked, "it reads whole objects; naming the fields makes calls cheaper".to_owned());
    }
    let has_ability = Grant::ALL.iter().any(|grant| grant.is_needed(&built.module.imports));
    if built.module.is_called_each_time() && !has_ability {
        let told =
            "it reads uid or time of a request, so that it is called for each; without them it is not asked the same again";
        add(Weight::Asked, told.to_owned());
    }
    let schema: Value = serde_json::from_str(&metadata.settings_schema).unwrap_or(Value::Null);
    for setting in undescribed(&schema) {
        add(Weight::Asked, format!("the setting {setting} has no description"));
    }
    verdicts(&built.folder, built.module.world, &mut add);
    found
}

/// Fails with what a server would refuse of a binding by its fields alone.
fn applied(binding: &Value) -> Outcome {
    let kind = binding["kind"].as_str().unwrap_or_default();
    match (binding["apiVersion"].as_str(), kind) {
        (Some(VERSION), "ClusterPolicyBinding" | "PolicyBinding") => {
            let catalog = Catalog::builtin().map_err(|error| error.to_string())?;
            super::cel::applied(&catalog, binding.clone()).map(drop)
        }
        (version, _) => Err(format!(
            "it must be a ClusterPolicyBinding or a PolicyBinding of {VERSION}, and is a {kind:?} of {:?}",
            version.unwrap_or_default()
        )),
    }
}

/// Resources and the kind of parameters that a server would not have, as far as that is known without one: of the API groups that
/// every server has.
fn unserved(binding: &Value) -> Vec<String> {
    let Ok(catalog) = Catalog::builtin() else { return Vec::new() };
    let is_known = |group: &str| catalog.all().any(|one| *one.gvr.group == *group);
    let mut found = admission::policy::unserved::of_binding(&catalog, binding, is_known);
    let params = &binding["spec"]["paramRef"];
    if let (Some(version), Some(kind)) = (params["apiVersion"].as_str(), params["kind"].as_str()) {
        let of = GroupVersionKind::from_api_version(version, kind);
        if is_known(&of.group) && !catalog.all().any(|one| one.gvk == of) {
            found.push(format!("spec.paramRef: there is no {kind} in {version}; without parameters the policy cannot judge"));
        }
    }
    found
}

/// Settings that the schema does not describe.
fn undescribed(schema: &Value) -> Vec<String> {
    let properties = schema["properties"].as_object().into_iter().flatten();
    properties.filter(|(_, property)| property["description"].is_null()).map(|(name, _)| name.to_string()).collect()
}

/// Cases of both verdicts, or somebody will ask.
fn verdicts(folder: &Path, world: World, add: &mut impl FnMut(Weight, String)) {
    let cases = document::files(&folder.join("cases")).unwrap_or_default();
    let bodies = cases.iter().filter_map(|file| document::one(&file.display().to_string()).ok());
    let expects: Vec<Value> = bodies
        .flat_map(|body| body["cases"].as_array().cloned().unwrap_or_default())
        .map(|case| case["expect"].clone())
        .collect();
    let (good, bad, what) = match world {
        World::Validator => ("allowed", "allowed", "an object that is fine and one that is refused"),
        World::Mutator => ("unchanged", "object", "an object that stays and one that changes"),
    };
    let has_good = expects.iter().any(|expect| expect[good] == Value::Bool(true));
    let has_bad = expects.iter().any(|expect| !expect[bad].is_null() && expect[bad] != Value::Bool(true));
    if !has_good || !has_bad {
        add(Weight::Asked, format!("cases/ should have {what}"));
    }
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::{applied, undescribed, unserved};

    #[test]
    fn a_binding_is_read_as_a_server_reads_it() {
        let binding =
            |kind: &str, spec| json!({"apiVersion": super::VERSION, "kind": kind, "metadata": {"name": "a"}, "spec": spec});
        let rules = json!({"resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]});
        let spec = json!({"module": "a", "matchConstraints": rules, "action": "Deny"});
        assert_eq!(applied(&binding("ClusterPolicyBinding", spec.clone())), Ok(()));
        let mut wrong = spec.clone();
        wrong["failurePolicies"] = "Fail".into();
        assert!(applied(&binding("ClusterPolicyBinding", wrong)).unwrap_err().contains("spec.failurePolicies"));
        let mut wrong = spec.clone();
        wrong["action"] = "Denny".into();
        assert!(applied(&binding("ClusterPolicyBinding", wrong)).unwrap_err().contains("Unsupported value: \"Denny\""));
        assert!(applied(&binding("PolicyBindings", spec)).unwrap_err().contains("it must be a ClusterPolicyBinding or"));
    }

    #[test]
    fn what_no_server_has_is_told_before_it_is_applied() {
        let binding = |rules, params| json!({"spec": {"matchConstraints": {"resourceRules": rules}, "paramRef": params}});
        let rule = |group: &str, resource: &str| json!([{"apiGroups": [group], "resources": [resource]}]);
        let params = |version: &str, kind: &str| json!({"apiVersion": version, "kind": kind});
        assert!(unserved(&binding(rule("", "pods"), params("v1", "ConfigMap"))).is_empty());
        assert!(unserved(&binding(rule("example.com", "widgets"), params("example.com/v1", "Widget"))).is_empty());
        let told = unserved(&binding(rule("apps", "deployment"), params("v1", "ConfgMap")));
        assert!(told[0].contains(r#"there is no "deployment" in the API groups ["apps"]"#), "{told:?}");
        assert!(told[1].starts_with("spec.paramRef: there is no ConfgMap in v1"), "{told:?}");
    }

    #[test]
    fn imports_of_wasi_are_counted() {
        let named = |imports: &[&str]| super::named(&imports.iter().map(|import| (*import).to_owned()).collect::<Vec<_>>());
        assert_eq!(named(&[]), "none");
        assert_eq!(named(&["gatehouse:policy/types@1.0.0"]), "gatehouse:policy/types@1.0.0");
        assert_eq!(
            named(&["wasi:io/poll@0.2.12", "gatehouse:policy/log@1.0.0", "wasi:io/error@0.2.12"]),
            "gatehouse:policy/log@1.0.0, 2 empty interfaces of WASI"
        );
    }

    #[test]
    fn settings_want_a_description() {
        let schema = json!({"properties": {"a": {"description": "A."}, "b": {"type": "string"}}});
        assert_eq!(undescribed(&schema), ["b"]);
        assert!(undescribed(&json!(null)).is_empty());
    }
}
