//! Sending spans: in a task of its own, in batches, never in the way of work.

use std::collections::HashMap;
use std::time::Duration;

use opentelemetry_otlp::{
    ExporterBuildError, RetryPolicy, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
    WithTonicConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tonic::metadata::{AsciiMetadataKey, MetadataMap};

use crate::metrics;
use crate::secret::{Secret, SecretError};
use crate::settings::{OtlpProtocol, Settings, Telemetry};

/// So many spans are sent together at most.
const BATCH: usize = 512;
/// Where spans go below an address without a path.
const PATH: &str = "/v1/traces";

/// Why spans cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The headers are announced and not there.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The headers are no headers; they are not shown.
    #[error("the OTLP headers must be `name=value,name=value`; part {0} is not")]
    Headers(usize),
    /// The exporter cannot be built.
    #[error("failed to set up the OTLP exporter")]
    Exporter(#[from] ExporterBuildError),
}

/// The spans of this process, on their way out.
#[derive(Debug)]
pub struct Traces {
    spans: Option<Receiver<SpanData>>,
    resource: Resource,
    sending: Option<(CancellationToken, JoinHandle<()>)>,
}

impl Traces {
    pub(super) fn new(spans: Option<Receiver<SpanData>>, resource: Resource) -> Traces {
        Traces {
            spans,
            resource,
            sending: None,
        }
    }

    /// Begins to send, if a receiver is configured. Within a tokio runtime only.
    ///
    /// # Errors
    /// [`StartError`]; a receiver that does not answer is none.
    pub fn start(&mut self, settings: &Settings) -> Result<(), StartError> {
        let Some(endpoint) = &settings.telemetry.otlp_endpoint else {
            return Ok(());
        };
        let headers = match settings.secrets().otlp_headers()? {
            Some(secret) => headers(&secret)?,
            None => HashMap::new(),
        };
        let mut exporter = exporter(endpoint, headers, &settings.telemetry)?;
        exporter.set_resource(&self.resource);
        if let Some(spans) = self.spans.take() {
            let stop = CancellationToken::new();
            let sender = Sender {
                spans,
                exporter,
                timeout: settings.telemetry.otlp_timeout,
                every: settings.telemetry.otlp_every,
                failing: false,
            };
            let task = tokio::spawn(sender.run(stop.clone()));
            self.sending = Some((stop, task));
        }
        Ok(())
    }

    /// Sends what is there, for at most `limit`.
    pub async fn flush(self, limit: Duration) {
        if let Some((stop, task)) = self.sending {
            stop.cancel();
            if timeout(limit, task).await.is_err() {
                tracing::warn!("not all spans were sent within {limit:?}");
            }
        }
    }
}

struct Sender {
    spans: Receiver<SpanData>,
    exporter: SpanExporter,
    timeout: Duration,
    every: Duration,
    failing: bool,
}

impl Sender {
    async fn run(mut self, stop: CancellationToken) {
        let mut batch = Vec::with_capacity(BATCH);
        while !stop.is_cancelled() {
            self.gather(&mut batch, &stop).await;
            self.send(&mut batch).await;
        }
        // Nothing more comes in, and what is there is sent.
        self.spans.close();
        while self.spans.recv_many(&mut batch, BATCH).await > 0 {
            self.send(&mut batch).await;
        }
    }

    /// Until there is a batch, or some time after its first span.
    async fn gather(&mut self, batch: &mut Vec<SpanData>, stop: &CancellationToken) {
        let mut deadline = None;
        while batch.len() < BATCH {
            let room = BATCH - batch.len();
            let received = self.spans.recv_many(batch, room);
            let received = async {
                match deadline {
                    Some(deadline) => timeout_at(deadline, received).await.unwrap_or(0),
                    None => received.await,
                }
            };
            let received = tokio::select! {
                () = stop.cancelled() => return,
                received = received => received,
            };
            if received == 0 {
                return;
            }
            deadline.get_or_insert_with(|| Instant::now() + self.every);
        }
    }

    async fn send(&mut self, batch: &mut Vec<SpanData>) {
        let count = batch.len();
        if count == 0 {
            return;
        }
        let batch = std::mem::replace(batch, Vec::with_capacity(BATCH));
        let sent = match timeout(self.timeout, self.exporter.export(batch)).await {
            Ok(sent) => sent.map_err(|error| error.to_string()),
            Err(_) => Err(format!("no answer within {:?}", self.timeout)),
        };
        match sent {
            Ok(()) => {
                metrics::spans_sent(count);
                if std::mem::take(&mut self.failing) {
                    tracing::info!("spans are sent again");
                }
            }
            Err(error) => {
                metrics::spans_dropped("not_sent", count);
                // Said once, not with every batch: the counter tells the rest.
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!(
                        error,
                        "failed to send spans; they are dropped until it works"
                    );
                }
            }
        }
    }
}

