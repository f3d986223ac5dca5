//! A receiver of traces that keeps every span, over gRPC and over HTTP.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use prost::Message as _;

use crate::server::{Server, lock, reply};

/// A stub receiver; clones share it, and it stops when the last one is dropped.
#[derive(Clone, Debug)]
pub struct Otlp {
    state: Shared,
    grpc: Arc<Server>,
    http: Arc<Server>,
}

type Shared = Arc<Mutex<Received>>;

#[derive(Debug, Default)]
struct Received {
    spans: Vec<Span>,
    headers: Vec<BTreeMap<String, String>>,
}

/// A received span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The trace, in hexadecimal digits.
    pub trace: String,
    /// The span.
    pub id: String,
    /// Its parent; empty for none.
    pub parent: String,
    /// What it is called.
    pub name: String,
    /// `service.name` of its resource.
    pub service: String,
    /// Its own attributes and those of its events, as text.
    pub attributes: BTreeMap<String, String>,
    /// Every other text that came with it: events, status, resource.
    pub texts: Vec<String>,
    /// The spans it is linked to.
    pub links: Vec<String>,
    /// It says of itself that it failed.
    pub failed: bool,
    /// When it began, in nanoseconds since the Unix epoch.
    pub start: u64,
    /// When it ended.
    pub end: u64,
}

impl Otlp {
    /// Starts a receiver.
    ///
    /// # Errors
    /// No loopback port could be bound.
    pub fn start() -> anyhow::Result<Self> {
        let state = Shared::default();
        let router = Router::new()
            .route("/v1/traces", post(over_http))
            .with_state(Arc::clone(&state));
        let service = TraceServiceServer::new(OverGrpc(Arc::clone(&state)));
        let grpc = Server::serve("otlp", |listener| async {
            tonic::transport::Server::builder()
                .add_service(service)
                .serve_with_incoming(tonic::transport::server::TcpIncoming::from(listener))
                .await
                .map_err(anyhow::Error::from)
        })?;
        Ok(Self {
            state,
            grpc: Arc::new(grpc),
            http: Arc::new(Server::start("otlp-http", router)?),
        })
    }

    /// Where gRPC is spoken.
    #[must_use]
    pub fn grpc_url(&self) -> String {
        self.grpc.url().to_owned()
    }

    /// Where HTTP is spoken.
    #[must_use]
    pub fn http_url(&self) -> String {
        self.http.url().to_owned()
    }

    /// Every span so far.
    #[must_use]
    pub fn spans(&self) -> Vec<Span> {
        lock(&self.state).spans.clone()
    }

    /// The headers of every export so far.
    #[must_use]
    pub fn headers(&self) -> Vec<BTreeMap<String, String>> {
        lock(&self.state).headers.clone()
    }
}

struct OverGrpc(Shared);

#[tonic::async_trait]
impl TraceService for OverGrpc {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        let headers = request.metadata().clone().into_headers();
        keep(&self.0, &headers, request.into_inner());
        Ok(tonic::Response::new(ExportTraceServiceResponse::default()))
    }
}

async fn over_http(State(state): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    match ExportTraceServiceRequest::decode(body) {
        Ok(request) => {
            keep(&state, &headers, request);
            let answer = ExportTraceServiceResponse::default().encode_to_vec();
            ([(CONTENT_TYPE, "application/x-protobuf")], answer).into_response()
        }
        Err(error) => reply(400, "text/plain", error.to_string()),
    }
}

fn keep(state: &Shared, headers: &HeaderMap, request: ExportTraceServiceRequest) {
    let headers = headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.to_string(), value)
    });
    let mut received = lock(state);
    received.headers.push(headers.collect());
    for resource in request.resource_spans {
        let about = resource.resource.unwrap_or_default().attributes;
        let about = texts(about);
        for span in resource
            .scope_spans
            .into_iter()
            .flat_map(|scope| scope.spans)
        {
            let status = span.status.unwrap_or_default();
            let mut texts_of = vec![status.message.clone()];
            texts_of.extend(about.values().cloned());
            for event in span.events {
                texts_of.push(event.name);
                texts_of.extend(texts(event.attributes).into_values());
            }
            received.spans.push(Span {
                trace: hex(&span.trace_id),
                id: hex(&span.span_id),
                parent: hex(&span.parent_span_id),
                name: span.name,
                service: about.get("service.name").cloned().unwrap_or_default(),
                attributes: texts(span.attributes),
                texts: texts_of,
                links: span.links.iter().map(|link| hex(&link.span_id)).collect(),
                failed: status.code == i32::from(StatusCode::Error),
                start: span.start_time_unix_nano,
                end: span.end_time_unix_nano,
            });
        }
    }
}

fn texts(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    let text = |value: Option<Value>| match value {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(yes)) => yes.to_string(),
        other => format!("{other:?}"),
    };
    attributes
        .into_iter()
        .map(|attribute| {
            let value = attribute.value.and_then(|value| value.value);
            (attribute.key, text(value))
        })
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
