//! The evidence for the engine: redb, fjall and the log of our own (`store::bare`) under one load and the same damages. Not part of
//! Gatehouse, and not of its workspace, whose libraries fjall would have built in other ways: `cargo run --release` in this folder.

#![allow(clippy::expect_used, reason = "a program for developers")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cpu_time::ProcessTime;

use store::fault::Dice;

/// Bytes of an object: a small Pod.
const OBJECT_BYTES: usize = 3000;
/// Objects that are written again and again.
const OBJECTS: usize = 4000;
/// Damages of each kind per engine.
const DAMAGES: u64 = 60;

type Held = BTreeMap<String, Vec<u8>>;

/// What an engine does for the store: writes that are durable together, and everything back at the start.
trait Engine: Sized {
    const NAME: &'static str;
    fn open(dir: &Path) -> Result<(Self, Held), String>;
    fn commit(&mut self, revision: u64, writes: &[(String, Option<Vec<u8>>)]) -> Result<(), String>;
}

fn told(error: impl std::fmt::Display) -> String {
    error.to_string()
}

struct Log {
    log: store::bare::Log,
    held: Held,
}

impl Engine for Log {
    const NAME: &'static str = "log of our own";

    fn open(dir: &Path) -> Result<(Self, Held), String> {
        let mut found: BTreeMap<String, Option<Vec<u8>>> = BTreeMap::new();
        let log = store::bare::Log::open(dir, |key, record| {
            found.entry(key.to_owned()).or_insert_with(|| record.map(<[u8]>::to_vec));
        });
        let log = log?;
        let held: Held = found.into_iter().filter_map(|(key, record)| Some((key, record?))).collect();
        Ok((Self { log, held: held.clone() }, held))
    }

    fn commit(&mut self, revision: u64, writes: &[(String, Option<Vec<u8>>)]) -> Result<(), String> {
        for (key, record) in writes {
            self.log.append(key, record.as_deref());
            match record {
                Some(record) => drop(self.held.insert(key.clone(), record.clone())),
                None => drop(self.held.remove(key)),
            }
        }
        let bytes = (self.held.len() * OBJECT_BYTES) as u64;
        self.log.clean(bytes, |key, record| self.held.get(key).is_some_and(|held| held == record));
        self.log.commit(revision)
    }
}

struct Redb(redb::Database);

const TABLE: redb::TableDefinition<'_, &str, &[u8]> = redb::TableDefinition::new("objects");

impl Redb {
    fn transact(&self, writes: &[(String, Option<Vec<u8>>)]) -> Result<(), redb::Error> {
        let write = self.0.begin_write()?;
        let mut table = write.open_table(TABLE)?;
        for (key, record) in writes {
            match record {
                Some(record) => drop(table.insert(key.as_str(), record.as_slice())?),
                None => drop(table.remove(key.as_str())?),
            }
        }
        drop(table);
        Ok(write.commit()?)
    }

    fn read(&self) -> Result<Held, redb::Error> {
        use redb::{ReadableDatabase, ReadableTable};
        let read = self.0.begin_read()?;
        let mut held = Held::new();
        for row in read.open_table(TABLE)?.iter()? {
            let (key, record) = row?;
            held.insert(key.value().to_owned(), record.value().to_vec());
        }
        Ok(held)
    }
}

impl Engine for Redb {
    const NAME: &'static str = "redb";

    fn open(dir: &Path) -> Result<(Self, Held), String> {
        let open = || {
            let mut builder = redb::Builder::new();
            let database = builder.set_cache_size(32 << 20).set_check_integrity_on_open(true).create(dir.join("store.redb"));
            let opened = Self(database.map_err(told)?);
            opened.transact(&[]).map_err(told)?;
            let held = opened.read().map_err(told)?;
            Ok((opened, held))
        };
        // It panics on some damage.
        std::panic::catch_unwind(open).unwrap_or_else(|_| Err("it panicked".to_owned()))
    }

    fn commit(&mut self, _revision: u64, writes: &[(String, Option<Vec<u8>>)]) -> Result<(), String> {
        self.transact(writes).map_err(told)
    }
}

