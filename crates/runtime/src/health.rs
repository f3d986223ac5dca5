//! `/livez` and `/readyz`: whether a process runs, and whether it can do its work; and `/metrics`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::metrics;

/// The part that keeps a process from being ready until it says [`Health::started`].
const START: &str = "start";

/// What a process says about itself. Clones speak of the same process.
#[derive(Debug, Clone)]
pub struct Health {
    missing: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Default for Health {
    fn default() -> Self {
        let starting = BTreeMap::from([(START.to_owned(), "starting".to_owned())]);
        Self {
            missing: Arc::new(Mutex::new(starting)),
        }
    }
}

impl Health {
    /// The start is over; ready, as far as no part is missing.
    pub fn started(&self) {
        self.ready(START);
    }

    /// A part does its work, or does it again.
    pub fn ready(&self, part: &str) {
        self.lock().remove(part);
    }

    /// A part is missing; the process is not ready until it is back.
    pub fn not_ready(&self, part: &str, why: impl Into<String>) {
        self.lock().insert(part.to_owned(), why.into());
    }

    /// Whether nothing is missing.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.lock().is_empty()
    }

    /// What is missing, and why.
    #[must_use]
    pub fn reasons(&self) -> BTreeMap<String, String> {
        self.lock().clone()
    }

    /// The endpoints, to be served alone or merged into a larger router.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/livez", get(async || "ok\n"))
            .route("/readyz", get(readyz))
            .route("/metrics", get(metrics::scrape))
            .with_state(self.clone())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn readyz(State(health): State<Health>) -> (StatusCode, Json<Value>) {
    let reasons = health.reasons();
    let status = if reasons.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        Json(json!({ "ready": reasons.is_empty(), "missing": reasons })),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answer(health: &Health) -> (StatusCode, Value) {
        let (status, Json(body)) = readyz(State(health.clone())).await;
        (status, body)
    }

    #[tokio::test]
    async fn a_process_is_not_ready_before_it_has_started() {
        let health = Health::default();
        let (status, body) = answer(&health).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(
            body,
            json!({"ready": false, "missing": {"start": "starting"}})
        );
        health.started();
        assert_eq!(answer(&health).await.0, StatusCode::OK);
    }

    #[tokio::test]
    async fn a_missing_part_is_named_until_it_is_back() {
        let health = Health::default();
        health.started();
        health.clone().not_ready("nats", "connection refused");
        assert_eq!(
            answer(&health).await.1["missing"]["nats"],
            "connection refused"
        );
        health.ready("nats");
        assert!(health.is_ready());
    }
}
