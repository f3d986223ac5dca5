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
const CONFIGURATION: &str = "nats.conf";

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
    environment: Vec<(String, String)>,
    dir: TempDir,
}

impl NatsServer {
    /// Starts a server as it is deployed: with the `nats.conf` of a folder and what it includes, in
    /// this environment. Only addresses and folders are other ones: the loopback, free ports, and a
    /// temporary store.
    pub async fn start_deployed(folder: &Path, environment: &[(String, String)]) -> Result<Self> {
        let dir = TempDir::with_prefix("nats-").context("failed to create the store directory")?;
        for entry in std::fs::read_dir(folder).context("failed to read the configuration")? {
            let path = entry?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "conf")
            {
                let text = std::fs::read_to_string(&path)?;
                let name = path.file_name().unwrap_or_default();
                std::fs::write(dir.path().join(name), mapped(&text, dir.path())?)?;
            }
        }
        let environment = environment.to_vec();
        let (child, port, monitoring) = launch(dir.path(), &environment, None).await?;
        Ok(Self {
            child: Some(child),
            port,
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
        let text = configuration(dir.path(), interval);
        // Port -1: the server chooses a free one itself and writes it to a file, without a race.
        std::fs::write(dir.path().join(CONFIGURATION), text)
            .context("failed to write nats.conf")?;
        let (child, port, monitoring) = launch(dir.path(), &[], None).await?;
        Ok(Self {
            child: Some(child),
            port,
            monitoring,
            environment: Vec::new(),
            dir,
        })
    }

    /// A server that somebody else starts and stops, with its monitoring on this port.
    pub(crate) fn elsewhere(monitoring: u16) -> Result<Self> {
        Ok(Self {
            child: None,
            port: 0,
            monitoring,
            environment: Vec::new(),
            dir: TempDir::with_prefix("nats-")?,
        })
    }

    /// The address for clients, the same across restarts.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://{}:{}", Ipv4Addr::LOCALHOST, self.port)
    }

    /// The server's process, while it runs.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id)
    }

    /// The address of the server's own HTTP monitoring; another one after each restart.
    #[must_use]
    pub fn monitoring(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.monitoring))
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
        if self.port == 0 {
            bail!("this server is somebody else's");
        }
        self.kill().await?;
        keep_port(&self.dir.path().join(CONFIGURATION), self.port)?;
        let started = launch(self.dir.path(), &self.environment, Some(self.port));
        let (child, _, monitoring) = started.await?;
        self.child = Some(child);
        self.monitoring = monitoring;
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

async fn launch(
    dir: &Path,
    environment: &[(String, String)],
    port: Option<u16>,
) -> Result<(Child, u16, u16)> {
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
    match timeout(START_LIMIT, ready(&mut child, dir, port)).await {
        Ok(Ok((port, monitoring))) => Ok((child, port, monitoring)),
        Ok(Err(error)) => Err(error.context(log_of(&log))),
        Err(_) => bail!(
            "nats-server not ready within {START_LIMIT:?}\n{}",
            log_of(&log)
        ),
    }
}

/// On a port that the server chooses.
fn configuration(dir: &Path, sync_interval: &str) -> String {
    let dir = dir.display();
    format!(
        r#"listen: "127.0.0.1:-1"
http: "127.0.0.1:-1"
ports_file_dir: "{dir}"
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
fn mapped(text: &str, dir: &Path) -> Result<String> {
    let folder = dir.display();
    let mut mapped = text.to_owned();
    if text.contains("jetstream {") {
        for (deployed, here) in [
            ("\"0.0.0.0:4222\"", "\"127.0.0.1:-1\"".to_owned()),
            ("\"0.0.0.0:8222\"", "\"127.0.0.1:-1\"".to_owned()),
            ("\"/data\"", format!("\"{folder}/store\"")),
            ("\"/var/run/nats/", format!("\"{folder}/")),
        ] {
            if !mapped.contains(deployed) {
                bail!("the configuration does not mention {deployed}");
            }
            mapped = mapped.replace(deployed, &here);
        }
        mapped = format!("ports_file_dir: \"{folder}\"\nlog_file: \"{folder}/log\"\n{mapped}");
    }
    Ok(mapped)
}

/// The next start listens where the last one did.
fn keep_port(config: &Path, port: u16) -> Result<()> {
    let text = std::fs::read_to_string(config)?;
    let chosen = "listen: \"127.0.0.1:-1\"";
    let kept = format!("listen: \"127.0.0.1:{port}\"");
    std::fs::write(config, text.replace(chosen, &kept)).context("failed to write nats.conf")
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
