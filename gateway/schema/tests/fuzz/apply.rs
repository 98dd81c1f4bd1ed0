//! Apply patches of damaged documents on an object with owners: they end, settle after once, conflict or do not, and what
//! somebody no longer says is no longer theirs.

use std::borrow::Cow;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use model::json::{Value, json};
use model::{GroupVersionKind, Status};
use schema::apply::{FieldManager, Filter, Force, Managers, Typed};
use schema::normal;

use crate::mutate::each_value;
use crate::{TYPES, encoded, pod, seeds};

/// Applying costs more than reading.
const ROUNDS: usize = 1_500;
const NOW: &str = "2020-01-01T00:00:00Z";

static POD: LazyLock<GroupVersionKind> = LazyLock::new(|| GroupVersionKind::from_api_version("v1", "Pod"));

fn with_field_manager<T>(call: impl FnOnce(&FieldManager<'_>) -> T) -> T {
    let (atoms, root) = TYPES.atoms(pod());
    // There is one version.
    let convert = |object: &Value, _: &str| Ok(Typed { atoms, root, value: Cow::Owned(object.clone()), in_structs: true });
    let filter = Filter::All;
    call(&FieldManager { kind: &POD, subresource: "", atoms, root, in_structs: true, convert: &convert, filter: &filter })
}

/// As the server applies: merged with the owners' sets, then brought into normal form.
fn applied(live: &Value, patch: &Value, manager: &str, force: Force) -> Result<Value, Status> {
    let applied = with_field_manager(|fields| fields.apply(Some(live), patch, manager, force, NOW));
    let mut object = applied.map_err(Status::from)?;
    normal::decode(&TYPES, pod(), &mut object, &mut Vec::new()).map_err(|why| Status::new(500, "", why))?;
    Ok(object)
}

fn owners(object: &Value) -> Option<Managers> {
    Managers::read(object["metadata"].get("managedFields")).ok()
}

fn text(object: &Value) -> String {
    String::from_utf8_lossy(&encoded(pod(), object)).into_owned()
}

/// An object that somebody created.
fn live() -> Value {
    let mut object = codec::json::parse(seeds::PODS[0]).unwrap().value;
    object["metadata"].as_object_mut().unwrap().shift_remove("managedFields");
    normal::decode(&TYPES, pod(), &mut object, &mut Vec::new()).unwrap();
    with_field_manager(|fields| fields.update(None, &mut object, "creator", NOW));
    object
}

/// Documents to damage, which still say which kind they are of, so that more than that is tried.
fn each_document(property: impl Fn(&Value)) {
    let seeds: Vec<Value> =
        seeds::APPLIED.iter().chain(seeds::PODS).map(|text| codec::json::parse(text).unwrap().value).collect();
    each_value(&seeds, ROUNDS, |input| {
        let Some(map) = input.as_object() else { return };
        let mut patch = map.clone();
        patch.insert("apiVersion", json!("v1"));
        patch.insert("kind", json!("Pod"));
        let mut patch = Value::Object(patch);
        keep_told(&mut patch);
        property(&patch);
    });
}

/// The fields by which the lists of the seeds tell their elements apart.
const KEYS: [&str; 6] = ["name", "containerPort", "uid", "type", "topologyKey", "key"];

/// Drops what normal form spells otherwise than the document: nulls, empty texts, and elements whose key is left to its default. Such an
/// element is another one when it comes again; no kind's rules let it in.
fn keep_told(value: &mut Value) {
    match value {
        Value::Array(items) => {
            items.iter_mut().for_each(keep_told);
            items.retain(|item| item.as_object().is_none_or(|item| KEYS.iter().any(|key| item.contains_key(*key))));
        }
        Value::Object(map) => {
            map.retain(|_, inner| !inner.is_null() && inner != "");
            map.values_mut().for_each(keep_told);
        }
        _ => {}
    }
}

#[test]
fn who_applies_twice_changes_nothing_the_second_time() {
    let (live, empty) = (live(), json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}));
    let reached = AtomicUsize::new(0);
    each_document(|patch| {
        let Ok(once) = applied(&live, patch, "one", Force::Yes) else { return };
        reached.fetch_add(1, Ordering::Relaxed);
        let again = applied(&once, patch, "one", Force::No).expect("nobody else owns it now");
        assert_eq!(text(&again), text(&once));

        let mut read = codec::json::parse(&encoded(pod(), &once)).unwrap().value;
        normal::decode(&TYPES, pod(), &mut read, &mut Vec::new()).expect("normal form is read");
        assert_eq!(text(&read), text(&once));

        let written = owners(&once).expect("owners are readable").write();
        assert_eq!(written.as_ref(), once["metadata"].get("managedFields"));

        let left = applied(&once, &empty, "one", Force::No).expect("nothing is said that another owns");
        let owners = owners(&left).expect("owners are readable");
        assert!(owners.iter().all(|entry| entry.manager.name != "one"), "{}", text(&left));
    });
    assert!(reached.into_inner() > ROUNDS / 10, "hardly any damaged document can be applied");
}

#[test]
fn two_who_apply_conflict_or_agree() {
    let live = live();
    let first = codec::json::parse(seeds::APPLIED[0]).unwrap().value;
    let owned = applied(&live, &first, "one", Force::Yes).unwrap();
    each_document(|patch| {
        let asked = applied(&owned, patch, "two", Force::No);
        let forced = applied(&owned, patch, "two", Force::Yes);
        match (asked, forced) {
            (Ok(asked), Ok(forced)) => assert_eq!(text(&asked), text(&forced), "force changes nothing where nothing conflicts"),
            (Err(refused), Ok(forced)) => {
                assert_eq!((refused.code, &*refused.reason), (409, "Conflict"), "only a conflict can be forced");
                let causes = refused.details.map_or(0, |details| details.causes.len());
                assert!(causes > 0, "a conflict names its fields");
                let settled = applied(&forced, patch, "two", Force::No).expect("what was forced is owned");
                assert_eq!(text(&settled), text(&forced));
            }
            (asked, Err(refused)) => {
                assert_ne!(refused.code, 409, "a forced apply conflicts: {}", refused.message);
                assert!(asked.is_err(), "refused only with force: {}", refused.message);
            }
        }
    });
}
