//! An incoming webhook of Slack: plain-text answers, real limits, every message kept.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Method, Uri};
use axum::response::Response;
use serde_json::Value;

use crate::server::{Server, lock, reply, with_header};

const TEAM: &str = "/services/T0STUB/B0STUB";
const PATH: &str = "/services/T0STUB/B0STUB/Xk2mQ9vLr7TzWp4c";
const TEXT_LIMIT: usize = 40_000;

/// A stub webhook; clones share it, and it stops when the last one is dropped.
#[derive(Clone, Debug)]
pub struct Slack {
    state: Arc<Mutex<Inbox>>,
    server: Arc<Server>,
}

/// One message that was accepted.
#[derive(Clone, Debug)]
pub struct Message {
    /// The `text` key, cut where Slack cuts it.
    pub text: String,
    /// The whole body as it was posted.
    pub body: Value,
}

impl Message {
    /// Everything a reader would see: the text, then the texts inside blocks and attachments.
    #[must_use]
    pub fn visible(&self) -> String {
        let mut lines = vec![self.text.clone()];
        for key in ["blocks", "attachments"] {
            if let Some(value) = self.body.get(key) {
                collect_texts(value, &mut lines);
            }
        }
        lines.retain(|line| !line.is_empty());
        lines.join("\n")
    }
}

#[derive(Debug, Default)]
struct Inbox {
    messages: Vec<Message>,
    read: usize,
    faults: VecDeque<Fault>,
    requests: usize,
}

#[derive(Debug)]
struct Fault {
    status: u16,
    body: String,
    retry_after: Option<u64>,
}

