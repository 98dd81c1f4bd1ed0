//! Nobody binds roles to everybody, nor the role that may do everything to anybody.

use gatehouse_policy::prelude::*;

/// The policy.
pub struct RoleBindingSubjects;

/// What a binding sets.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, crate = "gatehouse_policy::serde")]
#[schemars(crate = "gatehouse_policy::schemars")]
pub struct Settings {
    /// Users and groups that no role may be bound to; those that stand for everybody when left out.
    #[serde(default = "everybody")]
    forbidden_subjects: Vec<String>,
    /// ClusterRoles that may not be bound; `cluster-admin` when left out.
    #[serde(default = "everything")]
    forbidden_roles: Vec<String>,
}

fn everybody() -> Vec<String> {
    ["system:anonymous", "system:unauthenticated", "system:authenticated"].map(str::to_owned).to_vec()
}

fn everything() -> Vec<String> {
    vec!["cluster-admin".to_owned()]
}

/// The part of a RoleBinding that the policy reads.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
pub struct Binding {
    role_ref: RoleRef,
    subjects: Option<Vec<Subject>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
struct RoleRef {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
struct Subject {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    name: String,
}

impl Policy for RoleBindingSubjects {
    const ABOUT: About = About {
        name: "role-binding-subjects",
        version: env!("CARGO_PKG_VERSION"),
        description: "Roles must not be bound to everybody, and the roles that the binding names not at all.",
        reads: &["roleRef", "subjects"],
        writes: &[],
        rules: &[
            ("subject-forbidden", "The role must be bound to somebody in particular."),
            ("role-forbidden", "The role must not be bound."),
        ],
    };
    const READS_REQUEST: &'static [RequestPart] = &[];
    type Settings = Settings;
    type Object = Binding;
}

impl Validator for RoleBindingSubjects {
    fn validate(settings: &Settings, review: &Review<Binding>, verdict: &mut Verdict) {
        let Some(Binding { role_ref, subjects }) = &review.object else { return };
        if role_ref.kind == "ClusterRole" && settings.forbidden_roles.contains(&role_ref.name) {
            let message = format!("{} must not be bound; make a role of what is needed", role_ref.name);
            verdict.violation("role-forbidden", "roleRef.name", message);
        }
        for (n, subject) in subjects.iter().flatten().enumerate() {
            if subject.kind != "ServiceAccount" && settings.forbidden_subjects.contains(&subject.name) {
                let message = format!("{} is not somebody in particular; name who is meant", subject.name);
                verdict.violation("subject-forbidden", format!("subjects[{n}].name"), message);
            }
        }
    }
}

gatehouse_policy::validator!(RoleBindingSubjects);

#[cfg(test)]
mod tests {
    #[test]
    fn cases() {
        gatehouse_policy::cases::validator::<super::RoleBindingSubjects>(concat!(env!("CARGO_MANIFEST_DIR"), "/cases"));
    }
}
