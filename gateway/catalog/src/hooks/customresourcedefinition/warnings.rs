//! What is allowed but unwise in a definition: formats that nothing checks, sets of what is no scalar, and what the server
//! itself serves until then. An update is told only of what it brings.

use model::Value;
use model::field::quote;
use schema::structural::{Type, format};

use super::spec::Spec;
use super::walk;
use crate::hooks::rules::get;

pub(super) fn warnings(new: &Value, old: Option<&Value>) -> Vec<String> {
    let known = old.map(Found::of).unwrap_or_default();
    let found = Found::of(new);
    let formats = found.formats.into_iter().filter(|format| !known.formats.contains(format));
    let mut warnings: Vec<String> = formats.map(|format| format!("unrecognized format {}", quote(&format))).collect();
    warnings.extend(found.sets.into_iter().filter(|set| !known.sets.contains(set)));
    if old.is_none() && get::text(get::at(new, "spec"), "group") == REPORTS {
        warnings.push(GIVES_WAY.to_owned());
    }
    warnings
}

/// The group whose objects are computed here.
const REPORTS: &str = "openreports.io";
const GIVES_WAY: &str = "the reports on stored objects that this server computes give way to the objects of this definition; they are served again when it is deleted";

#[derive(Default)]
struct Found {
    formats: Vec<String>,
    sets: Vec<String>,
}

impl Found {
    fn of(object: &Value) -> Self {
        let mut found = Self::default();
        for schema in Spec::of(object).schemas() {
            walk::any(schema, &mut |inner| {
                found.look(inner);
                false
            });
        }
        found.sets.sort_unstable();
        found.sets.dedup();
        found
    }

    fn look(&mut self, schema: &Value) {
        let format = get::text(schema, "format");
        if !format.is_empty() && !is_recognized(format, get::text(schema, "type")) {
            self.formats.push(format.to_owned());
        }
        let item = get::text(get::at(schema, "items"), "type");
        if get::text(schema, "x-kubernetes-list-type") == "set" && matches!(item, "object" | "array") {
            self.sets.push(format!(
                "x-kubernetes-list-type: set for items of type {} is not supported by server-side apply or CEL validation rules",
                quote(item)
            ));
        }
    }
}

fn is_recognized(format: &str, kind: &str) -> bool {
    match kind {
        "" | "string" => format::is_known(format, None),
        "integer" => format::is_known(format, Some(Type::Integer)),
        "number" => format::is_known(format, Some(Type::Number)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    #[test]
    fn who_defines_reports_is_told_what_goes() {
        let of = |group: &str| json!({"spec": {"group": group, "versions": []}});
        assert_eq!(warnings(&of(REPORTS), None), [GIVES_WAY]);
        assert!(warnings(&of("example.com"), None).is_empty() && warnings(&of(REPORTS), Some(&of(REPORTS))).is_empty());
    }
}
