//! What may only be used where a quota covers it, by the configuration. Follows `resourcequota/config.go` and the part of
//! `CheckRequest` that asks for it, in `k8s.io/apiserver/pkg/admission/plugin`.

use std::collections::BTreeSet;

use catalog::quota::{Amounts, Scope};
use model::field::{Errors, Path};
use model::{GroupResource, Value};

use super::charge::Ask;
use crate::builtin::{items, text};
use crate::configuration::{self, Strictness};

const KINDS: [(&str, &str); 3] = [
    ("apiserver.config.k8s.io/v1", "ResourceQuotaConfiguration"),
    ("resourcequota.admission.k8s.io/v1beta1", "Configuration"),
    ("resourcequota.admission.k8s.io/v1alpha1", "Configuration"),
];

/// One limited resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::builtin) struct Limited {
    resource: GroupResource,
    /// Parts of names of what its objects use.
    contains: Vec<String>,
    scopes: Vec<Scope>,
}

/// The limits of a configuration. Fails in upstream's words.
pub(in crate::builtin) fn limits(text: &str) -> Result<Vec<Limited>, String> {
    let document = configuration::document(text, &KINDS, Strictness::Strict)?;
    let mut errors = Errors::new();
    let path = Path::new("limitedResources");
    let limits = items(&document, "limitedResources").iter().enumerate().map(|(at, limit)| {
        if self::text(limit, "resource").is_empty() {
            errors.required(&path.index(at).child("resource"), "");
        }
        Limited::of(limit)
    });
    let limits = limits.collect();
    configuration::aggregated(&errors).map_or(Ok(limits), Err)
}

impl Limited {
    fn of(limit: &Value) -> Self {
        let contains = items(limit, "matchContains").iter().filter_map(Value::as_str).map(str::to_owned);
        Self {
            resource: GroupResource {
                group: self::text(limit, "apiGroup").into(),
                resource: self::text(limit, "resource").into(),
            },
            contains: contains.collect(),
            scopes: items(limit, "matchScopes").iter().map(Scope::of).collect(),
        }
    }
}

/// The names of what a write uses and may only use where a quota counts it, in order.
pub(super) fn names<'u>(limits: &[Limited], ask: &Ask, usage: &'u Amounts) -> BTreeSet<&'u str> {
    let of_resource: Vec<&Limited> = limits.iter().filter(|limit| limit.resource == ask.resource).collect();
    let used = usage.iter().filter(|(_, amount)| amount.sign() > 0).map(|(name, _)| name.as_str());
    used.filter(|name| of_resource.iter().flat_map(|limit| &limit.contains).any(|part| name.contains(part))).collect()
}

/// The scopes under which an object falls and may only fall where a quota has them. Upstream looks at every limit here,
/// whichever resource it is of.
pub(super) fn scopes<'l>(limits: &'l [Limited], ask: &Ask) -> Vec<&'l Scope> {
    limits.iter().flat_map(|limit| &limit.scopes).filter(|scope| ask.falls_under(scope)).collect()
}

/// Those scopes that no quota has under whose scopes the object falls.
pub(super) fn uncovered<'l>(limited: Vec<&'l Scope>, covering: &[&Scope]) -> Vec<&'l Scope> {
    limited.into_iter().filter(|scope| covering.iter().all(|other| other.name() != scope.name())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_and_judged() {
        let head = "apiVersion: apiserver.config.k8s.io/v1\nkind: ResourceQuotaConfiguration\n";
        let read = |rest: &str| limits(&format!("{head}{rest}"));
        let one = read("limitedResources: [{resource: pods, matchContains: [cpu]}]").unwrap();
        assert_eq!((&*one[0].resource.resource, &one[0].contains[..]), ("pods", &["cpu".to_owned()][..]));
        assert_eq!(read("limitedResources: [{apiGroup: apps}]"), Err("limitedResources[0].resource: Required value".to_owned()));
        assert_eq!(read("limited: []"), Err("strict decoding error: unknown field \"limited\"".to_owned()));
    }
}
