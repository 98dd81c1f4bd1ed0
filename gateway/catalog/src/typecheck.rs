//! What is wrong with the types of a ValidatingAdmissionPolicy's expressions, for the kinds that it says it is about. It is told
//! in the policy's status and keeps nobody from anything. Follows `TypeChecker` of
//! `k8s.io/apiserver/pkg/admission/plugin/policy/validating`.

use std::collections::BTreeSet;
use std::sync::Arc;

use cel::Type;
use cel::admission::{self, Known, Variables, Yields};
use model::{GroupVersionKind, Value};

use crate::Catalog;
use crate::hooks::rules::get;
use crate::openapi::OpenApi;

/// As many kinds are looked at for each rule; whoever matches more hears of these.
const KINDS_MAX: usize = 10;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Which expression: `spec.validations[0].expression`.
    pub field: String,
    /// What is wrong with it for each kind.
    pub text: String,
}

/// Everything that is wrong with a policy, in order.
pub fn warnings(catalog: &Arc<Catalog>, policy: &Value) -> Vec<Warning> {
    let spec = get::at(policy, "spec");
    let context = Context::new(catalog, spec);
    let mut warnings = Vec::new();
    for (i, validation) in get::list(spec, "validations").iter().enumerate() {
        for field in ["expression", "messageExpression"] {
            let expression = get::text(validation, field);
            // Only a message may be missing; an expression that is empty does not parse.
            let text = if expression.is_empty() && field != "expression" { String::new() } else { context.check(expression) };
            if !text.is_empty() {
                warnings.push(Warning { field: format!("spec.validations[{i}].{field}"), text });
            }
        }
    }
    warnings
}

/// The same of a policy's variables, of which a server says nothing: one that does not fit is anything to those who use it.
pub fn of_variables(catalog: &Arc<Catalog>, policy: &Value) -> Vec<Warning> {
    let spec = get::at(policy, "spec");
    let context = Context::new(catalog, spec);
    let variables = get::list(spec, "variables").iter().enumerate();
    let checked =
        variables.map(|(i, one)| (format!("spec.variables[{i}].expression"), context.check(get::text(one, "expression"))));
    checked.filter(|(_, text)| !text.is_empty()).map(|(field, text)| Warning { field, text }).collect()
}

/// What a policy's expressions may see, for each of its kinds.
struct Context {
    kinds: Vec<(GroupVersionKind, Known, Variables)>,
}

impl Context {
    fn new(catalog: &Arc<Catalog>, spec: &Value) -> Self {
        let documents = OpenApi::new(catalog.clone());
        let declared = |kind: &GroupVersionKind| documents.declare(kind).map(|decl| decl.to_type(&kind.kind));
        let param = get::object(spec, "paramKind")
            .map(|kind| GroupVersionKind::from_api_version(get::text(kind, "apiVersion"), get::text(kind, "kind")));
        let params = param.map(|kind| declared(&kind).unwrap_or(Type::Dyn));
        let known = kinds(catalog, spec).into_iter().filter_map(|kind| {
            let known = Known { object: declared(&kind)?, params: params.clone() };
            let variables = variables(spec, &known);
            Some((kind, known, variables))
        });
        Self { kinds: known.collect() }
    }

    /// What is wrong with an expression: a few lines for each kind.
    fn check(&self, expression: &str) -> String {
        let told = self.kinds.iter().filter_map(|(kind, known, variables)| {
            let env = admission::known_env(known, variables);
            // What is only found when it is made ready to run is not a matter of types.
            let issues = env.compile(expression).err().filter(|issues| issues.instantiation().is_none())?;
            Some(format!("{}/{}, Kind={}: {issues}\n", kind.group, kind.version, kind.kind))
        });
        told.collect::<Vec<_>>().join("\n")
    }
}

/// The variables as far as they make sense; what does not is anything to those who use it.
fn variables(spec: &Value, known: &Known) -> Variables {
    let mut variables = Variables::default();
    for variable in get::list(spec, "variables") {
        let env = admission::known_env(known, &variables);
        let program = admission::compile(&env, get::text(variable, "expression"), Yields::Anything);
        variables.add(get::text(variable, "name"), program.map_err(|fault| fault.detail));
    }
    variables
}

/// The kinds that a policy names outright: rules with wildcards say too little.
fn kinds(catalog: &Catalog, spec: &Value) -> BTreeSet<GroupVersionKind> {
    let mut kinds = BTreeSet::new();
    for rule in get::list(get::at(spec, "matchConstraints"), "resourceRules") {
        let names = |field: &str| -> BTreeSet<&str> { get::strings(rule, field).collect() };
        let (groups, versions, mut resources) = (names("apiGroups"), names("apiVersions"), names("resources"));
        if groups.iter().chain(&versions).any(|name| name.contains('*')) {
            continue;
        }
        resources.retain(|name| !name.contains(['*', '/']));
        let mut count = 0;
        for (group, version, resource) in product(&groups, &versions, &resources) {
            // The core group has no name: a mapper takes it for none at all.
            let found = catalog.all().filter(|one| {
                (group.is_empty() || *one.gvr.group == *group) && *one.gvr.version == *version && *one.gvr.resource == *resource
            });
            for found in found {
                kinds.insert(found.gvk.clone());
                count += 1;
                if count == KINDS_MAX {
                    return kinds;
                }
            }
        }
    }
    kinds
}

fn product<'n>(
    groups: &'n BTreeSet<&'n str>,
    versions: &'n BTreeSet<&'n str>,
    resources: &'n BTreeSet<&'n str>,
) -> impl Iterator<Item = (&'n str, &'n str, &'n str)> {
    groups.iter().flat_map(move |group| {
        versions.iter().flat_map(move |version| resources.iter().map(move |resource| (*group, *version, *resource)))
    })
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;
    use crate::upstream;

    #[test]
    fn a_variable_that_does_not_fit_is_told_to_whoever_asks() {
        let catalog = Arc::new(Catalog::builtin().unwrap());
        let rule = json!({"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]});
        let policy = json!({"spec": {
            "matchConstraints": {"resourceRules": [rule]},
            "variables": [{"name": "all", "expression": "object.spec.containers"}, {"name": "some", "expression": "object.spek.containers"},
                {"name": "first", "expression": "variables.all[0]"}],
            "validations": [{"expression": "variables.some.size() == 0"}],
        }});
        assert_eq!(warnings(&catalog, &policy), []);
        let told = of_variables(&catalog, &policy);
        assert!(told.len() == 1 && told[0].field == "spec.variables[1].expression", "{told:?}");
        assert!(told[0].text.contains("undefined field 'spek'"), "{told:?}");
    }

    /// Policies of `conformance/typecheck`, with what upstream says of them. Types are called after their kind there and a
    /// number that is another each time, which is left out.
    #[test]
    fn policies_are_warned_of_in_upstreams_words() {
        let catalog = Arc::new(Catalog::builtin().unwrap());
        let lines = upstream::run(&["run", "./typecheck"]);
        let mut wrong = Vec::new();
        for line in lines.lines() {
            let said: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            let theirs: Vec<Warning> = get::list(&said, "warnings")
                .iter()
                .map(|one| Warning { field: get::text(one, "fieldRef").to_owned(), text: get::text(one, "warning").to_owned() })
                .collect();
            let ours = warnings(&catalog, &said["policy"]);
            if ours != theirs {
                wrong.push(format!("{}\n  ours {ours:#?}\n  upstream {theirs:#?}", said["policy"]["metadata"]["name"]));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert_eq!(lines.lines().count(), 10);
    }
}
