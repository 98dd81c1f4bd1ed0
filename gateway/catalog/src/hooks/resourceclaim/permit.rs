//! Who may write what of a claim: administrators' access to devices needs a label of the namespace, an allocation the
//! scheduler's permission, and what drivers say of devices theirs. Upstream: `pkg/registry/resource/utils.go`.

use model::field::{Errors, Path};
use model::{User, Value, meta, name};

use super::super::rules::get;
use super::super::{Asked, Asker};
use super::status::identity;

/// The label of namespaces in which claims may have administrators' access.
const ADMIN_LABEL: &str = "resource.kubernetes.io/admin-access";
/// Where a service account's token says on which node its pod runs.
const NODE_NAME_EXTRA: &str = "authentication.kubernetes.io/node-name";

/// `AuthorizedForAdmin`; the spec is immutable, so that only a create is asked. Upstream names the same path for templates.
pub(super) fn admin(object: &Value, devices: &str, old: Option<&Value>, asker: &dyn Asker, errors: &mut Errors) {
    if old.is_some() {
        return;
    }
    let requests = get::list(get::at(object, devices), "requests");
    let wanted = requests.iter().position(|request| get::is(get::at(request, "exactly"), "adminAccess"));
    if let Some(i) = wanted {
        let path = Path::new("spec.devices.requests");
        labelled(meta::namespace(object), &path.index(i).child("adminAccess"), asker, errors);
    }
}

/// What a change of the status asks.
pub(super) fn status(new: &Value, old: Option<&Value>, asker: &dyn Asker, errors: &mut Errors) {
    let (status, before) = (get::at(new, "status"), old.map_or(&Value::Null, |old| get::at(old, "status")));
    // An allocation is immutable: what was granted stays.
    if granted(before).is_none()
        && let Some(i) = granted(status)
    {
        let path = Path::new("status.allocation.devices.results");
        labelled(meta::namespace(new), &path.index(i).child("adminAccess"), asker, errors);
    }
    binding(status, before, asker, errors);
    // What is said of devices goes with the allocation.
    if get::object(status, "allocation").is_some() {
        device_status(status, before, asker, errors);
    }
}

fn granted(status: &Value) -> Option<usize> {
    let results = get::list(get::at(status, "allocation.devices"), "results");
    results.iter().position(|result| get::is(result, "adminAccess"))
}

fn labelled(namespace: &str, path: &Path, asker: &dyn Asker, errors: &mut Errors) {
    match asker.find_namespace(namespace) {
        Err(status) => errors.internal(path, format!("could not retrieve namespace to verify admin access: {status}")),
        Ok(found) if get::text(get::at(&found, "metadata.labels"), ADMIN_LABEL) != "true" => {
            let why = format!("admin access to devices requires the `{ADMIN_LABEL}: true` label on the containing namespace");
            errors.forbidden(path, why);
        }
        Ok(_) => {}
    }
}

/// `AuthorizedForBinding`
fn binding(status: &Value, before: &Value, asker: &dyn Asker, errors: &mut Errors) {
    let same = get::raw(status, "allocation") == get::raw(before, "allocation")
        && get::list(status, "reservedFor") == get::list(before, "reservedFor");
    if same {
        return;
    }
    let verb = asker.verb();
    if let Err(refused) = asker.may(&Asked { verb, subresource: "binding", namespace: "", name: "" }) {
        let why = format!(
            r#"changing status.allocation or status.reservedFor requires resource="resourceclaims/binding", verb="{verb}" permission: {refused}"#
        );
        errors.forbidden(&Path::new("status.allocation"), why);
    }
}

/// `AuthorizedForDeviceStatus`
fn device_status(status: &Value, before: &Value, asker: &dyn Asker, errors: &mut Errors) {
    let mut verbs = vec![format!("arbitrary-node:{}", asker.verb())];
    if runs_on(asker.user(), allocated_node(get::at(status, "allocation"))) {
        verbs.insert(0, format!("associated-node:{}", asker.verb()));
    }
    for driver in changed_drivers(status, before) {
        let mut refusals = Vec::new();
        for verb in &verbs {
            match asker.may(&Asked { verb, subresource: "driver", namespace: asker.namespace(), name: driver }) {
                Ok(()) => break,
                Err(refused) => refusals.push(refused),
            }
        }
        if refusals.len() == verbs.len() {
            let why = format!(
                r#"changing status.devices requires resource="resourceclaims/driver", verb="[{}]" permission: {}"#,
                verbs.join(" "),
                refusals[0]
            );
            errors.forbidden(&Path::new("status.devices"), why);
        }
    }
}

/// The drivers whose devices' status is new, changed or gone, sorted.
fn changed_drivers<'a>(status: &'a Value, before: &'a Value) -> Vec<&'a str> {
    let (new, old) = (get::list(status, "devices"), get::list(before, "devices"));
    let counterpart = |device: &Value, among: &'a [Value]| among.iter().rev().find(|other| identity(other) == identity(device));
    let changed = new.iter().filter(|device| counterpart(device, old) != Some(device));
    let gone = old.iter().filter(|device| counterpart(device, new).is_none());
    let mut drivers: Vec<&str> = changed.chain(gone).map(|device| get::text(device, "driver")).collect();
    drivers.sort_unstable();
    drivers.dedup();
    drivers
}

