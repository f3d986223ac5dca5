//! Calls to the outside, as spans.

use std::fmt::Display;

use tracing::Instrument as _;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// Makes a call to the outside in a span of its own, named in snake case. Of the address only host
/// and port are shown.
pub async fn outside<T, E: Display>(
    name: &'static str,
    address: Option<&str>,
    call: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let span = tracing::info_span!(
        "outside",
        otel.name = name,
        otel.kind = "client",
        server.address = address.map(host),
    );
    let result = call.instrument(span.clone()).await;
    if let Err(error) = &result {
        bus::trace::failed(&span, error);
    }
    result
}

/// As [`outside`], for a call that changes something there: it is kept even if its command then has
/// to wait.
pub async fn effect<T, E: Display>(
    name: &'static str,
    address: Option<&str>,
    call: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let marked = async {
        tracing::Span::current().set_attribute(bus::trace::EFFECT, true);
        call.await
    };
    outside(name, address, marked).await
}

/// Host and port of an address, without anything that could be a secret.
fn host(address: &str) -> &str {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    match host.rsplit_once(':') {
        // As in `git@host:path`.
        Some((host, port)) if !port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_host_and_port_are_left_of_an_address() {
        for (address, expected) in [
            (
                "https://me:hush@git.example.org:8443/a/b?token=hush#x",
                "git.example.org:8443",
            ),
            ("https://hooks.example.org/hush", "hooks.example.org"),
            ("https://example.org?hush", "example.org"),
            ("git@example.org:a/b.git", "example.org"),
            ("", ""),
        ] {
            assert_eq!(host(address), expected);
        }
    }
}
