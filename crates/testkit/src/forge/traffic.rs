//! The requests that came, and the faults that meet the next ones.

use std::collections::VecDeque;
use std::time::Duration;

use axum::http::{HeaderMap, Uri, header};
use axum::response::Response;

use crate::server::{reply, with_header};

/// What goes wrong with one answer.
#[derive(Debug)]
pub(crate) enum Fault {
    /// A status with a page for people.
    Page(u16, String),
    /// Too many requests; come back after so many seconds.
    Limit(u64),
}

/// The log of a host's requests, and what is ordered for those to come.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) requests: Vec<String>,
    pub(crate) faults: VecDeque<Fault>,
    pub(crate) latency: Duration,
}

impl Traffic {
    /// Writes a request down; answers with the fault that it meets.
    pub(crate) fn admit(&mut self, uri: &Uri) -> Option<Fault> {
        self.requests.push(uri.to_string());
        self.faults.pop_front()
    }

    /// Orders the same page for the next answers.
    pub(crate) fn fail_next(&mut self, status: u16, html: &str, n: usize) {
        let faults = (0..n).map(|_| Fault::Page(status, html.to_owned()));
        self.faults.extend(faults);
    }
}

/// The answer, or 304 if the asker already has it by its entity tag.
pub(crate) fn unless_known(answer: Response, asked: &HeaderMap) -> Response {
    let text = |headers: &HeaderMap, name| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let etag = text(answer.headers(), header::ETAG);
    let bare = |etag: &str| etag.trim().trim_start_matches("W/").to_owned();
    let known = text(asked, header::IF_NONE_MATCH);
    let known = known.split(',').any(|known| bare(known) == bare(&etag));
    if answer.status() != 200 || etag.is_empty() || !known {
        return answer;
    }
    with_header(reply(304, "application/json", ""), "etag", &etag)
}