struct Fjall {
    database: fjall::Database,
    objects: fjall::Keyspace,
}

impl Engine for Fjall {
    const NAME: &'static str = "fjall";

    fn open(dir: &Path) -> Result<(Self, Held), String> {
        let open = || {
            let database = fjall::Database::builder(dir.join("fjall")).open().map_err(told)?;
            let objects = database.keyspace("objects", fjall::KeyspaceCreateOptions::default).map_err(told)?;
            let mut held = Held::new();
            for row in objects.iter() {
                let (key, record) = row.into_inner().map_err(told)?;
                held.insert(String::from_utf8_lossy(&key).into_owned(), record.to_vec());
            }
            Ok((Self { database, objects }, held))
        };
        std::panic::catch_unwind(open).unwrap_or_else(|_| Err("it panicked".to_owned()))
    }

    fn commit(&mut self, _revision: u64, writes: &[(String, Option<Vec<u8>>)]) -> Result<(), String> {
        let mut batch = self.database.batch().durability(Some(fjall::PersistMode::SyncData));
        for (key, record) in writes {
            match record {
                Some(record) => batch.insert(&self.objects, key.as_str(), record.as_slice()),
                None => batch.remove(&self.objects, key.as_str()),
            }
        }
        batch.commit().map_err(told)
    }
}

/// An object that does not compress to nothing.
fn object(dice: &mut Dice) -> Vec<u8> {
    (0..OBJECT_BYTES).map(|_| b'a' + dice.roll(26) as u8).collect()
}

/// A write of one of the objects, which no other write equals.
fn put(dice: &mut Dice, record: &mut [u8], writes: &mut u64) -> (String, Option<Vec<u8>>) {
    *writes += 1;
    record[..8].copy_from_slice(&writes.to_le_bytes());
    (format!("/registry/pods/default/pod-{:05}", dice.roll(OBJECTS)), Some(record.to_vec()))
}

/// One load: commits of 1 to 64 objects, each made durable before the next.
fn load<E: Engine>() {
    for (size, commits) in [(1, 2000), (8, 600), (64, 200)] {
        let dir = tempfile::tempdir().expect("a directory");
        let (mut engine, _) = E::open(dir.path()).expect("opens");
        let (mut dice, mut count) = (Dice::new(7), 0);
        let mut record = object(&mut dice);
        for n in 0..OBJECTS / 100 {
            let writes: Vec<_> = (0..100).map(|_| put(&mut dice, &mut record, &mut count)).collect();
            engine.commit(n as u64 + 1, &writes).expect("written");
        }
        let (mut cpu, mut wall) = (Duration::ZERO, Duration::ZERO);
        for n in 0..commits {
            let writes: Vec<_> = (0..size).map(|_| put(&mut dice, &mut record, &mut count)).collect();
            let (began, ran) = (Instant::now(), ProcessTime::now());
            engine.commit(100_000 + n, &writes).expect("written");
            (cpu, wall) = (cpu + ran.elapsed(), wall + began.elapsed());
        }
        // What it does beside is its cost too.
        let ran = ProcessTime::now();
        drop(engine);
        cpu += ran.elapsed();
        let per = |time: Duration| time.as_secs_f64() * 1e6 / (size as f64 * commits as f64);
        let bytes: u64 = files(dir.path()).iter().filter_map(|path| Some(fs::metadata(path).ok()?.len())).sum();
        println!(
            "{:<15} {size:>3} a commit: {:>7.1} µs CPU {:>8.1} µs a write, {:>4} MB on disk",
            E::NAME,
            per(cpu),
            per(wall),
            bytes >> 20
        );
    }
}

fn main() {
    load::<Log>();
    load::<Redb>();
    load::<Fjall>();
    // Some tell of damage by panicking.
    std::panic::set_hook(Box::new(|_| {}));
    damage::<Log>();
    damage::<Redb>();
    damage::<Fjall>();
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        match entry.path() {
            path if path.is_dir() => found.extend(files(&path)),
            path => found.push(path),
        }
    }
    found.sort();
    found
}

