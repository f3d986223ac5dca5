//! Windows in which more than the service is ill, or may be.

use std::time::{Duration, Instant};

use job::Body;
use testkit::kubernetes::Behaviour;

use super::stage::{Stage, TIMEOUT};
use super::window::{applied, eventually, healthy, observed};
use crate::Kubernetes;
use crate::health::{self, Health};
use crate::ports::Cluster as _;

fn paused(body: &Body) -> Option<(u32, &str)> {
    match body {
        Body::Observed { paused, why, .. } => Some((*paused, why)),
        _ => None,
    }
}

#[tokio::test]
async fn a_node_that_reboots_stops_the_window_and_nothing_is_undone() {
    let mut stage = Stage::new();
    applied(&mut stage).await;
    healthy(&mut stage).await;
    stage.advance(60);
    assert_eq!(stage.tick().await, Some(observed(60)));
    stage.cluster.reboot(Duration::from_secs(3600));
    let body = stage.tick().await.unwrap();
    assert_eq!(paused(&body), Some((0, "node node-1 is not ready")));
    stage.advance(60);
    let body = stage.tick().await.unwrap();
    assert_eq!(paused(&body), Some((60, "node node-1 is not ready")));
    let state = stage.history().state;
    assert_eq!((state.observed_seconds, state.paused_seconds), (60, 60));
    assert!(state.pausing && state.failing_since.is_none());
    // Ninety minutes in which nobody looks are no pause, and an hour of pauses in all is enough.
    stage.advance(5400);
    assert_eq!(
        paused(&stage.tick().await.unwrap()).map(|(s, _)| s),
        Some(0)
    );
    let mut facts = Vec::new();
    for _ in 0..59 {
        stage.advance(60);
        facts.push(stage.tick().await.unwrap());
    }
    let last = facts.pop();
    let stuck = matches!(&last, Some(Body::Stuck(why)) if why.starts_with("could not be verified"));
    assert!(stuck, "{last:?}");
    assert!(facts.iter().all(|fact| paused(fact).is_some()), "{facts:?}");
}

#[tokio::test]
async fn pods_that_a_reboot_restarted_begin_their_window_anew() {
    let mut stage = Stage::new();
    applied(&mut stage).await;
    healthy(&mut stage).await;
    stage.advance(60);
    assert_eq!(stage.tick().await, Some(observed(60)));
    stage.cluster.reboot(Duration::from_millis(1500));
    let body = stage.tick().await.unwrap();
    assert!(paused(&body).is_some(), "{body:?}");
    healthy(&mut stage).await;
    assert_eq!(stage.history().state.observed_seconds, 0);
    stage.advance(60);
    assert_eq!(stage.tick().await, Some(observed(60)));
    stage.advance(60);
    let body = stage.tick().await;
    assert!(matches!(&body, Some(Body::Succeeded { .. })), "{body:?}");
}

#[tokio::test]
async fn restarts_that_a_reboot_excuses_are_no_relapses() {
    let mut stage = Stage::new();
    applied(&mut stage).await;
    healthy(&mut stage).await;
    // From here on a restart is known by its count, whatever the two clocks say.
    assert_eq!(stage.tick().await, None);
    for restart in 0..6 {
        // Further than the cluster's own clock comes meanwhile, and not as far as the settle time.
        stage.advance(15);
        stage.cluster.reboot(Duration::from_millis(100));
        let cluster = stage.cluster.clone();
        eventually(|| cluster.live_image("web", "app", "app").is_some()).await;
        let body = stage.tick().await;
        assert!(
            matches!(body, Some(Body::HealthySince { .. })),
            "{restart}: {body:?}"
        );
        assert_eq!(stage.tick().await, None);
    }
    stage.advance(200);
    stage.site.answer(503);
    let body = stage.tick().await;
    assert!(matches!(body, Some(Body::FailingSince { .. })), "{body:?}");
}

