//! One HTTP server on a free loopback port, on threads of its own, which dies with its owner.

use std::net::TcpListener;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use axum::Router;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use tokio::runtime::{Builder, Runtime};

/// A running server; dropping it closes the port and every open connection.
///
/// It has a runtime of its own, so that a test that blocks its own thread (a git push) still gets
/// answers.
#[derive(Debug)]
pub(crate) struct Server {
    url: String,
    runtime: Option<Runtime>,
}

impl Server {
    pub(crate) fn start(name: &'static str, router: Router) -> anyhow::Result<Self> {
        Self::serve(name, |listener| async {
            axum::serve(listener, router).await.map_err(Into::into)
        })
    }

    /// As [`Server::start`], for what is more than a router.
    pub(crate) fn serve<F>(
        name: &'static str,
        serve: impl FnOnce(tokio::net::TcpListener) -> F + Send + 'static,
    ) -> anyhow::Result<Self>
    where
        F: Future<Output = anyhow::Result<()>> + Send,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .with_context(|| format!("failed to bind a loopback port for the {name} stub"))?;
        listener.set_nonblocking(true)?;
        let url = format!("http://{}", listener.local_addr()?);
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name(name)
            .enable_all()
            .build()?;
        runtime.spawn(async move {
            let listener = match tokio::net::TcpListener::from_std(listener) {
                Ok(listener) => listener,
                Err(error) => {
                    tracing::error!(%error, stub = name, "the listener is unusable");
                    return;
                }
            };
            if let Err(error) = serve(listener).await {
                tracing::error!(%error, stub = name, "the stub server ended");
            }
        });
        Ok(Self {
            url,
            runtime: Some(runtime),
        })
    }

    /// `http://127.0.0.1:<port>`, without a slash at the end.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Locks, also after another thread panicked: a stub's state stays readable for the report.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An answer with exactly this content type and body.
pub(crate) fn reply(status: u16, content_type: &'static str, body: impl Into<String>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, content_type)], body.into()).into_response()
}

/// A JSON answer.
pub(crate) fn json(status: u16, body: &serde_json::Value) -> Response {
    reply(status, "application/json; charset=utf-8", body.to_string())
}

/// Adds one header to an answer; a value that is not a legal header is left out.
pub(crate) fn with_header(mut response: Response, name: &'static str, value: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(value) {
        response
            .headers_mut()
            .insert(HeaderName::from_static(name), value);
    }
    response
}

/// The value of a query key, percent-decoded.
pub(crate) fn query(uri: &axum::http::Uri, key: &str) -> Option<String> {
    uri.query()?.split('&').find_map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (name == key).then(|| decode(value))
    })
}

/// Undoes percent-encoding and `+`.
pub(crate) fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let byte = match byte {
            b'+' => b' ',
            b'%' => {
                let digits: Vec<u8> = rest.by_ref().take(2).collect();
                std::str::from_utf8(&digits)
                    .ok()
                    .and_then(|hex| u8::from_str_radix(hex, 16).ok())
                    .unwrap_or(b'%')
            }
            other => other,
        };
        bytes.push(byte);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Joins the segments of a path, percent-decoded; a `+` stands for itself here.
pub(crate) fn decode_path(segments: &[&str]) -> String {
    let decoded: Vec<String> = segments
        .iter()
        .map(|segment| decode(&segment.replace('+', "%2B")))
        .collect();
    decoded.join("/")
}

/// What the tests of the stubs talk to them with: one request per connection, nothing hidden.
#[cfg(test)]
pub(crate) mod probe {
    use std::collections::BTreeMap;
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;
    use std::time::{Duration, Instant};

    #[derive(Debug)]
    pub(crate) struct Answer {
        pub(crate) status: u16,
        pub(crate) headers: BTreeMap<String, String>,
        pub(crate) body: String,
    }

    impl Answer {
        pub(crate) fn json(&self) -> serde_json::Value {
            serde_json::from_str(&self.body).expect("the body is JSON")
        }
    }

    pub(crate) fn send(method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let rest = url.strip_prefix("http://").expect("a plain URL");
        let (host, path) = rest.split_once('/').expect("a path");
        let mut stream = TcpStream::connect(host).expect("the stub listens");
        let mut request =
            format!("{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let mut lines = head.lines();
        let status = lines
            .next()
            .unwrap()
            .split(' ')
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        let headers = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        Answer {
            status,
            headers,
            body: body.to_owned(),
        }
    }

    /// Asks again and again until the answer is there, five seconds at most.
    pub(crate) fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(found) = ask() {
                return found;
            }
            assert!(
                start.elapsed() < Duration::from_secs(5),
                "never happened: {what}"
            );
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
}
