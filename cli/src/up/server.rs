//! Starting and stopping the child nats-server.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use runtime::settings::Embedded;
use rustix::process::Signal;
use semver::Version;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use super::conf::{self, Files};
use super::find::{self, Places};
use super::folder::Folder;
use super::port::Address;
use super::process::Current;
use super::store::Store;
use super::{process, version};

const POLL: Duration = Duration::from_millis(20);
/// How long `--version` may take.
const VERSION_WITHIN: Duration = Duration::from_secs(10);
/// How long one greeting may take.
const GREETING_WITHIN: Duration = Duration::from_secs(2);
/// The longest greeting that is read.
const GREETING: u64 = 64 * 1024;
/// So many lines of what the server said are shown when it does not start.
const LINES: usize = 4;

/// Everything that a start needs.
#[derive(Debug)]
pub(super) struct Server {
    program: PathBuf,
    store: Store,
    settings: Embedded,
    /// What is killed when there is no time for a stop.
    pub(super) current: Current,
}

/// Why a start failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    /// Another program has our port; with a new one it may go well.
    #[error("port {0} was taken by another program")]
    PortTaken(u16),
    /// Anything else.
    #[error(transparent)]
    Failed(#[from] anyhow::Error),
}

impl Server {
    /// Looks for the program, and makes the folder.
    pub(super) fn new(settings: &Embedded, data: &Folder) -> anyhow::Result<Server> {
        let is_program = |path: &Path| path.is_file();
        let named = settings.nats_server.as_deref();
        Ok(Server {
            program: find::find(named, &Places::of_process(), is_program)?,
            store: Store::of(data)?,
            settings: settings.clone(),
            current: Current::default(),
        })
    }

    pub(super) fn program(&self) -> &Path {
        &self.program
    }

    pub(super) fn settings(&self) -> &Embedded {
        &self.settings
    }

    /// Starts the server and returns it when it answers. It dies with the returned value.
    pub(super) async fn start(&self, address: &Address) -> Result<(Child, Version), StartError> {
        // Asked each time: the program may have been replaced since.
        let version = self.version().await?;
        self.store.check_version(&self.program, &version)?;
        let lock = self.store.take(self.settings.stop_within).await?;
        if address.is_taken() {
            return Err(StartError::PortTaken(address.port));
        }
        self.store.note_version(&version)?;
        let mut child = self.spawn(address, lock)?;
        let failure = match timeout(self.settings.start_within, ready(&mut child, address)).await {
            Ok(Ok(())) => return Ok((child, version)),
            Ok(Err(error)) => error,
            Err(_) => anyhow::anyhow!(
                "it did not answer within {:?} (`embedded.start_within`)",
                self.settings.start_within
            ),
        };
        self.stop(&mut child).await;
        if address.is_taken() {
            return Err(StartError::PortTaken(address.port));
        }
        let said = last_words(&self.store);
        Err(StartError::Failed(failure.context(format!(
            "failed to start {}{said}",
            self.program.display()
        ))))
    }

    /// Asks the server to stop, and kills it when it does not in time.
    pub(super) async fn stop(&self, child: &mut Child) {
        if let Some(id) = child.id() {
            // To its whole group: the program may be a script around the server.
            let asked = process::signal_group(id, Signal::TERM);
            let ended = timeout(self.settings.stop_within, child.wait()).await;
            if asked.is_err() || ended.is_err() {
                tracing::warn!("nats-server does not stop; killing it");
                let _gone = process::signal_group(id, Signal::KILL);
                let _ended = child.kill().await;
            }
        }
        self.current.is(0);
    }

    async fn version(&self) -> anyhow::Result<Version> {
        let mut command = Command::new(&self.program);
        command
            .arg("--version")
            .env_clear()
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = timeout(VERSION_WITHIN, command.output())
            .await
            .with_context(|| format!("{} does not say its version", self.program.display()))?
            .with_context(|| format!("failed to run {}", self.program.display()))?;
        let printed = String::from_utf8_lossy(&output.stdout);
        Ok(version::of_program(&self.program, &printed)?)
    }

