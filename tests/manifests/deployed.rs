//! The shipped NATS configuration on a server of its own, and the keys of its users.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bus::JetStream;
use tempfile::TempDir;
use testkit::nats::NatsServer;

/// A forbidden publish has no answer; so long is waited for one.
const UNANSWERED: Duration = Duration::from_millis(300);

/// The keys that `bowline nats-keys` makes.
pub(crate) struct Keys {
    folder: TempDir,
    /// What the server's environment says about them.
    pub(crate) environment: Vec<(String, String)>,
}

impl Keys {
    pub(crate) fn make() -> anyhow::Result<Keys> {
        let folder = TempDir::new()?;
        let made = Command::new(testkit::lab::binary("bowline")?)
            .arg("nats-keys")
            .arg(folder.path())
            .output()?;
        ensure!(made.status.success(), "no keys: {made:?}");
        let mut environment = vec![("HOSTNAME".to_owned(), "nats-0".to_owned())];
        for line in std::fs::read_to_string(folder.path().join("nkeys.env"))?.lines() {
            let (name, value) = line.split_once('=').context("a line without `=`")?;
            environment.push((name.to_owned(), value.to_owned()));
        }
        Ok(Keys {
            folder,
            environment,
        })
    }

    /// The seed of a user.
    pub(crate) fn seed(&self, user: &str) -> anyhow::Result<String> {
        let path = self.folder.path().join(format!("{user}.seed"));
        let text = std::fs::read_to_string(path).with_context(|| format!("no seed of {user}"))?;
        Ok(text.trim().to_owned())
    }

    /// The log as a user sees it.
    pub(crate) async fn log_in(
        &self,
        server: &NatsServer,
        user: &str,
    ) -> anyhow::Result<JetStream> {
        self.log_in_with(server, user, bus::Settings::new("bowline"))
            .await
    }

    async fn log_in_with(
        &self,
        server: &NatsServer,
        user: &str,
        settings: bus::Settings,
    ) -> anyhow::Result<JetStream> {
        let settings = bus::Settings {
            nkey_seed: Some(self.seed(user)?),
            ..settings
        };
        Ok(JetStream::connect(&server.url(), settings).await?)
    }
}

/// A server that knows its users' keys.
pub(crate) struct Deployed {
    pub(crate) server: NatsServer,
    keys: Keys,
}

impl Deployed {
    pub(crate) async fn start() -> anyhow::Result<Deployed> {
        let keys = Keys::make()?;
        let server = NatsServer::start_deployed(&shipped(), &keys.environment).await?;
        Ok(Deployed { server, keys })
    }

    /// For what the user may do; the machine may be busy.
    pub(crate) async fn log_in(&self, user: &str) -> anyhow::Result<JetStream> {
        self.keys.log_in(&self.server, user).await
    }

    /// For what the user may not do.
    pub(crate) async fn log_in_briefly(&self, user: &str) -> anyhow::Result<JetStream> {
        self.keys.log_in_with(&self.server, user, brief()).await
    }
}

/// Settings that do not wait long for an answer that does not come.
pub(crate) fn brief() -> bus::Settings {
    bus::Settings {
        publish_timeout: UNANSWERED,
        ..bus::Settings::new("bowline")
    }
}

/// Where the shipped configuration is.
pub(crate) fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/nats")
}
