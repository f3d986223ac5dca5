//! A real NATS server with `JetStream`, one per test, that can be killed and restarted on its data.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

/// How long a server may take from its start to its first greeting.
const START_LIMIT: Duration = Duration::from_secs(20);
const POLL_EVERY: Duration = Duration::from_millis(10);

/// A running `nats-server` on 127.0.0.1; it dies with this value, and its store with it.
///
/// Every write is synced to disk before it is acknowledged, so a [`kill`](Self::kill) loses nothing
/// that a client was told is stored.
#[derive(Debug)]
pub struct NatsServer {
    // Declared before `dir`: the process is killed before its store is removed.
    child: Option<Child>,
    port: u16,
    monitoring: u16,
    dir: TempDir,
}

impl NatsServer {
    /// Starts a server on a free port with an empty store and returns once it greets clients.
    pub async fn start() -> Result<Self> {
        let dir = TempDir::with_prefix("nats-").context("failed to create the store directory")?;
        // Port -1: the server chooses a free one itself and writes it to a file, without a race.
        let (child, port, monitoring) = launch(dir.path(), None).await?;
        Ok(Self {
            child: Some(child),
            port,
            monitoring,
            dir,
        })
    }

    /// The address for clients, the same across restarts.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://{}:{}", Ipv4Addr::LOCALHOST, self.port)
    }

    /// The address of the server's own HTTP monitoring; another one after each restart.
    #[must_use]
    pub fn monitoring(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.monitoring))
    }

    /// Kills the server with SIGKILL and waits until it is gone. Does nothing on a dead server.
    pub async fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill().await.context("failed to kill nats-server")?;
        }
        Ok(())
    }

    /// Starts the server again on the same port and store, killing it first if it still runs.
    pub async fn restart(&mut self) -> Result<()> {
        self.kill().await?;
        let (child, _, monitoring) = launch(self.dir.path(), Some(self.port)).await?;
        self.child = Some(child);
        self.monitoring = monitoring;
        Ok(())
    }
}

/// Where `cargo xtask setup` puts the server.
fn program() -> Result<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/nats-server");
    if !path.is_file() {
        bail!(
            "no nats-server at {}: run `cargo xtask setup` once",
            path.display()
        );
    }
    Ok(path)
}

async fn launch(dir: &Path, port: Option<u16>) -> Result<(Child, u16, u16)> {
    let config = dir.join("nats.conf");
    let log = dir.join("log");
    std::fs::write(&config, configuration(dir, port)).context("failed to write nats.conf")?;
    let mut child = Command::new(program()?)
        .arg("--config")
        .arg(&config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(dir.join("stderr"))?)
        .kill_on_drop(true)
        .spawn()
        .context("failed to start nats-server")?;
    match timeout(START_LIMIT, ready(&mut child, dir, port)).await {
        Ok(Ok((port, monitoring))) => Ok((child, port, monitoring)),
        Ok(Err(error)) => Err(error.context(log_of(&log))),
        Err(_) => bail!(
            "nats-server not ready within {START_LIMIT:?}\n{}",
            log_of(&log)
        ),
    }
}

fn configuration(dir: &Path, port: Option<u16>) -> String {
    let port = port.map_or_else(|| "-1".to_owned(), |port| port.to_string());
    let dir = dir.display();
    format!(
        r#"listen: "127.0.0.1:{port}"
http: "127.0.0.1:-1"
ports_file_dir: "{dir}"
log_file: "{dir}/log"
jetstream {{
  store_dir: "{dir}/store"
  sync_interval: always
  max_memory_store: 256MB
  max_file_store: 2GB
}}
"#
    )
}

fn log_of(path: &Path) -> String {
    let log = std::fs::read_to_string(path).unwrap_or_default();
    format!("nats-server log:\n{log}")
}

/// Waits for the ports and for a greeting that announces `JetStream`.
async fn ready(child: &mut Child, dir: &Path, port: Option<u16>) -> Result<(u16, u16)> {
    let pid = child.id().context("nats-server ended at once")?;
    let ports_file = dir.join(format!("nats-server_{pid}.ports"));
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            bail!(
                "nats-server ended with {status} after {:?}",
                started.elapsed()
            );
        }
        let known = port.or_else(|| port_in(&ports_file, "nats"));
        if let (Some(port), Some(monitoring)) = (known, port_in(&ports_file, "monitoring"))
            && greets(port).await
        {
            return Ok((port, monitoring));
        }
        sleep(POLL_EVERY).await;
    }
}

fn port_in(ports_file: &Path, kind: &str) -> Option<u16> {
    let text = std::fs::read_to_string(ports_file).ok()?;
    let ports: serde_json::Value = serde_json::from_str(&text).ok()?;
    ports
        .get(kind)?
        .get(0)?
        .as_str()?
        .rsplit_once(':')?
        .1
        .parse()
        .ok()
}

async fn greets(port: u16) -> bool {
    let Ok(stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else {
        return false;
    };
    let mut line = String::new();
    let read = BufReader::new(stream).read_line(&mut line).await;
    read.is_ok() && line.starts_with("INFO ") && line.contains(r#""jetstream":true"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_restarted_server_answers_on_its_old_port() {
        let mut server = NatsServer::start().await.unwrap();
        let url = server.url();

        server.kill().await.unwrap();
        assert!(!greets(server.port).await, "a killed server still answers");

        server.restart().await.unwrap();
        assert_eq!(server.url(), url);
        assert!(greets(server.port).await);
    }

    #[tokio::test]
    async fn two_servers_do_not_share_a_port() {
        let (one, two) = tokio::try_join!(NatsServer::start(), NatsServer::start()).unwrap();
        assert_ne!(one.url(), two.url());
    }
}
