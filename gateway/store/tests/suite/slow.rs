//! A disk that takes its time: nothing that was not synced is shown, nobody who only reads waits, and what queued is one commit.

use futures::FutureExt;
use store::{Error, Expect, Interest, Limits, Op};

use crate::bed::{Bed, PODS, draft, pod};

pub async fn nobody_waits_for_an_fsync_but_who_writes(bed: Bed) {
    const QUEUE: usize = 20;
    let bed = bed.limited(Limits { queue_transactions_max: QUEUE, ..Limits::default() }).await;
    let before = bed.set("default/a", "before").await;
    let mut watcher = bed.watch(Interest::all());
    let (disk, syncs) = (bed.platter_disk().clone(), bed.platter_disk().syncs());
    disk.hang();
    // Until the queue is full: one commit hangs, and the rest wait for it.
    let mut writes = Vec::new();
    loop {
        let key = pod(&format!("default/{}", writes.len()));
        let mut write = bed.store.engine().commit(vec![Op::Put { key, expect: Expect::Any, draft: draft("after") }]);
        match (&mut write).now_or_never() {
            None => writes.push(write),
            Some(answer) => {
                assert!(matches!(answer, Err(Error::Overloaded)), "{answer:?}");
                break;
            }
        }
    }
    assert!(writes.len() >= QUEUE);
    assert_eq!(bed.pods().get(&pod("default/a")).expect("there").revision, before.revision);
    assert_eq!(bed.store.resource(PODS).snapshot().len(), 1, "what is not durable is not shown");
    assert!(watcher.try_batch().expect("open").is_empty());
    assert_eq!(disk.syncs(), syncs);

    disk.go_on();
    let answered = writes.len();
    for write in writes {
        write.await.expect("nothing to conflict with");
    }
    let mut seen = 0;
    while seen < answered {
        seen += watcher.next_batch().await.expect("open").len();
    }
    assert!(disk.syncs() - syncs < answered, "they shared fsyncs");
}
