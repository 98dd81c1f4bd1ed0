//! Disks that fail, files that are damaged, directories in use: what the engine `disk` refuses and what it never loses.

use std::collections::BTreeMap;

use store::fault::Fault;
use store::{Error, Expect, Interest, OpenError, WatchError};

use crate::bed::{Bed, Medium, body, draft, pod};

pub async fn a_second_process_is_kept_out(bed: Bed) {
    // A lock belongs to the open file, so a second opening in one process meets what a second process would.
    let refused = bed.try_open().await.err().expect("locked");
    assert!(matches!(refused, OpenError::Locked { .. }), "{refused}");
    bed.store.close().await.expect("closes");
    assert!(bed.try_open().await.is_ok());
}

pub async fn another_format_is_refused(bed: Bed) {
    bed.store.close().await.expect("closes");
    let mut bytes = std::fs::read(bed.file()).expect("a file");
    bytes[15] = b'7';
    std::fs::write(bed.file(), &bytes).expect("written");
    let refused = bed.try_open().await.err().expect("refused");
    assert!(matches!(refused, OpenError::Format { found: 7, .. }), "{refused}");
    assert!(refused.to_string().contains("0000000001.log has format 7"));
}

pub async fn an_older_file_is_refused(bed: Bed) {
    bed.set("default/a", "one").await;
    let bed = bed.reopened().await;
    let older = std::fs::read(bed.file()).expect("a file");
    let last = bed.set("default/a", "two").await.revision;
    bed.store.close().await.expect("closes");
    std::fs::write(bed.file(), &older).expect("written");
    let refused = bed.try_open().await.err().expect("refused");
    assert!(matches!(refused, OpenError::Behind { acknowledged, .. } if acknowledged == last), "{refused}");
    let told = refused.to_string();
    assert!(told.contains("journal ends at revision") && told.contains("backup") && told.contains("acknowledged"), "{told}");
    std::fs::remove_file(bed.directory().join(store::ACKNOWLEDGED_FILE)).expect("as was told");
    assert!(bed.try_open().await.is_ok(), "whoever wants the older one may have it");
}

pub async fn what_a_first_start_left_half_made_is_no_store(bed: Bed) {
    bed.store.close().await.expect("closes");
    let finished = bed.directory().join(store::FILE);
    std::fs::rename(&finished, finished.with_extension("unfinished")).expect("renamed");
    std::fs::write(finished.with_extension("unfinished").join("0000000001.log"), b"half of it").expect("written");
    std::fs::remove_file(bed.directory().join(store::ACKNOWLEDGED_FILE)).expect("removed");
    let again = bed.try_open().await.expect("made anew");
    assert_eq!(again.revision(), store::FIRST_REVISION);
    again.close().await.expect("closes");
}

pub async fn a_damaged_record_is_named(bed: Bed) {
    for n in 0..20 {
        bed.set(&format!("default/{n}"), &format!("value number {n} of twenty")).await;
    }
    bed.store.close().await.expect("closes");
    let mut bytes = std::fs::read(bed.file()).expect("a file");
    let needle = b"value number 13 of twenty";
    let found: Vec<_> = bytes.windows(needle.len()).enumerate().filter(|(_, w)| w == needle).map(|(at, _)| at).collect();
    assert!(!found.is_empty());
    found.iter().for_each(|at| bytes[at + 6] ^= 1);
    std::fs::write(bed.file(), &bytes).expect("written");
    let refused = bed.try_open().await.err().expect("refused");
    assert!(matches!(&refused, OpenError::Record { key, .. } if key == "/registry/pods/default/13"), "{refused}");
    assert!(refused.to_string().contains("journal") && refused.to_string().contains("/registry/pods/default/13"), "{refused}");
}

/// Whatever block is damaged or missing: the store either refuses to open or holds everything.
pub async fn a_damaged_block_is_never_overlooked(bed: Bed) {
    const BLOCK: usize = 4096;
    for n in 0..300 {
        bed.store.commit(vec![put(n)]).await.expect("writes");
    }
    bed.store.close().await.expect("closes");
    let sound = std::fs::read(bed.file()).expect("a file");
    let mut refused = 0;
    let damages = [garble as fn(&mut [u8]), forget];
    for (block, damage) in (0..sound.len().div_ceil(BLOCK)).flat_map(|block| damages.map(|damage| (block, damage))) {
        let mut bytes = sound.clone();
        let end = bytes.len().min((block + 1) * BLOCK);
        damage(&mut bytes[block * BLOCK..end]);
        std::fs::write(bed.file(), &bytes).expect("written");
        match bed.try_open().await {
            Err(_) => refused += 1,
            Ok(store) => {
                assert_eq!(store.resource(crate::bed::PODS).snapshot().len(), 300, "block {block}");
                store.close().await.expect("closes");
            }
        }
    }
    assert!(refused > 20, "{refused} of the damages were found");
}