/// What the process left behind when it was killed.
fn copied(from: &Path) -> tempfile::TempDir {
    let to = tempfile::tempdir().expect("a directory");
    for path in files(from) {
        let target = to.path().join(path.strip_prefix(from).expect("below it"));
        fs::create_dir_all(target.parent().expect("a parent")).expect("made");
        fs::copy(path, target).expect("copied");
    }
    to
}

/// What came of damages.
#[derive(Default)]
struct Outcomes {
    refused: usize,
    harmless: usize,
    silent: usize,
}

/// Turns one bit that matters, in any file.
fn turn(dir: &Path, dice: &mut Dice) {
    let used: Vec<_> = files(dir)
        .into_iter()
        .flat_map(|path| {
            let bytes = fs::read(&path).expect("reads");
            let places: Vec<_> = bytes.iter().enumerate().filter(|(_, byte)| **byte != 0).map(|(at, _)| at).collect();
            (0..places.len().min(64)).map(|n| (path.clone(), places[n * places.len() / places.len().min(64)])).collect::<Vec<_>>()
        })
        .collect();
    let (path, near) = &used[dice.roll(used.len())];
    let mut bytes = fs::read(path).expect("reads");
    let at = (near + dice.roll(200)).min(bytes.len() - 1);
    bytes[at] ^= 1 << dice.roll(8);
    fs::write(path, bytes).expect("written");
}

/// Turns one bit of what the last commit wrote: what differs from the copy before it.
fn turn_last(dir: &Path, before: &Path, dice: &mut Dice) {
    let mut places = Vec::new();
    for path in files(dir) {
        let older = fs::read(before.join(path.strip_prefix(dir).expect("below it"))).unwrap_or_default();
        let bytes = fs::read(&path).expect("reads");
        let differs = |at: usize| older.get(at).is_none_or(|older| *older != bytes[at]) && bytes[at] != 0;
        places.extend((0..bytes.len()).filter(|at| differs(*at)).map(|at| (path.clone(), at)));
    }
    let (path, at) = &places[dice.roll(places.len())];
    let mut bytes = fs::read(path).expect("reads");
    bytes[*at] ^= 1 << dice.roll(8);
    fs::write(path, bytes).expect("written");
}

fn judge<E: Engine>(dir: &Path, meant: &Held, outcomes: &mut Outcomes) {
    match E::open(dir) {
        Err(_) => outcomes.refused += 1,
        Ok((_, held)) if held == *meant => outcomes.harmless += 1,
        Ok(_) => outcomes.silent += 1,
    }
}

fn damage<E: Engine>() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut engine, mut meant) = E::open(dir.path()).expect("opens");
    let mut dice = Dice::new(11);
    for n in 0..60 {
        let key = format!("/registry/pods/default/{}", dice.roll(20));
        let record = (dice.roll(4) > 0).then(|| object(&mut dice));
        match &record {
            Some(record) => drop(meant.insert(key.clone(), record.clone())),
            None => drop(meant.remove(&key)),
        }
        engine.commit(n + 2, &[(key, record)]).expect("written");
    }
    let key = "/registry/pods/default/last".to_owned();
    let record = object(&mut dice);
    let older = copied(dir.path());
    meant.insert(key.clone(), record.clone());
    engine.commit(99, &[(key, Some(record))]).expect("written");
    let mut outcomes = [Outcomes::default(), Outcomes::default()];
    for _ in 0..DAMAGES {
        let anywhere = copied(dir.path());
        turn(anywhere.path(), &mut dice);
        judge::<E>(anywhere.path(), &meant, &mut outcomes[0]);
        let last = copied(dir.path());
        turn_last(last.path(), older.path(), &mut dice);
        judge::<E>(last.path(), &meant, &mut outcomes[1]);
    }
    for (what, Outcomes { refused, harmless, silent }) in ["a bit anywhere", "a bit of the last commit"].iter().zip(&outcomes) {
        println!(
            "{:<15} {what:<25} {refused:>4} refused, {harmless:>4} harmless, {silent:>4} lost something in silence",
            E::NAME
        );
    }
}
