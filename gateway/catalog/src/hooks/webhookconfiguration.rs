//! ValidatingWebhookConfiguration and MutatingWebhookConfiguration. Upstream: `pkg/apis/admissionregistration/validation`,
//! `pkg/registry/admissionregistration/{validating,mutating}webhookconfiguration/strategy.go`.

use cel::admission::Offered;
use model::field::{Errors, Path, quote};
use model::{Value, meta, name, repeats};

use super::Hooks;
use super::rules::admission::{self, FAILURE_POLICIES, MATCH_POLICIES, REINVOCATION_POLICIES, Stored};
use super::rules::labels::{self, Values};
use super::rules::{get, text};

/// Names of configurations that come from files of the server.
const STATIC_SUFFIX: &str = ".static.k8s.io";
/// Versions of AdmissionReview that the server speaks.
const REVIEW_VERSIONS: [&str; 2] = ["v1", "v1beta1"];
const NO_SIDE_EFFECTS: &[&str] = &["None", "NoneOnDryRun"];
const SIDE_EFFECTS: &[&str] = &["None", "NoneOnDryRun", "Some", "Unknown"];

pub(super) const HOOKS: Hooks = Hooks {
    validate: Some(|new, errors| {
        validate(new, &Kept::default(), errors);
        validate_name(new, errors);
    }),
    validate_update: Some(|new, old, errors| validate(new, &Kept::by(old, new), errors)),
    warnings: Some(warnings),
    counts_empty: true,
    ..Hooks::NONE
};

/// Questions about who somebody is and what they may do, which no webhook is asked about.
const EXCLUDED: [(&str, &str); 6] = [
    ("authentication.k8s.io", "selfsubjectreviews"),
    ("authentication.k8s.io", "tokenreviews"),
    ("authorization.k8s.io", "localsubjectaccessreviews"),
    ("authorization.k8s.io", "selfsubjectaccessreviews"),
    ("authorization.k8s.io", "selfsubjectrulesreviews"),
    ("authorization.k8s.io", "subjectaccessreviews"),
];

/// What the stored webhooks break and may go on breaking.
#[derive(Clone, Default)]
struct Kept<'a> {
    side_effects: bool,
    review_versions: bool,
    names: bool,
    values: Values,
    /// Whether no condition changes.
    conditions: bool,
    expressions: Stored<'a>,
}

impl<'a> Kept<'a> {
    fn by(old: &'a Value, new: &Value) -> Self {
        let hooks = get::list(old, "webhooks");
        let known = |hook: &Value| get::strings(hook, "admissionReviewVersions").any(|v| REVIEW_VERSIONS.contains(&v));
        let broken = |hook: &Value| {
            let mut errors = Errors::new();
            for selector in ["namespaceSelector", "objectSelector"] {
                labels::selector(hook, selector, Values::Strict, &Path::default(), &mut errors);
            }
            !errors.is_empty()
        };
        let named = |i: usize| get::text(&hooks[i], "name");
        Self {
            side_effects: hooks.iter().any(|hook| !NO_SIDE_EFFECTS.contains(&get::text(hook, "sideEffects"))),
            review_versions: hooks.iter().any(|hook| !known(hook) && !get::list(hook, "admissionReviewVersions").is_empty()),
            names: (0..hooks.len()).any(|i| (0..i).any(|j| named(j) == named(i))),
            values: if hooks.iter().any(broken) { Values::Lenient } else { Values::Strict },
            conditions: hooks.iter().map(conditions).eq(get::list(new, "webhooks").iter().map(conditions)),
            expressions: Stored::of(hooks.iter().flat_map(conditions), "expression"),
        }
    }
}

fn conditions(hook: &Value) -> &[Value] {
    get::list(hook, "matchConditions")
}

/// `ValidateStaticSuffix`.
pub(super) fn validate_name(object: &Value, errors: &mut Errors) {
    if let Some(why) = reserved(object) {
        errors.invalid(&Path::new("metadata.name"), meta::name(object), why);
    }
}

/// `WarningsForStaticSuffix`, which updates get: creates are refused.
pub(super) fn static_warning(object: &Value, old: Option<&Value>) -> Vec<String> {
    let why = reserved(object).filter(|_| old.is_some());
    why.into_iter().map(|why| format!("metadata.name: {why}")).collect()
}

fn warnings(new: &Value, old: Option<&Value>) -> Vec<String> {
    let mut warnings = static_warning(new, old);
    for (i, hook) in get::list(new, "webhooks").iter().enumerate() {
        for (j, rule) in get::list(hook, "rules").iter().enumerate() {
            let at = format!("webhooks[{i}].rules[{j}]");
            warnings.extend(
                excluded(rule)
                    .into_iter()
                    .map(|what| format!("{at}: {what} is excluded from admission webhooks; this rule will have no effect")),
            );
        }
    }
    warnings
}

