//! A definition's spec as upstream holds it: what all versions have in common stands at the top, as in `v1beta1`, and
//! errors name it there. Follows `apis/apiextensions/v1/conversion.go`. Judges nothing.

use model::Value;

use crate::hooks::rules::get;

/// The spec.
pub(super) struct Spec<'a> {
    /// As it is written.
    pub written: &'a Value,
    pub validation: Option<&'a Value>,
    pub subresources: Option<&'a Value>,
    pub columns: &'a [Value],
    pub selectable: &'a [Value],
    pub versions: Vec<Version<'a>>,
}

/// One version, without what it shares with all others.
pub(super) struct Version<'a> {
    /// As it is written.
    pub written: &'a Value,
    pub schema: Option<&'a Value>,
    pub subresources: Option<&'a Value>,
    pub columns: &'a [Value],
    pub selectable: &'a [Value],
}

impl<'a> Version<'a> {
    pub(super) fn name(&self) -> &'a str {
        get::text(self.written, "name")
    }
}

impl<'a> Spec<'a> {
    pub(super) fn of(object: &'a Value) -> Self {
        let written = get::at(object, "spec");
        let versions = get::list(written, "versions");
        let shared = |field: &str| {
            let first = versions.first().and_then(|version| version.get(field));
            versions.iter().all(|version| version.get(field) == first).then_some(first)
        };
        let (schema, subresources) = (shared("schema"), shared("subresources"));
        let (columns, selectable) = (shared("additionalPrinterColumns"), shared("selectableFields"));
        let own = |version: &'a Value, field: &str, shared: bool| version.get(field).filter(|_| !shared);
        Self {
            written,
            validation: schema.flatten(),
            subresources: subresources.flatten(),
            columns: items(columns.flatten()),
            selectable: items(selectable.flatten()),
            versions: versions
                .iter()
                .map(|version| Version {
                    written: version,
                    schema: own(version, "schema", schema.is_some()),
                    subresources: own(version, "subresources", subresources.is_some()),
                    columns: items(own(version, "additionalPrinterColumns", columns.is_some())),
                    selectable: items(own(version, "selectableFields", selectable.is_some())),
                })
                .collect(),
        }
    }

    /// The name of the first version, which stands for all.
    pub(super) fn version(&self) -> &'a str {
        self.versions.first().map_or("", Version::name)
    }

    /// The schemas of all versions.
    pub(super) fn schemas(&self) -> impl Iterator<Item = &'a Value> {
        let all = self.validation.into_iter().chain(self.versions.iter().filter_map(|version| version.schema));
        all.filter_map(open_api)
    }

    /// Whether the version of this name has its status apart.
    pub(super) fn has_status(&self, version: &str) -> bool {
        let own = self.versions.iter().any(|v| v.subresources.is_some());
        let named = || self.versions.iter().find(|v| v.name() == version).and_then(|v| v.subresources);
        status_enabled(if own { named() } else { self.subresources })
    }

    /// Whether any version has its status apart.
    pub(super) fn has_any_status(&self) -> bool {
        status_enabled(self.subresources) || self.versions.iter().any(|v| status_enabled(v.subresources))
    }
}

fn status_enabled(subresources: Option<&Value>) -> bool {
    subresources.is_some_and(|all| get::object(all, "status").is_some())
}

fn items(list: Option<&Value>) -> &[Value] {
    list.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The schema within a `schema`.
pub(super) fn open_api(validation: &Value) -> Option<&Value> {
    get::object(validation, "openAPIV3Schema")
}
