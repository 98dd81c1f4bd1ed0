//! Creating, replacing, deleting, and what stands in the way.

use store::{Error, Expect};

use crate::bed::{Bed, PODS, body, draft, pod};

pub async fn created_once(bed: Bed) {
    let first = bed.put(&pod("default/a"), Expect::Absent, draft("one")).await.expect("absent");
    assert_eq!(first.body, body("one", first.revision));
    match bed.put(&pod("default/a"), Expect::Absent, draft("two")).await {
        Err(Error::Conflict { key, current: Some(current) }) => {
            assert_eq!((key, current.revision), (pod("default/a"), first.revision));
        }
        other => panic!("{other:?}"),
    }
}

pub async fn reads_its_own_writes(bed: Bed) {
    let pods = bed.store.resource(PODS);
    for n in 0..100 {
        let entry = bed.set("default/a", &n.to_string()).await;
        let read = pods.get(&entry.key).expect("just written");
        assert_eq!((read.revision, &read.body), (entry.revision, &entry.body));
        assert_eq!(pods.snapshot().revision(), entry.revision);
        assert_eq!(bed.store.revision(), entry.revision);
    }
}
