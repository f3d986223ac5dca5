use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use job::{Body, Owner};
use testkit::nats::NatsServer;

use super::proxy::Proxy;
use super::sample::{id, requested, written};
use super::short_settings;
use super::suite::looping::{all_skipped, analyzer, ingest, open};
use super::suite::{Bench, whole_suite};
use super::until::until;
use crate::{JetStream, Log, Settings};

struct OnJetStream {
    server: NatsServer,
    bus: JetStream,
}

async fn bench() -> OnJetStream {
    let server = NatsServer::start().await.unwrap();
    let bus = JetStream::connect(&server.url(), short_settings())
        .await
        .unwrap();
    bus.set_up().await.unwrap();
    OnJetStream { server, bus }
}

#[async_trait]
impl Bench for OnJetStream {
    fn log(&self) -> Arc<dyn Log> {
        Arc::new(self.bus.clone())
    }

    async fn unanswered(&self, owner: Owner) -> u64 {
        // Not found for a moment while it is forgotten.
        match self.bus.consumer_info(owner.as_str()).await {
            Ok(info) => info.num_pending + u64::try_from(info.num_ack_pending).unwrap(),
            Err(_) => u64::MAX,
        }
    }

    async fn forget_acks(&self, owner: Owner) {
        self.bus.delete_consumer(owner.as_str()).await.unwrap();
    }
}

whole_suite!(super::bench);

#[tokio::test]
async fn setting_up_again_changes_nothing() {
    let bench = bench().await;
    let history = written(&bench.bus, "7", vec![requested("7")]).await;
    let (one, other) = tokio::join!(bench.bus.set_up(), bench.bus.set_up());
    one.and(other).unwrap();
    let read = bench.bus.read(&history.id).await.unwrap().unwrap();
    assert_eq!(read.entries, history.entries);
    assert_eq!(bench.unanswered(Owner::Ingest).await, 1);
}

#[tokio::test]
async fn two_instances_on_one_server_do_not_see_each_other() {
    let bench = bench().await;
    let other = Settings {
        instance: "test2".into(),
        ..short_settings()
    };
    let other = JetStream::connect(&bench.server.url(), other)
        .await
        .unwrap();
    other.set_up().await.unwrap();
    written(&bench.bus, "7", vec![requested("7")]).await;
    assert!(other.read(&id("7")).await.unwrap().is_none());
    written(&other, "7", vec![requested("7")]).await;
}

#[tokio::test]
async fn an_append_whose_answer_was_lost_is_found_in_the_log() {
    let bench = bench().await;
    let history = written(&bench.bus, "7", vec![requested("7")]).await;
    let proxy = Proxy::before(&bench.server.url()).await;
    let short = Settings {
        publish_timeout: Duration::from_millis(300),
        ..short_settings()
    };
    let bus = JetStream::connect(&proxy.url(), short).await.unwrap();
    until("it is connected", || async { bus.is_connected() }).await;

    proxy.hold_answers();
    let appending = tokio::spawn({
        let (bus, history) = (bus.clone(), history.clone());
        async move {
            bus.append(&history.id, Some(&history), Body::Admitted)
                .await
        }
    });
    until("it was sent again", || async { proxy.publishes() >= 2 }).await;
    proxy.let_go();
    let appended = appending.await.unwrap().unwrap();
    let read = bench.bus.read(&history.id).await.unwrap().unwrap();
    assert_eq!(read.entries, appended.entries);
    assert_eq!(read.entries.len(), 2);
}

#[tokio::test]
async fn the_loop_outlives_a_killed_server_and_the_log_is_whole() {
    const COUNT: usize = 200;
    let mut bench = bench().await;
    let log = bench.log();
    let mut projection = log.follow(None).await.unwrap();
    open(&log, COUNT).await;
    let (ingest, analyzer) = (ingest(&bench), analyzer(&bench));
    until("half of it is done", || async {
        analyzer.seen.total() >= COUNT / 2
    })
    .await;
    bench.server.kill().await.unwrap();
    bench.server.restart().await.unwrap();
    all_skipped(&log, COUNT).await;
    for owner in [Owner::Ingest, Owner::Analyzer] {
        until("all is acknowledged", || async {
            bench.unanswered(owner).await == 0
        })
        .await;
    }

    for sequence in (1..).take(COUNT * 3) {
        let followed = loop {
            // An error is how it says that it begins anew.
            if let Ok(followed) = projection.next().await {
                break followed;
            }
        };
        assert_eq!(followed.entry.sequence, sequence);
    }
    ingest.stop().await;
    analyzer.stop().await;
}

/// Only NATS hands out what was asked for before anybody takes it.
#[tokio::test]
async fn a_fact_that_was_fetched_and_not_taken_is_handed_back_on_close() {
    let server = NatsServer::start().await.unwrap();
    let patient = Settings {
        // Nobody waits for so long here.
        ack_wait: Duration::from_secs(3_600),
        pull_expires: Duration::from_secs(3_600),
        ..short_settings()
    };
    let bus = JetStream::connect(&server.url(), patient).await.unwrap();
    bus.set_up().await.unwrap();
    let mut first = bus.follow(Some("reader")).await.unwrap();
    let nothing = tokio::time::timeout(Duration::from_millis(50), first.next()).await;
    assert!(nothing.is_err());
    written(&bus, "7", vec![requested("7")]).await;
    until("it is on its way to the first", || async {
        let info = bus.consumer_info("reader").await;
        info.is_ok_and(|info| info.num_ack_pending == 1)
    })
    .await;
    first.close().await;

    let mut second = bus.follow(Some("reader")).await.unwrap();
    let again = second.next();
    let again = tokio::time::timeout(Duration::from_secs(30), again).await;
    assert_eq!(again.unwrap().unwrap().redelivered, 1);
}