/// The one node to which an allocation is bound, empty when it is not to one.
fn allocated_node(allocation: &Value) -> &str {
    let [term] = get::list(get::at(allocation, "nodeSelector"), "nodeSelectorTerms") else { return "" };
    let [field] = get::list(term, "matchFields") else { return "" };
    let by_name = get::text(field, "key") == "metadata.name" && get::text(field, "operator") == "In";
    match get::list(field, "values") {
        [Value::String(node)] if by_name && get::list(term, "matchExpressions").is_empty() => node,
        _ => "",
    }
}

/// Whether a service account's pod runs on the node.
fn runs_on(user: &User, node: &str) -> bool {
    let told = user.extra.get(NODE_NAME_EXTRA).map(Vec::as_slice);
    let is_there = matches!(told, Some([one]) if one == node && name::is_dns1123_subdomain(one).is_empty());
    !node.is_empty() && user.service_account().is_some() && is_there
}

#[cfg(test)]
mod tests {
    use model::Status;
    use model::json::json;

    use super::*;

    struct Fake {
        user: User,
        label: &'static str,
        allowed: &'static [&'static str],
    }

    impl Asker for Fake {
        fn user(&self) -> &User {
            &self.user
        }

        fn verb(&self) -> &'static str {
            "update"
        }

        fn namespace(&self) -> &'static str {
            "shop"
        }

        fn find_namespace(&self, name: &str) -> Result<Value, Status> {
            Ok(json!({"metadata": {"name": name, "labels": {ADMIN_LABEL: self.label}}}))
        }

        fn may(&self, asked: &Asked<'_>) -> Result<(), Status> {
            let Asked { verb, subresource, namespace, name } = asked;
            let asked = format!("{verb} {subresource} {namespace}/{name}");
            if self.allowed.contains(&&*asked) { Ok(()) } else { Err(Status::bad_request(format!("no {asked}"))) }
        }

        fn may_act_for(&self, _: &str, _: &str) -> bool {
            false
        }

        fn now(&self) -> i64 {
            0
        }
    }

    fn told(permit: impl FnOnce(&mut Errors)) -> Vec<String> {
        let mut errors = Errors::new();
        permit(&mut errors);
        errors.0.iter().map(ToString::to_string).collect()
    }

    fn fake(label: &'static str, allowed: &'static [&'static str]) -> Fake {
        Fake { user: User::default(), label, allowed }
    }

    #[test]
    fn administrators_access_needs_a_label() {
        let claim = json!({"metadata": {"namespace": "shop"}, "spec": {"devices": {"requests": [{"name": "a"}, {"exactly": {"adminAccess": true}}]}}});
        let refused = "spec.devices.requests[1].adminAccess: Forbidden: admin access to devices requires the `resource.kubernetes.io/admin-access: true` label on the containing namespace";
        let ask = |old, label| told(|errors| admin(&claim, "spec.devices", old, &fake(label, &[]), errors));
        assert_eq!(ask(None, ""), [refused]);
        assert_eq!(ask(None, "true"), [""; 0]);
        assert_eq!(ask(Some(&claim), ""), [""; 0]);
    }

    #[test]
    fn the_status_is_written_by_who_may() {
        let claim = |node: &str, devices: Value| json!({"status": {"allocation": {"nodeSelector": {"nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}]}}, "devices": devices}});
        let (one, two) = (json!({"driver": "b", "pool": "p", "device": "1"}), json!({"driver": "a", "pool": "p", "device": "1"}));
        let old = claim("n1", json!([one]));
        let ask = |new: &Value, fake: &Fake| told(|errors| status(new, Some(&old), fake, errors));
        assert_eq!(ask(&old, &fake("", &[])), [""; 0]);
        assert_eq!(
            ask(&claim("n2", json!([one])), &fake("", &[])),
            [
                r#"status.allocation: Forbidden: changing status.allocation or status.reservedFor requires resource="resourceclaims/binding", verb="update" permission: no update binding /"#
            ]
        );
        assert_eq!(ask(&claim("n2", json!([one])), &fake("", &["update binding /"])), [""; 0]);
        let drivers = claim("n1", json!([two]));
        let refused = |driver| {
            format!(
                r#"status.devices: Forbidden: changing status.devices requires resource="resourceclaims/driver", verb="[arbitrary-node:update]" permission: no arbitrary-node:update driver shop/{driver}"#
            )
        };
        assert_eq!(ask(&drivers, &fake("", &[])), [refused("a"), refused("b")]);
        assert_eq!(ask(&drivers, &fake("", &["arbitrary-node:update driver shop/a"])), [refused("b")]);
        let mut local = fake("", &["associated-node:update driver shop/a", "associated-node:update driver shop/b"]);
        local.user = User::new("system:serviceaccount:shop:driver", &[]);
        local.user.extra.insert(NODE_NAME_EXTRA.to_owned(), vec!["n1".to_owned()]);
        assert_eq!(ask(&drivers, &local), [""; 0]);
    }
}
