//! The HTTP side: a cached status page, metrics behind a key, and 200 HTML for every other path.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State as Shared;
use axum::http::{HeaderMap, Uri, header};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::monitor::Monitor;
use super::{Inner, KEY, SLUG};
use crate::server::{json as json_reply, lock, reply};

const INDEX: &str = "<!DOCTYPE html><html><head><title>Uptime Kuma</title></head></html>";
/// So many requests a minute may carry an API key.
const KEY_LIMIT: usize = 60;

pub(super) async fn answer(
    Shared(state): Shared<Arc<Mutex<Inner>>>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let now = Timestamp::now();
    let mut inner = lock(&state);
    inner.requests += 1;
    if inner.away {
        return reply(502, "text/html", "<h1>502 Bad Gateway</h1>");
    }
    if let Some((status, content_type, body)) = inner.faults.pop_front() {
        return reply(status, content_type, body);
    }
    let not_found = || json_reply(404, &json!({"status": "fail", "msg": "Not Found"}));
    match uri.path().strip_prefix("/api/status-page/") {
        Some(path) => match path.strip_prefix("heartbeat/") {
            Some(SLUG) => inner.heartbeats(headers.contains_key("x-apicache-bypass"), now),
            None if path == SLUG => inner.page(),
            Some(_) | None => not_found(),
        },
        None if uri.path() == "/metrics" => inner.metrics(&headers, now),
        None => reply(200, "text/html; charset=utf-8", INDEX),
    }
}

impl Inner {
    fn page(&self) -> Response {
        let listed = |monitor: &Monitor| {
            let mut row = json!({"id": monitor.id, "name": monitor.name, "type": kind(monitor),
                                 "sendUrl": monitor.url.is_some(), "tags": []});
            if let Some(url) = &monitor.url {
                row["url"] = json!(url);
            }
            row
        };
        let public = self.monitors.iter().filter(|monitor| monitor.public);
        let monitors: Vec<Value> = public.map(listed).collect();
        let mut body = json!({
            "config": {"slug": SLUG, "title": "Home", "published": true},
            "publicGroupList": [{"id": 1, "name": "Services", "weight": 1, "monitorList": monitors}],
            "maintenanceList": [],
        });
        if self.old {
            body["incident"] = Value::Null;
        } else {
            body["incidents"] = json!([]);
        }
        json_reply(200, &body)
    }

    fn heartbeats(&mut self, bypass: bool, now: Timestamp) -> Response {
        let fresh = |at: Timestamp| now < at + Duration::from_secs(60);
        if let Some((at, body)) = &self.cached
            && !bypass
            && fresh(*at)
        {
            return reply(200, "application/json; charset=utf-8", body.clone());
        }
        let most = if self.old { 50 } else { 100 };
        let mut list = serde_json::Map::new();
        let mut uptime = serde_json::Map::new();
        for monitor in self.monitors.iter().filter(|monitor| monitor.public) {
            let beats = monitor.beats(now, most).into_iter();
            let beats: Vec<Value> = beats
                .map(|(at, state)| {
                    json!({"status": state.number(), "msg": "", "ping": 12,
                           "time": at.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string()})
                })
                .collect();
            list.insert(monitor.id.to_string(), json!(beats));
            uptime.insert(format!("{}_24", monitor.id), json!(0.99));
        }
        let body = json!({"heartbeatList": list, "uptimeList": uptime}).to_string();
        self.cached = Some((now, body.clone()));
        reply(200, "application/json; charset=utf-8", body)
    }

    fn metrics(&mut self, headers: &HeaderMap, now: Timestamp) -> Response {
        let password = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok()?.strip_prefix("Basic "))
            .and_then(|text| STANDARD.decode(text).ok())
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .and_then(|text| text.split_once(':').map(|(_, key)| key.to_owned()));
        self.key_requests += usize::from(password.is_some());
        self.key_uses.push_back(now);
        while self
            .key_uses
            .front()
            .is_some_and(|at| *at + Duration::from_secs(60) <= now)
        {
            self.key_uses.pop_front();
        }
        let refused = self.key_uses.len() > KEY_LIMIT || self.key_expired;
        if refused || password.as_deref() != Some(KEY) {
            return reply(401, "text/html; charset=utf-8", "");
        }
        let mut status = String::from(
            "# HELP monitor_status Monitor Status (1 = UP, 0= DOWN, 2= PENDING, 3= MAINTENANCE)\n\
             # TYPE monitor_status gauge\n",
        );
        let mut times = String::from(
            "# HELP monitor_response_time Monitor Response Time (ms)\n\
             # TYPE monitor_response_time gauge\n",
        );
        let mut series: Vec<(String, u8, i64)> = Vec::new();
        for monitor in self.monitors.iter().filter(|monitor| !monitor.paused) {
            let Some((at, state)) = monitor.last(now) else {
                continue;
            };
            if self.restarted.is_some_and(|restarted| at < restarted) {
                continue;
            }
            let labels = self.labels(monitor);
            // Monitors of the same labels share one series: the last one wins.
            series.retain(|(known, ..)| *known != labels);
            // The ping moves with most beats.
            series.push((labels, state.number(), at.as_millisecond() % 1_000));
        }
        for (labels, state, ping) in series {
            let _infallible = writeln!(status, "monitor_status{{{labels}}} {state}");
            let _infallible = writeln!(times, "monitor_response_time{{{labels}}} {ping}");
        }
        let body = format!("{status}\n{times}\napp_version{{version=\"2.3.0\"}} 1\n");
        reply(200, "text/plain; version=0.0.4; charset=utf-8", body)
    }

    fn labels(&self, monitor: &Monitor) -> String {
        let (host, port) = match &monitor.port {
            Some((host, port)) => (host.clone(), port.to_string()),
            None => ("null".to_owned(), "null".to_owned()),
        };
        let url = monitor.url.as_deref().unwrap_or("https://");
        let id = monitor.id.to_string();
        let id = [("monitor_id", id.as_str())]
            .into_iter()
            .filter(|_| !self.old);
        let rest = [
            ("monitor_name", monitor.name.as_str()),
            ("monitor_type", kind(monitor)),
            ("monitor_url", url),
            ("monitor_hostname", host.as_str()),
            ("monitor_port", port.as_str()),
        ];
        let labels: Vec<String> = id
            .chain(rest)
            .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
            .collect();
        labels.join(",")
    }
}

fn kind(monitor: &Monitor) -> &'static str {
    if monitor.port.is_some() {
        "port"
    } else {
        "http"
    }
}

fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('\n', "\\n")
        .replace('"', "\\\"")
}
