//! Objects in the storage that cannot be read: what is said of them and of their kind, and how they are got rid of. The words are
//! compared with kube-apiserver's in `conformance/etcd`.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use model::clock::SystemClock;
use model::json::json;
use store::{Store, Transformer};

use crate::common::{Server, Setup, server_with};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// Cannot read what lies under names that begin with `bad`, as long as it is told so.
#[derive(Default)]
struct Forgetful(AtomicBool);

#[async_trait]
impl Transformer for Forgetful {
    async fn write_storage(&self, _: &str, _: &str, stored: Vec<u8>) -> Result<Vec<u8>, String> {
        Ok(stored)
    }

    async fn read_storage(&self, _: &str, key: &str, bytes: Bytes) -> Result<Bytes, String> {
        let forgotten = self.0.load(Ordering::SeqCst) && key.contains("/bad");
        if forgotten { Err("the key is not known".to_owned()) } else { Ok(bytes) }
    }

    fn mark(&self, _: &[u8]) -> u32 {
        1
    }

    fn is_stale(&self, _: &str, _: u32) -> bool {
        false
    }
}

async fn server_on(dir: &Path, transformer: &Arc<Forgetful>) -> Server {
    let store = Store::disk_behind(dir, transformer.clone(), Arc::new(SystemClock), store::Limits::default()).await.unwrap();
    server_with(Setup { opened: Some(store), ..Setup::default() })
}

/// A server that holds some objects of which it cannot read the bad ones.
async fn spoilt(dir: &Path, names: &[&str]) -> (Server, Arc<Forgetful>) {
    let transformer = Arc::new(Forgetful::default());
    let before = server_on(dir, &transformer).await;
    for name in names {
        before.post(MAPS, json!({"metadata": {"name": name}})).await.ok(201);
    }
    before.post("/api/v1/namespaces/other/configmaps", json!({"metadata": {"name": "sound"}})).await.ok(201);
    before.0.store.close().await.unwrap();
    drop(before);
    transformer.0.store(true, Ordering::SeqCst);
    (server_on(dir, &transformer).await, transformer)
}

#[tokio::test]
async fn lists_tell_what_cannot_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let (server, transformer) = spoilt(dir.path(), &["a", "bad-1", "bad-2", "c"]).await;
    let told = server.get(&format!("{MAPS}?limit=500")).await.ok(500).json();
    assert_eq!(told["reason"], "StorageReadError");
    let fields: Vec<_> = told["details"]["causes"].as_array().unwrap().iter().map(|cause| cause["field"].clone()).collect();
    assert_eq!(fields, ["/registry/configmaps/default/bad-1", "/registry/configmaps/default/bad-2"]);
    // Only pages that would hold them, and all lists of caches.
    server.get(&format!("{MAPS}?limit=1")).await.ok(200);
    server.get("/api/v1/namespaces/other/configmaps?limit=500").await.ok(200);
    let token = server.get(&format!("{MAPS}?limit=1")).await.json()["metadata"]["continue"].as_str().unwrap().to_owned();
    assert_eq!(server.get(&format!("{MAPS}?limit=1&continue={token}")).await.ok(500).json()["reason"], "StorageReadError");
    for path in [MAPS, "/api/v1/configmaps?limit=5&labelSelector=a", "/api/v1/namespaces/other/configmaps"] {
        assert!(server.get(path).await.ok(429).message().starts_with("storage is (re)initializing"), "{path}");
    }
    server.get(&format!("{MAPS}?watch=1")).await.ok(429);
    transformer.0.store(false, Ordering::SeqCst);
    while server.get(MAPS).await.code != 200 {
        tokio::task::yield_now().await;
    }
    assert_eq!(server.get(&format!("{MAPS}/bad-1")).await.ok(200).json()["metadata"]["name"], "bad-1");
}

#[tokio::test]
async fn what_cannot_be_read_is_neither_written_nor_deleted_but_unsafely() {
    let dir = tempfile::tempdir().unwrap();
    let (server, _) = spoilt(dir.path(), &["a", "bad"]).await;
    let bad = format!("{MAPS}/bad");
    let object = json!({"metadata": {"name": "bad"}});
    server.get(&bad).await.ok(500);
    server.post(MAPS, object.clone()).await.ok(409);
    server.put(&bad, object.clone()).await.ok(500);
    server.patch(&bad, "merge-patch+json", json!({"data": {"a": "b"}})).await.ok(500);
    server.delete(&bad).await.ok(500);
    server.get(&format!("{MAPS}/a")).await.ok(200);
    server.patch(&format!("{MAPS}/a"), "merge-patch+json", json!({"data": {"a": "b"}})).await.ok(200);

    let unsafely = json!({"kind": "DeleteOptions", "apiVersion": "v1", "ignoreStoreReadErrorWithClusterBreakingPotential": true});
    let delete = async |name: &str| server.send("DELETE", &format!("{MAPS}/{name}"), &[], unsafely.to_string()).await;
    delete("a").await.ok(409);
    delete("none").await.ok(404);
    delete("bad").await.ok(200);
    server.get(&bad).await.ok(404);
    server.get(MAPS).await.ok(200);
    server.post(MAPS, object).await.ok(201);
}
