//! The lab as people reach it: addresses for their own tools, and Bowline's own command line.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tokio::process::Command;
use tokio::time::timeout;

use super::{Lab, SECRET, process};

/// No command takes longer, not even one that waits for an upgrade's end.
const LIMIT: Duration = Duration::from_secs(120);

/// What the program said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to stdout.
    pub out: String,
    /// What it wrote to stderr.
    pub err: String,
}

impl Lab {
    /// Where webhooks are posted to, secret included.
    #[must_use]
    pub fn webhook_url(&self) -> String {
        format!("http://{}/webhook/{SECRET}", self.listen.address())
    }

    /// Where gRPC is served: what `bowline --server` takes.
    #[must_use]
    pub fn grpc_url(&self) -> String {
        format!("http://{}", self.grpc.address())
    }

    /// Runs `bowline` against this lab, as `vera`.
    ///
    /// # Errors
    /// It is not built, or does not end.
    pub async fn bowline(&self, arguments: &[&str]) -> anyhow::Result<Said> {
        let running = Command::new(process::binary("bowline")?)
            .args(arguments)
            .env_clear()
            .env("TZ", "UTC")
            .env("USER", "vera")
            .env("BOWLINE_SERVER", self.grpc_url())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = timeout(LIMIT, running)
            .await
            .with_context(|| format!("`bowline {}` does not end", arguments.join(" ")))??;
        Ok(Said {
            code: output.status.code(),
            out: String::from_utf8(output.stdout)?,
            err: String::from_utf8(output.stderr)?,
        })
    }

    /// As [`bowline`](Self::bowline) with `--output json`, if it ends with 0.
    ///
    /// # Errors
    /// It does not, or says something that is no JSON.
    pub async fn bowline_json(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let said = self
            .bowline(&[&["--output", "json"], arguments].concat())
            .await?;
        ensure!(said.code == Some(0), "bowline {arguments:?}: {said:?}");
        Ok(serde_json::from_str(&said.out)?)
    }
}
