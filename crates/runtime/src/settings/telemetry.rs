//! Where traces go.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::validate::{HTTP, check_url};
use crate::config::Faults;

/// Where traces go; nowhere by default.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Telemetry {
    /// The OTLP receiver, such as `http://tempo:4317`.
    pub otlp_endpoint: Option<String>,
    /// What it speaks.
    pub otlp_protocol: OtlpProtocol,
    /// The file with headers for it, as `name=value,name=value`; or `BOWLINE_SECRET_OTLP_HEADERS`.
    pub otlp_headers_file: Option<PathBuf>,
    /// How long one export may take.
    #[serde(with = "humantime_serde")]
    pub otlp_timeout: Duration,
    /// How long spans are gathered before they are sent together.
    #[serde(with = "humantime_serde")]
    pub otlp_every: Duration,
    /// So many spans wait to be sent at most; what comes beyond is dropped and counted.
    pub otlp_queue: usize,
    /// The share of traces that is kept, from 0 to 1. Whoever calls the webhook with a
    /// `traceparent` has decided already.
    pub sample_ratio: f64,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            otlp_endpoint: None,
            otlp_protocol: OtlpProtocol::default(),
            otlp_headers_file: None,
            otlp_timeout: Duration::from_secs(10),
            otlp_every: Duration::from_secs(2),
            otlp_queue: 4_096,
            sample_ratio: 1.0,
        }
    }
}

/// What an OTLP receiver speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OtlpProtocol {
    /// gRPC, usually on port 4317.
    #[default]
    Grpc,
    /// Protobuf over HTTP, usually on port 4318.
    #[serde(alias = "http/protobuf")]
    Http,
}

impl Telemetry {
    pub(super) fn validate(&self, faults: &mut Faults) {
        if let Some(endpoint) = &self.otlp_endpoint {
            match self.otlp_protocol {
                OtlpProtocol::Http => check_url(faults, "telemetry.otlp_endpoint", endpoint, HTTP),
                OtlpProtocol::Grpc if endpoint.starts_with("https://") => faults.add(
                    "telemetry.otlp_endpoint",
                    "gRPC is spoken without TLS: use `http://…`, or `otlp_protocol = \"http\"`",
                ),
                OtlpProtocol::Grpc => {
                    check_url(faults, "telemetry.otlp_endpoint", endpoint, &["http"]);
                }
            }
        }
        if !(0.0..=1.0).contains(&self.sample_ratio) {
            faults.add("telemetry.sample_ratio", "must be from 0 to 1");
        }
        if self.otlp_queue == 0 {
            faults.add("telemetry.otlp_queue", "must be at least 1");
        }
    }
}
