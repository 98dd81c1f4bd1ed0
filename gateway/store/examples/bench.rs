//! CPU per operation of the store, as the kernel accounts it: `cargo run --release -p store --example bench [directory]`.
//! Not a test and no benchmark of a disk: wall time depends on the machine, CPU much less so.

#![allow(clippy::unwrap_used, reason = "a program for developers")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use model::clock::SystemClock;
use store::{Draft, Expect, Form, Interest, Key, Limits, Op, Store};

const PREFIX: &str = "/registry/pods/";
const TYPE_META: &str = r#""apiVersion":"v1","kind":"Pod","#;
/// About the size of a small Pod.
const BODY_BYTES: usize = 3000;
const OBJECTS: usize = 5000;
const WATCHERS: usize = 200;

fn main() {
    let directory = std::env::args().nth(1).map(std::path::PathBuf::from);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        println!("{BODY_BYTES}-byte objects; CPU is user + system of the whole process\n");
        // Held to the end: the account below is that of the threads that live.
        let memory = Store::memory().unwrap();
        writes("memory", memory.clone()).await;
        let temporary = tempfile::tempdir().unwrap();
        let directory = directory.as_deref().unwrap_or(temporary.path());
        let disk = || Store::disk(directory, Arc::new(SystemClock), Limits::default()).unwrap();
        let store = disk();
        writes("disk", store.clone()).await;
        store.close().await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        let meter = Meter::start();
        let store = disk();
        meter.stop("disk: open", "object", store.resource(PREFIX).snapshot().len());
        let (read, followed) = (Store::memory().unwrap(), Store::memory().unwrap());
        reads(&read).await;
        fan_out(followed.clone()).await;
        drop((memory, read, followed));
    });
}

async fn writes(engine: &str, store: Store) {
    for (writers, each) in [(1, 400), (8, 150), (32, 100)] {
        let metrics = store.cache().metrics();
        let before = metrics.commits.load(std::sync::atomic::Ordering::Relaxed);
        let meter = Meter::start();
        let tasks: Vec<_> = (0..writers).map(|writer| tokio::spawn(write(store.clone(), writer, each))).collect();
        for task in tasks {
            task.await.unwrap();
        }
        meter.stop(&format!("{engine}: {writers} writers"), "write", writers * each);
        let commits = metrics.commits.load(std::sync::atomic::Ordering::Relaxed) - before;
        println!("{:>44.1} writes per commit", (writers * each) as f64 / commits as f64);
    }
}

async fn write(store: Store, writer: usize, count: usize) {
    for n in 0..count {
        store.commit(vec![put(&format!("default/pod-{writer}-{n}"))]).await.unwrap();
    }
}

fn put(name: &str) -> Op {
    let head = r#"{"metadata":{"resourceVersion":""#;
    let body = format!("{head}\"}},\"value\":\"{}\"}}", "x".repeat(BODY_BYTES));
    let header = store::Header {
        labels: [("app", "shop"), ("pod-template-hash", "5d4f8c7b9"), ("tier", "web")].into_iter().collect(),
        fields: [("spec.nodeName", "node-1"), ("status.phase", "Running")].into_iter().collect(),
    };
    let draft = Draft { header, body: Bytes::from(body), revision_at: head.len(), ttl_s: None };
    Op::Put { key: Key::new(PREFIX, name), expect: Expect::Any, draft }
}

