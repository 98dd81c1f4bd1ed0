//! IPAddress: an address of a service range and what holds it. Upstream: `pkg/apis/networking/validation`.
//! Allocation makes these objects (`service/addresses.rs`).

use model::field::{Errors, Path};
use model::name::Prefix;
use model::{Value, name};

use super::Hooks;
use super::rules::{equal, get, internal, ip, number, text};

pub(super) const HOOKS: Hooks = Hooks {
    name: Some(name_rule),
    // No suffix makes an address of something else: the name stays, to be refused.
    generate_name: Some(str::to_owned),
    validate: Some(validate),
    validate_update: Some(validate_update),
    ..Hooks::NONE
};

fn validate(object: &Value, errors: &mut Errors) {
    let path = Path::new("spec.parentRef");
    let Some(parent) = get::object(get::at(object, "spec"), "parentRef") else { return errors.required(&path, "") };
    let given = |field| get::text(parent, field);
    if !given("group").is_empty() {
        text::dns_subdomain(given("group"), &path.child("group"), errors);
    }
    for field in ["resource", "name", "namespace"] {
        match given(field) {
            "" if field == "namespace" => {}
            "" => errors.required(&path.child(field), ""),
            text => text::invalid_each(text, name::is_valid_path_segment_name(text), &path.child(field), errors),
        }
    }
}

/// `ValidateIPAddressName`: the name is the address, as it is written.
fn name_rule(_: &Value, name: &str, _: Prefix) -> Vec<String> {
    let mut errors = Errors::new();
    ip::strict(name, &Path::default(), &mut errors);
    errors.0.into_iter().map(|error| error.detail).collect()
}

fn validate_update(new: &Value, old: &Value, errors: &mut Errors) {
    validate(new, errors);
    let parent = |object| get::at(object, "spec.parentRef");
    if !equal::semantic("parentRef", Some(parent(old)), Some(parent(new))) {
        errors.invalid(&Path::new("spec.parentRef"), internal::show(parent(new), internal::PARENT_REFERENCE), number::IMMUTABLE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::json::json;

    #[test]
    fn the_holder_is_named_and_stays() {
        let address = |parent: Value| json!({"metadata": {"name": "10.0.0.1"}, "spec": {"parentRef": parent}});
        let found = |check: &dyn Fn(&mut Errors)| {
            let mut errors = Errors::new();
            check(&mut errors);
            errors.0.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let good = address(json!({"resource": "services", "namespace": "a", "name": "web"}));
        assert_eq!(found(&|errors| validate(&good, errors)), [""; 0]);
        assert_eq!(
            found(&|errors| validate(&json!({"metadata": {"name": "10.0.0.1"}, "spec": {}}), errors)),
            ["spec.parentRef: Required value"]
        );
        assert_eq!(
            found(&|errors| validate(&address(json!({"name": "a/b"})), errors)),
            ["spec.parentRef.resource: Required value", "spec.parentRef.name: Invalid value: \"a/b\": may not contain '/'"]
        );
        let other = address(json!({"resource": "services", "namespace": "a", "name": "db"}));
        assert_eq!(
            found(&|errors| validate_update(&other, &good, errors)),
            [
                "spec.parentRef: Invalid value: {\"Group\":\"\",\"Resource\":\"services\",\"Namespace\":\"a\",\"Name\":\"db\"}: field is immutable"
            ]
        );
    }
}