fn garble(block: &mut [u8]) {
    block.iter_mut().take(16).for_each(|byte| *byte ^= 0x5a);
}

/// As a disk that lost it.
fn forget(block: &mut [u8]) {
    block.fill(0);
}

fn put(n: usize) -> store::Op {
    store::Op::Put { key: pod(&format!("default/{n}")), expect: Expect::Absent, draft: draft(&"x".repeat(200)) }
}

pub async fn nothing_is_acknowledged_after_a_failed_fsync(bed: Bed) {
    refuses_from_the_first(bed, Fault::Sync(3)).await;
}

pub async fn nothing_is_acknowledged_after_a_failed_write(bed: Bed) {
    refuses_from_the_first(bed, Fault::Write(12)).await;
}

async fn refuses_from_the_first(bed: Bed, fault: Fault) {
    let mut watcher = bed.watch(Interest::all());
    bed.platter_disk().fail(fault);
    let mut acknowledged = 0;
    let error = loop {
        match bed.put(&pod(&format!("default/{acknowledged}")), Expect::Absent, draft("x")).await {
            Ok(_) => acknowledged += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(&error, Error::Failed(reason) if reason.contains("injected fault")), "{error:?}");
    assert!(bed.store.failed().await.contains("injected fault"), "the process is told to end");
    for n in 0..5 {
        let refused = bed.put(&pod(&format!("after/{n}")), Expect::Absent, draft("x")).await;
        assert!(matches!(refused, Err(Error::Failed(_))), "{refused:?}");
    }
    assert_eq!(bed.pods().snapshot().len(), acknowledged, "what failed is not shown");
    let mut seen = 0;
    let end = loop {
        match watcher.next_batch().await {
            Ok(events) => seen += events.len(),
            Err(end) => break end,
        }
    };
    assert_eq!((seen, end), (acknowledged, WatchError::Closed));
    let _ = bed.store.close().await;
    let disk = bed.platter_disk().clone();
    drop(bed);
    assert_eq!(disk.syncs_after_failure(), 0, "an fsync is never tried again");
    let after = Bed::on(Medium::Platter(disk.after_power_cut(7))).await;
    assert!(after.pods().snapshot().len() >= acknowledged, "{acknowledged} were acknowledged");
}

/// The power goes away in an fsync, with an arbitrary part of what it should have written on the disk.
pub async fn acknowledged_writes_survive_a_power_cut(mut bed: Bed) {
    let mut held: BTreeMap<String, u64> = BTreeMap::new();
    for round in 0..60_usize {
        for write in 0..3 {
            let name = format!("default/{}", (round * 5 + write) % 13);
            if write == 2 && held.remove(&name).is_some() {
                bed.unset(&name).await;
            } else {
                held.insert(name.clone(), bed.set(&name, &"y".repeat(round * 40)).await.revision);
            }
        }
        let highest = bed.store.revision();
        bed.platter_disk().fail(Fault::Sync(0));
        let in_flight = pod(&format!("flight/{round}"));
        bed.put(&in_flight, Expect::Absent, draft("whole")).await.expect_err("its fsync fails");

        let after = bed.platter_disk().after_power_cut(round as u64 * 77 + 1);
        bed = Bed::on(Medium::Platter(after)).await;
        // What was in flight may be there or not, but wholly.
        if let Some(entry) = bed.pods().get(&in_flight) {
            assert_eq!(entry.body, body("whole", entry.revision));
            held.insert(in_flight.rest().to_owned(), entry.revision);
        }
        let found: BTreeMap<_, _> = bed.pods().snapshot().iter().map(|e| (e.key.rest().to_owned(), e.revision)).collect();
        assert_eq!(found, held, "round {round}");
        assert!(bed.store.revision() >= highest, "round {round}");
    }
}
