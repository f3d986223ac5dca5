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

use crate::ports::Port;

/// How long a server may take from its start to its first greeting.
const START_LIMIT: Duration = Duration::from_secs(20);
const POLL_EVERY: Duration = Duration::from_millis(10);
const CONFIGURATION: &str = "nats.conf";

/// A running `nats-server` on 127.0.0.1; it dies with this value, and its store with it.
///
/// Every write is synced to disk before it is acknowledged, so a [`kill`](Self::kill) loses nothing
/// that a client was told is stored.
#[derive(Debug)]
pub struct NatsServer {
    // Declared before `dir`: the process is killed before its store is removed.
    child: Option<Child>,
    /// None if somebody else starts the server.
    clients: Option<Port>,
    monitoring: Port,
    environment: Vec<(String, String)>,
    dir: TempDir,
}

impl NatsServer {
    /// Starts a server as it is deployed: with the `nats.conf` of a folder and what it includes, in
    /// this environment. Only addresses and folders are other ones: the loopback, free ports, and a
    /// temporary store.
    pub async fn start_deployed(folder: &Path, environment: &[(String, String)]) -> Result<Self> {
        let dir = TempDir::with_prefix("nats-").context("failed to create the store directory")?;
        let (clients, monitoring) = (Port::reserve()?, Port::reserve()?);
        for entry in std::fs::read_dir(folder).context("failed to read the configuration")? {
            let path = entry?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "conf")
            {
                let text = std::fs::read_to_string(&path)?;
                let name = path.file_name().unwrap_or_default();
                let text = mapped(&text, dir.path(), &clients, &monitoring)?;
                std::fs::write(dir.path().join(name), text)?;
            }
        }
        let environment = environment.to_vec();
        let child = launch(dir.path(), &environment, &clients).await?;
        Ok(Self {
            child: Some(child),
            clients: Some(clients),
            monitoring,
            environment,
            dir,
        })
    }

    /// Starts a server on a free port with an empty store and returns once it greets clients.
    pub async fn start() -> Result<Self> {
        Self::start_syncing("always").await
    }

    /// As [`start`](Self::start), with another `sync_interval`; `2m` is the server's own default.
    pub async fn start_syncing(interval: &str) -> Result<Self> {
        let dir = TempDir::with_prefix("nats-").context("failed to create the store directory")?;
        let (clients, monitoring) = (Port::reserve()?, Port::reserve()?);
        let text = configuration(dir.path(), interval, &clients, &monitoring);
        std::fs::write(dir.path().join(CONFIGURATION), text)
            .context("failed to write nats.conf")?;
        let child = launch(dir.path(), &[], &clients).await?;
        Ok(Self {
            child: Some(child),
            clients: Some(clients),
            monitoring,
            environment: Vec::new(),
            dir,
        })
    }

    /// A server that somebody else starts and stops; its monitoring is to be where this one says.
    pub(crate) fn elsewhere() -> Result<Self> {
        Ok(Self {
            child: None,
            clients: None,
            monitoring: Port::reserve()?,
            environment: Vec::new(),
            dir: TempDir::with_prefix("nats-")?,
        })
    }

    /// The address for clients, the same across restarts.
    #[must_use]
    pub fn url(&self) -> String {
        let port = self.clients.as_ref().map_or(0, Port::number);
        format!("nats://{}:{port}", Ipv4Addr::LOCALHOST)
    }

    /// The server's process, while it runs.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id)
    }

    /// The address of the server's own HTTP monitoring, the same across restarts.
    #[must_use]
    pub fn monitoring(&self) -> SocketAddr {
        self.monitoring.address()
    }

    /// What the server has logged.
    pub fn log(&self) -> Result<String> {
        std::fs::read_to_string(self.dir.path().join("log")).context("failed to read the log")
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
        let clients = self.clients.as_ref();
        let clients = clients.context("this server is somebody else's")?;
        self.child = Some(launch(self.dir.path(), &self.environment, clients).await?);
        Ok(())
    }
}

/// Where `cargo xtask setup` puts the server.
pub(crate) fn program() -> Result<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/nats-server");
    if !path.is_file() {
        bail!(
            "no nats-server at {}: run `cargo xtask setup` once",
            path.display()
        );
    }
    Ok(path)
}

async fn launch(dir: &Path, environment: &[(String, String)], clients: &Port) -> Result<Child> {
    let config = dir.join(CONFIGURATION);
    let log = dir.join("log");
    let mut child = Command::new(program()?)
        .arg("--config")
        .arg(&config)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(dir.join("stderr"))?)
        .kill_on_drop(true)
        .spawn()
        .context("failed to start nats-server")?;
    match timeout(START_LIMIT, ready(&mut child, clients)).await {
        Ok(Ok(())) => Ok(child),
        Ok(Err(error)) => Err(error.context(log_of(&log))),
        Err(_) => bail!(
            "nats-server not ready within {START_LIMIT:?}\n{}",
            log_of(&log)
        ),
    }
}

fn configuration(dir: &Path, sync_interval: &str, clients: &Port, monitoring: &Port) -> String {
    let dir = dir.display();
    let (clients, monitoring) = (clients.address(), monitoring.address());
    format!(
        r#"listen: "{clients}"
http: "{monitoring}"
log_file: "{dir}/log"
jetstream {{
  store_dir: "{dir}/store"
  sync_interval: {sync_interval}
  max_memory_store: 256MB
  max_file_store: 2GB
}}
"#
    )
}

/// A deployed configuration on this machine.
fn mapped(text: &str, dir: &Path, clients: &Port, monitoring: &Port) -> Result<String> {
    let folder = dir.display();
    let mut mapped = text.to_owned();
    if text.contains("jetstream {") {
        for (deployed, here) in [
            ("0.0.0.0:4222", clients.address().to_string()),
            ("0.0.0.0:8222", monitoring.address().to_string()),
            ("\"/data\"", format!("\"{folder}/store\"")),
            ("\"/var/run/nats/", format!("\"{folder}/")),
        ] {
            if !mapped.contains(deployed) {
                bail!("the configuration does not mention {deployed}");
            }
            mapped = mapped.replace(deployed, &here);
        }
        mapped = format!("log_file: \"{folder}/log\"\n{mapped}");
    }
    Ok(mapped)
}

fn log_of(path: &Path) -> String {
    let log = std::fs::read_to_string(path).unwrap_or_default();
    format!("nats-server log:\n{log}")
}

/// Waits for a greeting that announces `JetStream`.
async fn ready(child: &mut Child, clients: &Port) -> Result<()> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            bail!(
                "nats-server ended with {status} after {:?}",
                started.elapsed()
            );
        }
        if greets(clients.address()).await {
            return Ok(());
        }
        sleep(POLL_EVERY).await;
    }
}

async fn greets(address: SocketAddr) -> bool {
    let Ok(stream) = TcpStream::connect(address).await else {
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
        let address = server.clients.as_ref().unwrap().address();

        server.kill().await.unwrap();
        assert!(!greets(address).await, "a killed server still answers");

        server.restart().await.unwrap();
        assert_eq!(server.url(), url);
        assert!(greets(address).await);
    }

    #[tokio::test]
    async fn two_servers_do_not_share_a_port() {
        let (one, two) = tokio::try_join!(NatsServer::start(), NatsServer::start()).unwrap();
        assert_ne!(one.url(), two.url());
    }
}