/// The new pod's containers crash so often that the version would be undone.
async fn loops(stage: &Stage) {
    let begun = Instant::now();
    let kubernetes = client(stage, TIMEOUT);
    loop {
        let target = crate::sample::target();
        let workload = kubernetes.workload("home", &target).await.unwrap().unwrap();
        if let Health::Bad { definite: true, .. } = health::pods(&workload, None, None) {
            return;
        }
        assert!(begun.elapsed() < TIMEOUT, "never happened: {workload:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn client(stage: &Stage, timeout: Duration) -> Kubernetes {
    let clusters = [("home".to_owned(), Some(stage.cluster.url()))];
    Kubernetes::new(clusters.into(), timeout)
}

#[tokio::test]
async fn a_reboot_that_cannot_be_seen_for_a_while_undoes_nothing() {
    let mut stage = Stage::new();
    stage
        .cluster
        .image_behaviour("acme/app:2", Behaviour::CrashLoop);
    applied(&mut stage).await;
    stage.blind(true);
    loops(&stage).await;
    // Whoever's doing that is.
    for _ in 0..3 {
        stage.advance(1000);
        assert_eq!(stage.tick().await, None);
    }
    stage.cluster.reboot(Duration::from_secs(3600));
    stage.blind(false);
    let body = stage.tick().await.unwrap();
    assert_eq!(paused(&body), Some((0, "node node-1 is not ready")));
}

#[tokio::test]
async fn surroundings_that_stay_unseen_are_a_persons_question() {
    let mut stage = Stage::new();
    applied(&mut stage).await;
    healthy(&mut stage).await;
    stage.blind(true);
    stage.site.answer(503);
    assert_eq!(stage.tick().await, None);
    stage.advance(3599);
    assert_eq!(stage.tick().await, None);
    stage.advance(1);
    let Some(Body::Stuck(why)) = stage.tick().await else {
        panic!("not stuck")
    };
    assert!(
        why.starts_with("could not be verified: HTTP http://"),
        "{why}"
    );
    assert!(
        why.ends_with("whether more than the service is ill is not known: the list timed out"),
        "{why}"
    );
}

#[tokio::test]
async fn a_trouble_of_unknown_cause_is_not_observed_time() {
    let mut stage = Stage::new();
    applied(&mut stage).await;
    healthy(&mut stage).await;
    stage.blind(true);
    stage.advance(15);
    stage.site.answer(503);
    assert_eq!(stage.tick().await, None);
    stage.advance(15);
    stage.site.answer(200);
    assert_eq!(stage.tick().await, Some(observed(15)));
    // Whoever can see the surroundings again judges at once.
    stage.site.answer(503);
    stage.blind(false);
    assert!(matches!(
        stage.tick().await,
        Some(Body::FailingSince { .. })
    ));
}

#[tokio::test]
async fn a_list_that_is_forbidden_is_empty_and_one_that_fails_is_unknown() {
    let stage = Stage::new();
    let kubernetes = client(&stage, TIMEOUT);
    let seen = kubernetes.surroundings("home").await;
    assert_eq!((seen.nodes.len(), seen.deployments.len()), (1, 1));
    assert_eq!(seen.unknown, None);
    stage.cluster.unavailable(true);
    let seen = kubernetes.surroundings("home").await;
    assert_eq!((seen.nodes.len(), seen.deployments.len()), (0, 0));
    let why = seen.unknown.unwrap().0;
    assert!(why.starts_with("Kubernetes answered 503"), "{why}");
    stage.cluster.unavailable(false);
    stage.cluster.latency(Duration::from_secs(3600));
    let hasty = client(&stage, Duration::from_millis(50));
    let why = hasty.surroundings("home").await.unknown.unwrap().0;
    assert!(why.starts_with("Kubernetes did not answer within"), "{why}");
    assert!(hasty.surroundings("other").await.unknown.is_some());
    stage.cluster.latency(Duration::ZERO);
    stage.cluster.forbid("list", "nodes");
    let seen = kubernetes.surroundings("home").await;
    assert_eq!((seen.nodes.len(), seen.deployments.len()), (0, 1));
    assert_eq!(seen.unknown, None);
}

#[tokio::test]
async fn without_the_right_to_see_nodes_the_other_services_tell() {
    let mut stage = Stage::new();
    stage.cluster.forbid("list", "nodes");
    for name in ["a", "b", "c"] {
        let images = [("app", "acme/other:1")];
        stage
            .cluster
            .add_deployment("web", name, &[("app", name)], &images);
    }
    applied(&mut stage).await;
    healthy(&mut stage).await;
    stage.cluster.reboot(Duration::from_secs(3600));
    let body = stage.tick().await.unwrap();
    let why = "3 of 3 other Deployments have fallen ill as well";
    assert_eq!(paused(&body), Some((0, why)), "{body:?}");
    // Without either, what is seen is judged.
    let mut stage = Stage::new();
    stage.cluster.forbid("list", "nodes");
    stage.cluster.forbid("list", "deployments");
    applied(&mut stage).await;
    healthy(&mut stage).await;
    stage.cluster.reboot(Duration::from_secs(3600));
    assert!(matches!(
        stage.tick().await,
        Some(Body::FailingSince { .. })
    ));
}
