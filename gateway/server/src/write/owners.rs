//! Owner references that stand twice are dropped, with a warning.
//! Follows `apiserver/pkg/endpoints/handlers/rest.go`.

use admission::Notes;
use model::{Value, meta, repeats};

/// When duplicates are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// In what the client sent.
    Request,
    /// In what mutating admission made of it.
    AfterAdmission,
}

/// Drops duplicates and warns of them.
pub(crate) fn dedup(object: &mut Value, moment: Moment, notes: &mut Notes) {
    let removed = removed(object);
    if removed.is_empty() {
        return;
    }
    let removed = removed.join(", ");
    notes.warn(match moment {
        Moment::Request => format!(".metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: {removed}"),
        Moment::AfterAdmission => format!(".metadata.ownerReferences contains duplicate entries after mutating admission happens; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: {removed}"),
    });
}

fn removed(object: &mut Value) -> Vec<String> {
    let references = meta::owner_references(object);
    if references.len() < 2 {
        return Vec::new();
    }
    let (mut kept, mut removed): (Vec<Value>, Vec<String>) = (Vec::new(), Vec::new());
    for (reference, is_repeated) in references.iter().zip(repeats(references)) {
        if is_repeated {
            removed.push(reference.get("uid").and_then(Value::as_str).unwrap_or("").to_owned());
        } else {
            kept.push(reference.clone());
        }
    }
    if !removed.is_empty() {
        meta::set(object, "ownerReferences", kept);
    }
    removed
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    #[test]
    fn owner_references_stand_once() {
        let one = json!({"uid": "1", "name": "a"});
        let mut object = json!({"metadata": {"ownerReferences": [one, {"uid": "1", "name": "b"}, one]}});
        let mut notes = Notes::default();
        dedup(&mut object, Moment::Request, &mut notes);
        assert_eq!(meta::owner_references(&object).len(), 2);
        assert!(notes.warnings[0].ends_with("duplicate UID(s) observed: 1"));
        dedup(&mut object, Moment::AfterAdmission, &mut notes);
        assert_eq!(notes.warnings.len(), 1);
    }
}
