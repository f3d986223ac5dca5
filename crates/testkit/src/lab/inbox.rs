//! An owner's inbox, held closed by the NATS server: its process goes on with everything else.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Lab;

/// The stream of facts of the lab's instance.
const STREAM: &str = "lab_UPGRADES";
/// Longer than any test.
const FAR: &str = "2999-01-01T00:00:00Z";
const LIMIT: Duration = Duration::from_secs(10);

impl Lab {
    /// From now on nothing new is delivered to an owner.
    ///
    /// # Errors
    /// NATS refuses it.
    pub async fn close_inbox(&self, owner: &str) -> anyhow::Result<()> {
        let paused = self.pause(owner, &json!({ "pause_until": FAR })).await?;
        ensure!(paused, "the inbox of {owner} stays open");
        Ok(())
    }

    /// What came in meanwhile is delivered.
    ///
    /// # Errors
    /// NATS refuses it.
    pub async fn open_inbox(&self, owner: &str) -> anyhow::Result<()> {
        let paused = self.pause(owner, &json!({})).await?;
        ensure!(!paused, "the inbox of {owner} stays closed");
        Ok(())
    }

    /// Whether the consumer is paused after this.
    async fn pause(&self, owner: &str, wanted: &Value) -> anyhow::Result<bool> {
        let subject = format!("$JS.API.CONSUMER.PAUSE.{STREAM}.{owner}");
        let answer = timeout(LIMIT, self.ask_nats(&subject, &wanted.to_string())).await??;
        let paused = answer.get("paused").and_then(Value::as_bool);
        paused.with_context(|| format!("NATS answered {answer}"))
    }

    /// One request in the protocol of NATS, which is lines of text.
    async fn ask_nats(&self, subject: &str, body: &str) -> anyhow::Result<Value> {
        let port = self.nats.url().rsplit(':').next().map(str::parse);
        let port = port.context("NATS has no port")??;
        let stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
        let mut stream = BufReader::new(stream);
        let request = format!(
            "CONNECT {{\"verbose\":false}}\r\nSUB answer 1\r\nPUB {subject} answer {}\r\n{body}\r\n",
            body.len()
        );
        stream.write_all(request.as_bytes()).await?;
        let mut line = String::new();
        while stream.read_line(&mut line).await? > 0 {
            if line.starts_with("MSG ") {
                let size = line.trim().rsplit(' ').next().map(str::parse);
                let mut body = vec![0; size.context("no size")??];
                stream.read_exact(&mut body).await?;
                return Ok(serde_json::from_slice(&body)?);
            }
            ensure!(!line.starts_with("-ERR"), "NATS said {}", line.trim());
            line.clear();
        }
        bail!("NATS did not answer")
    }
}
