//! What is to be said of a policy in CEL. What a server would refuse of it was found when it was read.

use model::json::Value;

use super::{Finding, Weight, undescribed, verdicts};
use crate::policy::cel::Cel;

pub(super) fn findings(cel: &Cel) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut add = |weight, text: String| found.push((weight, text));
    for warning in cel.warnings() {
        let told: Vec<&str> = warning.text.lines().filter(|line| !line.is_empty()).collect();
        add(Weight::Asked, format!("{}: {}", warning.field, told.join("\n           ")));
    }
    for params in cel.missing_params() {
        add(Weight::Asked, format!("a binding names the parameters {params}, and no file has them"));
    }
    let spec = &cel.policy["spec"];
    if !cel.is_narrowed && list(&spec["matchConstraints"]["resourceRules"]).iter().any(is_everything) {
        let what = "resourceRules name every resource, and so does a binding: say there or here what the policy is about";
        add(Weight::Asked, what.to_owned());
    }
    for (n, validation) in list(&spec["validations"]).iter().enumerate() {
        if validation["message"].is_null() && validation["messageExpression"].is_null() {
            let what = "has no message: who is refused is told the expression";
            add(Weight::Asked, format!("spec.validations[{n}] {what}"));
        }
    }
    for setting in undescribed(cel.settings_schema()) {
        add(Weight::Asked, format!("the setting {setting} has no description"));
    }
    verdicts(&cel.folder, cel.world(), &mut add);
    found
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn is_everything(rule: &Value) -> bool {
    ["apiGroups", "resources"].iter().all(|field| list(&rule[*field]).iter().any(|item| *item == "*" || *item == "*/*"))
}
