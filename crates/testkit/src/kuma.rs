//! An Uptime Kuma 2.3 server: monitors that beat, a status page, and `/metrics` behind an API key.

mod api;
mod monitor;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use jiff::Timestamp;

use self::monitor::Monitor;
pub use self::monitor::State;
use crate::server::{Server, lock};

const KEY: &str = "uk1_c3R1Yi1rdW1hLWtleQ";
const SLUG: &str = "home";

/// A stub server; clones share it, and it stops when the last one is dropped.
#[derive(Clone, Debug)]
pub struct Kuma {
    state: Arc<Mutex<Inner>>,
    server: Arc<Server>,
}

#[derive(Debug)]
struct Inner {
    monitors: Vec<Monitor>,
    /// A server before 2.0: no ids in the metrics, one `incident`, half as many beats.
    old: bool,
    key_expired: bool,
    /// Since when the series come back with the next beat only.
    restarted: Option<Timestamp>,
    away: bool,
    faults: VecDeque<(u16, &'static str, String)>,
    /// The answer about the beats that is kept for a minute, and when it was made.
    cached: Option<(Timestamp, String)>,
    /// When API keys were used.
    key_uses: VecDeque<Timestamp>,
    key_requests: usize,
    requests: usize,
}

impl Kuma {
    /// Starts a server without monitors, whose status page is called `home`.
    ///
    /// # Errors
    /// No loopback port could be bound.
    pub fn start() -> anyhow::Result<Self> {
        let state = Arc::new(Mutex::new(Inner {
            monitors: Vec::new(),
            old: false,
            key_expired: false,
            restarted: None,
            away: false,
            faults: VecDeque::new(),
            cached: None,
            key_uses: VecDeque::new(),
            key_requests: 0,
            requests: 0,
        }));
        let router = Router::new()
            .fallback(api::answer)
            .with_state(Arc::clone(&state));
        Ok(Self {
            state,
            server: Arc::new(Server::start("kuma", router)?),
        })
    }

    /// The server's address.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url().to_owned()
    }

    /// The API key that `/metrics` wants.
    #[must_use]
    pub fn key(&self) -> &'static str {
        KEY
    }

    /// The status page's slug.
    #[must_use]
    pub fn slug(&self) -> &'static str {
        SLUG
    }

    /// Adds a monitor that is UP and beats by itself in this interval, now for the last time so
    /// far; its id is returned. Without an address its labels say `https://`.
    pub fn add(&self, name: &str, url: Option<&str>, every: Duration) -> u64 {
        let mut inner = lock(&self.state);
        let id = u64::try_from(inner.monitors.len()).unwrap_or(0) + 1;
        let monitor = Monitor::new(id, name, url, Some(every), Timestamp::now());
        inner.monitors.push(monitor);
        id
    }

    /// Adds a monitor that has never beaten and beats only by hand.
    pub fn add_silent(&self, name: &str, url: Option<&str>) -> u64 {
        let mut inner = lock(&self.state);
        let id = u64::try_from(inner.monitors.len()).unwrap_or(0) + 1;
        let monitor = Monitor::new(id, name, url, None, Timestamp::now());
        inner.monitors.push(monitor);
        id
    }

    /// What the monitor finds from now on: its next beat tells.
    pub fn set(&self, id: u64, state: State) {
        self.with(id, |monitor| monitor.set(state, Timestamp::now()));
    }

    /// The monitor beats by hand, so long ago.
    pub fn beat(&self, id: u64, state: State, ago: Duration) {
        let mut inner = lock(&self.state);
        let at = Timestamp::now() - ago;
        let mut important = false;
        if let Some(monitor) = inner.monitors.iter_mut().find(|found| found.id == id) {
            important = monitor.last(at).is_none_or(|(_, last)| last != state);
            monitor.beat(state, at);
        }
        if important {
            inner.cached = None;
        }
    }

    /// Somebody pauses the monitor: it beats no more, and its series is gone.
    pub fn pause(&self, id: u64) {
        self.with(id, |monitor| monitor.paused = true);
    }

    /// The monitor is in no public group of the status page.
    pub fn hide(&self, id: u64) {
        self.with(id, |monitor| monitor.public = false);
    }

    /// A monitor that looks at a port: a host and no address.
    pub fn port(&self, id: u64, host: &str, port: u16) {
        self.with(id, |monitor| monitor.port = Some((host.to_owned(), port)));
    }

    /// It behaves as a server before 2.0 from now on.
    pub fn old(&self) {
        lock(&self.state).old = true;
    }

    /// The API key is refused from now on.
    pub fn expire_key(&self) {
        lock(&self.state).key_expired = true;
    }

    /// It restarts: a series is missing until its monitor beats again.
    pub fn restart(&self) {
        lock(&self.state).restarted = Some(Timestamp::now());
    }

    /// While set, every request is answered 502, as a proxy does for a server that is away.
    pub fn away(&self, yes: bool) {
        lock(&self.state).away = yes;
    }

    /// Answers the next `n` requests with this status, as JSON with `status` and `msg`.
    pub fn fail_next(&self, status: u16, message: &str, n: usize) {
        let body = serde_json::json!({"status": "fail", "msg": message}).to_string();
        let fault = || (status, "application/json; charset=utf-8", body.clone());
        lock(&self.state).faults.extend((0..n).map(|_| fault()));
    }

    /// How many requests came.
    #[must_use]
    pub fn requests(&self) -> usize {
        lock(&self.state).requests
    }

    /// How many of them carried an API key.
    #[must_use]
    pub fn key_requests(&self) -> usize {
        lock(&self.state).key_requests
    }

    fn with(&self, id: u64, change: impl FnOnce(&mut Monitor)) {
        let mut inner = lock(&self.state);
        if let Some(monitor) = inner.monitors.iter_mut().find(|found| found.id == id) {
            change(monitor);
        }
    }
}

#[cfg(test)]
mod tests;
