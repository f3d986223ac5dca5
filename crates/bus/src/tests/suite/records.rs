use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Bench;
use crate::tests::sample::{id, requested, written};
use crate::tests::until::until;
use crate::{Bucket, Lease, Limits, Pause, PutError, Scope};

const KEY: &str = "slot.infra/home/redis";
const TTL: Duration = Duration::from_secs(1);

pub(in crate::tests) async fn a_value_is_written_only_over_what_was_read(bench: &dyn Bench) {
    let log = bench.log();
    for bucket in Bucket::ALL {
        assert_eq!(log.get(bucket, KEY).await.unwrap(), None);
        let first = log.put(bucket, KEY, 0, b"one").await.unwrap();
        assert!(matches!(
            log.put(bucket, KEY, 0, b"two").await,
            Err(PutError::Conflict)
        ));
        let second = log.put(bucket, KEY, first, b"two").await.unwrap();
        assert!(matches!(
            log.put(bucket, KEY, first, b"three").await,
            Err(PutError::Conflict)
        ));
        assert_eq!(
            log.get(bucket, KEY).await.unwrap(),
            Some((second, b"two".to_vec()))
        );
        assert_eq!(
            log.list(bucket).await.unwrap(),
            [(KEY.to_owned(), b"two".to_vec())]
        );
    }
    assert!(log.put(Bucket::Claims, "no key", 0, b"").await.is_err());
}

pub(in crate::tests) async fn a_deleted_value_is_absent_and_can_be_written_again(
    bench: &dyn Bench,
) {
    let log = bench.log();
    let first = log.put(Bucket::Fences, KEY, 0, b"one").await.unwrap();
    let wrong = log.delete(Bucket::Fences, KEY, first + 7).await;
    assert!(matches!(wrong, Err(PutError::Conflict)), "{wrong:?}");
    log.delete(Bucket::Fences, KEY, first).await.unwrap();
    assert_eq!(log.get(Bucket::Fences, KEY).await.unwrap(), None);
    assert!(log.list(Bucket::Fences).await.unwrap().is_empty());
    log.put(Bucket::Fences, KEY, 0, b"two").await.unwrap();
    assert!(log.get(Bucket::Fences, KEY).await.unwrap().is_some());
}

pub(in crate::tests) async fn a_lease_expires_with_its_holder(bench: &dyn Bench) {
    let log = bench.log();
    let began = Instant::now();
    let lease = Lease::acquire(bench.log(), "infra", "one", TTL)
        .await
        .unwrap()
        .unwrap();
    assert!(
        Lease::acquire(bench.log(), "infra", "two", TTL)
            .await
            .unwrap()
            .is_none()
    );
    lease.release().await.unwrap();

    // Also over what a release leaves behind, where a lease could lose its end.
    let lease = Lease::acquire(bench.log(), "infra", "two", TTL)
        .await
        .unwrap()
        .unwrap();
    let mut dead = lease;
    assert!(dead.renew().await.unwrap());
    until("the next one gets it", || async {
        Lease::acquire(Arc::clone(&log), "infra", "three", TTL)
            .await
            .unwrap()
            .is_some()
    })
    .await;
    assert!(began.elapsed() >= TTL, "lost after {:?}", began.elapsed());
    assert!(!dead.renew().await.unwrap(), "a dead holder came back");
    dead.release().await.unwrap();
    assert!(
        log.get(Bucket::Locks, "infra").await.unwrap().is_some(),
        "released another's"
    );
}

pub(in crate::tests) async fn a_lease_that_is_renewed_lasts(bench: &dyn Bench) {
    let log = bench.log();
    let mut lease = Lease::acquire(bench.log(), "infra", "one", TTL)
        .await
        .unwrap()
        .unwrap();
    let began = Instant::now();
    until("it has lasted", || async {
        began.elapsed() > TTL * 3 || !log_has(&*log).await
    })
    .await;
    assert!(!log_has(&*log).await, "not renewed, and still there");
    assert!(!lease.renew().await.unwrap());

    let mut lease = Lease::acquire(bench.log(), "infra", "one", TTL)
        .await
        .unwrap()
        .unwrap();
    let began = Instant::now();
    while began.elapsed() < TTL * 3 {
        assert!(
            lease.renew().await.unwrap(),
            "lost after {:?}",
            began.elapsed()
        );
        assert!(log_has(&*log).await);
        sleep(TTL / 20).await;
    }
}

