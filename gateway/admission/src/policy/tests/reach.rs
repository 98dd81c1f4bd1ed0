//! What policies may ask: as far as their binding goes, and their binding's author.

use wasm::reach::{Attributes, Place, Reach, ReadError, Subject};

use super::*;
use crate::policy::binding::Binding;
use crate::policy::reach::Live;
use crate::policy::set::Entry;

const SECOND: Duration = Duration::from_secs(60);

fn reading(namespace: &str, spec: Value) -> Arc<Entry> {
    let mut object = binding("team", "labels", spec);
    if !namespace.is_empty() {
        object["metadata"]["namespace"] = namespace.into();
    }
    Arc::new(Entry::broken(Binding::from_object(&object).unwrap(), String::new()))
}

/// The reach of a binding in a world with two ConfigMaps. `bob` may read in the namespace "default".
fn live(entry: &Arc<Entry>) -> Arc<dyn Reach> {
    let world = fake();
    for namespace in ["default", "other"] {
        let labels = json!({"app": namespace});
        world.seed(
            "v1/configmaps",
            json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "limits", "namespace": namespace, "labels": labels}, "data": {"a": "b"}}),
        );
    }
    let allowed =
        &["bob get configmaps/limits", "bob list configmaps/", "bob create localsubjectaccessreviews/", "alice get pods/"];
    let cluster = cluster::testing::cluster(world, allowed);
    Live::of(&cluster, entry, Some(&User::new("alice", &[])))
}

/// Asks on a thread that is none of the runtime's, as guests do.
async fn on_a_thread<T: Send + 'static>(entry: &Arc<Entry>, ask: impl FnOnce(Arc<dyn Reach>) -> T + Send + 'static) -> T {
    let live = live(entry);
    tokio::task::spawn_blocking(move || ask(live)).await.unwrap()
}

async fn get(entry: &Arc<Entry>, resource: &'static str, namespace: &'static str) -> Result<Option<Value>, ReadError> {
    let of = wasm::GroupVersionResource { group: String::new(), version: "v1".into(), resource: resource.into() };
    let fields = ["data".to_owned()];
    let place = Place { namespace, selected: "limits" };
    let read = on_a_thread(entry, move |live| live.get(&of, place, &fields, SECOND)).await?;
    Ok(read.map(|bytes| serde_json::from_slice(&bytes).unwrap()))
}

fn forbidden(read: Result<Option<Value>, ReadError>) -> String {
    match read {
        Err(ReadError::Forbidden(why)) => why,
        other => panic!("{other:?}"),
    }
}

fn config_maps() -> Value {
    json!({"clusterReads": [{"apiGroups": [""], "resources": ["configmaps", "namespaces"]}], "author": {"username": "bob"}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_end_where_the_binding_ends() {
    let entry = reading("", config_maps());
    let seen = get(&entry, "configmaps", "other").await.unwrap().unwrap();
    assert_eq!(seen, json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"}}));
    assert_eq!(get(&entry, "configmaps", "nowhere").await.unwrap(), None);
    assert_eq!(forbidden(get(&entry, "secrets", "default").await), "clusterReads does not name secrets");
    assert!(matches!(get(&entry, "gizmos", "default").await, Err(ReadError::UnknownResource)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namespaced_binding_reads_as_its_author_and_no_further() {
    let entry = reading("default", config_maps());
    assert!(get(&entry, "configmaps", "default").await.unwrap().is_some());
    let alone = r#"the binding reads in the namespace "default" alone"#;
    assert_eq!(forbidden(get(&entry, "configmaps", "other").await), alone);
    // What is in no namespace is not in the binding's either, whatever the guest says.
    assert_eq!(forbidden(get(&entry, "namespaces", "default").await), alone);
    let mut spec = config_maps();
    spec["author"]["username"] = "carol".into();
    let words = r#"the binding's author "carol" may not get configmaps in the namespace "default""#;
    assert_eq!(forbidden(get(&reading("default", spec), "configmaps", "default").await), words);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_are_selected_by_labels() {
    let list = async |entry: &Arc<Entry>, namespace: &'static str, selected: &'static str| {
        let of = wasm::GroupVersionResource { group: String::new(), version: "v1".into(), resource: "configmaps".into() };
        on_a_thread(entry, move |live| live.list(&of, Place { namespace, selected }, &[], SECOND)).await.map(|found| found.len())
    };
    let entry = reading("", config_maps());
    assert_eq!(list(&entry, "", "").await.unwrap(), 2);
    assert_eq!(list(&entry, "", "app=other").await.unwrap(), 1);
    assert_eq!(list(&entry, "default", "app=other").await.unwrap(), 0);
    assert!(matches!(list(&entry, "", "app=(").await, Err(ReadError::Invalid(_))));
    assert!(matches!(list(&reading("default", config_maps()), "", "").await, Err(ReadError::Forbidden(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_are_about_the_requester_or_a_service_account() {
    let check = async |entry: &Arc<Entry>, who: Subject, namespace: &str| {
        let what = Attributes {
            verb: "get".into(),
            group: String::new(),
            resource: "pods".into(),
            subresource: String::new(),
            namespace: namespace.into(),
            name: String::new(),
        };
        on_a_thread(entry, move |live| live.check(&who, &what, SECOND)).await.map(|decision| decision.allowed)
    };
    let everywhere = reading("", json!({}));
    assert_eq!(check(&everywhere, Subject::Requester, "other").await, Ok(true));
    assert_eq!(check(&everywhere, Subject::ServiceAccount(("default".into(), "builder".into())), "").await, Ok(false));
    let own = reading("default", config_maps());
    assert_eq!(check(&own, Subject::Requester, "default").await, Ok(true));
    assert!(check(&own, Subject::Requester, "other").await.unwrap_err().contains("alone"));
    let carols = reading("default", json!({"author": {"username": "carol"}}));
    assert!(
        check(&carols, Subject::Requester, "default").await.unwrap_err().contains("may not create localsubjectaccessreviews")
    );
}

#[tokio::test]
async fn parameters_are_read_for_each_request() {
    // The argument `params` of validate, as a warning.
    let echo = "(i32.store (i32.const 3012) (i32.add (local.get 0) (i32.const 180)))
        (i32.store (i32.const 3016) (i32.const 1)) (i32.const 3000)";
    let guest = Guest { body: echo, ..Guest::default() };
    let reference = |action: &str| json!({"paramRef": {"apiVersion": "v1", "kind": "ConfigMap", "name": "limits", "parameterNotFoundAction": action}});
    let (world, policies) = of(vec![module("echo", &guest)], vec![binding("team", "echo", reference("Deny"))]).await;
    let status = judge(&policies).await.0.unwrap_err();
    assert!(status.code == 500 && status.message.contains(r#"the parameters ConfigMap "limits""#), "{status}");
    for value in ["1", "2"] {
        world.seed(
            "v1/configmaps",
            json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "limits", "namespace": "default"}, "data": {"replicas": value}}),
        );
        let (answer, notes) = judge(&policies).await;
        answer.unwrap();
        assert!(notes.warnings[0].contains(&format!(r#""replicas":"{value}""#)), "{:?}", notes.warnings);
    }
    let (_, policies) = of(
        vec![module("trap", &Guest { body: "unreachable", ..Guest::default() })],
        vec![binding("team", "trap", reference("Allow"))],
    )
    .await;
    judge(&policies).await.0.unwrap();
}
