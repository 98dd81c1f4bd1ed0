//! What becomes of one object, given how its owners stand. Pure; the doing is the collector's.

use model::world::Propagation;
use model::{Value, meta};

use super::{FOREGROUND, ORPHAN};

/// How an owner stands, seen live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is there.
    Solid,
    /// It is gone, or another object has its name.
    Dangling,
    /// It is being deleted and waits for what it owns to go first.
    Waiting,
}

/// What to do with an object.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Nothing.
    Keep,
    /// Take these owners (by uid) off its references: others still hold it.
    RemoveReferences(Vec<String>),
    /// Delete it.
    Delete(Propagation),
}

/// How an owner that was read by name stands as the owner with this uid.
pub(super) fn standing(owner: &Value, uid: &str) -> Standing {
    if meta::uid(owner) != uid {
        Standing::Dangling
    } else if meta::deletion_timestamp(owner).is_some() && meta::finalizers(owner).contains(&FOREGROUND) {
        Standing::Waiting
    } else {
        Standing::Solid
    }
}

/// `standings` are the uids of the owners and how they stand; `has_dependents` whether the object owns others.
pub(super) fn decide(object: &Value, standings: &[(String, Standing)], has_dependents: bool) -> Action {
    let uids_not_solid =
        || standings.iter().filter(|(_, s)| *s != Standing::Solid).map(|(uid, _)| uid.clone()).collect::<Vec<_>>();
    let any = |standing| standings.iter().any(|(_, s)| *s == standing);
    if standings.is_empty() {
        return Action::Keep;
    }
    if any(Standing::Solid) {
        let lost = uids_not_solid();
        return if lost.is_empty() { Action::Keep } else { Action::RemoveReferences(lost) };
    }
    if any(Standing::Waiting) && has_dependents {
        return Action::Delete(Propagation::Foreground);
    }
    // A finalizer that is there already says how its dependents are to be treated.
    let finalizers = meta::finalizers(object);
    Action::Delete(if finalizers.contains(&ORPHAN) {
        Propagation::Orphan
    } else if finalizers.contains(&FOREGROUND) {
        Propagation::Foreground
    } else {
        Propagation::Background
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::json::json;

    fn standings(all: &[Standing]) -> Vec<(String, Standing)> {
        all.iter().enumerate().map(|(i, s)| (i.to_string(), *s)).collect()
    }

    #[test]
    fn owners_decide() {
        use Standing::{Dangling, Solid, Waiting};
        let plain = json!({"metadata": {}});
        let cases = [
            (&[][..], false, Action::Keep),
            (&[Solid], true, Action::Keep),
            (&[Solid, Dangling], false, Action::RemoveReferences(vec!["1".into()])),
            (&[Waiting, Solid, Dangling], true, Action::RemoveReferences(vec!["0".into(), "2".into()])),
            (&[Dangling], true, Action::Delete(Propagation::Background)),
            (&[Waiting], false, Action::Delete(Propagation::Background)),
            (&[Waiting, Dangling], true, Action::Delete(Propagation::Foreground)),
        ];
        for (owners, has_dependents, action) in cases {
            assert_eq!(decide(&plain, &standings(owners), has_dependents), action, "{owners:?}");
        }
    }

    #[test]
    fn finalizers_say_how() {
        let with = |finalizer: &str| json!({"metadata": {"finalizers": [finalizer]}});
        let dangling = standings(&[Standing::Dangling]);
        assert_eq!(decide(&with(ORPHAN), &dangling, true), Action::Delete(Propagation::Orphan));
        assert_eq!(decide(&with(FOREGROUND), &dangling, true), Action::Delete(Propagation::Foreground));
    }

    #[test]
    fn a_namesake_is_no_owner() {
        let owner = json!({"metadata": {"uid": "new"}});
        assert_eq!(standing(&owner, "old"), Standing::Dangling);
        assert_eq!(standing(&owner, "new"), Standing::Solid);
        let ending = json!({"metadata": {"uid": "new", "deletionTimestamp": "x", "finalizers": [FOREGROUND]}});
        assert_eq!(standing(&ending, "new"), Standing::Waiting);
    }
}