async fn log_has(log: &dyn crate::Log) -> bool {
    log.get(Bucket::Locks, "infra").await.unwrap().is_some()
}

pub(in crate::tests) async fn webhooks_are_kept_newest_first(bench: &dyn Bench) {
    let log = bench.log();
    assert!(log.intakes(10).await.unwrap().is_empty());
    for record in ["one", "two", "three"] {
        log.intake(record.as_bytes()).await.unwrap();
    }
    assert_eq!(
        log.intakes(2).await.unwrap(),
        [b"three".to_vec(), b"two".to_vec()]
    );
    assert_eq!(log.intakes(10).await.unwrap().len(), 3);
}

pub(in crate::tests) async fn an_archived_upgrade_leaves_its_summary(bench: &dyn Bench) {
    let log = bench.log();
    let kept = written(&*log, "8", vec![requested("8")]).await;
    let gone = written(&*log, "7", vec![requested("7")]).await;
    assert_eq!(log.archived(&gone.id).await.unwrap(), None);
    log.archive(&gone.id, b"summary").await.unwrap();
    assert_eq!(
        log.archived(&gone.id).await.unwrap(),
        Some(b"summary".to_vec())
    );
    assert!(log.read(&id("7")).await.unwrap().is_none());
    assert_eq!(
        log.read(&kept.id).await.unwrap().unwrap().entries,
        kept.entries
    );
}

pub(in crate::tests) async fn a_pause_is_in_force_until_it_is_ended(bench: &dyn Bench) {
    let log = bench.log();
    let log = log.as_ref();
    let pause = |scope: Scope, by: &str| Pause {
        scope,
        by: by.into(),
        why: "a holiday".into(),
        at_ms: 7,
    };
    let service = Scope::Service {
        repository: "infra".into(),
        service: "redis".into(),
    };
    assert_eq!(crate::pauses(log).await.unwrap(), []);
    assert!(!crate::resume(log, &Scope::All).await.unwrap());
    let of_service = pause(service.clone(), "alice");
    crate::pause(log, &of_service).await.unwrap();
    crate::pause(log, &pause(Scope::All, "bob")).await.unwrap();
    // The newest word counts.
    let of_all = pause(Scope::All, "carol");
    crate::pause(log, &of_all).await.unwrap();
    crate::set_limits(
        log,
        "infra",
        Limits {
            max: Some(9),
            window_seconds: None,
        },
    )
    .await
    .unwrap();
    let all = crate::pauses(log).await.unwrap();
    assert_eq!(all, [of_all, of_service.clone()], "the widest first");
    assert!(crate::resume(log, &Scope::All).await.unwrap());
    assert_eq!(crate::pauses(log).await.unwrap(), [of_service]);
    assert!(crate::resume(log, &service).await.unwrap());
    assert_eq!(crate::pauses(log).await.unwrap(), []);
}

pub(in crate::tests) async fn limits_are_changed_one_by_one_and_forgotten_together(
    bench: &dyn Bench,
) {
    let log = bench.log();
    let log = log.as_ref();
    let limits = |max, window_seconds| Limits {
        max,
        window_seconds,
    };
    for (wanted, expected) in [
        (limits(Some(9), None), limits(Some(9), None)),
        (limits(None, Some(60)), limits(Some(9), Some(60))),
        (limits(Some(3), None), limits(Some(3), Some(60))),
    ] {
        crate::set_limits(log, "acme/infra", wanted).await.unwrap();
        assert_eq!(crate::limits(log, "acme/infra").await.unwrap(), expected);
    }
    let other = crate::limits(log, "infra").await.unwrap();
    assert_eq!(other, Limits::default(), "of another repository");
    for _ in 0..2 {
        crate::forget_limits(log, "acme/infra").await.unwrap();
        let left = crate::limits(log, "acme/infra").await.unwrap();
        assert_eq!(left, Limits::default());
    }
}
