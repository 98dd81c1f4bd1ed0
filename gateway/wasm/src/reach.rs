//! What a guest may ask of the cluster while it runs, as a trait: the server answers from its cache and its authorizer, a
//! test from a few files. Counts and bounds the questions; does not answer them (`admission`).

use std::sync::Arc;
use std::time::Duration;

pub use crate::bindings::validator::gatehouse::policy::authorizer::{Attributes, Decision, Subject};
pub use crate::bindings::validator::gatehouse::policy::cluster::ReadError;

use crate::GroupVersionResource;
use crate::bindings::validator::gatehouse::policy::{authorizer, cluster};
use crate::guest::Guest;
use crate::limits::{QUESTIONS_MAX, READ_BYTES_MAX};

/// Answers the questions of one call. Called on a thread for guests, which waits.
pub trait Reach: Send + Sync {
    /// One object as JSON, projected to some fields; `within` is the wall time that the call has left.
    fn get(&self, of: &GroupVersionResource, place: Place<'_>, fields: &[String], within: Duration) -> Read<Option<Vec<u8>>>;

    /// Objects of a namespace, or of all, that fit a label selector.
    fn list(&self, of: &GroupVersionResource, place: Place<'_>, fields: &[String], within: Duration) -> Read<Vec<Vec<u8>>>;

    /// Whether somebody may do something; the error says why nobody knows.
    fn check(&self, who: &Subject, what: &Attributes, within: Duration) -> Result<Decision, String>;
}

/// What a read answers.
pub type Read<T> = Result<T, ReadError>;

/// Where to look.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Namespace; empty for what is not in one, and for all of them.
    pub namespace: &'a str,
    /// The object's name for one, a label selector for many.
    pub selected: &'a str,
}

/// Nobody answers: where modules are described, and for bindings that grant nothing.
struct Nothing;

/// A reach that answers nothing.
pub fn nothing() -> Arc<dyn Reach> {
    Arc::new(Nothing)
}

const NOBODY: &str = "there is no cluster here";

impl Reach for Nothing {
    fn get(&self, _: &GroupVersionResource, _: Place<'_>, _: &[String], _: Duration) -> Read<Option<Vec<u8>>> {
        Err(ReadError::Unavailable(NOBODY.to_owned()))
    }

    fn list(&self, _: &GroupVersionResource, _: Place<'_>, _: &[String], _: Duration) -> Read<Vec<Vec<u8>>> {
        Err(ReadError::Unavailable(NOBODY.to_owned()))
    }

    fn check(&self, _: &Subject, _: &Attributes, _: Duration) -> Result<Decision, String> {
        Err(NOBODY.to_owned())
    }
}

/// What a guest asked so far.
#[derive(Default)]
pub(crate) struct Asked {
    questions: u32,
    bytes: usize,
    /// It wanted to know about a requester where there is none.
    pub(crate) for_a_user: bool,
}

impl Asked {
    pub(crate) fn another(&mut self) -> bool {
        self.questions += 1;
        self.questions <= QUESTIONS_MAX
    }

    pub(crate) fn took(&mut self, bytes: usize) -> bool {
        self.bytes += bytes;
        self.bytes <= READ_BYTES_MAX
    }
}

impl cluster::Host for Guest {
    fn get(
        &mut self,
        of: GroupVersionResource,
        namespace: String,
        name: String,
        fields: Vec<String>,
    ) -> Result<Option<Vec<u8>>, ReadError> {
        if !self.asked.another() {
            return Err(ReadError::TooMuch);
        }
        let place = Place { namespace: &namespace, selected: &name };
        let object = self.reach.get(&of, place, &fields, self.time_left())?;
        if self.asked.took(object.as_ref().map_or(0, Vec::len)) { Ok(object) } else { Err(ReadError::TooMuch) }
    }

    fn list(
        &mut self,
        of: GroupVersionResource,
        namespace: String,
        selector: String,
        fields: Vec<String>,
    ) -> Result<Vec<Vec<u8>>, ReadError> {
        if !self.asked.another() {
            return Err(ReadError::TooMuch);
        }
        let place = Place { namespace: &namespace, selected: &selector };
        let objects = self.reach.list(&of, place, &fields, self.time_left())?;
        if self.asked.took(objects.iter().map(Vec::len).sum()) { Ok(objects) } else { Err(ReadError::TooMuch) }
    }
}

impl authorizer::Host for Guest {
    fn check(&mut self, who: Subject, what: Attributes) -> Result<Decision, String> {
        if !self.asked.another() {
            return Err(format!("a call may ask {QUESTIONS_MAX} times"));
        }
        if matches!(who, Subject::Requester) && !self.has_user {
            self.asked.for_a_user = true;
            return Err("nobody makes this request".to_owned());
        }
        self.reach.check(&who, &what, self.time_left())
    }
}
