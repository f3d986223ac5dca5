//! What came of it, read from git, the cluster, Slack and NATS itself: never from Bowline.

use std::time::Duration;

use anyhow::{bail, ensure};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::stacks::Stack;
use super::{Lab, POLL, webhook};
use crate::git::LogEntry;
use crate::server::lock;

impl Lab {
    /// Waits for an announcement that was not read yet and holds all these words; it is read then.
    ///
    /// # Errors
    /// There is none within the limit; the error lists the unread ones.
    pub async fn said(&self, words: &[&str], limit: Duration) -> anyhow::Result<String> {
        let deadline = Instant::now() + limit;
        loop {
            for (at, message) in self.slack.messages().iter().enumerate() {
                let text = message.visible();
                if words.iter().all(|word| text.contains(word)) && lock(&self.read).insert(at) {
                    return Ok(text);
                }
            }
            if Instant::now() > deadline {
                bail!(
                    "Slack was not told {words:?} within {limit:?}; unread: {:#?}",
                    self.unread()
                );
            }
            sleep(POLL).await;
        }
    }

    /// The announcements that nobody has read.
    #[must_use]
    pub fn unread(&self) -> Vec<String> {
        let read = lock(&self.read);
        let messages = self.slack.messages();
        let unread = messages
            .iter()
            .enumerate()
            .filter(|(at, _)| !read.contains(at));
        unread.map(|(_, message)| message.visible()).collect()
    }

    /// Counts every announcement so far as read.
    pub fn read_all(&self) {
        let count = self.slack.messages().len();
        lock(&self.read).extend(0..count);
    }

    /// The commits since the start, oldest first.
    #[must_use]
    pub fn commits(&self) -> Vec<LogEntry> {
        let commits = self.git.log("main").into_iter();
        let mut since: Vec<LogEntry> = commits
            .take_while(|commit| commit.sha != self.seed)
            .collect();
        since.reverse();
        since
    }

    /// The lines that a commit removed and added, with their signs, and the paths it touched.
    ///
    /// # Errors
    /// Git does not know the commit.
    pub fn changes(&self, commit: &str) -> anyhow::Result<(Vec<String>, Vec<String>)> {
        let arguments = [
            "diff-tree",
            "-p",
            "-U0",
            "--no-commit-id",
            "-r",
            "--root",
            commit,
        ];
        let output = crate::git::git(&self.git.bare_path(), arguments, b"")?;
        let text = String::from_utf8_lossy(&output);
        let mut lines = Vec::new();
        let mut paths = Vec::new();
        for line in text.lines() {
            if let Some(path) = line.strip_prefix("+++ b/") {
                paths.push(path.to_owned());
            } else if (line.starts_with('+') && !line.starts_with("+++"))
                || (line.starts_with('-') && !line.starts_with("---"))
            {
                lines.push(line.trim_end().to_owned());
            }
        }
        Ok((paths, lines))
    }

    /// Every file of a branch.
    ///
    /// # Errors
    /// Git does not answer.
    pub fn files(&self, branch: &str) -> anyhow::Result<crate::apply::Tree> {
        crate::apply::tree(&self.git.bare_path(), &self.git.head(branch))
    }

    /// The version of a service that `main` names.
    #[must_use]
    pub fn written(&self, service: &str) -> Option<String> {
        Stack::of(service)?.version(|path| self.git.show("main", path))
    }

    /// The version of a service that ready pods run.
    #[must_use]
    pub fn live(&self, service: &str) -> Option<String> {
        Stack::of(service)?.live(&self.cluster)
    }

    /// What NATS has delivered to the services, or has to, that is not acknowledged: by consumer.
    ///
    /// # Errors
    /// The server's monitoring does not answer.
    pub async fn unacknowledged(&self) -> anyhow::Result<Vec<(String, u64)>> {
        let path = "/jsz?accounts=true&streams=true&consumers=true";
        let (status, body) = webhook::request("GET", self.nats.monitoring(), path, "").await?;
        ensure!(status == 200, "NATS answered {status}");
        let seen: Value = serde_json::from_str(&body)?;
        let mut found = Vec::new();
        collect(&seen, &mut found);
        Ok(found)
    }

    /// Waits until everything that was delivered to the services is acknowledged.
    ///
    /// # Errors
    /// Some is not within the limit.
    pub async fn nothing_delivered_is_open(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let left: Vec<_> = self
                .unacknowledged()
                .await?
                .into_iter()
                .filter(|(_, count)| *count > 0)
                .collect();
            if left.is_empty() {
                return Ok(());
            }
            ensure!(
                Instant::now() < deadline,
                "unacknowledged work is left: {left:?}"
            );
            sleep(POLL).await;
        }
    }

    /// Checks that nothing is left over: no announcement unread, nothing delivered and not
    /// acknowledged.
    ///
    /// # Errors
    /// Something is left; the error says what.
    pub async fn nothing_left(&self) -> anyhow::Result<()> {
        self.nothing_delivered_is_open().await?;
        let unread = self.unread();
        ensure!(
            unread.is_empty(),
            "announcements that nobody expected: {unread:#?}"
        );
        Ok(())
    }
}

fn collect(value: &Value, found: &mut Vec<(String, u64)>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
        Value::Object(object) => {
            let count = |key| object.get(key).and_then(Value::as_u64);
            let name = object.get("name").and_then(Value::as_str);
            // Nobody acknowledges what a projection follows.
            if let (Some(name), Some(unacknowledged)) = (name, count("num_ack_pending"))
                && !name.starts_with("projection")
            {
                let waiting = count("num_pending").unwrap_or(0);
                found.push((name.to_owned(), unacknowledged + waiting));
            }
            object.values().for_each(|value| collect(value, found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
