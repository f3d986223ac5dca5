//! What the tables of tests start from.

use std::collections::BTreeMap;

use job::Target;

use crate::ports::{Pod, Rollout, Workload};

pub(crate) fn target() -> Target {
    Target {
        kind: "Deployment".to_owned(),
        namespace: "web".to_owned(),
        name: "app".to_owned(),
        match_labels: BTreeMap::from([("app".to_owned(), "app".to_owned())]),
        containers: vec!["app".to_owned()],
        init_containers: vec!["migrate".to_owned()],
        image: "acme/app".to_owned(),
        http: Vec::new(),
    }
}

/// Everything runs `image` and is well.
pub(crate) fn workload(image: &str) -> Workload {
    Workload {
        generation: 1,
        replicas: 1,
        images: BTreeMap::from([("app".to_owned(), image.to_owned())]),
        init_images: BTreeMap::from([("migrate".to_owned(), image.to_owned())]),
        rollout: Rollout::Done,
        pods: vec![Pod {
            uid: "uid-1".to_owned(),
            name: "app-1".to_owned(),
            newest: true,
            ready: true,
            restarts: 0,
            last_end_ms: None,
            troubles: Vec::new(),
        }],
    }
}
