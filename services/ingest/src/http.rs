//! The webhook.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::body::HttpBody as _;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use subtle::ConstantTimeEq as _;
use tracing::Instrument as _;

use crate::gate::{Answer, Gate};
use crate::metrics;

/// A body that takes longer is given up.
const BODY_WAIT: Duration = Duration::from_secs(10);
/// So much beyond the limit is still read before the answer.
const DROPPED: usize = 16 * 1024 * 1024;

/// What the webhook answers, as JSON.
#[derive(Debug, Serialize)]
struct Reply<'a> {
    decision: &'a str,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    upgrade: Option<&'a str>,
}

/// What the routes share.
#[derive(Clone)]
struct Shared {
    gate: Arc<Gate>,
    secret: Arc<runtime::Secret>,
    max_body_bytes: usize,
}

/// The routes of the webhook. DIUN's default method is GET with a body, so both are taken.
pub(crate) fn router(gate: Arc<Gate>, secret: runtime::Secret, max_body_bytes: usize) -> Router {
    let shared = Shared {
        gate,
        secret: Arc::new(secret),
        max_body_bytes,
    };
    Router::new()
        .route("/webhook/{secret}", get(webhook).post(webhook))
        .fallback(not_found)
        .with_state(shared)
}

async fn not_found() -> Response {
    reply(
        StatusCode::NOT_FOUND,
        "refused",
        "there is nothing here; the webhook's path ends with its secret",
        None,
    )
}

async fn webhook(
    State(shared): State<Shared>,
    secret: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let right = secret.is_ok_and(|Path(secret)| {
        let (given, expected) = (secret.as_bytes(), shared.secret.expose().as_bytes());
        given.ct_eq(expected).into()
    });
    if !right {
        return not_found().await;
    }
    // Only for who knows the secret, which is part of the path and stays out of it.
    let span = tracing::info_span!(
        "webhook",
        otel.kind = "server",
        http.route = "/webhook/{secret}",
        http.response.status_code = tracing::field::Empty,
    );
    let parent = headers.get("traceparent");
    bus::trace::adopt(&span, parent.and_then(|parent| parent.to_str().ok()));
    let answer = answer(&shared, body).instrument(span.clone()).await;
    span.record("http.response.status_code", answer.status().as_u16());
    answer
}

/// Reads the body and asks the gate.
async fn answer(shared: &Shared, body: Body) -> Response {
    let refused = |status, reason: &str| reply(status, "refused", reason, None);
    let limit = shared.max_body_bytes;
    let body = match tokio::time::timeout(BODY_WAIT, read(body, limit)).await {
        Ok(Ok(Some(body))) => body,
        Ok(Ok(None)) => {
            let reason = format!("the body is larger than {limit} bytes (ingest.max_body_bytes)");
            return refused(StatusCode::PAYLOAD_TOO_LARGE, &reason);
        }
        Ok(Err(error)) => {
            let reason = format!("the body could not be read: {error}");
            return refused(StatusCode::BAD_REQUEST, &reason);
        }
        Err(_) => {
            let reason = format!("the body did not come within {BODY_WAIT:?}");
            return refused(StatusCode::REQUEST_TIMEOUT, &reason);
        }
    };
    match shared.gate.announced(&body).await {
        Answer::Opened { id } => reply(
            StatusCode::ACCEPTED,
            "accepted",
            "the upgrade is written down and waits for its turn",
            Some(id.as_str()),
        ),
        Answer::Duplicate { id, reason } => {
            reply(StatusCode::OK, "duplicate", &reason, Some(id.as_str()))
        }
        Answer::Refused { id, reason } => {
            reply(StatusCode::OK, "refused", &reason, Some(id.as_str()))
        }
        Answer::Skipped { reason } => reply(StatusCode::OK, "skipped", &reason, None),
        Answer::BadRequest { reason } => reply(StatusCode::BAD_REQUEST, "refused", &reason, None),
        Answer::Spooled { reason } => reply(StatusCode::ACCEPTED, "spooled", &reason, None),
        Answer::Unavailable { reason } => reply(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            &reason,
            None,
        ),
    }
}

/// Reads a body; none if it is larger than `limit`. Somewhat more is read and dropped, because many
/// senders look at the answer only when they are through.
async fn read(mut body: Body, limit: usize) -> Result<Option<Vec<u8>>, axum::Error> {
    let (mut read, mut size) = (Vec::new(), 0_usize);
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        size = size.saturating_add(data.len());
        if size <= limit {
            read.extend_from_slice(&data);
        } else if size > limit.saturating_add(DROPPED) {
            break;
        }
    }
    Ok((size <= limit).then_some(read))
}

fn reply(status: StatusCode, decision: &str, reason: &str, upgrade: Option<&str>) -> Response {
    metrics::webhook(decision);
    let mut answer = (
        status,
        Json(Reply {
            decision,
            reason,
            upgrade,
        }),
    )
        .into_response();
    answer.headers_mut().insert(
        header::CACHE_CONTROL,
        header::HeaderValue::from_static("no-store"),
    );
    answer
}
