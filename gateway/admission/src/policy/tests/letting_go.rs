//! Updates that let an object go, and those that only look like it.

use super::*;
use crate::policy::binding::Binding;
use crate::policy::set::Entry;
use crate::policy::trial::{self, Given};

fn updates(more: Value) -> Value {
    let mut object = binding("team", "labels", more);
    object["spec"]["matchConstraints"]["resourceRules"][0]["operations"] = json!(["CREATE", "UPDATE"]);
    object
}

/// A Pod of which only its finalizer keeps it.
fn kept() -> Value {
    let mut pod = pod();
    pod["metadata"]["finalizers"] = json!(["a/b"]);
    pod
}

fn going() -> Value {
    let mut pod = kept();
    pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    pod
}

/// The object with a field that is another.
fn with(mut object: Value, pointer: &str, value: Value) -> Value {
    *object.pointer_mut(pointer).unwrap() = value;
    object
}

const FREE: &str = "/metadata/finalizers";
const IMAGE: &str = "/spec/containers/0/image";

#[tokio::test]
async fn what_an_object_was_holds_up_nobody_who_lets_it_go() {
    let reads = Guest { reads: &["spec.containers[*].image"], reads_request: &[], ..refusing() };
    let by_whom = Guest { reads_request: &[2], ..reads };
    let whole = Guest { reads: &[], ..reads };
    let when = json!({"matchConditions": [{"name": "a", "expression": "object.metadata.name != ''"}]});
    let mutator = Guest { world: "mutator", writes: &["metadata.annotations"], body: "unreachable", violations: &[], ..reads };
    let freed = |object: Value| with(object, FREE, json!([]));
    for (what, guest, more, old, object, asked) in [
        ("a finalizer is taken off", &reads, json!({}), kept(), freed(kept()), false),
        ("with it the image is changed", &reads, json!({}), kept(), with(freed(kept()), IMAGE, "evil".into()), true),
        ("with it the name of the app", &reads, json!({}), kept(), with(freed(kept()), "/metadata/labels", json!({})), true),
        ("nothing is let go", &reads, json!({}), kept(), kept(), true),
        ("one is put on", &reads, json!({}), freed(kept()), kept(), true),
        ("it is being deleted", &reads, json!({}), going(), with(going(), "/metadata/labels", json!({})), false),
        ("and gets another image", &reads, json!({}), going(), with(freed(going()), IMAGE, "evil".into()), true),
        ("the policy judges by who asks", &by_whom, json!({}), kept(), freed(kept()), true),
        ("the policy may judge by finalizers", &whole, json!({}), kept(), freed(kept()), true),
        ("the binding may do so", &reads, when, kept(), freed(kept()), true),
        ("who changes is not asked either", &mutator, json!({}), kept(), freed(kept()), false),
        ("unless there is something to change", &mutator, json!({}), kept(), with(kept(), IMAGE, "evil".into()), true),
    ] {
        let binding = updates(more);
        let (_, policies) = of(vec![module("labels", guest)], vec![binding.clone()]).await;
        let pods = world::gvr("v1/pods");
        let update = Review { operation: Operation::Update, old: Some(&old), ..review(&pods, "default") };
        let step = if guest.world == "mutator" { Step::Mutate } else { Step::Validate };
        let answer = within(&policies, &update, step, &mut object.clone(), &mut Notes::default()).await;
        assert_eq!(answer.is_err(), asked, "{what}");

        // Who tries the policy outside of a server is told the same.
        let runtime = wasm::Runtime::start(&wasm::Options { threads: 1, ..wasm::Options::default() }).unwrap();
        let entry = Entry::bind(Binding::from_object(&binding).unwrap(), &runtime.load(&guest.build()).unwrap()).unwrap();
        let request = trial::request(&json!({"operation": "UPDATE"}), &object).unwrap();
        assert_eq!(!trial::is_spared(&entry, &request, Some(&object), Some(&old)), asked, "{what}");
        let outcome = trial::run_with(&entry, &request, Some(&object), Some(&old), Given::default()).outcome;
        assert_eq!(outcome.map_or(true, |outcome| !outcome.violations.is_empty()), asked, "{what}");
    }
}
