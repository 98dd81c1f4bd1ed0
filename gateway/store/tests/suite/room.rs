//! A full disk: what is new is refused in etcd's words, all else goes on, and so does everything once there is room.

use std::sync::Arc;

use store::{Entry, Error, Expect};

use crate::bed::{Bed, draft, pod};

const OBJECT_BYTES: usize = 100_000;
/// What the engine keeps free, and a little more for a start.
const ROOM_BYTES: u64 = (16 << 20) + (3 << 20);

async fn create(bed: &Bed, n: usize) -> Result<Arc<Entry>, Error> {
    bed.put(&pod(&format!("default/{n}")), Expect::Absent, draft(&"x".repeat(OBJECT_BYTES))).await
}

/// Creates until it is refused; gives how many there are.
async fn fill(bed: &Bed) -> usize {
    for n in 0.. {
        match create(bed, n).await {
            Ok(_) => assert!(n < 1000, "the disk is never full"),
            Err(error) => {
                assert!(matches!(&error, Error::Refused(why) if why.contains("database space exceeded")), "{error:?}");
                return n;
            }
        }
    }
    unreachable!("the loop ends by answers only")
}

pub async fn a_full_disk_refuses_what_is_new_and_nothing_else(bed: Bed) {
    bed.platter_disk().limit(Some(bed.platter_disk().used_bytes() + ROOM_BYTES));
    let count = fill(&bed).await;
    assert!(count > 4, "{count} found room");
    let refused_at = bed.store.revision();
    assert!(create(&bed, count).await.is_err() && bed.store.revision() == refused_at, "a refusal has no effect");
    assert_eq!(bed.pods().snapshot().len(), count, "reading goes on");
    for _ in 0..50 {
        bed.set("default/0", &"y".repeat(OBJECT_BYTES + 100)).await;
    }
    for n in 1..count {
        bed.unset(&format!("default/{n}")).await;
    }
    create(&bed, 1).await.expect("what deletes gave back is room");

    let bed = bed.reopened().await;
    assert_eq!(bed.pods().snapshot().len(), 2, "nothing was lost over it");
    bed.platter_disk().limit(None);
    create(&bed, 2).await.expect("there is room again");
}

pub async fn others_may_fill_the_disk_to_the_last_byte(bed: Bed) {
    for n in 0..40 {
        create(&bed, n).await.expect("there is room");
    }
    bed.platter_disk().limit(Some(bed.platter_disk().used_bytes()));
    assert!(create(&bed, 40).await.is_err());
    for n in 0..20 {
        bed.unset(&format!("default/{n}")).await;
    }
    bed.set("default/20", "small").await;
    bed.platter_disk().limit(None);
    create(&bed, 0).await.expect("without a restart");
    assert_eq!(bed.reopened().await.pods().snapshot().len(), 21);
}
