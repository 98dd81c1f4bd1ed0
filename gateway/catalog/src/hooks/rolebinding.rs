//! RoleBinding, and what ClusterRoleBinding shares: defaults, the role that is granted, and to whom.
//! Follows `pkg/apis/rbac/{v1/defaults.go,validation}`.

use model::field::{Errors, Path, Spelling};
use model::{Value, name};

use super::Hooks;
use super::rules::{equal, get, internal, number, text};

const GROUP: &str = "rbac.authorization.k8s.io";

pub(super) const HOOKS: Hooks = Hooks {
    default: Some(default),
    validate: Some(|new, errors| validate(new, &["Role", "ClusterRole"], errors)),
    validate_update: Some(|new, old, errors| validate_update(new, old, &["Role", "ClusterRole"], errors)),
    without_unsafe_delete: true,
    ..Hooks::NONE
};

pub(super) fn default(binding: &mut Value) {
    if let Some(role) = binding.get_mut("roleRef") {
        get::default(role, "apiGroup", GROUP);
    }
    for subject in get::list_mut(binding, "subjects") {
        if matches!(get::text(subject, "kind"), "User" | "Group") {
            get::default(subject, "apiGroup", GROUP);
        }
    }
}

/// `roles` are the kinds that may be granted; a binding that may grant a Role is a namespaced one.
pub(super) fn validate(binding: &Value, roles: &[&str], errors: &mut Errors) {
    // Nothing here is of a type of its own.
    errors.spelt(Spelling::Go, |errors| validate_texts(binding, roles, errors));
}

fn validate_texts(binding: &Value, roles: &[&str], errors: &mut Errors) {
    let (role, path) = (get::at(binding, "roleRef"), Path::new("roleRef"));
    text::one_of(get::text(role, "apiGroup"), &[GROUP], &path.child("apiGroup"), errors);
    text::one_of(get::text(role, "kind"), roles, &path.child("kind"), errors);
    let granted = get::text(role, "name");
    if !granted.is_empty() {
        text::invalid_each(granted, name::is_valid_path_segment_name(granted), &path.child("name"), errors);
    }
    let subjects = Path::new("subjects");
    for (i, one) in get::list(binding, "subjects").iter().enumerate() {
        subject(one, roles.contains(&"Role"), &subjects.index(i), errors);
    }
    // Required names are checked declaratively upstream: those errors follow all others.
    for (i, one) in get::list(binding, "subjects").iter().enumerate() {
        text::required(get::text(one, "name"), &subjects.index(i).child("name"), errors);
    }
    text::required(granted, &path.child("name"), errors);
}

fn subject(subject: &Value, is_namespaced: bool, path: &Path, errors: &mut Errors) {
    let (kind, group, named) = (get::text(subject, "kind"), get::text(subject, "apiGroup"), get::text(subject, "name"));
    match kind {
        "ServiceAccount" => {
            if !named.is_empty() {
                text::dns_subdomain(named, &path.child("name"), errors);
            }
            if !group.is_empty() {
                errors.not_supported(&path.child("apiGroup"), group, &[""]);
            }
            if !is_namespaced {
                text::required(get::text(subject, "namespace"), &path.child("namespace"), errors);
            }
        }
        "User" | "Group" => {
            text::one_of(group, &[GROUP], &path.child("apiGroup"), errors);
        }
        _ => errors.not_supported(&path.child("kind"), kind, &["ServiceAccount", "User", "Group"]),
    }
}

pub(super) fn validate_update(new: &Value, old: &Value, roles: &[&str], errors: &mut Errors) {
    validate(new, roles, errors);
    if !equal::semantic("roleRef", old.get("roleRef"), new.get("roleRef")) {
        errors.invalid(&Path::new("roleRef"), internal::show(get::at(new, "roleRef"), internal::ROLE_REF), number::IMMUTABLE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::json::json;

    fn found(binding: &Value) -> Vec<String> {
        let mut errors = Errors::new();
        validate(binding, &["Role", "ClusterRole"], &mut errors);
        errors.0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn groups_are_defaulted() {
        let mut binding = json!({"roleRef": {"kind": "Role", "name": "r"}, "subjects": [{"kind": "User", "name": "u"}, {"kind": "ServiceAccount", "name": "s"}]});
        default(&mut binding);
        assert_eq!(binding["roleRef"]["apiGroup"], GROUP);
        assert_eq!(binding["subjects"][0]["apiGroup"], GROUP);
        assert_eq!(binding["subjects"][1].get("apiGroup"), None);
        assert_eq!(found(&binding), [""; 0]);
    }

    #[test]
    fn errors_read_as_upstream() {
        let binding = json!({"roleRef": {"apiGroup": GROUP, "kind": "Rolle", "name": ""}, "subjects": [{"kind": "Robot"}, {"kind": "User", "name": "u"}]});
        assert_eq!(
            found(&binding),
            [
                "roleRef.kind: Unsupported value: \"Rolle\": supported values: \"Role\", \"ClusterRole\"",
                "subjects[0].kind: Unsupported value: \"Robot\": supported values: \"ServiceAccount\", \"User\", \"Group\"",
                "subjects[1].apiGroup: Unsupported value: \"\": supported values: \"rbac.authorization.k8s.io\"",
                "subjects[0].name: Required value",
                "roleRef.name: Required value",
            ]
        );
    }

    #[test]
    fn the_role_stays() {
        let binding = |name: &str| json!({"roleRef": {"apiGroup": GROUP, "kind": "Role", "name": name}});
        let mut errors = Errors::new();
        validate_update(&binding("b"), &binding("a"), &["Role"], &mut errors);
        let shown = r#"{"APIGroup":"rbac.authorization.k8s.io","Kind":"Role","Name":"b"}"#;
        assert_eq!(errors.0[0].to_string(), format!("roleRef: Invalid value: {shown}: field is immutable"));
        assert_eq!(errors.0.len(), 1);
    }
}
