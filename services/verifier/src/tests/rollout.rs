use std::collections::BTreeMap;
use std::time::Duration;

use job::Target;
use testkit::kubernetes::{Cluster as Stub, Kind, Workload};

use super::window::eventually;
use crate::health::{Health, pods};
use crate::kubernetes::Kubernetes;
use crate::ports::Cluster as _;
use crate::sample;

#[tokio::test]
async fn broken_pods_are_not_the_newest_when_the_controller_has_not_seen_the_undo_yet() {
    crate::choose_cryptography();
    let stub = Stub::start().unwrap();
    let clusters = BTreeMap::from([("home".to_owned(), Some(stub.url()))]);
    let kubernetes = Kubernetes::new(clusters, Duration::from_secs(5));
    for (kind, name) in [
        (Kind::Deployment, "Deployment"),
        (Kind::StatefulSet, "StatefulSet"),
        (Kind::DaemonSet, "DaemonSet"),
    ] {
        stub.rollout_delay(Duration::from_millis(100));
        stub.add(
            Workload::new(kind, "web", name)
                .label("app", name)
                .container("app", "acme/app:1"),
        );
        stub.set_image("web", name, "app", "acme/app:2");
        let live = || stub.live_image("web", name, "app");
        eventually(|| live().as_deref() == Some("acme/app:2")).await;
        // From now on the controller is slow.
        stub.rollout_delay(Duration::from_secs(600));
        stub.set_image("web", name, "app", "acme/app:1");
        let target = Target {
            kind: name.to_owned(),
            name: name.to_owned(),
            init_containers: Vec::new(),
            ..sample::target()
        };
        let mut found = kubernetes.workload("home", &target).await.unwrap().unwrap();
        assert_eq!(found.images["app"], "acme/app:1", "{name}");
        // They crash.
        for pod in &mut found.pods {
            pod.restarts = 9;
            pod.ready = false;
        }
        let health = pods(&found, None, None);
        assert!(matches!(health, Health::Moving(_)), "{name}: {health:?}");
    }
}
