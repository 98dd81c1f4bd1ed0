//! Which mutating webhooks are called once more, within one request; mutating policies likewise.
//! Follows `webhook/mutating/reinvocationcontext.go`.

use std::collections::BTreeSet;

use model::Value;

/// What the first round leaves for the second.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// The object as the webhooks left it.
    last: Option<Value>,
    /// Called so far, and willing to be called again.
    called: BTreeSet<String>,
    /// To be called again.
    again: BTreeSet<String>,
}

impl Round {
    /// The second round begins: where plugins have changed the object since, everybody willing is called again.
    pub(crate) fn resume(&mut self, object: Option<&Value>) {
        if self.last.as_ref() != object {
            self.require();
        }
    }

    /// The object changed: those called so far look again.
    pub(crate) fn require(&mut self) {
        self.again.append(&mut self.called);
    }

    /// A webhook was called that is willing to be called again.
    pub(crate) fn willing(&mut self, uid: &str) {
        self.called.insert(uid.to_owned());
    }

    /// Whether the second round calls it.
    pub(crate) fn calls(&self, uid: &str) -> bool {
        self.again.contains(uid)
    }

    /// The round is over.
    pub(crate) fn end(&mut self, object: Option<&Value>) {
        self.last = object.cloned();
    }
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    #[test]
    fn those_before_a_change_are_called_again() {
        let mut round = Round::default();
        round.willing("a");
        round.require();
        round.willing("b");
        round.end(Some(&json!(1)));
        round.resume(Some(&json!(1)));
        assert!(round.calls("a") && !round.calls("b"), "nothing changed after b");
        round.resume(Some(&json!(2)));
        assert!(round.calls("b"), "a plugin changed the object after all webhooks");
    }
}
