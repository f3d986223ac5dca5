//! A web site whose health is set by hand or follows a workload of the stub cluster.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::response::Response;

use crate::kubernetes::Cluster;
use crate::server::{Server, lock, reply};

/// A stub site; clones share it, and it stops when the last one is dropped.
#[derive(Clone, Debug)]
pub struct Site {
    state: Arc<Mutex<Answer>>,
    server: Arc<Server>,
}

#[derive(Debug)]
struct Answer {
    status: u16,
    follows: Option<(Cluster, String, String)>,
    requests: usize,
}

impl Site {
    /// Starts a site that answers 200.
    ///
    /// # Errors
    /// No loopback port could be bound.
    pub fn start() -> anyhow::Result<Self> {
        let state = Arc::new(Mutex::new(Answer {
            status: 200,
            follows: None,
            requests: 0,
        }));
        let router = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&state));
        Ok(Self {
            state,
            server: Arc::new(Server::start("site", router)?),
        })
    }

    /// The site's address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}/", self.server.url())
    }

    /// Answers every path with this status from now on.
    pub fn answer(&self, status: u16) {
        let mut answer = lock(&self.state);
        answer.status = status;
        answer.follows = None;
    }

    /// Answers as an ingress in front of the workload: 200 with a ready pod, else 503.
    pub fn follow(&self, cluster: &Cluster, namespace: &str, name: &str) {
        let follows = (cluster.clone(), namespace.to_owned(), name.to_owned());
        lock(&self.state).follows = Some(follows);
    }

    /// How many requests came.
    #[must_use]
    pub fn requests(&self) -> usize {
        lock(&self.state).requests
    }
}

async fn answer(State(state): State<Arc<Mutex<Answer>>>) -> Response {
    let mut answer = lock(&state);
    answer.requests += 1;
    let status = match &answer.follows {
        None => answer.status,
        Some((cluster, namespace, name)) if cluster.serves(namespace, name) => 200,
        Some(_) => 503,
    };
    reply(
        status,
        "text/html; charset=utf-8",
        format!("<h1>{status}</h1>"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::Behaviour;
    use crate::server::probe::{eventually, send};

    #[test]
    fn a_site_is_down_while_its_pods_crash() {
        let (cluster, site) = (Cluster::start().unwrap(), Site::start().unwrap());
        cluster.add_deployment("web", "app", &[("app", "app")], &[("main", "app:1")]);
        site.follow(&cluster, "web", "app");
        let status = || send("GET", &site.url(), &[], "").status;
        assert_eq!(status(), 200);
        cluster.image_behaviour("app:2", Behaviour::CrashLoop);
        cluster.set_image("web", "app", "main", "app:2");
        eventually("down", || (status() == 503).then_some(()));
        site.answer(500);
        assert_eq!(status(), 500);
    }
}
