//! Guests that ask the cluster and the authorizer.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::reach::{Attributes, Decision, Place, Reach, Read, ReadError, Subject};

const CLUSTER: &str =
    r#"(import "gatehouse:policy/cluster@1.0.0" "get" (func $get (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))"#;
const AUTHORIZER: &str = r#"(import "gatehouse:policy/authorizer@1.0.0" "check" (func $check (param i32 i32)))"#;

/// Reads the object "test" of whatever is "test"; the answer lies at 3200: a tag, then an option's or an error's tag at
/// 3204, then the object's place at 3208.
const GET: &str = "(call $get (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 512) (i32.const 4)
    (i32.const 0) (i32.const 0) (i32.const 512) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 3200))";

#[derive(Default)]
struct Fake {
    questions: AtomicU32,
    bytes: usize,
}

impl Reach for Fake {
    fn get(&self, of: &GroupVersionResource, place: Place<'_>, _: &[String], within: Duration) -> Read<Option<Vec<u8>>> {
        self.questions.fetch_add(1, Ordering::Relaxed);
        assert!(within > Duration::ZERO);
        if self.bytes > 0 {
            return Ok(Some(vec![b' '; self.bytes]));
        }
        Ok(Some(format!("{}/{}", of.resource, place.selected).into_bytes()))
    }

    fn list(&self, _: &GroupVersionResource, _: Place<'_>, _: &[String], _: Duration) -> Read<Vec<Vec<u8>>> {
        Err(ReadError::UnknownResource)
    }

    fn check(&self, _: &Subject, what: &Attributes, _: Duration) -> Result<Decision, String> {
        self.questions.fetch_add(1, Ordering::Relaxed);
        Ok(Decision { allowed: true, reason: what.verb.clone() })
    }
}

fn ask(import: &str, grant: Grant, body: &str, request: &Request, fake: &Arc<Fake>) -> Answer<Verdict> {
    let module = runtime().load(&component(import, body)).unwrap();
    let error = module.bind(binding(&[])).err().unwrap().to_string();
    assert!(error.contains(&format!("needs the grant `{}`", grant.as_str())), "{error}");
    let policy = module.bind(binding(&[grant])).unwrap();
    policy.validate(&Call { reach: fake.clone(), ..Call::of(request, None) })
}

#[test]
fn what_is_read_reaches_the_guest() {
    let body = format!(
        "{GET} (i32.store (i32.const 3012) (i32.const 3208)) (i32.store (i32.const 3016) (i32.const 1)) (i32.const 3000)"
    );
    let answer = ask(CLUSTER, Grant::Cluster, &body, &request(), &Arc::default());
    assert_eq!(answer.outcome.unwrap().warnings, ["test/test"]);
}

#[test]
fn a_storm_of_questions_is_cut() {
    let body = format!(
        "(local $n i32)
        (loop {GET} (br_if 0 (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 1000))))
        (if (i32.ne (i32.load8_u (i32.const 3204)) (i32.const 3)) (then unreachable)) (i32.const 2048)"
    );
    let fake = Arc::new(Fake::default());
    ask(CLUSTER, Grant::Cluster, &body, &request(), &fake).outcome.unwrap();
    assert_eq!(fake.questions.load(Ordering::Relaxed), limits::QUESTIONS_MAX);
}

#[test]
fn more_than_a_call_may_read_stays_outside() {
    let body = format!("{GET} (if (i32.ne (i32.load8_u (i32.const 3204)) (i32.const 3)) (then unreachable)) (i32.const 2048)");
    let fake = Arc::new(Fake { bytes: limits::READ_BYTES_MAX + 1, ..Fake::default() });
    ask(CLUSTER, Grant::Cluster, &body, &request(), &fake).outcome.unwrap();
}

#[test]
fn in_a_scan_nobody_is_the_requester() {
    // The argument at 4096: subject 0 is the requester, 1 a service account; the attributes after it are empty.
    let check = |subject: u8| {
        format!(
            "(i32.store8 (i32.const 4096) (i32.const {subject})) (call $check (i32.const 4096) (i32.const 3200)) (i32.const 2048)"
        )
    };
    let scan = Request { user: None, origin: Origin::Scan, ..request() };
    for (request, subject, needs_user, questions) in [(request(), 0, false, 1), (scan.clone(), 0, true, 0), (scan, 1, false, 1)] {
        let fake = Arc::new(Fake::default());
        let answer = ask(AUTHORIZER, Grant::Authorizer, &check(subject), &request, &fake);
        answer.outcome.unwrap();
        assert_eq!((answer.needs_user, fake.questions.load(Ordering::Relaxed)), (needs_user, questions));
    }
}
