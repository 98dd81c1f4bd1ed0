//! What validation tolerates: in an update what the stored object already has, and what `--allow-privileged` lets be.
//! Follows `GetValidationOptionsFromPodSpecAndMeta`, for the feature gates that are on in 1.37, and `capabilities`.

use std::sync::atomic::{AtomicBool, Ordering};

use model::Value;
use model::field::{Errors, Path};
use model::name;

use super::super::rules::path::{has_backsteps, local_non_reserved};
use super::super::rules::{get, labels};
use super::{annotations, resources, security, spread, visit_containers};

/// Whether pods may be privileged. One for the process, as the flag is: hooks are plain functions of what is written.
static PRIVILEGED: AtomicBool = AtomicBool::new(false);

/// Says whether containers may be privileged and processes of the host, from now on. Nobody's may before it is said.
pub fn allow_privileged(allowed: bool) {
    PRIVILEGED.store(allowed, Ordering::Relaxed);
}

/// All false: nothing is tolerated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// The spec is that of a pod, not of a template.
    pub(crate) is_pod: bool,
    /// Containers may be privileged, and processes of the host.
    pub(crate) privileged: bool,
    /// The deletion cost need be no number.
    pub(crate) any_deletion_cost: bool,
    /// Huge pages need not be whole pages.
    pub(crate) indivisible_huge_pages: bool,
    /// Selectors of pod affinity may hold values that no label can have.
    pub(crate) any_affinity_values: bool,
    /// Required node affinity likewise.
    pub(crate) any_node_affinity_values: bool,
    /// Selectors of spread constraints are not checked.
    pub(crate) any_spread_selector: bool,
    /// Spread constraints follow the rule of `matchLabelKeys` from before 1.34.
    pub(crate) legacy_match_label_keys: bool,
    /// Projected tokens may lie outside their volume.
    pub(crate) non_local_token_path: bool,
    /// Sysctls of a namespace that the pod shares with the host.
    pub(crate) host_sysctls: bool,
    /// Init containers that are no sidecars may ask for a restart on resize.
    pub(crate) restart_init_on_resize: bool,
    /// User namespaces together with block devices.
    pub(crate) user_namespace_devices: bool,
    /// Image volumes without a reference.
    pub(crate) empty_image_reference: bool,
    /// `CAP_SYS_ADMIN` although privileges may not escalate.
    pub(crate) sys_admin_without_escalation: bool,
}

impl Options {
    /// What a create may have.
    pub(crate) fn strict() -> Self {
        Self { privileged: PRIVILEGED.load(Ordering::Relaxed), ..Self::default() }
    }

    /// What an update may keep from the stored spec and metadata (null when there is none).
    pub(crate) fn from_old(spec: &Value, metadata: &Value) -> Self {
        Self {
            any_deletion_cost: !annotations::deletion_cost_is_valid(metadata),
            indivisible_huge_pages: resources::has_indivisible_huge_pages(spec),
            any_affinity_values: has_bad_affinity_value(spec),
            any_node_affinity_values: has_bad_node_affinity_value(spec),
            any_spread_selector: spread::has_bad_selector(spec),
            legacy_match_label_keys: spread::has_bad_match_label_keys(spec),
            non_local_token_path: has_non_local_token_path(spec),
            host_sysctls: security::has_host_sysctl(spec),
            restart_init_on_resize: restarts_init_on_resize(spec),
            user_namespace_devices: get::flag(spec, "hostUsers") == Some(false)
                && any_container(spec, |c| !get::list(c, "volumeDevices").is_empty()),
            empty_image_reference: get::list(spec, "volumes")
                .iter()
                .any(|volume| get::object(volume, "image").is_some_and(|image| get::text(image, "reference").is_empty())),
            sys_admin_without_escalation: any_container(spec, |c| {
                security::is_sys_admin_without_escalation(get::at(c, "securityContext"))
            }),
            ..Self::strict()
        }
    }

    /// The same for the spec of a pod.
    pub(crate) fn of_pod(self) -> Self {
        Self { is_pod: true, ..self }
    }
}

/// Runs a validation as strictly as on create, and only where that finds something, again with what the stored object
/// excuses: the common update then never looks at the old spec.
pub(crate) fn validate_leniently(
    old: impl FnOnce() -> Options,
    strict: Options,
    errors: &mut Errors,
    run: impl Fn(&Options, &mut Errors),
) {
    let before = errors.0.len();
    run(&strict, errors);
    if errors.0.len() == before {
        return;
    }
    let lenient = Options { is_pod: strict.is_pod, ..old() };
    if lenient != strict {
        errors.0.truncate(before);
        run(&lenient, errors);
    }
}

fn any_container(spec: &Value, test: impl Fn(&Value) -> bool) -> bool {
    let mut found = false;
    visit_containers(spec, &Path::default(), &mut |container, _| found |= test(container));
    found
}

fn has_bad_affinity_value(spec: &Value) -> bool {
    ["podAffinity", "podAntiAffinity"].iter().any(|kind| {
        let affinity = get::at(get::at(spec, "affinity"), kind);
        let required = get::list(affinity, "requiredDuringSchedulingIgnoredDuringExecution").iter();
        let preferred = get::list(affinity, "preferredDuringSchedulingIgnoredDuringExecution")
            .iter()
            .map(|term| get::at(term, "podAffinityTerm"));
        required.chain(preferred).any(|term| {
            labels::has_invalid_value(get::at(term, "labelSelector"))
                || labels::has_invalid_value(get::at(term, "namespaceSelector"))
        })
    })
}

fn has_bad_node_affinity_value(spec: &Value) -> bool {
    let required = get::at(spec, "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution");
    get::list(required, "nodeSelectorTerms")
        .iter()
        .flat_map(|term| get::list(term, "matchExpressions"))
        .flat_map(|requirement| get::strings(requirement, "values"))
        .any(|value| !name::is_valid_label_value(value).is_empty())
}

fn has_non_local_token_path(spec: &Value) -> bool {
    let sources = get::list(spec, "volumes").iter().flat_map(|volume| get::list(get::at(volume, "projected"), "sources"));
    sources.filter_map(|source| get::object(source, "serviceAccountToken")).any(|token| {
        let path = get::text(token, "path");
        let mut errors = Errors::new();
        local_non_reserved(path, &Path::default(), &mut errors);
        has_backsteps(path) || !errors.is_empty()
    })
}

fn restarts_init_on_resize(spec: &Value) -> bool {
    get::list(spec, "initContainers").iter().any(|container| {
        get::text(container, "restartPolicy") != "Always"
            && get::list(container, "resizePolicy").iter().any(|policy| get::text(policy, "restartPolicy") == "RestartContainer")
    })
}
