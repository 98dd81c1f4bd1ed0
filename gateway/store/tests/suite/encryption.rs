//! Encryption on the engine `disk`: nothing in the clear lies in the file, keys rotate, what cannot be read is not left out.
//! The ciphers themselves are tested beside them, the way over etcd in `conformance/etcd`.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use model::clock::SystemClock;
use model::json::{Value, json};
use store::{
    BackupError, Encryption, Entry, Error, Expect, Interest, Limits, Op, OpenError, Step, Store, Transformer, WatchError,
};

use crate::bed::{PODS, marked, pod};

const WORD: &str = "a-word-in-the-clear";

/// Encrypts pods with the first of some keys.
pub fn encryption(names: &[&str]) -> Arc<Encryption> {
    let resource_of = Arc::new(|prefix: &str| (prefix == PODS).then(|| (String::new(), "pods".to_owned())));
    Arc::new(Encryption::new(&configuration(names), resource_of).expect("sound"))
}

fn keys(names: &[&str]) -> Arc<dyn Transformer> {
    encryption(names)
}

/// A configuration that says so.
pub fn configuration(names: &[&str]) -> Value {
    // 32 bytes that begin with the name, so that each key is another.
    let secret = |name: &str| {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(format!("{name:-<32}"))
    };
    let keys: Vec<_> = names.iter().map(|name| json!({"name": name, "secret": secret(name)})).collect();
    let providers = json!([{"aesgcm": {"keys": keys}}, {"identity": {}}]);
    json!({"apiVersion": "apiserver.config.k8s.io/v1", "kind": "EncryptionConfiguration",
        "resources": [{"resources": ["pods"], "providers": providers}]})
}

async fn open(dir: &Path, transformer: Arc<dyn Transformer>) -> Result<Store, OpenError> {
    Store::disk_behind(dir, transformer, Arc::new(SystemClock), Limits::default()).await
}

async fn put(store: &Store, name: &str, expect: Expect) -> Result<Arc<Entry>, Error> {
    let draft = marked(WORD, &[("app", WORD)], &[("spec.nodeName", "n")]);
    let committed = store.commit(vec![Op::Put { key: pod(name), expect, draft }]).await?;
    Ok(committed.entries[0].clone())
}

fn lies_in(dir: &Path, text: &str) -> bool {
    let file = std::fs::read(dir.join(store::FILE).join("0000000001.log")).expect("a file");
    file.windows(text.len()).any(|part| part == text.as_bytes())
}

#[tokio::test]
async fn nothing_lies_in_the_clear_and_all_comes_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path(), keys(&["one"])).await.expect("opens");
    let made = put(&store, "default/a", Expect::Absent).await.expect("absent");
    let changed = put(&store, "default/a", Expect::Revision(made.revision)).await.expect("current");
    store.close().await.expect("closes");
    assert!(!lies_in(dir.path(), WORD) && lies_in(dir.path(), "k8s:enc:aesgcm:v1:one:"));
    let again = open(dir.path(), keys(&["one"])).await.expect("opens");
    let back = again.resource(PODS).get(&pod("default/a")).expect("there");
    assert_eq!(
        (back.revision, back.created, &back.body, &back.header),
        (changed.revision, made.revision, &changed.body, &changed.header)
    );
    assert_eq!(again.revision(), changed.revision);
}

#[tokio::test]
async fn keys_rotate() {
    let dir = tempfile::tempdir().expect("a directory");
    let clear = Store::disk(dir.path(), Arc::new(SystemClock), Limits::default()).expect("opens");
    put(&clear, "default/clear", Expect::Absent).await.expect("absent");
    clear.close().await.expect("closes");

    let old = open(dir.path(), keys(&["old"])).await.expect("what is in the clear is read");
    let entry = |store: &Store, name: &str| store.resource(PODS).get(&pod(name)).expect("there");
    assert!(old.is_stale(&entry(&old, "default/clear")));
    let made = put(&old, "default/a", Expect::Absent).await.expect("absent");
    assert!(!old.is_stale(&made));
    old.close().await.expect("closes");

    let both = open(dir.path(), keys(&["new", "old"])).await.expect("opens");
    for name in ["default/clear", "default/a"] {
        assert!(both.is_stale(&entry(&both, name)), "{name}");
        let written = put(&both, name, Expect::Any).await.expect("written");
        assert!(!both.is_stale(&written) && !both.is_stale(&entry(&both, name)), "{name}");
    }
    both.close().await.expect("closes");
    let new = open(dir.path(), keys(&["new"])).await.expect("the old key is not needed any more");
    assert!(!new.is_stale(&entry(&new, "default/a")));
}