/// What a rule names although it is excluded. One with a wildcard does not mean it.
fn excluded(rule: &Value) -> Vec<String> {
    let [groups, resources] = ["apiGroups", "resources"].map(|field| get::strings(rule, field).collect::<Vec<_>>());
    let mut found = Vec::new();
    if groups.contains(&"*") || resources.contains(&"*") {
        return found;
    }
    for group in groups {
        for resource in resources.iter().filter(|resource| EXCLUDED.contains(&(group, resource))) {
            let named = format!("{resource}.{group}");
            if !found.contains(&named) {
                found.push(named);
            }
        }
    }
    found
}

fn reserved(object: &Value) -> Option<String> {
    meta::name(object).ends_with(STATIC_SUFFIX).then(|| {
        let suffix = quote(STATIC_SUFFIX);
        format!(
            "names ending with {suffix} are reserved for static manifest-based configurations and cannot be managed via the API"
        )
    })
}

fn validate(configuration: &Value, kept: &Kept<'_>, errors: &mut Errors) {
    let (hooks, path) = (get::list(configuration, "webhooks"), Path::new("webhooks"));
    for (i, (hook, known)) in hooks.iter().zip(get::repeated(hooks, "name")).enumerate() {
        let (called, path) = (get::text(hook, "name"), path.index(i));
        validate_hook(hook, kept, &path, errors);
        review_versions(hook, kept, &path.child("admissionReviewVersions"), errors);
        if known && !kept.names && !called.is_empty() {
            errors.duplicate(&path.child("name"), called);
        }
    }
}

fn validate_hook(hook: &Value, kept: &Kept<'_>, path: &Path, errors: &mut Errors) {
    fully_qualified(get::text(hook, "name"), &path.child("name"), errors);
    let rules = path.child("rules");
    for (i, rule) in get::list(hook, "rules").iter().enumerate() {
        admission::rule(rule, &rules.index(i), errors);
    }
    admission::word(hook, "failurePolicy", FAILURE_POLICIES, path, errors);
    admission::word(hook, "matchPolicy", MATCH_POLICIES, path, errors);
    let allowed = if kept.side_effects { SIDE_EFFECTS } else { NO_SIDE_EFFECTS };
    if get::string(hook, "sideEffects").is_none() {
        errors.required(&path.child("sideEffects"), format!("must specify one of {}", allowed.join(", ")));
    }
    admission::word(hook, "sideEffects", allowed, path, errors);
    if let Some(seconds) = get::int(hook, "timeoutSeconds").filter(|seconds| !(1..=30).contains(seconds)) {
        errors.invalid(&path.child("timeoutSeconds"), seconds, "the timeout value must be between 1 and 30 seconds");
    }
    labels::selector(hook, "namespaceSelector", kept.values, path, errors);
    labels::selector(hook, "objectSelector", kept.values, path, errors);
    // Only mutating webhooks have it.
    admission::word(hook, "reinvocationPolicy", REINVOCATION_POLICIES, path, errors);
    admission::client_config(get::at(hook, "clientConfig"), &path.child("clientConfig"), errors);
    if !kept.conditions {
        let offered = Offered { authorizer: true, ..Offered::default() };
        admission::match_conditions(hook, offered, &kept.expressions, path, errors);
    }
}

/// `IsFullyQualifiedName`.
fn fully_qualified(value: &str, path: &Path, errors: &mut Errors) {
    if value.is_empty() {
        return errors.required(path, "");
    }
    let wrong = name::is_dns1123_subdomain(value);
    if !wrong.is_empty() {
        errors.invalid(path, value, wrong.join(","));
    } else if value.split('.').count() < 3 {
        errors.invalid(path, value, "should be a domain with at least three segments separated by dots");
    }
}

fn review_versions(hook: &Value, kept: &Kept<'_>, path: &Path, errors: &mut Errors) {
    let versions: Vec<&str> = get::strings(hook, "admissionReviewVersions").collect();
    let known = REVIEW_VERSIONS.join(", ");
    if versions.is_empty() {
        return errors.required(path, format!("must specify one of {known}"));
    }
    for (i, (version, is_repeated)) in versions.iter().zip(repeats(&versions)).enumerate() {
        if is_repeated {
            errors.invalid(&path.index(i), *version, "duplicate version");
        } else {
            text::invalid_each(version, name::is_dns1035_label(version), &path.index(i), errors);
        }
    }
    if !kept.review_versions && !versions.iter().any(|version| REVIEW_VERSIONS.contains(version)) {
        let shown = get::raw(hook, "admissionReviewVersions");
        errors.invalid(path, shown, format!("must include at least one of {known}"));
    }
}
