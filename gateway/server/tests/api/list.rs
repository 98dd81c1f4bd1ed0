//! Lists: pages, revisions, selectors, the forms in which they are shown.

use std::time::Duration;

use crate::common::{Server, Setup, server, server_with};
use model::json::{Value, json};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

async fn with_maps(count: usize) -> Server {
    // What is no more than one change old can be told from the log; what is older is gone, unless pinned.
    let server =
        server_with(Setup { store: store::Limits { log_events_max: 1, ..store::Limits::default() }, ..Setup::default() });
    for at in 0..count {
        let object = json!({"metadata": {"name": format!("m{at:03}"), "labels": {"even": (at % 2 == 0).to_string()}}});
        server.post(MAPS, object).await.ok(201);
    }
    server
}

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|item| item["metadata"]["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn pages_are_of_one_revision() {
    let server = with_maps(5).await;
    let first = server.get(&format!("{MAPS}?limit=2")).await.ok(200).json();
    assert_eq!(names(&first), ["m000", "m001"]);
    assert_eq!(first["metadata"]["remainingItemCount"], 3);
    server.delete(&format!("{MAPS}/m003")).await.ok(200);
    let token = first["metadata"]["continue"].as_str().unwrap();
    let second = server.get(&format!("{MAPS}?limit=2&continue={token}")).await.ok(200).json();
    assert_eq!(names(&second), ["m002", "m003"], "the page shows what was there when the list began");
    assert_eq!(second["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
    let token = second["metadata"]["continue"].as_str().unwrap();
    let last = server.get(&format!("{MAPS}?limit=2&continue={token}")).await.ok(200).json();
    assert_eq!(names(&last), ["m004"]);
    assert_eq!(last["metadata"].get("continue"), None);
    let both = server.get(&format!("{MAPS}?continue={token}&resourceVersion=5")).await.ok(400);
    assert_eq!(both.message(), "specifying resource version is not allowed when using continue");
}

#[tokio::test]
async fn a_token_of_a_revision_that_is_gone_offers_another() {
    let server = with_maps(3).await;
    let first = server.get(&format!("{MAPS}?limit=1")).await.ok(200).json();
    let token = first["metadata"]["continue"].as_str().unwrap();
    // The same key at a revision that nobody pinned.
    let mut text: Value = serde_json::from_slice(&decode(token)).unwrap();
    text["rv"] = 2.into();
    server.delete(&format!("{MAPS}/m002")).await.ok(200);
    let gone = server.get(&format!("{MAPS}?limit=1&continue={}", encode(&text))).await.ok(410).json();
    assert_eq!(gone["reason"], "Expired");
    let other = gone["metadata"]["continue"].as_str().unwrap();
    let rest = server.get(&format!("{MAPS}?continue={other}")).await.ok(200).json();
    assert_eq!(names(&rest), ["m001"]);
    let broken = server.get(&format!("{MAPS}?continue=%25")).await.ok(400);
    assert!(broken.message().starts_with("invalid continue token: continue key is not valid"), "{}", broken.message());
}

fn decode(token: &str) -> Vec<u8> {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(token).unwrap()
}

fn encode(token: &Value) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(token.to_string())
}

#[tokio::test]
async fn selectors() {
    let server = with_maps(4).await;
    let even = server.get(&format!("{MAPS}?labelSelector=even%3Dtrue")).await.ok(200).json();
    assert_eq!(names(&even), ["m000", "m002"]);
    let one =
        server.get("/api/v1/configmaps?fieldSelector=metadata.name%3Dm001,metadata.namespace%3Ddefault").await.ok(200).json();
    assert_eq!(names(&one), ["m001"]);
    let limited = server.get(&format!("{MAPS}?labelSelector=even%3Dtrue&limit=1")).await.ok(200).json();
    assert_eq!((names(&limited), limited["metadata"].get("remainingItemCount")), (vec!["m000"], None));
    let unknown = server.get(&format!("{MAPS}?fieldSelector=data.k%3Dv")).await.ok(400);
    assert_eq!(unknown.message(), "\"data.k\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"");
    let unknown = server.get("/api/v1/pods?fieldSelector=spec.foo%3Dv").await.ok(400);
    assert_eq!(unknown.message(), "field label not supported: spec.foo");
    let malformed = server.get(&format!("{MAPS}?labelSelector=a%20b")).await.ok(400);
    assert!(
        malformed.message().starts_with("unable to parse requirement: found 'b', expected: in, notin"),
        "{}",
        malformed.message()
    );
}

#[tokio::test]
async fn revisions() {
    let server = with_maps(2).await;
    let now = server.get(MAPS).await.ok(200).json();
    let revision: u64 = now["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
    server.get(&format!("{MAPS}?resourceVersion={revision}&resourceVersionMatch=Exact")).await.ok(200);
    let future = server.get(&format!("{MAPS}?resourceVersion={}", revision + 100)).await.ok(504);
    assert_eq!(future.message(), format!("Timeout: Too large resource version: {}, current: {revision}", revision + 100));
    assert_eq!(future.json()["details"]["causes"][0]["reason"], "ResourceVersionTooLarge");
    server.delete(&format!("{MAPS}/m000")).await.ok(200);
    let old = server.get(&format!("{MAPS}?resourceVersion=2&resourceVersionMatch=Exact")).await.ok(410);
    assert_eq!(old.message(), "The resourceVersion for the provided list is too old.");
    let word = server.get(&format!("{MAPS}?resourceVersion=x")).await.ok(400);
    assert_eq!(
        word.message(),
        "invalid resource version: resourceVersion: Invalid value: \"x\": strconv.ParseUint: parsing \"x\": invalid syntax"
    );
}

#[tokio::test]
async fn a_revision_of_the_future_is_waited_for() {
    // Nothing here takes as long: who waited for the end of it would fail by the test's own end.
    let server = server_with(Setup { revision_wait: Duration::from_secs(3600), ..Setup::default() });
    server.post(MAPS, json!({"metadata": {"name": "a"}})).await.ok(201);
    let now = server.get(MAPS).await.ok(200).json();
    let next = now["metadata"]["resourceVersion"].as_str().unwrap().parse::<u64>().unwrap() + 1;
    let (listed, got, watched) = (
        format!("{MAPS}?resourceVersion={next}"),
        format!("{MAPS}/b?resourceVersion={next}"),
        format!("{MAPS}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion={next}"),
    );
    let (list, got, watch, _) = tokio::join!(
        server.get(&listed),
        server.get(&got),
        server.open("GET", &watched, &[], ""),
        server.post(MAPS, json!({"metadata": {"name": "b"}}))
    );
    assert_eq!(names(&list.ok(200).json()), ["a", "b"]);
    assert_eq!(got.ok(200).json()["metadata"]["name"], "b");
    assert_eq!(watch.status(), 200);
}

#[tokio::test]
async fn tables_and_partial_metadata() {
    let server = with_maps(1).await;
    let table = [("accept", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json")];
    let shown = server.send("GET", MAPS, &table, "").await.ok(200).json();
    assert_eq!((shown["kind"].as_str(), shown["apiVersion"].as_str()), (Some("Table"), Some("meta.k8s.io/v1")));
    assert_eq!(shown["columnDefinitions"][0]["name"], "Name");
    assert_eq!(shown["rows"][0]["cells"][0], "m000");
    assert_eq!(shown["rows"][0]["object"]["kind"], "PartialObjectMetadata");
    let single = server.send("GET", &format!("{MAPS}/m000?includeObject=None"), &table, "").await.ok(200).json();
    assert_eq!((&single["rows"][0]["cells"][0], &single["rows"][0]["object"]), (&json!("m000"), &Value::Null));
    let whole = server.send("GET", &format!("{MAPS}?includeObject=Object"), &table, "").await.ok(200).json();
    assert_eq!(whole["rows"][0]["object"]["kind"], "ConfigMap");
    let wrong = server.send("GET", &format!("{MAPS}?includeObject=All"), &table, "").await.ok(400);
    assert_eq!(
        wrong.message(),
        "Unable to convert to Table as requested: includeObject: Invalid value: \"All\": must be 'Metadata', 'Object', 'None', or empty"
    );
    let partial = [("accept", "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io")];
    let shown = server.send("GET", MAPS, &partial, "").await.ok(200).json();
    assert_eq!(shown["kind"], "PartialObjectMetadataList");
    assert_eq!((&shown["items"][0]["kind"], shown["items"][0].get("data")), (&json!("PartialObjectMetadata"), None));
}

#[tokio::test]
async fn large_lists_are_compressed_for_those_who_ask() {
    let server = server();
    for (name, letters) in [("a", 50_000), ("b", 20), ("c", 50_000), ("d", 3_000), ("e", 50_000)] {
        server.post(MAPS, json!({"metadata": {"name": name}, "data": {"k": "x".repeat(letters)}})).await.ok(201);
    }
    for change in ["none", "later"] {
        for media in ["application/json", "application/vnd.kubernetes.protobuf"] {
            // What is kept after the first answer makes the second.
            for _ in 0..2 {
                let plain = server.send("GET", MAPS, &[("accept", media)], "").await.ok(200);
                let packed = server.send("GET", MAPS, &[("accept", media), ("accept-encoding", "gzip")], "").await.ok(200);
                assert_eq!(packed.headers["content-encoding"], "gzip");
                assert!(packed.body.len() < plain.body.len() / 10);
                let mut bytes = Vec::new();
                std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&packed.body[..]), &mut bytes).unwrap();
                assert_eq!(bytes, plain.body, "{change} {media}");
            }
        }
        let label = json!({"metadata": {"labels": {"changed": change}}});
        server.patch(&format!("{MAPS}/c"), "merge-patch+json", label).await.ok(200);
    }
    let small = server.send("GET", &format!("{MAPS}/a"), &[("accept-encoding", "gzip")], "").await.ok(200);
    assert!(small.headers.get("content-encoding").is_none());
}

#[tokio::test]
async fn people_get_it_indented() {
    let server = with_maps(1).await;
    let shown = server.send("GET", &format!("{MAPS}/m000"), &[("user-agent", "curl/8")], "").await.ok(200).text();
    assert!(shown.starts_with("{\n  \"kind\": \"ConfigMap\",\n"), "{shown}");
    assert!(
        server
            .get(MAPS)
            .await
            .text()
            .starts_with("{\"kind\":\"ConfigMapList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"")
    );
}
