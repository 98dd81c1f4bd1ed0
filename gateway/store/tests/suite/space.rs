//! What a store takes on the disk: not much more than what it holds, however much was written.

use std::path::Path;

use store::{Expect, Limits};

use crate::bed::{Bed, draft, pod};

const SMALL: Limits = Limits { segment_bytes: 64 << 10, ahead_bytes: 16 << 10, clean_from_bytes: 128 << 10, ..Limits::DEFAULT };
const OBJECTS: usize = 40;
const OBJECT_BYTES: usize = 2000;

fn bytes(dir: &Path) -> u64 {
    let files = std::fs::read_dir(dir.join(store::FILE)).expect("a folder");
    files.map(|file| file.expect("a file").metadata().expect("its length").len()).sum()
}

pub async fn the_log_is_never_much_longer_than_what_it_holds(bed: Bed) {
    let mut bed = bed.limited(SMALL).await;
    let mut revisions = Vec::new();
    for n in 0..OBJECTS {
        revisions.push(bed.set(&format!("default/{n}"), &"x".repeat(OBJECT_BYTES)).await.revision);
    }
    // Some stay as they are and must be carried along; others come, change and go.
    let mut longest = 0;
    for round in 0..2000 {
        let n = round % (OBJECTS / 2);
        match round % 7 {
            0 => bed.unset(&format!("default/{n}")).await,
            _ => bed.set(&format!("default/{n}"), &"y".repeat(OBJECT_BYTES)).await,
        };
        if round % 7 == 0 {
            bed.put(&pod(&format!("default/{n}")), Expect::Absent, draft("back")).await.expect("absent");
        }
        // What the store was made with before it had these limits is gone by then.
        if round > 500 {
            longest = longest.max(bytes(bed.directory()));
        }
        if round % 500 == 499 {
            bed = bed.limited(SMALL).await;
        }
    }
    // Twice what it holds, from where cleaning begins, and a segment that is being filled and one that is being gone through.
    let held = (OBJECTS * (OBJECT_BYTES + 200)) as u64;
    let bound = 2 * held + SMALL.clean_from_bytes + 3 * SMALL.segment_bytes as u64;
    assert!(longest < bound, "{longest} bytes for {held}, {bound} at most");
    assert!(longest > SMALL.clean_from_bytes, "it was cleaned");
    for (n, revision) in revisions.iter().enumerate().skip(OBJECTS / 2) {
        assert_eq!(bed.pods().get(&pod(&format!("default/{n}"))).map(|entry| entry.revision), Some(*revision));
    }
}
