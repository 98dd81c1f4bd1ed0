//! `events.k8s.io/v1` Event, which is stored as the core one. Follows `pkg/apis/events/v1/conversion.go`.

use super::{Conversion, rename};

pub(super) const CONVERSION: Conversion = Conversion {
    to_storage: |event| FIELDS.iter().for_each(|(served, stored)| rename(event, served, stored)),
    from_storage: |event| FIELDS.iter().for_each(|(served, stored)| rename(event, stored, served)),
    fields: &[
        ("reason", "reason"),
        ("regarding.kind", "involvedObject.kind"),
        ("regarding.namespace", "involvedObject.namespace"),
        ("regarding.name", "involvedObject.name"),
        ("regarding.uid", "involvedObject.uid"),
        ("regarding.apiVersion", "involvedObject.apiVersion"),
        ("regarding.resourceVersion", "involvedObject.resourceVersion"),
        ("regarding.fieldPath", "involvedObject.fieldPath"),
        ("reportingController", "reportingComponent"),
        ("type", "type"),
        ("metadata.namespace", "metadata.namespace"),
        ("metadata.name", "metadata.name"),
    ],
};

/// Served and stored names of what is called differently.
const FIELDS: [(&str, &str); 7] = [
    ("regarding", "involvedObject"),
    ("note", "message"),
    ("reportingController", "reportingComponent"),
    ("deprecatedSource", "source"),
    ("deprecatedFirstTimestamp", "firstTimestamp"),
    ("deprecatedLastTimestamp", "lastTimestamp"),
    ("deprecatedCount", "count"),
];

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    #[test]
    fn there_and_back() {
        let served = json!({"metadata": {"name": "a"}, "regarding": {"kind": "Pod"}, "note": "hello", "reportingController": "c", "deprecatedCount": 3});
        let mut event = served.clone();
        (CONVERSION.to_storage)(&mut event);
        assert_eq!(
            event,
            json!({"metadata": {"name": "a"}, "involvedObject": {"kind": "Pod"}, "message": "hello", "reportingComponent": "c", "count": 3})
        );
        (CONVERSION.from_storage)(&mut event);
        assert_eq!(event, served);
    }
}