fn exporter(
    endpoint: &str,
    headers: HashMap<String, String>,
    settings: &Telemetry,
) -> Result<SpanExporter, StartError> {
    let once = RetryPolicy::disabled();
    let exporter = match settings.otlp_protocol {
        OtlpProtocol::Grpc => SpanExporter::builder()
            .with_tonic()
            .with_endpoint(endpoint)
            .with_timeout(settings.otlp_timeout)
            .with_metadata(metadata(headers)?)
            .with_retry_policy(once)
            .build(),
        OtlpProtocol::Http => SpanExporter::builder()
            .with_http()
            .with_endpoint(traces_url(endpoint))
            .with_timeout(settings.otlp_timeout)
            .with_headers(headers)
            .with_retry_policy(once)
            .build(),
    };
    Ok(exporter?)
}

/// An address without a path gets the standard one.
fn traces_url(endpoint: &str) -> String {
    let base = endpoint.trim_end_matches('/');
    if base.ends_with(PATH) {
        base.to_owned()
    } else {
        format!("{base}{PATH}")
    }
}

/// Reads `name=value,name=value`.
fn headers(secret: &Secret) -> Result<HashMap<String, String>, StartError> {
    let parts = secret.expose().split(',').enumerate();
    parts
        .filter(|(_, part)| !part.trim().is_empty())
        .map(|(at, part)| {
            let (name, value) = part.split_once('=').ok_or(StartError::Headers(at + 1))?;
            let name = name.trim().to_ascii_lowercase();
            AsciiMetadataKey::from_bytes(name.as_bytes())
                .map_err(|_illegal| StartError::Headers(at + 1))?;
            Ok((name, value.trim().to_owned()))
        })
        .collect()
}

fn metadata(headers: HashMap<String, String>) -> Result<MetadataMap, StartError> {
    let mut metadata = MetadataMap::new();
    for (at, (name, value)) in headers.into_iter().enumerate() {
        let wrong = || StartError::Headers(at + 1);
        let name = AsciiMetadataKey::from_bytes(name.as_bytes()).map_err(|_illegal| wrong())?;
        // As the HTTP exporter reads it, and as the variable of the standard writes it.
        let value = percent_encoding::percent_decode_str(&value).decode_utf8_lossy();
        let value = value.parse().map_err(|_illegal| wrong())?;
        metadata.insert(name, value);
    }
    Ok(metadata)
}

#[cfg(test)]
mod tests {
    use opentelemetry_sdk::trace::SpanProcessor as _;

    use super::super::processor::{Processor, tests::span};
    use super::*;

