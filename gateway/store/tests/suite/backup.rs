//! Saving a running store and making a new one of it.

use std::sync::Arc;

use store::{BackupError, Draft, Expect, Interest, Key, RESTORE_REVISION_STEP, WatchError};

use crate::bed::{Bed, Medium, PODS, draft, marked, pod};

async fn saved(bed: &Bed) -> Vec<u8> {
    let mut stream = Vec::new();
    let resources = bed.store.snapshot().await.expect("answers");
    store::save(&resources, None, &mut stream).await.expect("saves");
    stream
}

pub async fn restored_as_it_was(bed: Bed) {
    for n in 0..2500 {
        bed.set(&format!("default/{n}"), "x").await;
    }
    bed.put(&pod("default/m"), Expect::Any, marked("m", &[("app", "shop")], &[("spec.nodeName", "n")])).await.expect("written");
    let lasting = Draft { ttl_s: Some(60), ..draft("e") };
    bed.put(&Key::new("/registry/events/", "default/e"), Expect::Any, lasting).await.expect("written");
    bed.unset("default/7").await;
    let (stream, then) = (saved(&bed).await, bed.store.revision());

    let dir = tempfile::tempdir().expect("a directory");
    let told = store::restore(&mut &stream[..], None, dir.path()).await.expect("restores");
    assert_eq!((told.revision, told.objects), (then, 2501));
    let copy = Bed::on(Medium::Directory(dir)).await;
    for prefix in [PODS, "/registry/events/"] {
        let facts = |bed: &Bed| {
            let snapshot = bed.store.resource(prefix).snapshot();
            snapshot
                .iter()
                .map(|e| (e.key.clone(), e.revision, e.created, e.header.clone(), e.body.clone(), e.expires_s))
                .collect::<Vec<_>>()
        };
        assert_eq!(facts(&copy), facts(&bed), "{prefix}");
    }
    assert_eq!(copy.store.revision(), then + RESTORE_REVISION_STEP, "clients may have seen later revisions than the backup has");
    let stale = copy.pods().watch(then + 1, Interest::all()).err();
    assert!(matches!(stale, Some(WatchError::Gone { .. })), "{stale:?}");
    // A lease of etcd is a little longer than was asked.
    copy.pass_s(70);
    assert_eq!(copy.store.engine().expire().await.expect("works"), 1);

    let Medium::Directory(dir) = &copy.medium else { panic!("a directory") };
    let refused = store::restore(&mut &stream[..], None, dir.path()).await;
    assert!(matches!(refused, Err(BackupError::Occupied(_))), "{refused:?}");
}

/// Two objects that are always written together are never saved apart.
pub async fn saved_at_one_revision(bed: Bed) {
    let bed = Arc::new(bed);
    let other = Key::new("/registry/configmaps/", "default/a");
    let writer = {
        let (bed, other) = (bed.clone(), other.clone());
        tokio::spawn(async move {
            for n in 0..200 {
                let put = |key: &Key| store::Op::Put { key: key.clone(), expect: Expect::Any, draft: draft(&n.to_string()) };
                bed.store.commit(vec![put(&pod("default/a")), put(&other)]).await.expect("written");
            }
        })
    };
    while !writer.is_finished() {
        let resources = bed.store.snapshot().await.expect("answers");
        let revisions: Vec<_> = resources.iter().flat_map(store::Snapshot::iter).map(|entry| entry.revision).collect();
        assert!(revisions.is_empty() || (revisions.len() == 2 && revisions[0].abs_diff(revisions[1]) <= 1), "{revisions:?}");
    }
    writer.await.expect("no panic");
}

pub async fn a_damaged_backup_is_refused(bed: Bed) {
    for n in 0..5 {
        bed.set(&format!("default/{n}"), "x").await;
    }
    let sound = saved(&bed).await;
    let dir = tempfile::tempdir().expect("a directory");
    // Every byte of the beginning and of the end, and some of what lies between.
    let edges = (0..60).chain((60..sound.len() - 20).step_by(13)).chain(sound.len() - 20..sound.len());
    for at in edges {
        let mut damaged = sound.clone();
        damaged[at] ^= 1;
        let result = store::restore(&mut &damaged[..], None, dir.path()).await;
        assert!(matches!(result, Err(BackupError::Damaged { .. } | BackupError::Foreign)), "byte {at}: {result:?}");
        let cut = store::restore(&mut &sound[..at], None, dir.path()).await;
        assert!(matches!(cut, Err(BackupError::Damaged { .. } | BackupError::Foreign)), "cut at {at}: {cut:?}");
    }
    store::restore(&mut &sound[..], None, dir.path()).await.expect("an earlier failure leaves nothing in the way");
}