#[tokio::test]
async fn what_cannot_be_read_is_neither_lost_nor_hidden() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path(), keys(&["one"])).await.expect("opens");
    let made = put(&store, "default/a", Expect::Absent).await.expect("absent");
    store.close().await.expect("closes");
    let without = Store::disk(dir.path(), Arc::new(SystemClock), Limits::default()).err().expect("refused");
    assert!(matches!(&without, OpenError::Sealed { key, .. } if key == "/registry/pods/default/a"), "{without}");

    let rotating = encryption(&["two"]);
    let other = open(dir.path(), rotating.clone()).await.expect("opens");
    let pods = other.resource(PODS);
    let unread: Vec<_> = pods.snapshot().unread().map(|entry| entry.unread().map(|unread| unread.step)).collect();
    assert_eq!(unread, [Some(Step::Transform)]);
    let taken = put(&other, "default/a", Expect::Absent).await;
    assert!(matches!(taken, Err(Error::Conflict { .. })), "{taken:?}");
    put(&other, "default/b", Expect::Absent).await.expect("all else goes on");
    let refused = store::save(&other.snapshot().await.expect("answers"), None, &mut Vec::new()).await;
    assert!(matches!(refused, Err(BackupError::Unread { .. })), "{refused:?}");

    let (version, mut watcher) = (pods.version(), pods.watch(other.revision(), Interest::all()).expect("now"));
    rotating.replace(&configuration(&["two", "one"])).await.expect("sound");
    assert!(matches!(watcher.next_batch().await, Err(WatchError::Slow)), "who watches begins anew");
    let read = pods.get(&pod("default/a")).expect("there");
    assert_eq!((read.revision, &read.body, &read.header), (made.revision, &made.body, &made.header));
    assert!(pods.version() > version && pods.snapshot().unread().next().is_none());
    other.close().await.expect("closes");

    let again = open(dir.path(), keys(&["two"])).await.expect("opens");
    let delete = Op::Delete { key: pod("default/a"), expect: Expect::Revision(made.revision) };
    again.commit(vec![delete]).await.expect("it can be deleted");
    assert!(again.resource(PODS).get(&pod("default/a")).is_none());
    assert_eq!(again.resource(PODS).snapshot().unread().count(), 0);
}

#[tokio::test]
async fn a_snapshot_holds_nothing_in_the_clear() {
    let dir = || tempfile::tempdir().expect("a directory");
    let from = dir();
    let store = open(from.path(), keys(&["one"])).await.expect("opens");
    let made = put(&store, "default/a", Expect::Absent).await.expect("absent");
    let save = async |transformer: Option<Arc<dyn Transformer>>| {
        let mut stream = Vec::new();
        let saved = store::save(&store.snapshot().await.expect("answers"), transformer.as_deref(), &mut stream).await;
        (stream, saved.expect("saves").encrypted)
    };
    let (stream, encrypted) = save(store.engine().transformer()).await;
    assert!(encrypted == 1 && !stream.windows(WORD.len()).any(|part| part == WORD.as_bytes()));
    assert_eq!(store::check(&mut &stream[..], None).await.expect("sound without its key").encrypted, 1);
    for key in ["one", "two"] {
        let checked = store::check(&mut &stream[..], Some(&*keys(&[key]))).await;
        assert_eq!(checked.is_ok(), key == "one", "{checked:?}");
        let into = dir();
        let restored = store::restore(&mut &stream[..], Some(&*keys(&[key])), into.path()).await;
        assert_eq!(restored.is_ok(), key == "one", "{restored:?}");
    }
    let memory = Store::memory().expect("starts");
    let refused = store::replay(&mut &stream[..], &memory, &SystemClock, |_| ()).await;
    assert!(matches!(refused, Err(BackupError::Decrypt { .. })), "{refused:?}");

    let (clear, _) = save(None).await;
    for (stream, encrypts) in [(&stream, None), (&clear, Some(keys(&["one"])))] {
        let into = dir();
        store::restore(&mut &stream[..], encrypts.as_deref(), into.path()).await.expect("restores");
        assert!(!lies_in(into.path(), WORD) && lies_in(into.path(), "k8s:enc:aesgcm:v1:one:"));
        let copy = open(into.path(), keys(&["one"])).await.expect("opens");
        let read = copy.resource(PODS).get(&pod("default/a")).expect("there");
        assert_eq!((read.revision, &read.body, &read.header), (made.revision, &made.body, &made.header));
    }
}

/// A plugin that may be away.
struct Plugin(AtomicBool);

#[async_trait]
impl Transformer for Plugin {
    async fn write_storage(&self, _: &str, _: &str, stored: Vec<u8>) -> Result<Vec<u8>, String> {
        if self.0.load(Ordering::SeqCst) { Err("the plugin does not answer".to_owned()) } else { Ok(stored) }
    }

    async fn read_storage(&self, _: &str, _: &str, bytes: Bytes) -> Result<Bytes, String> {
        Ok(bytes)
    }

    fn mark(&self, _: &[u8]) -> u32 {
        1
    }

    fn is_stale(&self, _: &str, _: u32) -> bool {
        false
    }
}

#[tokio::test]
async fn without_its_plugin_a_write_is_refused_and_all_else_goes_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let plugin = Arc::new(Plugin(AtomicBool::new(false)));
    let store = open(dir.path(), plugin.clone()).await.expect("opens");
    put(&store, "default/a", Expect::Absent).await.expect("absent");
    plugin.0.store(true, Ordering::SeqCst);
    let refused = put(&store, "default/b", Expect::Absent).await;
    assert!(matches!(&refused, Err(Error::Refused(why)) if why.contains("does not answer")), "{refused:?}");
    assert!(store.resource(PODS).get(&pod("default/a")).is_some(), "reading goes on");
    store.commit(vec![Op::Delete { key: pod("default/a"), expect: Expect::Any }]).await.expect("deletes go on");
    plugin.0.store(false, Ordering::SeqCst);
    put(&store, "default/b", Expect::Absent).await.expect("it is back");
}