    /// A receiver that takes connections and never answers.
    async fn mute() -> (tokio::net::TcpListener, String) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        (listener, endpoint)
    }

    #[tokio::test]
    async fn a_receiver_that_does_not_answer_costs_spans_and_nothing_else() {
        crate::tls::install();
        for protocol in [OtlpProtocol::Grpc, OtlpProtocol::Http] {
            let (_mute, endpoint) = mute().await;
            let mut settings = Settings::default();
            settings.telemetry.otlp_endpoint = Some(endpoint);
            settings.telemetry.otlp_protocol = protocol;
            settings.telemetry.otlp_timeout = Duration::from_millis(50);
            settings.telemetry.otlp_every = Duration::from_millis(1);
            let (processor, spans) = Processor::new(Some(3));
            let mut traces = Traces::new(spans, Resource::builder().build());
            let before = metrics::text();
            for id in 1..=5 {
                processor.on_end(span(id, ""));
            }
            traces.start(&settings).unwrap();
            traces.flush(Duration::from_secs(10)).await;
            let dropped = |text: &str, reason: &str| -> u64 {
                let name = format!("bowline_telemetry_spans_dropped_total{{reason=\"{reason}\"}} ");
                let line = text.lines().find_map(|line| line.strip_prefix(&name));
                line.map_or(0, |count| count.parse().unwrap())
            };
            let after = metrics::text();
            for (reason, expected) in [("queue_full", 2), ("not_sent", 3)] {
                let more = dropped(&after, reason) - dropped(&before, reason);
                assert_eq!(more, expected, "{reason} over {protocol:?}");
            }
        }
    }

    #[tokio::test]
    async fn what_is_there_is_sent_at_the_end_over_both_protocols() {
        crate::tls::install();
        let otlp = testkit::otlp::Otlp::start().unwrap();
        for (protocol, endpoint) in [
            (OtlpProtocol::Grpc, otlp.grpc_url()),
            (OtlpProtocol::Http, otlp.http_url()),
        ] {
            let before = otlp.spans().len();
            let mut settings = Settings::default();
            settings.telemetry.otlp_endpoint = Some(endpoint);
            settings.telemetry.otlp_protocol = protocol;
            settings.telemetry.otlp_every = Duration::from_secs(3_600);
            let (processor, spans) = Processor::new(Some(9));
            let mut traces = Traces::new(spans, Resource::builder().with_service_name("x").build());
            traces.start(&settings).unwrap();
            for id in 1..=9 {
                processor.on_end(span(id, ""));
            }
            traces.flush(Duration::from_secs(30)).await;
            let spans = otlp.spans();
            assert_eq!(spans.len() - before, 9, "{protocol:?}");
            assert_eq!(spans[before].service, "x");
        }
    }

    #[tokio::test]
    async fn the_last_spans_have_only_so_much_time() {
        crate::tls::install();
        let (_mute, endpoint) = mute().await;
        let mut settings = Settings::default();
        settings.telemetry.otlp_endpoint = Some(endpoint);
        settings.telemetry.otlp_timeout = Duration::from_secs(3_600);
        let (processor, spans) = Processor::new(Some(3));
        let mut traces = Traces::new(spans, Resource::builder().build());
        processor.on_end(span(1, ""));
        traces.start(&settings).unwrap();
        let flushed = traces.flush(Duration::from_millis(50));
        timeout(Duration::from_secs(60), flushed).await.unwrap();
    }

    #[test]
    fn the_path_is_added_once() {
        for endpoint in ["http://a:4318", "http://a:4318/", "http://a:4318/v1/traces"] {
            assert_eq!(traces_url(endpoint), "http://a:4318/v1/traces");
        }
        assert_eq!(traces_url("http://a/otlp"), "http://a/otlp/v1/traces");
    }

    #[test]
    fn headers_are_read_and_never_shown() {
        let read = headers(&Secret::new(
            "Authorization=Basic%20abc==, x-scope-orgid=1,",
        ))
        .unwrap();
        assert_eq!(read["authorization"], "Basic%20abc==");
        let sent = metadata(read).unwrap();
        assert_eq!(sent.get("authorization").unwrap(), "Basic abc==");
        assert_eq!(sent.get("x-scope-orgid").unwrap(), "1");
        for bad in ["hush", "a=b,hush", "hü sh=1"] {
            let error = headers(&Secret::new(bad)).unwrap_err().to_string();
            assert!(error.contains("part") && !error.contains("hush"), "{error}");
        }
    }
}