impl Slack {
    /// Starts the webhook on a free port.
    ///
    /// # Errors
    /// No loopback port could be bound.
    pub fn start() -> anyhow::Result<Self> {
        let state = Arc::new(Mutex::new(Inbox::default()));
        let router = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&state));
        Ok(Self {
            state,
            server: Arc::new(Server::start("slack", router)?),
        })
    }

    /// The webhook's URL, which is itself the secret.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}{PATH}", self.server.url())
    }

    /// Every message accepted so far, read or not.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        lock(&self.state).messages.clone()
    }

    /// The visible text of the messages that were not drained yet.
    #[must_use]
    pub fn unread(&self) -> Vec<String> {
        let inbox = lock(&self.state);
        inbox
            .messages
            .iter()
            .skip(inbox.read)
            .map(Message::visible)
            .collect()
    }

    /// Takes the unread messages' texts and marks them read.
    pub fn drain(&self) -> Vec<String> {
        let mut inbox = lock(&self.state);
        let texts = inbox
            .messages
            .iter()
            .skip(inbox.read)
            .map(Message::visible)
            .collect();
        inbox.read = inbox.messages.len();
        texts
    }

    /// How many requests came, accepted or not.
    #[must_use]
    pub fn requests(&self) -> usize {
        lock(&self.state).requests
    }

    /// Waits until `wanted` holds for the visible texts of all messages so far, and returns them.
    ///
    /// # Errors
    /// The limit passed first; the error lists what did arrive.
    pub async fn wait_for(
        &self,
        wanted: impl Fn(&[String]) -> bool,
        limit: Duration,
    ) -> anyhow::Result<Vec<String>> {
        let deadline = tokio::time::Instant::now() + limit;
        loop {
            let texts: Vec<String> = self.messages().iter().map(Message::visible).collect();
            if wanted(&texts) {
                return Ok(texts);
            }
            if tokio::time::Instant::now() >= deadline {
                anyhow::bail!("Slack did not get it within {limit:?}; it got {texts:#?}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Answers the next `n` requests with 429 and `Retry-After` in whole seconds.
    pub fn rate_limit_next(&self, n: usize, retry_after: Duration) {
        let seconds = retry_after.as_secs();
        lock(&self.state).faults.extend((0..n).map(|_| Fault {
            status: 429,
            body: r#"{"ok":false,"error":"rate_limited"}"#.to_owned(),
            retry_after: Some(seconds),
        }));
    }

    /// Answers the next `n` requests with this status and plain-text body.
    pub fn fail_next(&self, status: u16, body: &str, n: usize) {
        lock(&self.state).faults.extend((0..n).map(|_| Fault {
            status,
            body: body.to_owned(),
            retry_after: None,
        }));
    }
}

async fn answer(
    State(state): State<Arc<Mutex<Inbox>>>,
    method: Method,
    uri: Uri,
    body: Bytes,
) -> Response {
    let mut inbox = lock(&state);
    inbox.requests += 1;
    if uri.path() != PATH {
        return if uri.path().starts_with(TEAM) {
            plain(403, "invalid_token")
        } else {
            plain(404, "no_service")
        };
    }
    if let Some(fault) = inbox.faults.pop_front() {
        let Some(seconds) = fault.retry_after else {
            return plain(fault.status, &fault.body);
        };
        let response = reply(fault.status, "application/json; charset=utf-8", fault.body);
        return with_header(response, "retry-after", &seconds.to_string());
    }
    let parsed = serde_json::from_slice::<Value>(&body)
        .ok()
        .filter(Value::is_object);
    let Some(body) = parsed.filter(|_| method == Method::POST) else {
        return plain(400, "invalid_payload");
    };
    if let Err(error) = check(&body) {
        return plain(400, error);
    }
    let text = body.get("text").and_then(Value::as_str).unwrap_or("");
    inbox.messages.push(Message {
        text: text.chars().take(TEXT_LIMIT).collect(),
        body,
    });
    plain(200, "ok")
}

fn plain(status: u16, body: &str) -> Response {
    reply(status, "text/plain; charset=utf-8", body)
}

fn check(body: &Value) -> Result<(), &'static str> {
    let text = body.get("text").and_then(Value::as_str).unwrap_or("");
    let blocks = list(body, "blocks");
    let attachments = list(body, "attachments");
    if text.is_empty() && blocks.is_empty() && attachments.is_empty() {
        return Err("no_text");
    }
    if attachments.len() > 100 {
        return Err("too_many_attachments");
    }
    check_blocks(body.get("blocks"))?;
    attachments
        .iter()
        .try_for_each(|attachment| check_blocks(attachment.get("blocks")))
}

fn check_blocks(blocks: Option<&Value>) -> Result<(), &'static str> {
    let Some(blocks) = blocks else { return Ok(()) };
    let fits = blocks
        .as_array()
        .is_some_and(|blocks| blocks.len() <= 50 && blocks.iter().all(block_fits));
    if fits { Ok(()) } else { Err("invalid_blocks") }
}

fn block_fits(block: &Value) -> bool {
    let text = block.get("text");
    match block.get("type").and_then(Value::as_str).unwrap_or("") {
        "section" => {
            let fields = list(block, "fields");
            (text.is_some() || !fields.is_empty())
                && text.is_none_or(|text| text_fits(text, 3_000))
                && fields.len() <= 10
                && fields.iter().all(|field| text_fits(field, 2_000))
        }
        "header" => text.is_some_and(|text| {
            text.get("type").and_then(Value::as_str) == Some("plain_text") && text_fits(text, 150)
        }),
        "context" => {
            let elements = list(block, "elements");
            !elements.is_empty() && elements.len() <= 10
        }
        "divider" | "actions" | "image" | "rich_text" | "markdown" => true,
        _ => false,
    }
}

fn text_fits(text: &Value, limit: usize) -> bool {
    let kind = text.get("type").and_then(Value::as_str);
    let length = text
        .get("text")
        .and_then(Value::as_str)
        .map_or(0, |text| text.chars().count());
    matches!(kind, Some("plain_text" | "mrkdwn")) && (1..=limit).contains(&length)
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn collect_texts(value: &Value, lines: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect_texts(item, lines)),
        Value::Object(map) => {
            for (key, value) in map {
                match value.as_str() {
                    Some(text) if ["text", "title", "value", "footer"].contains(&key.as_str()) => {
                        lines.push(text.to_owned());
                    }
                    Some(_) => {}
                    None => collect_texts(value, lines),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::server::probe::send;

    fn post(url: &str, body: &Value) -> (u16, String) {
        let answer = send(
            "POST",
            url,
            &[("Content-Type", "application/json")],
            &body.to_string(),
        );
        (answer.status, answer.body)
    }

    #[test]
    fn a_message_is_answered_with_plain_ok_and_kept_until_drained() {
        let slack = Slack::start().unwrap();
        let answer = send("POST", &slack.url(), &[], r#"{"text":"a &lt; b"}"#);
        assert_eq!((answer.status, answer.body.as_str()), (200, "ok"));
        assert!(answer.headers["content-type"].starts_with("text/plain"));
        assert_eq!(slack.unread(), ["a &lt; b"]);
        assert_eq!(slack.drain(), ["a &lt; b"]);
        assert!(slack.unread().is_empty());
    }

    #[test]
    fn a_section_one_character_too_long_loses_the_whole_message() {
        let slack = Slack::start().unwrap();
        let body = |n: usize| {
            json!({"text": "x", "blocks": [
                {"type": "section", "text": {"type": "mrkdwn", "text": "ä".repeat(n)}}]})
        };
        assert_eq!(post(&slack.url(), &body(3_000)).0, 200);
        assert_eq!(
            post(&slack.url(), &body(3_001)),
            (400, "invalid_blocks".to_owned())
        );
        let many = json!({"text": "x", "blocks": vec![json!({"type": "divider"}); 51]});
        assert_eq!(
            post(&slack.url(), &many),
            (400, "invalid_blocks".to_owned())
        );
        assert_eq!(slack.messages().len(), 1);
    }

    #[test]
    fn bad_bodies_and_wrong_secrets_are_refused_in_words() {
        let slack = Slack::start().unwrap();
        assert_eq!(
            post(&slack.url(), &json!({"text": ""})),
            (400, "no_text".to_owned())
        );
        assert_eq!(
            send("POST", &slack.url(), &[], "no json").body,
            "invalid_payload"
        );
        assert_eq!(
            post(&format!("{}x", slack.url()), &json!({"text": "x"})).0,
            403
        );
        assert_eq!(
            post(&slack.url().replace("T0STUB", "T1"), &json!({"text": "x"})).0,
            404
        );
    }

    #[test]
    fn faults_come_in_order_and_then_it_works_again() {
        let slack = Slack::start().unwrap();
        slack.rate_limit_next(1, Duration::from_secs(7));
        slack.fail_next(410, "channel_is_archived", 1);
        let limited = send("POST", &slack.url(), &[], r#"{"text":"x"}"#);
        assert_eq!(
            (limited.status, limited.headers["retry-after"].as_str()),
            (429, "7")
        );
        let body = json!({"text": "x"});
        assert_eq!(
            post(&slack.url(), &body),
            (410, "channel_is_archived".to_owned())
        );
        assert_eq!(post(&slack.url(), &body).0, 200);
        assert_eq!(slack.requests(), 3);
    }

    #[test]
    fn an_overlong_text_is_cut_not_refused() {
        let slack = Slack::start().unwrap();
        assert_eq!(
            post(&slack.url(), &json!({"text": "y".repeat(TEXT_LIMIT + 5)})).0,
            200
        );
        assert_eq!(slack.messages()[0].text.len(), TEXT_LIMIT);
    }
}
