//! `kill -9` under 64 writers, again and again: what was answered is there afterwards, and the revision only rises.
//! The writing process is this test's own binary, started anew. What a power cut does is tested in `suite/fault`.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use bytes::Bytes;
use model::clock::SystemClock;
use store::{Draft, Expect, Header, Key, Limits, Op, Store};

const DIRECTORY: &str = "STORE_KILL_DIRECTORY";
const PREFIX: &str = "/registry/pods/";
/// How often, where [`KILLS`] does not say: CI's share. By hand it may be hundreds.
const KILLS_DEFAULT: usize = 12;
const KILLS: &str = "STORE_KILLS";
const WRITERS: usize = 64;

#[test]
fn everything_answered_survives_kills() {
    let kills = std::env::var(KILLS).ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS_DEFAULT);
    let directory = tempfile::tempdir().unwrap();
    let mut held: HashMap<String, u64> = HashMap::new();
    let (mut highest, mut answered) = (0, 0);
    for round in 0..kills {
        // Between a few answers and several hundred, so that the kill meets every moment of a commit.
        let answers = write_until_killed(directory.path(), 40 + (round * 37) % 300);
        answered += answers.len();
        for (name, revision) in answers {
            highest = highest.max(revision);
            let last = held.entry(name).or_default();
            *last = revision.max(*last);
        }
        let store = open(directory.path());
        assert!(store.revision() >= highest, "round {round}: the revision fell from {highest} to {}", store.revision());
        highest = store.revision();
        let snapshot = store.resource(PREFIX).snapshot();
        for (name, revision) in &mut held {
            let entry =
                snapshot.get(&Key::new(PREFIX, name)).unwrap_or_else(|| panic!("round {round}: {name} at {revision} is lost"));
            assert!(entry.revision >= *revision, "round {round}: {name} fell from {revision} to {}", entry.revision);
            // A write that was not answered may have happened; from now on it must stay.
            *revision = entry.revision;
        }
        block_on(store.close()).unwrap();
    }
    assert!(answered > kills * 40, "{answered} writes were answered");
}

/// Starts a writer, takes its answers until there are enough, kills it, and takes what it had answered until then.
fn write_until_killed(directory: &Path, enough: usize) -> Vec<(String, u64)> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_writing_process", "--ignored", "--nocapture"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut answers = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let Ok(line) = line else { break };
        // The harness writes lines of its own, and the last line may be cut.
        let Some((name, revision)) = line.strip_prefix("answered ").and_then(|rest| rest.strip_suffix(" .")?.split_once(' '))
        else {
            continue;
        };
        answers.push((name.to_owned(), revision.parse().unwrap()));
        if answers.len() == enough {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(answers.len() >= enough, "the writer ended by itself after {} answers", answers.len());
    answers
}

#[test]
#[ignore = "the process that the other test starts and kills"]
fn the_writing_process() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let store = open(Path::new(&directory));
        let writers: Vec<_> = (0..WRITERS).map(|writer| tokio::spawn(write_forever(store.clone(), writer))).collect();
        for writer in writers {
            writer.await.unwrap();
        }
    });
}

/// Creates and replaces objects of its own, saying each answer before the next write.
async fn write_forever(store: Store, writer: usize) {
    for n in 0_usize.. {
        let name = format!("default/{writer}-{}", n % 50);
        let head = r#"{"metadata":{"resourceVersion":""#;
        let body = Bytes::from(format!("{head}\"}},\"value\":\"{}\"}}", "x".repeat(n % 3000)));
        let draft = Draft { header: Header::default(), body, revision_at: head.len(), ttl_s: None };
        let op = Op::Put { key: Key::new(PREFIX, &name), expect: Expect::Any, draft };
        let committed = store.commit(vec![op]).await.unwrap();
        let mut out = std::io::stdout().lock();
        // A pipe that is full or closed means that the parent has enough.
        if writeln!(out, "answered {name} {} .", committed.revision).and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}

fn open(directory: &Path) -> Store {
    Store::disk(directory, Arc::new(SystemClock), Limits::default()).unwrap()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}