async fn reads(store: &Store) {
    for n in 0..OBJECTS {
        store.commit(vec![put(&format!("default/pod-{n:05}"))]).await.unwrap();
    }
    let (pods, key) = (store.resource(PREFIX), Key::new(PREFIX, "default/pod-02500"));
    let meter = Meter::start();
    for _ in 0..1_000_000 {
        black_box(pods.get(black_box(&key)));
    }
    meter.stop("get", "get", 1_000_000);

    let meter = Meter::start();
    let mut out = Vec::new();
    for _ in 0..100 {
        out.clear();
        for entry in pods.snapshot().iter() {
            out.extend_from_slice(&entry.body);
            out.push(b',');
        }
        black_box(&out);
    }
    meter.stop(&format!("list of {OBJECTS}, {} MB copied", out.len() >> 20), "list", 100);

    let meter = Meter::start();
    for _ in 0..200 {
        let (snapshot, mut after, mut count) = (pods.snapshot(), None::<Key>, 0);
        loop {
            let page = snapshot.page(after.as_deref(), PREFIX, 250);
            let Some(last) = page.last() else { break };
            after = Some(last.key.clone());
            count += page.len();
        }
        assert_eq!(count, OBJECTS);
    }
    meter.stop(&format!("list of {OBJECTS} in pages of 250, not copied"), "list", 200);

    let meter = Meter::start();
    for _ in 0..100 {
        black_box(pods.snapshot().iter().filter(|entry| entry.header.labels.get("tier") == Some("db")).count());
    }
    meter.stop(&format!("label selector over {OBJECTS}"), "list", 100);
}

/// One writer, many watchers of the whole resource; each takes its frames as a connection would.
async fn fan_out(store: Store) {
    const WRITES: usize = 500;
    for watchers in [1, WATCHERS] {
        let tasks: Vec<_> = (0..watchers).map(|_| tokio::spawn(follow(store.clone(), WRITES))).collect();
        while store.cache().metrics().watchers.load(std::sync::atomic::Ordering::Relaxed) < watchers as u64 {
            tokio::task::yield_now().await;
        }
        let meter = Meter::start();
        write(store.clone(), 0, WRITES).await;
        for task in tasks {
            task.await.unwrap();
        }
        meter.stop(&format!("fan-out to {watchers}, writes included"), "event and watcher", WRITES * watchers);
    }
    let quiet: Vec<_> = (0..5000).map(|n| watch_node(&store, &format!("node-{}", n + 10))).collect();
    let meter = Meter::start();
    write(store.clone(), 0, WRITES).await;
    meter.stop("writes beside 5000 watchers of other nodes", "write", WRITES);
    drop(quiet);
}

fn watch_node(store: &Store, node: &str) -> store::Watcher {
    let interest = Interest { node: Some(node.into()), ..Interest::default() };
    store.resource(PREFIX).watch(store.revision(), interest).unwrap()
}

async fn follow(store: Store, events: usize) {
    let mut watcher = store.resource(PREFIX).watch(store.revision(), Interest::all()).unwrap();
    let mut seen = 0;
    while seen < events {
        for event in watcher.next_batch().await.unwrap() {
            black_box(event.json_frame(Form(0), TYPE_META));
            seen += 1;
        }
    }
}

/// Measures wall time and CPU between two moments.
struct Meter {
    wall: Instant,
    cpu: Duration,
}

impl Meter {
    fn start() -> Self {
        Self { wall: Instant::now(), cpu: cpu() }
    }

    fn stop(self, what: &str, unit: &str, count: usize) {
        let (wall, cpu) = (self.wall.elapsed(), cpu() - self.cpu);
        let per = |time: Duration| time.as_secs_f64() * 1e6 / count as f64;
        println!("{what:<44} {:>10.2} µs CPU {:>10.2} µs wall per {unit}", per(cpu), per(wall));
    }
}

/// CPU of this process so far, from the scheduler's own nanosecond account where there is one.
fn cpu() -> Duration {
    let ticks = |text: &str| -> Option<u64> {
        let fields: Vec<_> = text.rsplit_once(')')?.1.split_whitespace().collect();
        Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
    };
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let precise: Vec<u64> = tasks
        .filter_map(|task| std::fs::read_to_string(task.path().join("schedstat")).ok()?.split_whitespace().next()?.parse().ok())
        .collect();
    if !precise.is_empty() {
        return Duration::from_nanos(precise.iter().sum());
    }
    // Clock ticks are hundredths of a second on every Linux that matters.
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    Duration::from_millis(10 * ticks(&stat).unwrap_or(0))
}
