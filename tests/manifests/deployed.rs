//! The shipped NATS configuration on a server of its own, and the keys of its users.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bus::JetStream;
use tempfile::TempDir;
use testkit::nats::NatsServer;

/// A forbidden publish has no answer; so long is waited for one.
pub(crate) const UNANSWERED: Duration = Duration::from_millis(300);

/// The keys that `bowline nats-keys` makes, and a server that knows them.
pub(crate) struct Deployed {
    pub(crate) server: NatsServer,
    keys: TempDir,
}

impl Deployed {
    pub(crate) async fn start() -> anyhow::Result<Deployed> {
        let (keys, environment) = make_keys()?;
        let server = NatsServer::start_deployed(&shipped(), &environment).await?;
        Ok(Deployed { server, keys })
    }

    /// For what the user may do; the machine may be busy.
    pub(crate) async fn log_in(&self, user: &str) -> anyhow::Result<JetStream> {
        self.log_in_with(user, bus::Settings::new("bowline")).await
    }

    /// For what the user may not do.
    pub(crate) async fn log_in_briefly(&self, user: &str) -> anyhow::Result<JetStream> {
        let settings = bus::Settings {
            publish_timeout: UNANSWERED,
            ..bus::Settings::new("bowline")
        };
        self.log_in_with(user, settings).await
    }

    async fn log_in_with(&self, user: &str, settings: bus::Settings) -> anyhow::Result<JetStream> {
        let settings = bus::Settings {
            nkey_seed: Some(seed(&self.keys, user)?),
            ..settings
        };
        Ok(JetStream::connect(&self.server.url(), settings).await?)
    }
}

/// The seeds, in a folder, and what the server's environment says about them.
pub(crate) fn make_keys() -> anyhow::Result<(TempDir, Vec<(String, String)>)> {
    let keys = TempDir::new()?;
    let made = Command::new(testkit::lab::binary("bowline")?)
        .arg("nats-keys")
        .arg(keys.path())
        .output()?;
    ensure!(made.status.success(), "no keys: {made:?}");
    let mut environment = vec![("HOSTNAME".to_owned(), "nats-0".to_owned())];
    for line in std::fs::read_to_string(keys.path().join("nkeys.env"))?.lines() {
        let (name, value) = line.split_once('=').context("a line without `=`")?;
        environment.push((name.to_owned(), value.to_owned()));
    }
    Ok((keys, environment))
}

/// The seed of a user.
pub(crate) fn seed(keys: &TempDir, user: &str) -> anyhow::Result<String> {
    let path = keys.path().join(format!("{user}.seed"));
    let text = std::fs::read_to_string(path).with_context(|| format!("no seed of {user}"))?;
    Ok(text.trim().to_owned())
}

/// Where the shipped configuration is.
pub(crate) fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/nats")
}