    fn spawn(&self, address: &Address, lock: File) -> anyhow::Result<Child> {
        let store = &self.store;
        let (data, pid, log) = (store.data(), store.pid_file(), store.log());
        let files = Files {
            store: &data,
            pid: &pid,
            log: &log,
        };
        let settings = &self.settings;
        let text = conf::render(
            address,
            files,
            settings.max_store_bytes,
            settings.monitoring,
        )?;
        store.write_configuration(&text)?;
        match fs::remove_file(&pid) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).context(format!("failed to remove {}", pid.display()));
            }
            _ => {}
        }
        let errors = File::create(store.errors())
            .with_context(|| format!("failed to write {}", store.errors().display()))?;
        let child = Command::new(&self.program)
            .arg("--config")
            .arg(store.configuration())
            .current_dir(store.folder())
            .env_clear()
            .stdin(Stdio::from(lock))
            .stdout(Stdio::null())
            .stderr(errors)
            // Ctrl-C at a terminal goes to its foreground group: the services stop first.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("failed to run {}", self.program.display()))?;
        self.current.is(child.id().unwrap_or(0));
        Ok(child)
    }
}

/// Waits for the greeting of this very server.
async fn ready(child: &mut Child, address: &Address) -> anyhow::Result<()> {
    loop {
        if let Some(status) = child.try_wait()? {
            anyhow::bail!("it ended with {status}");
        }
        if let Ok(Ok(line)) = timeout(GREETING_WITHIN, greeting(address)).await
            && is_ours(&line, &address.name)
        {
            return Ok(());
        }
        sleep(POLL).await;
    }
}

async fn greeting(address: &Address) -> std::io::Result<String> {
    let stream = TcpStream::connect(address.socket()).await?;
    let mut line = String::new();
    BufReader::new(stream.take(GREETING))
        .read_line(&mut line)
        .await?;
    Ok(line)
}

/// Whether this is the greeting of the server of that name, with `JetStream` and a login.
fn is_ours(line: &str, name: &str) -> bool {
    let Some(info) = line
        .strip_prefix("INFO ")
        .and_then(|json| serde_json::from_str::<serde_json::Value>(json).ok())
    else {
        return false;
    };
    let yes = |key| info.get(key).and_then(serde_json::Value::as_bool) == Some(true);
    let called = info.get("server_name").and_then(serde_json::Value::as_str);
    called == Some(name) && yes("jetstream") && yes("auth_required")
}

fn last_words(store: &Store) -> String {
    let read = |path: PathBuf| {
        let bytes = fs::read(path).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    said(&read(store.errors()), &read(store.log()))
}

/// The end of what was said before logging began, and of the errors in the log.
fn said(errors: &str, log: &str) -> String {
    let faults = log
        .lines()
        .filter(|line| line.contains("[FTL]") || line.contains("[ERR]"));
    let lines: Vec<_> = errors.lines().chain(faults).collect();
    let last = lines.get(lines.len().saturating_sub(LINES)..);
    last.unwrap_or_default()
        .iter()
        .map(|line| format!("\n  {}", line.trim()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_server_on_the_port_is_not_taken_for_ours() {
        let info = |name: &str, jetstream: bool, login: bool| {
            format!(
                "INFO {{\"server_name\":\"{name}\",\"jetstream\":{jetstream},\
                 \"auth_required\":{login}}} \r\n"
            )
        };
        for (line, expected) in [
            (info("ours", true, true), true),
            (info("theirs", true, true), false),
            (info("ours", false, true), false),
            (info("ours", true, false), false),
            ("HTTP/1.1 400 Bad Request".to_owned(), false),
            ("INFO x".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(is_ours(&line, "ours"), expected, "{line}");
        }
    }

    #[test]
    fn the_last_words_are_what_went_wrong() {
        let log = "[INF] Starting\n[ERR] one\n[FTL] two\n[INF] bye\n";
        assert_eq!(said("", log), "\n  [ERR] one\n  [FTL] two");
        assert_eq!(said("", ""), "");
        assert_eq!(said("1\n2\n3\n4\n5", ""), "\n  2\n  3\n  4\n  5");
    }
}
