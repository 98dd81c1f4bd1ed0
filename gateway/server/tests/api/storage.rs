//! Where each function of upstream's storage suite (`k8s.io/apiserver/pkg/storage/testing`) is mirrored: in the store's own
//! suite, in another file here, or below. The list is compared with the module, so that a new function asks for its place.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::common::{Server, server};
use model::json::{Value, json};

/// Where a function's semantics are tried.
enum Place {
    /// By a test of this name, in this crate or the store's suite.
    Test(&'static str),
    /// Nowhere, for a reason.
    Not(&'static str),
}

use Place::{Not, Test};

const SUGGESTION: &str = "there is no suggestion: what the cache holds is what is stored";

/// Upstream's functions, and ours.
const MIRRORED: &[(&str, Place)] = &[
    ("RunOptionalTestProgressNotify", Test("progress_only_when_nothing_is_pending")),
    ("RunSendInitialEventsBackwardCompatibility", Not("the store is not asked what HTTP refuses")),
    ("RunTestClusterScopedWatch", Test("only_what_it_asked_for")),
    ("RunTestCompactRevision", Test("compacted_away_is_listed_anew")),
    ("RunTestConditionalDelete", Test("deleted_only_at_the_expected_revision")),
    ("RunTestConsistentList", Test("reads_its_own_writes")),
    ("RunTestCreate", Test("created_once")),
    ("RunTestCreateWithKeyExist", Test("created_once")),
    ("RunTestCreateWithTTL", Test("expires_with_an_event")),
    ("RunTestDelayedWatchDelivery", Test("ordered_unique_and_resumable")),
    ("RunTestDeleteExpectedTransformOrDecodeError", Test("what_cannot_be_read_is_neither_written_nor_deleted_but_unsafely")),
    ("RunTestDeleteTriggerWatch", Test("from_nowhere_it_begins_with_what_is_there")),
    ("RunTestDeleteWithConflict", Test("deleted_only_at_the_expected_revision")),
    (
        "RunTestDeleteWithConflictAndMissingExpectedTransformOrDecodeError",
        Test("what_cannot_be_read_is_neither_written_nor_deleted_but_unsafely"),
    ),
    ("RunTestDeleteWithSuggestion", Test("finalizers_and_preconditions_of_deletes")),
    ("RunTestDeleteWithSuggestionAndConflict", Test("deleted_only_at_the_expected_revision")),
    ("RunTestDeleteWithSuggestionAndMissingExpectedTransformOrDecodeError", Not(SUGGESTION)),
    ("RunTestDeleteWithSuggestionOfDeletedObject", Not(SUGGESTION)),
    ("RunTestGet", Test("a_read_at_a_revision_of_the_future_is_no_read")),
    ("RunTestGetListNonRecursive", Test("a_list_of_one_name")),
    ("RunTestGetListRecursivePrefix", Test("a_namespace_is_no_prefix_of_another")),
    ("RunTestGetListWithErrorAggregation", Test("lists_tell_what_cannot_be_read")),
    ("RunTestGetListWithoutErrorAggregation", Not("a feature that is off by default no more")),
    ("RunTestGuaranteedUpdate", Test("replaced_only_at_the_expected_revision")),
    ("RunTestGuaranteedUpdateChecksStoredData", Test("what_lies_in_another_form_is_known_to")),
    ("RunTestGuaranteedUpdateWithConflict", Test("concurrent_writers_match_their_answers")),
    ("RunTestGuaranteedUpdateWithSuggestionAndConflict", Test("concurrent_writers_match_their_answers")),
    ("RunTestGuaranteedUpdateWithTTL", Test("a_write_begins_the_time_anew")),
    ("RunTestKeySchema", Test("a_namespace_is_no_prefix_of_another")),
    ("RunTestList", Test("revisions")),
    ("RunTestListContinuation", Test("pages_are_of_one_revision")),
    ("RunTestListContinuationWithFilter", Test("pages_hold_what_is_selected")),
    ("RunTestListInconsistentContinuation", Test("a_token_of_a_revision_that_is_gone_offers_another")),
    ("RunTestListPaginationRareObject", Test("a_rare_object_is_found_on_one_page")),
    ("RunTestListPaging", Test("pages_join_to_the_whole")),
    ("RunTestListResourceVersionMatch", Test("revisions")),
    ("RunTestNamespaceScopedList", Test("lists_of_a_namespace_are_narrowed_by_fields")),
    ("RunTestNamespaceScopedWatch", Test("only_what_it_asked_for")),
    ("RunTestOptionalWatchBookmarksWithCorrectResourceVersion", Test("progress_only_when_nothing_is_pending")),
    ("RunTestPreconditionalDeleteWithOnlySuggestionPass", Test("finalizers_and_preconditions_of_deletes")),
    ("RunTestPreconditionalDeleteWithSuggestion", Test("finalizers_and_preconditions_of_deletes")),
    ("RunTestStats", Not("sizes as etcd counts them; how many objects there are is a metric of the cache")),
    ("RunTestTransformationFailure", Test("lists_tell_what_cannot_be_read")),
    ("RunTestUnconditionalDelete", Test("deleted_only_at_the_expected_revision")),
    ("RunTestValidateDeletionWithOnlySuggestionValid", Not(SUGGESTION)),
    ("RunTestValidateDeletionWithSuggestion", Not(SUGGESTION)),
    ("RunTestWatch", Test("a_selector_sees_arrivals_and_departures")),
    ("RunTestWatchContextCancel", Test("dropping_leaves_the_log")),
    ("RunTestWatchDeleteEventObjectHaveLatestRV", Test("deleted_carries_the_last_body_and_the_new_revision")),
    ("RunTestWatchDispatchBookmarkEvents", Test("it_ends_when_its_time_is_up_and_says_how_far_it_is")),
    ("RunTestWatchError", Test("lists_tell_what_cannot_be_read")),
    ("RunTestWatchFromNonZero", Test("from_a_revision_it_goes_on")),
    ("RunTestWatchFromZero", Test("from_nowhere_it_begins_with_what_is_there")),
    ("RunTestWatchInitializationSignal", Test("the_present_ends_with_a_bookmark")),
    ("RunTestWatchWithUnsafeDelete", Test("what_cannot_be_read_is_told_until_it_can")),
    ("RunTestWatcherTimeout", Test("the_slow_are_closed")),
    ("RunWatchErrorIsBlockingFurtherEvents", Test("what_cannot_be_read_is_told_until_it_can")),
    ("RunWatchListMatchSingle", Test("only_what_it_asked_for")),
    ("RunWatchSemanticInitialEventsExtended", Test("it_begins_as_its_options_say")),
    ("RunWatchSemantics", Test("it_begins_as_its_options_say")),
];

#[test]
fn every_function_of_upstreams_suite_has_its_place() {
    let upstream = functions(&crate::upstream::module("k8s.io/apiserver").join("pkg/storage/testing"), "func Run", '(');
    let upstream: BTreeSet<String> =
        upstream.into_iter().map(|name| format!("Run{name}")).filter(|name| !name.starts_with("RunBenchmark")).collect();
    let listed: BTreeSet<String> = MIRRORED.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(listed, upstream);
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut ours = functions(&here.join("tests/api"), "async fn ", '(');
    ours.extend(functions(&here.join("../store/tests/suite"), "async fn ", '('));
    for (name, place) in MIRRORED {
        match place {
            Test(test) => assert!(ours.contains(*test), "{name}: there is no test {test}"),
            Not(reason) => assert!(!reason.is_empty(), "{name}: say why"),
        }
    }
}

/// The names that follow a word in the sources of a folder.
fn functions(folder: &Path, word: &str, end: char) -> BTreeSet<String> {
    let texts = fs::read_dir(folder).unwrap().filter_map(|entry| fs::read_to_string(entry.unwrap().path()).ok());
    let lines: Vec<String> = texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    let names = lines.iter().filter_map(|line| line.trim_start_matches("pub ").strip_prefix(word)?.split_once(end));
    names.map(|(name, _)| name.to_owned()).collect()
}

fn maps(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/configmaps")
}

async fn with_namespaces(names: &[&str]) -> Server {
    let server = server();
    for name in names {
        for at in 0..3 {
            let object = json!({"metadata": {"name": format!("m{at}"), "labels": {"rare": (at == 2).to_string()}}});
            server.post(&maps(name), object).await.ok(201);
        }
    }
    server
}

fn places(list: &Value) -> Vec<String> {
    let items = list["items"].as_array().unwrap().iter().map(|item| &item["metadata"]);
    items.map(|meta| format!("{}/{}", meta["namespace"].as_str().unwrap(), meta["name"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn a_namespace_is_no_prefix_of_another() {
    let server = with_namespaces(&["a", "a-b", "ab"]).await;
    let one = server.get(&maps("a")).await.ok(200).json();
    assert_eq!(places(&one), ["a/m0", "a/m1", "a/m2"]);
    let all = server.get("/api/v1/configmaps").await.ok(200).json();
    // Keys are compared whole, and "-" comes before "/".
    assert_eq!(places(&all)[..4], ["a-b/m0", "a-b/m1", "a-b/m2", "a/m0"]);
    server.delete(&maps("a")).await.ok(200);
    assert_eq!(places(&server.get("/api/v1/configmaps").await.json()).len(), 6);
}

#[tokio::test]
async fn lists_of_a_namespace_are_narrowed_by_fields() {
    let server = with_namespaces(&["a", "b"]).await;
    for (path, found) in [
        ("/api/v1/configmaps?fieldSelector=metadata.namespace%3Da", 3),
        ("/api/v1/configmaps?fieldSelector=metadata.name%3Dm1", 2),
        ("/api/v1/configmaps?fieldSelector=metadata.namespace%3Db,metadata.name%3Dm1", 1),
        ("/api/v1/configmaps?fieldSelector=metadata.namespace%21%3Db", 3),
        ("/api/v1/namespaces/a/configmaps?fieldSelector=metadata.namespace%3Db", 0),
        ("/api/v1/namespaces/a/configmaps?fieldSelector=metadata.name%21%3Dm1", 2),
    ] {
        assert_eq!(places(&server.get(path).await.ok(200).json()).len(), found, "{path}");
    }
}

#[tokio::test]
async fn a_list_of_one_name() {
    let server = with_namespaces(&["a"]).await;
    let list = server.get(&format!("{}?fieldSelector=metadata.name%3Dm1&limit=1", maps("a"))).await.ok(200).json();
    assert_eq!(places(&list), ["a/m1"]);
    assert_eq!(list["metadata"].get("continue"), None);
    let none = server.get(&format!("{}?fieldSelector=metadata.name%3Dm", maps("a"))).await.ok(200).json();
    assert_eq!(none["items"], json!([]));
}

#[tokio::test]
async fn pages_hold_what_is_selected() {
    let server = with_namespaces(&["a", "b", "c"]).await;
    let (mut token, mut seen) = (String::new(), Vec::new());
    loop {
        let path = format!("/api/v1/configmaps?labelSelector=rare%3Dfalse&limit=2&continue={token}");
        let page = server.get(&path).await.ok(200).json();
        // How many are left is not known while something is selected.
        assert_eq!(page["metadata"].get("remainingItemCount"), None);
        seen.extend(places(&page));
        match page["metadata"]["continue"].as_str() {
            Some(next) => {
                assert_eq!(places(&page).len(), 2);
                token = next.to_owned();
            }
            None => break,
        }
    }
    assert_eq!(seen, ["a/m0", "a/m1", "b/m0", "b/m1", "c/m0", "c/m1"]);
}

#[tokio::test]
async fn a_rare_object_is_found_on_one_page() {
    let server = with_namespaces(&["a", "b"]).await;
    let page = server.get("/api/v1/configmaps?labelSelector=rare%3Dtrue&limit=1").await.ok(200).json();
    assert_eq!(places(&page), ["a/m2"]);
    let token = page["metadata"]["continue"].as_str().expect("there may be more");
    let rest = server.get(&format!("/api/v1/configmaps?labelSelector=rare%3Dtrue&limit=1&continue={token}")).await.ok(200).json();
    assert_eq!(places(&rest), ["b/m2"]);
}

#[tokio::test]
async fn a_read_at_a_revision_of_the_future_is_no_read() {
    let server = with_namespaces(&["a"]).await;
    for (path, malformed) in [(maps("a"), 400), (format!("{}/m0", maps("a")), 500)] {
        server.get(&format!("{path}?resourceVersion=0")).await.ok(200);
        let late = server.get(&format!("{path}?resourceVersion=1000000")).await.ok(504).json();
        assert_eq!((&late["reason"], &late["details"]["retryAfterSeconds"]), (&json!("Timeout"), &json!(1)));
        server.get(&format!("{path}?resourceVersion=never")).await.ok(malformed);
    }
}
